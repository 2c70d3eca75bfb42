"""NICEPAY, REST: fixture F3 and what must not pass for it (payments.md 2.4, A12 to A15, A30 to A46)."""

import hashlib
import json
from dataclasses import replace
from typing import Any

from payments.adapters.base import Account, Answer, Inbound, Kind, RefundState
from payments.adapters.nicepay import NICEPAY
from tests.payments.pg.cases import Case, Deal, bad_json, edited, json_fields, json_written, posted
from tests.payments.pg.golden import F3 as BODY
from tests.payments.pg.golden import NICE

F3 = posted(BODY, content_type="application/json;charset=utf-8", ip="121.133.126.86")


def _signed(**changes: Any) -> Inbound:
    """F3 with changes, signed anew."""
    values = {**json.loads(BODY), **changes}
    text = f"{values['tid']}{values['amount']}{values['ediDate']}{NICE.secrets[0]}"
    values["signature"] = hashlib.sha256(text.encode()).hexdigest()
    return replace(F3, body=json.dumps(values, ensure_ascii=False).encode())


def _with(**changes: Any) -> Inbound:
    """F3 with changes and its old signature."""
    return replace(F3, body=json.dumps({**json.loads(BODY), **changes}, ensure_ascii=False).encode())


CASE = Case(
    pg=NICEPAY,
    account=NICE,
    authentic=F3,
    expected={
        "kind": Kind.DEPOSITED,
        "order_ref": "20261121-0000122-1",
        "payment_ref": "OMSTEST00m03012611211159570001",
        "reference": "OMSTEST00m03012611211159570001",
        "amount": 33000,
        "currency": "KRW",
        "event_key": "OMSTEST00m03012611211159570001:paid::33000:2026-11-21T11:59:57.000+0900",
        "is_proven": True,
        "parked": "",
    },
    refused={
        "A12 wrong signature": (edited(F3, b"1ffe731e", b"1ffe731f"), Answer.UNAUTHORIZED),
        "A13 no signature": (_with(signature=None), Answer.UNAUTHORIZED),
        "A13 empty signature": (_with(signature=""), Answer.UNAUTHORIZED),
        "A14 changed amount": (_with(amount=3300), Answer.UNAUTHORIZED),
        "changed tid": (_with(tid="OMSTEST00m03012611211159570002"), Answer.UNAUTHORIZED),
        "changed time": (_with(ediDate="2026-11-21T11:59:58.000+0900"), Answer.UNAUTHORIZED),
        "signature as a number": (_with(signature=7), Answer.MALFORMED),
        "A39 fraction": (edited(F3, b'"amount":33000', b'"amount":33000.5'), Answer.MALFORMED),
        "A39 zero fraction": (edited(F3, b'"amount":33000', b'"amount":33000.0'), Answer.MALFORMED),
        "A39 exponent": (edited(F3, b'"amount":33000', b'"amount":3.3e4'), Answer.MALFORMED),
        "A42 true": (_with(amount=True), Answer.MALFORMED),
        "signed zero": (_signed(amount=0), Answer.MALFORMED),
        "signed minus": (_signed(amount=-33000), Answer.MALFORMED),
        "signed text": (_signed(amount="33,000"), Answer.MALFORMED),
        "no tid": (_with(tid=None), Answer.MALFORMED),
        "no order": (_with(orderId=""), Answer.MALFORMED),
        "no status": (_with(status=None), Answer.MALFORMED),
        "long order": (_with(orderId="x" * 65), Answer.MALFORMED),
        **{name: (request, Answer.MALFORMED) for name, request in bad_json(F3).items()},
    },
    tolerated={
        "unknown field": edited(F3, b'{"resultCode"', b'{"new":{"a":[1,2.5]},"resultCode"'),
        "A36 NUL": replace(F3, body=BODY.replace("홍길동".encode(), "홍\\u0000길동".encode())),
        "A37 lone surrogate": replace(F3, body=BODY.replace("면 ".encode(), b"\\ud83d ")),
        "signature in capitals": _with(signature=json.loads(BODY)["signature"].upper()),
        "odd times": _with(paidAt=0, failedAt=None),
        "A46 dollars": _with(currency="USD"),
    },
    kinds={
        Kind.ISSUED: _signed(status="ready", paidAt="0"),
        Kind.REFUNDED: _signed(status="cancelled", cancelledTid="OMSTEST00m03012611211230000001", balanceAmt=0),
        Kind.CANCELED_BEFORE_DEPOSIT: _signed(status="cancelled", paidAt=0),
        Kind.PART_REFUNDED: _signed(status="partialCancelled", balanceAmt=20000, cancelledTid="T2"),
        Kind.EXPIRED: _signed(status="expired", paidAt="0"),
        Kind.FAILED: _with(status="failed", signature=None, paidAt="0"),
        Kind.OTHER: _signed(status="somethingNew"),
    },
    ack=(200, "text/html;charset=utf-8", b"OK"),
    failure=("text/html;charset=utf-8", b"FAIL"),
    fields_of=json_fields,
    written=json_written,
)
DEAL = Deal(
    pg=NICEPAY,
    account=NICE,
    wrong_key=Account(merchant_id="OMSTEST00m", secrets=("wrong",), options=NICE.options),
    bank="004",
    unknown_ref="OMSTEST00m0301261121115957ZZZZ",
    depositor="",
    failed_states=frozenset({RefundState.NONE}),
)
