"""자동취소: what nobody paid in time."""

from collections.abc import Collection
from datetime import datetime

from core.state import Outcome
from orders.models import Order
from orders.services import progress
from orders.services.locking import locked_orders
from orders.states import CanceledBy, LineState


def cancel_overdue(*, order_ids: Collection[int], at: datetime) -> Outcome:
    """자동취소 (C48): unpaid orders whose 입금기한 has passed at `at`, to the minute; a waiting deposit protects them.

    Orders that are not due at `at`, or that somebody is working on, are left for the next run; refused with a reason:
    partly paid, DEPOSIT_PENDING lock. Source: domain.md T4, A05.
    """
    with locked_orders(order_ids, skip_locked=True) as (orders, _):
        due = [order.pk for order in orders if order.deposit_by is not None and order.deposit_by <= at]
        return progress.cancel_unpaid(
            order_ids=due, actor=None, at=at, by=CanceledBy.DEADLINE, reason="입금기한이 지났습니다."
        )


def overdue_orders(*, at: datetime, after: int = 0, limit: int = 1000) -> list[int]:
    """Ids of orders with unpaid lines whose 입금기한 is over, ascending after `after`."""
    return list(
        Order.objects.in_step(LineState.AWAITING_PAYMENT)
        .filter(deposit_by__lte=at, pk__gt=after)
        .order_by("pk")
        .values_list("pk", flat=True)[:limit]
    )
