"""Refunds over real sockets: paid back once, whatever the PG, the network or the clock do."""

from datetime import timedelta

import pytest
from django.utils import timezone

from orders.states import LineState
from payments.models import LedgerEntry, MoneyProblem, Refund
from payments.services.gateway import refund_checking, refund_sending
from payments.services.notices.fetching import fetch
from payments.services.refunds import by_hand, requesting, retrying
from payments.services.snapshots.applying import apply
from payments.states import EntryKind, NoticeState, ProblemKind, RefundState, RefundWay
from tests.fixtures.orders import broken, reloaded

pytestmark = pytest.mark.django_db(transaction=True)
R = RefundState
PGS = ["toss", "portone", "nicepay", "nicepay-form", "inicis"]
DEPOSIT, REFUND = (EntryKind.DEPOSIT, 33_000), (EntryKind.REFUND, -33_000)
QUIET = timedelta(minutes=10)


def ago(minutes):
    return timezone.now() - timedelta(minutes=minutes)


def in_an_hour():
    return timezone.now() + timedelta(hours=2)


def agrees_with_the_pg(payment):
    """A re-query finds nothing to add."""
    before = LedgerEntry.objects.count()
    [answer] = fetch([payment]).values()
    verdict = apply([answer], at=timezone.now())[payment.pk]
    return verdict.state == NoticeState.IGNORED and LedgerEntry.objects.count() == before


@pytest.mark.parametrize("pg", PGS)
def test_a_refund_is_paid_back_booked_once_and_completed_when_the_bank_has_paid_out(pg_refunds, pg):
    payment = pg_refunds.paid(pg)
    refund = pg_refunds.ask(payment)
    assert refund_sending.send_due(at=timezone.now()) == 1
    refund = reloaded(refund)
    assert (refund.state, refund.last_error) == (R.ACCEPTED, "")
    assert pg_refunds.ledger(payment) == [DEPOSIT, REFUND]
    assert pg_refunds.at_pg(payment) == [33_000]
    pg_refunds.shop.heard()
    assert agrees_with_the_pg(payment)
    assert pg_refunds.ledger(payment) == [DEPOSIT, REFUND]
    assert not MoneyProblem.objects.exists()
    pg_refunds.shop.act("complete-refund", payment)
    refund_checking.check_due(at=timezone.now() + timedelta(days=4))
    assert reloaded(refund).state == R.COMPLETED
    assert pg_refunds.shop.state(payment.order)[:2] == (LineState.PREPARING, 0)
    assert broken() == []


@pytest.mark.parametrize("pg", PGS)
def test_parts_go_back_one_after_the_other(pg_refunds, pg):
    payment = pg_refunds.paid(pg)
    parts = [pg_refunds.ask(payment, won) for won in (10_000, 3_000, 20_000)]
    for _ in parts:
        assert refund_sending.send_due(at=timezone.now()) == 1
        pg_refunds.shop.act("complete-refund", payment)
        refund_checking.check_due(at=timezone.now() + timedelta(days=7))
    assert refund_sending.send_due(at=timezone.now()) == 0
    assert {reloaded(one).state for one in parts} == {R.COMPLETED}, [reloaded(one).last_error for one in parts]
    assert pg_refunds.at_pg(payment) == [10_000, 3_000, 20_000]
    assert pg_refunds.ledger(payment)[1:] == [(EntryKind.REFUND, -won) for won in (10_000, 3_000, 20_000)]
    assert agrees_with_the_pg(payment)
    assert broken() == []


def test_a71_toss_gets_the_same_key_again_when_it_did_it_and_hung(pg_refunds):
    payment = pg_refunds.paid("toss")
    refund = pg_refunds.ask(payment)
    pg_refunds.fault(payment, "hang", after_work=True, seconds=1)
    refund_sending.send_due(at=ago(5))
    assert reloaded(refund).state == R.UNKNOWN
    assert pg_refunds.ledger(payment) == [DEPOSIT]
    assert refund_sending.send_due(at=timezone.now()) == 1
    assert reloaded(refund).state == R.ACCEPTED
    keys = {one["headers"]["idempotency-key"] for one in pg_refunds.shop.pgs.read("calls", path="*cancel*")}
    assert keys == {str(refund.key)}
    assert len(pg_refunds.calls(payment)) == 2
    assert pg_refunds.at_pg(payment) == [33_000]
    assert pg_refunds.ledger(payment) == [DEPOSIT, REFUND]
    assert broken() == []


