"""Periods: presets mean days in Seoul relative to today, typed days are read tolerantly."""

from datetime import UTC, date, datetime

import pytest

from core.lists.period import parse_day, preset

TODAY = date(2026, 3, 31)


@pytest.mark.parametrize(
    ("key", "start", "end"),
    [
        ("today", TODAY, TODAY),
        ("yesterday", date(2026, 3, 30), date(2026, 3, 30)),
        ("3d", date(2026, 3, 29), TODAY),
        ("7d", date(2026, 3, 25), TODAY),
        ("1m", date(2026, 3, 1), TODAY),
        ("3m", date(2026, 1, 1), TODAY),
        ("all", None, None),
    ],
)
def test_presets_count_back_from_today(key, start, end):
    period = preset(key, TODAY)
    assert (period.start, period.end) == (start, end)


def test_a_day_begins_and_ends_at_midnight_in_seoul():
    condition = dict(preset("today", TODAY).on("at").children)
    assert condition["at__gte"] == datetime(2026, 3, 30, 15, tzinfo=UTC)
    assert condition["at__lt"] == datetime(2026, 3, 31, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-03-05", date(2026, 3, 5)),
        ("20260305", date(2026, 3, 5)),
        ("2026.3.5", date(2026, 3, 5)),
        ("03-05", date(2026, 3, 5)),
        ("0305", date(2026, 3, 5)),
        ("12-25", date(2025, 12, 25)),
        ("오늘", TODAY),
        ("어제", date(2026, 3, 30)),
        ("-3", date(2026, 3, 28)),
    ],
)
def test_days_are_read_as_people_write_them(text, day):
    assert parse_day(text, TODAY) == day


@pytest.mark.parametrize(
    "text", ["2026-02-30", "13-01", "내일모레", "1999-12-31", "2100-01-01", "٢٠٢٦-٠٣-٠٥", "1", "2026", "-9999"]
)
def test_what_is_no_day_is_refused(text):
    with pytest.raises(ValueError):
        parse_day(text, TODAY)
