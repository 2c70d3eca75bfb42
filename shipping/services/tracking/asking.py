"""배송조회: one lane (account and courier) is asked about its due parcels; answers.py writes what it says.

The calls run outside any transaction, in threads of the lane, each at the moment of its place (budgets.py). While they
run the breaker watches: a courier that gives no answers costs twenty questions, not the whole batch. Source:
shipping.md 4.3, 4.4.
"""

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.failpoints import declare, failpoint
from core.http import HttpProblem
from core.sealing import Unreadable
from shipping.adapters.base import Cause, TrackingSource, TrackOutcome, TrackResult
from shipping.models import TrackingAccount, TrackingLane
from shipping.services.polling import budgets, lanes, polls
from shipping.services.polling.accounts import KEY_LOST, UNUSABLE
from shipping.services.polling.breakers import Gauge
from shipping.services.polling.budgets import Places
from shipping.services.polling.lanes import Health
from shipping.services.polling.polls import Lease
from shipping.services.polling.sources import code_for, open_source
from shipping.services.tracking.answers import Answer, write_answers

log = logging.getLogger("oms.tracking")

BATCH = 200
LONGEST = 4.0
"""Seconds that a lane may keep a thread before other lanes have their turn."""
SLOW = 20.0
"""Seconds after which a batch asks nothing new: a source that takes long over each answer gets smaller batches, so that
what it said is soon written."""
PROBE_AHEAD = timedelta(days=1)
"""A probe takes the next parcel, due or not: what was due was put off while the breaker was open."""
NAP = 0.1

ASKED = declare("poll_asked_before_write", "the source has answered; nothing is written, the leases are held")

Sleep = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Done:
    """조회한 것: answers that were written, and whether parcels of the lane are still due."""

    written: int = 0
    is_more: bool = False


def poll_due(*, at: datetime, limit: int = BATCH, sleep: Sleep = time.sleep) -> int:
    """모두 조회, once, in this process: one batch of every lane that may ask; returns how many answers were written."""
    return sum(
        poll_lane(lane_id=duty.lane_id, at=at, seconds=0, limit=limit, sleep=sleep).written
        for duty in lanes.wanted(at=at)
    )


def poll_lane(
    *, lane_id: int, at: datetime, seconds: float = LONGEST, limit: int = BATCH, sleep: Sleep = time.sleep
) -> Done:
    """차선 조회: batch after batch until nothing is due, the lane must rest, or `seconds` have passed.

    Two workers never do it at once; whoever comes second does nothing.
    """
    lane = lanes.enter(lane_id, at=at)
    if lane is None:
        return Done()
    began, written, now = time.monotonic(), 0, at
    try:
        with open_source(lane.account) as source:
            while True:
                found = _batch(lane, source, at=now, limit=limit, sleep=sleep)
                written += found.written
                if not found.is_more or time.monotonic() - began >= seconds:
                    return Done(written, found.is_more)
                now = at + timedelta(seconds=time.monotonic() - began)
    except (HttpProblem, ValueError, LookupError, Unreadable) as error:
        _note_unusable(lane.account, error)
        return Done(written)
    finally:
        lanes.leave(lane)


def _batch(lane: TrackingLane, source: TrackingSource, *, at: datetime, limit: int, sleep: Sleep) -> Done:
    """One batch; `lane` is brought up to date."""
    health = lanes.health_of(lane, at=at)
    if health not in (Health.OK, Health.PROBE):
        return Done()
    is_probe = health == Health.PROBE
    places = Places(1) if is_probe else _places(lane, at=at, limit=limit)
    if places.count == 0:
        if places.first > LONGEST:
            return Done()
        sleep(NAP)
        return Done(is_more=True)
    ahead = PROBE_AHEAD if is_probe else timedelta()
    if is_probe and not _may_probe(lane, at=at):
        return Done()
    leases = polls.claim(at=at, limit=places.count, courier=lane.courier, source=lane.account.code, ahead=ahead)
    if not leases:
        _unused(lane, places.count, is_probe=is_probe, at=at)
        return Done()
    gauge = lanes.gauge_of(lane, is_probe=is_probe)
    asking = _Asking(source, lane, gauge, leases, places, at=at, sleep=sleep)
    answers = asking.run()
    failpoint(ASKED)
    fresh = lanes.note_answers(lane, gauge, [result for _, result in answers], at=at)
    _give_back(fresh, gauge, asking.left, answers, at=at)
    _unused(lane, places.count - len(answers), is_probe=is_probe, at=at)
    told = [answer for answer in answers if answer[1].outcome != TrackOutcome.UNKNOWN_CARRIER]
    written = write_answers(answers=told, at=at, speed=lane.account.speed)
    is_more = not gauge.is_over() and not is_probe and len(leases) == places.count
    _copy(lane, fresh)
    return Done(written, is_more)


def _may_probe(lane: TrackingLane, *, at: datetime) -> bool:
    """There is a parcel to probe with; a blocked account is probed by one of its lanes only."""
    return polls.count_due(courier=lane.courier, at=at + PROBE_AHEAD, limit=1) > 0 and lanes.may_probe(
        lane.account, at=at
    )


