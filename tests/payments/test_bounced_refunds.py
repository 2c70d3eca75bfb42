"""Refunds that a bank sent back after the PG had paid them out: the money finds another way, or a person hears."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.roles import Role
from orders.models import OrderLine
from orders.states import Fault, LineState
from payments.models import MoneyProblem, Refund
from payments.services.gateway import refund_checking, refund_sending
from payments.services.refunds import by_hand, canceling, requesting
from payments.states import EntryKind, ProblemKind, RefundState, RefundWay
from tests.fixtures.orders import broken, reloaded
from tests.fixtures.refunds import ACCOUNT

pytestmark = pytest.mark.django_db(transaction=True)
R = RefundState


@pytest.fixture
def bounced(pg_refunds, staff):
    """The refund of a canceled order: PortOne took it, the bank of the buyer did not."""
    payment = pg_refunds.paid("portone")
    line = OrderLine.objects.get(order=payment.order)
    canceling.cancel_and_refund(
        line_ids=[line.pk], fault=Fault.SELLER, reason="품절", account=ACCOUNT, actor=staff, at=timezone.now()
    )
    refund_sending.send_due(at=timezone.now())
    refund = Refund.objects.get()
    assert refund.state == R.ACCEPTED
    pg_refunds.shop.act("fail-refund", payment)
    refund_checking.check_due(at=timezone.now() + timedelta(hours=2))
    assert (reloaded(refund).state, reloaded(line).state) == (R.FAILED, LineState.CANCELED)
    assert open_kinds() == [ProblemKind.REFUND_FAILED]
    return reloaded(refund)


def open_kinds():
    return list(MoneyProblem.objects.filter(resolved_at=None).order_by("pk").values_list("kind", flat=True))


def test_it_is_asked_for_again_with_one_click_and_goes_by_bank_transfer(bounced, pg_refunds, press, sign_in, staff):
    client = sign_in(Role.CS)
    preview, answer = press(client, "retry-refund", "refunds", [(bounced.pk, bounced.version)], way="")
    assert preview.status_code == answer.status_code == 200
    again = reloaded(bounced)
    assert (again.state, again.way, again.account) == (R.DRAFT, RefundWay.BANK, ACCOUNT)
    requesting.approve(refund_ids=[again.pk], actor=staff, at=timezone.now())
    assert open_kinds() == [ProblemKind.REFUND_FAILED]
    by_hand.pay_out(refund_ids=[again.pk], actor=staff, at=timezone.now())
    assert (reloaded(again).state, reloaded(again).last_error) == (R.COMPLETED, "")
    assert open_kinds() == []
    assert [kind for kind, _ in pg_refunds.ledger(bounced.payment)] == [
        EntryKind.DEPOSIT, EntryKind.REFUND, EntryKind.REFUND_FAILED, EntryKind.PAID_OUT
    ]  # fmt: skip
    assert reloaded(bounced.order).paid_amount == 0
    assert broken() == []


def test_taken_back_its_money_waits_for_a_person_as_money_of_a_canceled_order(bounced, staff):
    requesting.withdraw(refund_ids=[bounced.pk], actor=staff, at=timezone.now(), reason="고객과 통화")
    assert open_kinds() == [ProblemKind.LATE_AFTER_CANCEL]
    assert MoneyProblem.objects.get(kind=ProblemKind.LATE_AFTER_CANCEL).amount == 33_000
    assert reloaded(bounced.order).paid_amount == 33_000
    assert broken() == []


@pytest.mark.parametrize("pg", ["nicepay", "nicepay-form", "inicis"])
@pytest.mark.parametrize("has_arrived", [True, False])
def test_of_a_pg_that_never_tells_a_person_says_what_became_of_a_transfer(pg_refunds, staff, pg, has_arrived):
    payment = pg_refunds.paid(pg)
    refund = pg_refunds.ask(payment)
    refund_sending.send_due(at=timezone.now())
    assert reloaded(refund).state == R.ACCEPTED
    act = by_hand.confirm_payout if has_arrived else by_hand.report_bounce
    assert act(refund_ids=[refund.pk], actor=staff, at=timezone.now()).refused == {}
    assert reloaded(refund).state == (R.COMPLETED if has_arrived else R.FAILED)
    assert open_kinds() == ([] if has_arrived else [ProblemKind.REFUND_FAILED])
    assert reloaded(payment).balance == (0 if has_arrived else 33_000)
    assert act(refund_ids=[refund.pk], actor=staff, at=timezone.now()).moved == []
    assert broken() == []
