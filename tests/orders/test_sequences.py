"""Sequences that once went wrong: half cancels, revivals, free orders, busy orders, dates."""

from datetime import timedelta

import pytest
from django.db import connection, transaction

from core.exceptions import DomainError
from core.models import Source
from orders.models import Order, StepDelta
from orders.rollup import closed_counts, fold_counts
from orders.services import changes, locks, progress
from orders.services.intake import LineDraft, create_orders
from orders.services.verdicts import rejudge_stale
from orders.states import BIT, CanceledBy, LineState, LockKind
from payments.models import Payment
from payments.services.ledger.openings import open_payments
from payments.services.watching.overdue import cancel_overdue
from payments.states import PaymentState
from payments.tasks import cancel_unpaid_overdue
from products.services import stock
from shipping.services import shipments
from tests.fixtures.orders import NOW, broken, draft, reloaded
from tests.infra.races import race

S = LineState


def test_an_order_is_canceled_whole_or_not_at_all(make_order, make_variant, lines_of, staff):
    order = make_order(lines=[(make_variant(on_hand=5), 1), (make_variant(on_hand=5), 1)])
    first, second = lines_of(order)
    locks.place_lock(line_ids=[first.pk], kind=LockKind.DEPOSIT_PENDING, actor=None, at=NOW, reason="수동매칭")
    outcome = progress.cancel_unpaid(order_ids=[order.pk], actor=staff, at=NOW, by=CanceledBy.STAFF)
    assert outcome.moved == []
    assert set(outcome.refused) == {first.pk, second.pk}
    assert {line.state for line in lines_of(order)} == {S.AWAITING_PAYMENT}


def test_a_revived_order_gets_a_new_deadline(make_order, staff):
    order = make_order()
    late = order.deposit_by + timedelta(minutes=1)
    cancel_overdue(order_ids=[order.pk], at=late)
    progress.revive(order_ids=[order.pk], actor=staff, at=late, reason="늦은 입금")
    assert reloaded(order).deposit_by == late + timedelta(days=7)
    assert cancel_unpaid_overdue(at=late + timedelta(hours=1)) == 0
    assert reloaded(order).stage == S.AWAITING_PAYMENT


def test_an_order_paid_with_points_waits_for_no_money(make_order, make_variant, lines_of):
    order = make_order(lines=[(make_variant(on_hand=5), 1)], price=3000, points_amount=3000)
    assert (order.due_amount, order.stage, order.deposit_by) == (0, S.PREPARING, None)
    assert Payment.objects.get(order=order).state == PaymentState.PAID
    assert lines_of(order)[0].ship_by is not None
    assert broken() == []


def test_the_same_draft_twice_in_one_call_makes_one_order(channel, make_variant):
    one = draft(LineDraft("상품", 1, 1000, variant_id=make_variant(on_hand=1).pk))
    with transaction.atomic():
        made = create_orders(channel=channel, drafts=[one, one], actor=None, at=NOW, source=Source.UPLOAD)
        open_payments(orders=list(made.created.values()), at=NOW)
    assert Order.objects.count() == 1


def test_a_new_verdict_does_not_make_a_screen_stale(make_order, make_variant, lines_of, staff):
    variant = make_variant(on_hand=0)
    order = make_order(lines=[(variant, 1)], paid=True)
    assert lines_of(order)[0].stock_verdict == "NONE"
    stock.receive(units={variant.pk: 5}, at=NOW, actor=staff, reason="입고", reference="R-1")
    assert rejudge_stale() == 1
    assert lines_of(order)[0].stock_verdict == "ALL"
    assert reloaded(order).version == order.version
    assert rejudge_stale() == 0


def test_a_date_in_the_past_is_no_delay_notice(make_order, lines_of, staff):
    [line] = lines_of(make_order(paid=True))
    with pytest.raises(DomainError, match="오늘부터 90일 안"):
        changes.notify_delay(
            line_ids=[line.pk], new_date=(NOW - timedelta(days=1)).date(), delay_reason="ETC", detail="", actor=staff,
            at=NOW,
        )  # fmt: skip
    assert reloaded(line).delay_notified_at is None


def test_a_delay_is_told_once_and_at_most_ninety_days_ahead(make_order, lines_of, staff):
    first, second = (lines_of(make_order(paid=True))[0] for _ in range(2))
    day = (NOW + timedelta(days=30)).date()
    facts = {"delay_reason": "PRODUCT_PREPARE", "detail": "입고가 늦습니다", "actor": staff, "at": NOW}
    assert changes.notify_delay(line_ids=[first.pk], new_date=day, **facts).refused == {}
    again = changes.notify_delay(line_ids=[first.pk], new_date=day + timedelta(days=1), **facts)
    assert again.refused == {first.pk: "발송지연 안내는 품목마다 한 번만 할 수 있습니다."}
    with pytest.raises(DomainError, match="90일 안"):
        changes.notify_delay(line_ids=[second.pk], new_date=(NOW + timedelta(days=91)).date(), **facts)
    assert reloaded(second).ship_by == second.ship_by


def test_folding_the_deltas_keeps_every_count(make_order, staff):
    orders = [make_order() for _ in range(3)]
    for order in orders:
        progress.cancel_unpaid(order_ids=[order.pk], actor=staff, at=NOW, by=CanceledBy.STAFF)
    assert StepDelta.objects.count() == 3
    fold_counts()
    assert StepDelta.objects.count() == 1
    assert closed_counts() == {BIT[S.CANCELED_UNPAID]: 3}
    assert broken() == []


@pytest.mark.django_db(transaction=True)
def test_an_order_that_somebody_holds_does_not_stop_the_deadline_job(make_order):
    orders = [make_order() for _ in range(3)]
    at = max(order.deposit_by for order in orders)

    def keep():
        with transaction.atomic(), connection.cursor() as cursor:
            Order.objects.select_for_update().get(pk=orders[1].pk)
            cursor.execute("SELECT pg_sleep(2)")
        return 0

    def run():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.5)")
        return cancel_unpaid_overdue(at=at)

    assert race([keep, run])[1] == 2
    assert cancel_unpaid_overdue(at=at) == 1


def test_a_held_line_takes_no_stock_from_the_next_one(make_order, make_variant, lines_of, staff):
    variant = make_variant(on_hand=1)
    held, free = (lines_of(make_order(lines=[(variant, 1)], paid=True))[0] for _ in range(2))
    locks.hold(line_ids=[held.pk], actor=staff, at=NOW, reason="고객 부재")
    outcome = shipments.make_ready(line_ids=[held.pk, free.pk], actor=staff, at=NOW)
    assert outcome.moved_ids == [free.pk]
    assert outcome.refused == {held.pk: "배송보류 중입니다. 사유: 고객 부재"}
