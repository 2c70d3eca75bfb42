"""Every fault of a tracking source has its outcome and none is an exception (shipping.md 4.4, 9, A11)."""

import socket

import pytest

from core.http import Client
from shipping.adapters.base import Cause, TrackOutcome
from shipping.adapters.tracker_delivery import TEXT_LIMIT, TrackerDelivery
from shipping.states import TrackingStage
from tests.shipping.courier_samples import BROKEN_LINES, BROKEN_SHAPES
from tests.shipping.tracker_samples import CJ, LOTTE, NOW, NUMBER, READ_EVENTS, TWO_EVENTS, ask, projected


@pytest.fixture
def tracker(tracker):
    tracker.control("config", is_demo=False)
    tracker.control("clock", now=NOW.isoformat())
    return tracker


@pytest.fixture
def client(tracker):
    client = Client(tracker.base_url, allow_loopback=True, timeout=(1, 5))
    yield client
    client.close()


@pytest.fixture
def source(client):
    return TrackerDelivery(client)


UNREADABLE = [
    *BROKEN_LINES,
    *BROKEN_SHAPES,
    "shape_errors_text",
    "shape_errors_empty",
    "track_null",
    "track_list",
    "events_null",
    "events_list",
    "edges_null",
    "edges_text",
    "edges_only_odd",
    "endless_pages",
    "other_number",
]


@pytest.mark.parametrize("kind", UNREADABLE)
def test_an_answer_that_cannot_be_read_is_unavailable_and_healthy_again_afterwards(tracker, source, kind):
    tracker.control("parcels", carrier=CJ, number=NUMBER, timeline=TWO_EVENTS)
    tracker.control("faults", kind=kind)
    result = ask(source)
    assert (result.outcome, result.cause, result.events) == (TrackOutcome.UNAVAILABLE, Cause.MALFORMED, ())
    assert result.detail
    tracker.control("faults", method="DELETE")
    assert ask(source).events == READ_EVENTS


def test_a_body_that_cannot_be_read_is_kept_in_part_for_the_log(tracker, source):
    tracker.control("faults", kind="html_200")
    assert ask(source).sample.startswith("<!DOCTYPE html>")
    tracker.control("faults", method="DELETE")
    tracker.control("faults", kind="deep")
    assert ask(source).sample == "[" * 4096


@pytest.mark.parametrize(
    ("fault", "outcome", "cause", "retry_after"),
    [
        ({"kind": "http_500"}, TrackOutcome.UNAVAILABLE, Cause.SERVER, None),
        ({"kind": "http_500", "status": 502}, TrackOutcome.UNAVAILABLE, Cause.SERVER, None),
        ({"kind": "http_500", "status": 503}, TrackOutcome.UNAVAILABLE, Cause.SERVER, None),
        ({"kind": "http_500", "status": 404}, TrackOutcome.UNAVAILABLE, Cause.MALFORMED, None),
        ({"kind": "internal"}, TrackOutcome.UNAVAILABLE, Cause.SERVER, None),
        ({"kind": "http_401"}, TrackOutcome.AUTH, None, None),
        ({"kind": "http_403"}, TrackOutcome.AUTH, None, None),
        ({"kind": "forbidden_auth"}, TrackOutcome.AUTH, None, None),
        ({"kind": "forbidden_rate"}, TrackOutcome.RATE_LIMITED, None, None),
        ({"kind": "http_429"}, TrackOutcome.RATE_LIMITED, None, None),
        ({"kind": "http_429", "retry_after": 120}, TrackOutcome.RATE_LIMITED, None, 120),
        ({"kind": "http_429", "retry_after": 10**30}, TrackOutcome.RATE_LIMITED, None, 86_400),
        ({"kind": "http_429", "retry_after": -5}, TrackOutcome.RATE_LIMITED, None, None),
        ({"kind": "not_found"}, TrackOutcome.NOT_FOUND, None, None),
        ({"kind": "bad_number"}, TrackOutcome.BAD_NUMBER, None, None),
        ({"kind": "carrier_not_found"}, TrackOutcome.UNKNOWN_CARRIER, None, None),
    ],
)
def test_every_refusal_has_its_outcome_and_is_asked_once(tracker, source, fault, outcome, cause, retry_after):
    tracker.control("parcels", carrier=CJ, number=NUMBER, timeline=TWO_EVENTS)
    tracker.control("faults", **fault)
    result = ask(source)
    assert (result.outcome, result.cause, result.retry_after) == (outcome, cause, retry_after)
    assert result.events == ()
    assert tracker.read("counters")["requests"] == 1


