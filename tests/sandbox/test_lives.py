"""Parcels of the courier sandbox live by the clock, fail on demand and survive a kill (shipping.md 9)."""

import http.client
import json
import time
from email.utils import parsedate_to_datetime

import pytest

from sandbox.courier.timeline import CODES, SCENARIOS, scans
from tests.infra.tracker import RunningTracker
from tests.sandbox.samples import CJ, PAYLOAD_8_1, TRACK, ask, codes


@pytest.fixture
def tracker(tracker):
    tracker.control("clock", now="2026-11-22T12:00:00+09:00")
    return tracker


def test_a_registered_parcel_lives_by_the_clock(tracker):
    tracker.control("parcels", carrier=CJ, number="680000000011", scenario="happy")
    assert codes(ask(tracker, "680000000011")) == ["INFORMATION_RECEIVED"]
    tracker.control("clock", advance=4 * 3600)
    assert codes(ask(tracker, "680000000011")) == ["INFORMATION_RECEIVED", "AT_PICKUP"]
    tracker.control("clock", advance=25 * 3600)
    answer = ask(tracker, "680000000011")
    assert codes(answer)[-1] == "DELIVERED"
    assert answer["data"]["track"]["lastEvent"]["time"] == "2026-11-23T17:00:00.000+09:00"


@pytest.mark.parametrize(
    ("scenario", "last"),
    [
        ("happy", "배송완료"),
        ("next_day", "배송완료"),
        ("remote_3days", "배송완료"),
        ("no_pickup", "운송장 등록"),
        ("pickup_failed", "미집화"),
        ("attempt_fail_then_ok", "배송완료"),
        ("refused_return", "반송완료"),
        ("delivered_before_ofd", "배송출발"),
        ("lost", "분실"),
        ("damaged", "파손"),
        ("misdelivered", "오배송"),
        ("cvs_pickup", "배송완료"),
        ("holiday_gap", "배송완료"),
    ],
)
def test_every_scenario_ends_as_its_name_says(tracker, scenario, last):
    tracker.control("scenario", scenario=scenario, carrier=CJ, numbers=["680000000011", "680000000070"])
    tracker.control("clock", advance=7 * 86400)
    for number in ("680000000011", "680000000070"):
        edges = ask(tracker, number)["data"]["track"]["events"]["edges"]
        assert edges[-1]["node"]["status"]["name"] == last
        times = [edge["node"]["time"] for edge in edges]
        assert times == sorted(times)


def test_the_two_scenarios_without_events_fail(tracker):
    tracker.control("scenario", scenario="unknown", carrier=CJ, numbers=["680000000011"])
    assert ask(tracker, "680000000011")["errors"][0]["message"] == "운송장 미등록"
    tracker.control("scenario", scenario="error", carrier=CJ, numbers=["680000000070"])
    status, answer = tracker.graphql(TRACK, carrier=CJ, number="680000000070", first=20)
    assert (status, answer["errors"][0]["extensions"]["code"]) == (500, "INTERNAL")


def test_a_demo_number_begins_to_live_at_first_sight(tracker):
    assert codes(ask(tracker, "680000000081")) == ["INFORMATION_RECEIVED"]
    tracker.control("config", speed=300)
    tracker.control("clock", advance=6 * 60)
    answer = ask(tracker, "680000000081")
    assert codes(answer)[-1] == "DELIVERED"
    assert answer["data"]["track"]["lastEvent"]["time"] == "2026-11-22T12:05:48.000+09:00"


@pytest.mark.parametrize(
    ("number", "scenario_end"),
    [("680000000900", "운송장 등록"), ("680000000911", "배송완료"), ("680000000922", "반송완료")],
)
def test_the_tail_of_a_demo_number_chooses_its_story(tracker, number, scenario_end):
    ask(tracker, number)
    tracker.control("clock", advance=4 * 86400)
    assert ask(tracker, number)["data"]["track"]["events"]["edges"][-1]["node"]["status"]["name"] == scenario_end


def test_without_demo_mode_only_registered_numbers_are_known(tracker):
    tracker.control("config", is_demo=False)
    assert ask(tracker, "680000000081")["errors"][0]["extensions"]["code"] == "NOT_FOUND"
    assert json.loads(tracker.request("GET", "/healthz")[1])["parcels"] == 0


def test_a_long_holiday_leaves_five_days_without_a_scan(tracker):
    tracker.control("scenario", scenario="holiday_gap", carrier=CJ, numbers=["680000000011"])
    tracker.control("clock", advance=15 * 3600)
    before = codes(ask(tracker, "680000000011"))
    tracker.control("clock", advance=4.9 * 86400)
    assert codes(ask(tracker, "680000000011")) == before
    tracker.control("clock", advance=86400)
    assert codes(ask(tracker, "680000000011"))[-1] == "DELIVERED"


def test_a_million_parcels_live_by_their_hash_and_are_not_remembered(tracker):
    tracker.control("config", million=True)
    numbers = [f"63{body:09d}{body % 7}" for body in range(200)]
    first = [ask(tracker, number) for number in numbers]
    assert [ask(tracker, number) for number in numbers] == first
    lengths = {len(codes(answer)) for answer in first}
    assert lengths >= {1, 2, 3, 4, 5}
    tracker.control("clock", advance=4 * 86400)
    ends = [codes(ask(tracker, number))[-1] for number in numbers]
    assert 180 <= ends.count("DELIVERED") < 200
    assert json.loads(tracker.request("GET", "/healthz")[1])["parcels"] == 0
    tracker.control("config", million=False)
    assert ask(tracker, numbers[0])["errors"][0]["extensions"]["code"] == "NOT_FOUND"