@pytest.mark.parametrize("pg", PGS[1:])
def test_a71_every_other_pg_is_asked_and_never_sent_a_refund_that_it_did(pg_refunds, pg):
    payment = pg_refunds.paid(pg)
    refund = pg_refunds.ask(payment)
    pg_refunds.fault(payment, "hang", after_work=True, seconds=1)
    refund_sending.send_due(at=ago(20))
    assert reloaded(refund).state == R.UNKNOWN
    assert refund_sending.send_due(at=timezone.now()) == 0
    assert refund_checking.check_due(at=timezone.now()) == 1
    assert reloaded(refund).state == R.ACCEPTED
    assert len(pg_refunds.calls(payment)) == 1
    assert pg_refunds.at_pg(payment) == [33_000]
    assert pg_refunds.ledger(payment) == [DEPOSIT, REFUND]
    assert not MoneyProblem.objects.exists()
    assert broken() == []


@pytest.mark.parametrize("pg", PGS[1:])
def test_a_refund_that_the_pg_does_not_have_is_sent_again_only_after_a_quiet_time(pg_refunds, pg):
    payment = pg_refunds.paid(pg)
    refund = pg_refunds.ask(payment)
    pg_refunds.fault(payment, "drop")
    refund_sending.send_due(at=ago(4))
    assert refund_checking.check_due(at=ago(3)) == 1
    assert refund_sending.send_due(at=in_an_hour()) == 0
    Refund.objects.filter(pk=refund.pk).update(sent_at=ago(20))
    assert refund_checking.check_due(at=timezone.now()) == 1
    assert len(pg_refunds.calls(payment)) == 1
    assert refund_sending.send_due(at=timezone.now()) == 1
    assert reloaded(refund).state == R.ACCEPTED, reloaded(refund).last_error
    assert pg_refunds.at_pg(payment) == [33_000]
    assert pg_refunds.ledger(payment) == [DEPOSIT, REFUND]
    assert broken() == []


def test_after_a_second_doubt_that_the_pg_does_not_share_staff_decide(pg_refunds):
    payment = pg_refunds.paid("portone")
    refund = pg_refunds.ask(payment)
    pg_refunds.fault(payment, "drop", times=2)
    for _ in range(2):
        refund_sending.send_due(at=ago(20))
        refund_checking.check_due(at=timezone.now())
        Refund.objects.filter(pk=refund.pk, state=R.UNKNOWN).update(due_at=ago(21))
    refund = reloaded(refund)
    assert (refund.state, refund.doubts, refund.attempts) == (R.FAILED, 2, 2)
    assert refund.last_error == refund_checking.NOT_THERE
    assert pg_refunds.at_pg(payment) == []
    assert pg_refunds.ledger(payment) == [DEPOSIT]
    assert retrying.retry(refund_ids=[refund.pk], actor=pg_refunds.staff, at=timezone.now()).moved_ids == [refund.pk]
    refund_sending.send_due(at=timezone.now())
    assert reloaded(refund).state == R.ACCEPTED
    assert reloaded(refund).key != refund.key
    assert pg_refunds.at_pg(payment) == [33_000]
    assert broken() == []


@pytest.mark.parametrize("pg", ["toss", "portone", "nicepay", "inicis"])
def test_a_pg_that_is_surely_not_reached_is_tried_again_later(pg_refunds, pg):
    payment = pg_refunds.paid(pg)
    refund = pg_refunds.ask(payment)
    pg_refunds.fault(payment, "status", status=429, body="{}")
    refund_sending.send_due(at=timezone.now())
    assert reloaded(refund).state == R.APPROVED
    assert refund_sending.send_due(at=timezone.now()) == 0
    assert refund_sending.send_due(at=timezone.now() + timedelta(seconds=11)) == 1
    assert reloaded(refund).state == R.ACCEPTED
    assert pg_refunds.ledger(payment) == [DEPOSIT, REFUND]


