"""Whatever CJ answers, our adapters say what it means and raise nothing (shipping.md 4.4, 9)."""

import json
import socket
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.http import Client
from shipping.adapters.base import Cause, FeedEvent, RawEvent, TrackOutcome
from shipping.adapters.cj_issue import CjIssuer
from shipping.adapters.cj_tracking import CjFeed, CjTracking
from shipping.adapters.cj_wire import CjWire, MemoryTokenStore
from shipping.adapters.issuing import IssueOutcome
from tests.infra.cj import BOX, BUSINESS, CANNED_TOKEN, RECIPIENT, canned_wire
from tests.shipping.courier_samples import BROKEN_LINES, BROKEN_SHAPES

NUMBER, DAY = "680000000011", date(2026, 11, 21)
TOLD = FeedEvent(number=NUMBER, event=RawEvent(code="91"), receipt=f"{NUMBER}|91")

ISSUING = {
    "ReqInvcNo": lambda wire: CjIssuer(wire).allocate(boxes=[BOX])[0],
    "RegBook": lambda wire: CjIssuer(wire).register(box=BOX, number=NUMBER),
    "CnclBook": lambda wire: CjIssuer(wire).cancel(box=BOX, number=NUMBER),
    "ReqAddrRfnSm": lambda wire: CjIssuer(wire).refine(recipient=RECIPIENT),
}
ASKING = {
    "ReqOneGdsTrc": lambda wire: CjTracking(wire).track(carrier="cj", number=NUMBER),
    "ReqMssGdsTrc": lambda wire: CjFeed(wire).pull(day=DAY),
}
UNREADABLE = [*BROKEN_LINES, *BROKEN_SHAPES, "result_odd"]


@pytest.mark.parametrize("operation", [*ISSUING, *ASKING])
@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_cannot_be_read_is_unknown_or_unavailable(cj, operation, kind):
    cj.fault(kind, operation)
    if operation in ISSUING:
        answer = ISSUING[operation](cj.wire)
        assert (answer.outcome, answer.number, answer.routing) == (IssueOutcome.UNKNOWN, "", None)
    else:
        answer = ASKING[operation](cj.wire)
        assert (answer.outcome, answer.cause, answer.events) == (TrackOutcome.UNAVAILABLE, Cause.MALFORMED, ())
    assert answer.detail


@pytest.mark.parametrize("operation", [*ISSUING, *ASKING])
@pytest.mark.parametrize(
    ("kind", "values", "issued", "asked", "retry_after"),
    [
        ("http_429", {"retry_after": 120}, "LIMITED", "RATE_LIMITED", 120),
        ("http_429", {}, "LIMITED", "RATE_LIMITED", None),
        ("http_401", {}, "LIMITED", "RATE_LIMITED", 60),
        ("http_403", {}, "AUTH", "AUTH", None),
        ("http_500", {}, "UNKNOWN", "UNAVAILABLE", None),
        ("http_500", {"status": 503}, "UNKNOWN", "UNAVAILABLE", None),
        ("ora_down", {}, "UNKNOWN", "UNAVAILABLE", None),
        ("hang", {"seconds": 30}, "UNKNOWN", "UNAVAILABLE", None),
        ("delay", {"seconds": 30}, "UNKNOWN", "UNAVAILABLE", None),
        ("drip", {"seconds": 1}, "UNKNOWN", "UNAVAILABLE", None),
    ],
)
def test_every_failure_has_its_outcome(cj, operation, kind, values, issued, asked, retry_after):
    hurried = cj.new_wire(client=Client(f"{cj.tracker.base_url}/cj", allow_loopback=True, timeout=(1, 0.4)))
    cj.issuer.allocate(boxes=[BOX])  # the token is at hand
    cj.fault(kind, operation, **values)
    expected = issued if operation in ISSUING else asked
    answer = {**ISSUING, **ASKING}[operation](hurried)
    assert (answer.outcome, answer.retry_after) == (expected, retry_after)


def test_a_date_for_retry_after_is_read_too(cj):
    cj.fault("http_429", "ReqInvcNo", retry_after=90, is_http_date=True)
    (given_,) = cj.issuer.allocate(boxes=[BOX])
    assert given_.outcome == IssueOutcome.LIMITED
    assert 85 <= given_.retry_after <= 91


