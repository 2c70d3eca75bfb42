"""차단기: when a courier gives no answers it is left alone, probed ever more rarely, and then asked again slowly.

Pure arithmetic on one lane (account and courier); lanes.py keeps it in the lane's row. Source: shipping.md 4.4, A10.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shipping.adapters.base import TrackOutcome, TrackResult

WINDOW = timedelta(seconds=60)
ENOUGH, PART = 20, 0.5
"""It opens at half of so many answers in a minute, and at so many failures one after the other."""
FEW, SPAN = 5, timedelta(minutes=2)
"""Couriers that are asked rarely: so many failures one after the other, over so long."""
FIRST_OPEN, LONGEST_OPEN = 60, 900
RAMP, RAMP_FROM = timedelta(minutes=5), 0.1
SLOWEST, SLOWER, FASTER = 0.1, 0.5, 0.1
CLEAN = timedelta(minutes=1)
RATE_PAUSE = timedelta(seconds=60)
LONGEST_WAIT = timedelta(days=1)
BIN = 5
"""Seconds that one sample stands for."""
GOOD = frozenset({TrackOutcome.FOUND, TrackOutcome.NOT_FOUND, TrackOutcome.BAD_NUMBER})


@dataclass
class Gauge:
    """눈금: what a lane answered lately; says while a batch is asked whether the next question may go out."""

    samples: list[list[int]] = field(default_factory=list)
    """[second, asked, failed], oldest first."""
    in_a_row: int = 0
    first_failed_at: datetime | None = None
    is_probe: bool = False
    good: int = 0
    """Good answers of this batch."""
    pause: timedelta | None = None
    """A rate limit was met: nothing before so long."""
    is_tripped: bool = False
    is_denied: bool = False
    is_unknown: bool = False

    def note(self, result: TrackResult, *, at: datetime) -> None:
        """응답 하나."""
        if result.outcome in GOOD:
            self.good += 1
            self.in_a_row, self.first_failed_at = 0, None
            self._count(at, failed=0)
        elif result.outcome == TrackOutcome.UNAVAILABLE:
            self.in_a_row += 1
            self.first_failed_at = self.first_failed_at or at
            self._count(at, failed=1)
            self.is_tripped = self.is_tripped or self._trips(at)
        elif result.outcome == TrackOutcome.RATE_LIMITED:
            wait = timedelta(seconds=result.retry_after) if result.retry_after else RATE_PAUSE
            self.pause = min(max(self.pause or wait, wait), LONGEST_WAIT)
        elif result.outcome == TrackOutcome.AUTH:
            self.is_denied = True
        elif result.outcome == TrackOutcome.UNKNOWN_CARRIER:
            self.is_unknown = True

    def is_over(self) -> bool:
        """그만 묻기: nothing more is asked in this batch."""
        return self.pause is not None or self.is_denied or self.is_unknown or self.is_tripped

    def may_ask(self, in_flight: int) -> bool:
        """하나 더: while nothing has answered well, no more are on their way than it takes to open."""
        return self.good > 0 and not self.in_a_row or self.in_a_row + in_flight < ENOUGH

    def _trips(self, at: datetime) -> bool:
        """After a failure; see ENOUGH and FEW. A probe that fails opens again."""
        if self.is_probe or self.in_a_row >= ENOUGH:
            return True
        if self.in_a_row >= FEW and self.first_failed_at is not None and at - self.first_failed_at >= SPAN:
            return True
        asked, failed = self._sums(at)
        return asked >= ENOUGH and failed >= PART * asked

    def kept(self, *, at: datetime) -> list[list[int]]:
        """표본: those of the last minute."""
        oldest = int((at - WINDOW).timestamp())
        return [sample for sample in self.samples if sample[0] > oldest]

    def _sums(self, at: datetime) -> tuple[int, int]:
        found = self.kept(at=at)
        return sum(sample[1] for sample in found), sum(sample[2] for sample in found)

    def _count(self, at: datetime, *, failed: int) -> None:
        second = int(at.timestamp()) // BIN * BIN
        if not self.samples or self.samples[-1][0] != second:
            self.samples = [*self.kept(at=at), [second, 0, 0]]
        self.samples[-1][1] += 1
        self.samples[-1][2] += failed


def open_seconds(last: int) -> int:
    """멈출 시간 after the last one: a minute, doubled up to a quarter of an hour."""
    return min(LONGEST_OPEN, max(FIRST_OPEN, 2 * last))


def ramp(since: datetime | None, *, at: datetime) -> float:
    """다시 늘리기: 10 % when a breaker closes, all of it five minutes later."""
    if since is None or at - since >= RAMP:
        return 1.0
    return RAMP_FROM + (1 - RAMP_FROM) * max(0.0, (at - since) / RAMP)


def slower(factor: float) -> float:
    """속도 반으로: after a rate limit, a tenth at least."""
    return max(SLOWEST, factor * SLOWER)


def faster(factor: float, clean_from: datetime | None, *, at: datetime) -> tuple[float, datetime | None]:
    """속도 되찾기: a tenth of the base for each minute without a rate limit; since when the next minute counts."""
    if factor >= 1 or clean_from is None or at - clean_from < CLEAN:
        return factor, clean_from
    minutes = (at - clean_from) // CLEAN
    factor = min(1.0, round(factor + FASTER * minutes, 4))
    return factor, None if factor >= 1 else clean_from + CLEAN * minutes


def words(results: Iterable[TrackResult]) -> str:
    """마지막 오류 for staff and the log: the first failure of a batch."""
    bad = next((one for one in results if one.outcome not in GOOD), None)
    return f"{bad.cause or bad.outcome}: {bad.detail}"[:300] if bad else ""
