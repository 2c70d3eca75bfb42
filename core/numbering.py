"""번호: daily counters and the numbers made of them (domain.md D5, 3.5); a number is never given out twice."""

from datetime import date

from django.db import connection

MOST_A_DAY = 9_999_999

_TAKE = """
    INSERT INTO core_dailycounter AS counter (series, day, last) VALUES (%s, %s, %s)
    ON CONFLICT (series, day) DO UPDATE SET last = counter.last + EXCLUDED.last
    RETURNING last
"""


def take_numbers(series: str, *, day: date, count: int) -> range:
    """채번: reserve `count` consecutive numbers of a series for a day in Seoul, starting at 1 each day.

    One statement; its row lock is held until the caller's transaction ends, so take the numbers last
    (architecture.md 3, lock order). A rollback gives them back before anybody saw them.
    Raises ValueError for a count below 1 and OverflowError past 9,999,999 a day.
    """
    if count < 1:
        raise ValueError(f"count is {count}; it must be at least 1")
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [series, day, count])
        (last,) = cursor.fetchone()
    if last > MOST_A_DAY:
        raise OverflowError(f"{series} has no numbers left on {day}")
    return range(last - count + 1, last + 1)


def order_number(day: date, n: int) -> str:
    """주문번호: `20260921-0000017`."""
    return f"{day:%Y%m%d}-{n:07d}"


def line_number(order: str, n: int) -> str:
    """품목별 주문번호: `20260921-0000017-01`; n counts from 1."""
    return f"{order}-{n:02d}"


def shipment_number(order: str, n: int) -> str:
    """배송번호: `D-20260921-0000017-00`; n counts from 0."""
    return f"D-{order}-{n:02d}"
