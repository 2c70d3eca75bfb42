"""NICEPAY's older notices (payments.md 2.5): form posts in CP949, deposits only; calls as in the REST interface."""

from collections.abc import Mapping
from urllib.parse import quote_from_bytes

from sandbox.pg.dialect import Envelope
from sandbox.pg.model import CARD, DEPOSITED, Event, Payment, Shop, kst
from sandbox.pg.nicepay import Nicepay, new_tid

CONTENT_TYPE = "application/x-www-form-urlencoded"


class NicepayForm(Nicepay):
    """나이스페이 (구 연동)."""

    name, label = "nicepay-form", "나이스페이 (구 연동)"
    source_ip = "121.133.126.10"
    retry_minutes = (5.0,) * 10
    demo = Shop(
        "nicepay-form",
        "OMSTEST01m",
        ["omsfixturenicesecret000000000002"],
        options={"client_key": "S2_omsfixtureclient02"},
    )

    def notices(self, event: Event, payment: Payment, shop: Shop, now: float) -> list[Envelope]:
        """A form for each deposit."""
        if event.kind != DEPOSITED or payment.method == CARD or event.movement is None:
            return []
        receipt = payment.options.get("cash_receipt")
        kind = "0" if not isinstance(receipt, dict) else "2" if receipt.get("type") == "지출증빙" else "1"
        fields = {
            "PG": "NICE",
            "PayMethod": "VBANK",
            "MID": shop.merchant_id,
            "MallUserID": "",
            "Amt": str(event.movement.amount),
            "GoodsName": payment.title,
            "MOID": payment.order_ref,
            "TID": payment.payment_ref,
            "AuthDate": kst(event.at).strftime("%y%m%d%H%M%S"),
            "AuthCode": "",
            "FnCd": payment.bank,
            "FnName": self.banks.get(payment.bank, "은행"),
            "StateCd": "0",
            "name": payment.buyer,
            "BuyerEmail": payment.email,
            "BuyerAuthNum": "",
            "ReceitType": "",
            "RcptType": kind,
            "RcptTID": new_tid(shop.merchant_id, payment.method, event.at) if kind != "0" else "",
            "RcptAuthCode": "123456789" if kind != "0" else "",
            "VbankName": self.banks.get(payment.bank, "은행"),
            "VbankNum": payment.account_number,
            "VbankInputName": event.movement.name,
            "CartCnt": "1",
            "ResultCode": "4110",
            "ResultMsg": "승인",
            "NICE": "PG",
            "CancelMOID": "",
            "MallReserved": "",
        }
        return [Envelope("4110", form(fields), CONTENT_TYPE)]

    def forged(self, envelope: Envelope, shop: Shop) -> Envelope:
        """A deposit of somebody else's shop, told to this one."""
        body = envelope.body.replace(f"MID={shop.merchant_id}".encode(), b"MID=FORGED000m")
        return Envelope(envelope.kind, body, envelope.content_type, envelope.headers, envelope.url)


def form(fields: Mapping[str, str]) -> bytes:
    """Percent-encoded CP949; what it lacks becomes a question mark."""
    return "&".join(
        f"{name}={quote_from_bytes(value.encode('cp949', 'replace'), safe='')}" for name, value in fields.items()
    ).encode()
