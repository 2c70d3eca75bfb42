"""Whatever happens in whatever order, the level is the sum of its movements."""

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.invariants import declared_invariants, find_violations
from products.invariants import INV_07, check_stock
from products.models import Product, StockLevel, StockMovement, Variant
from products.services import stock
from tests.fixtures.products import STOCK_DAY, WantedLine, figures, put_stock

pytestmark = pytest.mark.django_db

MOVES = ("add_demand", "drop_demand", "allocate", "release", "ship_out", "take_back")
STEPS = st.one_of(
    st.tuples(st.sampled_from(MOVES), st.lists(st.integers(0, 5), min_size=1, max_size=4, unique=True)),
    st.tuples(st.just("adjust"), st.integers(0, 30)),
    st.tuples(st.just("receive"), st.integers(1, 10)),
)


def expected(where: dict[int, str], on_hand: int) -> tuple[int, int, int]:
    """The figures that follow from where each line of (number + 1) units is."""
    units = {place: sum(n + 1 for n, at in where.items() if at == place) for place in ("wanted", "held")}
    return on_hand, units["wanted"], units["held"]


AFTER = {
    "add_demand": ("", "wanted"),
    "drop_demand": ("wanted", ""),
    "allocate": ("wanted", "held"),
    "release": ("held", "wanted"),
    "ship_out": ("held", "gone"),
    "take_back": ("gone", "held"),
}


@given(steps=st.lists(STEPS, max_size=25))
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_any_sequence_of_moves_keeps_level_ledger_and_lines_together(db, steps):
    with transaction.atomic():
        _play(steps)
        transaction.set_rollback(True)


def _play(steps) -> None:
    product = Product.objects.create(code="P-SUMS", name="합계")
    variant = Variant.objects.create(product=product, sku="SUMS")
    put_stock(variant, 12)
    on_hand, where = 12, dict.fromkeys(range(6), "")
    for version, (name, given_value) in enumerate(steps, start=1):
        if name in ("adjust", "receive"):
            change = {variant.pk: given_value}
            how = {"at": STOCK_DAY, "actor": None, "reason": "실사", "reference": f"c{version}"}
            outcome = stock.adjust(changes=change, **how) if name == "adjust" else stock.receive(units=change, **how)
            refused = name == "adjust" and given_value < expected(where, on_hand)[2]
            assert bool(outcome.refused) == refused
            if not refused:
                on_hand = given_value if name == "adjust" else on_hand + given_value
        else:
            before, after = AFTER[name]
            picked = [n for n in given_value if where[n] == before]
            lines = [WantedLine(n, f"L{n}", version, variant.pk, n + 1) for n in picked]
            if name == "allocate":
                short = stock.shortages(lines)
                lines = [line for line in lines if line.pk not in short]
            getattr(stock, name)(lines, at=STOCK_DAY)
            for line in lines:
                where[line.pk] = after
            on_hand += {"ship_out": -1, "take_back": 1}.get(name, 0) * sum(line.quantity for line in lines)
        assert figures(variant) == expected(where, on_hand)
    assert check_stock() == []


def test_a_level_that_is_not_the_sum_of_its_movements_is_found(make_variant):
    right, wrong = make_variant(on_hand=5), make_variant(on_hand=5)
    assert find_violations(INV_07) == []
    StockLevel.objects.filter(pk=wrong.pk).update(on_hand=6)
    found = find_violations(INV_07)
    assert [(one.invariant, one.subject) for one in found] == [("INV-07", f"variant {wrong.pk}")]
    assert "on hand 6" in found[0].detail
    assert "on hand 5" in found[0].detail
    assert right.sku not in found[0].detail


def test_a_level_without_movements_and_movements_without_a_level_are_found(make_variant):
    bare, lost = make_variant(), make_variant(on_hand=5)
    StockLevel.objects.filter(pk=bare.pk).update(demand=2)
    StockLevel.objects.filter(pk=lost.pk).delete()
    assert [one.subject for one in check_stock()] == [f"variant {bare.pk}", f"variant {lost.pk}"]


def test_a_level_out_of_bounds_is_found(make_variant):
    variant = make_variant(on_hand=5)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE products_stocklevel DROP CONSTRAINT stock_allocated_within_on_hand")
    StockLevel.objects.filter(pk=variant.pk).update(allocated=6)
    assert "level out of bounds: on hand 5, demand 0, allocated 6" in [one.detail for one in check_stock()]


def test_a_line_that_holds_stock_twice_is_found(make_variant, make_line):
    variant = make_variant(on_hand=9)
    line = make_line(variant, 2)
    stock.add_demand([line, make_line(variant, 2)], at=STOCK_DAY)
    stock.allocate([line.later(1)], at=STOCK_DAY)
    assert check_stock() == []
    stock.allocate([line.later(2)], at=STOCK_DAY)
    assert [(one.subject, one.detail) for one in check_stock()] == [
        (f"line {line.number}", "holds 4 units in 2 allocations")
    ]


def test_a_line_that_gave_back_another_number_of_units_is_found(make_variant, make_line):
    variant = make_variant(on_hand=9)
    line, other = make_line(variant, 3), make_line(variant, 3)
    stock.add_demand([line, other], at=STOCK_DAY)
    stock.allocate([line.later(1), other.later(1)], at=STOCK_DAY)
    less = WantedLine(line.pk, line.number, 2, variant.pk, 1)
    stock.release([less], at=STOCK_DAY)
    assert [one.detail for one in check_stock()] == ["holds 2 units in 0 allocations"]


def test_the_check_is_in_the_register_of_invariants():
    assert check_stock in [one.check for one in declared_invariants() if one.code == INV_07]
    assert not StockMovement.objects.exists()
