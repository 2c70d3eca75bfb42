"""SweetTracker: the samples of shipping.md 8.6, its errors, the faults of section 9, and the key that nobody sees."""

import json
import logging
from datetime import UTC, datetime

import pytest

from core.http import Client
from shipping.adapters.base import Cause, RawEvent, TrackOutcome
from shipping.adapters.sweettracker import Company, SweetTracker
from tests.shipping.courier_samples import BROKEN_LINES, BROKEN_SHAPES, SAMPLE_SWEET, SWEET_DRIVER, SWEET_FIRST
from tests.shipping.issuing_samples import START, VirtualClock, client_of

KEY = "sandbox-sweettracker-key"
NUMBER = "680000000011"
CARRIER = "kr.cjlogistics"
SAMPLE_EVENTS = (
    RawEvent(code="2", name="집화처리", place="경기테스트", at=datetime(2025, 11, 20, 9, 15, tzinfo=UTC)),
    RawEvent(code="5", name="배송출발", place="서울중구", at=datetime(2025, 11, 21, 2, 3, tzinfo=UTC)),
)
TWO_EVENTS = [
    {"at": "2026-11-20T18:05:00+09:00", "name": "집화처리", "place": "경기테스트"},
    {"at": "2026-11-21T15:31:07+09:00", "name": "배송완료", "place": "서울중구"},
]
READ_EVENTS = (
    RawEvent(code="2", name="집화처리", place="경기테스트", at=datetime(2026, 11, 20, 9, 5, tzinfo=UTC)),
    RawEvent(code="6", name="배송완료", place="서울중구", at=datetime(2026, 11, 21, 6, 31, 7, tzinfo=UTC)),
)


@pytest.fixture
def tracker(tracker):
    tracker.control("config", is_demo=False)
    VirtualClock(tracker, START.replace(day=22))
    return tracker


@pytest.fixture
def source(tracker):
    client = client_of(tracker, "sweettracker")
    yield SweetTracker(client, key=KEY)
    client.close()


@pytest.fixture
def known(tracker):
    tracker.control("parcels", carrier=CARRIER, number=NUMBER, timeline=TWO_EVENTS)


def ask(source, number=NUMBER, carrier="04"):
    return source.track(carrier=carrier, number=number)


def of_sample(canned, document):
    canned.body = json.dumps(document).encode()
    return ask(SweetTracker(Client(canned.base_url, allow_loopback=True), key=KEY))


# ---- samples ----


def test_sample_8_6_is_read_without_the_people_in_it(canned):
    result = of_sample(canned, SAMPLE_SWEET)
    assert (result.outcome, result.events) == (TrackOutcome.FOUND, SAMPLE_EVENTS)
    for person in ("김기사", "15881255", "홍*동", "테스트상점", "서울 중구"):
        assert person not in repr(result)
    method, path, _ = canned.asked[0]
    assert (method, path.split("?")[0]) == ("GET", "/api/v1/trackingInfo")


@pytest.mark.parametrize(
    ("message", "outcome"),
    [
        ("유효하지 않은 운송장번호 이거나 택배사 코드 입니다.", TrackOutcome.NOT_FOUND),
        ("운송장번호는 숫자 10자리 이상이어야 합니다.", TrackOutcome.BAD_NUMBER),
        ("유효하지 않은 key 입니다.", TrackOutcome.AUTH),
        ("사용 권한이 없습니다.", TrackOutcome.AUTH),
        ("일일 조회 한도를 초과했습니다.", TrackOutcome.RATE_LIMITED),
        ("Too many requests", TrackOutcome.RATE_LIMITED),
        ("시스템 오류가 발생했습니다.", TrackOutcome.UNAVAILABLE),
        ("", TrackOutcome.UNAVAILABLE),
    ],
)
def test_errors_are_told_apart_by_their_words(canned, message, outcome):
    result = of_sample(canned, {"status": False, "msg": message, "code": "104"})
    assert (result.outcome, result.events) == (outcome, ())


