"""A bank row that names an order by its whole number is never taken for the money of another one."""

import pytest

from orders.models import Order
from orders.states import LineState, PaymentMethod
from payments.models import DepositCandidate
from payments.states import DepositReason, DepositState
from tests.fixtures.orders import broken, reloaded

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def same_end(make_order):
    """`same_end()`: an order and one of the day before whose numbers end alike; 83,000 won each."""

    def make(**facts):
        named, other = make_order(price=83_000, depositor_name="이순신", **facts), make_order(price=83_000)
        Order.objects.filter(pk=named.pk).update(number="20260919-0000013")
        Order.objects.filter(pk=other.pk).update(number="20260920-0000013")
        return reloaded(named), reloaded(other)

    return make


@pytest.mark.parametrize("memo", ["20260919-0000013", "20260919 0000013", "202609190000013"])
def test_the_order_whose_number_it_is_gets_the_money(same_end, came_in, matched, memo):
    named, other = same_end()
    deposit = came_in(83_000, "누군가", memo=memo)
    matched()
    assert (reloaded(deposit).state, reloaded(named).paid_amount) == (DepositState.MATCHED, 83_000)
    assert reloaded(other).stage == LineState.AWAITING_PAYMENT
    assert broken() == []


@pytest.mark.parametrize("depositor", ["누군가", "홍길동"])
@pytest.mark.parametrize("amount", [83_000, 80_000])
def test_of_an_order_that_wants_no_transfer_it_pays_no_other(same_end, came_in, matched, depositor, amount):
    named, other = same_end(payment_method=PaymentMethod.VIRTUAL_ACCOUNT)
    Order.objects.filter(pk=other.pk).update(depositor_name="홍길동")
    deposit = came_in(amount, depositor, memo=named.number)
    matched()
    assert reloaded(deposit).state == DepositState.QUEUED
    assert (reloaded(named).paid_amount, reloaded(other).paid_amount) == (0, 0)
    words = " ".join(DepositCandidate.objects.values_list("words", flat=True))
    assert "적요에 주문번호" not in words
    if amount == 83_000 and depositor == "홍길동":
        assert reloaded(deposit).reason == DepositReason.NAME_WEAK
        assert "적요에 다른 주문번호" in words
    assert broken() == []
