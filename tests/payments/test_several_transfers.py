"""Several refunds to accounts of one payment, over real sockets: what a PG says about one closes no other (A74)."""

from datetime import timedelta

import pytest
from django.utils import timezone

from core.calendar import add_business_days, kst_date
from payments.models import MoneyProblem, Refund
from payments.services.gateway import refund_checking, refund_sending
from payments.services.refunds import by_hand
from payments.states import EntryKind, ProblemKind, RefundState
from tests.fixtures.orders import broken, reloaded
from tests.payments.test_refunds_at_pg import agrees_with_the_pg

pytestmark = pytest.mark.django_db(transaction=True)
R = RefundState
TELLING = ["toss", "portone"]
every_telling_pg = pytest.mark.parametrize("pg", TELLING)


def send():
    return refund_sending.send_due(at=timezone.now())


def check(hours=2):
    return refund_checking.check_due(at=timezone.now() + timedelta(hours=hours))


def states(*rows):
    return [reloaded(one).state for one in rows]


def both_sent_before_the_word_about_the_first(pg_refunds, pg, *won):
    """As the version before sent them: no waiting for the first."""
    payment = pg_refunds.paid(pg)
    sent = []
    for one in won:
        sent.append(pg_refunds.ask(payment, one))
        Refund.objects.filter(pk__in=[row.pk for row in sent], state=R.ACCEPTED).update(way="BANK")
        send()
    Refund.objects.filter(payment=payment).update(way="PG")
    assert states(*sent) == [R.ACCEPTED] * len(won)
    return payment, sent


@every_telling_pg
def test_a_second_transfer_waits_for_the_word_about_the_first(pg_refunds, pg):
    payment = pg_refunds.paid(pg)
    first, second = pg_refunds.ask(payment, 10_000), pg_refunds.ask(payment, 5_000)
    assert [send(), send()] == [1, 0]
    assert states(first, second) == [R.ACCEPTED, R.APPROVED]
    pg_refunds.shop.act("fail-refund", payment)
    check()
    assert states(first, second) == [R.FAILED, R.APPROVED]
    assert send() == 1
    pg_refunds.shop.act("complete-refund", payment)
    check(hours=4)
    assert states(first, second) == [R.FAILED, R.COMPLETED]
    kinds = [kind for kind, _ in pg_refunds.ledger(payment)]
    assert kinds == [EntryKind.DEPOSIT, EntryKind.REFUND, EntryKind.REFUND_FAILED, EntryKind.REFUND]
    assert [one.kind for one in MoneyProblem.objects.filter(resolved_at=None)] == [ProblemKind.REFUND_FAILED]
    assert pg_refunds.at_pg(payment) == [10_000, 5_000]
    assert agrees_with_the_pg(payment)
    assert broken() == []


@every_telling_pg
def test_the_arrival_of_the_second_closes_no_first_that_bounced(pg_refunds, pg):
    payment, (first, second) = both_sent_before_the_word_about_the_first(pg_refunds, pg, 10_000, 5_000)
    pg_refunds.shop.act("complete-refund", payment)
    check()
    assert states(first, second) == [R.ACCEPTED, R.COMPLETED]
    problem = MoneyProblem.objects.get()
    assert (problem.kind, problem.amount, problem.resolved_at) == (ProblemKind.REFUND_FAILED, 10_000, None)
    assert [kind for kind, _ in pg_refunds.ledger(payment)] == [EntryKind.DEPOSIT, EntryKind.REFUND, EntryKind.REFUND]
    told = by_hand.report_bounce(refund_ids=[first.pk], actor=pg_refunds.staff, at=timezone.now())
    assert told.moved_ids == [first.pk]
    assert states(first, second) == [R.FAILED, R.COMPLETED]
    assert pg_refunds.ledger(payment)[-1] == (EntryKind.REFUND_FAILED, 10_000)
    assert agrees_with_the_pg(payment)
    assert broken() == []


@every_telling_pg
def test_a_part_that_failed_is_for_a_person_who_says_which(pg_refunds, pg):
    payment, (first, second) = both_sent_before_the_word_about_the_first(pg_refunds, pg, 10_000, 5_000)
    pg_refunds.shop.act("fail-refund", payment)
    before = pg_refunds.ledger(payment)
    check()
    assert states(first, second) == [R.ACCEPTED, R.ACCEPTED]
    assert pg_refunds.ledger(payment) == before
    assert MoneyProblem.objects.get().kind == ProblemKind.REFUND_FAILED
    facts = {"actor": pg_refunds.staff, "at": timezone.now()}
    by_hand.confirm_payout(refund_ids=[first.pk], **facts)
    by_hand.report_bounce(refund_ids=[second.pk], **facts)
    assert states(first, second) == [R.COMPLETED, R.FAILED]
    assert pg_refunds.ledger(payment) == [*before, (EntryKind.REFUND_FAILED, 5_000)]
    assert MoneyProblem.objects.get().resolved_at is None
    assert broken() == []


@every_telling_pg
def test_the_person_who_saw_both_arrive_closes_the_case(pg_refunds, pg):
    payment, sent = both_sent_before_the_word_about_the_first(pg_refunds, pg, 10_000, 5_000)
    pg_refunds.shop.act("complete-refund", payment)
    check()
    by_hand.confirm_payout(refund_ids=[sent[0].pk], actor=pg_refunds.staff, at=timezone.now())
    assert states(*sent) == [R.COMPLETED, R.COMPLETED]
    assert MoneyProblem.objects.get().resolution == "FITS"
    assert broken() == []


def test_nobody_decides_about_a_transfer_before_the_pg_leaves_it_open(pg_refunds):
    payment = pg_refunds.paid("toss")
    refund = pg_refunds.ask(payment)
    send()
    before = pg_refunds.ledger(payment)
    for act in (by_hand.confirm_payout, by_hand.report_bounce):
        outcome = act(refund_ids=[refund.pk], actor=pg_refunds.staff, at=timezone.now())
        assert outcome.refused == {refund.pk: by_hand.NOT_OPEN}
    assert states(refund) == [R.ACCEPTED]
    assert pg_refunds.ledger(payment) == before
    assert not MoneyProblem.objects.exists()


@every_telling_pg
def test_a_transfer_that_stays_on_its_way_is_shown_to_a_person_after_three_business_days(pg_refunds, pg):
    payment = pg_refunds.paid(pg)
    refund = pg_refunds.ask(payment)
    send()
    check(hours=3)
    assert not MoneyProblem.objects.exists()
    late = timezone.now() + (add_business_days(kst_date(timezone.now()), 4) - kst_date(timezone.now()))
    refund_checking.check_due(at=late)
    assert states(refund) == [R.ACCEPTED]
    assert MoneyProblem.objects.get().kind == ProblemKind.REFUND_FAILED
    assert broken() == []


@pytest.mark.parametrize("pg", ["nicepay", "nicepay-form", "inicis"])
def test_a_pg_that_tells_of_no_transfer_gets_them_at_once_and_each_ends_by_its_own_day(pg_refunds, pg):
    payment = pg_refunds.paid(pg)
    sent = [pg_refunds.ask(payment, won) for won in (10_000, 5_000)]
    assert [send(), send()] == [1, 1]
    assert states(*sent) == [R.ACCEPTED, R.ACCEPTED]
    Refund.objects.filter(pk=sent[1].pk).update(accepted_at=timezone.now() + timedelta(days=10))
    check(hours=24 * 7)
    assert states(*sent) == [R.COMPLETED, R.ACCEPTED]
    assert not MoneyProblem.objects.exists()
    assert broken() == []