def test_the_complete_flag_counts_where_the_list_has_no_delivery(canned):
    result = of_sample(canned, {**SAMPLE_SWEET, "complete": True, "completeYN": "Y"})
    assert result.events[:2] == SAMPLE_EVENTS
    assert result.events[2:] == (RawEvent(code="6", name="배송완료", place="서울중구", at=SAMPLE_EVENTS[1].at),)
    only = of_sample(canned, {**SAMPLE_SWEET, "completeYN": "Y", "lastDetail": None, "lastStateDetail": None})
    assert only.events[2:] == (RawEvent(code="6", name="배송완료"),)


def test_a_delivery_in_the_list_is_not_told_twice(canned):
    delivered = {**SWEET_DRIVER, "level": 6, "kind": "배송완료"}
    result = of_sample(canned, {**SAMPLE_SWEET, "complete": True, "trackingDetails": [SWEET_FIRST, delivered]})
    assert [event.code for event in result.events] == ["2", "6"]


def test_time_text_counts_where_the_milliseconds_are_missing(canned):
    result = of_sample(canned, {**SAMPLE_SWEET, "trackingDetails": [{**SWEET_FIRST, "time": None}]})
    assert result.events == SAMPLE_EVENTS[:1]


def test_the_list_of_companies_is_read_with_its_texts_for_flags(canned):
    sample = {
        "Company": [
            {"International": "false", "Code": "04", "Name": "CJ대한통운"},
            {"International": "true", "Code": "13", "Name": "DHL"},
            {"International": "false", "Code": "", "Name": "nobody"},
            None,
        ]
    }
    canned.body = json.dumps(sample).encode()
    found = SweetTracker(Client(canned.base_url, allow_loopback=True), key=KEY).companies()
    assert found.outcome == TrackOutcome.FOUND
    assert found.companies == (
        Company(code="04", name="CJ대한통운", is_international=False),
        Company(code="13", name="DHL", is_international=True),
    )


# ---- the twin ----


@pytest.mark.usefixtures("known")
def test_the_twin_tells_levels_words_and_times(source):
    result = ask(source)
    assert (result.outcome, result.events) == (TrackOutcome.FOUND, READ_EVENTS)
    assert "홍길동" not in repr(result)
    assert "01012345678" not in repr(result)


def test_numbers_and_codes_that_are_not_known_are_not_found(tracker, source):
    assert ask(source, "680000000070").outcome == TrackOutcome.NOT_FOUND
    tracker.control("parcels", carrier=CARRIER, number=NUMBER, timeline=TWO_EVENTS)
    assert ask(source, carrier="99").outcome == TrackOutcome.NOT_FOUND


@pytest.mark.parametrize(
    ("carrier", "number", "outcome"),
    [
        ("", NUMBER, TrackOutcome.UNKNOWN_CARRIER),
        ("04", "", TrackOutcome.BAD_NUMBER),
        ("04", "6800-0000-0011", TrackOutcome.BAD_NUMBER),
        ("04", "직접수령", TrackOutcome.BAD_NUMBER),
        ("04", "\ud800", TrackOutcome.BAD_NUMBER),
        ("0&4", NUMBER, TrackOutcome.UNKNOWN_CARRIER),
    ],
)
def test_what_cannot_be_asked_costs_no_call(tracker, source, carrier, number, outcome):
    assert ask(source, number, carrier).outcome == outcome
    assert tracker.read("counters")["requests"] == 0


@pytest.mark.usefixtures("known")
def test_a_wrong_key_and_a_used_up_plan_are_told_apart(tracker, source):
    assert ask(SweetTracker(client_of(tracker, "sweettracker"), key="wrong")).outcome == TrackOutcome.AUTH
    tracker.control("service", name="sweettracker", quota=1)
    assert ask(source).outcome == TrackOutcome.FOUND
    assert ask(source).outcome == TrackOutcome.RATE_LIMITED


def test_companies_of_the_twin_and_their_failure(tracker, source):
    assert {company.code for company in source.companies().companies} >= {"01", "04", "05", "13"}
    wrong = SweetTracker(client_of(tracker, "sweettracker"), key="wrong").companies()
    assert (wrong.outcome, wrong.companies) == (TrackOutcome.AUTH, ())
    tracker.control("faults", kind="shape_empty", operation="companies")
    assert source.companies().outcome == TrackOutcome.UNAVAILABLE


# ---- faults ----

