"""No bytes of a courier make an adapter raise, take long, or yield what cannot be stored (shipping.md 9).

OMS_FUZZ_EXAMPLES multiplies the work.
"""

import json
import os
import time
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.http import Client
from shipping.adapters.base import TrackOutcome, TrackResult
from shipping.adapters.epost_issue import EpostIssuer
from shipping.adapters.epost_tracking import EpostOpen, EpostTrace
from shipping.adapters.hanjin_issue import HanjinIssuer
from shipping.adapters.hanjin_tracking import HanjinTracking
from shipping.adapters.hanjin_wire import HanjinHost
from shipping.adapters.issuing import Issued, IssueOutcome
from shipping.adapters.sweettracker import SweetTracker
from tests.shipping.courier_samples import SAMPLE_HANJIN, SAMPLE_OPEN, SAMPLE_SWEET, SAMPLE_TRACE
from tests.shipping.issuing_samples import a_box

KEY, SECRET = "fuzz-key-00000000", "fuzz-secret-key-0000000"
BOOKED = (
    "<xsync><reqNo>1</reqNo><resNo>2</resNo><regiNo>6800000000001 </regiNo><canceledYn>Y</canceledYn>"
    "<delivAreaCd>-560-</delivAreaCd></xsync>"
)
PRINTED = {
    "total_cnt": 2,
    "address_list": [
        {"msg_key": "S-1", "result_code": "OK", "wbl_num": "400000000013", "tml_cod": "150"},
        {"msg_key": "S-2", "result_code": "ERROR-05", "result_message": "한도 초과", "wbl_num": None},
    ],
}
SPICE = [
    b'"', b"{", b"}", b"[", b"]", b"<", b">", b"</a>", b"<![CDATA[", b"&", b"&amp;", b"&#0;", b"\\u0000", b"\\ud800",
    b"\x00", b"\xff", b"\xb0\xa1", b"null", b"true", b"1e999", b"NaN", b"-Infinity", b"9" * 40, b"9" * 5000,
    b"\xef\xbb\xbf", b'<?xml version="1.0" encoding="EUC-KR"?>', b"<!DOCTYPE a>", "가".encode(),
    "\U0001f69a".encode(), b"0001-01-01",
]  # fmt: skip


def hanjin_host(client):
    return HanjinHost(
        client, client_id="C", api_key=KEY, secret_key=SECRET, now=lambda: datetime(2026, 11, 20, tzinfo=UTC)
    )


def epost_issuer(client):
    return EpostIssuer(
        client,
        key=KEY,
        security_key=SECRET,
        cust_no="1",
        appr_no="1",
        office_ser="1",
        content_code="029",
        now=lambda: datetime(2026, 11, 20, 5, tzinfo=UTC),
        look_back_days=1,
    )


def hanjin_issuer(client):
    return HanjinIssuer(hanjin_host(client), hanjin_host(client), contract_no="1")


