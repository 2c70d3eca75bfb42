"""The Payment object of PortOne V2, as its own package reads it."""

from typing import Any

from sandbox.pg.model import CARD, REFUND, REFUSAL, REQUEST, Movement, Payment, Shop, utc

# What PortOne does with an account whose time is over is not written down; it keeps saying "issued" here.
_CANCELLATIONS = {REQUEST: "REQUESTED", REFUND: "SUCCEEDED", REFUSAL: "FAILED"}
STATUS = {
    "WAITING": "VIRTUAL_ACCOUNT_ISSUED",
    "EXPIRED": "VIRTUAL_ACCOUNT_ISSUED",
    "PAID": "PAID",
    "PART_REFUNDED": "PARTIAL_CANCELLED",
    "CANCELED": "CANCELLED",
}


def document(payment: Payment, shop: Shop, now: float) -> dict[str, Any]:
    """The answer to GET /payments/{paymentId}."""
    deposits, status = payment.standing_deposits, STATUS[payment.state]
    changed_at = max([payment.created_at, payment.closed_at, *(movement.at for movement in payment.movements)])
    found: dict[str, Any] = {
        "status": status,
        "id": payment.order_ref,
        "transactionId": payment.payment_ref,
        "merchantId": "merchant-00000000-0000-4000-8000-000000000001",
        "storeId": payment.merchant_id,
        "method": _card() if payment.method == CARD else _account(payment, now),
        "channel": {
            "type": "TEST",
            "id": "channel-id-00000000-0000-4000-8000-000000000001",
            "key": shop.options.get("channel_key", ""),
            "name": "연습 채널",
            "pgProvider": "KCP_V2",
            "pgMerchantId": "T0000",
        },
        "version": "V2",
        "requestedAt": rfc3339(payment.created_at),
        "updatedAt": rfc3339(changed_at),
        "statusChangedAt": rfc3339(changed_at),
        "orderName": payment.title,
        "amount": {
            "total": payment.amount,
            "taxFree": 0,
            "vat": round(payment.amount / 11),
            "supply": payment.amount - round(payment.amount / 11),
            "discount": 0,
            "paid": payment.balance,
            "cancelled": payment.refunded_amount,
            "cancelledTaxFree": 0,
        },
        "currency": payment.currency,
        "customer": {"name": payment.buyer, "email": payment.email, "phoneNumber": payment.phone},
        "origin": {"platformType": "API", "ipAddress": "127.0.0.1"},
        "pgTxId": payment.payment_ref,
    }
    if deposits:
        found |= {"paidAt": rfc3339(deposits[-1].at), "disputes": [], "receiptUrl": "https://example.com/receipt"}
    if status in {"CANCELLED", "PARTIAL_CANCELLED"}:
        found |= {"cancellations": cancellations(payment), "cancelledAt": rfc3339(changed_at)}
    elif deposits and cancellations(payment):
        found |= {"cancellations": cancellations(payment)}
    return found


def cancellations(payment: Payment) -> list[dict[str, Any]]:
    """The refunds, those that wait or were not done included, oldest first."""
    return [_cancellation(one) for one in payment.movements if one.kind in _CANCELLATIONS]


def _cancellation(refund: Movement) -> dict[str, Any]:
    done = {"pgCancellationId": refund.reference[:20], "cancelledAt": rfc3339(refund.at)}
    return {
        "status": _CANCELLATIONS[refund.kind],
        "id": refund.reference,
        "totalAmount": refund.amount,
        "taxFreeAmount": 0,
        "vatAmount": round(refund.amount / 11),
        "reason": refund.name,
        "requestedAt": rfc3339(refund.at),
        "trigger": "API",
        **(done if refund.kind == REFUND else {}),
    }


def rfc3339(moment: float) -> str:
    """The moment in UTC with milliseconds and a Z."""
    return utc(moment).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _account(payment: Payment, now: float) -> dict[str, Any]:
    refund = payment.refund_state(now)
    if refund == "FAILED" and payment.is_part_failed:
        refund = "PARTIAL_REFUND_FAILED"
    deposits = payment.standing_deposits
    return {
        "type": "PaymentMethodVirtualAccount",
        "bank": payment.bank,
        "accountNumber": payment.account_number,
        "accountType": "NORMAL",
        "remitteeName": payment.holder,
        **({"remitterName": deposits[-1].name} if deposits else {}),
        "expiredAt": rfc3339(payment.due_at),
        "issuedAt": rfc3339(payment.created_at),
        **({"refundStatus": refund} if refund != "NONE" else {}),
    }


def _card() -> dict[str, Any]:
    card = {"publisher": "SHINHAN_CARD", "brand": "LOCAL", "type": "CREDIT", "ownerType": "PERSONAL"}
    return {"type": "PaymentMethodCard", "card": {**card, "bin": "123456", "number": "123456******1234"}}
