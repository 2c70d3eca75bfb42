"""What staff take back stays back: the periodic jobs that run next leave it alone (domain.md T5, T16)."""

from datetime import timedelta

import pytest

from core.jobs import items
from core.jobs.undo import open_undo
from core.models import JobState
from orders.models import OrderEvent, OrderLine
from orders.services import progress
from orders.states import ConfirmedBy, DeliveredBy, LineState
from orders.tasks import confirm_after_days
from payments.actions.payments import RevertPayment
from payments.models import LedgerEntry
from payments.services.manual import NOTHING_DUE, confirm_manually, revert_manual
from payments.tasks import cancel_unpaid_overdue
from shipping.models import Shipment
from shipping.services import shipments
from tests.fixtures.orders import NOW, broken, reloaded
from tests.fixtures.work import confirmed, previewed, tally
from tests.flows.test_undo_of_ways_back import facts, lines_in, pressed, undone

S = LineState
WEEK = timedelta(days=7)


@pytest.fixture
def delivered(make_sent):
    """Lines of two shipments in 배송완료 by hand since NOW."""
    lines = lines_in(make_sent(2, lines=1))
    shipments.deliver_by_hand(line_ids=[line.pk for line in lines], actor=None, at=NOW, reason="수령 확인")
    return lines


def test_a_deposit_taken_back_after_its_deadline_is_waited_for_again(make_order, staff):
    order = make_order()
    late = order.deposit_by + timedelta(days=3)
    confirm_manually(order_ids=[order.pk], actor=staff, at=NOW)
    revert_manual(order_ids=[order.pk], actor=staff, at=late, reason="다른 주문의 입금")
    assert reloaded(order).deposit_by == late + WEEK
    assert cancel_unpaid_overdue(at=late + timedelta(minutes=1)) == 0
    assert (reloaded(order).stage, reloaded(order).paid_amount) == (S.AWAITING_PAYMENT, 0)
    assert cancel_unpaid_overdue(at=late + WEEK) == 1
    assert broken() == []


def test_a_deposit_taken_back_before_its_deadline_keeps_it(make_order, staff):
    order = make_order()
    confirm_manually(order_ids=[order.pk], actor=staff, at=NOW)
    revert_manual(order_ids=[order.pk], actor=staff, at=order.deposit_by - timedelta(minutes=1), reason="다른 주문")
    assert reloaded(order).deposit_by == order.deposit_by


def test_the_undo_of_a_deposit_outlives_the_next_run_and_can_be_repeated(make_order, lines_of, staff):
    order = make_order()
    job = pressed("confirm-payment", lines_of(order), actor=staff)
    assert job.finished_at > order.deposit_by
    undone(job, actor=staff)
    assert cancel_unpaid_overdue(at=job.finished_at + timedelta(minutes=5)) == 0
    assert reloaded(order).stage == S.AWAITING_PAYMENT
    assert pressed("confirm-payment", lines_of(order), actor=staff).done == 1
    assert broken() == []


def test_a_way_back_of_nothing_says_that_nothing_was_due(make_order, make_variant, lines_of, staff):
    order = make_order(lines=[(make_variant(on_hand=5), 1)], price=3_000, points_amount=3_000)
    paid = make_order()
    confirm_manually(order_ids=[paid.pk], actor=staff, at=NOW)
    before = facts(lines_of(order)[0])
    job = previewed(RevertPayment(), [*lines_of(order), *lines_of(paid)], actor=staff)
    assert (tally(job), items.reasons(job)) == ((1, 0, 1), [(NOTHING_DUE, 1)])
    assert "새로 고" not in NOTHING_DUE
    outcome = revert_manual(order_ids=[order.pk], actor=staff, at=NOW, reason="확인")
    assert (outcome.moved, set(outcome.refused.values())) == ([], {NOTHING_DUE})
    assert facts(lines_of(order)[0]) == before
    assert not LedgerEntry.objects.filter(payment__order=order).exists()
    assert not OrderEvent.objects.filter(kind="line.payment_reverted").exists()


def test_a_confirmation_taken_back_is_not_confirmed_by_the_next_night(delivered, staff, sign_in):
    ids = [line.pk for line in delivered]
    assert confirm_after_days(at=NOW + WEEK) == 2
    at = NOW + timedelta(days=20)
    progress.revoke_confirmation(line_ids=ids, actor=staff, at=at, reason="고객 요청")
    assert {reloaded(line).confirm_by for line in delivered} == {at + WEEK}
    assert confirm_after_days(at=at + timedelta(days=1)) == 0
    assert {reloaded(line).state for line in delivered} == {S.DELIVERED}
    assert set(Shipment.objects.values_list("confirm_by", flat=True)) == {at + WEEK}
    listed = sign_in(staff).get("/orders/delivered/", {"period": "all"}).content.decode()
    assert f"{at + WEEK:%m-%d}" in listed
    assert confirm_after_days(at=at + WEEK) == 2
    assert broken() == []


def test_the_undo_of_taking_it_back_has_the_old_date_again(delivered, staff):
    progress.confirm_purchase(
        line_ids=[line.pk for line in delivered], by=ConfirmedBy.BUYER, actor=None, at=NOW + timedelta(days=1)
    )
    before = [facts(line) for line in delivered]
    job = pressed("revoke-confirmation", delivered, actor=staff)
    assert {reloaded(line).confirm_by for line in delivered} != {NOW + WEEK}
    undone(job, actor=staff)
    assert [facts(line) for line in delivered] == before


def test_the_undo_of_a_confirmation_puts_back_what_was(delivered, staff):
    before = [facts(line) for line in delivered]
    job = pressed("confirm-purchase", delivered, actor=staff)
    undo = confirmed(open_undo(job=job, actor=staff, at=job.finished_at), actor=staff)
    assert undo.state == JobState.DONE, items.reasons(undo)
    assert [facts(line) for line in delivered] == before
    assert {line["confirm_by"] for line in before} == {NOW + WEEK}


def test_a_line_taken_back_on_its_way_has_the_days_from_then_on(make_sent, staff):
    [line] = OrderLine.objects.filter(order=make_sent(1)[0].order)
    progress.confirm_purchase(line_ids=[line.pk], by=ConfirmedBy.BUYER, actor=None, at=NOW)
    at = NOW + timedelta(days=20)
    progress.revoke_confirmation(line_ids=[line.pk], actor=staff, at=at, reason="고객 요청")
    arrived = NOW + timedelta(days=1)
    progress.deliver(delivered_at={line.pk: arrived}, by=DeliveredBy.TRACKER, actor=None, at=at)
    assert (reloaded(line).delivered_at, reloaded(line).confirm_by) == (arrived, at + WEEK)
    assert confirm_after_days(at=at + timedelta(days=1)) == 0
    assert reloaded(line).state == S.DELIVERED
