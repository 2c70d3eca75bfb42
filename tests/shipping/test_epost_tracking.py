"""Both tracking services of 우체국: the samples of shipping.md 8.8 and every fault of section 9."""

import logging
from datetime import UTC, datetime

import pytest

from core.http import Client
from shipping.adapters.base import Cause, RawEvent, TrackOutcome
from shipping.adapters.epost_tracking import EpostOpen, EpostTrace
from tests.shipping.courier_samples import BROKEN_LINES, SAMPLE_OPEN, SAMPLE_TRACE
from tests.shipping.issuing_samples import START, VirtualClock, client_of

NUMBER = "6800000000001"
EMS_NUMBER = "EG123456785KR"
TRACE_KEY, OPEN_KEY = "sandbox-epost-trace-key", "sandbox-epost-open-key=="
CARRIER = "kr.epost"
TWO_EVENTS = [
    {"at": "2026-11-20T18:20:00+09:00", "epost": "접수", "place": "테스트우체국"},
    {"at": "2026-11-21T14:02:00+09:00", "epost": "배달완료", "place": "서울중앙"},
]
READ_EVENTS = (
    RawEvent(name="접수", place="테스트우체국", at=datetime(2026, 11, 20, 9, 20, tzinfo=UTC)),
    RawEvent(name="배달완료", place="서울중앙", at=datetime(2026, 11, 21, 5, 2, tzinfo=UTC)),
)
SOURCES = {"epost": (EpostTrace, TRACE_KEY, SAMPLE_TRACE), "epost_open": (EpostOpen, OPEN_KEY, SAMPLE_OPEN)}
OPERATIONS = {"epost": "track", "epost_open": "track_open"}
both = pytest.mark.parametrize("name", SOURCES)


@pytest.fixture
def tracker(tracker):
    tracker.control("config", is_demo=False)
    VirtualClock(tracker, START.replace(day=22))
    return tracker


@pytest.fixture
def source(tracker, name):
    adapter, key, _ = SOURCES[name]
    client = client_of(tracker, "epost")
    yield adapter(client, key=key)
    client.close()


def ask(source, number=NUMBER, carrier="trace"):
    return source.track(carrier=carrier, number=number)


def of_sample(canned, name, body=None):
    adapter, key, sample = SOURCES[name]
    canned.body = (body if body is not None else sample).encode()
    return ask(adapter(Client(canned.base_url, allow_loopback=True), key=key))


# ---- samples ----


@both
def test_sample_8_8_is_read_word_for_word(canned, name):
    result = of_sample(canned, name)
    assert (result.outcome, result.events) == (TrackOutcome.FOUND, READ_EVENTS)


@both
def test_the_error_sample_means_not_found(canned, name):
    error = "<error><error_code>ERR-001</error_code><message>조회결과가 없습니다.</message></error>"
    assert of_sample(canned, name, error).outcome == TrackOutcome.NOT_FOUND


@both
def test_no_name_of_a_person_is_kept(canned, name):
    result = of_sample(canned, name)
    assert "홍*동" not in repr(result)
    assert "테스트상점" not in repr(result)


def test_the_receivers_name_is_not_even_asked_for(canned):
    of_sample(canned, "epost")
    assert "showRec" not in canned.asked[0][1]


# ---- the twin ----


@both
def test_the_twin_tells_the_same(tracker, source, name):
    tracker.control("parcels", carrier=CARRIER, number=NUMBER, timeline=TWO_EVENTS)
    result = ask(source)
    assert (source.name, result.outcome, result.events) == (name, TrackOutcome.FOUND, READ_EVENTS)


@both
def test_nothing_known_is_not_found_and_nothing_happened_is_an_empty_list(tracker, source, name):
    assert ask(source, "6800000009999").outcome == TrackOutcome.NOT_FOUND
    tracker.control("parcels", carrier=CARRIER, number=NUMBER, timeline=[])
    result = ask(source)
    assert (result.outcome, result.events) == (TrackOutcome.FOUND, ())


