"""A refund of unknown outcome that is sent again under its key: no other answer than the PG's word ends the doubt."""

from datetime import timedelta

import pytest
from django.utils import timezone

from payments.models import MoneyProblem
from payments.services.gateway import refund_checking, refund_sending
from payments.services.gateway.refund_sending import KEY_REFUSED, MOST_REPEATS
from payments.services.refunds import preparing, requesting, retrying
from payments.states import EntryKind, RefundState
from tests.fixtures.orders import broken, reloaded

pytestmark = pytest.mark.django_db(transaction=True)
R = RefundState
DONE = [(EntryKind.DEPOSIT, 33_000), (EntryKind.REFUND, -33_000)]
BUSY = {"status": 429, "body": '{"code": "TOO_MANY_REQUESTS", "message": "잠시 뒤 다시 시도하세요."}'}
DENIED = {"status": 401, "body": '{"code": "UNAUTHORIZED_KEY", "message": "인증되지 않은 시크릿 키입니다."}'}
REFUSED = {"status": 403, "body": '{"code": "NOT_CANCELABLE_PAYMENT", "message": "취소할 수 없는 결제입니다."}'}


@pytest.fixture
def doubted(pg_refunds):
    """`doubted(was_done=True)`: (payment, refund) of Toss, whose answer was lost, and no notice tells of it."""

    def make(*, was_done=True):
        payment = pg_refunds.paid("toss")
        refund = pg_refunds.ask(payment)
        pg_refunds.shop.pgs.fault("hold", pg="toss", times=None)
        pg_refunds.fault(payment, "drop", after_work=was_done)
        refund_sending.send_due(at=timezone.now())
        assert (reloaded(refund).state, reloaded(refund).doubts) == (R.UNKNOWN, 1)
        return payment, refund

    return make


def pass_time(hours, *, minutes=4):
    """What relays do as time goes by."""
    at = timezone.now()
    for step in range(0, hours * 60, minutes):
        refund_sending.send_due(at=at + timedelta(minutes=step))
        refund_checking.check_due(at=at + timedelta(minutes=step))


def nobody_may_end(refund, staff):
    """Staff can neither take it back nor ask for it a second time while its outcome is open."""
    for act in (preparing.withdraw, requesting.hold):
        assert not act(refund_ids=[refund.pk], actor=staff, at=timezone.now(), reason="고객 요청").moved
    assert not retrying.retry(refund_ids=[refund.pk], actor=staff, at=timezone.now()).moved


@pytest.mark.parametrize("answer", [BUSY, DENIED, REFUSED], ids=["busy", "denied", "refused"])
def test_what_the_pg_did_is_found_and_never_paid_twice(pg_refunds, doubted, staff, answer):
    payment, refund = doubted()
    # The refund cannot be asked about either: the second answer alone must not decide.
    pg_refunds.shop.pgs.fault("status", pg="toss", times=None, **answer)
    pass_time(1)
    assert reloaded(refund).state == R.UNKNOWN
    nobody_may_end(refund, staff)
    pass_time(20, minutes=20)
    assert reloaded(refund).state == R.UNKNOWN, "however long it lasts"
    nobody_may_end(refund, staff)
    pg_refunds.shop.pgs.request("DELETE", "/control/faults")
    refund.__class__.objects.update(due_at=timezone.now())
    pass_time(1)
    assert reloaded(refund).state == R.ACCEPTED
    assert pg_refunds.at_pg(payment) == [33_000]
    assert pg_refunds.ledger(payment) == DONE
    assert not MoneyProblem.objects.exists()
    assert broken() == []


def test_a_refusal_after_a_doubt_is_looked_into_at_once(pg_refunds, doubted):
    payment, refund = doubted()
    pg_refunds.fault(payment, "status", **REFUSED)
    refund_sending.send_due(at=timezone.now() + timedelta(minutes=1))
    assert reloaded(refund).state == R.ACCEPTED
    assert pg_refunds.ledger(payment) == DONE
    assert broken() == []


def test_a_refusal_of_what_was_never_done_fails_after_the_pg_has_shown_it(pg_refunds, doubted, staff):
    payment, refund = doubted(was_done=False)
    pg_refunds.fault(payment, "status", **REFUSED)
    refund_sending.send_due(at=timezone.now() + timedelta(minutes=1))
    assert (reloaded(refund).state, reloaded(refund).doubts) == (R.UNKNOWN, MOST_REPEATS)
    nobody_may_end(refund, staff)
    refund.__class__.objects.update(sent_at=timezone.now() - timedelta(minutes=10))
    pass_time(1)
    assert (reloaded(refund).state, reloaded(refund).last_error) == (R.FAILED, refund_checking.NOT_THERE)
    assert pg_refunds.at_pg(payment) == []
    assert retrying.retry(refund_ids=[refund.pk], actor=staff, at=timezone.now()).moved


def test_a_key_that_was_refused_after_a_doubt_and_is_new_by_now_asks_first(pg_refunds, doubted):
    payment, refund = doubted()
    pg_refunds.fault(payment, "status", **DENIED)
    refund_sending.send_due(at=timezone.now() + timedelta(minutes=1))
    waiting = reloaded(refund)
    assert (waiting.state, waiting.last_error[: len(KEY_REFUSED)]) == (R.UNKNOWN, KEY_REFUSED)
    refund_sending.forget_repeats(account_id=payment.account_id)
    refund_sending.wake(account_id=payment.account_id, at=timezone.now())
    before = len(pg_refunds.calls(payment))
    refund_sending.send_due(at=timezone.now())
    refund_checking.check_due(at=timezone.now())
    assert reloaded(refund).state == R.ACCEPTED
    assert len(pg_refunds.calls(payment)) == before, "under another key it would be another refund"
    assert pg_refunds.at_pg(payment) == [33_000]
    assert broken() == []
