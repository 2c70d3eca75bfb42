"""Daily numbers: without gaps in one transaction, without duplicates among many processes."""

import multiprocessing
from datetime import UTC, date, datetime

import pytest
from django.db import connection, connections, transaction

from core.calendar import kst_date
from core.models import DailyCounter
from core.numbering import MOST_A_DAY, line_number, order_number, shipment_number, take_numbers

DAY = date(2026, 9, 21)
RACERS, ROUNDS, BLOCK = 16, 20, 7


def test_numbers_are_written_as_the_shop_reads_them():
    assert order_number(DAY, 17) == "20260921-0000017"
    assert line_number("20260921-0000017", 2) == "20260921-0000017-02"
    assert shipment_number("20260921-0000017", 0) == "D-20260921-0000017-00"
    assert line_number("20260921-0000017", 100) == "20260921-0000017-100"


@pytest.mark.django_db
def test_blocks_follow_each_other_by_one_query_each(django_assert_num_queries):
    with django_assert_num_queries(1):
        assert list(take_numbers("order", day=DAY, count=3)) == [1, 2, 3]
    assert list(take_numbers("order", day=DAY, count=1)) == [4]
    assert list(take_numbers("claim-C", day=DAY, count=2)) == [1, 2]


@pytest.mark.django_db
def test_midnight_in_seoul_starts_a_new_count():
    before, after = datetime(2026, 9, 21, 14, 59, 59, tzinfo=UTC), datetime(2026, 9, 21, 15, tzinfo=UTC)
    numbers = [
        order_number(kst_date(at), take_numbers("order", day=kst_date(at), count=1)[0])
        for at in (before, before, after)
    ]
    assert numbers == ["20260921-0000001", "20260921-0000002", "20260922-0000001"]


@pytest.mark.django_db
def test_a_rollback_gives_the_numbers_back():
    take_numbers("order", day=DAY, count=5)
    with transaction.atomic():
        take_numbers("order", day=DAY, count=5)
        transaction.set_rollback(True)
    assert take_numbers("order", day=DAY, count=1)[0] == 6


@pytest.mark.django_db
@pytest.mark.parametrize("count", [0, -1])
def test_taking_no_number_is_refused_and_changes_nothing(count):
    with pytest.raises(ValueError, match="at least 1"):
        take_numbers("order", day=DAY, count=count)
    assert not DailyCounter.objects.exists()


@pytest.mark.django_db
def test_a_day_never_gives_out_an_eighth_digit():
    take_numbers("order", day=DAY, count=MOST_A_DAY)
    with pytest.raises(OverflowError), transaction.atomic():
        take_numbers("order", day=DAY, count=1)
    assert DailyCounter.objects.get().last == MOST_A_DAY


def _race(start, taken):
    connections.close_all()
    start.wait()
    numbers = []
    for _ in range(ROUNDS):
        with transaction.atomic():
            numbers += take_numbers("order", day=DAY, count=BLOCK)
    connection.close()
    taken.put(numbers)


@pytest.mark.django_db(transaction=True)
def test_sixteen_processes_never_take_the_same_number():
    # The children must open connections of their own.
    connections.close_all()
    fork = multiprocessing.get_context("fork")
    start, taken = fork.Event(), fork.Queue()
    racers = [fork.Process(target=_race, args=(start, taken)) for _ in range(RACERS)]
    for racer in racers:
        racer.start()
    start.set()
    numbers = [number for _ in racers for number in taken.get(timeout=120)]
    for racer in racers:
        racer.join(timeout=120)
    assert [racer.exitcode for racer in racers] == [0] * RACERS
    assert sorted(numbers) == list(range(1, RACERS * ROUNDS * BLOCK + 1))
