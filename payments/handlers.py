"""What follows an event after the commit: the PG learns that an order is canceled, or lives again.

A handler may run twice, late, or after the opposite event; it looks at the present state first.
"""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from core.events import on
from core.settings_registry import get_setting
from orders import events
from payments.services import closing


@on(events.LINE_CANCELED_UNPAID)
def close_account(delivery: Any) -> None:
    """가상계좌 닫기, not before the cancel can no longer be undone."""
    can_be_undone = delivery.batch_id is not None
    hold = timedelta(minutes=int(get_setting("undo_hold_minutes")) if can_be_undone else 0)
    closing.ask_to_close(order_id=delivery.order_id, at=timezone.now(), hold=hold)


@on(events.LINE_REVIVED)
def reopen_account(delivery: Any) -> None:
    """가상계좌 다시 발급 of a revived order."""
    closing.reopen(order_id=delivery.order_id, at=timezone.now())