def test_a_date_in_retry_after_becomes_seconds(tracker, source):
    tracker.control("faults", kind="http_429", retry_after=120, is_http_date=True)
    result = ask(source)
    assert result.outcome == TrackOutcome.RATE_LIMITED
    assert 110 <= result.retry_after <= 121


@pytest.mark.parametrize(("kind", "seconds"), [("hang", 3), ("delay", 3), ("drip", 0.05)])
def test_a_source_that_takes_too_long_is_a_timeout(tracker, kind, seconds):
    tracker.control("parcels", carrier=CJ, number=NUMBER, timeline=TWO_EVENTS)
    tracker.control("faults", kind=kind, seconds=seconds)
    client = Client(tracker.base_url, allow_loopback=True, timeout=(1, 0.4))
    result = ask(TrackerDelivery(client))
    assert (result.outcome, result.cause) == (TrackOutcome.UNAVAILABLE, Cause.TIMEOUT)
    client.close()


def test_a_short_delay_is_waited_for(tracker, source):
    tracker.control("parcels", carrier=CJ, number=NUMBER, timeline=TWO_EVENTS)
    tracker.control("faults", kind="delay", seconds=0.2)
    assert ask(source).events == READ_EVENTS


def test_a_closed_port_is_unreachable():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    result = ask(TrackerDelivery(Client(f"http://127.0.0.1:{port}", allow_loopback=True)))
    assert (result.outcome, result.cause) == (TrackOutcome.UNAVAILABLE, Cause.UNREACHABLE)


def test_an_inner_address_that_is_not_allowed_is_never_visited(tracker):
    public_only = Client(tracker.base_url.replace("http://127.0.0.1", "https://127.0.0.1"))
    result = ask(TrackerDelivery(public_only))
    assert (result.outcome, result.cause) == (TrackOutcome.UNAVAILABLE, Cause.UNREACHABLE)
    assert tracker.read("counters")["requests"] == 0


def test_a_connection_that_was_closed_while_idle_is_tried_once_more(tracker, source):
    tracker.control("parcels", carrier=CJ, number=NUMBER, timeline=TWO_EVENTS)
    assert ask(source).events == READ_EVENTS
    tracker.control("faults", kind="refused", nth=[1])
    assert ask(source).events == READ_EVENTS
    assert tracker.read("counters")["requests"] == 3


@pytest.mark.parametrize("kind", ["refused", "close", "truncated"])
def test_one_question_is_one_request_where_the_connection_is_new(tracker, source, kind):
    """What is sent again takes no place in the account's quota, and a courier that is down would be asked twice."""
    tracker.control("faults", kind=kind)
    assert ask(source).cause == Cause.MALFORMED
    assert tracker.read("counters")["requests"] == 1


def test_the_key_travels_in_its_header_and_a_wrong_one_is_an_auth_failure(tracker, client):
    tracker.control("parcels", carrier=CJ, number=NUMBER, timeline=TWO_EVENTS)
    tracker.control("config", api_key="client:secret")
    assert ask(TrackerDelivery(client)).outcome == TrackOutcome.AUTH
    assert ask(TrackerDelivery(client, api_key="client:old")).outcome == TrackOutcome.AUTH
    assert ask(TrackerDelivery(client, api_key="client:secret")).events == READ_EVENTS


