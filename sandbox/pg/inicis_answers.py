"""How INIAPI shows a payment, in both versions of its inquiry."""

from typing import Any

from sandbox.pg.model import CARD, REFUND, Payment, kst


def inquiry(payment: Payment, now: float, *, whole: str) -> dict[str, Any]:
    """Version 2: the state, the refunds of a part, dates of the rest."""
    deposits, refunds = payment.standing_deposits, payment.of_kind(REFUND)
    answer: dict[str, Any] = {
        "resultCode": "SUCCESS",
        "resultMsg": "조회 성공",
        "mid": payment.merchant_id,
        "tid": payment.payment_ref,
        "oid": payment.order_ref,
        "goodName": payment.title,
        "buyerName": payment.buyer,
        "price": str(payment.paid_amount or payment.amount),
        "transactionStatus": _status(payment, now),
        "approvedDate": kst(payment.created_at).strftime("%Y%m%d"),
        "approvedTime": kst(payment.created_at).strftime("%H%M%S"),
        "availablePartCancelPrice": str(payment.balance),
        "partCancelTransInfo": [
            {
                "tid": refund.reference,
                "requestDate": kst(refund.at).strftime("%Y%m%d"),
                "requestTime": kst(refund.at).strftime("%H%M%S"),
                "requestPrice": str(refund.amount),
            }
            for refund in refunds
            if not refund.reference.startswith(whole)
        ],
    }
    if payment.method == CARD:
        answer |= {"paymethod": "Card", "cardInfo": {"currencyCode": "WON"}}
    else:
        answer |= {"paymethod": "VBank", "vacctInfo": _account(payment, deposits[0].at if deposits else None)}
    ended = refunds[-1].at if refunds and not payment.balance else payment.closed_at
    if payment.state == "CANCELED":
        name = "refund" if payment.method != CARD and refunds else "cancel"
        answer |= {f"{name}Date": kst(ended).strftime("%Y%m%d"), f"{name}Time": kst(ended).strftime("%H%M%S")}
    return answer


def short_inquiry(payment: Payment | None, tid: str) -> dict[str, Any]:
    """Version 1: 0 approved, 1 cancelled, 9 unknown; accounts N waiting, Y paid, C cancelled before the deposit."""
    if payment is None:
        return {"resultCode": "00", "resultMsg": "정상처리되었습니다.", "tid": tid, "price": "0", "status": "9"}
    refunds = payment.of_kind(REFUND)
    if payment.method == CARD or (refunds and not payment.balance):
        status = "1" if payment.state == "CANCELED" else "0"
    elif payment.standing_deposits:
        status = "Y"
    else:
        status = "C" if payment.state == "CANCELED" else "N"
    return {
        "resultCode": "00",
        "resultMsg": "정상처리되었습니다.",
        "tid": payment.payment_ref,
        "price": str(payment.paid_amount or payment.amount),
        "status": status,
    }


def numeral(value: Any) -> int:
    """The number in a text of digits; -1 for anything else."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else -1


def _status(payment: Payment, now: float) -> str:
    refunds, is_card = payment.of_kind(REFUND), payment.method == CARD
    if refunds and payment.balance:
        return "PART_CANCEL"
    if refunds:
        if is_card:
            return "CANCEL"
        return "REFUND_COMPLETED" if payment.refund_state(now) == "COMPLETED" else "WAITING_FOR_REFUND"
    if payment.standing_deposits:
        return "APPROVAL" if is_card else "DEPOSIT_COMPLETED"
    # An account whose time is over is shown like one that waits.
    return "DEPOSIT_CANCELED" if payment.state == "CANCELED" else "NON_DEPOSIT"


def _account(payment: Payment, paid_at: float | None) -> dict[str, str]:
    due = kst(payment.due_at)
    moments = {} if paid_at is None else {"depositDate": kst(paid_at).strftime("%Y%m%d")}
    if paid_at is not None:
        moments["depositTime"] = kst(paid_at).strftime("%H%M%S")
    return {
        "accountNumber": payment.account_number[:-4] + "****",
        "bankCode": payment.bank,
        "validDate": due.strftime("%Y%m%d"),
        "validTime": due.strftime("%H%M%S"),
        **moments,
    }
