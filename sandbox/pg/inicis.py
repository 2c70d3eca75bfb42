"""KG Inicis (payments.md 2.6): INIAPI in both versions, notices for PC and for mobile and PRO, forms in CP949.

A shop's `secrets` are INIAPI keys; its options: `iv`, `channel` (pc or mobile, a payment's option wins), `notice_key`
(the merchant's own key, from which the sandbox makes the P_NOTI that the merchant would have sent).
"""

import hashlib
import hmac
import itertools
import json
import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

from sandbox.pg.bank import Bank, BankRefusal, digits
from sandbox.pg.dialect import Call, Dialect, Envelope, Reply
from sandbox.pg.inicis_answers import inquiry, numeral, short_inquiry
from sandbox.pg.inicis_calls import (
    MESSAGES,
    InicisFailure,
    check_first,
    check_second,
    due_of,
    refund_account,
    shop_of,
    won,
)
from sandbox.pg.model import CARD, DEPOSITED, ISSUED, REVERSED, Event, Payment, Shop, kst
from sandbox.pg.nicepay_form import form

CONTENT_TYPE = "application/x-www-form-urlencoded"
WHOLE = "WHOLE-"
"""References of refunds of all that is left: Inicis gives them no tid."""
_LONGEST_WAIT = 10.0
_MOST_ATTEMPTS = 100
_SERIAL = itertools.count(random.randrange(10**6))


