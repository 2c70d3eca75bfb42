"""Many at once: stock is never given away twice (reliability.md F42)."""

import random
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import pytest
from django.db import transaction

from products.invariants import check_stock
from products.models import StockLevel, StockMovement
from products.services import stock
from tests.fixtures.products import STOCK_DAY, WantedLine, figures
from tests.infra.races import race

RACERS = 16
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]


def run_all(jobs: Sequence[Callable[[], Any]]) -> list[Any]:
    """The jobs dealt out to sixteen processes that start at the same moment; the results in order."""

    def share(n: int) -> list[Any]:
        return [job() for job in jobs[n::RACERS]]

    shares = race([lambda n=n: share(n) for n in range(RACERS)])
    return [shares[place % RACERS][place // RACERS] for place in range(len(jobs))]


def demand(lines) -> None:
    with transaction.atomic():
        stock.add_demand(lines, at=STOCK_DAY)


def grab(line: WantedLine, *, then_cancel: bool) -> str:
    """Allocate a line when it is covered; some change their mind afterwards."""
    with transaction.atomic():
        if stock.shortages([line]):
            return "short"
        stock.allocate([line.later(1)], at=STOCK_DAY)
    if not then_cancel:
        return "held"
    with transaction.atomic():
        stock.release([line.later(2)], at=STOCK_DAY)
        stock.drop_demand([line.later(3)], at=STOCK_DAY)
    return "canceled"


def test_four_hundred_allocations_of_a_hundred_units_never_oversell(make_variant, make_line):
    variant = make_variant(on_hand=100)
    lines = [make_line(variant) for _ in range(400)]
    demand(lines)
    results = run_all([lambda line=line: grab(line, then_cancel=line.pk % 3 == 0) for line in lines])
    held, canceled, short = (results.count(word) for word in ("held", "canceled", "short"))
    assert held + canceled + short == 400
    assert canceled > 0
    assert figures(variant) == (100, 400 - held - canceled, held)
    assert held <= 100
    assert check_stock() == []
    # What was given back can be taken by those that found nothing.
    waiting = [line for line, result in zip(lines, results, strict=True) if result == "short"]
    again = run_all([lambda line=line: grab(line.later(10), then_cancel=False) for line in waiting])
    assert figures(variant)[2] == min(100, held + len(waiting)) == held + again.count("held")
    assert check_stock() == []


def test_counting_while_lines_are_allocated_keeps_the_sums(make_variant, make_line):
    variant = make_variant(on_hand=100)
    lines = [make_line(variant) for _ in range(150)]
    demand(lines)

    def count(n: int) -> str:
        outcome = stock.adjust(
            changes={variant.pk: 60 + n}, at=STOCK_DAY, actor=None, reason="실사", reference=f"count-{n}"
        )
        return "refused" if outcome.refused else "counted"

    jobs = [lambda line=line: grab(line, then_cancel=line.pk % 5 == 0) for line in lines]
    jobs += [lambda n=n: count(n) for n in range(40)]
    random.Random(7).shuffle(jobs)
    results = run_all(jobs)
    on_hand, _, allocated = figures(variant)
    assert results.count("counted") > 0
    assert 0 <= allocated == results.count("held") <= on_hand
    assert check_stock() == []


def test_sets_in_opposite_orders_do_not_block_each_other(make_variant):
    variants = [make_variant(on_hand=1_000) for _ in range(12)]
    StockLevel.objects.filter(pk__in=[variant.pk for variant in variants[::2]], on_hand=0).delete()
    numbers = iter(range(1, 100_000))

    def order(seed: int):
        mine = [WantedLine(n, f"R-{n:06d}", 0, None, 1) for n in islice(numbers, 12)]
        picked = random.Random(seed).sample(variants, 12)
        lines = [WantedLine(line.pk, line.number, 0, v.pk, 1) for line, v in zip(mine, picked, strict=True)]

        def work() -> str:
            with transaction.atomic():
                stock.add_demand(lines, at=STOCK_DAY)
            with transaction.atomic():
                assert stock.shortages(lines) == {}
                stock.allocate([line.later() for line in lines], at=STOCK_DAY)
            return "done"

        return work

    assert run_all([order(seed) for seed in range(64)]) == ["done"] * 64
    assert [figures(variant) for variant in variants] == [(1_000, 0, 64)] * 12
    assert check_stock() == []


def test_first_orders_of_new_variants_create_their_levels_without_a_deadlock(make_variant):
    variants = [make_variant() for _ in range(12)]
    StockLevel.objects.all().delete()

    def order(seed: int):
        picked = random.Random(seed).sample(variants, 8)
        lines = [WantedLine(seed * 100 + n, f"N-{seed}-{n}", 0, v.pk, 1) for n, v in enumerate(picked)]

        def work() -> None:
            with transaction.atomic():
                stock.add_demand(lines, at=STOCK_DAY)

        return work

    run_all([order(seed) for seed in range(48)])
    assert sum(level.demand for level in StockLevel.objects.all()) == 48 * 8 == StockMovement.objects.count()
    assert check_stock() == []
