"""One day of a million parcels on their way, planned without a network: `python -m bench.day --parcels 1000000`.

The planner of production (shipping/services/polling/planning.py) runs under a virtual clock: half of the parcels left
yesterday, half leave today, and the questions of today are counted. Each source serves no more questions in a second
than it allows; what does not fit waits. `bench/transit.py` sends the same day through sockets, with fewer parcels.
"""

import argparse
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from shipping.services.polling import planning
from shipping.services.polling.planning import DAY, HOUR, KST_SECONDS, Group, Pace

YESTERDAY = 20_600
"""A working day, as `planning.kst_day` counts; the next one is measured."""
SHARES = (("CJGLS", 0.45), ("HANJIN", 0.20), ("HYUNDAI", 0.20), ("KGB", 0.08), ("EPOST", 0.07))
"""Couriers and their parts of the parcels; 45 % of CJ대한통운 as shipping.md 4.5 assumes."""
SLOW = 0.08
STAGES = ("PICKED_UP", "IN_TRANSIT", "OUT_FOR_DELIVERY", "DELIVERED")


@dataclass(frozen=True, slots=True)
class Life:
    """What happens to a parcel: when it leaves and when each stage begins, in epoch seconds."""

    courier: str
    left_at: float
    stages: tuple[float, float, float, float]

    def stage_at(self, at: float) -> int:
        """0 before the first scan, 4 when it is delivered."""
        return sum(begun <= at for begun in self.stages)


