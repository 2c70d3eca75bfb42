"""조회 계획: when to ask about a parcel, and what an account can carry; pure arithmetic without a database.

The same code plans in production, in the simulation of a day (bench/day.py) and on the settings page. Moments are epoch
seconds: a day of a million parcels asks for millions of them. Korea has no daylight saving: a day has 86,400 seconds.
Source: shipping.md 4.2, 4.5.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from zlib import crc32

HOUR, DAY = 3600.0, 86_400
KST_SECONDS = 9 * 3600
FIRST_WAIT, EVENING = 4 * HOUR, 20 * HOUR
FIRST_SPREAD = 2 * HOUR
"""First questions of an evening come within two hours, however many parcels left at one stroke."""
NIGHT, MORNING = 22 * HOUR, 8 * HOUR
LONGEST_MORNING = 4 * HOUR
REST_FACTOR = 2.0
JITTER = 0.1
OLD, EXPIRED = timedelta(days=10), timedelta(days=30)
YOUNG = timedelta(days=1)
BACK_OFF = (timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1), timedelta(hours=4), timedelta(hours=12))
STAFF_SHARE, HINT_SHARE = 0.05, 0.30
"""Parts of an account's quota: kept for staff who press a button; at most for what pushes hint at (4.1, 11)."""
AWAKE_SECONDS = 16 * HOUR
"""Hours of a day in which we ask at all; a quota of a day is spent in these."""
LIFE_DAYS = 2.0
"""Days that a parcel is on its way on average (4.5)."""
MOST_WAITING, MOST_MOVING, MOST_OUT = 4.0, 4.0, 2.0
LONGEST_STRETCH = 50.0


class Pace(StrEnum):
    """조회 속도: how often a parcel is asked about; kept with its row, so that the demand can be counted."""

    NEW = "NEW"
    WAITING = "WAITING"
    MOVING = "MOVING"
    OUT = "OUT"
    TRIED = "TRIED"
    HELD = "HELD"
    RETURNING = "RETURNING"
    SLOW = "SLOW"
    TOLD = "TOLD"


class Group(StrEnum):
    """늘림 순서: what waits longer when the quota is short, in this order."""

    WAITING = "waiting"
    MOVING = "moving"
    OUT = "out"


@dataclass(frozen=True, slots=True)
class Rule:
    """한 줄 of the interval table: hours between two questions, and the hours of the night without any."""

    hours: float
    group: Group
    quiet_from: float = NIGHT
    quiet_to: float = MORNING
    morning: float = HOUR
    """Seconds over which those that waited for the morning are spread."""
    rests: bool = True
    """Asked half as often on Sundays and holidays."""


RULES: Mapping[Pace, Rule] = {
    Pace.NEW: Rule(6, Group.WAITING, morning=3 * HOUR),
    Pace.WAITING: Rule(12, Group.WAITING, morning=LONGEST_MORNING),
    Pace.MOVING: Rule(4, Group.MOVING, quiet_to=6 * HOUR, morning=2 * HOUR),
    Pace.OUT: Rule(1, Group.OUT, quiet_from=23 * HOUR, morning=HOUR / 2),
    Pace.TRIED: Rule(4, Group.MOVING, morning=2 * HOUR),
    Pace.HELD: Rule(6, Group.MOVING, morning=3 * HOUR),
    Pace.RETURNING: Rule(12, Group.MOVING, morning=LONGEST_MORNING),
    Pace.SLOW: Rule(24, Group.MOVING, morning=LONGEST_MORNING),
    # Whoever tells by itself may have lost a word: one question a day, on holidays too (shipping.md 4.1).
    Pace.TOLD: Rule(24, Group.MOVING, morning=LONGEST_MORNING, rests=False),
}
# By TrackingStage; what is not named here waits for its first scan.
PACES: Mapping[str, Pace] = {
    "PICKED_UP": Pace.MOVING,
    "IN_TRANSIT": Pace.MOVING,
    "OUT_FOR_DELIVERY": Pace.OUT,
    "ATTEMPT_FAILED": Pace.TRIED,
    "PICKUP_FAILED": Pace.TRIED,
    "AVAILABLE_FOR_PICKUP": Pace.HELD,
    "RETURNING": Pace.RETURNING,
    "EXCEPTION": Pace.SLOW,
    "DELIVERED": Pace.SLOW,
}
NO_STRETCH: Mapping[str, float] = {}


