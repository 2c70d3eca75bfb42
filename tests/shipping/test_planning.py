"""The planner alone: intervals, nights, first questions, and what is stretched when a quota is short."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.calendar import KST
from shipping.services.polling import planning
from shipping.services.polling.planning import RULES, Group, Pace
from shipping.states import TrackingStage

MOMENTS = st.floats(min_value=1.7e9, max_value=1.9e9)
KEYS = st.integers(min_value=1, max_value=10**9)


def at(text):
    """Epoch seconds of a time in Seoul."""
    return datetime.fromisoformat(text).replace(tzinfo=KST).timestamp()


def clock(seconds):
    return datetime.fromtimestamp(seconds, KST)


def test_every_stage_has_a_pace():
    for stage in TrackingStage:
        assert planning.pace_of(stage, age=0) in Pace
        assert planning.pace_of(stage, age=timedelta(days=11).total_seconds()) == Pace.SLOW


@given(MOMENTS, KEYS, st.sampled_from(Pace), st.floats(1, 10), st.floats(0, 40_000), st.booleans())
def test_the_next_question_is_never_too_soon_nor_in_the_night(now, key, pace, stretch, least, is_rest):
    due = planning.next_due(now, key=key, pace=pace, stretch=stretch, min_interval=least, is_rest=is_rest)
    rule = RULES[pace]
    wait = rule.hours * 3600 * stretch * (2 if is_rest and rule.rests else 1)
    assert due - now >= max(least, wait * 0.9) - 1e-3
    local = clock(due)
    hour = local.hour + local.minute / 60
    assert rule.quiet_to / 3600 - 0.02 <= hour < rule.quiet_from / 3600 + 0.02
    night = 24 * 3600 - (rule.quiet_from - rule.quiet_to) + rule.morning
    assert due - now <= max(least, wait * 1.1) + night + 1
    assert due == planning.next_due(now, key=key, pace=pace, stretch=stretch, min_interval=least, is_rest=is_rest)


@given(MOMENTS, KEYS)
def test_the_first_question_waits_for_the_evening(now, key):
    due = planning.first_due(now, key=key)
    local = clock(due)
    assert due - now >= 4 * 3600 - 1e-3
    assert 8 <= local.hour < 22 or (local.hour, local.minute) == (22, 0)
    assert local.hour >= 20 or clock(now + 4 * 3600).hour >= 22 or clock(now).date() != local.date()


def test_many_parcels_that_left_at_one_stroke_are_spread():
    now = at("2026-11-23 15:00")
    seconds = [int(planning.first_due(now, key=key)) for key in range(20_000)]
    busiest = max(seconds.count(second) for second in set(seconds[:200]))
    assert clock(min(seconds)).strftime("%H:%M") == "20:00"
    assert max(seconds) - min(seconds) > 1.9 * 3600
    assert busiest <= 15


@pytest.mark.parametrize(
    ("now", "pace", "earliest", "latest"),
    [
        ("2026-11-23 10:00", Pace.OUT, "2026-11-23 10:54", "2026-11-23 11:06"),
        ("2026-11-23 22:10", Pace.OUT, "2026-11-24 08:00", "2026-11-24 08:30"),
        ("2026-11-23 21:30", Pace.OUT, "2026-11-23 22:24", "2026-11-23 22:36"),
        ("2026-11-23 20:00", Pace.MOVING, "2026-11-24 06:00", "2026-11-24 08:00"),
        ("2026-11-23 20:00", Pace.WAITING, "2026-11-24 08:00", "2026-11-24 12:00"),
        ("2026-11-23 09:00", Pace.SLOW, "2026-11-24 06:36", "2026-11-24 12:00"),
    ],
)
def test_nights(now, pace, earliest, latest):
    for key in range(200):
        assert at(earliest) <= planning.next_due(at(now), key=key, pace=pace) <= at(latest)


RATES = st.floats(min_value=0, max_value=1000)


@given(RATES, RATES, RATES, st.floats(min_value=0.01, max_value=1000))
def test_what_is_stretched_fits_the_quota_and_the_van_waits_least(waiting, moving, out, limit):
    wanted = {Group.WAITING: waiting, Group.MOVING: moving, Group.OUT: out}
    found = planning.stretches(wanted, limit)
    assert found[Group.WAITING] >= found[Group.MOVING] >= 1
    assert 1 <= found[Group.OUT] <= 2
    asked = sum(wanted[group] / found[group] for group in Group)
    is_hopeless = found[Group.WAITING] == planning.LONGEST_STRETCH
    assert asked <= limit * (1 + 1e-9) or is_hopeless
    if waiting + moving + out <= limit:
        assert set(found.values()) == {1.0}


@given(RATES, RATES, RATES, st.floats(min_value=0.01, max_value=1000), st.floats(min_value=1, max_value=5))
def test_a_larger_quota_never_makes_anybody_wait_longer(waiting, moving, out, limit, more):
    wanted = {Group.WAITING: waiting, Group.MOVING: moving, Group.OUT: out}
    short, ample = planning.stretches(wanted, limit), planning.stretches(wanted, limit * more)
    assert all(ample[group] <= short[group] + 1e-9 for group in Group)


def test_without_a_quota_nothing_is_stretched_and_the_capacity_has_no_number():
    assert set(planning.stretches({Group.OUT: 1e9}, None).values()) == {1.0}
    assert planning.capacity(per_second=None, per_day=None, min_interval=0) is None


def test_a_long_least_interval_saves_questions():
    free = planning.polls_per_parcel()
    rare = planning.polls_per_parcel(min_interval=3 * 3600)
    assert 6 <= free <= 12
    assert rare < free


@pytest.mark.parametrize(("stage", "hours"), [
    ("", 12), ("NO_INFO", 12), ("REGISTERED", 12), ("PICKUP_FAILED", 4), ("PICKED_UP", 4), ("IN_TRANSIT", 4),
    ("OUT_FOR_DELIVERY", 1), ("ATTEMPT_FAILED", 4), ("AVAILABLE_FOR_PICKUP", 6), ("RETURNING", 12), ("EXCEPTION", 24),
])  # fmt: skip
def test_a_stage_is_asked_about_as_often_as_the_table_says(stage, hours):
    assert RULES[planning.pace_of(stage, age=timedelta(days=2).total_seconds())].hours == hours
    young = 6 if hours == 12 and stage != "RETURNING" else hours
    assert RULES[planning.pace_of(stage, age=timedelta(hours=5).total_seconds())].hours == young


def test_a_failed_question_waits_longer_each_time():
    now = at("2026-11-24 10:00")
    waits = [(planning.back_off(fails, at=now, key=7) - now) / 60 for fails in range(1, 8)]
    for wait, minutes in zip(waits, (5, 15, 60, 240, 720, 720, 720), strict=True):
        assert 0.9 * minutes <= wait <= 1.1 * minutes
