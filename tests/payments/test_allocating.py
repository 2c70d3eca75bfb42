"""입금 연결: what staff decide about deposits, and taking it back; refusals change nothing."""

from datetime import timedelta
from functools import partial

import pytest
from django.db import IntegrityError

from core.exceptions import Conflict, DomainError
from orders.models import OrderLine
from orders.services import progress
from orders.states import LOCK_BIT, CanceledBy, LineState, LockKind
from payments.models import BankDeposit, DepositAllocation, LedgerEntry, MoneyProblem, Payment
from payments.services import manual
from payments.services.deposits.allocating import Canceled, allocate, ignore, reopen
from payments.services.deposits.confirming import drain
from payments.services.deposits.unallocating import unallocate
from payments.states import DepositReason, DepositState, PaymentState
from payments.tasks import cancel_unpaid_overdue
from tests.fixtures.orders import NOW, broken, reloaded
from tests.infra.races import race

S = LineState
LATER, AFTER = NOW + timedelta(hours=1), NOW + timedelta(hours=3)


def state_of(order):
    return set(OrderLine.objects.filter(order=order).values_list("state", flat=True))


def is_held(order):
    bits = OrderLine.objects.filter(order=order).values_list("open_locks", flat=True)
    return all(one & LOCK_BIT[LockKind.DEPOSIT_PENDING] for one in bits)


def give(deposit, *orders, staff, **facts):
    return allocate(deposit_id=deposit.pk, order_ids=[one.pk for one in orders], actor=staff, at=AFTER, **facts)


def entries():
    return list(LedgerEntry.objects.order_by("pk").values_list("kind", "amount"))


@pytest.fixture
def queued(came_in, matched):
    """`queued(39_000, "홍길동")`: a deposit that waits for a person."""

    def make(amount, depositor, **facts):
        deposit = came_in(amount, depositor, **facts)
        matched()
        return reloaded(deposit)

    return make


def test_one_deposit_pays_several_orders_to_the_won(make_order, queued, staff):
    orders = [make_order(price=price) for price in (10_000, 15_000, 7_000)]
    deposit = queued(25_000, "홍길동")
    assert deposit.reason == DepositReason.SEVERAL_ORDERS
    summands = set(deposit.candidates.filter(is_summand=True).values_list("order_id", flat=True))
    assert summands == {orders[0].pk, orders[1].pk}
    assert all(is_held(order) for order in orders)
    give(deposit, orders[0], orders[1], staff=staff, seen_version=deposit.version)
    assert [state_of(order) for order in orders] == [{S.PREPARING}, {S.PREPARING}, {S.AWAITING_PAYMENT}]
    assert not any(is_held(order) for order in orders)
    deposit = reloaded(deposit)
    assert (deposit.state, deposit.allocated_amount, deposit.decided_by) == (DepositState.ALLOCATED, 25_000, staff)
    assert entries() == [("DEPOSIT", 10_000), ("DEPOSIT", 15_000)]
    assert not MoneyProblem.objects.exists()
    assert broken() == []


def test_a_difference_is_refused_until_it_is_accepted(make_order, queued, staff):
    order = make_order(price=39_000)
    deposit = queued(40_000, "홍길동")
    with pytest.raises(DomainError, match="1,000원 많습니다"):
        give(deposit, order, staff=staff)
    assert (entries(), reloaded(deposit).version, state_of(order)) == ([], deposit.version, {S.AWAITING_PAYMENT})
    give(deposit, order, staff=staff, accepts_difference=True)
    problem = MoneyProblem.objects.get()
    assert (problem.kind, problem.amount) == ("OVERPAID", 1_000)
    assert state_of(order) == {S.PREPARING}
    assert Payment.objects.get().state == PaymentState.OVERPAID
    assert broken() == []


