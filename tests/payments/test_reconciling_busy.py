"""대사 of payments that somebody else is busy with: asked about again after the others, and never half counted."""

from types import SimpleNamespace

import pytest
from django.utils import timezone

from core.slots import run_slot
from orders.states import LineState
from payments.models import MoneyProblem, Payment, PgQuestion, PgReconciliation
from payments.services.notices import questions
from payments.services.watching import reconciling
from payments.states import PaymentState
from tests.fixtures.orders import broken
from tests.fixtures.work import beside

pytestmark = pytest.mark.django_db(transaction=True)
WAITING = (LineState.AWAITING_PAYMENT, 0, PaymentState.PENDING)
PAID = (LineState.PREPARING, 33_000, PaymentState.PAID)


@pytest.fixture
def two(pg_shop):
    """Two orders of one PG that were paid and of which no notice arrives."""
    account = pg_shop.account("toss")
    pg_shop.pgs.fault("hold", times=None)
    orders = [pg_shop.order(account) for _ in range(2)]
    for order in orders:
        pg_shop.deposit(order)
    return orders


@pytest.fixture
def pauses(monkeypatch):
    """`pauses(act)`: no pause takes time; what happens in the first one. The list of pauses made."""

    def make(act=lambda: None):
        made = []

        def sleep(seconds):
            made.append(seconds)
            if len(made) == 1:
                act()

        monkeypatch.setattr(reconciling, "time", SimpleNamespace(sleep=sleep))
        return made

    return make


def sums(report):
    return report.pg_sum, report.ledger_sum, report.order_sum


def hold(colleague, order):
    colleague.execute("SELECT 1 FROM orders_order WHERE id = %s FOR UPDATE", [order.pk])


def test_an_order_that_is_free_again_soon_is_compared_in_the_same_night(pg_shop, two, pauses):
    with beside() as colleague:
        hold(colleague, two[0])
        made = pauses(colleague.connection.rollback)
        [report] = reconciling.reconcile_week(at=timezone.now())
    assert made == [reconciling.AGAIN[0]]
    assert (report.payments, report.changed, report.unanswered, report.mismatches) == (2, 2, 0, 0)
    assert sums(report) == (66_000, 66_000, 66_000)
    assert [pg_shop.state(order) for order in two] == [PAID, PAID]
    assert broken() == []


def test_what_stays_busy_is_unanswered_and_the_next_run_of_the_day_completes_the_report(pg_shop, two, pauses):
    made, at = pauses(), timezone.now()
    with beside() as colleague:
        hold(colleague, two[0])
        [report] = reconciling.reconcile_week(at=at)
    assert made == list(reconciling.AGAIN)
    assert (report.payments, report.changed, report.unanswered, report.mismatches) == (2, 1, 1, 0)
    assert sums(report) == (33_000, 33_000, 33_000)
    assert [pg_shop.state(order) for order in two] == [WAITING, PAID]
    assert run_slot(job="reconcile-week", at=at)
    whole = PgReconciliation.objects.get()
    assert (whole.pk, whole.payments, whole.changed, whole.unanswered) == (report.pk, 2, 2, 0)
    assert sums(whole) == (66_000, 66_000, 66_000)
    assert reconciling.reconcile_week(at=at) == []
    assert not MoneyProblem.objects.exists()


def test_the_half_hourly_run_tries_again_too(pg_shop, two, pauses):
    at = timezone.now()
    for order in two:
        Payment.objects.get(order=order).virtual.__class__.objects.update(due_at=at)
    with beside() as colleague:
        hold(colleague, two[1])
        pauses(colleague.connection.rollback)
        found = reconciling.reconcile_soon(at=at)
    assert (found.payments, found.changed, found.unanswered) == (2, 2, 0)


def test_a_question_of_somebody_else_is_no_silence_of_the_pg(pg_shop, two, pauses, monkeypatch):
    first = Payment.objects.get(order=two[0])
    monkeypatch.setattr(reconciling, "FIRST", 1)
    monkeypatch.setattr(reconciling, "PATIENCE", 0 * reconciling.PATIENCE)
    questions.claim([first.pk])
    asked = []

    def answered():
        asked.append(pg_shop.state(two[1]))
        PgQuestion.objects.all().delete()

    pauses(answered)
    [report] = reconciling.reconcile_week(at=timezone.now())
    assert asked == [PAID], "the others were asked about meanwhile"
    assert (report.payments, report.changed, report.unanswered) == (2, 2, 0)
    assert sums(report) == (66_000, 66_000, 66_000)


def test_a_difference_is_none_of_what_comes_again(pg_shop, two, pauses):
    Payment.objects.filter(order=two[0]).update(amount=3_300)
    made = pauses()
    [report] = reconciling.reconcile_week(at=timezone.now())
    assert made == []
    assert (report.mismatches, report.unanswered, report.pg_sum, report.ledger_sum) == (1, 0, 66_000, 33_000)
    assert MoneyProblem.objects.get().payment.order_id == two[0].pk
