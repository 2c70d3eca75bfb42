"""묶음 수신: what couriers tell by contract, page by page; first everything is stored, then it is acknowledged.

A page that was stored and not acknowledged (the process died) is told again and changes nothing twice. One process
reads an account at a time. Source: shipping.md 1.3, 4.1, 4.5, 11 (cj_bulk_pull).
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.db.models import F, Q

from core.calendar import KST, kst_date
from core.failpoints import declare, failpoint
from core.http import HttpProblem
from core.sealing import Unreadable
from shipping.adapters.base import FeedEvent, FeedPage, TrackingFeed, TrackOutcome
from shipping.models import FeedState, OrphanEvent, TrackingAccount
from shipping.services.polling import lanes, silence
from shipping.services.polling.accounts import KEY_LOST, UNUSABLE
from shipping.services.polling.sources import KINDS, open_feed
from shipping.services.tracking.feeding import write_events
from shipping.services.tracking.matching import match
from shipping.services.tracking.stored import fingerprint_of
from shipping.services.tracking.voided import tell_voided

log = logging.getLogger("oms.tracking")

EVERY, LEAST = timedelta(minutes=10), timedelta(seconds=10)
WORK_LEASE = timedelta(minutes=5)
LONGEST = 20.0
"""Seconds that a feed may keep a thread before other work has its turn."""
MOST_DAYS = 3
EARLY = 9
"""Until this hour yesterday is read as well: what was scanned around midnight may have been taken in late."""
RATE_PAUSE = timedelta(seconds=60)
NO_PROGRESS = "같은 소식이 되풀이되어 수신을 멈췄습니다. 택배사에 수신 확인이 반영되지 않는지 문의하세요."
UNREADABLE = "읽을 수 없는 소식 {count:,}건이 되풀이됩니다. 택배사에 문의하세요."
HELD = "처리 중인 주문이 많아 소식을 더 받지 못했습니다. 잠시 뒤 저절로 다시 받습니다."
ERRORS = {
    TrackOutcome.AUTH: lanes.DENIED,
    TrackOutcome.RATE_LIMITED: "택배사의 호출 한도를 넘었습니다.",
}
NO_ANSWER = "응답을 받지 못했습니다."
KEPT = timedelta(days=30)

WRITTEN = declare("feed_written_before_acknowledged", "events of a page are stored, the courier was not told so yet")


@dataclass(frozen=True, slots=True)
class Done:
    """받은 것: events that were stored and acknowledged, and whether more is waiting."""

    acknowledged: int = 0
    is_more: bool = False


class _Trouble(Exception):  # noqa: N818 - it is kept and shown, not raised further
    """What ends a run."""

    def __init__(self, text: str, *, pause: timedelta | None = None, is_denied: bool = False) -> None:
        super().__init__(text)
        self.pause, self.is_denied = pause, is_denied


def due(*, at: datetime) -> list[int]:
    """수신할 계정: ids of accounts whose feed is to be read now; those that have fallen silent lose their parcels."""
    able = [kind.name for kind in KINDS.values() if kind.has_bulk]
    known = {one.account_id: one for one in FeedState.objects.select_related("account")}
    accounts = list(TrackingAccount.objects.filter(kind__in=able, is_active=True).order_by("pk"))
    missing = [one for one in accounts if one.pk not in known]
    FeedState.objects.bulk_create([FeedState(account=one) for one in missing], ignore_conflicts=True)
    for state in known.values():
        if state.silent_since is None and silence.is_silent(state, at=at):
            silence.fall_back(state, at=at)
    return [one.pk for one in accounts if _is_due(known.get(one.pk), one, at=at)]


def _is_due(state: FeedState | None, account: TrackingAccount, *, at: datetime) -> bool:
    if not silence.is_open(at, speed=account.speed):
        return False
    if state is None:
        return True
    is_free = state.lease_until is None or state.lease_until < at
    return is_free and (state.next_at is None or state.next_at <= at)


def pull(*, account_id: int, at: datetime, seconds: float = LONGEST) -> Done:
    """묶음 수신 of an account: the days that may hold something new, until nothing is left or `seconds` have passed.

    Two workers never do it at once; whoever comes second does nothing.
    """
    state = _enter(account_id, at=at)
    if state is None:
        return Done()
    run = _Run(state, at=at, seconds=seconds)
    trouble: _Trouble | None = None
    try:
        with open_feed(state.account) as feed:
            run.read(feed)
    except _Trouble as found:
        trouble = found
    except (HttpProblem, ValueError, LookupError, Unreadable) as error:
        log.warning("the feed of tracking account %s cannot be opened: %s", state.account.code, type(error).__name__)
        trouble = _Trouble(KEY_LOST if isinstance(error, Unreadable) else UNUSABLE)
    except BaseException:
        _leave(run, _Trouble("소식을 저장하지 못했습니다."))
        raise
    _leave(run, trouble)
    return Done(run.acknowledged, trouble is None and run.is_more)


def _enter(account_id: int, *, at: datetime) -> FeedState | None:
    """The state with its account, for exactly one process."""
    mine = FeedState.objects.filter(pk=account_id, account__is_active=True)
    # A lease far ahead is that of a clock that was set back.
    free = Q(lease_until=None) | Q(lease_until__lt=at) | Q(lease_until__gt=at + 2 * WORK_LEASE)
    if not mine.filter(free).update(lease_until=at + WORK_LEASE, lease_token=F("lease_token") + 1):
        return None
    return FeedState.objects.select_related("account").get(pk=account_id)


def _leave(run: "_Run", trouble: _Trouble | None) -> None:
    state, account, now = run.state, run.state.account, run.now()
    mine = FeedState.objects.filter(pk=state.pk, lease_token=state.lease_token)
    wait = max(EVERY / account.speed, LEAST)
    values: dict[str, object] = {
        "lease_until": None, "waiting": run.waiting, "since": run.since,
        "next_at": now if trouble is None and run.is_more else now + (trouble and trouble.pause or wait),
    }  # fmt: skip
    if run.acknowledged:
        values["told_at"] = now
    if trouble is None:
        values |= {"last_ok_at": now, "silent_since": None}
    text = str(trouble or run.remark)[:300]
    # A limit that was met passes by itself.
    is_stuck = bool(text) and not (trouble and trouble.pause)
    values |= {"last_error": text, "stuck_since": (state.stuck_since or now) if is_stuck else None}
    if not mine.update(**values):
        return
    if trouble is None:
        lanes.free(account, at=now)
        if state.silent_since is not None:
            silence.come_back(account, at=now)
    if trouble is not None and trouble.is_denied:
        lanes.block(account, at=now)
    elif is_stuck and state.stuck_since is None:
        log.error("the feed of tracking account %s stopped", account.code, extra={"data": {"error": text}})


@dataclass
class _Run:
    """한 번의 수신 of an account."""

    state: FeedState
    at: datetime
    seconds: float
    acknowledged: int = 0
    waiting: int = 0
    is_more: bool = False
    since: date | None = None
    remark: str = ""
    """What a person should know although everything else was read."""
    _is_blocked: bool = False
    _began: float = field(default_factory=time.monotonic)
    _seen: set[tuple[str, str]] = field(default_factory=set)
    """Receipts and scans that were acknowledged in this run."""

    def now(self) -> datetime:
        """The clock of the run goes on from `at`."""
        return self.at + timedelta(seconds=time.monotonic() - self._began)

    def read(self, feed: TrackingFeed) -> None:
        """Every day that may hold something, oldest first. Raises _Trouble.

        A day that is stuck does not hold up the next one.
        """
        days = days_to_read(self.state, at=self.at)
        self.since = days[0]
        first_left: date | None = None
        for day in days:
            self.since = first_left or day
            left = self._read_day(feed, day)
            if left and first_left is None:
                first_left = day
            if self.is_more:
                return
        self.since = first_left or days[-1]
        if self._is_blocked:
            raise _Trouble(self.remark)

    def _read_day(self, feed: TrackingFeed, day: date) -> int:
        """Page after page of a day; how many events are left because somebody holds their orders."""
        while True:
            page = feed.pull(day=day)
            if page.outcome != TrackOutcome.FOUND:
                raise _failed(page)
            if not page.events and not page.skipped:
                return 0
            ready, held = _store(self.state.account, page.events, at=self.now())
            failpoint(WRITTEN)
            if ready:
                outcome = feed.acknowledge(events=ready)
                if outcome != TrackOutcome.FOUND:
                    raise _failed(FeedPage(outcome=outcome))
            fresh = {(one.receipt, fingerprint_of(one.event)) for one in ready} - self._seen
            self._seen |= fresh
            self.acknowledged += len(fresh)
            if not fresh:
                return self._nothing_new(page, again=len(ready), held=held, most=feed.page_size)
            if time.monotonic() - self._began >= self.seconds:
                self.is_more = True
                return held

    def _nothing_new(self, page: FeedPage, *, again: int, held: int, most: int) -> int:
        """A page without anything new ends the day; how much of it is left.

        What is held comes again by itself; anything else is the courier's fault. Behind a full page there may be more.
        """
        self.waiting += held
        is_full = len(page.events) + page.skipped >= most
        if again:
            self.remark = NO_PROGRESS
        elif page.skipped:
            self.remark = UNREADABLE.format(count=page.skipped)
        elif is_full:
            self.remark = HELD
        self._is_blocked = self._is_blocked or is_full
        return len(page.events) + page.skipped


def days_to_read(state: FeedState, *, at: datetime) -> list[date]:
    """읽을 날짜: from the first day that was not read to its end until today, at most three."""
    today = kst_date(at)
    first = state.since or today - timedelta(days=MOST_DAYS - 1)
    if at.astimezone(KST).hour < EARLY:
        first = min(first, today - timedelta(days=1))
    first = min(max(first, today - timedelta(days=MOST_DAYS - 1)), today)
    return [first + timedelta(days=n) for n in range((today - first).days + 1)]


def _failed(page: FeedPage) -> _Trouble:
    pause = None
    if page.outcome == TrackOutcome.RATE_LIMITED:
        pause = timedelta(seconds=page.retry_after) if page.retry_after else RATE_PAUSE
    # The rest of a detail is for the log.
    status = f" ({page.detail})" if page.detail.startswith("HTTP ") else ""
    text = ERRORS.get(page.outcome, f"{NO_ANSWER}{status}")
    return _Trouble(text, pause=pause, is_denied=page.outcome == TrackOutcome.AUTH)


def _store(account: TrackingAccount, events: Sequence[FeedEvent], *, at: datetime) -> tuple[list[FeedEvent], int]:
    """Everything of a page; what may be acknowledged, and how many events wait for somebody who holds their order."""
    found = match(events, kind=account.kind, at=at)
    told = {pk: [events[place].event for place in places] for pk, places in found.told.items()}
    gone = {pk: [events[place].event for place in places] for pk, places in found.voided.items()}
    written = write_events(source=account.code, told=told, at=at, is_feed=True, speed=account.speed)
    written |= tell_voided(source=account.code, told=gone, at=at) if gone else set()
    _keep_orphans(account, [events[place] for place in found.orphans], at=at)
    held = {
        place for pk, places in (*found.told.items(), *found.voided.items()) if pk not in written for place in places
    }
    # An acknowledgement names number and status: it must not take what is held along.
    spared = {events[place].receipt for place in held}
    ready = [one for place, one in enumerate(events) if place not in held and one.receipt not in spared]
    return ready, len(events) - len(ready)


def _keep_orphans(account: TrackingAccount, events: Sequence[FeedEvent], *, at: datetime) -> None:
    rows = [
        OrphanEvent(
            source=account.code, number=one.number[:30], key=one.key[:40], code=one.event.code[:40],
            name=one.event.name[:100], is_return=one.is_return, at=one.event.at, seen_at=at,
            fingerprint=fingerprint_of(one.event),
        )
        for one in events
    ]  # fmt: skip
    OrphanEvent.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)


def forget_orphans(*, at: datetime) -> int:
    """모르는 번호 지우기: scans that nobody claimed for 30 days; how many."""
    return OrphanEvent.objects.filter(seen_at__lt=at - KEPT).delete()[0]