def test_a_server_that_is_not_there_is_unknown_and_unavailable():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    client = Client(f"http://127.0.0.1:{port}", allow_loopback=True, timeout=(1, 1))
    for operation, call in ISSUING.items():
        wire = wire_of(client)
        assert call(wire).outcome == IssueOutcome.UNKNOWN, operation
    result = ASKING["ReqOneGdsTrc"](wire_of(client))
    assert (result.outcome, result.cause) == (TrackOutcome.UNAVAILABLE, Cause.UNREACHABLE)


def wire_of(client):
    return CjWire(client, customer="30000001", business=BUSINESS, tokens=MemoryTokenStore())


def test_korean_error_texts_in_the_old_charset_are_readable(cj):
    cj.set(is_euc_kr=True, is_self_printing=True)
    number = cj.booked()
    answer = cj.issuer.cancel(box=BOX, number=number)
    assert (answer.outcome, answer.message) == (
        IssueOutcome.REJECTED,
        "운송장 자체 출력 고객사는 취소할 수 없습니다.",
    )
    cj.fault("euc_kr", "ReqAddrRfnSm")
    assert cj.issuer.refine(recipient=RECIPIENT).routing.branch == "테스트집배점"


@pytest.mark.parametrize(
    ("detail", "outcome"),
    [
        ("조회된 데이터가 없습니다.", TrackOutcome.NOT_FOUND),
        ("운송장번호 자리수 오류", TrackOutcome.BAD_NUMBER),
        ("호출 횟수를 초과하였습니다.", TrackOutcome.RATE_LIMITED),
        ("고객번호 계약이 만료되었습니다.", TrackOutcome.AUTH),
        ("TOKEN_NUM 이 유효하지 않습니다.", TrackOutcome.RATE_LIMITED),
        ("시스템 오류", TrackOutcome.UNAVAILABLE),
    ],
)
def test_errors_in_words_are_told_apart(canned, detail, outcome):
    answer = {"RESULT_CD": "E", "RESULT_DETAIL": detail}
    assert ASKING["ReqOneGdsTrc"](canned_wire(canned, answer)).outcome == outcome
    assert ASKING["ReqMssGdsTrc"](canned_wire(canned, answer)).outcome == outcome


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ({"RESULT_CD": "S000", "RESULT_DETAIL": ""}, IssueOutcome.OK),
        ({"RESULT_CD": "E", "RESULT_DETAIL": "ORA-00001: unique constraint (X.KEY) violated"}, IssueOutcome.ALREADY),
        ({"RESULT_CD": "E001", "RESULT_DETAIL": "ORA-01400"}, IssueOutcome.REJECTED),
        ({"RESULT_CD": "E", "RESULT_DETAIL": "ORA-00060: deadlock"}, IssueOutcome.UNKNOWN),
        ({"RESULT_CD": "E", "RESULT_DETAIL": None}, IssueOutcome.REJECTED),
        ({"RESULT_CD": "X", "RESULT_DETAIL": "?"}, IssueOutcome.UNKNOWN),
        ({"RESULT_DETAIL": "Success."}, IssueOutcome.UNKNOWN),
        ({"RESULT_CD": "-20008", "RESULT_DETAIL": "계약 만료"}, IssueOutcome.AUTH),
    ],
)
def test_what_a_booking_is_told_decides_whether_it_is_repeated(canned, answer, outcome):
    assert ISSUING["RegBook"](canned_wire(canned, answer)).outcome == outcome


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("-20002", IssueOutcome.REJECTED),
        ("-20009", IssueOutcome.UNDELIVERABLE),
        ("-20010", IssueOutcome.OK),
    ],
)
def test_codes_of_addresses_count_in_either_field(canned, code, expected):
    in_code = ISSUING["ReqAddrRfnSm"](canned_wire(canned, {"RESULT_CD": code, "RESULT_DETAIL": "x"}))
    in_words = ISSUING["ReqAddrRfnSm"](canned_wire(canned, {"RESULT_CD": "E", "RESULT_DETAIL": f"{code} x"}))
    assert [in_code.outcome, in_words.outcome, in_code.routing] == [expected, expected, None]


