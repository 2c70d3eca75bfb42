"""기간: presets that stay relative and typed days, both counted in Asia/Seoul (ux.md 2.1)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Q

from core.calendar import FIRST_DAY, LAST_DAY, kst_day_range

TODAY, YESTERDAY, ALL, TYPED = "today", "yesterday", "all", ""
PERIODS = (
    (TODAY, "오늘"),
    (YESTERDAY, "어제"),
    ("3d", "3일"),
    ("7d", "7일"),
    ("1m", "1개월"),
    ("3m", "3개월"),
    (ALL, "전체"),
)
PERIOD_LABELS = dict(PERIODS)
DATE_FORMAT = "날짜는 2025-11-21처럼 입력하세요."
REVERSED = "시작일이 종료일보다 늦습니다."


@dataclass(frozen=True, slots=True)
class Period:
    """기간: a preset by its key, or typed days with an empty key; an open end is None."""

    key: str
    start: date | None
    end: date | None

    @property
    def bounds(self) -> dict[str, datetime]:
        """두 끝: the instant at `start` and the one before which everything lies at `end`; an open end is absent."""
        ends = {"start": _first(self.start)} if self.start else {}
        return ends | {"end": kst_day_range(self.end)[1]} if self.end else ends

    def on(self, field: str) -> Q:
        """조건: rows whose instant lies within the days."""
        return within(field, self.bounds)

    @property
    def is_open(self) -> bool:
        return self.start is None and self.end is None

    @property
    def text(self) -> str:
        """`7일`, or `2025-11-15 ~ 2025-11-21` for typed days."""
        if self.key:
            return PERIOD_LABELS[self.key]
        return f"{self.start or ''} ~ {self.end or ''}".strip()


def within(field: str, bounds: Mapping[str, Any]) -> Q:
    """조건: rows whose instant lies within `Period.bounds`, or within what stands there for them."""
    condition = Q()
    if "start" in bounds:
        condition &= Q(**{f"{field}__gte": bounds["start"]})
    if "end" in bounds:
        condition &= Q(**{f"{field}__lt": bounds["end"]})
    return condition


def preset(key: str, today: date) -> Period:
    """기간 버튼: the days that a preset means today. Raises KeyError for an unknown key."""
    days = {TODAY: 1, "3d": 3, "7d": 7}
    if key == ALL:
        return Period(ALL, None, None)
    if key == YESTERDAY:
        return Period(key, today - timedelta(days=1), today - timedelta(days=1))
    if key in days:
        return Period(key, today - timedelta(days=days[key] - 1), today)
    return Period(key, _months_back(today, {"1m": 1, "3m": 3}[key]) + timedelta(days=1), today)


def parse_day(text: str, today: date) -> date:
    """날짜 읽기: 2025-11-21, 20251121, 11-21, 1121, 오늘, 어제, -3 (days ago). Raises ValueError.

    A day and month without a year mean the latest such day that is not in the future.
    """
    plain = text.strip()
    if plain in {"오늘", "어제"}:
        return today - timedelta(days=int(plain == "어제"))
    if re.fullmatch(r"-\d{1,3}", plain):
        return today + timedelta(days=int(plain))
    if match := re.fullmatch(r"(\d{4})[-./]?(\d{1,2})[-./]?(\d{1,2})", plain, re.ASCII):
        year, month, day = (int(part) for part in match.groups())
        found = date(year, month, day)
    elif match := re.fullmatch(r"(\d{1,2})[-./](\d{1,2})|(\d{2})(\d{2})", plain, re.ASCII):
        month, day = (int(part) for part in match.groups() if part)
        found = date(today.year, month, day)
        if found > today:
            found = date(today.year - 1, month, day)
    else:
        raise ValueError(DATE_FORMAT)
    if not FIRST_DAY <= found <= LAST_DAY:
        raise ValueError(DATE_FORMAT)
    return found


def _first(day: date) -> datetime:
    return kst_day_range(day)[0]


def _months_back(day: date, months: int) -> date:
    """The same day of an earlier month, or that month's last day."""
    index = day.year * 12 + day.month - 1 - months
    year, month = divmod(index, 12)
    next_month = date(year + (month == 11), (month + 1) % 12 + 1, 1)
    return min(date(year, month + 1, 1) + timedelta(days=day.day - 1), next_month - timedelta(days=1))
