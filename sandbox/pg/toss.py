"""Toss Payments (payments.md 2.1): virtual accounts, payments by key and order, cancel with Idempotency-Key."""

import base64
import hashlib
import json
import random
import re
import string
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sandbox.pg.bank import Bank, BankRefusal, digits
from sandbox.pg.dialect import Call, Dialect, Envelope, Reply
from sandbox.pg.model import (
    CARD,
    CLOSED,
    DEPOSITED,
    EXPIRED,
    ISSUED,
    REFUND,
    REFUNDED,
    REVERSED,
    Event,
    Payment,
    Shop,
    kst,
)

_STATUS = {
    "WAITING": "WAITING_FOR_DEPOSIT",
    "PAID": "DONE",
    "PART_REFUNDED": "PARTIAL_CANCELED",
    "CANCELED": "CANCELED",
    "EXPIRED": "EXPIRED",
}
_ORDER_ID = re.compile(r"[A-Za-z0-9_\-]{6,64}")
_ACCOUNT = re.compile(r"[0-9]{1,20}")
_KEY_LIFE = 15 * 86_400
_LONGEST_HOURS = 720
_MESSAGES = {
    "UNAUTHORIZED_KEY": (401, "인증되지 않은 시크릿 키 혹은 클라이언트 키 입니다."),
    "NOT_FOUND_PAYMENT": (404, "존재하지 않는 결제 입니다."),
    "NOT_FOUND": (404, "존재하지 않는 정보 입니다."),
    "INVALID_REQUEST": (400, "잘못된 요청입니다."),
    "INVALID_BANK": (400, "유효하지 않은 은행입니다."),
    "INVALID_DATE": (400, "날짜 데이터가 잘못 되었습니다."),
    "INVALID_IDEMPOTENCY_KEY": (400, "멱등키는 300자 이하여야 합니다."),
    "DUPLICATED_ORDER_ID": (400, "이미 승인 및 취소가 진행된 중복된 주문번호 입니다. 다른 주문번호로 진행해주세요."),
    "ALREADY_CANCELED_PAYMENT": (400, "이미 취소된 결제 입니다."),
    "INVALID_REFUND_ACCOUNT_INFO": (400, "환불 계좌번호와 예금주명이 일치하지 않습니다."),
    "NOT_CANCELABLE_AMOUNT": (403, "취소 할 수 없는 금액 입니다."),
    "NOT_CANCELABLE_PAYMENT": (403, "취소 할 수 없는 결제 입니다."),
}


