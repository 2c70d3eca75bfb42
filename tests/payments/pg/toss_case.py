"""Toss Payments: fixture F1, its secret, and what must not pass for it (payments.md 2.1, A09 to A11, A20, A34)."""

import json
from dataclasses import replace

from payments.adapters.base import Account, Answer, Kind
from payments.adapters.toss import TOSS
from tests.payments.pg.cases import Case, Deal, bad_json, edited, json_fields, json_written, posted

KEY = "test_sk_OMSFIXTURE00000000000001"
ORDER, SECRET = "20261121-0000123-1", "ps_OMSfixtureSecret0000000000"
F1 = posted(
    b'{"createdAt":"2026-11-21T11:59:57.103000","secret":"ps_OMSfixtureSecret0000000000","status":"DONE",'
    b'"transactionKey":"0F3E1B6C9A7D4E5F8A1B2C3D4E5F6A71","orderId":"20261121-0000123-1"}'
)
CHANGED = posted(
    b'{"eventType":"PAYMENT_STATUS_CHANGED","createdAt":"2026-11-21T11:59:57.203000","data":{"paymentKey":'
    b'"oms20261121115000AbCd1","orderId":"20261121-0000123-1","status":"DONE"}}'
)


def _without(name):
    return replace(
        F1, body=json.dumps({key: value for key, value in json.loads(F1.body).items() if key != name}).encode()
    )


def _status(status):
    return edited(F1, b'"DONE"', f'"{status}"'.encode())


CASE = Case(
    pg=TOSS,
    account=Account(merchant_id="tvivarepublica", secrets=(KEY,)),
    secrets={ORDER: SECRET},
    authentic=F1,
    expected={
        "kind": Kind.DEPOSITED,
        "order_ref": ORDER,
        "amount": None,
        "reference": "0F3E1B6C9A7D4E5F8A1B2C3D4E5F6A71",
        "event_key": f"DEP:{ORDER}:DONE:0F3E1B6C9A7D4E5F8A1B2C3D4E5F6A71:2026-11-21T11:59:57.103000",
        "is_proven": True,
    },
    refused={
        "A09 no secret": (_without("secret"), Answer.UNAUTHORIZED),
        "A10 empty secret": (edited(F1, SECRET.encode(), b""), Answer.UNAUTHORIZED),
        "A10 null": (edited(F1, f'"{SECRET}"'.encode(), b"null"), Answer.UNAUTHORIZED),
        "A10 number": (edited(F1, f'"{SECRET}"'.encode(), b"7"), Answer.MALFORMED),
        "A10 list": (edited(F1, f'"{SECRET}"'.encode(), b'["x"]'), Answer.MALFORMED),
        "other secret": (edited(F1, b"Secret0000000000", b"Secret0000000001"), Answer.UNAUTHORIZED),
        "secret of another length": (edited(F1, SECRET.encode(), b"ps_"), Answer.UNAUTHORIZED),
        "no order": (_without("orderId"), Answer.MALFORMED),
        "order of odd letters": (edited(F1, ORDER.encode(), "주문".encode()), Answer.MALFORMED),
        "no status": (_without("status"), Answer.MALFORMED),
        "no time": (_without("createdAt"), Answer.MALFORMED),
        "event without data": (
            replace(F1, body=b'{"eventType":"PAYMENT_STATUS_CHANGED","createdAt":"x"}'),
            Answer.MALFORMED,
        ),
        **{name: (request, Answer.MALFORMED) for name, request in bad_json(F1).items()},
    },
    tolerated={
        "unknown field": edited(F1, b'{"createdAt"', b'{"new":{"a":[1,2.5]},"createdAt"'),
        "NUL in an unknown field": edited(F1, b'{"createdAt"', b'{"new":"a\\u0000b","createdAt"'),
        "lone surrogate": edited(F1, b'{"createdAt"', b'{"new":"\\ud800","createdAt"'),
        "no transaction key": _without("transactionKey"),
        "odd time": edited(F1, b"2026-11-21T11:59:57.103000", b"yesterday"),
    },
    kinds={
        Kind.REVERSED: _status("WAITING_FOR_DEPOSIT"),
        Kind.CANCELED_BEFORE_DEPOSIT: _status("CANCELED"),
        Kind.PART_REFUNDED: _status("PARTIAL_CANCELED"),
        Kind.EXPIRED: _status("EXPIRED"),
        Kind.OTHER: _status("SOMETHING_NEW"),
        Kind.ISSUED: edited(CHANGED, b'"DONE"', b'"WAITING_FOR_DEPOSIT"'),
        Kind.REFUNDED: edited(CHANGED, b'"DONE"', b'"CANCELED"'),
        Kind.FAILED: edited(CHANGED, b'"DONE"', b'"ABORTED"'),
    },
    fields_of=json_fields,
    written=json_written,
)
DEAL = Deal(
    pg=TOSS,
    account=CASE.account,
    wrong_key=Account(merchant_id="tvivarepublica", secrets=("test_sk_somebody_else",)),
    bank="20",
)
