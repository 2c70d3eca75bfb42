"""PortOne V2 (payments.md 2.2): instant virtual accounts, payments, cancel, close, resend; Standard Webhooks."""

import base64
import hashlib
import hmac
import json
import random
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sandbox.pg.bank import Bank, BankRefusal, digits
from sandbox.pg.dialect import Call, Dialect, Envelope, Reply
from sandbox.pg.model import (
    CARD,
    CLOSED,
    DEPOSITED,
    ISSUED,
    REFUNDED,
    Event,
    Payment,
    Shop,
)
from sandbox.pg.portone_payment import STATUS, cancellations, document, rfc3339

_TYPES = {ISSUED: "VirtualAccountIssued", DEPOSITED: "Paid", CLOSED: "Cancelled"}
_MESSAGES = {
    "UNAUTHORIZED": (401, "인증 정보가 올바르지 않습니다."),
    "FORBIDDEN": (403, "요청이 거절되었습니다."),
    "INVALID_REQUEST": (400, "요청된 입력 정보가 유효하지 않습니다."),
    "NOT_FOUND": (404, "없는 주소입니다."),
    "PAYMENT_NOT_FOUND": (404, "결제 건이 존재하지 않습니다."),
    "CHANNEL_NOT_FOUND": (404, "요청된 채널이 존재하지 않습니다."),
    "WEBHOOK_NOT_FOUND": (404, "웹훅 내역이 존재하지 않습니다."),
    "ALREADY_PAID": (409, "결제가 이미 완료되었습니다."),
    "PAYMENT_NOT_PAID": (409, "결제가 완료되지 않았습니다."),
    "PAYMENT_ALREADY_CANCELLED": (409, "결제가 이미 취소되었습니다."),
    "PAYMENT_NOT_WAITING_FOR_DEPOSIT": (409, "결제 건이 입금 대기 상태가 아닙니다."),
    "CANCEL_AMOUNT_EXCEEDS_CANCELLABLE_AMOUNT": (409, "결제 취소 금액이 취소 가능 금액을 초과했습니다."),
    "CANCELLABLE_AMOUNT_CONSISTENCY_BROKEN": (409, "취소 가능 잔액 검증에 실패했습니다."),
    "PG_PROVIDER": (502, "PG사에서 오류를 전달했습니다."),
}


class PortOneFailure(Exception):
    """An error of the API."""

    def __init__(self, code: str, **more: Any) -> None:
        super().__init__(code)
        self.code, self.more = code, more