def _copy(lane: TrackingLane, fresh: TrackingLane) -> None:
    for name in ("samples", "failed_in_a_row", "first_failed_at", "opened_at", "opened_until", "wait_until", "factor",
                 "clean_from", "ramp_from", "next_slot_at"):  # fmt: skip
        setattr(lane, name, getattr(fresh, name))


def _places(lane: TrackingLane, *, at: datetime, limit: int) -> Places:
    """Places for what is due: those of the account, shared with its other lanes, and as few as the lane may now."""
    wanted = polls.count_due(courier=lane.courier, at=at, limit=limit)
    if not wanted:
        return Places(0, math.inf)
    account, rate = lane.account, lanes.rate_of(lane, at=at)
    first, apart = 0.0, 0.0
    if rate is not None:
        share = budgets.HORIZON.total_seconds() * (account.per_second or rate) / lanes.sharing(account, at=at)
        wanted = min(wanted, max(1, round(share)))
    is_slow = rate is not None and rate != account.per_second
    if rate is not None and is_slow:
        begin, left = budgets.room(lane.next_slot_at, rate=rate, at=at, horizon=budgets.HORIZON)
        wanted, first, apart = min(wanted, left), (begin - at).total_seconds(), 1 / rate
        if not wanted:
            return Places(0, first)
    found = budgets.take(account, wanted=wanted, at=at, rate=account.per_second)
    if not found.count:
        return found
    places = Places(found.count, max(first, found.first), max(apart, found.apart))
    if is_slow:
        lane.next_slot_at = at + timedelta(seconds=places.first + places.count * places.apart)
        TrackingLane.objects.filter(pk=lane.pk).update(next_slot_at=lane.next_slot_at)
    return places


def _give_back(
    lane: TrackingLane, gauge: Gauge, left: Sequence[Lease], answers: Sequence[Answer], *, at: datetime
) -> None:
    """What was leased and not asked, or asked of a source that does not know the courier, is due as before."""
    unknown = [lease for lease, result in answers if result.outcome == TrackOutcome.UNKNOWN_CARRIER]
    due = max(filter(None, (at, lane.wait_until if gauge.pause else None, lane.opened_until)))
    # However long the lane rests: another account may ask about them before that.
    due = min(due, at + lanes.FAIL_OVER)
    polls.release(leases=[*left, *unknown], at=due)


def _unused(lane: TrackingLane, count: int, *, is_probe: bool, at: datetime) -> None:
    """A probe takes no place, so that it has none to give back."""
    if not is_probe:
        budgets.give_back(lane.account, count=count, at=at)


def _note_unusable(account: TrackingAccount, error: Exception) -> None:
    """An account that cannot even be opened harms no other one."""
    text = KEY_LOST if isinstance(error, Unreadable) else UNUSABLE
    if account.last_error != text:
        TrackingAccount.objects.filter(pk=account.pk).update(last_error=text)
        data = {"data": {"error": f"{type(error).__name__}: {error}"[:300]}}
        log.error("tracking account %s cannot be used", account.code, extra=data)


class _Asking:
    """묻는 중: threads take the next parcel while the breaker allows it, each at the moment of its place."""

    def __init__(
        self, source: TrackingSource, lane: TrackingLane, gauge: Gauge, leases: Sequence[Lease], places: Places,
        *, at: datetime, sleep: Sleep,
    ) -> None:  # fmt: skip
        self._source, self._gauge, self._at, self._sleep = source, gauge, at, sleep
        self._code = code_for(lane.courier, lane.account.kind)
        self._places = places
        self._queue = deque(enumerate(leases))
        self._threads = min(lane.account.concurrency, len(leases))
        self._began = time.monotonic()
        self._change = threading.Condition()
        self._in_flight = 0
        self._answers: list[Answer] = []

    @property
    def left(self) -> list[Lease]:
        """Those that were not asked about."""
        return [lease for _, lease in self._queue]

    def run(self) -> list[Answer]:
        """Answers in the order in which they came."""
        with ThreadPoolExecutor(self._threads, "tracking") as pool:
            for done in [pool.submit(self._work) for _ in range(self._threads)]:
                done.result()
        return self._answers

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            place, lease = taken
            wait = self._places.first + place * self._places.apart - (time.monotonic() - self._began)
            if wait > 0:
                self._sleep(wait)
            result = self._ask(lease)
            with self._change:
                self._in_flight -= 1
                self._gauge.note(result, at=self._now())
                self._answers.append((lease, result))
                self._change.notify_all()

    def _take(self) -> tuple[int, Lease] | None:
        with self._change:
            while self._queue and not self._gauge.is_over() and time.monotonic() - self._began < SLOW:
                if self._gauge.may_ask(self._in_flight):
                    self._in_flight += 1
                    return self._queue.popleft()
                self._change.wait()
            return None

    def _ask(self, lease: Lease) -> TrackResult:
        try:
            return self._source.track(carrier=self._code, number=lease.waybill)
        except Exception as error:
            # An answer that breaks its adapter is a failure of that one question; the others go on.
            log.exception("parcel %s cannot be asked about", lease.parcel_id)
            return TrackResult(
                outcome=TrackOutcome.UNAVAILABLE, cause=Cause.MALFORMED, detail=f"adapter: {type(error).__name__}"
            )

    def _now(self) -> datetime:
        return self._at + timedelta(seconds=time.monotonic() - self._began)
