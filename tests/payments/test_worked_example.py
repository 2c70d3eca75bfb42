"""The worked example of domain.md 3.6, from the order to the money: what of it happens before anything is shipped.

A 30,000 and B 20,000 won, coupon 5,000, points 3,000, delivery free from 50,000, basic fee 3,000; card 42,000.
"""

from importlib import import_module

import pytest
from django.db import connection

from orders.models import BenefitEntry, OrderLine
from orders.services import progress
from orders.states import CanceledBy, Fault, LineState, PaymentMethod
from payments.models import Payment, Refund, RefundCalculation
from payments.services.manual import confirm_manually, revert_manual
from payments.services.refunds import by_hand, canceling, requesting
from payments.states import PaymentState
from tests.fixtures.orders import NOW, broken, reloaded
from tests.fixtures.refunds import ACCOUNT
from tests.infra.races import race

S = LineState
USED = [("COUPON", "USED", 5_000), ("POINTS", "USED", 3_000)]


@pytest.fixture
def example(make_order, make_variant, lines_of):
    """`example()`: order, A, B as the storefront sends it, paid by card."""

    def make(**facts):
        lines = [(make_variant(on_hand=5), 3), (make_variant(on_hand=5), 2)]
        wanted = {"paid": True, "coupon_amount": 5_000, "points_amount": 3_000} | facts
        order = make_order(lines=lines, price=10_000, **wanted)
        return (order, *lines_of(order))

    return make


def cancel(lines, *, actor, fault=Fault.SELLER, **facts):
    ids = [line.pk for line in lines]
    return canceling.cancel_and_refund(line_ids=ids, fault=fault, reason="변심", actor=actor, at=NOW, **facts)


def ledger(order):
    return list(BenefitEntry.objects.filter(order=order).order_by("pk").values_list("kind", "act", "amount"))


def paid_back(order):
    return list(Refund.objects.filter(order=order).order_by("pk").values_list("amount", flat=True))


def pay_out(order, actor):
    ids = list(Refund.objects.filter(order=order).values_list("pk", flat=True))
    assert by_hand.pay_out(refund_ids=ids, actor=actor, at=NOW).refused == {}


def test_the_order_has_the_shares_of_the_example(example):
    order, a, b = example()
    assert (order.due_amount, order.shipping_fee_amount) == (42_000, 0)
    assert [(one.coupon_share, one.points_share) for one in (a, b)] == [(3_000, 1_800), (2_000, 1_200)]
    assert ledger(order) == USED


@pytest.mark.parametrize(("fault", "card"), [(Fault.SELLER, 16_800), (Fault.BUYER, 13_800)])
def test_b_alone_gives_its_money_and_its_points_back(example, staff, fault, card):
    """Nothing has left the house, so there is no return fee; by the buyer's fault the free delivery is lost."""
    order, _, b = example()
    assert cancel([b], fault=fault, actor=staff).refused == {}
    assert paid_back(order) == [card]
    assert ledger(order) == [*USED, ("POINTS", "RESTORED", 1_200)]
    calculation = RefundCalculation.objects.get()
    assert (calculation.goods, calculation.coupon, calculation.points) == (20_000, 2_000, 1_200)
    assert not calculation.restores_coupon
    pay_out(order, staff)
    payment = Payment.objects.get(order=order)
    assert (payment.balance, payment.state) == (42_000 - card, PaymentState.PART_REFUNDED)
    assert broken() == []


def test_both_before_shipping_give_everything_back(example, staff):
    order, a, b = example()
    assert cancel([a, b], fault=Fault.BUYER, actor=staff).refused == {}
    assert paid_back(order) == [42_000]
    assert ledger(order) == [*USED, ("COUPON", "RESTORED", 5_000), ("POINTS", "RESTORED", 3_000)]
    assert RefundCalculation.objects.get().restores_coupon
    pay_out(order, staff)
    assert Payment.objects.get(order=order).state == PaymentState.REFUNDED
    assert reloaded(order).paid_amount == 0
    assert broken() == []