class PortOne(Dialect):
    """포트원 V2."""

    name, label = "portone", "포트원 V2"
    source_ip = "52.78.5.241"
    retry_minutes = (1, 4, 16, 64, 256)
    answer_seconds = 30.0
    is_exact_amount = True
    has_requests = True
    banks: Mapping[str, str] = {
        "KOOKMIN": "국민은행",
        "SHINHAN": "신한은행",
        "WOORI": "우리은행",
        "IBK": "기업은행",
        "NONGHYUP": "농협은행",
        "STANDARD_CHARTERED": "SC제일은행",
    }
    demo = Shop(
        "portone",
        "store-00000000-0000-4000-8000-000000000001",
        ["OMSfixturePortOneApiSecret000000000000000000000001"],
        options={
            "webhook_secrets": ["whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="],
            "channel_key": "channel-key-00000000-0000-4000-8000-000000000001",
        },
    )

    def wait_minutes(self, attempts: int) -> float | None:
        """Full jitter: anything up to the documented wait (P-blog)."""
        wait = super().wait_minutes(attempts)
        return None if wait is None else wait * random.random()

    def complete(self, payment: Payment, shop: Shop) -> None:
        """The transaction id, and an account of the PG behind."""
        payment.payment_ref = str(uuid.uuid4())
        if payment.method != CARD:
            payment.account_number, payment.holder = digits(14), payment.holder or "포트원"

    def new_reference(self, payment: Payment) -> str:
        """Ids of cancellations are UUIDs."""
        return str(uuid.uuid4())

    def handle(self, call: Call, bank: Bank) -> Reply:
        """Route by the real paths."""
        routes: Mapping[tuple[str, str], Callable[[str, Mapping[str, Any], Shop, Bank], Any]] = {
            ("GET", ""): self._show,
            ("POST", "instant"): self._issue,
            ("POST", "cancel"): self._cancel,
            ("POST", "virtual-account/close"): self._close,
            ("POST", "resend-webhook"): self._resend,
        }
        try:
            values = _values(call)
            shop = _shop(call, values, bank)
            prefix, _, rest = call.path.lstrip("/").partition("/")
            payment_id, _, act = rest.partition("/")
            route = routes.get((call.method, act))
            if prefix != "payments" or not payment_id or route is None:
                raise PortOneFailure("NOT_FOUND")
            with bank.books.writing():
                return _json(200, route(payment_id, values, shop, bank))
        except PortOneFailure as failure:
            status, message = _MESSAGES[failure.code]
            return _json(status, {"type": failure.code, "message": message, **failure.more})

    def _show(self, payment_id: str, values: Mapping[str, Any], shop: Shop, bank: Bank) -> Any:
        return document(_found(payment_id, shop, bank), shop, bank.now())

    def _issue(self, payment_id: str, values: Mapping[str, Any], shop: Shop, bank: Bank) -> Any:
        asked = _object(_object(values, "method"), "virtualAccount")
        total = _object(values, "amount").get("total")
        if values.get("channelKey") != shop.options.get("channel_key"):
            raise PortOneFailure("CHANNEL_NOT_FOUND")
        if not _is_won(total) or not values.get("orderName") or values.get("currency") != "KRW":
            raise PortOneFailure("INVALID_REQUEST")
        if asked.get("bank") not in self.banks or _object(asked, "option").get("type") not in {"NORMAL", "FIXED"}:
            raise PortOneFailure("INVALID_REQUEST")
        customer, urls = _object(values, "customer"), values.get("noticeUrls") or [""]
        try:
            payment = bank.open(
                shop,
                order_ref=payment_id,
                amount=int(total),
                title=str(values["orderName"]),
                buyer=str(_object(customer, "name").get("full", "")),
                phone=str(customer.get("phoneNumber", "")),
                email=str(customer.get("email", "")),
                bank=str(asked["bank"]),
                holder=str(asked.get("remitteeName") or ""),
                due_at=_due(_object(asked, "expiry"), bank.now()),
                notice_url=str(urls[0]),
            )
        except BankRefusal:
            raise PortOneFailure("ALREADY_PAID") from None
        return {"payment": {"pgTxId": payment.payment_ref, "paidAt": rfc3339(payment.created_at)}}

    def _cancel(self, payment_id: str, values: Mapping[str, Any], shop: Shop, bank: Bank) -> Any:
        payment = _found(payment_id, shop, bank)
        amount, believed = values.get("amount", payment.cancellable), values.get("currentCancellableAmount")
        if not isinstance(values.get("reason"), str) or not _is_won(amount or 1):
            raise PortOneFailure("INVALID_REQUEST")
        if payment.state == "CANCELED":
            raise PortOneFailure("PAYMENT_ALREADY_CANCELLED")
        if not payment.standing_deposits:
            raise PortOneFailure("PAYMENT_NOT_PAID")
        if believed is not None and believed != payment.cancellable:
            raise PortOneFailure("CANCELLABLE_AMOUNT_CONSISTENCY_BROKEN")
        account = None if payment.method == CARD else self._refund_account(values)
        try:
            refund = bank.refund(
                payment.id,
                amount=amount,
                reason=values["reason"],
                account=account,
                announce=not values.get("skipWebhook"),
            )
        except BankRefusal:
            raise PortOneFailure("CANCEL_AMOUNT_EXCEEDS_CANCELLABLE_AMOUNT") from None
        payment = _found(payment_id, shop, bank)
        return {"cancellation": next(one for one in cancellations(payment) if one["id"] == refund.reference)}

    def _refund_account(self, values: Mapping[str, Any]) -> dict[str, str]:
        given = _object(values, "refundAccount")
        if not given:
            raise PortOneFailure("PG_PROVIDER", pgCode="8221", pgMessage="환불계좌 정보가 없습니다.")
        bank, number, holder = (str(given.get(name, "")) for name in ("bank", "number", "holderName"))
        if bank not in self.banks or not number.isdigit() or not holder:
            raise PortOneFailure("INVALID_REQUEST")
        return {"bank": bank, "number": number, "holder": holder}

    def _close(self, payment_id: str, values: Mapping[str, Any], shop: Shop, bank: Bank) -> Any:
        payment = _found(payment_id, shop, bank)
        try:
            closed = bank.close(payment.id)
        except BankRefusal:
            raise PortOneFailure("PAYMENT_NOT_WAITING_FOR_DEPOSIT") from None
        return {"closedAt": rfc3339(closed.closed_at)}

    def _resend(self, payment_id: str, values: Mapping[str, Any], shop: Shop, bank: Bank) -> Any:
        payment, wanted = _found(payment_id, shop, bank), values.get("webhookId")
        rows = bank.books.rows("SELECT id, headers, url FROM notice WHERE payment_id = ? ORDER BY id", payment.id)
        told = [(row, json.loads(row["headers"])["webhook-id"]) for row in rows]
        chosen = [item for item in told if wanted in (None, item[1])]
        if not chosen:
            raise PortOneFailure("WEBHOOK_NOT_FOUND")
        row, webhook_id = chosen[-1]
        bank.sender.resend(row["id"])
        webhook = {"id": webhook_id, "url": row["url"], "paymentStatus": STATUS[payment.state], "trigger": "MANUAL"}
        return {"webhook": {**webhook, "isAsync": False, "triggeredAt": rfc3339(bank.now())}}

    def notices(self, event: Event, payment: Payment, shop: Shop, now: float) -> list[Envelope]:
        """One event each; none of a deposit that the bank took back, none of an account whose time is over."""
        kind = _TYPES.get(event.kind, "")
        data = {"storeId": shop.merchant_id, "paymentId": payment.order_ref, "transactionId": payment.payment_ref}
        if event.kind == REFUNDED and event.movement:
            kind = "Cancelled" if payment.state == "CANCELED" else "PartialCancelled"
            data["cancellationId"] = event.movement.reference
        if not kind:
            return []
        body = {"type": f"Transaction.{kind}", "timestamp": rfc3339(event.at), "data": data}
        headers = {"webhook-id": f"wh_{uuid.uuid4().hex}"}
        return [Envelope(f"Transaction.{kind}", _bytes(body), "application/json; charset=utf-8", headers)]

    def stamped(self, envelope: Envelope, shop: Shop, *, at: float) -> Envelope:
        """Signed anew at every attempt, with every live secret; a forged or raw one keeps its own signature."""
        if "webhook-signature" in envelope.headers or "webhook-id" not in envelope.headers:
            return envelope
        return _signed(envelope, shop.options.get("webhook_secrets", []), at)

    def forged(self, envelope: Envelope, shop: Shop) -> Envelope:
        """Signed with a key of somebody else."""
        stranger = "whsec_" + base64.b64encode(b"somebody else's key, 32 bytes ok").decode()
        return _signed(envelope, [stranger], time.time())


