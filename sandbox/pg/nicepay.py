"""NICEPAY's REST interface (payments.md 2.4): signed notices, payments by tid and order id, cancel and refund.

Accounts are opened by the control API: the real ones come out of the buyer's payment window.
"""

import base64
import hashlib
import itertools
import json
import random
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sandbox.pg.bank import Bank, BankRefusal, digits
from sandbox.pg.dialect import Call, Dialect, Envelope, Reply
from sandbox.pg.model import CARD, CLOSED, DEPOSITED, ISSUED, REFUND, REFUNDED, Event, Payment, Shop, kst

_STATUS = {"WAITING": "ready", "PAID": "paid", "CANCELED": "cancelled", "EXPIRED": "expired"}
_MESSAGES = {
    "0000": "정상 처리되었습니다.",
    "2001": "취소 성공",
    "2211": "환불 성공",
    "2003": "환불계좌 정보가 필요합니다.",
    "2013": "취소 완료 거래",
    "2016": "취소 기한 초과",
    "2026": "입금액보다 취소금액이 큽니다.",
    "2032": "취소금액이 취소가능금액보다 큼",
    "U100": "필수입력항목이 누락되었습니다.",
    "U104": "사용자 인증에 실패하였습니다.",
    "U105": "필드 최대길이 초과",
    "U107": "거래내역이 존재 하지 않습니다.",
    "U111": "조회내용이 없습니다.",
    "U112": "이미 사용된 OrderId 입니다.",
    "U125": "잘못된 요청 입니다.",
    "U127": "요청 금액이 올바르지 않습니다.",
    "U128": "부분취소는 운영 환경에서 이용 가능(샌드박스는 부분취소 불가)",
    "U312": "SIGN DATA 검증에 실패하였습니다.",
}
_HTTP = {"U104": 401, "U107": 404}
_ACCOUNT = re.compile(r"[0-9]{1,16}")
_TOLD = frozenset({ISSUED, DEPOSITED, CLOSED, REFUNDED})
"""Expiry and what the bank takes back are not told (N-hook)."""
_SERIAL = itertools.count(random.randrange(36**4))
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class NiceFailure(Exception):
    """An error of the API, by its code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Nicepay(Dialect):
    """나이스페이."""

    name, label = "nicepay", "나이스페이"
    source_ip = "121.133.126.86"
    retry_minutes: tuple[float, ...] = ()
    is_exact_amount = True
    banks: Mapping[str, str] = {
        "004": "국민은행",
        "088": "신한은행",
        "020": "우리은행",
        "011": "농협중앙회",
        "003": "기업은행",
    }
    demo = Shop(
        "nicepay", "OMSTEST00m", ["omsfixturenicesecret000000000001"], options={"client_key": "S2_omsfixtureclient01"}
    )

    def complete(self, payment: Payment, shop: Shop) -> None:
        """tid and account as NICEPAY forms them."""
        payment.payment_ref = new_tid(shop.merchant_id, payment.method, payment.created_at)
        if payment.method != CARD:
            payment.account_number = digits(14)
            payment.holder = "나이스"

    def new_reference(self, payment: Payment) -> str:
        """tid of a cancel."""
        return new_tid(payment.merchant_id, payment.method, payment.created_at)

    def handle(self, call: Call, bank: Bank) -> Reply:
        """Route by the real paths."""
        try:
            shop = self._shop(call, bank)
            parts = call.path.strip("/").split("/")
            if parts[:2] != ["v1", "payments"]:
                return reply(404, {"resultCode": "U107", "resultMsg": _MESSAGES["U107"]})
            if call.method == "GET" and parts[2:3] == ["find"] and len(parts) == 4:
                return self._find(parts[3], call.query.get("orderDate", ""), shop, bank)
            if call.method == "GET" and len(parts) == 3:
                return reply(200, document(self._payment(parts[2], shop, bank), shop, bank.now()))
            if call.method == "POST" and parts[3:] == ["cancel"]:
                with bank.books.writing():
                    return self._cancel(self._payment(parts[2], shop, bank), _values(call.body), shop, bank)
            raise NiceFailure("U125")
        except NiceFailure as failure:
            return reply(
                _HTTP.get(failure.code, 200), {"resultCode": failure.code, "resultMsg": _MESSAGES[failure.code]}
            )

    def _shop(self, call: Call, bank: Bank) -> Shop:
        given = call.headers.get("authorization", "").encode()
        for shop in bank.books.shops(self.name):
            for secret in shop.secrets:
                right = base64.b64encode(f"{shop.options.get('client_key', '')}:{secret}".encode())
                if given == b"Basic " + right:
                    return shop
        raise NiceFailure("U104")

    def _payment(self, tid: str, shop: Shop, bank: Bank) -> Payment:
        payment = bank.books.by_ref(self.name, tid, shop.merchant_id)
        if payment is None:
            raise NiceFailure("U107")
        return payment

    def _find(self, order_id: str, order_date: str, shop: Shop, bank: Bank) -> Reply:
        payment = bank.books.by_order(self.name, order_id, shop.merchant_id)
        if not re.fullmatch(r"[0-9]{8}", order_date):
            raise NiceFailure("U100")
        if payment is None or kst(payment.created_at).strftime("%Y%m%d") != order_date:
            raise NiceFailure("U111")
        return reply(200, document(payment, shop, bank.now()))

    def _cancel(self, payment: Payment, values: Mapping[str, Any], shop: Shop, bank: Bank) -> Reply:
        reason, order_id, amount = values.get("reason"), values.get("orderId"), values.get("cancelAmt")
        if not isinstance(reason, str) or not reason or not isinstance(order_id, str) or not order_id:
            raise NiceFailure("U100")
        if len(reason.encode("cp949", "replace")) > 100 or len(order_id) > 64:
            raise NiceFailure("U105")
        if amount is not None and (not isinstance(amount, int) or isinstance(amount, bool) or amount < 1):
            raise NiceFailure("U127")
        self._check_signature(payment, values, shop)
        used = f"{self.name} cancel {shop.merchant_id} {order_id}"
        if amount is not None and bank.books.recall(used):
            raise NiceFailure("U112")
        code, reference = self._move(payment, reason, amount, values, shop, bank)
        bank.books.remember(used, payment.payment_ref)
        changed = bank.books.payment(payment.id) or payment
        answer = document(changed, shop, bank.now())
        return reply(200, answer | {"resultCode": code, "resultMsg": _MESSAGES[code], "cancelledTid": reference})

    def _check_signature(self, payment: Payment, values: Mapping[str, Any], shop: Shop) -> None:
        if "signData" not in values:
            return
        texts = [f"{payment.payment_ref}{values.get('ediDate', '')}{secret}" for secret in shop.secrets]
        if values["signData"] not in [hashlib.sha256(text.encode()).hexdigest() for text in texts]:
            raise NiceFailure("U312")

    def _move(
        self, payment: Payment, reason: str, amount: int | None, values: Mapping[str, Any], shop: Shop, bank: Bank
    ) -> tuple[str, str]:
        """Close, refund or cancel; the code of success and the tid of it."""
        if payment.state == "CANCELED":
            raise NiceFailure("2013")
        if payment.state == "EXPIRED" and not payment.standing_deposits:
            raise NiceFailure("2016")
        if not payment.standing_deposits:
            bank.close(payment.id)
            return "2001", payment.payment_ref
        wanted = payment.balance if amount is None else amount
        if wanted > payment.balance:
            raise NiceFailure("2026" if wanted > payment.paid_amount else "2032")
        if wanted < payment.paid_amount and shop.options.get("no_part_cancel"):
            raise NiceFailure("U128")
        account = None if payment.method == CARD else _refund_account(values)
        try:
            movement = bank.refund(payment.id, amount=wanted, reason=reason, account=account)
        except BankRefusal:
            raise NiceFailure("2032") from None
        return ("2211" if account else "2001"), movement.reference

    def notices(self, event: Event, payment: Payment, shop: Shop, now: float) -> list[Envelope]:
        """One JSON notice of what the payment is now."""
        if event.kind not in _TOLD:
            return []
        body = document(payment, shop, event.at)
        if event.kind == REFUNDED and event.movement:
            body["cancelledTid"] = event.movement.reference
        return [Envelope(body["status"], to_bytes(body), "application/json;charset=utf-8")]

    def is_acknowledged(self, status: int, content_type: str, body: bytes) -> bool:
        """200, text/html and the letters OK somewhere (N-hook)."""
        return status == 200 and content_type.lower().startswith("text/html") and b"OK" in body

    def forged(self, envelope: Envelope, shop: Shop) -> Envelope:
        """Signed by somebody who does not know the key."""
        values = json.loads(envelope.body)
        values["signature"] = hashlib.sha256(f"{values['tid']}{values['amount']}forger".encode()).hexdigest()
        return replace(envelope, body=to_bytes(values))


def new_tid(merchant_id: str, method: str, at: float) -> str:
    """MID, method (01 card, 03 account), medium, time, and four signs that do not come back soon (N-old)."""
    number, signs = next(_SERIAL) % 36**4, ""
    for _ in range(4):
        number, digit = divmod(number, 36)
        signs = _ALPHABET[digit] + signs
    kind = "01" if method == CARD else "03"
    return f"{merchant_id[:10]}{kind}01{kst(at).strftime('%y%m%d%H%M%S')}{signs}"


def document(payment: Payment, shop: Shop, now: float) -> dict[str, Any]:
    """The payment as NICEPAY shows it, signed; the sum is what came in, once something came in."""
    refunds, deposits = payment.of_kind(REFUND), payment.standing_deposits
    amount = payment.paid_amount or payment.amount
    status = _status(payment)
    edi_date, tid = iso(now), payment.payment_ref
    secret = shop.secrets[0] if shop.secrets else ""
    ended = refunds[-1].at if refunds else payment.closed_at
    return {
        "resultCode": "0000",
        "resultMsg": _MESSAGES["0000"],
        "tid": tid,
        "cancelledTid": refunds[-1].reference if refunds else None,
        "orderId": payment.order_ref,
        "ediDate": edi_date,
        "signature": hashlib.sha256(f"{tid}{amount}{edi_date}{secret}".encode()).hexdigest(),
        "status": status,
        "paidAt": iso(deposits[0].at) if deposits else "0",
        "failedAt": "0",
        "cancelledAt": iso(ended) if status in {"cancelled", "partialCancelled"} else "0",
        "payMethod": "card" if payment.method == CARD else "vbank",
        "amount": amount,
        "balanceAmt": 0 if status == "cancelled" else payment.balance if deposits else amount,
        "goodsName": payment.title,
        "mallReserved": None,
        "useEscrow": False,
        "currency": payment.currency,
        "channel": "pc",
        "approveNo": None,
        "buyerName": payment.buyer,
        "buyerTel": payment.phone,
        "buyerEmail": payment.email,
        "issuedCashReceipt": bool(deposits and payment.options.get("cash_receipt")),
        "receiptUrl": "https://npg.nicepay.co.kr/issue/",
        "mallUserId": None,
        "vbank": _vbank(payment),
        "cancels": [_cancel_of(refund) for refund in refunds] or None,
        "cashReceipts": _receipts(payment, amount) if deposits else None,
    }


def _status(payment: Payment) -> str:
    if payment.of_kind(REFUND):
        return "partialCancelled" if payment.balance else "cancelled"
    return "paid" if payment.standing_deposits else _STATUS[payment.state]


def _vbank(payment: Payment) -> dict[str, str] | None:
    if payment.method == CARD:
        return None
    return {
        "vbankCode": payment.bank,
        "vbankName": Nicepay.banks.get(payment.bank, "은행"),
        "vbankNumber": payment.account_number,
        "vbankExpDate": iso(payment.due_at),
        "vbankHolder": payment.holder,
    }


def _cancel_of(refund: Any) -> dict[str, Any]:
    return {
        "tid": refund.reference,
        "amount": refund.amount,
        "cancelledAt": iso(refund.at),
        "reason": refund.name,
        "receiptUrl": "https://npg.nicepay.co.kr/issue/",
        "couponAmt": 0,
    }


def _receipts(payment: Payment, amount: int) -> list[dict[str, Any]] | None:
    wanted = payment.options.get("cash_receipt")
    if not isinstance(wanted, dict):
        return None
    return [
        {
            "receiptTid": f"{payment.payment_ref[:10]}04{payment.payment_ref[12:]}",
            "orgTid": payment.payment_ref,
            "status": "issued",
            "amount": amount,
            "taxFreeAmt": 0,
            "receiptType": "company" if wanted.get("type") in {"지출증빙", "company", "expense"} else "individual",
            "issueNo": "123456789",
            "receiptUrl": "https://npg.nicepay.co.kr/issue/",
        }
    ]


def _refund_account(values: Mapping[str, Any]) -> dict[str, str]:
    number, bank, holder = values.get("refundAccount"), values.get("refundBankCode"), values.get("refundHolder")
    if not number or not bank or not holder:
        raise NiceFailure("2003")
    if not _ACCOUNT.fullmatch(str(number)) or len(str(holder).encode("cp949", "replace")) > 10:
        raise NiceFailure("U105")
    return {"bank": str(bank), "number": str(number), "holder": str(holder)}


def _values(body: bytes) -> dict[str, Any]:
    try:
        values = json.loads(body)
    except (ValueError, RecursionError):
        raise NiceFailure("U125") from None
    if not isinstance(values, dict):
        raise NiceFailure("U125")
    return values


def iso(moment: float) -> str:
    """2026-11-21T11:59:57.000+0900."""
    return kst(moment).isoformat(timespec="milliseconds").replace("+09:00", "+0900")


def to_bytes(values: Mapping[str, Any]) -> bytes:
    """JSON as NICEPAY writes it."""
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def reply(status: int, values: Mapping[str, Any]) -> Reply:
    """An answer in JSON."""
    return Reply(status, to_bytes(values))
