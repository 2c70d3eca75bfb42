"""The arithmetic of domain.md 3.6: the worked example to the won, and what is true of every refund."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.refunds import Breakdown, Purchase, Source, Split, Terms, Units, calculate, split
from orders.states import CouponRule, Fault, ReturnTrip

A = Units(unit_price=30_000, quantity=1, coupon_share=3_000, points_share=1_800)
B = Units(unit_price=20_000, quantity=1, coupon_share=2_000, points_share=1_200)
TERMS = Terms(free_from=50_000, basic_fee=3_000, return_fee=3_000)
CARD = Source(payment_id=1, place=0, rest=42_000)


def purchase(*lines: Units, has_shipped: bool = False, **facts: int) -> Purchase:
    return Purchase(lines=lines, has_shipped=has_shipped, **{"shipping_paid": 0, **facts})


def going(line: Units) -> Units:
    return replace(line, going=line.quantity - line.gone)


def gone(line: Units) -> Units:
    return replace(line, gone=line.gone + line.going, going=0)


# The worked example


def test_returning_b_by_the_buyers_fault_gives_10_800_to_the_card_and_1_200_points_back():
    found = calculate(purchase(A, going(B), has_shipped=True), TERMS, fault=Fault.BUYER, trip=ReturnTrip.ONE_WAY)
    assert found == Breakdown(
        goods=20_000, discount=0, coupon=2_000, points=1_200, shipping_back=0, clawback=3_000, return_fee=3_000,
        forfeit=0, restores_coupon=False,
    )  # fmt: skip
    assert split(found.total, [CARD]) == Split(((1, 10_800),), 0)


def test_returning_b_by_the_sellers_fault_gives_16_800_to_the_card_and_1_200_points_back():
    found = calculate(purchase(A, going(B), has_shipped=True), TERMS, fault=Fault.SELLER, trip=ReturnTrip.ONE_WAY)
    assert (found.total, found.points) == (16_800, 1_200)


def test_canceling_both_before_shipping_gives_everything_back():
    found = calculate(purchase(going(A), going(B)), TERMS, fault=Fault.BUYER)
    assert (found.total, found.points, found.restores_coupon) == (42_000, 3_000, True)


# Rules beside it


def test_canceling_a_part_before_shipping_loses_free_delivery_because_the_rest_still_travels():
    found = calculate(purchase(A, going(B)), TERMS, fault=Fault.BUYER)
    assert (found.clawback, found.return_fee, found.total) == (3_000, 0, 13_800)


def test_what_was_taken_for_a_part_comes_back_when_the_rest_is_canceled_before_shipping_too():
    first = calculate(purchase(A, going(B)), TERMS, fault=Fault.BUYER)
    second = calculate(purchase(going(A), gone(going(B)), shipping_paid=3_000), TERMS, fault=Fault.BUYER)
    assert second.shipping_back == 3_000
    assert first.total + second.total == 42_000


def test_free_delivery_is_lost_once():
    late = purchase(going(A), gone(going(B)), has_shipped=True, shipping_paid=3_000)
    assert calculate(late, TERMS, fault=Fault.BUYER, trip=ReturnTrip.ONE_WAY).clawback == 0
    below = purchase(going(A), gone(going(B)), has_shipped=True)
    assert calculate(below, TERMS, fault=Fault.BUYER, trip=ReturnTrip.ONE_WAY).clawback == 0


def test_a_paid_delivery_comes_back_by_the_sellers_fault_only_once_something_was_sent():
    lines = (going(A), going(B))
    by_fault = {
        fault: calculate(purchase(*lines, has_shipped=True, shipping_paid=3_000), TERMS, fault=fault).shipping_back
        for fault in Fault
    }
    assert by_fault == {Fault.BUYER: 0, Fault.SELLER: 3_000, Fault.NONE: 0}


def test_an_exchange_travels_twice_and_an_island_costs_once_more():
    terms = replace(TERMS, remote_fee=4_000)
    found = calculate(purchase(A, going(B), has_shipped=True), terms, fault=Fault.BUYER, trip=ReturnTrip.ROUND_TRIP)
    assert found.return_fee == 3_000 * 2 + 4_000


def test_less_than_the_fees_is_an_extra_payment_and_pays_nothing_out():
    cheap = Units(unit_price=2_000, quantity=1)
    found = calculate(purchase(A, going(cheap), has_shipped=True), TERMS, fault=Fault.BUYER, trip=ReturnTrip.ONE_WAY)
    assert (found.total, found.extra_due) == (-1_000, 1_000)
    assert split(found.total, [CARD]) == Split((), 0)


def test_the_rest_loses_its_coupon_only_where_the_shop_says_so():
    after = purchase(A, going(B), has_shipped=True, coupon_minimum=40_000)
    kept = calculate(after, TERMS, fault=Fault.SELLER)
    lost = calculate(after, replace(TERMS, coupon_rule=CouponRule.FORFEIT), fault=Fault.SELLER)
    assert (kept.forfeit, lost.forfeit, lost.total) == (0, 3_000, 13_800)


def test_a_coupon_is_forfeited_once():
    """Three lines of 10,000 with a coupon of 3,000 from 25,000 on: what was paid goes back, and no won of it twice."""
    line = Units(unit_price=10_000, quantity=1, coupon_share=1_000)
    terms, found = replace(TERMS, free_from=0, coupon_rule=CouponRule.FORFEIT), []
    for place in range(3):
        lines = [replace(line, gone=int(n < place), going=int(n == place)) for n in range(3)]
        found.append(calculate(purchase(*lines, coupon_minimum=25_000), terms, fault=Fault.SELLER).total)
    assert found == [7_000, 10_000, 10_000]


def test_the_last_additional_payment_goes_back_first_and_the_main_one_last():
    sources = [CARD, Source(payment_id=7, place=1, rest=3_000), Source(payment_id=9, place=2, rest=2_500)]
    assert split(10_000, sources) == Split(((9, 2_500), (7, 3_000), (1, 4_500)), 0)
    assert split(50_000, sources) == Split(((9, 2_500), (7, 3_000), (1, 42_000)), 2_500)


def test_units_beyond_the_line_are_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="do not fit"):
        replace(A, going=2)


# Properties

WON = st.integers(0, 1_000_000)
LINES = st.lists(
    st.builds(
        lambda price, quantity, a, b, c: Units(
            unit_price=price + a + b + c, quantity=quantity, discount_share=a, coupon_share=b, points_share=c
        ),
        WON, st.integers(1, 9), WON, WON, WON,
    ),
    min_size=1, max_size=5,
)  # fmt: skip
FEES = st.builds(
    Terms, free_from=WON, basic_fee=WON, return_fee=WON, remote_fee=WON, coupon_rule=st.sampled_from(CouponRule)
)


def value(line: Units) -> int:
    return line.unit_price * line.quantity - line.discount_share - line.coupon_share - line.points_share


@given(lines=LINES, terms=FEES, fee=WON, fault=st.sampled_from(Fault))
def test_canceling_everything_before_shipping_gives_back_what_was_due(lines, terms, fee, fault):
    found = calculate(purchase(*map(going, lines), shipping_paid=fee), terms, fault=fault)
    assert found.total == sum(map(value, lines)) + fee


@given(lines=LINES, terms=FEES, fee=WON, data=st.data())
def test_canceling_bit_by_bit_before_shipping_gives_back_the_same(lines, terms, fee, data):
    total, paid_fee, points, minimum = 0, fee, 0, data.draw(WON)
    due = sum(map(value, lines)) + fee
    restored = sum(line.points_share for line in lines)
    while any(line.gone < line.quantity for line in lines):
        lines = [replace(line, going=data.draw(st.integers(0, line.quantity - line.gone))) for line in lines]
        if not any(line.going for line in lines):
            lines = [going(line) for line in lines]
        now = purchase(*lines, shipping_paid=paid_fee, coupon_minimum=minimum)
        found = calculate(now, terms, fault=data.draw(st.sampled_from(Fault)))
        total, points = total + found.total, points + found.points
        paid_fee += found.clawback - found.shipping_back
        lines = [gone(line) for line in lines]
    assert (total, points, paid_fee) == (due, restored, 0)


@given(lines=LINES, terms=FEES, fee=WON, shipped=st.booleans(), trip=st.sampled_from(ReturnTrip), data=st.data())
def test_the_buyer_never_gets_more_by_his_own_fault_than_by_ours(lines, terms, fee, shipped, trip, data):
    chosen = [replace(line, going=data.draw(st.integers(0, line.quantity))) for line in lines]
    one = purchase(*chosen, shipping_paid=fee, has_shipped=shipped)
    by = {fault: calculate(one, terms, fault=fault, trip=trip).total for fault in Fault}
    assert by[Fault.BUYER] <= by[Fault.NONE] <= by[Fault.SELLER]


@given(
    amount=st.integers(-1_000_000, 3_000_000),
    rests=st.lists(st.integers(-1_000, 1_000_000), max_size=5),
)
def test_a_split_pays_no_more_than_is_there_and_loses_nothing(amount, rests):
    sources = [Source(payment_id=n + 1, place=n, rest=rest) for n, rest in enumerate(rests)]
    found = split(amount, sources)
    rest_of = {source.payment_id: source.rest for source in sources}
    assert sum(won for _, won in found.parts) + found.uncovered == max(0, amount)
    assert all(0 < won <= rest_of[pk] for pk, won in found.parts)
    order = [pk for pk, _ in found.parts]
    assert order == sorted(order, reverse=True)
    # Nothing is left in a later payment while an earlier one was touched.
    assert all(won == rest_of[pk] for pk, won in found.parts[:-1])
    assert not found.uncovered or all(max(0, rest) == dict(found.parts).get(pk, 0) for pk, rest in rest_of.items())