@pytest.mark.parametrize("fault", list(Fault))
def test_one_after_the_other_adds_up_to_both_at_once(example, staff, fault):
    order, a, b = example()
    cancel([b], fault=fault, actor=staff)
    cancel([a], fault=fault, actor=staff)
    assert sum(paid_back(order)) == 42_000
    back = [("POINTS", "RESTORED", 1_200), ("COUPON", "RESTORED", 5_000), ("POINTS", "RESTORED", 1_800)]
    assert ledger(order) == [*USED, *back]
    assert broken() == []


def test_the_page_says_how_many_points_went_back(example, staff, sign_in):
    order, _, b = example()
    cancel([b], actor=staff)
    page = sign_in(staff.role).get(f"/orders/{order.number}/").content.decode()
    assert "적립금 (1,200원 돌려줌)" in page
    assert "적립금 1,200원을 돌려주었습니다" in page
    assert "쿠폰 (돌려줌)" not in page


def test_the_rest_of_an_order_that_ends_unpaid_gives_back_only_what_is_left(example, staff):
    order, a, b = example(paid=False, payment_method=PaymentMethod.BANK_TRANSFER)
    confirm_manually(order_ids=[order.pk], actor=staff, at=NOW)
    assert cancel([b], actor=staff, account=ACCOUNT).refused == {}
    ids = list(Refund.objects.values_list("pk", flat=True))
    assert len(revert_manual(order_ids=[order.pk], actor=staff, at=NOW, reason="오입금").refused) == 2
    requesting.withdraw(refund_ids=ids, actor=staff, at=NOW, reason="오입금")
    assert revert_manual(order_ids=[order.pk], actor=staff, at=NOW, reason="오입금").refused == {}
    assert reloaded(a).state == S.AWAITING_PAYMENT
    progress.cancel_unpaid(order_ids=[order.pk], actor=staff, at=NOW, by=CanceledBy.STAFF, reason="취소")
    rest = [("COUPON", "RESTORED", 5_000), ("POINTS", "RESTORED", 1_800)]
    assert ledger(order) == [*USED, ("POINTS", "RESTORED", 1_200), *rest]
    progress.revive(order_ids=[order.pk], actor=staff, at=NOW, reason="되살림")
    assert ledger(order)[5:] == [("COUPON", "USED", 5_000), ("POINTS", "USED", 1_800)]
    assert [violation.detail for violation in broken()] == []


@pytest.mark.processes
@pytest.mark.django_db(transaction=True)
def test_two_people_cancel_the_two_lines_at_the_same_moment(example, staff, finance):
    """Whoever is second sees that the order ends and gives the coupon back; nothing comes back twice."""
    order, a, b = example()
    answers = race([lambda: len(cancel([a], actor=staff).moved), lambda: len(cancel([b], actor=finance).moved)])
    assert answers == [1, 1]
    assert {line.state for line in OrderLine.objects.filter(order=order)} == {S.CANCELED}
    assert sum(paid_back(order)) == 42_000
    sums = {kind: sum(won for name, act, won in ledger(order) if (name, act) == (kind, "RESTORED"))
            for kind in ("COUPON", "POINTS")}  # fmt: skip
    assert sums == {"COUPON": 5_000, "POINTS": 3_000}
    assert broken() == []


@pytest.mark.processes
@pytest.mark.django_db(transaction=True)
def test_two_people_cancel_the_same_line_at_the_same_moment(example, staff):
    order, _, b = example()
    assert sorted(race([lambda: len(cancel([b], actor=staff).moved)] * 4)) == [0, 0, 0, 1]
    assert paid_back(order) == [16_800]
    assert ledger(order) == [*USED, ("POINTS", "RESTORED", 1_200)]
    assert broken() == []


def test_lines_canceled_before_points_came_back_one_by_one_get_theirs(example, staff):
    order, _, b = example()
    cancel([b], actor=staff)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; TRUNCATE orders_benefitentry")
        cursor.execute(import_module("orders.migrations.0011_benefit_ledger").OPENING)
        assert [one.invariant for one in broken()] == ["INV-03"]
        for _ in range(2):
            cursor.execute(import_module("orders.migrations.0014_points_of_canceled_lines").GIVE_BACK)
    assert ledger(order) == [*USED, ("POINTS", "RESTORED", 1_200)]
    assert broken() == []
