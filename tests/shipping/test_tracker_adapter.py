"""The adapter of tracker.delivery against its twin, over a socket (shipping.md 4.4, 8.1-8.4, 9, A8, A11, A12)."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from core.http import Client
from shipping.adapters.base import Cause, TrackOutcome, TrackResult
from shipping.adapters.tracker_delivery import MAX_PAGES, PAGE_SIZE, TrackerDelivery
from shipping.normalise import Reason
from shipping.projection import project
from shipping.states import TrackingStage
from tests.shipping.tracker_samples import CJ, NOW, NUMBER, READ_EVENTS, RULES, TWO_EVENTS, ask, projected


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


# ---- payloads ----


def test_payload_8_1_arrives_whole_and_stands_in_transit(tracker, source):
    tracker.control("parcels", carrier=CJ, number=NUMBER, timeline=TWO_EVENTS)
    result = ask(source)
    assert result == TrackResult(outcome=TrackOutcome.FOUND, events=READ_EVENTS)
    assert projected(result).stage == TrackingStage.IN_TRANSIT


def test_payload_8_2_is_a_delivery_at_its_own_time(tracker, source):
    timeline = [
        {"at": "2026-11-21T09:57:00+09:00", "code": "DELIVERED", "name": "배송완료"},
        {"at": "2026-11-21T10:02:00+09:00", "code": "OUT_FOR_DELIVERY", "name": "배송출발"},
    ]
    tracker.control("parcels", carrier=CJ, number=NUMBER, timeline=timeline)
    now = projected(ask(source))
    assert (now.stage, now.delivered_at) == (TrackingStage.DELIVERED, datetime(2026, 11, 21, 0, 57, tzinfo=UTC))


def test_payload_8_3_is_a_failed_attempt_with_its_reason(tracker, source):
    missed = {
        "at": "2026-11-21T19:20:00+09:00",
        "code": "UNKNOWN",
        "name": "미배송",
        "description": "고객 부재로 미배송",
    }
    tracker.control("parcels", carrier=CJ, number=NUMBER, timeline=[*TWO_EVENTS, missed])
    now = projected(ask(source), previous=TrackingStage.IN_TRANSIT)
    assert (now.stage, now.reason) == (TrackingStage.ATTEMPT_FAILED, Reason.ABSENT)


def test_an_empty_list_of_events_is_found_and_means_not_picked_up(tracker, source):
    tracker.control("parcels", carrier=CJ, number=NUMBER, timeline=[])
    result = ask(source)
    assert (result.outcome, result.events) == (TrackOutcome.FOUND, ())
    assert projected(result).stage == TrackingStage.NO_INFO


@pytest.mark.parametrize(
    ("courier", "number", "outcome"),
    [
        ("CJGLS", "630000000000", TrackOutcome.NOT_FOUND),
        ("CJGLS", "68000000001", TrackOutcome.BAD_NUMBER),
        ("HYUNDAI", "240000000016", TrackOutcome.BAD_NUMBER),
        ("KDEXP", "1234567890123", TrackOutcome.NOT_FOUND),
        ("FEDEX", "123456789012", TrackOutcome.UNKNOWN_CARRIER),
    ],
)
def test_errors_of_payload_8_4_are_told_apart(tracker, source, courier, number, outcome):
    result = ask(source, number, courier)
    assert (result.outcome, result.events, result.retry_after) == (outcome, (), None)
    assert tracker.read("counters")["requests"] == 1


@pytest.mark.parametrize(
    ("courier", "number", "outcome"),
    [
        ("HDEXP", "1234567890", TrackOutcome.UNKNOWN_CARRIER),
        ("NOBODY", "1234567890", TrackOutcome.UNKNOWN_CARRIER),
        ("", "1234567890", TrackOutcome.UNKNOWN_CARRIER),
        ("CJGLS", "", TrackOutcome.BAD_NUMBER),
        ("CJGLS", "6800-0000-0011", TrackOutcome.BAD_NUMBER),
        ("CJGLS", "직접수령", TrackOutcome.BAD_NUMBER),
        ("CJGLS", "６８００００００００１１", TrackOutcome.BAD_NUMBER),
        ("CJGLS", "\ud800", TrackOutcome.BAD_NUMBER),
    ],
)
def test_what_cannot_be_asked_is_answered_without_a_call(tracker, source, courier, number, outcome):
    assert ask(source, number, courier).outcome == outcome
    assert tracker.read("counters")["requests"] == 0


# ---- paging ----


def test_forty_five_events_come_in_three_pages_without_gaps_or_repeats(tracker, source):
    timeline = [
        {"at": f"2026-11-20T10:{index:02d}:00+09:00", "code": "IN_TRANSIT", "name": f"경유 {index}"}
        for index in range(45)
    ]
    tracker.control("parcels", carrier=CJ, number=NUMBER, timeline=timeline)
    first, second = ask(source), ask(source)
    assert [event.name for event in first.events] == [f"경유 {index}" for index in range(45)]
    assert first == second
    assert tracker.read("counters")["requests"] == 6
    assert projected(first).fingerprint == projected(second).fingerprint


def test_exactly_one_full_page_asks_once(tracker, source):
    timeline = [{"after": 0, "code": "IN_TRANSIT", "name": str(index)} for index in range(PAGE_SIZE)]
    tracker.control("parcels", carrier=CJ, number=NUMBER, timeline=timeline)
    assert len(ask(source).events) == PAGE_SIZE
    assert tracker.read("counters")["requests"] == 1


def test_pages_without_end_are_given_up(tracker, source):
    timeline = [{"after": 0, "code": "IN_TRANSIT"}] * (PAGE_SIZE * MAX_PAGES + 1)
    tracker.control("parcels", carrier=CJ, number=NUMBER, timeline=timeline)
    result = ask(source)
    assert (result.outcome, result.cause, result.events) == (TrackOutcome.UNAVAILABLE, Cause.MALFORMED, ())
    assert tracker.read("counters")["requests"] == MAX_PAGES


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("not_found", TrackOutcome.UNAVAILABLE),
        ("bad_number", TrackOutcome.UNAVAILABLE),
        ("carrier_not_found", TrackOutcome.UNAVAILABLE),
        ("http_429", TrackOutcome.RATE_LIMITED),
        ("http_500", TrackOutcome.UNAVAILABLE),
        ("forbidden_auth", TrackOutcome.AUTH),
    ],
)
def test_a_failure_on_a_later_page_never_yields_half_a_list(tracker, source, kind, outcome):
    tracker.control("parcels", carrier=CJ, number=NUMBER, timeline=[{"after": 0, "code": "IN_TRANSIT"}] * 45)
    tracker.control("faults", kind=kind, nth=[2])
    result = ask(source)
    assert (result.outcome, result.events) == (outcome, ())


# ---- a whole life, and many at once ----


@pytest.mark.parametrize(
    ("scenario", "stages"),
    [
        ("happy", ["REGISTERED", "PICKED_UP", "IN_TRANSIT", "OUT_FOR_DELIVERY", "DELIVERED"]),
        ("no_pickup", ["REGISTERED"]),
        ("pickup_failed", ["REGISTERED", "PICKUP_FAILED"]),
        (
            "attempt_fail_then_ok",
            [
                "REGISTERED",
                "PICKED_UP",
                "IN_TRANSIT",
                "OUT_FOR_DELIVERY",
                "ATTEMPT_FAILED",
                "OUT_FOR_DELIVERY",
                "DELIVERED",
            ],
        ),
        (
            "refused_return",
            ["REGISTERED", "PICKED_UP", "IN_TRANSIT", "OUT_FOR_DELIVERY", "ATTEMPT_FAILED", "RETURNING", "RETURNED"],
        ),
        ("delivered_before_ofd", ["REGISTERED", "PICKED_UP", "IN_TRANSIT", "DELIVERED"]),
        ("cvs_pickup", ["REGISTERED", "PICKED_UP", "IN_TRANSIT", "AVAILABLE_FOR_PICKUP", "DELIVERED"]),
        ("lost", ["REGISTERED", "PICKED_UP", "IN_TRANSIT", "EXCEPTION"]),
    ],
)
def test_a_parcel_polled_every_hour_goes_through_its_stages_once(tracker, source, scenario, stages):
    tracker.control("parcels", carrier=CJ, number=NUMBER, scenario=scenario)
    seen, at, stage = [], NOW, None
    for _ in range(72):
        result = ask(source)
        now = project(result.events, previous=stage, numbered_at=NOW, at=at, rules=RULES)
        if now.stage != stage:
            seen.append(now.stage)
        stage, at = now.stage, at + timedelta(hours=1)
        tracker.control("clock", advance=3600)
    assert seen == stages


def test_one_adapter_serves_many_threads(tracker, source):
    numbers = [f"68000000{index:04d}" for index in range(40)]
    timeline = [{"at": "2026-11-20T18:05:00+09:00", "code": "AT_PICKUP", "name": "집화처리"}]
    tracker.control("parcels", parcels=[{"carrier": CJ, "number": number, "timeline": timeline} for number in numbers])
    outcomes = {}

    def work(part):
        for number in part:
            outcomes[number] = ask(source, number).outcome

    threads = [threading.Thread(target=work, args=(numbers[start::8],)) for start in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == dict.fromkeys(numbers, TrackOutcome.FOUND)