def _signed(envelope: Envelope, secrets: list[str], at: float) -> Envelope:
    stamp = str(int(at))
    text = b".".join((envelope.headers["webhook-id"].encode(), stamp.encode(), envelope.body))
    items = [
        "v1," + base64.b64encode(hmac.new(_key(secret), text, hashlib.sha256).digest()).decode() for secret in secrets
    ]
    headers = {**envelope.headers, "webhook-timestamp": stamp, "webhook-signature": " ".join(items)}
    return replace(envelope, headers=headers)


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix("whsec_"))


def _shop(call: Call, values: Mapping[str, Any], bank: Bank) -> Shop:
    """The shop of the API secret; another store's id is forbidden."""
    kind, _, secret = call.headers.get("authorization", "").partition(" ")
    for shop in bank.books.shops("portone"):
        if kind == "PortOne" and secret in shop.secrets:
            store = values.get("storeId", call.query.get("storeId", shop.merchant_id))
            if store != shop.merchant_id:
                raise PortOneFailure("FORBIDDEN")
            return shop
    raise PortOneFailure("UNAUTHORIZED")


def _values(call: Call) -> Mapping[str, Any]:
    try:
        values = json.loads(call.body or b"{}")
    except (ValueError, RecursionError):
        raise PortOneFailure("INVALID_REQUEST") from None
    if not isinstance(values, dict):
        raise PortOneFailure("INVALID_REQUEST")
    return values


def _found(payment_id: str, shop: Shop, bank: Bank) -> Payment:
    payment = bank.books.by_order("portone", payment_id, shop.merchant_id)
    if payment is None:
        raise PortOneFailure("PAYMENT_NOT_FOUND")
    return payment


def _due(expiry: Mapping[str, Any], now: float) -> float:
    if "validHours" in expiry:
        return now + int(expiry["validHours"]) * 3600
    try:
        due = datetime.fromisoformat(str(expiry.get("dueDate", "")))
    except ValueError:
        raise PortOneFailure("INVALID_REQUEST") from None
    if due.timestamp() <= now:
        raise PortOneFailure("INVALID_REQUEST")
    return due.timestamp()


def _object(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = values.get(name)
    return value if isinstance(value, dict) else {}


def _is_won(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _json(status: int, values: Any) -> Reply:
    return Reply(status, _bytes(values))


def _bytes(values: Any) -> bytes:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()
