"""PortOne V2: vector F2, signatures of every shape, and what must not pass (payments.md 2.2, A01 to A08, A31, A32)."""

import base64
import hashlib
import hmac
from dataclasses import replace

from payments.adapters.base import Account, Answer, Kind
from payments.adapters.portone import PORTONE
from tests.payments.pg.cases import AT, Case, Deal, bad_json, edited, json_fields, json_written, posted

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
PREVIOUS = "whsec_ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
SIGNATURE = "v1,cQTPdGpkn8gVOB9dFbH5F3u/KjUx2qIW6sV6N6sU5qw="
STORE, ORDER = "store-00000000-0000-4000-8000-000000000001", "20261121-0000124-1"
BODY = (
    b'{"type":"Transaction.Paid","timestamp":"2026-11-21T02:59:58.123Z","data":{"storeId":'
    b'"store-00000000-0000-4000-8000-000000000001","paymentId":"20261121-0000124-1",'
    b'"transactionId":"018f0000-0000-7000-8000-000000000124"}}'
)
NOW = int(AT.timestamp())


def signature(body, *, secret=SECRET, event="wh_oms_0001", stamp=str(NOW)):
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, b".".join((event.encode(), stamp.encode(), body)), hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def headers(body, *, secret=SECRET, event="wh_oms_0001", stamp=str(NOW)):
    signed = signature(body, secret=secret, event=event, stamp=stamp)
    return {"webhook-id": event, "webhook-timestamp": stamp, "webhook-signature": signed}


def sent(body=BODY, **options):
    request = posted(body)
    return replace(request, headers={**request.headers, **headers(body, **options)})


def listed(items, request):
    return replace(request, headers={**request.headers, "webhook-signature": items})


def _typed(name):
    return sent(BODY.replace(b"Transaction.Paid", f"Transaction.{name}".encode()))


F2 = listed(SIGNATURE, sent())


def _without(name):
    return replace(F2, headers={key: value for key, value in F2.headers.items() if key != name})


CASE = Case(
    pg=PORTONE,
    account=Account(merchant_id=STORE, secrets=(SECRET, PREVIOUS)),
    authentic=F2,
    expected={
        "kind": Kind.DEPOSITED,
        "order_ref": ORDER,
        "amount": None,
        "event_key": "wh_oms_0001",
        "payment_ref": "018f0000-0000-7000-8000-000000000124",
        "is_proven": True,
    },
    ack=(200, "text/plain; charset=utf-8", b""),
    refused={
        "A01 byte changed": (edited(F2, b"0000124-1", b"0000125-1"), Answer.UNAUTHORIZED),
        **{f"A02 no {name}": (_without(name), Answer.UNAUTHORIZED) for name in headers(BODY)},
        **{
            f"A02 empty {name}": (replace(F2, headers={**F2.headers, name: ""}), Answer.UNAUTHORIZED)
            for name in headers(BODY)
        },
        "A03 301 s old": (sent(stamp=str(NOW - 301)), Answer.UNAUTHORIZED),
        "A04 301 s ahead": (sent(stamp=str(NOW + 301)), Answer.UNAUTHORIZED),
        "A05 no comma": (listed("v1", F2), Answer.UNAUTHORIZED),
        "A05 three parts": (listed(SIGNATURE + ",x", F2), Answer.UNAUTHORIZED),
        "A05 bad base64": (listed("v1,%%%%", F2), Answer.UNAUTHORIZED),
        "A05 only spaces": (listed("   ", F2), Answer.UNAUTHORIZED),
        "unknown version": (listed(SIGNATURE.replace("v1,", "v2,"), F2), Answer.UNAUTHORIZED),
        "asymmetric version": (listed(SIGNATURE.replace("v1,", "v1a,"), F2), Answer.UNAUTHORIZED),
        "short signature": (listed("v1,AAAA", F2), Answer.UNAUTHORIZED),
        "time with a fraction": (sent(stamp=f"{NOW}.9"), Answer.UNAUTHORIZED),
        "time with a sign": (sent(stamp=f"+{NOW}"), Answer.UNAUTHORIZED),
        "time of 13 digits": (sent(stamp=f"{NOW}000"), Answer.UNAUTHORIZED),
        "time of odd digits": (
            replace(F2, headers={**F2.headers, "webhook-timestamp": "１７９５２３００００"}),
            Answer.UNAUTHORIZED,
        ),
        "id of odd letters": (replace(F2, headers={**F2.headers, "webhook-id": "wh é"}), Answer.UNAUTHORIZED),
        "id of 201 letters": (sent(event="x" * 201), Answer.UNAUTHORIZED),
        "stranger's key": (sent(secret="whsec_" + base64.b64encode(b"x" * 32).decode()), Answer.UNAUTHORIZED),
        "other store": (sent(BODY.replace(b"000000000001", b"000000000002", 1)), Answer.UNAUTHORIZED),
        "no type (version 2024-01-01)": (sent(b'{"payment_id":"a","tx_id":"b","status":"Paid"}'), Answer.MALFORMED),
        "no payment id": (sent(BODY.replace(b"paymentId", b"other")), Answer.MALFORMED),
        **{name: (sent(request.body), Answer.MALFORMED) for name, request in bad_json(F2).items()},
    },
    tolerated={
        "A03 300 s old": sent(stamp=str(NOW - 300)),
        "A04 300 s ahead": sent(stamp=str(NOW + 300)),
        "A05 odd items first": listed(f"v1 v1,a,b v1,%%%  v1a,AAAA {SIGNATURE}", F2),
        "A06 previous secret": sent(secret=PREVIOUS),
        "both secrets": listed(f"{signature(BODY, secret=PREVIOUS)} {SIGNATURE}", F2),
        "A38 extra fields": sent(BODY.replace(b'{"type"', b'{"new":[1.5,{"a":null}],"type"')),
        "A36 NUL": sent(BODY.replace(b'{"type"', b'{"new":"a\\u0000b","type"')),
        "A37 lone surrogate": sent(BODY.replace(b'{"type"', b'{"new":"\\udfff","type"')),
    },
    kinds={
        Kind.ISSUED: _typed("VirtualAccountIssued"),
        Kind.PART_REFUNDED: _typed("PartialCancelled"),
        Kind.REFUNDED: _typed("Cancelled"),
        Kind.FAILED: _typed("Failed"),
        Kind.OTHER: _typed("Foo"),
    },
    resign=headers,
    fields_of=json_fields,
    written=json_written,
)
DEAL = Deal(
    pg=PORTONE,
    account=Account(
        merchant_id=STORE,
        secrets=(SECRET,),
        options={
            "api_secret": "OMSfixturePortOneApiSecret000000000000000000000001",
            "channel_key": "channel-key-00000000-0000-4000-8000-000000000001",
        },
    ),
    wrong_key=Account(merchant_id=STORE, secrets=(SECRET,), options={"api_secret": "x", "channel_key": "x"}),
    bank="SHINHAN",
)