class TossFailure(Exception):
    """An error of the API."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Toss(Dialect):
    """토스페이먼츠."""

    name, label = "toss", "토스페이먼츠"
    source_ip = "13.124.18.147"
    retry_minutes = (1, 4, 16, 64, 256, 1024, 4096)
    is_exact_amount = True
    banks: Mapping[str, str] = {
        "20": "우리은행",
        "06": "국민은행",
        "88": "신한은행",
        "11": "농협은행",
        "03": "기업은행",
    }
    demo = Shop("toss", "tvivarepublica", ["test_sk_OMSFIXTURE00000000000001"])

    def complete(self, payment: Payment, shop: Shop) -> None:
        """paymentKey, secret and account as Toss forms them."""
        letters = string.ascii_letters + string.digits
        day = kst(payment.created_at).strftime("%Y%m%d%H%M%S")
        payment.payment_ref = f"{shop.merchant_id[:4]}{day}{''.join(random.choices(letters, k=5))}"
        payment.secret = "ps_" + "".join(random.choices(letters, k=27))
        if payment.method != CARD:
            payment.account_number = "X" + digits(13) if payment.options.get("fixed") else digits(14)
            payment.holder = payment.buyer

    def handle(self, call: Call, bank: Bank) -> Reply:
        """Route by the real paths."""
        try:
            shop = _shop(call, bank)
            if call.method == "POST" and call.path == "/v1/virtual-accounts":
                return _remembered(call, shop, bank, lambda values: self._issue(values, shop, bank))
            parts = call.path.strip("/").split("/")
            if call.method == "GET" and parts[:3] == ["v1", "payments", "orders"] and len(parts) == 4:
                return _paid(bank.books.by_order(self.name, parts[3], shop.merchant_id), bank)
            if call.method == "GET" and parts[:2] == ["v1", "payments"] and len(parts) == 3:
                return _paid(bank.books.by_ref(self.name, parts[2], shop.merchant_id), bank)
            if call.method == "POST" and parts[:2] == ["v1", "payments"] and parts[3:] == ["cancel"]:
                return _remembered(call, shop, bank, lambda values: self._cancel(parts[2], values, shop, bank))
            raise TossFailure("NOT_FOUND")
        except TossFailure as failure:
            return _failure(failure.code)

    def _issue(self, values: Mapping[str, Any], shop: Shop, bank: Bank) -> Payment:
        order_id, amount = values.get("orderId"), values.get("amount")
        if not isinstance(order_id, str) or not _ORDER_ID.fullmatch(order_id) or not _is_won(amount):
            raise TossFailure("INVALID_REQUEST")
        if not values.get("orderName") or not values.get("customerName"):
            raise TossFailure("INVALID_REQUEST")
        if values.get("bank") not in self.banks and values.get("bank") not in self.banks.values():
            raise TossFailure("INVALID_BANK")
        receipt = values.get("cashReceipt")
        try:
            return bank.open(
                shop,
                order_ref=order_id,
                amount=int(amount or 0),
                title=str(values["orderName"]),
                buyer=str(values["customerName"]),
                bank=str(values["bank"]),
                due_at=_due(values, bank.now()),
                options={"cash_receipt": receipt} if isinstance(receipt, dict) else {},
            )
        except BankRefusal:
            raise TossFailure("DUPLICATED_ORDER_ID") from None

    def _cancel(self, key: str, values: Mapping[str, Any], shop: Shop, bank: Bank) -> Payment:
        payment = bank.books.by_ref(self.name, key, shop.merchant_id)
        if payment is None:
            raise TossFailure("NOT_FOUND_PAYMENT")
        reason, amount = values.get("cancelReason"), values.get("cancelAmount")
        if not isinstance(reason, str) or not 0 < len(reason) <= 200 or (amount is not None and not _is_won(amount)):
            raise TossFailure("INVALID_REQUEST")
        if payment.state == "CANCELED":
            raise TossFailure("ALREADY_CANCELED_PAYMENT")
        if payment.state == "EXPIRED":
            raise TossFailure("NOT_CANCELABLE_PAYMENT")
        if not payment.standing_deposits:
            return bank.close(payment.id)
        account = None if payment.method == CARD else _refund_account(values.get("refundReceiveAccount"))
        try:
            bank.refund(payment.id, amount=amount or payment.balance, reason=reason, account=account)
        except BankRefusal:
            raise TossFailure("NOT_CANCELABLE_AMOUNT") from None
        return bank.books.payment(payment.id) or payment

    def notices(self, event: Event, payment: Payment, shop: Shop, now: float) -> list[Envelope]:
        """DEPOSIT_CALLBACK for virtual accounts that move, and PAYMENT_STATUS_CHANGED besides (T-chat1)."""
        status = _STATUS[payment.state]
        found = []
        at = kst(event.at)
        if payment.method != CARD and event.kind in {DEPOSITED, REVERSED, CLOSED}:
            body = {
                "createdAt": at.strftime("%Y-%m-%dT%H:%M:%S.%f"),
                "secret": payment.secret,
                "status": status,
                "transactionKey": _last_key(payment),
                "orderId": payment.order_ref,
            }
            found.append(_envelope(f"DEPOSIT_CALLBACK {status}", body))
        if event.kind in {ISSUED, DEPOSITED, REVERSED, CLOSED, REFUNDED, EXPIRED}:
            changed = {
                "eventType": "PAYMENT_STATUS_CHANGED",
                "createdAt": at.strftime("%Y-%m-%dT%H:%M:%S.%f"),
                "data": document(payment, now),
            }
            found.append(_envelope(f"PAYMENT_STATUS_CHANGED {status}", changed))
        return found

    def forged(self, envelope: Envelope, shop: Shop) -> Envelope:
        """Somebody who does not know the secret of the payment."""
        values = json.loads(envelope.body)
        if "secret" in values:
            values["secret"] = "ps_" + "0" * 27
        return replace(envelope, body=_bytes(values))


def document(payment: Payment, now: float) -> dict[str, Any]:
    """The Payment object, API version 2022-11-16."""
    cancels = [
        _cancel_entry(refund.amount, refund.name, refund.at, refund.reference) for refund in payment.of_kind(REFUND)
    ]
    if payment.state == "CANCELED" and not payment.of_kind(REFUND):
        cancels = [_cancel_entry(payment.amount, "입금 전 취소", payment.closed_at, _last_key(payment))]
    deposits = payment.standing_deposits
    # Before a deposit the whole sum counts as balance; a payment that was closed has none.
    balance = payment.balance if deposits else 0 if payment.state in ("CANCELED", "EXPIRED") else payment.amount
    is_card = payment.method == CARD
    return {
        "mId": payment.merchant_id,
        "lastTransactionKey": _last_key(payment),
        "paymentKey": payment.payment_ref,
        "orderId": payment.order_ref,
        "orderName": payment.title,
        "taxExemptionAmount": 0,
        "status": _STATUS[payment.state],
        "requestedAt": kst(payment.created_at).isoformat(timespec="seconds"),
        "approvedAt": kst(deposits[-1].at).isoformat(timespec="seconds") if deposits else None,
        "useEscrow": False,
        "cultureExpense": False,
        "card": _card(payment) if is_card else None,
        "virtualAccount": None if is_card else _account(payment, now),
        "transfer": None,
        "mobilePhone": None,
        "giftCertificate": None,
        "cashReceipt": _receipt(payment),
        "cashReceipts": None,
        "discount": None,
        "cancels": cancels or None,
        "secret": payment.secret,
        "type": "NORMAL",
        "easyPay": None,
        "country": "KR",
        "failure": None,
        "isPartialCancelable": True,
        "receipt": {"url": "https://example.com/receipt"},
        "checkout": {"url": "https://example.com/checkout"},
        "currency": payment.currency,
        "totalAmount": payment.amount,
        "balanceAmount": balance,
        "suppliedAmount": balance - round(balance / 11),
        "vat": round(balance / 11),
        "taxFreeAmount": 0,
        "metadata": None,
        "method": "카드" if is_card else "가상계좌",
        "version": "2022-11-16",
    }


def _cancel_entry(amount: int, reason: str, at: float, key: str) -> dict[str, Any]:
    return {
        "cancelAmount": amount,
        "cancelReason": reason,
        "taxFreeAmount": 0,
        "taxExemptionAmount": 0,
        "refundableAmount": 0,
        "easyPayDiscountAmount": 0,
        "canceledAt": kst(at).isoformat(timespec="seconds"),
        "transactionKey": key,
        "receiptKey": None,
        "cancelStatus": "DONE",
        "cancelRequestId": None,
    }


def _account(payment: Payment, now: float) -> dict[str, Any]:
    refunds = [refund for refund in payment.of_kind(REFUND) if refund.account]
    account = refunds[-1].account if refunds else None
    state = payment.refund_state(now)
    if state == "FAILED" and payment.is_part_failed:
        state = "PARTIAL_FAILED"
    return {
        "accountNumber": payment.account_number,
        "accountType": "고정" if payment.options.get("fixed") else "일반",
        "bankCode": payment.bank,
        "customerName": payment.buyer,
        "depositorName": payment.standing_deposits[-1].name if payment.standing_deposits else "",
        "dueDate": kst(payment.due_at).strftime("%Y-%m-%dT%H:%M:%S"),
        "expired": payment.state == EXPIRED,
        "settlementStatus": "INCOMPLETED",
        # The Python package demands this old name of the field above.
        "settledAmount": 0,
        "refundStatus": state,
        "refundReceiveAccount": account
        and {"bankCode": account["bank"], "accountNumber": account["number"], "holderName": account["holder"]},
    }


def _card(payment: Payment) -> dict[str, Any]:
    return {
        "amount": payment.amount,
        "issuerCode": "61",
        "acquirerCode": "31",
        "number": "12345678****789*",
        "installmentPlanMonths": 0,
        "isInterestFree": False,
        "interestPayer": None,
        "approveNo": "00000000",
        "useCardPoint": False,
        "cardType": "신용",
        "ownerType": "개인",
        "acquireStatus": "READY",
    }


def _receipt(payment: Payment) -> dict[str, Any] | None:
    asked = payment.options.get("cash_receipt")
    if not asked or not payment.standing_deposits:
        return None
    return {
        "type": asked.get("type", "소득공제"),
        "receiptKey": hashlib.sha256(payment.payment_ref.encode()).hexdigest()[:32],
        "issueNumber": str(asked.get("registrationNumber", "")),
        "receiptUrl": "https://example.com/cash-receipt",
        "amount": payment.balance,
        "taxFreeAmount": 0,
    }


def _last_key(payment: Payment) -> str:
    """The key of the last transaction; that of the issue while no money moved."""
    if payment.movements:
        return payment.movements[-1].reference
    return hashlib.md5(payment.payment_ref.encode()).hexdigest().upper()


def _shop(call: Call, bank: Bank) -> Shop:
    kind, _, credentials = call.headers.get("authorization", "").partition(" ")
    try:
        user, colon, password = base64.b64decode(credentials, validate=True).decode().partition(":")
    except ValueError:
        user, colon, password = "", "", ""
    for shop in bank.books.shops("toss"):
        if kind.lower() == "basic" and colon and not password and user in shop.secrets:
            return shop
    raise TossFailure("UNAUTHORIZED_KEY")


def _remembered(call: Call, shop: Shop, bank: Bank, act: Any) -> Reply:
    """Do it once per Idempotency-Key, secret key, address and method, and say the same ever after (T-idem)."""
    key = call.headers.get("idempotency-key", "")
    if len(key) > 300:
        raise TossFailure("INVALID_IDEMPOTENCY_KEY")
    name = f"toss:{key}:{call.headers['authorization']}:{call.path}:{call.method}"
    with bank.books.writing():
        known = bank.books.recall(name) if key else None
        if known and known["at"] > bank.now() - _KEY_LIFE:
            return Reply(known["status"], known["body"].encode())
        try:
            values = json.loads(call.body or b"{}")
            if not isinstance(values, dict):
                raise TossFailure("INVALID_REQUEST")
            reply = Reply(200, _bytes(document(act(values), bank.now())))
        except TossFailure as failure:
            reply = _failure(failure.code)
        except (ValueError, RecursionError):
            reply = _failure("INVALID_REQUEST")
        if key:
            bank.books.remember(name, {"at": bank.now(), "status": reply.status, "body": reply.body.decode()})
    return reply


def _paid(payment: Payment | None, bank: Bank) -> Reply:
    if payment is None:
        raise TossFailure("NOT_FOUND_PAYMENT")
    return Reply(200, _bytes(document(payment, bank.now())))


def _failure(code: str) -> Reply:
    status, message = _MESSAGES[code]
    return Reply(status, _bytes({"code": code, "message": message, "data": None}))


def _due(values: Mapping[str, Any], now: float) -> float:
    if "dueDate" in values:
        try:
            moment = kst(now).fromisoformat(str(values["dueDate"]))
        except ValueError:
            raise TossFailure("INVALID_DATE") from None
        due = (moment if moment.tzinfo else moment.replace(tzinfo=kst(now).tzinfo)).timestamp()
    else:
        hours = values.get("validHours", 168)
        if isinstance(hours, bool) or not isinstance(hours, int) or hours < 1:
            raise TossFailure("INVALID_DATE")
        due = now + hours * 3600
    if not now < due <= now + _LONGEST_HOURS * 3600:
        raise TossFailure("INVALID_DATE")
    return due


def _refund_account(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise TossFailure("INVALID_REFUND_ACCOUNT_INFO")
    bank, number, holder = (str(value.get(name, "")) for name in ("bank", "accountNumber", "holderName"))
    if not bank or not _ACCOUNT.fullmatch(number) or not 0 < len(holder) <= 60:
        raise TossFailure("INVALID_REFUND_ACCOUNT_INFO")
    return {"bank": bank, "number": number, "holder": holder}


def _is_won(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _envelope(kind: str, values: Mapping[str, Any]) -> Envelope:
    return Envelope(kind, _bytes(values), "application/json")


def _bytes(values: Any) -> bytes:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()
