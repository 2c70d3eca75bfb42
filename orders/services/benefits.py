"""쿠폰과 적립금: what orders use when they are placed or revived, and get back when their lines end unpaid or canceled.

Points come back with each line, by its share; a coupon is one piece and comes back with the last line of its order.
The ledger is brought to what the lines that still live hold, so that nothing comes back twice whoever asks again.
The balances of buyers are the storefront's; it reads in the events feed what was given back and what is used again.
Source: domain.md 3.6, T4, T19, A05; architecture.md 3 (Amounts).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from core.models import Job
from orders.models import BenefitEntry, Order, OrderLine
from orders.states import WITHOUT_BENEFITS, BenefitAct, BenefitKind, LineState

_LEDGER = BenefitEntry._meta.db_table
_ENDED = ", ".join(f"'{state.value}'" for state in (*WITHOUT_BENEFITS, LineState.MOVED))
_INSERT = f"INSERT INTO {_LEDGER} (order_id, kind, act, seq, amount, at, actor_id, batch_id, reason)"
_USE = f"""
{_INSERT}
SELECT v.order_id, v.kind, '{BenefitAct.USED.value}', 1, v.amount, %(at)s, %(actor)s, %(batch)s, %(reason)s
FROM unnest(%(orders)s::bigint[], %(kinds)s::text[], %(amounts)s::bigint[]) AS v(order_id, kind, amount)
"""
# What the living lines hold, less what the ledger says, is what is booked now: more is used, less was given back.
_FOLLOW = f"""
{_INSERT}
SELECT d.order_id, d.kind, d.act, 1 + (SELECT count(*) FROM {_LEDGER} e
           WHERE e.order_id = d.order_id AND e.kind = d.kind AND e.act = d.act),
       abs(d.more), %(at)s, %(actor)s, %(batch)s, %(reason)s
FROM (
    SELECT h.order_id, k.kind, k.held - COALESCE(b.net, 0) AS more,
           CASE WHEN k.held > COALESCE(b.net, 0)
                THEN '{BenefitAct.USED.value}' ELSE '{BenefitAct.RESTORED.value}' END AS act
    FROM (
        SELECT o.id AS order_id, COALESCE(sum(l.points_share) FILTER (WHERE l.state NOT IN ({_ENDED})), 0) AS points,
               CASE WHEN bool_or(l.state NOT IN ({_ENDED})) THEN o.coupon_amount ELSE 0 END AS coupon
        FROM {Order._meta.db_table} o JOIN {OrderLine._meta.db_table} l ON l.order_id = o.id
        WHERE o.id = ANY(%(orders)s::bigint[]) GROUP BY o.id) h
    CROSS JOIN LATERAL (VALUES ('{BenefitKind.COUPON.value}', h.coupon), ('{BenefitKind.POINTS.value}', h.points))
        AS k(kind, held)
    LEFT JOIN LATERAL (
        SELECT sum(CASE e.act WHEN '{BenefitAct.USED.value}' THEN e.amount ELSE -e.amount END) AS net
        FROM {_LEDGER} e WHERE e.order_id = h.order_id AND e.kind = k.kind) b ON true
    ORDER BY h.order_id, k.kind) d
WHERE d.more <> 0
RETURNING order_id, kind, act, amount
"""


def use(
    *, orders: Iterable[Order], at: datetime, actor: Any = None, batch: Job | None = None, reason: str = ""
) -> None:
    """혜택 사용: new orders spend their coupon and points; one statement, none without any."""
    rows = [
        (order.pk, kind.value, amount)
        for order in orders
        for kind, amount in ((BenefitKind.COUPON, order.coupon_amount), (BenefitKind.POINTS, order.points_amount))
        if amount
    ]
    if not rows:
        return
    with connection.cursor() as cursor:
        columns: dict[str, Any] = {
            "orders": [order_id for order_id, _, _ in rows],
            "kinds": [kind for _, kind, _ in rows],
            "amounts": [amount for *_, amount in rows],
        }
        cursor.execute(_USE, columns | _facts(at, actor, batch, reason))


def follow(
    *, lines: Sequence[OrderLine], at: datetime, actor: Any = None, batch: Job | None = None, reason: str = ""
) -> dict[int, dict[str, Any]]:
    """혜택 맞추기: give back what moved lines no longer hold, or use again what revived lines hold; one statement.

    The lines carry their locked orders and have moved. Returns by line what its event tells, in won: its share, the
    first of an order what the shares leave over. Asking again books nothing.
    """
    ids = sorted({line.order_id for line in lines if line.order.coupon_amount or line.order.points_amount})
    if not ids:
        return {}
    booked: dict[int, dict[str, int]] = defaultdict(dict)
    acts: dict[int, str] = {}
    with connection.cursor() as cursor:
        cursor.execute(_FOLLOW, {"orders": ids} | _facts(at, actor, batch, reason))
        for order_id, kind, act, amount in cursor.fetchall():
            booked[order_id][kind] = amount
            acts[order_id] = act
    told: dict[int, dict[str, Any]] = {}
    for order_id, sums in booked.items():
        mine = [line for line in lines if line.order_id == order_id]
        coupon = _spread(sums.get(BenefitKind.COUPON, 0), {line.pk: line.coupon_share for line in mine})
        points = _spread(sums.get(BenefitKind.POINTS, 0), {line.pk: line.points_share for line in mine})
        for line in mine:
            if coupon[line.pk] or points[line.pk]:
                told[line.pk] = {
                    "benefits": {"act": acts[order_id], "coupon": coupon[line.pk], "points": points[line.pk]}
                }
    return told


def _spread(won: int, shares: Mapping[int, int]) -> dict[int, int]:
    """A sum over lines by their shares; the first takes what earlier lines left over, for a coupon is not divided."""
    if not won:
        return dict.fromkeys(shares, 0)
    first = next(iter(shares))
    return dict(shares) | {first: won - sum(shares.values()) + shares[first]}


def _facts(at: datetime, actor: Any, batch: Job | None, reason: str) -> dict[str, Any]:
    return {
        "at": at,
        "actor": actor.pk if actor is not None else None,
        "batch": batch.pk if batch is not None else None,
        "reason": reason,
    }
