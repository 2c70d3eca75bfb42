"""되살리기: an order that ended unpaid waits for its money again; a refund prepared for it falls away (T24)."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from core.models import Job, Source
from core.state import Outcome
from orders.services import progress
from orders.services.locking import locked_orders
from orders.states import LineState
from payments.services.ledger import problems
from payments.services.ledger.booking import payments_of
from payments.services.ledger.keeping import kept
from payments.services.refunds import preparing
from payments.states import LATE_MONEY, SURPLUS, ProblemKind

THERE_ALREADY = "취소한 동안 들어온 입금입니다."


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


def follow_money(*, order_id: int, at: datetime) -> None:
    """입금 따르기: a revived order whose money came while it was canceled goes on (T3); too little is 부분입금.

    As an answer of the PG would have it, had the order been waiting when the money came.
    """
    with locked_orders([order_id]) as (_, lines):
        if not any(line.state == LineState.AWAITING_PAYMENT for line in lines):
            return
        payments = list(payments_of([lines[0].order]).values())
        problems.settle_all(payments, LATE_MONEY, at=at)
        if not payments or (mine := kept(payments[0])).free <= 0:
            return
        if mine.surplus < 0:
            problems.open_for(payments[0], ProblemKind.UNDERPAID, amount=-mine.surplus, at=at)
            return
        came = [one.paid_at for one in payments if one.paid_at is not None]
        facts: dict[str, Any] = {"actor": None, "at": at, "source": Source.TASK, "reason": THERE_ALREADY}
        told = {order_id: max(came)} if came else {}
        progress.confirm_payment(order_ids=[order_id], paid_at=told, promised_from=at, **facts)
        problems.settle_all(payments, [ProblemKind.UNDERPAID], at=at)
        if mine.surplus > 0:
            problems.open_one(payments[0], SURPLUS, amount=mine.surplus, at=at)
