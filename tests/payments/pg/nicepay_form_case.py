"""NICEPAY's older form post: fixture F4 and what must not pass for it (payments.md 2.5, A27, A28, A40, A41)."""

from dataclasses import replace

from payments.adapters.base import Account, Answer, Inbound, Kind, RefundState
from payments.adapters.nicepay_form import NICEPAY_FORM
from tests.payments.pg.cases import Case, Deal, edited, posted
from tests.payments.pg.golden import F4 as BODY
from tests.payments.pg.golden import NICE_FORM, form_fields, form_written

TYPE = "application/x-www-form-urlencoded"
F4 = posted(BODY, content_type=TYPE, ip="121.133.126.10")
BUYER = b"%C8%AB%B1%E6%B5%BF"
REST = Account(
    merchant_id="OMSTEST01m",
    secrets=(),
    charset="cp949",
    options={"client_key": "S2_omsfixtureclient02", "rest_secret": "omsfixturenicesecret000000000002"},
)


def _amount(text: bytes) -> tuple[Inbound, Answer]:
    return edited(F4, b"&Amt=33000&", b"&Amt=" + text + b"&"), Answer.MALFORMED


CASE = Case(
    pg=NICEPAY_FORM,
    account=NICE_FORM,
    authentic=F4,
    expected={
        "kind": Kind.DEPOSITED,
        "order_ref": "20261121-0000126-1",
        "payment_ref": "OMSTEST00m03012611211159570002",
        "amount": 33000,
        "depositor": "홍길동",
        "event_key": "OMSTEST00m03012611211159570002:4110:261121115957",
        "is_proven": True,
    },
    refused={
        "other merchant": (edited(F4, b"MID=OMSTEST00m&", b"MID=OMSTEST99m&"), Answer.UNAUTHORIZED),
        "no merchant": (edited(F4, b"MID=OMSTEST00m&", b""), Answer.MALFORMED),
        "no order": (edited(F4, b"MOID=20261121-0000126-1&", b""), Answer.MALFORMED),
        "no tid": (edited(F4, b"&TID=OMSTEST00m03012611211159570002&", b"&"), Answer.MALFORMED),
        "told twice": (replace(F4, body=BODY + b"&Amt=33000"), Answer.MALFORMED),
        "A29 many fields": (replace(F4, body=BODY + b"".join(b"&x%d=" % n for n in range(5000))), Answer.MALFORMED),
        "empty": (replace(F4, body=b""), Answer.MALFORMED),
        "ampersands": (replace(F4, body=b"&" * 60_000), Answer.MALFORMED),
        "JSON": (replace(F4, body=b'{"MID":"OMSTEST00m"}'), Answer.MALFORMED),
        "A40 comma": _amount(b"33,000"),
        "A40 plus": _amount(b"%2B33000"),
        "A40 blank": _amount(b"+33000"),
        "A40 low line": _amount(b"33_000"),
        "A40 empty": _amount(b""),
        "A41 zero": _amount(b"0"),
        "A41 minus": _amount(b"-33000"),
        "wide digits": _amount("３３０００".encode("cp949")),
    },
    tolerated={
        "A28 UTF-8": replace(F4, body=BODY.replace(BUYER, b"%ED%99%8D%EA%B8%B8%EB%8F%99")),
        "raw bytes": replace(F4, body=BODY.replace(BUYER, "홍길동".encode("cp949"))),
        "neither charset": replace(F4, body=BODY.replace(BUYER, b"%FF%FE")),
        "unknown field": replace(F4, body=BODY + b"&MallReserved9=new"),
        "no value": replace(F4, body=BODY + b"&Bare"),
        "odd time": edited(F4, b"AuthDate=261121115957", b"AuthDate=yesterday"),
        "broken percent": replace(F4, body=BODY + b"&x=%ZZ%"),
    },
    kinds={
        Kind.ISSUED: edited(F4, b"ResultCode=4110", b"ResultCode=4100"),
        Kind.OTHER: edited(F4, b"ResultCode=4110", b"ResultCode=4117"),
    },
    ack=(200, "text/html;charset=utf-8", b"OK"),
    failure=("text/html;charset=utf-8", b"FAIL"),
    fields_of=form_fields,
    written=form_written,
)
DEAL = Deal(
    pg=NICEPAY_FORM,
    account=REST,
    wrong_key=replace(REST, options={**REST.options, "rest_secret": "wrong"}),
    bank="004",
    unknown_ref="OMSTEST01m0301261121115957ZZZZ",
    depositor="",
    failed_states=frozenset({RefundState.NONE}),
)
