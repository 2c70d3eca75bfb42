"""What follows an event after the commit: the PG learns that an order is canceled, or lives again.

A handler may run twice, late, or after the opposite event; it looks at the present state first.
"""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from core.events import on
from core.settings_registry import get_setting
from orders import events
from orders.models import Order, OrderEvent
from orders.notices import notify_buyer
from orders.states import LineState
from payments.events import ACCOUNT_RESENT, DEPOSIT_AWAITED, REFUND_COMPLETED, VIRTUAL_ISSUED
from payments.models import Refund
from payments.services.deposits import confirming
from payments.services.gateway import closing
from payments.services.refunds import reviving
from payments.services.telling import METHODS, Accounts
from payments.states import RefundState


@on(events.LINE_CANCELED_UNPAID)
def close_account(delivery: Any) -> None:
    """가상계좌 닫기, not before the cancel can no longer be undone."""
    can_be_undone = delivery.batch_id is not None
    hold = timedelta(minutes=int(get_setting("undo_hold_minutes")) if can_be_undone else 0)
    closing.ask_to_close(order_id=delivery.order_id, at=timezone.now(), hold=hold)


@on(events.LINE_CANCELED)
def close_account_of_refunded(delivery: Any) -> None:
    """가상계좌 닫기 of an order that is canceled whole with its refund, which nobody can undo."""
    closing.ask_to_close(order_id=delivery.order_id, at=timezone.now())


@on(events.LINE_REVIVED)
def reopen_account(delivery: Any) -> None:
    """가상계좌 다시 발급 of a revived order."""
    closing.reopen(order_id=delivery.order_id, at=timezone.now())


@on(events.LINE_REVIVED)
def follow_late_money(delivery: Any) -> None:
    """입금 따르기 of a revived order: what came while it was canceled is its money."""
    reviving.follow_money(order_id=delivery.order_id, at=timezone.now())


@on(events.LINE_PAYMENT_REVERTED, events.LINE_REVIVED)
def compare_deposits_again(delivery: Any) -> None:
    """입금내역 다시 비교: a deposit that waits may belong to the order that wants money again."""
    confirming.look_again(order_ids=[delivery.order_id], at=timezone.now())


@on(VIRTUAL_ISSUED, holds=True)
def tell_account(delivery: Any) -> None:
    """입금 안내: the account that the PG has opened, while the order still waits for money."""
    _tell_account(delivery)


@on(DEPOSIT_AWAITED)
def tell_bank_account(delivery: Any) -> None:
    """입금 안내 of 무통장입금: the shop's own account, while the order still waits for money."""
    _tell_account(delivery)


@on(events.LINE_REVIVED, holds=True)
def tell_account_again(delivery: Any) -> None:
    """입금 안내 of a revived order, which the buyer believes canceled; an undone cancel has nothing to add."""
    event = OrderEvent.objects.select_related("batch").get(pk=delivery.event_ids[0])
    if event.batch is None or event.batch.undoes_id is None:
        _tell_account(delivery, told_at=event.at)


@on(ACCOUNT_RESENT, holds=True)
def tell_account_once_more(delivery: Any) -> None:
    """입금 안내 재발송: staff said so; nothing to say when the money came in meanwhile."""
    _tell_account(delivery, told_at=OrderEvent.objects.get(pk=delivery.event_ids[0]).at)


def _tell_account(delivery: Any, *, told_at: datetime | None = None) -> None:
    """Once for the opening of an account, and once for each moment after it that asks for it again."""
    order = Order.objects.get(pk=delivery.order_id)
    if delivery.is_correction:
        notify_buyer(delivery, template="deposit_account", order=order)
        return
    if order.stage != LineState.AWAITING_PAYMENT or order.open_amount <= 0 or order.payment_method not in METHODS:
        return
    where = Accounts([order]).of(order)
    if isinstance(where, str):
        return
    moments = [moment for moment in (where.opened_at, told_at) if moment is not None]
    moment = max(moments) if moments else None
    notify_buyer(delivery, template="deposit_account", order=order, facts=where.facts, moment=moment)


@on(REFUND_COMPLETED, holds=True)
def tell_refunded(delivery: Any) -> None:
    """환불 알림: what went back to the buyer; of a deposit for no order nobody knows whom to tell."""
    if delivery.order_id is None:
        return
    order = Order.objects.get(pk=delivery.order_id)
    refunds = OrderEvent.objects.filter(pk__in=delivery.event_ids).values_list("subject_id", flat=True)
    won = sum(one.amount for one in Refund.objects.filter(pk__in=refunds, state=RefundState.COMPLETED))
    if won or delivery.is_correction:
        notify_buyer(delivery, template="refund_completed", order=order, facts={"amount": f"{won:,}"})
