"""다시 조회: what a person hears at once is what the hourly check would find."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.roles import Role
from orders.models import OrderEvent
from payments.models import LedgerEntry, MoneyProblem
from payments.services.gateway import refund_checking, refund_sending
from payments.states import EntryKind, ProblemKind, RefundState
from tests.fixtures.orders import broken, reloaded

pytestmark = pytest.mark.django_db(transaction=True)
DEPOSIT, REFUND = (EntryKind.DEPOSIT, 33_000), (EntryKind.REFUND, -33_000)


def sent(pg_refunds, pg, **facts):
    """A payment at a PG and its refund, which the PG has taken and a bank is paying out."""
    payment = pg_refunds.paid(pg)
    refund = pg_refunds.ask(payment, **facts)
    refund_sending.send_due(at=timezone.now())
    assert reloaded(refund).state == RefundState.ACCEPTED
    return payment, refund


def asked(client, payment):
    """What 다시 조회 answers."""
    return client.post(f"/payments/{payment.pk}/sync/", headers={"HX-Request": "true"}).content.decode()


@pytest.mark.parametrize("pg", ["toss", "portone"])
def test_a74_a_bounced_payout_is_found_by_hand_too_and_only_once(pg_refunds, sign_in, pg):
    payment, refund = sent(pg_refunds, pg)
    pg_refunds.shop.act("fail-refund", payment)
    client = sign_in(Role.CS)
    assert "은행이 환불 33,000원을 입금하지 못했습니다." in asked(client, payment)
    assert reloaded(refund).state == RefundState.FAILED
    assert pg_refunds.ledger(payment) == [DEPOSIT, REFUND, (EntryKind.REFUND_FAILED, 33_000)]
    problem = MoneyProblem.objects.get()
    assert (problem.kind, problem.amount) == (ProblemKind.REFUND_FAILED, 33_000)
    events = OrderEvent.objects.count()
    assert "변경 없음" in asked(client, payment)
    refund_checking.check_due(at=timezone.now() + timedelta(hours=2))
    assert (LedgerEntry.objects.count(), OrderEvent.objects.count(), MoneyProblem.objects.count()) == (3, events, 1)
    assert broken() == []


def test_a_payout_that_has_arrived_is_told_and_changes_no_ledger(pg_refunds, sign_in):
    payment, refund = sent(pg_refunds, "toss")
    client = sign_in(Role.CS)
    assert "변경 없음" in asked(client, payment)
    assert reloaded(refund).state == RefundState.ACCEPTED
    pg_refunds.shop.act("complete-refund", payment)
    assert "환불 33,000원의 이체가 끝났습니다." in asked(client, payment)
    assert reloaded(refund).state == RefundState.COMPLETED
    assert pg_refunds.ledger(payment) == [DEPOSIT, REFUND]
    assert not MoneyProblem.objects.exists()
    assert broken() == []
