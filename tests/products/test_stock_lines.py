"""Demand, allocation and shipping of lines."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from products.models import StockLevel, StockMovement
from products.services import stock
from tests.fixtures.products import STOCK_DAY, WantedLine, figures, ledger

pytestmark = pytest.mark.django_db


def test_demand_rises_above_what_is_on_hand(make_variant, make_line):
    variant = make_variant(on_hand=2)
    line = make_line(variant, 5)
    stock.add_demand([line], at=STOCK_DAY)
    assert figures(variant) == (2, 5, 0)
    assert ledger(variant) == [("DEMAND", 0, 5, 0, f"{line.number}/0")]


def test_a_line_goes_out_and_comes_back(make_variant, make_line):
    variant = make_variant(on_hand=10)
    line = make_line(variant, 3)
    stock.add_demand([line], at=STOCK_DAY)
    seen = [figures(variant)]
    for step in (stock.allocate, stock.ship_out, stock.take_back, stock.release, stock.drop_demand):
        line = line.later()
        step([line], at=STOCK_DAY)
        seen.append(figures(variant))
    assert seen == [(10, 3, 0), (10, 0, 3), (7, 0, 0), (10, 0, 3), (10, 3, 0), (10, 0, 0)]
    assert [row[0] for row in ledger(variant)] == ["DEMAND", "ALLOCATE", "SHIP", "UNSHIP", "RELEASE", "DEMAND_BACK"]


@pytest.mark.parametrize("step", [stock.add_demand, stock.drop_demand, stock.allocate, stock.ship_out, stock.take_back])
def test_the_same_move_of_a_line_twice_fails_in_the_database(make_variant, make_line, step):
    variant = make_variant(on_hand=10)
    others = make_line(variant, 4), make_line(variant, 4)
    stock.add_demand(others, at=STOCK_DAY)
    stock.allocate([others[1].later()], at=STOCK_DAY)
    line = make_line(variant, 1)
    step([line], at=STOCK_DAY)
    before = figures(variant), ledger(variant)
    with pytest.raises(IntegrityError, match="stock_movement_once"), transaction.atomic():
        step([line], at=STOCK_DAY)
    assert (figures(variant), ledger(variant)) == before


@pytest.mark.parametrize("step", [stock.drop_demand, stock.allocate, stock.release, stock.ship_out])
def test_a_move_without_its_ground_is_refused_and_changes_nothing(make_variant, make_line, step):
    covered, bare = make_variant(on_hand=5), make_variant(on_hand=5)
    ground = make_line(covered, 1)
    stock.add_demand([ground, make_line(covered, 1)], at=STOCK_DAY)
    stock.allocate([ground.later()], at=STOCK_DAY)
    before = figures(covered), figures(bare), ledger(covered)
    with pytest.raises(stock.StockBroken, match="재고 장부가 주문과 맞지 않아"):
        step([make_line(covered, 1), make_line(bare, 1)], at=STOCK_DAY)
    assert (figures(covered), figures(bare), ledger(covered)) == before


def test_lines_without_a_variant_and_empty_sets_do_nothing(make_line):
    unmapped = make_line(None, 3)
    with CaptureQueriesContext(connection) as queries:
        for step in (stock.add_demand, stock.drop_demand, stock.allocate, stock.release, stock.ship_out):
            step([unmapped], at=STOCK_DAY)
            step([], at=STOCK_DAY)
        assert stock.shortages([unmapped]) == {}
        assert stock.verdicts([unmapped]) == {}
    assert len(queries) == 0
    assert not StockMovement.objects.exists()


def test_a_missing_level_is_created(make_variant, make_line):
    variant = make_variant()
    StockLevel.objects.all().delete()
    assert stock.shortages([make_line(variant, 2)]) != {}
    stock.add_demand([make_line(variant, 2)], at=STOCK_DAY)
    assert figures(variant) == (0, 2, 0)


def test_shortages_serve_lines_in_the_given_order(make_variant, make_line):
    variant, empty = make_variant(on_hand=5), make_variant()
    first, second, third = make_line(variant, 3), make_line(variant, 4), make_line(variant, 2)
    nothing = make_line(empty, 1_200)
    assert stock.shortages([first, second, third, nothing]) == {
        second.pk: "재고가 2개 부족합니다.",
        nothing.pk: "재고가 1,200개 부족합니다.",
    }
    assert stock.shortages([second, first, third]) == {
        first.pk: "재고가 2개 부족합니다.",
        third.pk: "재고가 1개 부족합니다.",
    }


def test_shortages_count_what_others_have_been_given(make_variant, make_line):
    variant = make_variant(on_hand=5)
    given = make_line(variant, 4)
    stock.add_demand([given], at=STOCK_DAY)
    stock.allocate([given.later()], at=STOCK_DAY)
    wanting = make_line(variant, 2)
    assert stock.shortages([wanting]) == {wanting.pk: "재고가 1개 부족합니다."}


def test_shortages_lock_the_levels_in_the_order_of_variants(make_variant, make_line):
    variants = [make_variant(on_hand=1) for _ in range(3)]
    with CaptureQueriesContext(connection) as queries:
        stock.shortages([make_line(variant) for variant in reversed(variants)])
    lock = queries[-1]["sql"]
    assert "ORDER BY" in lock
    assert lock.endswith("FOR NO KEY UPDATE")
    assert len(queries) == 2


def test_verdicts_judge_each_line_by_itself(make_variant, make_line):
    some, none = make_variant(on_hand=3), make_variant()
    lines = [make_line(some, 3), make_line(some, 4), make_line(none, 1), make_line(None, 1)]
    assert stock.verdicts(lines) == {lines[0].pk: "ALL", lines[1].pk: "PARTLY", lines[2].pk: "NONE"}


def test_a_thousand_lines_cost_as_many_statements_as_one(make_variant, make_line):
    variants = [make_variant() for _ in range(20)]
    counts = []
    for size in (1, 1_000):
        lines = [make_line(variants[n % 20], 2) for n in range(size)]
        with CaptureQueriesContext(connection) as queries:
            stock.add_demand(lines, at=STOCK_DAY)
        counts.append(len(queries))
    assert counts == [4, 4]
    assert StockLevel.objects.get(pk=variants[1].pk).demand == 100


def test_movements_are_written_in_the_order_of_the_lines(make_variant):
    variant = make_variant(on_hand=9)
    lines = [WantedLine(pk, f"L-{pk}", 0, variant.pk, 1) for pk in (30, 4, 17)]
    stock.add_demand(lines, at=STOCK_DAY)
    assert [row[4] for row in ledger(variant)] == ["L-4/0", "L-17/0", "L-30/0"]