def test_a73_33_001_never_reaches_the_pg(pg_refunds):
    payment = pg_refunds.paid("toss")
    asked = requesting.request(
        asks=[requesting.Ask(payment_id=payment.pk, amount=33_001)], reason="환불", actor=pg_refunds.staff, at=ago(1)
    )
    assert "환불 가능 금액을 초과" in asked.refused[0]
    assert refund_sending.send_due(at=timezone.now()) == 0
    assert pg_refunds.calls(payment) == []
    assert not Refund.objects.exists()


def test_a74_a_bank_that_cannot_pay_out_brings_the_money_back_and_a_problem(pg_refunds):
    payment = pg_refunds.paid("toss")
    refund = pg_refunds.ask(payment)
    refund_sending.send_due(at=timezone.now())
    pg_refunds.shop.act("fail-refund", payment)
    assert refund_checking.check_due(at=in_an_hour()) == 1
    assert reloaded(refund).state == R.FAILED
    assert pg_refunds.ledger(payment) == [DEPOSIT, REFUND, (EntryKind.REFUND_FAILED, 33_000)]
    problem = MoneyProblem.objects.get()
    assert (problem.kind, problem.amount) == (ProblemKind.REFUND_FAILED, 33_000)
    assert agrees_with_the_pg(payment)
    assert broken() == []
    # The PG counts it as refunded for ever: the shop transfers it itself.
    retried = retrying.retry(refund_ids=[refund.pk], actor=pg_refunds.staff, at=timezone.now(), way=RefundWay.BANK)
    assert retried.moved_ids == [refund.pk]
    by_hand.pay_out(refund_ids=[refund.pk], actor=pg_refunds.staff, at=timezone.now())
    assert reloaded(refund).state == R.COMPLETED
    assert pg_refunds.ledger(payment)[-1] == (EntryKind.PAID_OUT, -33_000)
    assert agrees_with_the_pg(payment)
    assert pg_refunds.at_pg(payment) == [33_000]
    assert broken() == []


@pytest.mark.parametrize("pg", ["portone", "inicis"])
def test_a75_a_refund_at_the_console_meanwhile_is_seen_and_told(pg_refunds, pg):
    payment = pg_refunds.paid(pg)
    refund = pg_refunds.ask(payment, 33_000)
    pg_refunds.shop.pgs.fault("hold", pg=pg, times=None)
    pg_refunds.shop.act("refund", payment, amount=10_000)
    refund_sending.send_due(at=timezone.now())
    refund = reloaded(refund)
    assert refund.state == R.FAILED
    assert any("가" <= letter <= "힣" for letter in refund.last_error)
    assert pg_refunds.at_pg(payment) == [10_000]
    assert pg_refunds.ledger(payment) == [DEPOSIT, (EntryKind.REFUND, -10_000)]
    assert MoneyProblem.objects.get().kind == ProblemKind.REFUNDED_OUTSIDE
    assert broken() == []


def test_a_refund_that_the_pg_balance_no_longer_covers_fails_before_any_call(pg_refunds):
    payment = pg_refunds.paid("toss")
    refund = pg_refunds.ask(payment, 33_000)
    pg_refunds.shop.act("refund", payment, amount=10_000)
    pg_refunds.shop.heard()
    assert refund_sending.send_due(at=timezone.now()) in {0, 1}
    refund = reloaded(refund)
    assert (refund.state, refund.last_error) == (
        R.FAILED,
        "PG에 남은 금액 23,000원보다 환불액이 큽니다. 결제 내역을 확인하세요.",
    )
    assert pg_refunds.calls(payment) == []
    assert pg_refunds.at_pg(payment) == [10_000]
    assert broken() == []


def test_an_older_answer_of_the_pg_does_not_undo_a_refund_that_was_booked_after_it(pg_refunds):
    payment = pg_refunds.paid("toss")
    refund = pg_refunds.ask(payment)
    [before] = fetch([payment]).values()
    refund_sending.send_due(at=timezone.now())
    assert apply([before], at=timezone.now())[payment.pk].reason == "stale_answer"
    assert pg_refunds.ledger(payment) == [DEPOSIT, REFUND]
    assert reloaded(refund).state == R.ACCEPTED
    assert broken() == []
