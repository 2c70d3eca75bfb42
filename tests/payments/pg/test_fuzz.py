"""No bytes make an adapter raise anything but Rejected, take long, or believe in somebody else (payments.md 5.12).

OMS_FUZZ_EXAMPLES multiplies the work: 1 makes about 3,000 notices per PG.
"""

import contextlib
import json
import os
import time
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payments.adapters.base import Notice, Rejected
from payments.adapters.json_body import BadJson, amount_of_answer, parse
from tests.payments.pg.every import CASES

TIMES = int(os.environ.get("OMS_FUZZ_EXAMPLES", "1"))
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.pg.name)
fuzz = settings(max_examples=1000 * TIMES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)

SPICE = [
    b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\\u0000", b"\\ud800", b"\x00", b"\xff", b"&", b"=", b"%", b"%C8",
    b"null", b"true", b"1e9", b"-0", b"9" * 40, b"NaN", b'"status"', b'"data"', b'"secret":""', "가".encode(), b"+",
]  # fmt: skip


def judged(case, request):
    """Notice or refusal, in no time; anything else fails the test."""
    started, refusal, found = time.thread_time(), "", None
    try:
        found = case.read(request)
    except Rejected as rejected:
        refusal = rejected.reason
    assert time.thread_time() - started < 1
    assert isinstance(found, Notice) or 0 < len(refusal) <= 40
    if found:
        stored(found)
    return found


def stored(notice):
    """The inbox can keep it: no NUL, no lone surrogate, no text too long."""
    text = json.dumps(dict(notice.fields), ensure_ascii=False)
    texts = (text, notice.event_key, notice.order_ref, notice.payment_ref, notice.reference, notice.depositor)
    assert not any(b"\x00" in value.encode() for value in texts)
    assert 0 < len(notice.event_key) <= 200
    assert len(notice.order_ref) <= 64
    assert len(notice.payment_ref) <= 200
    assert len(notice.reference) <= 80


@st.composite
def mutations(draw, body):
    """The sample with pieces cut out, doubled, or spiced."""
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(body) - 1, 0)))
        length = draw(st.integers(0, 24))
        piece = draw(st.sampled_from([*SPICE, body[at : at + length]]) | st.binary(max_size=6))
        body = body[:at] + piece + body[at + draw(st.sampled_from([0, 1, length])) :]
    return body


@every_case
def test_any_bytes_are_judged(case):
    @fuzz
    @given(
        body=st.binary(max_size=300), headers=st.dictionaries(st.sampled_from(list(case.authentic.headers)), st.text())
    )
    def run(body, headers):
        request = replace(case.authentic, body=body, headers={**case.authentic.headers, **headers})
        assert judged(case, request) is None

    run()


@every_case
def test_mutations_of_authentic_notices_are_judged(case):
    samples = [case.authentic.body, *(request.body for request in case.kinds.values())]

    @fuzz
    @given(st.data())
    def run(data):
        body = data.draw(st.sampled_from(samples).flatmap(mutations))
        headers = case.resign(body) if case.resign else {}
        judged(case, replace(case.authentic, body=body, headers={**case.authentic.headers, **headers}))

    run()


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@every_case
def test_fields_of_any_value_are_judged(case):
    if case.fields_of is None:
        return
    document = case.fields_of(case.authentic.body)

    @fuzz
    @given(changes=st.dictionaries(st.sampled_from(list(document)), values, min_size=1, max_size=3))
    def run(changes):
        body = case.written(case.authentic.body, changes)
        headers = case.resign(body) if case.resign else {}
        judged(case, replace(case.authentic, body=body, headers={**case.authentic.headers, **headers}))

    run()


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 65_536,
        b'{"a":' * 10_000,
        b'"' + b'\\"' * 32_000,
        b'"' * 65_536,
        b"\\" * 65_536,
        b'"\\' * 32_768,
        b"{" + b'"a":1,' * 10_000 + b'"b":1}',
        b'{"a":"' + b"\\u0000" * 10_000 + b'"}',
        b'{"a":' + b"1" * 60_000 + b"}",
        b'{"a":1.' + b"1" * 60_000 + b"}",
        b'{"a":' + b"1e" + b"9" * 60_000 + b"}",
        b" " * 65_536,
    ],
    ids=range(12),
)
def test_no_body_of_64_kib_takes_long(body):
    started = time.thread_time()
    with contextlib.suppress(BadJson):
        parse(body)
    assert time.thread_time() - started < 0.5


@fuzz
@given(st.recursive(values, lambda inner: st.lists(inner), max_leaves=3))
def test_amounts_of_answers_are_won_or_refused(value):
    with contextlib.suppress(BadJson):
        assert 0 <= amount_of_answer(value) <= 999_999_999_999