def test_a_canceled_order_is_revived_or_keeps_its_money_to_be_refunded(make_order, queued, staff):
    orders = [
        make_order(price=price, depositor_name=name, buyer_name=name)
        for price, name in ((39_000, "홍길동"), (21_000, "성춘향"))
    ]
    progress.cancel_unpaid(order_ids=[one.pk for one in orders], actor=None, at=NOW, by=CanceledBy.DEADLINE)
    first, second = queued(39_000, "홍길동"), queued(21_000, "성춘향")
    assert [reloaded(one).reason for one in (first, second)] == [DepositReason.LATE_AFTER_CANCEL] * 2
    with pytest.raises(DomainError, match="되살리고 연결하세요"):
        give(first, orders[0], staff=staff)
    assert (entries(), state_of(orders[0])) == ([], {S.CANCELED_UNPAID})
    give(first, orders[0], staff=staff, canceled=Canceled.REVIVE)
    assert state_of(orders[0]) == {S.PREPARING}
    give(second, orders[1], staff=staff, canceled=Canceled.KEEP)
    assert state_of(orders[1]) == {S.CANCELED_UNPAID}
    assert MoneyProblem.objects.get().kind == "LATE_AFTER_CANCEL"
    assert reloaded(orders[1]).paid_amount == 21_000
    assert broken() == []


def test_money_confirmed_by_hand_is_linked_and_counts_once(make_order, came_in, matched, staff):
    order = make_order(price=39_000)
    manual.confirm_manually(order_ids=[order.pk], actor=staff, at=LATER)
    deposit = came_in(39_000, "홍길동")
    matched()
    deposit = reloaded(deposit)
    assert deposit.reason == DepositReason.ALREADY_CONFIRMED
    give(deposit, order, staff=staff)
    assert entries() == [("MANUAL", 39_000), ("DEPOSIT", 39_000), ("MANUAL_REVERSAL", -39_000)]
    assert reloaded(order).paid_amount == 39_000
    unallocate(deposit_ids=[deposit.pk], actor=staff, at=AFTER + timedelta(hours=1), reason="잘못 연결")
    assert entries()[3:] == [("REVERSAL", -39_000), ("MANUAL", 39_000)]
    assert state_of(order) == {S.PREPARING}
    assert broken() == []


def test_less_than_was_confirmed_by_hand_is_refused(make_order, queued, staff):
    order = make_order(price=39_000)
    manual.confirm_manually(order_ids=[order.pk], actor=staff, at=LATER)
    deposit = queued(38_000, "홍길동")
    with pytest.raises(DomainError, match="직접 입금확인한 39,000원보다"):
        give(deposit, order, staff=staff, accepts_difference=True)
    assert entries() == [("MANUAL", 39_000)]


def test_taking_a_link_back_reverses_it_and_protects_the_order_again(make_order, came_in, matched, staff):
    order = make_order(price=39_000)
    deposit = came_in(39_000, "홍길동")
    matched()
    unallocate(deposit_ids=[deposit.pk], actor=staff, at=AFTER, reason="다른 사람 돈")
    deposit = reloaded(deposit)
    assert (deposit.state, deposit.reason, deposit.allocated_amount) == (DepositState.QUEUED, DepositReason.UNDONE, 0)
    assert (state_of(order), reloaded(order).paid_amount) == ({S.AWAITING_PAYMENT}, 0)
    assert is_held(order)
    matched(at=AFTER)
    assert reloaded(deposit).state == DepositState.QUEUED
    give(deposit, order, staff=staff)
    assert entries() == [("DEPOSIT", 39_000), ("REVERSAL", -39_000), ("DEPOSIT", 39_000)]
    assert list(DepositAllocation.objects.order_by("pk").values_list("reference", flat=True)) == [
        f"bank-{deposit.fingerprint}", f"bank-{deposit.fingerprint}/2"
    ]  # fmt: skip
    assert broken() == []


def test_an_order_on_its_way_keeps_its_money(make_order, came_in, matched, staff):
    order = make_order(price=39_000)
    deposit = came_in(39_000, "홍길동")
    matched()
    lines = list(OrderLine.objects.filter(order=order).values_list("pk", flat=True))
    progress.make_ready(line_ids=lines, actor=staff, at=AFTER)
    outcome = unallocate(deposit_ids=[deposit.pk], actor=staff, at=AFTER, reason="잘못")
    assert outcome.refused == {deposit.pk: f"배송준비중 이후로 넘어간 주문입니다: {order.number}"}
    assert entries() == [("DEPOSIT", 39_000)]
    assert reloaded(deposit).state == DepositState.MATCHED