def test_every_step_of_every_scenario_has_its_codes_in_all_services():
    for name, steps in SCENARIOS.items():
        for step in steps:
            assert step.codes is CODES[step.name], name
            assert step.codes.tracker == step.code
            assert step.codes.cj
            assert 1 <= step.codes.level <= 6


def test_a_timeline_may_say_the_codes_of_a_service_itself(tracker):
    kept = scans(
        scenario="happy",
        timeline=({"name": "경비실 위탁", "code": "UNKNOWN", "cj": "77", "level": 5}, {"code": "DELIVERED"}),
        seen_at=0.0,
        now=1.0,
        speed=1.0,
    )
    assert [(scan.codes.tracker, scan.codes.cj, scan.codes.level) for scan in kept] == [
        ("UNKNOWN", "77", 5),
        ("DELIVERED", "91", 6),
    ]


# ---- books ----


def test_the_books_survive_a_kill(tmp_path):
    state = tmp_path / "deep" / "books.sqlite3"
    first = RunningTracker(state, "--speed", "1")
    first.control("clock", now="2026-11-22T12:00:00+09:00")
    first.control("parcels", carrier=CJ, number="630000000000", timeline=PAYLOAD_8_1)
    first.control("faults", kind="http_500", number="9*")
    ask(first, "680000000081")
    first.kill()
    with RunningTracker.running(state, "--speed", "1") as second:
        assert second.read("clock")["now"] == "2026-11-22T12:00:00.000+09:00"
        assert codes(ask(second, "630000000000")) == ["AT_PICKUP", "IN_TRANSIT"]
        assert [fault["kind"] for fault in second.read("faults")] == ["http_500"]
        second.control("clock", advance=86400 * 2)
        assert ask(second, "680000000081")["data"]["track"]["lastEvent"]["time"] == "2026-11-23T17:00:00.000+09:00"
        assert second.stop() == 0


# ---- faults ----


def test_a_fault_hits_its_carrier_number_and_call_only(tracker):
    tracker.control("config", is_demo=False)
    tracker.control("faults", kind="http_429", carrier="kr.lotte", retry_after=120)
    tracker.control("faults", kind="forbidden_rate", carrier=CJ, number="68*", nth=[2])
    assert tracker.graphql(TRACK, carrier="kr.lotte", number="240000000015", first=1)[0] == 429
    first, second, third = (ask(tracker, "680000000011")["errors"][0] for _ in range(3))
    assert (first["message"], third["message"]) == ("운송장 미등록", "운송장 미등록")
    assert second == {"message": "Rate limit exceeded", "extensions": {"code": "FORBIDDEN"}}
    assert ask(tracker, "630000000000")["errors"][0]["message"] == "운송장 미등록"


def test_a_fault_by_chance_is_repeatable_and_a_limited_one_ends(tracker):
    tracker.control("faults", kind="http_500", probability=0.5, status=503)
    answers = [tracker.request("POST", "/graphql", {"query": "{ __typename }"})[0] for _ in range(3)]
    assert answers == [200, 200, 200]  # a fault is about track unless it says otherwise
    hits = [tracker.request("POST", "/graphql", track_body())[0] for _ in range(40)].count(503)
    assert 8 <= hits <= 32
    tracker.control("faults", method="DELETE")
    tracker.control("faults", kind="internal", times=1)
    assert "errors" in ask(tracker, "680000000081")
    assert "errors" not in ask(tracker, "680000000081")


def track_body():
    return {"query": TRACK, "variables": {"carrier": CJ, "number": "680000000081", "first": 20}}


def test_retry_after_comes_as_seconds_as_a_date_or_not_at_all(tracker):
    headers = []
    for values in ({"retry_after": 120}, {"retry_after": 120, "is_http_date": True}, {}):
        tracker.control("faults", method="DELETE")
        tracker.control("faults", kind="http_429", **values)
        connection = http.client.HTTPConnection("127.0.0.1", tracker.port, timeout=5)
        connection.request("POST", "/graphql", json.dumps(track_body()))
        headers.append(connection.getresponse().headers.get("Retry-After"))
        connection.close()
    assert (headers[0], headers[2]) == ("120", None)
    assert 110 <= parsedate_to_datetime(headers[1]).timestamp() - time.time() <= 121


def test_faults_of_the_connection(tracker):
    fault = tracker.control("faults", kind="refused")
    with pytest.raises(ConnectionError):
        tracker.request("POST", "/graphql", track_body())
    tracker.request("DELETE", f"/__control/faults?id={fault['id']}")
    tracker.control("faults", kind="close", times=1)
    with pytest.raises(http.client.IncompleteRead):
        tracker.request("POST", "/graphql", track_body())
    tracker.control("faults", kind="delay", seconds=0.3, times=1)
    started = time.monotonic()
    assert tracker.request("POST", "/graphql", track_body())[0] == 200
    assert time.monotonic() - started >= 0.3
    tracker.control("faults", kind="hang", seconds=0.3, times=1)
    with pytest.raises(ConnectionError):
        tracker.request("POST", "/graphql", track_body())


def test_the_log_and_the_counters_tell_what_was_asked(tracker):
    tracker.control("faults", kind="internal", number="680000000070")
    ask(tracker, "680000000081")
    ask(tracker, "680000000070")
    counts = tracker.read("counters")
    assert (counts["requests"], counts[f"carrier:{CJ}"], counts["fault:internal"]) == (2, 2, 1)
    assert counts["most_open"] == 1
    log = tracker.read("log")
    assert [(entry["number"], entry["fault"], entry["status"]) for entry in log] == [
        ("680000000081", "", 200),
        ("680000000070", "internal", 200),
    ]
    assert [entry["number"] for entry in tracker.read("log?number=680000000070")] == ["680000000070"]
    tracker.control("reset")
    assert tracker.read("counters") == {"requests": 0, "most_open": 0}
