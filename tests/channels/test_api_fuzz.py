"""Anything may be sent to the API: the answer is JSON in Korean, 2xx or 4xx, and refusals leave nothing behind."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.models import IdempotencyKey
from orders.models import Order, OrderEvent, OrderLine
from tests.channels.conftest import Api, order_body

NASTY = [
    "", " ", "\x00", "a\x00b", "\ud800", "😀" * 50, "가" * 10_000, "=1+1", "'; DROP TABLE orders_order; --", "\u202e",
    "1e400", "NaN", "2026-09-21", "9999-12-31T23:59:59+09:00", "0001-01-01T00:00:00Z",
]  # fmt: skip
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([2**31, 2**63, -(2**63), 10**40, -1, 0, 10**14]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(NASTY),
    st.text(st.characters(codec=None), max_size=30),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=3),
)


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place inside a JSON value."""
    found = [at] if at else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in items:
        found += paths(one, (*at, key))
    return found


def replaced(body: Any, at: tuple[Any, ...], value: Any) -> Any:
    """The body with another value (or none) in one place."""
    copy = json.loads(json.dumps(body))
    target = copy
    for key in at[:-1]:
        target = target[key]
    target[at[-1]] = value
    return copy


PLACES = paths(order_body(ship_by="2026-09-28T00:00:00+09:00", delivery_note="문 앞", delivery_method="PARCEL"))


def check(answer: Any) -> None:
    """Never a 500, always JSON; an error says what is wrong in Korean."""
    assert answer.status_code < 500, answer.content
    assert answer["Content-Type"].startswith("application/json")
    body = answer.json()
    if answer.status_code >= 400:
        assert set(body) >= {"code", "message"}
        assert any("가" <= letter <= "힣" for letter in body["message"])


def rows() -> tuple[int, ...]:
    """How much is stored."""
    models = (Order, OrderLine, OrderEvent, IdempotencyKey)
    return tuple(model.objects.count() for model in models)


@settings(max_examples=300, suppress_health_check=list(HealthCheck), derandomize=True)
@given(place=st.sampled_from(PLACES), value=VALUES, number=st.integers(0, 5))
def test_any_value_in_any_place_of_an_order_is_answered(api: Api, place: Any, value: Any, number: int):
    body = order_body(f"M-{number}", ship_by="2026-09-28T00:00:00+09:00", delivery_note="문", delivery_method="PARCEL")
    try:
        sent = json.dumps(replaced(body, place, value), ensure_ascii=True)
    except ValueError:
        return
    before = rows()
    headers = api.headers | {"Idempotency-Key": f"fuzz-{number}-{abs(hash(sent))}"}
    answer = api.client.post("/api/v1/orders", sent, content_type="application/json", headers=headers)
    check(answer)
    if answer.status_code >= 400:
        assert rows() == before


@settings(max_examples=60, suppress_health_check=list(HealthCheck), derandomize=True)
@given(raw=st.one_of(st.binary(max_size=200), st.text(max_size=50).map(lambda text: text.encode("utf-8", "replace"))))
def test_any_bytes_are_answered(api: Api, raw: bytes):
    before = rows()
    for path in ("/orders", "/orders/20260921-0000001/confirm-purchase"):
        headers = api.headers | {"Idempotency-Key": "raw"}
        check(api.client.post(f"/api/v1{path}", raw, content_type="application/json", headers=headers))
    assert rows() == before


@settings(max_examples=60, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    name=st.sampled_from(
        ["q", "tab", "sort", "after", "before", "size", "period", "from", "to", "channel", "sku", "x__y"]
    ),
    value=st.one_of(st.sampled_from(NASTY), st.text(max_size=20)),
)
def test_any_query_string_is_answered(api: Api, name: str, value: str):
    safe = value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    check(api.get("/orders", **{name: safe}))
    check(api.get("/events", after=safe, limit=safe))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("[" * 100_000 + "]" * 100_000, 400),
        ('{"lines": ' + "9" * 5000 + "}", 400),
        ('{"a": NaN}', 400),
        ('{"a": "\\u0000"}', 400),
        ('{"a": "\\ud800"}', 400),
        ("[]", 422),
        ('"text"', 422),
        ("null", 422),
        ("", 422),
        ("{", 400),
        (b"\xff\xfe\x00", 400),
        ("x" * (1 << 20) + "x", 413),
    ],
)
def test_hostile_bodies_get_the_right_refusal(api, body, status):
    before = rows()
    headers = api.headers | {"Idempotency-Key": "k"}
    answer = api.client.post("/api/v1/orders", body, content_type="application/json", headers=headers)
    check(answer)
    assert answer.status_code == status
    assert rows() == before


def test_another_content_type_or_method_is_refused_in_json(api):
    headers = api.headers | {"Idempotency-Key": "k"}
    answer = api.client.post("/api/v1/orders", "a=1", content_type="text/plain", headers=headers)
    check(answer)
    assert answer.status_code == 415
    for method in ("put", "patch", "delete"):
        answer = getattr(api.client, method)("/api/v1/orders", headers=headers)
        check(answer)
        assert answer.status_code == 405
    for path in ("/nothing", "/orders/1", "/orders/20260921-0000001/x", "/orders/%00"):
        answer = api.client.get(f"/api/v1{path}", headers=headers)
        check(answer)
        assert answer.status_code in {400, 404, 422}
    check(api.client.get("/api/v1/orders?q=%00", headers=headers))
    check(api.client.get("/api/v1/events?after=%ff", headers=headers))


def test_unknown_fields_are_refused_not_stored(api):
    """reliability.md T10: nobody sets what only the shop may set."""
    for extra in ({"paid_amount": 1}, {"state": "CONFIRMED"}, {"number": "1"}, {"channel": 1}):
        answer = api.post("/orders", order_body() | extra)
        assert answer.status_code == 422
        assert answer.json()["message"].endswith("알 수 없는 항목입니다. 지우고 다시 보내세요.")
    body = order_body()
    body["lines"][0]["variant_id"] = 1
    assert api.post("/orders", body).status_code == 422
    assert not Order.objects.exists()
