"""되살리기: an order that ended unpaid waits for its money again; a refund prepared for it falls away (T24)."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from core.models import Job
from core.state import Outcome
from orders.services import progress
from orders.services.locking import locked_orders
from payments.services.ledger.booking import payments_of
from payments.services.refunds import preparing


def revive(
    *,
    order_ids: Collection[int],
    actor: Any,
    at: datetime,
    reason: str,
    batch: Job | None = None,
    checks_stock: bool = False,
) -> Outcome:
    """되살리기 by staff. Refused like progress.revive."""
    with locked_orders(order_ids, actor=actor) as (orders, _):
        facts: dict[str, Any] = {"actor": actor, "at": at, "batch": batch}
        outcome = progress.revive(order_ids=order_ids, reason=reason, checks_stock=checks_stock, **facts)
        preparing.keep_in_step(payments_of(orders).values(), **facts)
    return outcome