BOXES = [a_box("S-1"), a_box("S-2")]
CASES = {
    "epost": (
        SAMPLE_TRACE,
        lambda client: [EpostTrace(client, key=KEY).track(carrier="trace", number="6800000000001")],
    ),
    "epost_open": (
        SAMPLE_OPEN,
        lambda client: [EpostOpen(client, key=KEY).track(carrier="trace", number="6800000000001")],
    ),
    "sweettracker": (
        json.dumps(SAMPLE_SWEET),
        lambda client: [SweetTracker(client, key=KEY).track(carrier="04", number="680000000011")],
    ),
    "companies": ('{"Company":[{"Code":"04","Name":"CJ"}]}', lambda client: [companies(client)]),
    "hanjin": (
        json.dumps(SAMPLE_HANJIN),
        lambda client: [HanjinTracking(hanjin_host(client)).track(carrier="hanjin", number="400000000013")],
    ),
    "hanjin_numbers": (json.dumps(PRINTED), lambda client: hanjin_issuer(client).allocate(boxes=BOXES)),
    "hanjin_booking": (
        '{"resultCode":"ERROR-09"}',
        lambda client: [hanjin_issuer(client).register(box=BOXES[0], number="400000000013")],
    ),
    "epost_booking": (BOOKED, lambda client: [epost_issuer(client).register(box=BOXES[0], number="")]),
    "epost_look_up": (BOOKED, lambda client: [epost_issuer(client).look_up(box=BOXES[0], number="")]),
    "epost_cancel": (BOOKED, lambda client: [epost_issuer(client).cancel(box=BOXES[0], number="6800000000001")]),
}
every_case = pytest.mark.parametrize("name", CASES)
TIMES = int(os.environ.get("OMS_FUZZ_EXAMPLES", "1"))
fuzz = settings(max_examples=80 * TIMES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def companies(client):
    found = SweetTracker(client, key=KEY).companies()
    return found.failure or TrackResult(outcome=found.outcome)


@st.composite
def mutations(draw, body):
    """The sample with pieces cut out, doubled or spiced."""
    for _ in range(draw(st.integers(1, 4))):
        at, length = draw(st.integers(0, max(len(body) - 1, 0))), draw(st.integers(0, 24))
        match draw(st.sampled_from(("cut", "double", "spice", "end"))):
            case "cut":
                body = body[:at] + body[at + length :]
            case "double":
                body = body[:at] + body[at : at + length] * 3 + body[at + length :]
            case "spice":
                body = body[:at] + draw(st.sampled_from(SPICE)) + body[at:]
            case "end":
                body = body[:at]
    return body


def judged(results):
    """Each is an outcome that can be stored and holds no key."""
    for result in results:
        assert isinstance(result, TrackResult | Issued)
        result_text = repr(result)
        assert KEY not in result_text
        assert SECRET not in result_text
        if isinstance(result, Issued):
            assert not result.number or (result.number.isascii() and result.number.isdecimal())
            assert bool(result.number) <= (result.outcome in {IssueOutcome.OK, IssueOutcome.ALREADY})
            continue
        assert bool(result.events) <= (result.outcome == TrackOutcome.FOUND)
        for event in result.events:
            texts = (event.code, event.name, event.text, event.place)
            assert all(text.isprintable() and len(text) <= 300 for text in texts)
            assert event.at is None or event.at.tzinfo is not None


def run(canned, name, body, status=200):
    canned.body, canned.status = body, status
    client = Client(canned.base_url, allow_loopback=True, timeout=(2, 5))
    started = time.thread_time()
    try:
        judged(CASES[name][1](client))
    finally:
        client.close()
    assert time.thread_time() - started < 2


@every_case
def test_the_sample_itself_is_good(canned, name):
    canned.body = CASES[name][0].encode()
    results = CASES[name][1](Client(canned.base_url, allow_loopback=True))
    good = {TrackOutcome.FOUND, IssueOutcome.OK, IssueOutcome.ALREADY}
    assert results[0].outcome in good
    judged(results)


@every_case
def test_broken_samples_never_raise(canned, name):
    @fuzz
    @given(mutations(CASES[name][0].encode()), st.sampled_from((200, 200, 200, 400, 403, 500)))
    def on(body, status):
        run(canned, name, body, status)

    on()


@every_case
def test_any_bytes_never_raise(canned, name):
    @fuzz
    @given(st.binary(max_size=400))
    def on(body):
        run(canned, name, body)

    on()


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["OK", "ERROR-01"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
JSON_NAMES = {
    "sweettracker": ("trackingDetails", "invoiceNo", "status", "msg", "code", "complete", "completeYN", "lastDetail"),
    "companies": ("Company", "status", "msg"),
    "hanjin": ("resultCode", "wrkList", "wblNo", "resultMessage"),
    "hanjin_numbers": ("address_list", "result_code", "result_message", "wbl_num"),
    "hanjin_booking": ("resultCode", "resultMessage"),
}
ENTRY_NAMES = (
    "level", "kind", "where", "time", "timeString", "Code", "Name", "International", "statusCode", "statusName",
    "wrkYmd", "wrkTime", "statusDate", "msg_key", "result_code", "wbl_num", "es_cod",
)  # fmt: skip


@pytest.mark.parametrize("name", JSON_NAMES)
def test_json_of_any_shape_never_raises(canned, name):
    entries = st.lists(st.dictionaries(st.sampled_from(ENTRY_NAMES), VALUES, max_size=6), max_size=3)

    @fuzz
    @given(st.dictionaries(st.sampled_from(JSON_NAMES[name]), VALUES | entries, max_size=6))
    def on(document):
        run(canned, name, json.dumps({**json.loads(CASES[name][0]), **document}).encode())

    on()
