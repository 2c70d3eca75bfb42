"""The twin of tracker.delivery speaks its protocol: queries, errors, pages, key (shipping.md 1.1, 8)."""

import json
import socket

import pytest

from tests.sandbox.samples import CJ, PAYLOAD_8_1, ask, codes


@pytest.fixture
def tracker(tracker):
    tracker.control("clock", now="2026-11-22T12:00:00+09:00")
    return tracker


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


def test_a_server_of_ones_own_has_no_webhooks_and_no_names_of_carriers(tracker):
    register = "mutation R($i: RegisterTrackWebhookInput!) { registerTrackWebhook(input: $i) }"
    given = {
        "carrierId": CJ, "trackingNumber": "680000000011", "callbackUrl": "http://127.0.0.1:9/x",
        "expirationTime": "2000-01-01T00:00:00+09:00",
    }  # fmt: skip
    assert tracker.graphql(register, i=given)[1] == {"data": {"registerTrackWebhook": True}}
    name = f'{{ carrier(id: "{CJ}") {{ name }} }}'
    assert tracker.graphql(name)[0] == 200
    tracker.control("service", name="tracker", profile="oss")
    for query, values in ((register, {"i": given}), (name, {})):
        status, answer = tracker.graphql(query, **values)
        assert (status, answer["errors"][0]["extensions"]["code"]) == (400, "GRAPHQL_VALIDATION_FAILED")