class Inicis(Dialect):
    """KG이니시스."""

    name, label = "inicis", "KG이니시스"
    source_ip = "203.238.37.15"
    retry_minutes = (1.0, 2.0, 5.0)
    is_exact_amount = True
    banks: Mapping[str, str] = {
        "88": "신한은행",
        "04": "국민은행",
        "20": "우리은행",
        "11": "농협은행",
        "03": "기업은행",
    }
    demo = Shop("inicis", "OMSTESTMID", ["OMSFIXTUREINIKEY"], options={"iv": "OMSFIXTUREINIV==", "channel": "pc"})

    def complete(self, payment: Payment, shop: Shop) -> None:
        """tid and account as Inicis forms them."""
        is_mobile = _channel(payment, shop) == "mobile"
        kind = "CARD" if payment.method == CARD else "VBNK"
        payment.payment_ref = _tid(("INIMX_" if is_mobile else "Stdpay") + kind, shop.merchant_id, payment.created_at)
        if payment.method != CARD:
            payment.account_number = digits(14)
            payment.holder = "이니시스"

    def new_reference(self, payment: Payment) -> str:
        """tid of a deposit or of the refund of a part."""
        last = payment.movements[-1].at if payment.movements else payment.created_at
        return _tid("INIMX_RTR_", payment.merchant_id, max(last, payment.created_at))

    def handle(self, call: Call, bank: Bank) -> Reply:
        """Route by the real paths."""
        acts = {
            "/v2/pg/inquiry": ("inquiry", self._inquire),
            "/v2/pg/refund": ("refund", self._refund),
            "/v2/pg/refund/vacct": ("refund", self._refund_account),
            "/v2/pg/partialRefund": ("partialRefund", self._part),
            "/v2/pg/partialRefund/vacct": ("partialRefund", self._part_account),
        }
        firsts = {
            "/api/v1/extra": self._first_extra,
            "/api/v1/refund": self._first_refund,
            "/api/v1/formpay": self._first_issue,
        }
        try:
            if call.method == "POST" and call.path in acts:
                kind, act = acts[call.path]
                values = _json(call.body)
                shop = shop_of(values.get("mid"), bank)
                data = check_second(values, shop, kind)
                with bank.books.writing():
                    return _reply(act(data, shop, bank))
            if call.method == "POST" and call.path in firsts:
                fields = dict(parse_qsl(call.body.decode("utf-8", "replace"), keep_blank_values=True))
                with bank.books.writing():
                    return _reply(firsts[call.path](fields, shop_of(fields.get("mid"), bank), bank))
        except InicisFailure as failure:
            return _reply({"resultCode": failure.code, "resultMsg": MESSAGES[failure.code]})
        # A wrong address is answered with a page, not with JSON (I-faq).
        return Reply(200, b"<html><body>INIAPI</body></html>", "text/html;charset=utf-8")

    # Version 2

    def _inquire(self, data: Mapping[str, Any], shop: Shop, bank: Bank) -> dict[str, Any]:
        books = bank.books
        if data.get("tid"):
            found = books.by_ref(self.name, str(data["tid"]), shop.merchant_id)
        else:
            found = books.by_order(self.name, str(data.get("oid", "")), shop.merchant_id)
        if found is None:
            raise InicisFailure("500604")
        return inquiry(found, bank.now(), whole=WHOLE)

    def _refund(self, data: Mapping[str, Any], shop: Shop, bank: Bank) -> dict[str, Any]:
        payment = self._payment(data.get("tid"), shop, bank)
        if payment.method != CARD and payment.standing_deposits:
            raise InicisFailure("500613")
        return self._whole(payment, str(data.get("msg", "")), None, bank)

    def _refund_account(self, data: Mapping[str, Any], shop: Shop, bank: Bank) -> dict[str, Any]:
        payment = self._payment(data.get("tid"), shop, bank)
        return self._whole(payment, str(data.get("msg", "")), refund_account(data, shop), bank)

    def _part(self, data: Mapping[str, Any], shop: Shop, bank: Bank) -> dict[str, Any]:
        payment = self._payment(data.get("tid"), shop, bank)
        if payment.method != CARD:
            raise InicisFailure("500613")
        return self._partly(payment, data, None, bank)

    def _part_account(self, data: Mapping[str, Any], shop: Shop, bank: Bank) -> dict[str, Any]:
        payment = self._payment(data.get("tid"), shop, bank)
        return self._partly(payment, data, refund_account(data, shop), bank)

    # Version 1

    def _first_extra(self, fields: Mapping[str, str], shop: Shop, bank: Bank) -> dict[str, Any]:
        check_first(fields, shop)
        tid, oid = fields.get("originalTid", ""), fields.get("oid", "")
        books = bank.books
        found = books.by_ref(self.name, tid, shop.merchant_id) or books.by_order(self.name, oid, shop.merchant_id)
        return short_inquiry(found, tid)

    def _first_refund(self, fields: Mapping[str, str], shop: Shop, bank: Bank) -> dict[str, Any]:
        is_part, method = fields.get("type") == "PartialRefund", fields.get("paymethod")
        sums = (fields.get("price", ""), fields.get("confirmPrice", "")) if is_part else ()
        secret = (fields.get("refundAcctNum", ""),) if method == "Vacct" else ()
        check_first(fields, shop, fields.get("tid", ""), *sums, *secret)
        payment = self._payment(fields.get("tid"), shop, bank)
        if method == "GVacct":
            return self._closed(payment, bank)
        account = refund_account(fields, shop) if method == "Vacct" else None
        if is_part:
            return self._partly(payment, fields, account, bank)
        return self._whole(payment, fields.get("msg", ""), account, bank)

    def _first_issue(self, fields: Mapping[str, str], shop: Shop, bank: Bank) -> dict[str, Any]:
        check_first(fields, shop, fields.get("moid", ""), fields.get("price", ""))
        if fields.get("paymethod") != "Vacct" or fields.get("bankCode") not in self.banks:
            raise InicisFailure("500601")
        try:
            payment = bank.open(
                shop,
                order_ref=fields.get("moid", ""),
                amount=won(fields.get("price")),
                title=fields.get("goodName", ""),
                buyer=fields.get("buyerName", ""),
                phone=fields.get("buyerTel", ""),
                email=fields.get("buyerEmail", ""),
                bank=fields["bankCode"],
                due_at=due_of(fields),
            )
        except BankRefusal:
            raise InicisFailure("500602") from None
        due = kst(payment.due_at)
        return {
            "resultCode": "00",
            "resultMsg": "정상처리되었습니다.",
            "tid": payment.payment_ref,
            "authDate": kst(payment.created_at).strftime("%Y%m%d"),
            "authTime": kst(payment.created_at).strftime("%H%M%S"),
            "vacct": payment.account_number,
            "vacctName": payment.holder,
            "vacctBankCode": payment.bank,
            "validDate": due.strftime("%Y%m%d"),
            "validTime": due.strftime("%H%M%S"),
            "price": str(payment.amount),
        }

    # Money

    def _payment(self, tid: Any, shop: Shop, bank: Bank) -> Payment:
        payment = bank.books.by_ref(self.name, str(tid or ""), shop.merchant_id)
        if payment is None:
            raise InicisFailure("500604")
        if payment.state == "CANCELED":
            raise InicisFailure("500626")
        return payment

    def _closed(self, payment: Payment, bank: Bank) -> dict[str, Any]:
        try:
            bank.close(payment.id)
        except BankRefusal:
            raise InicisFailure("500612") from None
        return {"resultCode": "00", "resultMsg": "정상처리되었습니다.", **_moments("cancel", bank.now())}

    def _whole(self, payment: Payment, reason: str, account: dict[str, str] | None, bank: Bank) -> dict[str, Any]:
        if payment.refunded_amount:
            raise InicisFailure("500611")
        if not payment.standing_deposits:
            raise InicisFailure("500612")
        reference = WHOLE + payment.payment_ref
        bank.refund(payment.id, amount=payment.balance, reason=reason, account=account, reference=reference)
        return {"resultCode": "00", "resultMsg": "정상처리되었습니다.", **_moments("cancel", bank.now())}

    def _partly(
        self, payment: Payment, data: Mapping[str, Any], account: dict[str, str] | None, bank: Bank
    ) -> dict[str, Any]:
        amount, left = won(data.get("price")), numeral(data.get("confirmPrice"))
        if not payment.standing_deposits:
            raise InicisFailure("500612")
        if amount > payment.balance or left != payment.balance - amount:
            raise InicisFailure("500610")
        movement = bank.refund(payment.id, amount=amount, reason=str(data.get("msg", "")), account=account)
        return {
            "resultCode": "00",
            "resultMsg": "정상처리되었습니다.",
            "tid": movement.reference,
            "prtcTid": payment.payment_ref,
            "prtcPrice": str(amount),
            "prtcRemains": str(left),
            **_moments("prtc", bank.now()),
        }

    # Notices

    def notices(self, event: Event, payment: Payment, shop: Shop, now: float) -> list[Envelope]:
        """PC: deposits and what the bank takes back. Mobile and PRO: issue (00), deposit (02), card (00)."""
        if _channel(payment, shop) == "mobile":
            return _mobile(event, payment, shop, self.banks)
        if event.movement is None or payment.method == CARD or event.kind not in {DEPOSITED, REVERSED}:
            return []
        fields = _pc_fields(event, payment, shop, self.banks)
        return [Envelope(f"pc {fields['type_msg']}", form(fields), CONTENT_TYPE)]

    def is_acknowledged(self, status: int, content_type: str, body: bytes) -> bool:
        """The two letters OK and nothing else."""
        return status == 200 and body == b"OK"

    def wait_minutes(self, attempts: int) -> float | None:
        """Again and again until OK; the interval is not published."""
        if attempts > _MOST_ATTEMPTS:
            return None
        return self.retry_minutes[attempts - 1] if attempts <= len(self.retry_minutes) else _LONGEST_WAIT

    def forged(self, envelope: Envelope, shop: Shop) -> Envelope:
        """A deposit with a P_NOTI of nobody's key (mobile), or for another shop (PC)."""
        body = envelope.body
        for name in (b"P_NOTI=", b"id_merchant="):
            start = body.find(name)
            if start >= 0:
                end = body.find(b"&", start)
                body = body[:start] + name + (b"OMS" + b"0" * 64 if name == b"P_NOTI=" else b"FORGEDMID0") + body[end:]
        return replace(envelope, body=body)