@dataclass
class Day:
    """What a day came to."""

    parcels: int = 0
    polls: int = 0
    finished: int = 0
    polls_of_finished: int = 0
    seconds: Counter[int] = field(default_factory=Counter)
    by_source: dict[str, Counter[int]] = field(default_factory=dict)
    lags: dict[str, list[float]] = field(default_factory=lambda: {stage: [] for stage in STAGES})

    @property
    def polls_per_parcel(self) -> float:
        """Questions from leaving to the delivery, of parcels whose delivery was seen on the day."""
        return self.polls_of_finished / self.finished if self.finished else 0.0

    def peak(self, seconds: int = 60) -> float:
        """Most questions a second, over the busiest minute (or other span)."""
        spans: Counter[int] = Counter()
        for second, count in self.seconds.items():
            spans[second // seconds] += count
        return max(spans.values(), default=0) / seconds

    def p95(self, stage: str) -> float:
        """Minutes after which 95 % of the changes to a stage were seen."""
        lags = sorted(self.lags[stage])
        return lags[int(len(lags) * 0.95)] / 60 if lags else 0.0


def life(key: int, *, day: int) -> Life:
    """The life of a parcel that leaves on a day, always the same for its key."""
    left, scan, hub, van, door, luck = _parts(key)
    begins = day * DAY - KST_SECONDS
    left_at = begins + (14 + 5 * left) * HOUR
    late = DAY if luck < SLOW else 0
    tomorrow = begins + DAY + late
    picked_up = left_at + (0.5 + 3 * scan) * HOUR
    return Life(
        _courier(key),
        left_at,
        (picked_up, picked_up + (1 + 4 * hub) * HOUR, tomorrow + (8.5 + 3 * van) * HOUR,
         tomorrow + (12 + 8 * door) * HOUR),
    )  # fmt: skip


def _parts(key: int) -> Iterator[float]:
    found = 0
    for n in range(6):
        found = crc32(b"%d-%d" % (key, n), found)
        yield (found >> 8) / 0x1000000


def _courier(key: int) -> str:
    luck = (crc32(b"courier-%d" % key) >> 8) / 0x1000000
    for courier, share in SHARES:
        luck -= share
        if luck < 0:
            return courier
    return SHARES[-1][0]


def stretch_of(parcels: int, limit: float | None) -> dict[Group, float]:
    """What a quota would stretch with so many parcels on their way, at the busiest hour of the delivery day."""
    half = parcels // 2
    counts = {Pace.NEW: 0, Pace.MOVING: half, Pace.OUT: half}
    return planning.stretches(planning.demand(counts), planning.allowed(limit, None))


TODAY = (YESTERDAY + 1) * DAY - KST_SECONDS
"""Midnight in Seoul, epoch seconds: from here on questions are counted."""


def life_of(key: int) -> Life:
    """The life of a parcel of the day: even keys left yesterday, odd ones leave today."""
    return life(key, day=YESTERDAY + key % 2)


def simulate(lives: Mapping[int, Life], *, limits: dict[str, float], min_interval: float = 0.0) -> Day:
    """The day of lives by their parcels' ids, which spread the questions.

    `limits` are questions a second by source (courier); those that are not named have none.
    """
    parcels = len(lives)
    found = Day(parcels=parcels)
    due: dict[int, list[tuple[int, Life, int, int]]] = {}
    stretch = {courier: stretch_of(round(parcels * share), limits.get(courier)) for courier, share in SHARES}
    for key, one in lives.items():
        first = planning.first_due(one.left_at, key=key)
        due.setdefault(int(first), []).append((key, one, 0, 0))
    for second in range(min(due), TODAY + DAY):
        rows = due.pop(second, None)
        if rows:
            _serve(rows, second, due, found, limits, stretch, min_interval=min_interval)
    return found


def _serve(
    rows: list[tuple[int, Life, int, int]], second: int, due: dict[int, list[tuple[int, Life, int, int]]], found: Day,
    limits: dict[str, float], stretch: dict[str, dict[Group, float]], *, min_interval: float,
) -> None:  # fmt: skip
    """The questions of one second; those that a source does not take any more come first in the next."""
    served: Counter[str] = Counter()
    later = []
    for row in rows:
        key, one, seen, polls = row
        limit = limits.get(one.courier)
        if limit is not None and served[one.courier] >= limit:
            later.append(row)
            continue
        served[one.courier] += 1
        stage = one.stage_at(second)
        if second >= TODAY:
            note(found, one, seen, stage, second, polls + 1)
        if stage < len(STAGES):
            name = STAGES[stage - 1] if stage else ""
            pace = planning.pace_of(name, age=second - one.left_at)
            factor = stretch[one.courier][planning.RULES[pace].group]
            again = planning.next_due(second, key=key, pace=pace, stretch=factor, min_interval=min_interval)
            due.setdefault(int(again), []).append((key, one, stage, polls + 1))
    if second >= TODAY:
        for courier, count in served.items():
            found.by_source.setdefault(courier, Counter())[second] = count
            found.seconds[second] += count
    if later:
        due[second + 1] = later + due.get(second + 1, [])


def note(found: Day, one: Life, seen: int, stage: int, second: int, polls: int) -> None:
    """One question: the stages that were known before and are known now, and how many questions there were."""
    found.polls += 1
    for index in range(seen, stage):
        # Only the stage that is shown counts: what was passed between two questions nobody waits for.
        if index == stage - 1:
            found.lags[STAGES[index]].append(second - one.stages[index])
    if stage == len(STAGES):
        found.finished += 1
        found.polls_of_finished += polls


def figures(found: Day) -> dict[str, Any]:
    """The figures that two runs of one day are compared by; p95 in minutes, busiest in questions of one second."""
    return {
        "polls": found.polls,
        "polls_per_parcel": found.polls_per_parcel,
        "finished": found.finished,
        "peak": found.peak(),
        "p95": {stage: found.p95(stage) for stage in STAGES},
        "busiest": {courier: max(counts.values()) for courier, counts in found.by_source.items()},
    }


def report(found: Day, limits: dict[str, float]) -> str:
    """The figures, one a line."""
    lines = [
        f"{found.parcels:,} parcels on their way, {found.polls:,} questions in the day",
        f"polls per parcel {found.polls_per_parcel:.2f}, average {found.polls / DAY:.1f}/s, "
        f"peak {found.peak():.1f}/s over a minute, {max(found.seconds.values(), default=0)} in one second",
    ]
    lines += [f"seen within (p95) {stage}: {found.p95(stage):.0f} min" for stage in STAGES]
    for courier, counts in sorted(found.by_source.items()):
        limit = limits.get(courier)
        most = max(counts.values())
        lines.append(f"source {courier}: {most} in its busiest second, limit {limit if limit else 'none'}")
        if limit is not None and most > limit:
            lines.append(f"ERROR source {courier} was asked above its limit")
    return "\n".join(lines)


def main() -> int:
    """Exit status 1 when a source was asked above its limit."""
    parser = argparse.ArgumentParser(prog="python -m bench.day", description=__doc__)
    parser.add_argument("--parcels", type=int, default=1_000_000)
    parser.add_argument("--limit", type=float, default=100, help="questions a second of each source; 0 for none")
    options = parser.parse_args()
    limits = {courier: options.limit for courier, _ in SHARES} if options.limit else {}
    began = time.perf_counter()
    text = report(simulate({key: life_of(key) for key in range(options.parcels)}, limits=limits), limits)
    print(f"{text}\n{time.perf_counter() - began:.0f} s")
    return 1 if "ERROR" in text else 0


if __name__ == "__main__":
    raise SystemExit(main())
