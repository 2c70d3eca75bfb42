"""Orders that their PG keeps from 자동취소: asked about ever more seldom, and no person has to look twice."""

from datetime import timedelta

import pytest
from django.utils import timezone

from orders.models import Order
from orders.states import LineState
from payments.models import LedgerEntry, MoneyProblem, Payment, VirtualAccount
from payments.services.ledger import problems
from payments.states import ProblemKind, Resolution, VirtualState
from payments.tasks import cancel_unpaid_overdue
from tests.fixtures.orders import broken, reloaded

pytestmark = pytest.mark.django_db(transaction=True)
WAITING, CANCELED = LineState.AWAITING_PAYMENT, LineState.CANCELED_UNPAID
UNKNOWN_TO_INICIS = '{"resultCode": "99", "resultMsg": "거래가 존재하지 않습니다."}'


@pytest.fixture
def calls(pg_shop):
    """`calls("toss")`: how many requests the PG has had."""
    return lambda pg: len(pg_shop.pgs.read("calls", pg=pg, limit=1000))


def overdue(order, late):
    """An order that is so late, of whose payment nothing was written since it was made."""
    at = timezone.now()
    Order.objects.filter(pk=order.pk).update(deposit_by=at - late)
    Payment.objects.filter(order=order).update(updated_at=at - late - timedelta(days=7))
    return at


def test_a_pg_without_an_answer_is_asked_ever_more_seldom_and_its_word_counts_then(pg_shop, calls):
    order = pg_shop.order(pg_shop.account("toss"))
    fault = pg_shop.pgs.fault("status", pg="toss", method="GET", times=None)
    at = overdue(order, timedelta(hours=5))
    version, asked = reloaded(order).version, []
    for minutes in (0, 1, 29, 35, 60, 75):
        before = calls("toss")
        assert cancel_unpaid_overdue(at=at + timedelta(minutes=minutes)) == 0
        asked.append(calls("toss") > before)
    assert asked == [True, False, False, True, False, True]
    assert (reloaded(order).stage, reloaded(order).version) == (WAITING, version)
    assert VirtualAccount.objects.get().state == VirtualState.ISSUED
    assert not MoneyProblem.objects.exists()
    pg_shop.pgs.request("DELETE", f"/control/faults?id={fault['id']}")
    assert cancel_unpaid_overdue(at=at + timedelta(minutes=140)) == 1
    assert not LedgerEntry.objects.exists()


def test_an_order_of_two_payments_waits_for_the_one_that_was_put_off(pg_shop, calls):
    order = pg_shop.order(pg_shop.account("toss"))
    first = Payment.objects.get()
    at = overdue(order, timedelta(hours=5))
    facts = {"order": order, "method": first.method, "amount": 1_000, "account": first.account}
    Payment.objects.create(order_ref=f"{order.number}-2", **facts)
    before = calls("toss")
    assert cancel_unpaid_overdue(at=at) == 0
    assert (calls("toss"), reloaded(order).stage) == (before, WAITING)


def test_within_ten_minutes_of_its_deadline_it_is_asked_about_in_every_run(pg_shop, calls):
    order = pg_shop.order(pg_shop.account("toss"))
    pg_shop.pgs.fault("status", pg="toss", method="GET", times=None)
    at = overdue(order, timedelta())
    for minutes in range(0, 10, 3):
        before = calls("toss")
        assert cancel_unpaid_overdue(at=at + timedelta(minutes=minutes)) == 0
        assert calls("toss") > before


def test_a_lost_account_is_one_case_which_a_person_closes_for_good_and_the_pg_by_knowing_it(pg_shop, staff):
    order = pg_shop.order(pg_shop.account("inicis"))
    fault = pg_shop.pgs.fault("status", pg="inicis", status=200, body=UNKNOWN_TO_INICIS, times=None, path="*inquiry*")
    at = overdue(order, timedelta(minutes=1))
    for _ in range(2):
        assert cancel_unpaid_overdue(at=at) == 0
    case = MoneyProblem.objects.get()
    assert (case.kind, case.detail) == (ProblemKind.MISMATCH_WITH_PG, problems.LOST)
    MoneyProblem.objects.update(resolution=Resolution.NOTHING, resolved_at=at, resolved_by=staff)
    assert cancel_unpaid_overdue(at=at) == 0
    assert MoneyProblem.objects.count() == 1, "a person has looked"
    MoneyProblem.objects.update(resolution="", resolved_at=None, resolved_by=None)
    pg_shop.pgs.request("DELETE", f"/control/faults?id={fault['id']}")
    pg_shop.deposit(order)
    pg_shop.heard()
    assert reloaded(case).resolution == Resolution.FITS
    assert pg_shop.state(order) == (LineState.PREPARING, 33_000, "PAID")
    assert broken() == []


def test_a_payment_that_differs_is_told_once_a_person_has_closed_it_and_anew_when_it_differs_otherwise(at_pg):
    shop = at_pg()
    facts = {"at": shop.moment, "detail": "PG 1원, 우리 2원"}
    for amount, resolution, count in ((1, "", 1), (1, Resolution.NOTHING, 1), (1, Resolution.FITS, 2)):
        MoneyProblem.objects.update(resolution=resolution, resolved_at=shop.moment if resolution else None)
        problems.open_once(shop.payment, ProblemKind.MISMATCH_WITH_PG, amount=amount, **facts)
        assert MoneyProblem.objects.count() == count
    MoneyProblem.objects.update(resolution=Resolution.NOTHING, resolved_at=shop.moment)
    problems.open_once(shop.payment, ProblemKind.MISMATCH_WITH_PG, amount=5, **facts)
    assert MoneyProblem.objects.filter(resolved_at=None).count() == 1


@pytest.mark.parametrize("is_paid", [True, False])
def test_only_a_clear_not_paid_lets_an_order_be_canceled(pg_shop, is_paid):
    order = pg_shop.order(pg_shop.account("toss"))
    pg_shop.pgs.fault("hold", times=None)
    if is_paid:
        pg_shop.deposit(order)
    # What the PG answers is of another payment than ours: it says nothing about this one.
    Payment.objects.update(amount=34_000)
    at = overdue(order, timedelta(minutes=1))
    assert cancel_unpaid_overdue(at=at) == 0
    assert pg_shop.state(order) == (WAITING, 0, "PENDING")
    assert MoneyProblem.objects.get().kind == ProblemKind.MISMATCH_WITH_PG
    Payment.objects.update(amount=33_000)
    assert cancel_unpaid_overdue(at=at) == (0 if is_paid else 1)
    assert reloaded(order).stage == (LineState.PREPARING if is_paid else CANCELED)
    assert broken() == []


def test_a_card_order_that_only_its_own_relay_asks_about_is_not_asked_about_before_the_deadline_cancel(cards, calls):
    cards.account("toss")
    cards.shop.pgs.shop("toss", notice_url="")
    payment = cards.order("toss")
    at = overdue(payment.order, timedelta(minutes=1))
    before = calls("toss")
    assert cancel_unpaid_overdue(at=at) == 0
    assert calls("toss") == before
    assert cards.shop.state(payment.order) == (WAITING, 0, "PENDING")
