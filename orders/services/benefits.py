"""쿠폰과 적립금: what orders use when they are placed or revived, and get back when they end unpaid or canceled.

A use is given back whole: points of lines that are canceled one by one come back with the last line of their order.
The balances of buyers are the storefront's; it reads in the events feed what was given back and what is used again.
Source: domain.md T4, T19, A05; architecture.md 3 (Amounts).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from core.models import Job
from orders.models import BenefitEntry, Order, OrderLine
from orders.states import WITHOUT_BENEFITS, BenefitAct, BenefitKind, LineState

# The present use is the last one. A use that was given back already, or a restoring without a use, breaks a constraint.
_BOOK = f"""
INSERT INTO {BenefitEntry._meta.db_table} (order_id, kind, act, seq, amount, at, actor_id, batch_id, reason)
SELECT v.order_id, v.kind, %(act)s,
       %(step)s + (SELECT count(*) FROM {BenefitEntry._meta.db_table} e
                   WHERE e.order_id = v.order_id AND e.kind = v.kind AND e.act = '{BenefitAct.USED.value}'),
       v.amount, %(at)s, %(actor)s, %(batch)s, %(reason)s
FROM unnest(%(orders)s::bigint[], %(kinds)s::text[], %(amounts)s::bigint[]) AS v(order_id, kind, amount)
"""


def use(
    *, orders: Iterable[Order], at: datetime, actor: Any = None, batch: Job | None = None, reason: str = ""
) -> None:
    """혜택 사용: the coupon and points amounts of locked or new orders are spent; one statement, none without any."""
    _book(BenefitAct.USED, orders, at=at, actor=actor, batch=batch, reason=reason)


def restore(
    *, orders: Iterable[Order], at: datetime, actor: Any = None, batch: Job | None = None, reason: str = ""
) -> None:
    """혜택 돌려주기: what locked orders spent last is given back whole. Raises IntegrityError for a second time."""
    _book(BenefitAct.RESTORED, orders, at=at, actor=actor, batch=batch, reason=reason)


def told_by_lines(lines: Iterable[OrderLine], act: BenefitAct) -> dict[int, dict[str, Any]]:
    """이력 내용: for each line with a share of coupon or points, what its event tells of it; won."""
    return {
        line.pk: {"benefits": {"act": act.value, "coupon": line.coupon_share, "points": line.points_share}}
        for line in lines
        if line.coupon_share or line.points_share
    }


def told_by_orders(lines: Sequence[OrderLine], orders: Iterable[Order], act: BenefitAct) -> dict[int, dict[str, Any]]:
    """이력 내용: what the last lines of orders tell; the first of each adds what earlier lines kept."""
    told = {}
    for order in orders:
        mine = [line for line in lines if line.order_id == order.pk]
        coupon = order.coupon_amount - sum(line.coupon_share for line in mine[1:])
        points = order.points_amount - sum(line.points_share for line in mine[1:])
        if coupon or points:
            told[mine[0].pk] = {"benefits": {"act": act.value, "coupon": coupon, "points": points}}
        told |= told_by_lines(mine[1:], act)
    return told


def ended(lines: Sequence[OrderLine]) -> list[Order]:
    """끝난 주문: locked orders with coupon or points of which these canceled lines were the last; one query at most."""
    spent = [order for order in orders_of(lines) if order.coupon_amount or order.points_amount]
    if not spent:
        return []
    rest = OrderLine.objects.filter(order__in=spent).exclude(state__in=[*WITHOUT_BENEFITS, LineState.MOVED])
    going_on = set(rest.values_list("order_id", flat=True))
    return [order for order in spent if order.pk not in going_on]


def orders_of(lines: Sequence[OrderLine]) -> list[Order]:
    """The locked orders of moved lines, each once."""
    return list({line.order_id: line.order for line in lines}.values())


def _book(
    act: BenefitAct, orders: Iterable[Order], *, at: datetime, actor: Any, batch: Job | None, reason: str
) -> None:
    rows = [
        (order.pk, kind.value, amount)
        for order in orders
        for kind, amount in ((BenefitKind.COUPON, order.coupon_amount), (BenefitKind.POINTS, order.points_amount))
        if amount
    ]
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _BOOK,
            {
                "act": act.value,
                "step": int(act == BenefitAct.USED),
                "at": at,
                "actor": actor.pk if actor is not None else None,
                "batch": batch.pk if batch is not None else None,
                "reason": reason,
                "orders": [order_id for order_id, _, _ in rows],
                "kinds": [kind for _, kind, _ in rows],
                "amounts": [amount for *_, amount in rows],
            },
        )
