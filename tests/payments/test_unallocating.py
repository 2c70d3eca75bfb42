"""연결 취소: its dialog says what becomes of the orders before anybody confirms it."""

from datetime import timedelta

import pytest

from accounts.roles import Role
from orders.models import Order, OrderLine
from orders.services import progress
from orders.states import LineState
from payments.models import BankDeposit, LedgerEntry, MoneyProblem, Payment
from payments.services.cases import resolving
from payments.services.deposits.allocating import allocate
from payments.services.deposits.unallocating import unallocate
from tests.fixtures.orders import NOW, broken, reloaded
from tests.fixtures.refunds import ACCOUNT


@pytest.fixture
def connected(make_order, came_in, matched, staff):
    """`connected(10_000, 15_000)`: (a deposit that pays orders of so much, the orders)."""

    def make(*prices, **facts):
        orders = [make_order(price=price) for price in prices]
        deposit = came_in(facts.pop("amount", sum(prices)), "홍길동")
        matched()
        if reloaded(deposit).state == "QUEUED":
            ids = [one.pk for one in orders]
            allocate(deposit_id=deposit.pk, order_ids=ids, actor=staff, at=NOW + timedelta(hours=3), **facts)
        return reloaded(deposit), orders

    return make


def previewed(client, *deposits):
    rows = ",".join(f"{one.pk}:{one.version}" for one in deposits)
    values = {"page": "deposits", "mode": "ids", "rows": rows}
    return client.post("/acts/unallocate-deposit/", values, headers={"HX-Request": "true"}).content.decode()


def stages(orders):
    return [one.stage for one in Order.objects.filter(pk__in=[order.pk for order in orders]).order_by("pk")]


@pytest.mark.django_db(transaction=True)
def test_the_dialog_counts_the_orders_that_wait_for_money_again_and_changes_nothing(connected, sign_in):
    deposit, orders = connected(10_000, 15_000)
    assert stages(orders) == [LineState.PREPARING] * 2
    entries = LedgerEntry.objects.count()
    page = previewed(sign_in(Role.FINANCE), deposit)
    assert "주문 2건이 입금대기로 돌아갑니다." in page
    assert stages(orders) == [LineState.PREPARING] * 2
    assert (reloaded(deposit).version, LedgerEntry.objects.count()) == (deposit.version, entries)


@pytest.mark.django_db(transaction=True)
def test_what_it_says_is_what_happens(connected, sign_in, press):
    deposit, orders = connected(10_000)
    client = sign_in(Role.FINANCE)
    preview, _ = press(client, "unallocate-deposit", "deposits", [(deposit.pk, deposit.version)], reason="다른 사람 돈")
    assert "주문 1건이 입금대기로 돌아갑니다." in preview.content.decode()
    assert stages(orders) == [LineState.AWAITING_PAYMENT]
    assert BankDeposit.objects.get(pk=deposit.pk).state == "QUEUED"


@pytest.mark.django_db(transaction=True)
def test_an_order_that_waits_anyway_only_loses_money(connected, sign_in):
    deposit, orders = connected(30_000, amount=10_000, accepts_difference=True)
    assert stages(orders) == [LineState.AWAITING_PAYMENT]
    page = previewed(sign_in(Role.FINANCE), deposit)
    assert "입금대기인 주문 1건은 받은 돈이 줄어듭니다." in page
    assert "돌아갑니다" not in page


@pytest.mark.django_db(transaction=True)
def test_where_it_cannot_be_the_dialog_says_why_and_promises_nothing(connected, sign_in, staff):
    deposit, [order] = connected(10_000)
    lines = list(OrderLine.objects.filter(order=order).values_list("pk", flat=True))
    progress.make_ready(line_ids=lines, actor=staff, at=NOW + timedelta(hours=3))
    page = previewed(sign_in(Role.FINANCE), deposit)
    assert f"배송준비중 이후로 넘어간 주문입니다: {order.number}" in page
    assert "돌아갑니다" not in page
    assert set(OrderLine.objects.filter(order=order).values_list("state", flat=True)) == {LineState.READY}


def test_two_deposits_go_one_after_the_other_and_leave_what_a_refund_is_to_pay(make_order, came_in, matched, staff):
    """30,000 and 30,000 for 40,000, of which 20,000 are on their way back: only one of them can be taken away."""
    order, at = make_order(price=40_000), NOW + timedelta(hours=3)
    deposits = []
    for _ in "12":
        deposits.append(came_in(30_000, "홍길동"))
        matched(at=at)
        allocate(deposit_id=deposits[-1].pk, order_ids=[order.pk], actor=staff, at=at, accepts_difference=True)
    facts = {"actor": staff, "at": at, "reason": "더 들어옴"}
    problem = MoneyProblem.objects.get(resolved_at=None)
    assert resolving.refund(problem_ids=[problem.pk], account=ACCOUNT, **facts).refused == {}
    facts["at"] = at + timedelta(hours=1)
    outcome = unallocate(deposit_ids=[one.pk for one in deposits], **facts)
    assert outcome.moved_ids == [deposits[0].pk]
    assert outcome.refused == {deposits[1].pk: f"환불한 금액이 있는 주문입니다: {order.number}"}
    payment = Payment.objects.get(order=order)
    assert (payment.balance, stages([order])) == (30_000, [LineState.AWAITING_PAYMENT])
    assert broken() == []
