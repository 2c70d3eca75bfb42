"""Business days, day borders in Seoul, and the public holidays we rely on."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from core.calendar import (
    KST,
    BusinessCalendar,
    add_business_days,
    business_calendar,
    clear_holiday,
    deadline,
    due_date,
    is_business_day,
    kst_date,
    kst_day_range,
    public_holidays,
    set_holiday,
)
from core.models.calendar import Holiday, HolidayKind

HOLIDAYS_2026 = """
    01-01 02-16 02-17 02-18 03-01 03-02 05-01 05-05 05-24 05-25 06-03 06-06 07-17 08-15 08-17 09-24 09-25 09-26
    10-03 10-05 10-09 12-25
"""
HOLIDAYS_2027 = """
    01-01 02-06 02-07 02-08 02-09 03-01 05-01 05-03 05-05 05-13 06-06 07-17 07-19 08-15 08-16 09-14 09-15 09-16
    10-03 10-04 10-09 10-11 12-25 12-27
"""
PLAIN = BusinessCalendar({})


@pytest.mark.parametrize(("year", "days"), [(2026, HOLIDAYS_2026), (2027, HOLIDAYS_2027)])
def test_the_public_holidays_are_the_ones_we_checked(year, days):
    assert [f"{day:%m-%d}" for day in public_holidays(year)] == days.split()


def test_public_holidays_carry_korean_names():
    assert public_holidays(2026)[date(2026, 7, 17)] == "제헌절"


def test_a_kst_day_begins_nine_hours_before_utc_midnight():
    start, end = kst_day_range(date(2026, 9, 21))
    assert start == datetime(2026, 9, 20, 15, tzinfo=UTC)
    assert end == datetime(2026, 9, 21, 15, tzinfo=UTC)
    assert kst_date(start) == date(2026, 9, 21)
    assert kst_date(end - timedelta(microseconds=1)) == date(2026, 9, 21)
    assert kst_date(end) == date(2026, 9, 22)


def test_a_naive_time_is_refused():
    with pytest.raises(ValueError, match="aware"):
        kst_date(datetime(2026, 9, 21))


@pytest.mark.django_db
def test_a15_paid_monday_before_two_listed_holidays_is_due_the_next_monday_at_24():
    set_holiday(day=date(2026, 9, 24), name="추석 연휴")
    set_holiday(day=date(2026, 9, 25), name="추석")
    due = deadline(datetime(2026, 9, 21, 11, tzinfo=KST), 3)
    assert due == datetime(2026, 9, 28, 15, tzinfo=UTC)
    assert due_date(due) == date(2026, 9, 28)


def test_a_monday_payment_without_holidays_is_due_on_thursday():
    assert PLAIN.deadline(datetime(2026, 11, 2, 9, tzinfo=KST), 3) == datetime(2026, 11, 5, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "days", "expected"),
    [
        ("2026-11-06", 1, "2026-11-09"),  # Friday
        ("2026-11-07", 1, "2026-11-09"),  # Saturday
        ("2026-11-07", 3, "2026-11-11"),
        ("2026-11-06", 0, "2026-11-06"),
        ("2026-11-07", 0, "2026-11-09"),
        ("2026-11-09", -1, "2026-11-06"),
        ("2026-12-24", 1, "2026-12-28"),  # Christmas on a Friday
        ("2026-12-31", 1, "2027-01-04"),
        ("2026-02-13", 1, "2026-02-19"),  # Lunar New Year
    ],
)
def test_business_days_are_counted_from_the_day_after(start, days, expected):
    assert PLAIN.add(date.fromisoformat(start), days) == date.fromisoformat(expected)


def test_days_between_count_the_end_but_not_the_start():
    assert PLAIN.between(date(2026, 11, 6), date(2026, 11, 10)) == 2
    assert PLAIN.between(date(2026, 11, 10), date(2026, 11, 6)) == 0


@pytest.mark.django_db
def test_the_table_adds_and_removes_days_and_is_seen_at_once():
    monday, saturday = date(2026, 11, 2), date(2026, 11, 7)
    assert is_business_day(monday)
    assert not is_business_day(saturday)
    set_holiday(day=monday, name="창립기념일")
    set_holiday(day=saturday, name="특근", kind=HolidayKind.WORK)
    assert not is_business_day(monday)
    assert is_business_day(saturday)
    assert clear_holiday(day=monday)
    assert not clear_holiday(day=monday)
    assert is_business_day(monday)


@pytest.mark.django_db
def test_an_overwritten_day_is_seen_at_once_and_stays_one_row():
    day = date(2026, 11, 2)
    set_holiday(day=day, name="휴무")
    assert not is_business_day(day)
    set_holiday(day=day, name="근무", kind=HolidayKind.WORK)
    assert is_business_day(day)
    assert Holiday.objects.count() == 1


@pytest.mark.django_db
def test_a_rolled_back_day_is_forgotten():
    day = date(2026, 11, 2)
    with transaction.atomic():
        set_holiday(day=day, name="휴무")
        assert not is_business_day(day)
        transaction.set_rollback(True)
    assert is_business_day(day)


@pytest.mark.django_db
def test_a_courier_rests_on_its_own_days_only():
    day = date(2026, 8, 14)
    set_holiday(day=day, name="택배 없는 날", courier_code="CJ")
    assert is_business_day(day)
    assert not is_business_day(day, courier="CJ")
    assert is_business_day(day, courier="HANJIN")
    assert add_business_days(date(2026, 8, 13), 1, courier="CJ") == date(2026, 8, 18)


@pytest.mark.django_db
def test_a_courier_may_work_when_the_shop_rests():
    day = date(2026, 11, 2)
    set_holiday(day=day, name="휴무")
    set_holiday(day=day, name="정상 배송", kind=HolidayKind.WORK, courier_code="CJ")
    assert not is_business_day(day)
    assert is_business_day(day, courier="CJ")


@pytest.mark.django_db
def test_many_deadlines_cost_one_query(django_assert_num_queries):
    business_calendar()
    with django_assert_num_queries(1):
        calendar = business_calendar()
        for day in range(1, 29):
            calendar.deadline(datetime(2026, 11, day, 9, tzinfo=KST), 3)


def test_a_calendar_without_business_days_ends_in_an_error():
    start = date(2026, 1, 1)
    closed = BusinessCalendar({(start + timedelta(n), ""): (HolidayKind.REST, "폐업") for n in range(500)})
    with pytest.raises(ValueError, match="no business day"):
        closed.add(start, 1)


@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(1, 30))
def test_the_nth_business_day_has_n_business_days_before_it(day, n):
    end = PLAIN.add(day, n)
    assert PLAIN.is_business_day(end)
    assert PLAIN.between(day, end) == n
    assert PLAIN.add(end, -n) < day or not PLAIN.is_business_day(day) or PLAIN.add(end, -n) == day
