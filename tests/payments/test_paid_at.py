"""결제일시: when PG or bank got the money, not when we heard of it; and who wins by it (F47)."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from core.calendar import KST
from core.state import explain
from orders.deadlines import Deadlines
from orders.models import BenefitEntry, Order, OrderLine
from orders.services import progress
from orders.states import CanceledBy, LineState
from payments.models import MoneyProblem, Payment
from payments.services import manual
from payments.services.deposits.allocating import Canceled, allocate
from payments.services.notices.draining import apply_each
from payments.services.notices.fetching import fetch
from payments.services.snapshots.applying import Fetched
from payments.services.watching import overdue
from payments.states import NoticeState, PaymentState, ProblemKind
from products.models import StockLevel
from products.services import stock
from tests.fixtures.orders import NOW, broken, reloaded
from tests.infra.races import race

PGS = ["toss", "portone", "nicepay", "nicepay-form", "inicis"]
PREPARING, CANCELED = LineState.PREPARING, LineState.CANCELED_UNPAID
at_pgs = pytest.mark.django_db(transaction=True)


@pytest.fixture
def unheard(pg_shop):
    """`unheard("toss")`: an order that was paid at its PG, of which we have heard nothing: (order, answer, moment)."""

    def pay(pg="toss", **facts):
        order = pg_shop.order(pg_shop.account(pg), **facts)
        pg_shop.pgs.fault("hold", times=None)
        pg_shop.deposit(order)
        answer = fetch([Payment.objects.select_related("account").get(order=order)]).popitem()[1]
        assert isinstance(answer, Fetched)
        [deposit] = answer.snapshot.deposits
        return order, answer, deposit.at

    return pay


def facts_of(order):
    line = OrderLine.objects.get(order=order)
    return line.state, line.paid_at, reloaded(order).paid_at, Payment.objects.get(order=order).paid_at


def end_unpaid(order, *, by=CanceledBy.DEADLINE, deposit_by):
    Order.objects.filter(pk=order.pk).update(deposit_by=deposit_by)
    outcome = progress.cancel_unpaid(order_ids=[order.pk], actor=None, at=timezone.now(), by=by)
    assert outcome.refused == {}


@at_pgs
@pytest.mark.parametrize("pg", PGS)
def test_the_time_of_payment_is_that_of_the_pg_and_the_deadline_counts_from_it(unheard, pg):
    order, answer, came = unheard(pg)
    heard = timezone.now() + timedelta(days=9)
    assert apply_each([answer], at=heard)[answer.payment_id].state == NoticeState.PROCESSED
    assert facts_of(order) == (PREPARING, came, came, came)
    ship_by = OrderLine.objects.get(order=order).ship_by
    assert ship_by == Deadlines({order.channel_id}).ship_by(order.channel_id, came)
    assert ship_by < Deadlines({order.channel_id}).ship_by(order.channel_id, heard)
    apply_each([answer], at=heard + timedelta(hours=1))
    assert facts_of(order) == (PREPARING, came, came, came), "hearing it again moves nothing"


@at_pgs
def test_a_deposit_that_the_bank_took_back_leaves_no_time_of_payment(pg_shop, unheard):
    order, answer, came = unheard()
    apply_each([answer], at=timezone.now())
    assert Payment.objects.get(order=order).paid_at == came
    payment = Payment.objects.select_related("account").get(order=order)
    pg_shop.act("reverse", payment)
    apply_each(list(fetch([payment]).values()), at=timezone.now())
    assert Payment.objects.get(order=order).paid_at is None
    assert reloaded(order).paid_at is None


@at_pgs
def test_what_the_pg_tells_takes_the_place_of_the_moment_of_a_booking_by_hand(unheard, staff):
    order, answer, came = unheard()
    by_hand = came + timedelta(hours=3)
    manual.confirm_manually(order_ids=[order.pk], actor=staff, at=by_hand)
    assert Payment.objects.get(order=order).paid_at == by_hand
    apply_each([answer], at=by_hand + timedelta(hours=1))
    payment = Payment.objects.get(order=order)
    assert (payment.paid_at, payment.state) == (came, PaymentState.PAID)


def test_a_deposit_counts_from_the_row_of_the_statement(make_order, came_in, matched):
    order = make_order(price=39_000)
    moment = NOW + timedelta(minutes=20)
    came_in(39_000, "홍길동", at=moment)
    matched(at=NOW + timedelta(days=8))
    assert facts_of(order) == (PREPARING, moment, moment, moment)
    assert OrderLine.objects.get().ship_by == Deadlines({order.channel_id}).ship_by(order.channel_id, moment)
    assert broken() == []


def test_a_deposit_that_staff_connect_counts_from_the_row_too(make_order, came_in, matched, staff):
    order = make_order(price=39_000)
    deposit = came_in(39_000, "다른이름")
    matched()
    allocate(deposit_id=deposit.pk, order_ids=[order.pk], actor=staff, at=NOW + timedelta(days=2))
    assert facts_of(order) == (PREPARING, deposit.at, deposit.at, deposit.at)
    assert broken() == []


def test_a_revived_order_was_paid_then_and_is_promised_from_now_on(make_order, came_in, matched, staff):
    order = make_order(price=39_000)
    progress.cancel_unpaid(order_ids=[order.pk], actor=None, at=NOW, by=CanceledBy.DEADLINE)
    deposit = came_in(39_000, "홍길동")
    matched()
    now = NOW + timedelta(days=40)
    allocate(deposit_id=deposit.pk, order_ids=[order.pk], actor=staff, at=now, canceled=Canceled.REVIVE)
    assert facts_of(order) == (PREPARING, deposit.at, deposit.at, deposit.at)
    assert OrderLine.objects.get().ship_by == Deadlines({order.channel_id}).ship_by(order.channel_id, now)
    assert broken() == []


def test_money_from_before_the_order_and_from_the_future_is_brought_into_bounds(make_order, came_in, matched, staff):
    order = make_order(price=39_000)
    early = came_in(39_000, "다른이름", at=order.ordered_at - timedelta(days=3))
    matched()
    allocate(deposit_id=early.pk, order_ids=[order.pk], actor=staff, at=NOW)
    assert OrderLine.objects.get().paid_at == order.ordered_at.replace(second=0)
    other = make_order(price=21_000)
    wrong = came_in(21_000, "다른이름", at=NOW + timedelta(days=400))
    allocate_at = NOW + timedelta(hours=3)
    matched(at=allocate_at)
    allocate(deposit_id=wrong.pk, order_ids=[other.pk], actor=staff, at=allocate_at)
    assert OrderLine.objects.get(order=other).paid_at == allocate_at


def test_a_prepaid_order_was_paid_when_its_channel_says(make_order):
    paid_at = datetime(2026, 9, 21, 9, 12, tzinfo=KST)
    order = make_order(paid=True, paid_at=paid_at)
    assert facts_of(order) == (PREPARING, paid_at, paid_at, paid_at)


@at_pgs
def test_money_that_was_there_in_time_wins_over_the_automatic_cancel(unheard):
    order, answer, came = unheard(coupon_amount=1_000, shipping_fee_amount=1_000)
    end_unpaid(order, deposit_by=came + timedelta(seconds=1))
    assert BenefitEntry.objects.filter(act="RESTORED").count() == 1
    now = timezone.now()
    assert apply_each([answer], at=now)[answer.payment_id].state == NoticeState.PROCESSED
    assert facts_of(order) == (PREPARING, came, came, came)
    line = OrderLine.objects.get(order=order)
    assert (line.canceled_at, line.canceled_by) == (None, "")
    assert line.ship_by == Deadlines({order.channel_id}).ship_by(order.channel_id, now)
    assert list(BenefitEntry.objects.order_by("pk").values_list("act", flat=True)) == ["USED", "RESTORED", "USED"]
    assert not MoneyProblem.objects.exists()
    assert broken() == []


@at_pgs
@pytest.mark.parametrize(
    ("by", "margin", "kind"),
    [
        (CanceledBy.DEADLINE, timedelta(seconds=-1), ProblemKind.LATE_AFTER_EXPIRE),
        (CanceledBy.STAFF, timedelta(days=1), ProblemKind.LATE_AFTER_CANCEL),
        (CanceledBy.BUYER, timedelta(days=1), ProblemKind.LATE_AFTER_CANCEL),
    ],
)
def test_money_after_the_end_and_money_of_an_order_that_a_person_canceled_wait_for_a_person(unheard, by, margin, kind):
    order, answer, came = unheard()
    end_unpaid(order, by=by, deposit_by=came + margin)
    apply_each([answer], at=timezone.now())
    assert reloaded(order).stage == CANCELED
    problem = MoneyProblem.objects.get()
    assert (problem.kind, problem.amount) == (kind, 33_000)
    assert Payment.objects.get().paid_at == came
    assert broken() == []


@at_pgs
def test_what_is_sold_out_meanwhile_is_not_brought_back(unheard):
    order, answer, came = unheard()
    end_unpaid(order, deposit_by=came + timedelta(seconds=1))
    level = StockLevel.objects.get(variant=OrderLine.objects.get(order=order).variant)
    stock.receive(units={level.variant_id: -level.on_hand}, at=NOW, actor=None, reason="폐기", reference="gone")
    apply_each([answer], at=timezone.now())
    assert reloaded(order).stage == CANCELED
    problem = MoneyProblem.objects.get()
    assert problem.kind == ProblemKind.LATE_AFTER_EXPIRE
    assert problem.detail.startswith("입금기한 안에 들어온 입금입니다. ")
    assert broken() == []


@at_pgs
@pytest.mark.processes
def test_the_automatic_cancel_and_the_news_of_a_deposit_at_the_same_moment_always_end_paid(unheard):
    """F47: whichever is first, one order ends once, and as the time of the money says."""
    order, answer, came = unheard()
    Order.objects.filter(pk=order.pk).update(deposit_by=came + timedelta(seconds=1))
    late = came + timedelta(minutes=5)

    def news():
        for _ in range(20):
            if apply_each([answer], at=late)[answer.payment_id].state != NoticeState.RETRY:
                return "heard"
        return "busy"

    def cancel():
        return len(overdue.cancel_overdue(order_ids=[order.pk], at=late).moved)

    race([news, cancel, cancel, news])
    apply_each([answer], at=late + timedelta(minutes=1))
    assert reloaded(order).stage == PREPARING
    assert reloaded(order).paid_amount == 33_000
    assert explain(OrderLine.objects.select_related("order").get(order=order), OrderLine.cancel_unpaid) is not None
    assert not MoneyProblem.objects.filter(resolved_at=None).exists()
    assert broken() == []