@pytest.mark.parametrize("name", ["epost"])
def test_ems_is_asked_for_by_its_own_target(tracker, source, name):
    tracker.control("parcels", carrier="kr.epost.ems", number=EMS_NUMBER, timeline=TWO_EVENTS)
    assert ask(source, EMS_NUMBER, "emsTrace").events == READ_EVENTS


@both
@pytest.mark.parametrize(
    ("carrier", "number", "outcome"),
    [
        ("", NUMBER, TrackOutcome.UNKNOWN_CARRIER),
        ("kr.epost", NUMBER, TrackOutcome.UNKNOWN_CARRIER),
        ("trace", "680000000001", TrackOutcome.BAD_NUMBER),
        ("trace", "TESTREGINOAPI", TrackOutcome.BAD_NUMBER),
        ("trace", "６８０００００００００００１", TrackOutcome.BAD_NUMBER),
        ("trace", EMS_NUMBER, TrackOutcome.BAD_NUMBER),
        ("trace", "", TrackOutcome.BAD_NUMBER),
    ],
)
def test_what_cannot_be_asked_costs_no_call(tracker, source, name, carrier, number, outcome):
    assert ask(source, number, carrier).outcome == outcome
    assert tracker.read("counters")["requests"] == 0


@both
def test_a_wrong_key_is_an_account_problem(tracker, name):
    adapter, _, _ = SOURCES[name]
    result = ask(adapter(client_of(tracker, "epost"), key="wrong-key"))
    assert result.outcome == TrackOutcome.AUTH


@pytest.mark.parametrize("name", ["epost_open"])
def test_the_daily_quota_of_the_data_portal_is_a_rate_limit(tracker, source, name):
    tracker.control("service", name="epost", open_quota=0)
    result = ask(source)
    assert (result.outcome, result.retry_after) == (TrackOutcome.RATE_LIMITED, None)


@pytest.mark.parametrize("name", ["epost"])
@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("no_result", TrackOutcome.NOT_FOUND),
        ("no_key", TrackOutcome.AUTH),
        ("bad_digits", TrackOutcome.BAD_NUMBER),
        ("system_error", TrackOutcome.UNAVAILABLE),
    ],
)
def test_error_codes_are_told_apart(tracker, source, name, kind, outcome):
    tracker.control("faults", kind=kind)
    assert ask(source).outcome == outcome


# ---- faults ----

UNREADABLE = [*BROKEN_LINES, "shape_list", "shape_empty", "xml_bomb", "xml_file", "xml_other", "xml_blank", "xml_deep"]


@both
@pytest.mark.parametrize("kind", UNREADABLE)
def test_an_answer_that_cannot_be_read_is_unavailable_and_healthy_again_afterwards(tracker, source, name, kind):
    tracker.control("parcels", carrier=CARRIER, number=NUMBER, timeline=TWO_EVENTS)
    tracker.control("faults", kind=kind, operation=OPERATIONS[name])
    result = ask(source)
    assert (result.outcome, result.cause, result.events) == (TrackOutcome.UNAVAILABLE, Cause.MALFORMED, ())
    assert result.detail
    tracker.control("faults", method="DELETE")
    assert ask(source).events == READ_EVENTS


@both
@pytest.mark.parametrize(
    ("fault", "outcome", "cause"),
    [
        ({"kind": "http_429", "retry_after": 120}, TrackOutcome.RATE_LIMITED, None),
        ({"kind": "http_401"}, TrackOutcome.AUTH, None),
        ({"kind": "http_403"}, TrackOutcome.AUTH, None),
        ({"kind": "http_500", "status": 502}, TrackOutcome.UNAVAILABLE, Cause.SERVER),
        ({"kind": "http_500", "status": 404}, TrackOutcome.UNAVAILABLE, Cause.MALFORMED),
    ],
)
def test_statuses_are_told_apart(tracker, source, name, fault, outcome, cause):
    tracker.control("faults", operation=OPERATIONS[name], **fault)
    result = ask(source)
    assert (result.outcome, result.cause, result.retry_after) == (outcome, cause, fault.get("retry_after"))