def _channel(payment: Payment, shop: Shop) -> str:
    return str(payment.options.get("channel") or shop.options.get("channel") or "pc")


def _pc_fields(event: Event, payment: Payment, shop: Shop, banks: Mapping[str, str]) -> dict[str, str]:
    at, movement = kst(event.at), event.movement
    assert movement is not None
    serial = f"{next(_SERIAL) % 10**6:06d}"
    return {
        "no_tid": movement.reference,
        "no_oid": payment.order_ref,
        "id_merchant": shop.merchant_id,
        "cd_bank": payment.bank.zfill(8),
        "cd_deal": payment.bank.zfill(8),
        "dt_trans": at.strftime("%Y%m%d"),
        "tm_trans": at.strftime("%H%M%S"),
        "no_msgseq": serial.zfill(10),
        "cd_joinorg": "20000050",
        "dt_transbase": at.strftime("%Y%m%d"),
        "no_transseq": serial,
        "type_msg": "0200" if event.kind == DEPOSITED else "0400",
        "cl_trans": "1100",
        "cl_close": "0",
        "cl_kor": "2",
        "no_msgmanage": at.strftime("%Y%m%d") + serial.zfill(10),
        "no_vacct": payment.account_number,
        "amt_input": str(movement.amount),
        "amt_check": str(payment.options.get("cheque", 0)),
        "nm_inputbank": banks.get(payment.bank, "은행"),
        "nm_input": movement.name,
        "dt_inputstd": at.strftime("%Y%m%d"),
        "dt_calculstd": at.strftime("%Y%m%d"),
        "flg_close": "0",
    }


