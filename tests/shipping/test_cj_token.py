"""The day token of CJ: shared, renewed once, never asked for twice in a second (shipping.md 1.3)."""

import threading
import time
from datetime import UTC, datetime

import pytest

from shipping.adapters.base import TrackOutcome
from shipping.adapters.cj_issue import CjIssuer
from shipping.adapters.cj_tracking import CjTracking
from shipping.adapters.cj_wire import REFUSED_WAIT, CjWire, DayToken, MemoryTokenStore
from shipping.adapters.issuing import IssueOutcome
from tests.infra.cj import BOX, CUSTOMER

NUMBER = "680000000011"


class Seconds:
    """A clock that tests wind by hand."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def allocated(wire):
    (given,) = CjIssuer(wire).allocate(boxes=[BOX])
    return given


def test_one_token_serves_two_processes_for_its_whole_day(cj):
    for _ in range(3):
        assert allocated(cj.wire).outcome == allocated(cj.new_wire()).outcome == IssueOutcome.OK
    cj.advance(hours=23)
    assert allocated(cj.wire).outcome == IssueOutcome.OK
    assert cj.asked("ReqOneDayToken") == 1
    cj.advance(hours=1)
    assert allocated(cj.wire).outcome == IssueOutcome.OK
    assert cj.asked("ReqOneDayToken") == 2


def test_many_threads_ask_for_one_token(cj):
    cj.set(token_gap=1.0, token_block=60)
    outcomes = []
    threads = [threading.Thread(target=lambda: outcomes.append(allocated(cj.wire).outcome)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cj.asked("ReqOneDayToken") == 1
    assert set(outcomes) <= {IssueOutcome.OK, IssueOutcome.LIMITED}
    assert IssueOutcome.OK in outcomes
    assert allocated(cj.wire).outcome == IssueOutcome.OK


def test_a_turn_for_a_token_comes_once_a_second():
    clock = Seconds()
    store = MemoryTokenStore(clock=clock)
    assert [store.take_turn(gap=1.0) for _ in range(2)] == [0.0, 1.0]
    clock.now = 0.75
    assert store.take_turn(gap=1.0) == 0.25
    clock.now = 1.0
    assert store.take_turn(gap=1.0) == 0.0


def test_without_a_turn_the_call_is_limited_and_nothing_is_sent(cj):
    cj.tokens.take_turn(gap=40)
    given = allocated(cj.wire)
    assert (given.outcome, given.retry_after) == (IssueOutcome.LIMITED, 40)
    tracked = cj.tracking.track(carrier="cj", number=NUMBER)
    assert (tracked.outcome, tracked.retry_after) == (TrackOutcome.RATE_LIMITED, 40)
    assert cj.tracker.read("counters")["requests"] == 0


def test_a_refused_token_is_renewed_once_after_a_minute_that_nobody_waits_here(cj):
    wire = cj.wire
    assert allocated(wire).outcome == IssueOutcome.OK
    cj.fault("http_401", "ReqInvcNo", times=1)
    started = time.monotonic()
    refused = allocated(wire)
    assert time.monotonic() - started < 2
    assert (refused.outcome, refused.retry_after) == (IssueOutcome.LIMITED, REFUSED_WAIT)
    cj.advance(seconds=59)
    early = allocated(wire)
    assert (early.outcome, early.retry_after) == (IssueOutcome.LIMITED, 1)
    assert cj.asked("ReqOneDayToken") == 1
    cj.advance(seconds=1)
    assert allocated(wire).outcome == IssueOutcome.OK
    assert cj.asked("ReqOneDayToken") == 2


def test_a_renewed_token_that_is_refused_too_means_the_account(cj):
    wire = cj.wire
    cj.fault("http_401", "ReqOneGdsTrc")
    source = CjTracking(wire)
    assert source.track(carrier="cj", number=NUMBER).outcome == TrackOutcome.RATE_LIMITED
    cj.advance(seconds=60)
    assert source.track(carrier="cj", number=NUMBER).outcome == TrackOutcome.AUTH
    # The account is probed later, and is well again.
    cj.heal()
    cj.advance(minutes=5)
    assert source.track(carrier="cj", number=NUMBER).outcome == TrackOutcome.FOUND


def test_a_token_that_worked_for_hours_is_renewed_a_second_time(cj):
    wire = cj.wire
    cj.fault("http_401", "ReqInvcNo", nth=[1, 3])
    assert allocated(wire).outcome == IssueOutcome.LIMITED
    cj.advance(seconds=60)
    assert allocated(wire).outcome == IssueOutcome.OK
    cj.advance(hours=3)
    assert allocated(wire).outcome == IssueOutcome.LIMITED
    cj.advance(seconds=60)
    assert allocated(wire).outcome == IssueOutcome.OK


def test_an_old_refusal_does_not_take_the_new_token_away():
    store = MemoryTokenStore(clock=Seconds())
    wire_token = token("new")
    store.save(wire_token)
    store.refuse("old", wait=60)
    assert store.load() == wire_token
    assert store.take_turn(gap=1.0) == 0.0


def token(number):
    at = datetime(2026, 11, 20, tzinfo=UTC)
    return DayToken(number=number, got_at=at, expires_at=at)


def test_the_token_of_another_day_is_not_sent(cj):
    cj.set(token_seconds=3600)
    allocated(cj.wire)
    cj.advance(hours=2)
    assert allocated(cj.wire).outcome == IssueOutcome.OK
    assert cj.asked("ReqOneDayToken") == 2
    assert "answer:NO_TOKEN" not in cj.tracker.read("counters")


def test_an_end_of_the_token_in_the_past_is_not_believed(cj):
    cj.set(token_seconds=30 * 86400)
    allocated(cj.wire)
    assert (cj.tokens.load().expires_at - cj.now()).total_seconds() == 86_400
    behind = cj.new_wire(tokens=cj.new_store(), now=lambda: cj.now().replace(year=2027))
    assert [allocated(behind).outcome for _ in range(3)] == [IssueOutcome.OK] * 3


@pytest.mark.parametrize("values", [{"business": "9999999999"}, {"customer": "39999999"}])
def test_wrong_papers_are_told_as_such(cj, values):
    given = allocated(cj.new_wire(**values))
    assert (given.outcome, given.detail) == (IssueOutcome.AUTH, "no day token: 등록되지 않은 고객 ID입니다.")
    assert cj.asked("ReqInvcNo") == 0


@pytest.mark.parametrize(
    ("kind", "outcome", "retry_after"),
    [
        ("http_401", TrackOutcome.AUTH, None),
        ("http_403", TrackOutcome.AUTH, None),
        ("http_429", TrackOutcome.RATE_LIMITED, 120),
        ("http_500", TrackOutcome.UNAVAILABLE, None),
        ("ora_down", TrackOutcome.UNAVAILABLE, None),
        ("data_null", TrackOutcome.UNAVAILABLE, None),
        ("result_odd", TrackOutcome.UNAVAILABLE, None),
        ("html_200", TrackOutcome.UNAVAILABLE, None),
        ("refused", TrackOutcome.UNAVAILABLE, None),
    ],
)
def test_failures_of_the_token_call_are_told_apart(cj, kind, outcome, retry_after):
    cj.fault(kind, "ReqOneDayToken", retry_after=120)
    result = cj.tracking.track(carrier="cj", number=NUMBER)
    assert (result.outcome, result.retry_after) == (outcome, retry_after)
    assert cj.asked("ReqOneGdsTrc") == 0


def test_too_many_token_calls_are_limited_by_cj_too(cj):
    cj.set(token_gap=60)
    assert allocated(cj.wire).outcome == IssueOutcome.OK
    given = allocated(cj.new_wire(tokens=cj.new_store()))
    assert (given.outcome, given.retry_after) == (IssueOutcome.LIMITED, None)


@pytest.mark.parametrize(("customer", "business"), [("", "1234567890"), ("가", "1234567890"), (CUSTOMER, "123")])
def test_papers_that_cannot_be_sent_are_refused_at_once(cj, customer, business):
    with pytest.raises(ValueError, match="CJ"):
        CjWire(cj.client, customer=customer, business=business, tokens=MemoryTokenStore())
