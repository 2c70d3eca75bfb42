"""The twin of tracker.delivery: protocol, lives, faults, and books that survive a kill (shipping.md 1.1, 9)."""

import http.client
import json
import socket
import time
from email.utils import parsedate_to_datetime

import pytest

from tests.sandbox.running import RunningTracker, running_tracker

CJ = "kr.cjlogistics"
TRACK = """
query Track($carrier: ID!, $number: ID!, $first: Int, $after: String) {
  track(carrierId: $carrier, trackingNumber: $number) {
    trackingNumber
    lastEvent { time status { code name } description }
    events(first: $first, after: $after) {
      edges { cursor node { ...event } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
}
fragment event on TrackEvent {
  time status { code name } location { countryCode postalCode name } description
}
"""
PAYLOAD_8_1 = [
    {
        "at": "2026-11-20T18:05:00+09:00",
        "code": "AT_PICKUP",
        "name": "집화처리",
        "description": "상품 인수",
        "place": "경기테스트",
    },
    {
        "at": "2026-11-20T22:41:10+09:00",
        "code": "IN_TRANSIT",
        "name": "간선상차",
        "description": "배송지역으로 이동 중",
        "place": "옥천HUB",
    },
]


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    with running_tracker(tmp_path_factory.mktemp("tracker") / "books.sqlite3", "--speed", "1") as tracker:
        yield tracker


@pytest.fixture
def tracker(process):
    process.control("reset")
    process.control("clock", now="2026-11-22T12:00:00+09:00")
    return process


def ask(tracker, number, *, carrier=CJ, first=20, after=None):
    status, answer = tracker.graphql(TRACK, carrier=carrier, number=number, first=first, after=after)
    assert status == 200
    return answer


def codes(answer):
    return [edge["node"]["status"]["code"] for edge in answer["data"]["track"]["events"]["edges"]]


# ---- protocol ----


def test_payload_8_1_comes_back_letter_by_letter(tracker):
    tracker.control("parcels", carrier=CJ, number="680000000011", timeline=PAYLOAD_8_1)
    assert ask(tracker, "680000000011") == {
        "data": {
            "track": {
                "trackingNumber": "680000000011",
                "lastEvent": {
                    "time": "2026-11-20T22:41:10.000+09:00",
                    "status": {"code": "IN_TRANSIT", "name": "간선상차"},
                    "description": "배송지역으로 이동 중",
                },
                "events": {
                    "edges": [
                        {
                            "cursor": "eyJpbmRleCI6MH0=",
                            "node": {
                                "time": "2026-11-20T18:05:00.000+09:00",
                                "status": {"code": "AT_PICKUP", "name": "집화처리"},
                                "location": {"countryCode": "KR", "postalCode": None, "name": "경기테스트"},
                                "description": "상품 인수",
                            },
                        },
                        {
                            "cursor": "eyJpbmRleCI6MX0=",
                            "node": {
                                "time": "2026-11-20T22:41:10.000+09:00",
                                "status": {"code": "IN_TRANSIT", "name": "간선상차"},
                                "location": {"countryCode": "KR", "postalCode": None, "name": "옥천HUB"},
                                "description": "배송지역으로 이동 중",
                            },
                        },
                    ],
                    "pageInfo": {
                        "hasNextPage": False,
                        "hasPreviousPage": False,
                        "startCursor": "eyJpbmRleCI6MH0=",
                        "endCursor": "eyJpbmRleCI6MX0=",
                    },
                },
            }
        }
    }


def test_arguments_may_stand_in_the_document_and_fields_under_other_names(tracker):
    tracker.control("parcels", carrier=CJ, number="680000000011", timeline=PAYLOAD_8_1)
    query = '{ a: track(carrierId: "kr.cjlogistics", trackingNumber: "680000000011") { n: trackingNumber } }'
    assert tracker.graphql(query) == (200, {"data": {"a": {"n": "680000000011"}}})


def test_the_last_event_is_the_delivery_even_when_it_is_not_the_last_in_the_list(tracker):
    timeline = [
        {"at": "2026-11-21T09:57:00+09:00", "code": "DELIVERED", "name": "배송완료"},
        {"at": "2026-11-21T10:02:00+09:00", "code": "OUT_FOR_DELIVERY", "name": "배송출발"},
    ]
    tracker.control("parcels", carrier=CJ, number="680000000011", timeline=timeline)
    answer = ask(tracker, "680000000011")
    assert codes(answer) == ["DELIVERED", "OUT_FOR_DELIVERY"]
    assert answer["data"]["track"]["lastEvent"]["time"] == "2026-11-21T09:57:00.000+09:00"


