"""KG Inicis: fixtures F5 and F6 and what must not pass for them (payments.md 2.6, A17, A26 to A29, A40, A41, A47)."""

from dataclasses import replace

from payments.adapters.base import Account, Answer, Inbound, Kind, RefundState
from payments.adapters.inicis import INICIS
from payments.adapters.inicis_notice import proof_of
from tests.payments.pg.cases import Case, Deal, edited, posted
from tests.payments.pg.golden import F5 as PC_BODY
from tests.payments.pg.golden import F6 as MOBILE_BODY
from tests.payments.pg.golden import INICIS as PLAIN
from tests.payments.pg.golden import NOTICE_KEY, form_fields, form_written

TYPE = "application/x-www-form-urlencoded"
ACCOUNT = replace(PLAIN, options={**PLAIN.options, "notice_key": NOTICE_KEY})
PROOF = proof_of(NOTICE_KEY, merchant_id="OMSTESTMID", order_ref="20261121-0000125-1", amount=33000).encode()
F5 = posted(PC_BODY, content_type=TYPE, ip="203.238.37.15")
FORGED = b"OMS" + b"0" * 64
"""Formed like a P_NOTI of ours, made without the key."""
F6 = posted(MOBILE_BODY.replace(b"OMS1a2b3c4d", PROOF), content_type=TYPE, ip="118.129.210.25")
NAME = b"nm_input=%C8%AB%B1%E6%B5%BF"


def _amount(text: bytes) -> tuple[Inbound, Answer]:
    return edited(F5, b"amt_input=33000", b"amt_input=" + text), Answer.MALFORMED


CASE = Case(
    pg=INICIS,
    account=ACCOUNT,
    authentic=F5,
    expected={
        "kind": Kind.DEPOSITED,
        "order_ref": "20261121-0000125-1",
        "reference": "INIMX_RTR_OMSTESTMID20261121115957000001",
        "amount": 33000,
        "depositor": "홍길동",
        "event_key": "INIMX_RTR_OMSTESTMID20261121115957000001:0200:20261121115957:33000",
        "is_proven": True,
        "parked": "",
    },
    refused={
        "A17 other merchant": (edited(F5, b"=OMSTESTMID&", b"=OTHERSHOP0&"), Answer.UNAUTHORIZED),
        "A17 other merchant, mobile": (edited(F6, b"=OMSTESTMID&", b"=OTHERSHOP0&"), Answer.UNAUTHORIZED),
        "P_NOTI cut off": (edited(F6, PROOF, PROOF[:-1]), Answer.UNAUTHORIZED),
        "P_NOTI with something behind": (edited(F6, PROOF, PROOF + b"0"), Answer.UNAUTHORIZED),
        "both formats": (replace(F5, body=F5.body + b"&" + F6.body), Answer.MALFORMED),
        "neither format": (replace(F5, body=b"a=1&b=2"), Answer.MALFORMED),
        "A21 JSON": (replace(F5, body=b'{"no_tid":"x"}'), Answer.MALFORMED),
        "told twice": (replace(F5, body=F5.body + b"&amt%5Finput=1"), Answer.MALFORMED),
        "A29 many fields": (replace(F5, body=F5.body + b"".join(b"&x%d=" % n for n in range(5000))), Answer.MALFORMED),
        "empty": (replace(F5, body=b""), Answer.MALFORMED),
        "no order": (edited(F5, b"no_oid=20261121-0000125-1&", b""), Answer.MALFORMED),
        "long order": (edited(F5, b"no_oid=", b"no_oid=" + b"x" * 64), Answer.MALFORMED),
        "A40 comma": _amount(b"33,000"),
        "A40 plus": _amount(b"%2B33000"),
        "A40 blank": _amount(b"+33000"),
        "A40 low line": _amount(b"33_000"),
        "A40 empty": _amount(b""),
        "A41 zero": _amount(b"0"),
        "A41 minus": _amount(b"-33000"),
        "odd cheque": (edited(F5, b"amt_check=0", b"amt_check=x"), Answer.MALFORMED),
    },
    tolerated={
        "mobile": F6,
        "mobile with the P_NOTI of somebody else": edited(F6, PROOF, b"PROW1234"),
        "mobile with a P_NOTI of another sum": edited(F6, PROOF, FORGED),
        "A28 UTF-8": edited(F5, NAME, b"nm_input=%ED%99%8D%EA%B8%B8%EB%8F%99"),
        "raw bytes": edited(F5, NAME, b"nm_input=" + "홍길동".encode("cp949")),
        "neither charset": edited(F5, NAME, b"nm_input=%FF%FE"),
        "unknown field": replace(F5, body=F5.body + b"&no_new=1"),
        "A47 cheque": edited(F5, b"amt_check=0", b"amt_check=33000"),
        "leading zeros": edited(F5, b"amt_input=33000", b"amt_input=0000000033000"),
    },
    kinds={
        Kind.REVERSED: edited(F5, b"type_msg=0200", b"type_msg=0400"),
        Kind.OTHER: edited(F5, b"type_msg=0200", b"type_msg=9999"),
        Kind.ISSUED: edited(F6, b"P_STATUS=02", b"P_STATUS=00"),
        Kind.FAILED: edited(F6, b"P_STATUS=02", b"P_STATUS=01"),
    },
    ack=(200, "text/plain", b"OK"),
    failure=("text/plain", b"FAIL"),
    fields_of=form_fields,
    written=form_written,
)
DEAL = Deal(
    pg=INICIS,
    account=PLAIN,
    wrong_key=Account(merchant_id="OMSTESTMID", secrets=("WRONGWRONGWRONGW",), charset="cp949", options=PLAIN.options),
    bank="88",
    refund_path="*efund*",
    unknown_ref="StdpayVBNKOMSTESTMID20260101000000000000",
    depositor="",
    names_deposits=False,
    failed_states=frozenset({RefundState.NONE}),
)