def pace_of(stage: str, *, age: float) -> Pace:
    """조회 속도 of a stage, `age` in seconds since the parcel left."""
    if age > OLD.total_seconds():
        return Pace.SLOW
    pace = PACES.get(stage)
    return pace or (Pace.NEW if age < YOUNG.total_seconds() else Pace.WAITING)


def parts(key: int) -> tuple[float, float]:
    """흩뜨림: two numbers from 0 to 1 that are always the same for a parcel, and independent of each other."""
    found = crc32(str(key).encode())
    return (found & 0xFFFF) / 0x10000, (found >> 16) / 0x10000


def jitter(part: float) -> float:
    """±10 %."""
    return 1 - JITTER + 2 * JITTER * part


def kst_day(at: float) -> int:
    """날짜 as days since 1970-01-01 in Seoul."""
    return int((at + KST_SECONDS) // DAY)


def first_due(at: float, *, key: int, speed: int = 1) -> float:
    """첫 조회 of a parcel that left at `at`: not within 4 hours, not before 20:00, not in the night."""
    part, other = parts(key)
    if speed > 1:
        return at + FIRST_WAIT / speed * jitter(part)
    midnight = kst_day(at) * DAY - KST_SECONDS
    base = max(at + FIRST_WAIT, midnight + EVENING)
    end = min(base + FIRST_SPREAD, midnight + NIGHT)
    if base < end:
        return base + (end - base) * part
    return _woken(base, RULES[Pace.NEW], other)


def next_due(
    at: float,
    *,
    key: int,
    pace: Pace,
    is_rest: bool = False,
    stretch: float = 1.0,
    min_interval: float = 0.0,
    speed: int = 1,
) -> float:
    """다음 조회 after an answer at `at`; the interval that the source allows at least always wins.

    `speed` divides everything: a sandbox lives faster than a courier and knows no nights.
    """
    part, other = parts(key)
    rule = RULES[pace]
    wait = rule.hours * HOUR * max(1.0, stretch) * jitter(part)
    if speed > 1:
        return at + max(wait, min_interval) / speed
    if is_rest and rule.rests:
        wait *= REST_FACTOR
    return _woken(at + max(wait, min_interval), rule, other)


def _woken(due: float, rule: Rule, part: float) -> float:
    """Out of the quiet hours into the morning after them, spread."""
    clock = (due + KST_SECONDS) % DAY
    if rule.quiet_to <= clock < rule.quiet_from:
        return due
    morning = due - clock + rule.quiet_to + (DAY if clock >= rule.quiet_from else 0)
    return max(due, morning + rule.morning * part)


def back_off(fail_count: int, *, at: float, key: int) -> float:
    """다시 시도 after the n-th failure in a row."""
    return at + BACK_OFF[max(1, min(fail_count, len(BACK_OFF))) - 1].total_seconds() * jitter(parts(key)[0])


def demand(counts: Mapping[Pace, int], *, min_interval: float = 0.0) -> dict[Group, float]:
    """조회 수요: questions a second while we are awake, by group."""
    found = dict.fromkeys(Group, 0.0)
    for pace, count in counts.items():
        rule = RULES[pace]
        found[rule.group] += count / max(rule.hours * HOUR, min_interval)
    return found


def allowed(per_second: float | None, per_day: int | None) -> float | None:
    """정기 조회에 쓰는 한도 in questions a second while we are awake; None without any limit."""
    limits = [
        limit for limit in (per_second, None if per_day is None else per_day / AWAKE_SECONDS) if limit is not None
    ]
    return min(limits) * (1 - STAFF_SHARE) if limits else None


def stretches(wanted: Mapping[Group, float], limit: float | None) -> dict[Group, float]:
    """늘림: by what the intervals of each group are multiplied so that the demand fits; 1 when it does.

    Parcels that nobody has scanned wait first, those on the van last and at most twice as long. When even that does not
    fit, the others wait as long as it takes (up to 50 times): freshness falls instead of a backlog rising.
    """
    one = dict.fromkeys(Group, 1.0)
    waiting, moving, out = (wanted.get(group, 0.0) for group in Group)
    if limit is None or waiting + moving + out <= limit:
        return one
    found = _fit(waiting, limit - moving - out, MOST_WAITING)
    if found is not None:
        return one | {Group.WAITING: found}
    found = _fit(moving, limit - waiting / MOST_WAITING - out, MOST_MOVING)
    if found is not None:
        return one | {Group.WAITING: MOST_WAITING, Group.MOVING: found}
    found = _fit(out, limit - waiting / MOST_WAITING - moving / MOST_MOVING, MOST_OUT)
    if found is not None:
        return {Group.WAITING: MOST_WAITING, Group.MOVING: MOST_MOVING, Group.OUT: found}
    left = limit - out / MOST_OUT
    rest = min(LONGEST_STRETCH, (waiting + moving) / left) if left > 0 else LONGEST_STRETCH
    rest = max(rest, MOST_WAITING)
    return {Group.WAITING: rest, Group.MOVING: rest, Group.OUT: MOST_OUT}


def _fit(part: float, room: float, most: float) -> float | None:
    """By what a part must be divided to fit its room, when that is at most `most`."""
    if part <= 0 or room <= 0 or part / room > most:
        return None
    return max(1.0, part / room)


@dataclass(frozen=True, slots=True)
class Capacity:
    """조회 능력 of an account: what its quota carries, and how fresh the parcels on the van are."""

    calls_per_day: int
    """Questions of a day for the regular work, without the share of staff."""
    polls_per_parcel: float
    parcels_per_day: int
    out_minutes: int
    """Minutes between two questions about a parcel on the van, with the parcels of now."""


# A typical parcel: hours after it left at 17:00 at which a scan begins a stage; 8 % take a day longer (4.5).
_LIFE = ((2.0, "PICKED_UP"), (5.0, "IN_TRANSIT"), (17.0, "OUT_FOR_DELIVERY"), (22.0, "DELIVERED"))
_SAMPLES = 200
_SLOW_SHARE = 0.08
# 17:00 of some day; rest days are left out of the average.
_LEFT_AT = DAY * 20_000 + 17 * HOUR - KST_SECONDS


def polls_per_parcel(*, min_interval: float = 0.0, stretch: Mapping[str, float] = NO_STRETCH) -> float:
    """상자당 조회 횟수: how often a typical parcel is asked about from leaving until its delivery is seen."""
    lives = (_polls_of(key, min_interval, stretch) for key in range(_SAMPLES))
    return sum(lives) / _SAMPLES


def _polls_of(key: int, min_interval: float, stretch: Mapping[str, float]) -> int:
    late = 24.0 if (key % 100) / 100 < _SLOW_SHARE else 0.0
    at, polls = first_due(_LEFT_AT, key=key), 1
    while (stage := _stage_at((at - _LEFT_AT) / HOUR, late)) != "DELIVERED":
        pace = pace_of(stage, age=at - _LEFT_AT)
        at = next_due(at, key=key, pace=pace, stretch=stretch.get(RULES[pace].group, 1.0), min_interval=min_interval)
        polls += 1
    return polls


def _stage_at(hours: float, late: float) -> str:
    stage = ""
    for begins, name in _LIFE:
        if hours >= begins + (late if begins > 10 else 0):
            stage = name
    return stage


def capacity(
    *, per_second: float | None, per_day: int | None, min_interval: float, stretch: Mapping[str, float] = NO_STRETCH
) -> Capacity | None:
    """조회 능력: parcels that may leave in a day, by the quota; None for an account without any limit."""
    limit = allowed(per_second, per_day)
    if limit is None:
        return None
    polls = polls_per_parcel(min_interval=min_interval)
    calls = int(limit * AWAKE_SECONDS)
    out = max(RULES[Pace.OUT].hours * HOUR * stretch.get(Group.OUT, 1.0), min_interval)
    return Capacity(calls, polls, int(calls / polls), round(out / 60))