UNREADABLE = [*BROKEN_LINES, *BROKEN_SHAPES, "details_null", "details_text", "details_only_odd", "other_number"]


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("kind", UNREADABLE)
def test_an_answer_that_cannot_be_read_is_unavailable_and_healthy_again_afterwards(tracker, source, kind):
    tracker.control("faults", kind=kind)
    result = ask(source)
    assert (result.outcome, result.cause, result.events) == (TrackOutcome.UNAVAILABLE, Cause.MALFORMED, ())
    tracker.control("faults", method="DELETE")
    assert ask(source).events == READ_EVENTS


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    ("fault", "outcome", "cause"),
    [
        ({"kind": "http_429", "retry_after": 120}, TrackOutcome.RATE_LIMITED, None),
        ({"kind": "http_401"}, TrackOutcome.AUTH, None),
        ({"kind": "http_403"}, TrackOutcome.AUTH, None),
        ({"kind": "http_500", "status": 503}, TrackOutcome.UNAVAILABLE, Cause.SERVER),
        ({"kind": "no_key"}, TrackOutcome.AUTH, None),
        ({"kind": "system_error"}, TrackOutcome.UNAVAILABLE, Cause.SERVER),
        ({"kind": "code_without_status"}, TrackOutcome.NOT_FOUND, None),
    ],
)
def test_refusals_are_told_apart(tracker, source, fault, outcome, cause):
    tracker.control("faults", **fault)
    result = ask(source)
    assert (result.outcome, result.cause, result.retry_after) == (outcome, cause, fault.get("retry_after"))


@pytest.mark.usefixtures("known")
def test_silence_is_a_timeout(tracker):
    tracker.control("faults", kind="hang", seconds=3)
    result = ask(SweetTracker(client_of(tracker, "sweettracker", timeout=(1, 0.3)), key=KEY))
    assert (result.outcome, result.cause) == (TrackOutcome.UNAVAILABLE, Cause.TIMEOUT)


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("kind", ["euc_kr", "extra_fields", "details_odd", "times_text"])
def test_what_is_only_odd_is_read(tracker, source, kind):
    tracker.control("faults", kind=kind)
    assert ask(source).events == READ_EVENTS


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    ("kind", "read"),
    [
        ("times_null", [("2", "집화처리", False), ("6", "배송완료", False)]),
        ("times_far", [("2", "집화처리", False), ("6", "배송완료", False)]),
        ("numbers_for_text", [("6", "7", True), ("6", "7", True)]),
        ("dirty_text", [("2", "DIRTY", True), ("6", "DIRTY", True)]),
    ],
)
def test_lies_in_single_fields_stay_in_these_fields(tracker, source, kind, read):
    tracker.control("faults", kind=kind)
    events = ask(source).events
    names = ["DIRTY" if event.name.startswith("<script>") else event.name for event in events]
    assert [(event.code, name, bool(event.at)) for event, name in zip(events, names, strict=True)] == read
    assert all(len(event.name) <= 300 and event.name.isprintable() for event in events)


@pytest.mark.usefixtures("known")
def test_levels_that_are_no_levels_leave_no_code_and_the_flag_still_tells_the_delivery(tracker, source):
    tracker.control("faults", kind="levels_odd")
    assert [event.code for event in ask(source).events] == ["", "", "6"]
    tracker.control("faults", method="DELETE")
    tracker.control("faults", kind="undelivered_details")
    assert [event.code for event in ask(source).events] == ["2", "6"]


# ---- the key ----


@pytest.mark.usefixtures("known")
def test_the_key_reaches_no_log_and_no_error(tracker, source, caplog):
    caplog.set_level(logging.DEBUG)
    for kind in ("key_echoed", "html_200", "http_500", "refused", "close", "no_key"):
        tracker.control("faults", method="DELETE")
        tracker.control("faults", kind=kind)
        assert KEY not in repr(ask(source))
        assert KEY not in repr(source.companies())
    assert KEY not in caplog.text


@pytest.mark.parametrize("key", ["", "키", "a\nb"])
def test_a_key_that_cannot_be_sent_is_refused_at_the_start(canned, key):
    with pytest.raises(ValueError, match="printable"):
        SweetTracker(Client(canned.base_url, allow_loopback=True), key=key)