def _mobile(event: Event, payment: Payment, shop: Shop, banks: Mapping[str, str]) -> list[Envelope]:
    is_card = payment.method == CARD
    statuses = {ISSUED: "00", DEPOSITED: "00" if is_card else "02"}
    if event.kind not in statuses:
        return []
    movement, status = event.movement, statuses[event.kind]
    amount = movement.amount if movement else payment.amount
    fields = {
        "P_STATUS": status,
        "P_TID": payment.payment_ref,
        "P_MID": shop.merchant_id,
        "P_OID": payment.order_ref,
        "P_TYPE": "CARD" if is_card else "VBANK",
        "P_AMT": str(amount),
        "P_AUTH_DT": kst(event.at).strftime("%Y%m%d%H%M%S"),
        "P_FN_CD1": payment.bank,
        "P_FN_CD2": "",
        "P_FN_NM": banks.get(payment.bank, "은행"),
        "P_UNAME": movement.name if movement and not is_card else payment.buyer,
        "P_RMESG1": "입금통보" if status == "02" else "성공적으로 처리 하였습니다.",
        "P_RMESG2": "",
        "P_NOTI": _noti(payment, shop),
        "P_AUTH_NO": "30001234" if is_card else "",
        "P_IN_TID": movement.reference if movement and not is_card else "",
    }
    return [Envelope(f"mobile {status}", form(fields), CONTENT_TYPE)]


def _noti(payment: Payment, shop: Shop) -> str:
    """What the merchant sent along when it asked for the payment: signed over the sum asked for."""
    key = shop.options.get("notice_key")
    if "noti" in payment.options or not key:
        return str(payment.options.get("noti", ""))
    text = f"{shop.merchant_id}|{payment.order_ref}|{payment.amount}"
    return "OMS" + hmac.new(str(key).encode(), text.encode(), hashlib.sha256).hexdigest()


def _tid(prefix: str, merchant_id: str, at: float) -> str:
    """Forty signs: what it is, MID, time, a running number."""
    return f"{prefix}{merchant_id[:10]}{kst(at).strftime('%Y%m%d%H%M%S')}{next(_SERIAL) % 10**6:06d}"


def _moments(name: str, at: float) -> dict[str, str]:
    return {f"{name}Date": kst(at).strftime("%Y%m%d"), f"{name}Time": kst(at).strftime("%H%M%S")}


def _json(body: bytes) -> dict[str, Any]:
    try:
        values = json.loads(body)
    except (ValueError, RecursionError):
        raise InicisFailure("500600") from None
    if not isinstance(values, dict):
        raise InicisFailure("500600")
    return values


def _reply(values: Mapping[str, Any]) -> Reply:
    return Reply(200, json.dumps(values, ensure_ascii=False).encode("utf-8", "replace"))