@pytest.mark.parametrize("key", ["a\nb", "a:비밀", "a\x00"])
def test_a_key_that_no_header_can_carry_is_refused_at_once(client, key):
    with pytest.raises(ValueError, match="printable ASCII"):
        TrackerDelivery(client, api_key=key)


# ---- odd events ----


@pytest.mark.parametrize("kind", ["edges_odd", "page_info_null", "extra_fields"])
def test_what_can_be_read_of_an_odd_answer_is_kept(tracker, source, kind):
    tracker.control("parcels", carrier=CJ, number=NUMBER, timeline=TWO_EVENTS)
    tracker.control("faults", kind=kind)
    assert ask(source).events == READ_EVENTS


def test_a_full_page_without_page_information_is_not_taken_for_the_whole(tracker, source):
    tracker.control("parcels", carrier=CJ, number=NUMBER, timeline=[{"after": 0, "code": "IN_TRANSIT"}] * 45)
    tracker.control("faults", kind="page_info_null")
    assert ask(source).cause == Cause.MALFORMED


@pytest.mark.parametrize("kind", ["times_null", "times_odd", "times_far"])
def test_a_time_that_cannot_be_read_is_none(tracker, source, kind):
    tracker.control("parcels", carrier=CJ, number=NUMBER, timeline=TWO_EVENTS)
    tracker.control("faults", kind=kind)
    result = ask(source)
    assert [event.at for event in result.events] == [None, None]
    assert projected(result).stage == TrackingStage.IN_TRANSIT


def test_a_missing_status_and_numbers_in_place_of_text_stay_harmless(tracker, source):
    tracker.control("parcels", carrier=CJ, number=NUMBER, timeline=TWO_EVENTS)
    tracker.control("faults", kind="status_null", times=1)
    assert [(event.code, event.name) for event in ask(source).events] == [("", ""), ("", "")]
    tracker.control("faults", kind="numbers_for_text")
    assert [(event.code, event.name, event.text, event.place) for event in ask(source).events] == [
        ("1", "2", "7", "")
    ] * 2


def test_dirty_text_is_cleaned_and_cut(tracker, source):
    tracker.control("parcels", carrier=CJ, number=NUMBER, timeline=TWO_EVENTS)
    tracker.control("faults", kind="dirty_text")
    text = ask(source).events[0].text
    assert text.startswith("<script>alert(1)</script>🚚가가")
    assert len(text) == TEXT_LIMIT
    assert text.isprintable()
    text.encode()


def test_shuffled_and_repeated_events_project_to_the_same_stage(tracker, source):
    tracker.control("parcels", carrier=CJ, number=NUMBER, timeline=TWO_EVENTS)
    plain = projected(ask(source))
    for kind in ("shuffled", "duplicated"):
        tracker.control("faults", method="DELETE")
        tracker.control("faults", kind=kind)
        assert projected(ask(source)).fingerprint == plain.fingerprint


def test_a_delivery_that_vanishes_at_the_source_does_not_undo_it(tracker, source):
    done = {"at": "2026-11-21T15:31:00+09:00", "code": "DELIVERED", "name": "배송완료"}
    tracker.control("parcels", carrier=CJ, number=NUMBER, timeline=[*TWO_EVENTS, done])
    first = projected(ask(source))
    tracker.control("faults", kind="vanished")
    assert projected(ask(source), previous=first.stage).stage == TrackingStage.DELIVERED


def test_a_lotte_scan_at_the_last_second_of_a_day_is_a_date_only(tracker, source):
    timeline = [
        {"at": "2026-11-20T23:59:59+09:00", "code": "AT_PICKUP", "name": "집하"},
        {"at": "2026-11-21T16:15:00+09:00", "code": "DELIVERED", "name": "배달완료"},
    ]
    tracker.control("parcels", carrier=LOTTE, number="240000000015", timeline=timeline)
    tracker.control("parcels", carrier=CJ, number=NUMBER, timeline=timeline)
    assert [event.is_date_only for event in ask(source, "240000000015", "HYUNDAI").events] == [True, False]
    assert [event.is_date_only for event in ask(source).events] == [False, False]