def test_neither_token_nor_business_number_stands_in_an_answer(canned):
    secrets = (CANNED_TOKEN, BUSINESS.replace("-", ""))
    for body in (
        f"<html>{' '.join(secrets)}</html>".encode(),
        json.dumps({"RESULT_CD": "E", "RESULT_DETAIL": " ".join(secrets)}).encode(),
        json.dumps({"RESULT_CD": "?", "RESULT_DETAIL": " ".join(secrets)}).encode(),
    ):
        for call in [*ISSUING.values(), *ASKING.values()]:
            told = repr(call(canned_wire(canned, body)))
            assert "***" in told
            assert not any(secret in told for secret in secrets)


# ---- anything at all ----

WORDS = st.sampled_from(
    [
        "S",
        "E",
        "ORA-00001",
        "-20009",
        "Success.",
        NUMBER,
        "11",
        "84",
        "02",
        "20261121",
        "192004",
        "",
        "\ud800",
        "가" * 400,
    ]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=20)
FIELDS = st.sampled_from(
    ["RESULT_CD", "RESULT_DETAIL", "DATA", "ARRAY", "INVC_NO", "CRG_ST", "CRG_ST_NM", "SCAN_YMD", "SCAN_HOUR",
     "CUST_USE_NO", "RCPT_DV", "NO_CLDV_RSN_CD", "DETAIL_RSN", "CLSFCD", "SUBCLSFCD", "P2PCD", "DEALT_BRAN_NM"]
)  # fmt: skip
ENTRIES = st.dictionaries(FIELDS, SCALARS, max_size=8)
SHAPES = st.recursive(SCALARS | ENTRIES, lambda inner: st.lists(inner, max_size=4) | ENTRIES, max_leaves=12)
SUCCESSES = st.builds(lambda data: {"RESULT_CD": "S", "RESULT_DETAIL": "Success.", "DATA": data}, SHAPES)
BODIES = (
    st.binary(max_size=200)
    | SHAPES.map(lambda value: json.dumps(value).encode("utf-8", "replace"))
    | SUCCESSES.map(lambda value: json.dumps(value).encode("utf-8", "replace"))
    | SUCCESSES.map(lambda value: json.dumps(value, ensure_ascii=False).encode("cp949", "replace"))
)


@pytest.fixture(scope="module")
def canned_for_all(canned_process):
    return canned_process


@given(body=BODIES)
@settings(max_examples=120)
def test_no_body_whatever_makes_an_adapter_raise_or_invent_a_number(canned_for_all, body):
    canned_for_all.status = 200
    wire = canned_wire(canned_for_all, body)
    for call in ISSUING.values():
        answer = call(wire)
        assert isinstance(answer.outcome, IssueOutcome)
        assert answer.number in {"", NUMBER}
        assert len(answer.message) <= 400
    for call in ASKING.values():
        found = call(wire)
        assert isinstance(found.outcome, TrackOutcome)
        assert found.outcome == TrackOutcome.FOUND or found.events == ()
    assert isinstance(CjFeed(wire).acknowledge(events=[TOLD, replace(TOLD, receipt="")]), TrackOutcome)


@given(name=st.text(max_size=40), note=st.text(max_size=600), goods=st.text(max_size=300), phone=st.text(max_size=15))
@settings(max_examples=100)
def test_no_text_of_a_buyer_makes_a_booking_that_does_not_fit(canned_for_all, name, note, goods, phone):
    wire = canned_wire(canned_for_all, {"RESULT_CD": "S"})
    canned_for_all.status = 200
    canned_for_all.asked.clear()
    someone = replace(RECIPIENT, name=name, address2=note, phone=phone, phone2=phone)
    for recipient in (someone, replace(someone, phone="01012345678")):
        box = replace(BOX, recipient=recipient, note=note, goods=goods)
        answer = CjIssuer(wire).register(box=box, number=NUMBER)
        assert answer.outcome in {IssueOutcome.OK, IssueOutcome.REJECTED}
    for _, _, sent in canned_for_all.asked:
        data = json.loads(sent)["DATA"]
        assert len(data["REMARK_1"].encode()) <= 1000
        assert 0 < len(data["ARRAY"][0]["GDS_NM"].encode()) <= 500
        assert data["RCVR_NM"]
        assert data["RCVR_DETAIL_ADDR"]
        assert all(data[f"RCVR_TEL_NO{part}"].isdigit() for part in (1, 2, 3))
