"""Roll-up: what an order shows is computed from its lines, set-wise, in the transaction that changed them.

The same SQL expression serves the services, the seed and `oms_check` (which recomputes and compares).
Source: domain.md 3.1.
"""

from collections.abc import Collection

from django.db import connection

from core.lookups import id_array
from orders.states import (
    BIT,
    BIT_CLAIM,
    BIT_HELD,
    BIT_IN_STOCK,
    BIT_OUT_OF_STOCK,
    BIT_PARTLY,
    BIT_STANDBY,
    BIT_UNACKNOWLEDGED,
    BIT_UNMAPPED,
    CLOSED_STEPS,
    LOCK_BIT,
    OPEN,
    TRAVEL,
    LineState,
    LockKind,
    StockVerdict,
)


def _case(pairs: list[tuple[str, object]]) -> str:
    return "CASE " + " ".join(f"WHEN {when} THEN {then}" for when, then in pairs) + " ELSE 0 END"


def _listed(states: Collection[LineState]) -> str:
    return ", ".join(f"'{state.value}'" for state in sorted(states))


_OPEN_ROW = f"l.state IN ({_listed(OPEN)})"
_BEFORE_SHIPPING = f"l.state IN ({_listed((LineState.PREPARING, LineState.READY))})"
_PREPARING = f"l.state = '{LineState.PREPARING.value}'"
_STATE_BITS = _case([(f"l.state = '{state.value}'", bit) for state, bit in BIT.items()])
_FACT_BITS = " | ".join(
    f"(CASE WHEN {when} THEN {bit} ELSE 0 END)"
    for when, bit in (
        (f"l.state = '{LineState.READY.value}' AND l.standby_at IS NOT NULL", BIT_STANDBY),
        (f"{_OPEN_ROW} AND l.open_locks & {LOCK_BIT[LockKind.HOLD]} <> 0", BIT_HELD),
        (f"{_PREPARING} AND l.acknowledged_at IS NULL", BIT_UNACKNOWLEDGED),
        (f"{_OPEN_ROW} AND l.open_locks & {LOCK_BIT[LockKind.MAPPING]} <> 0", BIT_UNMAPPED),
        (f"{_OPEN_ROW} AND l.open_locks & {LOCK_BIT[LockKind.CLAIM]} <> 0", BIT_CLAIM),
        (f"{_PREPARING} AND l.stock_verdict = '{StockVerdict.ALL.value}'", BIT_IN_STOCK),
        (f"{_PREPARING} AND l.stock_verdict = '{StockVerdict.PARTLY.value}'", BIT_PARTLY),
        (f"{_PREPARING} AND l.stock_verdict = '{StockVerdict.NONE.value}'", BIT_OUT_OF_STOCK),
    )
)
_RANK = _case([(f"l.state = '{state.value}'", rank) for rank, state in enumerate(TRAVEL, 1)])
# The stage of an order without active lines: the last kind of ending that its lines share, returns before cancels.
_ENDINGS = (LineState.RETURNED, LineState.EXCHANGED, LineState.CANCELED, LineState.CANCELED_UNPAID, LineState.MOVED)
_STAGE = (
    "CASE min(NULLIF("
    + _RANK
    + ", 0)) "
    + " ".join(f"WHEN {rank} THEN '{state.value}'" for rank, state in enumerate(TRAVEL, 1))
    + " ELSE CASE "
    + " ".join(f"WHEN bool_or(l.state = '{state.value}') THEN '{state.value}'" for state in _ENDINGS)
    + f" ELSE '{LineState.AWAITING_PAYMENT.value}' END END"
)

SUMMARY = f"""
    SELECT l.order_id,
           bit_or({_STATE_BITS}) | bit_or({_FACT_BITS}) AS steps,
           {_STAGE} AS stage,
           count(*) FILTER (WHERE l.state <> '{LineState.MOVED.value}') AS line_count,
           min(l.ship_by) FILTER (WHERE {_BEFORE_SHIPPING}) AS next_due_at,
           max(l.confirmed_at) AS confirmed_at,
           max(l.paid_at) AS paid_at
    FROM orders_orderline l
"""
"""SELECT of the summary of orders; add WHERE and GROUP BY l.order_id."""

_CLOSED_BITS = ", ".join(f"({BIT[state]})" for state in CLOSED_STEPS)

_ROLL_UP = f"""
WITH old AS (SELECT id, steps FROM orders_order WHERE id = ANY(%(ids)s::bigint[])),
     summary AS ({SUMMARY} WHERE l.order_id = ANY(%(ids)s::bigint[]) GROUP BY l.order_id),
     changed AS (
        UPDATE orders_order o
        SET steps = s.steps, stage = s.stage, line_count = s.line_count, next_due_at = s.next_due_at,
            confirmed_at = s.confirmed_at, paid_at = s.paid_at, version = o.version + %(step)s
        FROM summary s WHERE o.id = s.order_id
        RETURNING o.id, o.steps)
INSERT INTO orders_stepdelta (step, orders)
SELECT b.bit, sum(sign(changed.steps & b.bit) - sign(old.steps & b.bit))::int
FROM changed JOIN old USING (id) CROSS JOIN (VALUES {_CLOSED_BITS}) AS b(bit)
GROUP BY b.bit
HAVING sum(sign(changed.steps & b.bit) - sign(old.steps & b.bit)) <> 0
"""


_FOLD = """
WITH old AS (SELECT id FROM orders_stepdelta ORDER BY id LIMIT 100000 FOR UPDATE SKIP LOCKED),
gone AS (DELETE FROM orders_stepdelta s USING old WHERE s.id = old.id RETURNING s.step, s.orders)
INSERT INTO orders_stepdelta (step, orders) SELECT step, sum(orders) FROM gone GROUP BY step
"""


def roll_up(order_ids: Collection[int], *, is_news: bool = True) -> None:
    """Bring the summaries of locked orders up to date and note their moves into closed steps.

    Adds 1 to their versions, so that a screen from before is stale, unless `is_news` is False: a hint like the stock
    verdict changed, which nobody decided and nothing depends on.
    """
    if order_ids:
        with connection.cursor() as cursor:
            cursor.execute(_ROLL_UP, {"ids": id_array(sorted(order_ids)), "step": int(is_news)})


def fold_counts() -> None:
    """Fold the deltas of closed steps into one row each, so that summing them stays cheap; readers see either form."""
    with connection.cursor() as cursor:
        cursor.execute(_FOLD)


def closed_counts() -> dict[int, int]:
    """Number of orders per closed step bit, from the sum of the deltas."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT step, sum(orders) FROM orders_stepdelta GROUP BY step")
        return {step: int(total) for step, total in cursor.fetchall()}


__all__ = ["SUMMARY", "closed_counts", "fold_counts", "roll_up"]