@pytest.mark.parametrize(
    ("carrier", "number", "message", "code"),
    [
        ("kr.nobody", "680000000011", "Carrier not found", "NOT_FOUND"),
        (CJ, "630000000000", "운송장 미등록", "NOT_FOUND"),
        (CJ, "68000000001", "운송장 번호는 10자리 혹은 12자리입니다.", "BAD_REQUEST"),
        ("kr.hanjin", "4000000000", "운송장 번호는 12자리 혹은 14자리 숫자입니다.", "BAD_REQUEST"),
        ("kr.lotte", "240000000016", "운송장 번호가 유효하지 않습니다.", "BAD_REQUEST"),
        ("kr.logen", "9000000001X", "운송장 번호는 숫자입니다.", "BAD_REQUEST"),
    ],
)
def test_errors_of_payload_8_4_come_with_status_200_and_no_data(tracker, carrier, number, message, code):
    error = {"message": message, "path": ["track"], "extensions": {"code": code}}
    assert ask(tracker, number, carrier=carrier) == {"errors": [error], "data": {"track": None}}
    assert json.loads(tracker.request("GET", "/healthz")[1]) == {"status": "ok", "parcels": 0}


def test_pages_hold_twenty_events_whatever_was_asked(tracker):
    timeline = [{"after": 0, "code": "IN_TRANSIT", "name": f"경유 {index}"} for index in range(45)]
    tracker.control("parcels", carrier=CJ, number="680000000011", timeline=timeline)
    names, after = [], None
    for size in (20, 20, 5):
        page = ask(tracker, "680000000011", first=100, after=after)["data"]["track"]["events"]
        assert len(page["edges"]) == size
        names += [edge["node"]["status"]["name"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
    assert names == [f"경유 {index}" for index in range(45)]
    assert not page["pageInfo"]["hasNextPage"]


@pytest.mark.parametrize("paging", ["", "(first: 1, last: 1)", '(first: 1, after: "zzz")', "(first: -1)"])
def test_exactly_one_of_first_and_last_is_needed(tracker, paging):
    query = (
        f'{{ track(carrierId: "{CJ}", trackingNumber: "680000000011") {{ events{paging} {{ edges {{ cursor }} }} }} }}'
    )
    status, answer = tracker.graphql(query)
    assert (status, answer["errors"][0]["extensions"]["code"]) == (200, "BAD_REQUEST")
    assert answer["data"] == {"track": None}


def test_the_last_page_backwards(tracker):
    timeline = [{"after": 0, "code": "IN_TRANSIT", "name": str(index)} for index in range(5)]
    tracker.control("parcels", carrier=CJ, number="680000000011", timeline=timeline)
    query = (
        f'{{ track(carrierId: "{CJ}", trackingNumber: "680000000011") '
        "{ events(last: 2) { edges { node { status { name } } } pageInfo { hasPreviousPage hasNextPage } } } }"
    )
    events = tracker.graphql(query)[1]["data"]["track"]["events"]
    assert [edge["node"]["status"]["name"] for edge in events["edges"]] == ["3", "4"]
    assert events["pageInfo"] == {"hasPreviousPage": True, "hasNextPage": False}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{ trac", "GRAPHQL_PARSE_FAILED"),
        ("", "GRAPHQL_PARSE_FAILED"),
        ("{ track }", "GRAPHQL_VALIDATION_FAILED"),
        ('{ track(carrierId: "x") { trackingNumber } }', "GRAPHQL_VALIDATION_FAILED"),
        ('{ track(carrierId: "x", trackingNumber: "1") { colour } }', "GRAPHQL_VALIDATION_FAILED"),
        ('{ track(carrierId: "x", trackingNumber: "1") }', "GRAPHQL_VALIDATION_FAILED"),
        ("{ carriers(first: 1) { ...missing } }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ carriers(first: 1) { ...a } } fragment a on X { ...a }", "GRAPHQL_VALIDATION_FAILED"),
        ("mutation { track }", "GRAPHQL_VALIDATION_FAILED"),
        ("query a { __typename } query b { __typename }", "OPERATION_RESOLUTION_FAILURE"),
        ("query($n: ID!) { carrier(id: $n) { id } }", "BAD_USER_INPUT"),
        ("{a" * 20_000, "GRAPHQL_PARSE_FAILED"),
    ],
)
def test_a_wrong_document_is_a_bad_request(tracker, query, code):
    status, answer = tracker.graphql(query)
    assert (status, answer["errors"][0]["extensions"]["code"]) == (400, code)


def test_carriers_can_be_listed_and_looked_up(tracker):
    query = (
        "query($after: String) { carriers(first: 20, after: $after) "
        "{ edges { node { id name } } pageInfo { endCursor hasNextPage } } }"
    )
    found, after, more = {}, None, True
    while more:
        page = tracker.graphql(query, after=after)[1]["data"]["carriers"]
        found |= {edge["node"]["id"]: edge["node"]["name"] for edge in page["edges"]}
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    assert len(found) == 24
    assert found[CJ] == "CJ대한통운"
    query = '{ carrier(id: "kr.lotte") { name } none: carrier(id: "kr.nobody") { name } }'
    assert tracker.graphql(query) == (200, {"data": {"carrier": {"name": "롯데택배"}, "none": None}})


def test_a_key_is_asked_for_when_one_is_set(tracker):
    tracker.control("config", api_key="client:secret")
    for headers in ({}, {"Authorization": "TRACKQL-API-KEY client:other"}):
        status, answer = tracker.graphql("{ __typename }", headers)
        error = {"message": "Invalid credentials", "extensions": {"code": "FORBIDDEN"}}
        assert (status, answer) == (200, {"errors": [error], "data": None})
    headers = {"Authorization": "TRACKQL-API-KEY client:secret"}
    assert tracker.graphql("{ __typename }", headers) == (200, {"data": {"__typename": "Query"}})


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nowhere", None, 404),
        ("POST", "/nowhere", b"{}", 404),
        ("POST", "/graphql", b"[]", 400),
        ("POST", "/graphql", b"{", 400),
        ("POST", "/graphql", b"[" * 100_000, 400),
        ("POST", "/graphql", b'{"query": 5}', 400),
        ("POST", "/graphql", b'{"query": "{ __typename }", "variables": []}', 400),
        ("POST", "/graphql", b'{"query": "{ __typename }", "variables": [1]}', 400),
        ("POST", "/__control/nothing", b"{}", 404),
        ("POST", "/__control/faults", b'{"kind": "nonsense"}', 400),
        ("POST", "/__control/faults", b'{"kind": "hang", "colour": 1}', 400),
        ("POST", "/__control/faults", b"[]", 400),
        ("POST", "/__control/parcels", b'{"carrier": "kr.nobody", "number": "1"}', 400),
        ("POST", "/__control/parcels", b'{"number": "1"}', 400),
        ("POST", "/__control/parcels", b'{"carrier": "kr.lotte", "number": "1", "scenario": "x"}', 400),
        ("POST", "/__control/parcels", b'{"carrier": "kr.lotte", "number": "1", "timeline": [{"at": "x"}]}', 400),
        ("POST", "/__control/clock", b'{"now": "yesterday"}', 400),
        ("POST", "/__control/config", b'{"speed": 0}', 400),
    ],
)
def test_wrong_requests_are_answered_and_change_nothing(tracker, method, path, body, status):
    before = (tracker.read("faults"), tracker.read("clock"))
    assert tracker.request(method, path, body)[0] == status
    assert (tracker.read("faults"), tracker.read("clock")) == before
    assert json.loads(tracker.request("GET", "/healthz")[1])["parcels"] == 0


def test_a_body_without_a_length_is_refused(tracker):
    with socket.create_connection(("127.0.0.1", tracker.port), timeout=5) as connection:
        connection.sendall(b"POST /graphql HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 411 ")


def test_it_listens_on_loopback_only(tracker):
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", tracker.port), timeout=1)
    assert tracker.base_url.startswith("http://127.0.0.1:")


# ---- lives ----


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
    ],
)
def test_every_scenario_ends_as_its_name_says(tracker, scenario, last):
    tracker.control("scenario", scenario=scenario, carrier=CJ, numbers=["680000000011", "680000000070"])
    tracker.control("clock", advance=4 * 86400)
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


# ---- books ----


def test_the_books_survive_a_kill(tmp_path):
    state = tmp_path / "deep" / "books.sqlite3"
    first = RunningTracker(state, "--speed", "1")
    first.control("clock", now="2026-11-22T12:00:00+09:00")
    first.control("parcels", carrier=CJ, number="630000000000", timeline=PAYLOAD_8_1)
    first.control("faults", kind="http_500", number="9*")
    ask(first, "680000000081")
    first.kill()
    with running_tracker(state, "--speed", "1") as second:
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
