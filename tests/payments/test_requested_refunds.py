"""A refund that PortOne has only taken (REQUESTED), over real sockets: it is on its way until it is done or dropped."""

from datetime import timedelta

import pytest
from django.utils import timezone

from payments.models import MoneyProblem
from payments.services.gateway import refund_checking, refund_sending
from payments.services.notices.fetching import fetch
from payments.services.refunds import retrying
from payments.services.watching import reconciling
from payments.states import EntryKind, ProblemKind, RefundState
from tests.fixtures.orders import broken, reloaded
from tests.payments.test_refunds_at_pg import DEPOSIT, QUIET, REFUND, ago, agrees_with_the_pg

pytestmark = pytest.mark.django_db(transaction=True)
R = RefundState


@pytest.fixture
def payment(pg_refunds):
    """Paid at PortOne, which only takes refunds for now."""
    paid = pg_refunds.paid("portone")
    pg_refunds.shop.act("delay-refunds", paid)
    return paid


@pytest.fixture
def taken(pg_refunds, payment):
    """A refund of all that PortOne has taken."""
    refund = pg_refunds.ask(payment)
    refund_sending.send_due(at=timezone.now())
    assert reloaded(refund).state == R.ACCEPTED
    return refund


def later(days=1):
    return timezone.now() + timedelta(days=days)


def test_a_refund_that_was_only_taken_is_not_undone_by_the_next_question(pg_refunds, payment, taken):
    refund_checking.check_due(at=later())
    reconciling.reconcile_week(at=timezone.now())
    assert agrees_with_the_pg(payment)
    refund_checking.check_due(at=later(10))
    assert reloaded(taken).state == R.ACCEPTED
    assert pg_refunds.ledger(payment) == [DEPOSIT, REFUND]
    assert pg_refunds.at_pg(payment) == []
    assert {one.kind for one in MoneyProblem.objects.all()} <= {ProblemKind.REFUND_FAILED}
    assert broken() == []


def test_it_is_completed_when_it_was_done_and_has_arrived(pg_refunds, payment, taken):
    pg_refunds.shop.act("grant-refunds", payment)
    pg_refunds.shop.heard()
    assert reloaded(taken).state == R.ACCEPTED
    pg_refunds.shop.act("complete-refund", payment)
    refund_checking.check_due(at=later())
    assert reloaded(taken).state == R.COMPLETED
    assert pg_refunds.ledger(payment) == [DEPOSIT, REFUND]
    assert pg_refunds.at_pg(payment) == [33_000]
    assert not MoneyProblem.objects.exists()
    assert broken() == []


def test_it_comes_back_and_a_person_is_told_when_it_was_dropped(pg_refunds, payment, taken):
    pg_refunds.shop.act("refuse-refunds", payment)
    refund_checking.check_due(at=later())
    assert reloaded(taken).state == R.FAILED
    assert pg_refunds.ledger(payment) == [DEPOSIT, REFUND, (EntryKind.REFUND_UNDONE, 33_000)]
    assert [one.kind for one in MoneyProblem.objects.filter(resolved_at=None)] == [ProblemKind.REFUND_FAILED]
    assert agrees_with_the_pg(payment)
    retrying.retry(refund_ids=[taken.pk], actor=pg_refunds.staff, at=timezone.now())
    refund_sending.send_due(at=timezone.now())
    pg_refunds.shop.act("grant-refunds", payment)
    assert agrees_with_the_pg(payment)
    assert reloaded(taken).state == R.ACCEPTED
    assert pg_refunds.at_pg(payment) == [33_000]
    assert broken() == []


def test_one_of_which_the_answer_was_lost_is_found_among_those_taken_and_not_sent_again(pg_refunds, payment):
    refund = pg_refunds.ask(payment)
    pg_refunds.fault(payment, "hang", after_work=True, seconds=1)
    refund_sending.send_due(at=ago(20))
    assert reloaded(refund).state == R.UNKNOWN
    refund_checking.check_due(at=timezone.now())
    assert reloaded(refund).state == R.ACCEPTED
    assert refund_sending.send_due(at=timezone.now() + QUIET) == 0
    assert len(pg_refunds.calls(payment)) == 1
    assert pg_refunds.ledger(payment) == [DEPOSIT, REFUND]
    assert agrees_with_the_pg(payment)
    assert broken() == []


def test_another_refund_waits_until_the_first_was_done(pg_refunds, payment):
    first, second = pg_refunds.ask(payment, 10_000), pg_refunds.ask(payment, 5_000)
    assert [refund_sending.send_due(at=timezone.now()) for _ in range(2)] == [1, 0]
    assert [reloaded(one).state for one in (first, second)] == [R.ACCEPTED, R.APPROVED]
    assert len(pg_refunds.calls(payment)) == 1


def test_what_somebody_asks_for_at_the_console_is_booked_when_it_is_done(pg_refunds, payment):
    pg_refunds.shop.act("refund", payment, amount=10_000)
    assert agrees_with_the_pg(payment)
    [answer] = fetch([payment]).values()
    assert ([one.amount for one in answer.snapshot.pending], answer.snapshot.refunds) == ([10_000], ())
    assert pg_refunds.ledger(payment) == [DEPOSIT]
    pg_refunds.shop.act("grant-refunds", payment)
    pg_refunds.shop.heard()
    assert pg_refunds.ledger(payment) == [DEPOSIT, (EntryKind.REFUND, -10_000)]
    assert MoneyProblem.objects.get().kind == ProblemKind.REFUNDED_OUTSIDE
    assert broken() == []
