"""영업일: business days and day borders in Asia/Seoul; instants go in and out in UTC (domain.md 2.1, D8)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from types import MappingProxyType
from zoneinfo import ZoneInfo

import holidays
from django.db.models import Count, Max
from django.db.models.functions import Now

from core.exceptions import DomainError
from core.models import Holiday
from core.models.calendar import HolidayKind

KST = ZoneInfo("Asia/Seoul")
SATURDAY = 5
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2099, 12, 31)
"""Days that a person may type: nothing of a shop lies outside, and Python's calendar ends at 9999."""
# No deadline runs this long; a table that marks every day as a rest day must not hang a worker.
LONGEST_RUN_OF_REST_DAYS = 366


class OutOfCalendar(DomainError):
    """달력 밖의 날짜: a day or an instant at the very edge of what can be counted."""

    code = "out_of_calendar"
    status = 422

    def __init__(self) -> None:
        super().__init__(f"날짜는 {FIRST_DAY.year}년부터 {LAST_DAY.year}년까지 입력할 수 있습니다.")


def kst_date(at: datetime) -> date:
    """한국 날짜: the calendar day in Seoul at an aware instant. Raises OutOfCalendar."""
    if at.tzinfo is None:
        raise ValueError("an aware datetime is needed")
    try:
        return at.astimezone(KST).date()
    except OverflowError:
        raise OutOfCalendar from None


def short(at: datetime | None) -> str:
    """월-일 시:분 in Seoul, "11-21 14:20"; nothing for None."""
    return at.astimezone(KST).strftime("%m-%d %H:%M") if at else ""


def kst_day_range(day: date) -> tuple[datetime, datetime]:
    """하루의 범위: first instant of a day in Seoul and of the next, in UTC; the end does not belong to the day.

    Raises OutOfCalendar for the first and the last day that Python knows.
    """
    try:
        return _midnight(day), _midnight(day + timedelta(days=1))
    except OverflowError:
        raise OutOfCalendar from None


def due_date(deadline_at: datetime) -> date:
    """기한 날짜: the last day in Seoul on which an act is in time for a stored deadline."""
    try:
        return kst_date(deadline_at - timedelta(microseconds=1))
    except OverflowError:
        raise OutOfCalendar from None


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=KST).astimezone(UTC)


@lru_cache(maxsize=64)
def public_holidays(year: int) -> Mapping[date, str]:
    """공휴일: the public holidays of a year in South Korea with their Korean names, without the shop's own changes."""
    return MappingProxyType(dict(sorted(holidays.country_holidays("KR", years=year, language="ko").items())))


@dataclass(frozen=True)
class BusinessCalendar:
    """영업일 달력: an unchanging picture of weekends, public holidays and the Holiday table; asks no database.

    A row of the table wins over the public calendar, a courier's own row over the shop's.
    """

    overrides: Mapping[tuple[date, str], str]
    """Kinds by day and courier, "" for the shop."""

    def is_business_day(self, day: date, *, courier: str = "") -> bool:
        """영업일 여부: whether the shop (or the courier) works on the day."""
        own = self.overrides.get((day, courier)) if courier else None
        if kind := own or self.overrides.get((day, "")):
            return kind == HolidayKind.WORK
        return day.weekday() < SATURDAY and day not in public_holidays(day.year)

    def add(self, day: date, days: int, *, courier: str = "") -> date:
        """영업일 더하기: the n-th business day after `day`; 0 gives `day` itself or the next business day.

        A negative number counts back. Raises ValueError when the table leaves no business day within a year.
        """
        step = timedelta(days=1 if days >= 0 else -1)
        left, rested = abs(days), 0
        if left == 0:
            day, left = day - step, 1
        while left:
            day += step
            if self.is_business_day(day, courier=courier):
                left, rested = left - 1, 0
            else:
                rested += 1
            if rested > LONGEST_RUN_OF_REST_DAYS:
                raise ValueError(f"no business day within a year of {day}")
        return day

    def between(self, start: date, end: date, *, courier: str = "") -> int:
        """영업일 수: business days after `start` up to and including `end`; 0 when `end` is not later."""
        days = (start + timedelta(days=n) for n in range(1, (end - start).days + 1))
        return sum(self.is_business_day(day, courier=courier) for day in days)

    def deadline(self, at: datetime, days: int, *, courier: str = "") -> datetime:
        """기한: 24:00 in Seoul of the n-th business day after the day of `at`, as an instant in UTC.

        The instant is exclusive: an act is in time when it happens before it, and due_date() names its day.
        Source: domain.md 2.1 (결제일 + 3 영업일).
        """
        _, end = kst_day_range(self.add(kst_date(at), days, courier=courier))
        return end


_loaded: tuple[object, BusinessCalendar] | None = None


def business_calendar() -> BusinessCalendar:
    """영업일 달력: the calendar as it is now; one small query, the table itself is read only when it changed.

    Callers that handle many rows take it once and use its methods.
    """
    global _loaded
    stamp = tuple(Holiday.objects.aggregate(Count("pk"), Max("updated_at")).values())
    if _loaded is None or _loaded[0] != stamp:
        rows = Holiday.objects.values_list("date", "courier_code", "kind")
        _loaded = (stamp, BusinessCalendar({(day, code): kind for day, code, kind in rows}))
    return _loaded[1]


def is_business_day(day: date, *, courier: str = "") -> bool:
    """영업일 여부: BusinessCalendar.is_business_day for a single question."""
    return business_calendar().is_business_day(day, courier=courier)


def add_business_days(day: date, days: int, *, courier: str = "") -> date:
    """영업일 더하기: BusinessCalendar.add for a single question."""
    return business_calendar().add(day, days, courier=courier)


def deadline(at: datetime, days: int, *, courier: str = "") -> datetime:
    """기한: BusinessCalendar.deadline for a single question."""
    return business_calendar().deadline(at, days, courier=courier)


def set_holiday(*, day: date, name: str, kind: HolidayKind = HolidayKind.REST, courier_code: str = "") -> Holiday:
    """휴일 등록: make a day a rest day (or a working day) for the shop or for one courier; repeats overwrite."""
    values = {"name": name, "kind": kind, "updated_at": Now()}
    holiday, _ = Holiday.objects.update_or_create(date=day, courier_code=courier_code, defaults=values)
    return holiday


def clear_holiday(*, day: date, courier_code: str = "") -> bool:
    """휴일 삭제: give a day back to the public calendar; False when it had no row."""
    removed, _ = Holiday.objects.filter(date=day, courier_code=courier_code).delete()
    return bool(removed)