def test_ignored_money_lets_its_orders_go_and_can_be_taken_up_again(make_order, queued, staff):
    order = make_order(price=39_000)
    deposit = queued(39_000, "홍길")
    assert is_held(order)
    ignore(deposit_ids=[deposit.pk], actor=staff, at=AFTER, reason="이자")
    assert (reloaded(deposit).state, reloaded(deposit).note, is_held(order)) == (DepositState.IGNORED, "이자", False)
    reopen(deposit_ids=[deposit.pk], actor=staff, at=AFTER, reason="다시")
    assert reloaded(deposit).state == DepositState.QUEUED
    assert is_held(order)


def test_connected_money_cannot_be_ignored(make_order, came_in, matched, staff):
    make_order(price=39_000)
    deposit = came_in(39_000, "홍길동")
    matched()
    outcome = ignore(deposit_ids=[deposit.pk], actor=staff, at=AFTER, reason="x")
    assert list(outcome.refused) == [deposit.pk]
    assert reloaded(deposit).state == DepositState.MATCHED


def test_a_stale_screen_and_a_second_press_are_refused(make_order, queued, staff):
    order = make_order(price=39_000)
    deposit = queued(39_000, "홍길")
    with pytest.raises(Conflict) as stale:
        give(deposit, order, staff=staff, seen_version=deposit.version - 1)
    assert stale.value.message == (
        "화면을 연 뒤 09-21 13:00에 시스템이 확인 필요로 바꿨습니다. 후보 주문을 다시 확인하세요."
    )
    assert (entries(), reloaded(deposit).version) == ([], deposit.version)
    give(deposit, order, staff=staff)
    with pytest.raises(Conflict) as second:
        give(deposit, order, staff=staff)
    assert second.value.message == (
        f"이미 처리한 입금입니다. 09-21 14:00에 {staff.display_name} 님이 직접 연결로 바꿨습니다."
    )
    assert entries() == [("DEPOSIT", 39_000)]


@pytest.mark.django_db(transaction=True)
def test_two_staff_connect_the_same_deposit_and_one_wins(make_order, queued, staff):
    orders = [make_order(price=39_000, depositor_name=name, buyer_name=name) for name in ("가나다", "라마바")]
    deposit = queued(39_000, "사아자")

    def press(order):
        def run():
            try:
                give(deposit, order, staff=staff)
            except (Conflict, DomainError) as refused:
                return refused.code
            return "done"

        return run

    assert sorted(race([press(order) for order in orders])) == ["deposit_done", "done"]
    assert entries() == [("DEPOSIT", 39_000)]
    assert sorted(state_of(order).pop() for order in orders) == [S.AWAITING_PAYMENT, S.PREPARING]
    assert broken() == []


@pytest.mark.django_db(transaction=True)
def test_a_deposit_and_the_deadline_at_once_never_both(make_order, came_in):
    for n in range(6):
        order = make_order(price=30_000 + n)
        deposit = came_in(30_000 + n, "홍길동", at=order.deposit_by - timedelta(minutes=1))
        at = order.deposit_by + timedelta(minutes=1)
        race([partial(drain, at=at), partial(cancel_unpaid_overdue, at=at)])
        while drain(at=at):
            pass
        deposit = reloaded(deposit)
        if state_of(order) == {S.PREPARING}:
            assert deposit.state == DepositState.MATCHED
        else:
            assert state_of(order) == {S.CANCELED_UNPAID}
            assert (deposit.state, deposit.reason) == (DepositState.QUEUED, DepositReason.LATE_AFTER_CANCEL)
    assert broken() == []


@pytest.mark.django_db(transaction=True)
def test_the_database_itself_refuses_to_spend_a_deposit_twice(make_order, queued, staff):
    order = make_order(price=39_000)
    deposit = queued(39_000, "홍길")
    give(deposit, order, staff=staff)
    other = Payment.objects.get(order=make_order(price=39_000))
    with pytest.raises(IntegrityError, match="deposit_not_overspent"):
        DepositAllocation.objects.create(deposit=deposit, payment=other, amount=1, reference="x", at=AFTER)
    assert BankDeposit.objects.get(pk=deposit.pk).allocated_amount == 39_000
