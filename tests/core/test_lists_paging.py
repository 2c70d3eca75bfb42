"""Keyset paging: every row once, forwards and backwards, with NULL, with equal values, while rows come and go."""

import random
from datetime import timedelta

import pytest

from core.paging import Sort, decode, encode, fetch
from orders.models import Order
from tests.fixtures.order_rows import NOW

DUE, LATE = Sort("빠른순", ("next_due_at",), nullable=True), Sort("늦은순", ("-next_due_at",), nullable=True)
NEWEST = Sort("최신순", ("-ordered_at",))
TWO = Sort("단계와 금액", ("stage", "due_amount"))
SORTS = (DUE, LATE, NEWEST, TWO)


def forward(sort: Sort, size: int, *, after_each=lambda ids: None) -> list[int]:
    found, cursor = [], None
    while True:
        page = fetch(Order.objects.all(), sort, size=size, cursor=cursor)
        found += page.ids
        after_each(page.ids)
        if not page.after:
            return found
        cursor = decode(page.after, sort, Order, backward=False)


@pytest.mark.parametrize("sort", SORTS, ids=lambda sort: sort.label)
def test_pages_together_are_the_whole_order(some_orders, sort):
    whole = list(Order.objects.order_by(*sort.order_by()).values_list("pk", flat=True))
    assert Order.objects.filter(next_due_at=None).exists()
    assert Order.objects.exclude(next_due_at=None).exists()
    for size in (7, 50, 399, 400, 401):
        assert forward(sort, size) == whole


@pytest.mark.parametrize("sort", SORTS, ids=lambda sort: sort.label)
def test_going_back_shows_the_pages_that_were_left(some_orders, sort):
    pages, cursor = [], None
    for _ in range(6):
        page = fetch(Order.objects.all(), sort, size=60, cursor=cursor)
        pages.append(page)
        if page.after:
            cursor = decode(page.after, sort, Order, backward=False)
    assert not pages[0].before
    assert pages[-1].before
    for earlier, later in reversed(list(zip(pages, pages[1:], strict=False))):
        back = fetch(Order.objects.all(), sort, size=60, cursor=decode(later.before, sort, Order, backward=True))
        assert back.ids == earlier.ids
        assert bool(back.before) == bool(earlier.before)
        assert back.after


def test_rows_that_come_and_go_never_repeat_or_hide_the_others(some_orders):
    dice = random.Random(3)
    there = list(Order.objects.order_by(*NEWEST.order_by()).values_list("pk", flat=True))
    template = Order.objects.first()

    def disturb(shown: list[int]) -> None:
        for _ in range(3):
            template.pk = None
            template.number = f"20990101-{dice.randrange(10**7):07d}"
            template.channel_number = template.number
            template.ordered_at = NOW - timedelta(days=dice.randrange(700))
            template.save(force_insert=True)

    walked = forward(NEWEST, 23, after_each=disturb)
    assert len(walked) == len(set(walked))
    assert [pk for pk in walked if pk in set(there)] == there


def test_an_empty_list_has_no_way_on(db):
    page = fetch(Order.objects.all(), NEWEST, size=50, cursor=None)
    assert (page.ids, page.before, page.after) == ([], "", "")


def test_a_place_survives_its_own_text():
    place = encode([NOW, 12], 34)
    sort = Sort("일시와 금액", ("ordered_at", "due_amount"))
    cursor = decode(place, sort, Order, backward=True)
    assert (cursor.values, cursor.pk, cursor.backward) == ((NOW, 12), 34, True)


def test_a_sort_runs_in_one_direction():
    with pytest.raises(ValueError, match="two directions"):
        Sort("섞인 순", ("-ordered_at", "due_amount"))
