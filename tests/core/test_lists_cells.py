"""Cells escape whatever they are given and write Korean formats."""

from datetime import UTC, datetime

import pytest

from core import cells

BAD = "<img src=x onerror=alert(1)>\"'&"


@pytest.mark.parametrize(
    "made",
    [
        cells.text(BAD),
        cells.two_lines(BAD, BAD, title=BAD),
        cells.with_note(BAD, BAD),
        cells.won_and(1, BAD),
        cells.link(BAD, BAD, css=BAD, sub=BAD, title=BAD),
        cells.opener(BAD, BAD, sub=BAD, title=BAD),
        cells.badge("s-ready", BAD),
        cells.tags([cells.Tag(BAD)] * 5),
        cells.joined([BAD, cells.text(BAD)]),
    ],
)
def test_nothing_given_becomes_markup(made):
    assert "<img" not in made
    assert "\"'" not in made


def test_amounts_and_numbers():
    assert (cells.won(12300), cells.won(-500), cells.won(0), cells.won(None)) == ("12,300원", "-500원", "0원", "")
    assert (cells.number(3214), cells.number(None)) == ("3,214", "")


def test_at_most_three_tags_and_how_many_more():
    made = cells.tags([cells.Tag("보류", "t-hold"), *map(cells.Tag, ("메모", "지연 2일", "제주", "선물"))])
    assert made.count('class="tag') == 4
    assert ">+2<" in made
    assert 'title="제주, 선물"' in made
    assert 'class="tag t-hold"' in made
    assert cells.tags([]) == ""


def test_times_are_of_seoul_and_short_in_this_year():
    now = datetime(2026, 1, 1, 3, tzinfo=UTC)
    assert cells.short_time(datetime(2025, 12, 31, 15, 1, tzinfo=UTC), now) == "01-01 00:01"
    assert cells.short_time(datetime(2025, 12, 31, 14, 59, tzinfo=UTC), now) == "2025-12-31"
    assert cells.full_time(datetime(2025, 12, 31, 15, 1, 2, tzinfo=UTC)) == "2026-01-01 00:01:02"
    assert cells.minute_time(datetime(2025, 12, 31, 15, 1, 2, tzinfo=UTC)) == "2026-01-01 00:01"
    assert (cells.short_time(None, now), cells.full_time(None), cells.minute_time(None)) == ("", "", "")
