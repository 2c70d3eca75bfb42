"""자동취소 beside the bank: what came in time and nobody has looked at yet pays its order first (F47)."""

from datetime import timedelta

import pytest

from orders.models import OrderLine
from orders.states import LineState
from payments import tasks
from payments.invariants import check_deposits_in_time
from payments.models import LedgerEntry, MoneyProblem
from payments.services.watching.overdue import cancel_overdue
from payments.states import DepositState, EntryKind
from tests.fixtures.orders import NOW, broken, reloaded
from tests.fixtures.work import beside

S = LineState


def states(*orders):
    return [OrderLine.objects.get(order=one).state for one in orders]


@pytest.fixture
def due(make_order):
    """`due()`: an unpaid order of 10,000 won of 홍길동 and the moment its deadline is just over."""

    def make(**facts):
        order = make_order(price=10_000, **facts)
        return order, order.deposit_by + timedelta(minutes=1)

    return make


def test_a_row_that_nobody_has_compared_yet_pays_its_order_before_the_deadline_cancels_it(due, came_in):
    order, after = due()
    row = came_in(10_000, "홍길동", at=order.deposit_by - timedelta(minutes=5))
    assert row.state == DepositState.NEW
    assert tasks.cancel_unpaid_overdue(at=after) == 0
    assert states(order) == [S.PREPARING]
    assert reloaded(row).state == DepositState.MATCHED
    assert list(LedgerEntry.objects.values_list("kind", "amount")) == [(EntryKind.DEPOSIT, 10_000)]
    assert not MoneyProblem.objects.exists()
    assert broken() == []


def test_orders_that_no_row_belongs_to_end_all_the_same(due, came_in):
    order, after = due()
    other = came_in(77_000, "이순신", at=order.deposit_by - timedelta(minutes=5))
    assert tasks.cancel_unpaid_overdue(at=after) == 1
    assert states(order) == [S.CANCELED_UNPAID]
    assert reloaded(other).state == DepositState.QUEUED
    assert broken() == []


@pytest.mark.django_db(transaction=True)
def test_while_a_row_cannot_be_compared_no_order_that_a_transfer_pays_ends(due, came_in):
    paying, after = due()
    unpaid, _ = due(buyer_name="임꺽정", depositor_name="임꺽정")
    row = came_in(10_000, f"홍길동 {paying.number}", at=paying.deposit_by - timedelta(minutes=5))
    with beside() as colleague:
        colleague.execute("SELECT 1 FROM orders_order WHERE id = %s FOR UPDATE", [paying.pk])
        assert tasks.cancel_unpaid_overdue(at=after) == 0
        assert states(paying, unpaid) == [S.AWAITING_PAYMENT, S.AWAITING_PAYMENT]
        assert reloaded(row).state == DepositState.NEW
        assert not LedgerEntry.objects.exists()
    assert tasks.cancel_unpaid_overdue(at=after) == 1
    assert states(paying, unpaid) == [S.PREPARING, S.CANCELED_UNPAID]
    assert reloaded(row).state == DepositState.MATCHED
    assert broken() == []


def test_oms_check_judges_by_the_time_of_the_deposit_and_by_when_we_had_it(due, came_in, matched):
    """The cancel is done without looking at the bank first, as the job did once."""
    order, after = due()
    came_in(10_000, "홍길동", at=order.deposit_by - timedelta(minutes=5))
    cancel_overdue(order_ids=[order.pk], at=after)
    matched(at=after + timedelta(minutes=1))
    assert states(order) == [S.CANCELED_UNPAID]
    [violation] = check_deposits_in_time()
    assert (violation.invariant, violation.subject) == ("INV-17", OrderLine.objects.get().number)
    assert "10000 won were there in time" in violation.detail


@pytest.mark.parametrize("minutes", [1, 60 * 24])
def test_a_deposit_after_the_deadline_breaks_no_rule(due, came_in, matched, minutes):
    order, after = due()
    cancel_overdue(order_ids=[order.pk], at=after)
    came_in(10_000, "홍길동", at=order.deposit_by + timedelta(minutes=minutes))
    matched(at=NOW + timedelta(days=9))
    assert list(check_deposits_in_time()) == []
