"""Accounts whose 입금기한 has passed: no PG closes them any more, some go on calling them open, and they are over."""

from datetime import timedelta

import pytest
from django.utils import timezone

from orders.services import progress
from orders.states import CanceledBy, LineState
from payments.models import MoneyProblem, Payment, VirtualAccount
from payments.services.gateway import closing
from payments.states import PaymentState, VirtualState
from payments.tasks import cancel_unpaid_overdue
from tests.fixtures.orders import broken, reloaded
from tests.payments.test_closing import cancel, overdue, revive, settle, virtual

pytestmark = pytest.mark.django_db(transaction=True)
WAITING = LineState.AWAITING_PAYMENT
ISSUING = ("toss", "portone", "inicis")


def ended(pg_shop, pg):
    """An unpaid order whose account has ended at its PG, and by our clock."""
    order = pg_shop.order(pg_shop.account(pg))
    pg_shop.act("expire", Payment.objects.get(order=order))
    pg_shop.forget()
    VirtualAccount.objects.update(due_at=timezone.now() - timedelta(minutes=1))
    overdue(order)
    return order


@pytest.mark.parametrize("pg", [*ISSUING, "nicepay", "nicepay-form"])
def test_after_its_order_was_canceled_for_its_deadline_it_is_over(pg_shop, pg):
    order = ended(pg_shop, pg)
    cancel_unpaid_overdue(at=timezone.now())
    assert reloaded(order).stage == LineState.CANCELED_UNPAID
    settle()
    assert (virtual(order).state, virtual(order).next_try_at, virtual(order).last_error) == ("CLOSED", None, "")
    assert not MoneyProblem.objects.exists()


@pytest.mark.parametrize("pg", ISSUING)
def test_the_order_that_is_revived_then_gets_another_that_can_be_paid(pg_shop, staff, pg):  # T24
    order = ended(pg_shop, pg)
    cancel_unpaid_overdue(at=timezone.now())
    assert reloaded(order).stage == LineState.CANCELED_UNPAID
    settle()
    revive(order, staff)
    settle()
    again = virtual(order)
    assert (again.state, again.payment.order_ref, again.last_error) == (VirtualState.ISSUED, f"{order.number}-2", "")
    pg_shop.deposit(order)
    pg_shop.heard()
    assert pg_shop.state(order) == (LineState.PREPARING, 33_000, PaymentState.PAID)
    assert broken() == []


def test_one_that_the_pg_forgot_is_over_with_its_deadline(pg_shop, staff):
    order = pg_shop.order(pg_shop.account("toss"))
    body = '{"code": "NOT_FOUND_PAYMENT", "message": "존재하지 않는 결제입니다."}'
    pg_shop.pgs.fault("status", pg="toss", status=404, body=body, times=None)
    cancel(order, staff)
    settle()
    assert virtual(order).state == VirtualState.CLOSING
    at = virtual(order).due_at + timedelta(seconds=1)
    assert closing.close_due(at=at) == 1
    assert virtual(order).state == VirtualState.CLOSED


def test_a_silent_pg_says_nothing_about_one_whose_deadline_has_passed(pg_shop):
    order = ended(pg_shop, "portone")
    progress.cancel_unpaid(order_ids=[order.pk], actor=None, at=timezone.now(), by=CanceledBy.DEADLINE, reason="기한")
    pg_shop.pgs.fault("status", pg="portone", method="GET", times=None)
    settle()
    assert (virtual(order).state, virtual(order).attempts) == (VirtualState.CLOSING, 1)


def test_a_revived_order_does_not_wait_for_the_next_try_of_closing(pg_shop, staff):
    order = pg_shop.order(pg_shop.account("toss"))
    fault = pg_shop.pgs.fault("status", pg="toss", method="POST", times=None)
    cancel(order, staff)
    settle()
    VirtualAccount.objects.update(next_try_at=timezone.now() + timedelta(hours=1))
    pg_shop.pgs.request("DELETE", f"/control/faults?id={fault['id']}")
    revive(order, staff)
    settle()
    settle()
    assert (virtual(order).state, virtual(order).payment.order_ref) == (VirtualState.ISSUED, f"{order.number}-2")
    assert pg_shop.pgs.payment("toss", f"{order.number}-1")["state"] == "CANCELED"
