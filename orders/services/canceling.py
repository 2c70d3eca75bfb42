"""T19 without a claim: lines of 상품준비중 and 배송준비중 are canceled before anything of them leaves the house.

The money is no business of this app: payments calls this inside the transaction that asks for the refund. Coupon and
points are: points go back with each line, a coupon with the last line of its order.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from core.events import record
from core.models import Job
from core.state import Outcome, missing, move
from orders import events
from orders.models import OrderLine
from orders.services import benefits
from orders.services.locking import NOT_FOUND, locked_lines
from orders.states import CanceledBy, LineState
from products.services import stock


def cancel_before_shipping(
    *,
    line_ids: Collection[int],
    actor: Any,
    at: datetime,
    reason: str,
    by: str = CanceledBy.STAFF,
    refuse: Mapping[int, str] | None = None,
    batch: Job | None = None,
    source: str = "",
) -> Outcome:
    """주문취소: paid lines go to 취소완료; what they had asked for or set aside of the stock is free again (C40).

    `by` is the CanceledBy that the buyer is told, empty where neither party wanted it. Refused with the reason: a
    waybill is registered, an open claim or payment check, a line that has left; `refuse` are reasons of the caller.
    Source: domain.md T19.
    """
    with locked_lines(line_ids, actor=actor) as lines:
        allocated = {line.pk for line in lines if line.state == LineState.READY}
        outcome = move(lines, OrderLine.cancel, at=at, by=by, refuse=refuse)
        outcome.refused |= missing(set(line_ids), lines, text=NOT_FOUND)
        stock.release([line for line in outcome.moved if line.pk in allocated], at=at, actor=actor)
        stock.drop_demand(outcome.moved, at=at, actor=actor)
        told = benefits.follow(lines=outcome.moved, at=at, actor=actor, batch=batch, reason=reason)
        record(
            outcome,
            events.LINE_CANCELED,
            at=at,
            actor=actor,
            batch=batch,
            source=source,
            reason=reason,
            data=told,
            undoable=False,
        )
    return outcome