@both
def test_silence_is_a_timeout(tracker, name):
    adapter, key, _ = SOURCES[name]
    tracker.control("faults", kind="hang", seconds=3, operation=OPERATIONS[name])
    result = ask(adapter(client_of(tracker, "epost", timeout=(1, 0.3)), key=key))
    assert (result.outcome, result.cause) == (TrackOutcome.UNAVAILABLE, Cause.TIMEOUT)


@both
@pytest.mark.parametrize("kind", ["xml_says_euc_kr", "xml_is_euc_kr", "xml_cdata", "euc_kr"])
def test_a_wrong_charset_is_read_all_the_same(tracker, source, name, kind):
    tracker.control("parcels", carrier=CARRIER, number=NUMBER, timeline=TWO_EVENTS)
    tracker.control("faults", kind=kind, operation=OPERATIONS[name])
    assert ask(source).events == READ_EVENTS


@both
@pytest.mark.parametrize(
    ("kind", "times"),
    [
        ("times_odd", [(datetime(2026, 11, 19, 15, tzinfo=UTC), True), (datetime(2026, 11, 20, 15, tzinfo=UTC), True)]),
        ("times_null", [(None, False)] * 2),
        ("times_far", [(None, False)] * 2),
    ],
)
def test_times_that_cannot_be_read_leave_the_events(tracker, source, name, kind, times):
    tracker.control("parcels", carrier=CARRIER, number=NUMBER, timeline=TWO_EVENTS)
    tracker.control("faults", kind=kind, operation=OPERATIONS[name])
    events = ask(source).events
    assert [(event.at, event.is_date_only) for event in events] == times
    assert [event.name for event in events] == ["접수", "배달완료"]


@both
def test_dirty_text_is_cleaned_and_cut(tracker, source, name):
    tracker.control("parcels", carrier=CARRIER, number=NUMBER, timeline=TWO_EVENTS)
    tracker.control("faults", kind="dirty_text", operation=OPERATIONS[name])
    assert {event.name for event in ask(source).events} == {"가" * 300}


@pytest.mark.parametrize("name", ["epost_open"])
def test_the_data_portals_order_numbers_put_shuffled_events_right(tracker, source, name):
    tracker.control("parcels", carrier=CARRIER, number=NUMBER, timeline=TWO_EVENTS)
    tracker.control("faults", kind="shuffled", operation="track_open")
    assert ask(source).events == READ_EVENTS


@pytest.mark.parametrize("name", ["epost_open"])
def test_the_life_of_another_number_is_not_believed(tracker, source, name):
    tracker.control("parcels", carrier=CARRIER, number=NUMBER, timeline=TWO_EVENTS)
    tracker.control("faults", kind="other_number", operation="track_open")
    result = ask(source)
    assert (result.outcome, result.cause, result.events) == (TrackOutcome.UNAVAILABLE, Cause.MALFORMED, ())


# ---- keys ----


@both
def test_the_key_reaches_no_log_and_no_error(tracker, source, name, caplog):
    caplog.set_level(logging.DEBUG)
    _, key, _ = SOURCES[name]
    for kind in ("html_200", "http_500", "refused", "close"):
        tracker.control("faults", method="DELETE")
        tracker.control("faults", kind=kind, operation=OPERATIONS[name])
        assert key not in repr(ask(source))
    assert key.rstrip("=") not in caplog.text


@both
@pytest.mark.parametrize("key", ["", "키", "a\nb"])
def test_a_key_that_cannot_be_sent_is_refused_at_the_start(canned, name, key):
    with pytest.raises(ValueError, match="printable"):
        SOURCES[name][0](Client(canned.base_url, allow_loopback=True), key=key)
