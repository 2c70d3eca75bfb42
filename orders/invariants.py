"""What must be true of orders, lines, their history and their summaries (reliability.md 5.3)."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any

from django.db import connection

from core.calendar import kst_day_range
from core.invariants import Violation, invariant
from orders.deadlines import Deadlines
from orders.events import LINE_REVIVED, ORDER_RECEIVED
from orders.rollup import SUMMARY
from orders.states import BIT, CLOSED_STEPS, FIRST_STATES, LINE_MOVES, LOCK_BIT, WITHOUT_BENEFITS

MOST = 20
"""Violations named per query: enough to see the pattern of a fault."""

_MOVES = ", ".join(f"('{a.value}', '{b.value}')" for a, b in LINE_MOVES)
_FIRST = ", ".join(f"'{state.value}'" for state in FIRST_STATES)

# Events of a line in the order of versions: each begins where the one before ended, with no version missing.
_CHAIN = f"""
WITH chain AS (
    SELECT subject_id, version, from_state, to_state, at,
           lag(to_state) OVER w AS before, lag(version) OVER w AS previous, lag(at) OVER w AS earlier
    FROM orders_orderevent WHERE subject = 'line'
    WINDOW w AS (PARTITION BY subject_id ORDER BY version))
SELECT subject_id, version, from_state, to_state FROM chain
WHERE (before IS NOT NULL AND (from_state <> before OR version <> previous + 1 OR at < earlier))
   OR (before IS NULL AND (version <> 1 OR from_state NOT IN ({_FIRST})))
   OR (from_state <> to_state AND (from_state, to_state) NOT IN ({_MOVES}))
LIMIT {MOST}
"""
_LAST = f"""
SELECT l.number, l.state, l.version, e.to_state, e.version
FROM orders_orderline l
LEFT JOIN LATERAL (SELECT to_state, version FROM orders_orderevent
                   WHERE subject = 'line' AND subject_id = l.id ORDER BY version DESC LIMIT 1) e ON true
WHERE l.version <> COALESCE(e.version, 0)
   OR (e.version IS NULL AND l.state NOT IN ({_FIRST}))
   OR (e.version IS NOT NULL AND l.state <> e.to_state)
LIMIT {MOST}
"""


@invariant(
    "INV-01", "Replaying the events of a line gives exactly its stored state, by legal steps, version by version"
)
def check_history() -> Iterable[Violation]:
    """이력 검사: the chain of events of every line, and its end against the row."""
    for subject_id, version, source, target in _rows(_CHAIN):
        yield Violation("INV-01", f"line id {subject_id}", f"event v{version} {source} -> {target} does not fit")
    for number, state, version, last, last_version in _rows(_LAST):
        yield Violation("INV-01", number, f"row is {state} v{version}, last event is {last} v{last_version}")


_AMOUNTS = f"""
SELECT o.number, o.goods_amount, sum(l.unit_price * l.quantity), o.discount_amount, sum(l.discount_share),
       o.coupon_amount, sum(l.coupon_share), o.points_amount, sum(l.points_share),
       o.shipping_fee_amount, sum(l.shipping_share)
FROM orders_order o JOIN orders_orderline l ON l.order_id = o.id AND l.state <> 'MOVED'
WHERE o.parent_id IS NULL AND o.root_id IS NULL
GROUP BY o.id
HAVING o.goods_amount <> sum(l.unit_price * l.quantity) OR o.discount_amount <> sum(l.discount_share)
    OR o.coupon_amount <> sum(l.coupon_share) OR o.points_amount <> sum(l.points_share)
    OR o.shipping_fee_amount <> sum(l.shipping_share)
LIMIT {MOST}
"""


@invariant("INV-04", "The amounts of an order are the sums of the shares of its lines, to the won.")
def check_amounts() -> Iterable[Violation]:
    """금액 검사."""
    for number, *sums in _rows(_AMOUNTS):
        yield Violation("INV-04", number, f"order and line sums differ: {sums}")


_STATES = sum(BIT.values())
_GIVEN_BACK = f"(o.steps & {_STATES} <> 0 AND o.steps & {_STATES} & ~{sum(BIT[one] for one in WITHOUT_BENEFITS)} = 0)"
# The net use of an order: its coupon until all of it is canceled, its points less the shares of canceled lines.
_BENEFITS = f"""
SELECT o.number, k.kind, k.amount, COALESCE(e.net, 0), {_GIVEN_BACK}, COALESCE(g.points, 0)
FROM orders_order o
CROSS JOIN LATERAL (VALUES ('COUPON', o.coupon_amount), ('POINTS', o.points_amount)) AS k(kind, amount)
LEFT JOIN (SELECT order_id, kind, sum(CASE act WHEN 'USED' THEN amount ELSE -amount END) AS net
           FROM orders_benefitentry GROUP BY order_id, kind) e ON e.order_id = o.id AND e.kind = k.kind
LEFT JOIN (SELECT order_id, sum(points_share) AS points FROM orders_orderline
           WHERE points_share > 0 AND state IN ({", ".join(f"'{one.value}'" for one in WITHOUT_BENEFITS)})
           GROUP BY order_id) g ON g.order_id = o.id AND k.kind = 'POINTS'
WHERE COALESCE(e.net, 0)
      <> CASE WHEN {_GIVEN_BACK} THEN 0 ELSE k.amount - COALESCE(g.points, 0) END
LIMIT {MOST}
"""


@invariant(
    "INV-03", "The ledger holds an order's coupon until all of it is canceled, and the points of its living lines."
)
def check_benefits() -> Iterable[Violation]:
    """쿠폰·적립금 원장 검사."""
    for number, kind, amount, net, is_over, back in _rows(_BENEFITS):
        over = ", canceled" if is_over else f", {back} of canceled lines" if back else ""
        yield Violation("INV-03", number, f"{kind} {amount}{over}, ledger says {net}")


_SUMMARIES = f"""
SELECT o.number, o.steps, s.steps, o.stage, s.stage
FROM orders_order o JOIN ({SUMMARY} GROUP BY l.order_id) s ON s.order_id = o.id
WHERE (o.steps, o.stage, o.line_count) <> (s.steps, s.stage, s.line_count)
   OR o.next_due_at IS DISTINCT FROM s.next_due_at OR o.confirmed_at IS DISTINCT FROM s.confirmed_at
LIMIT {MOST}
"""
_CLOSED = " UNION ALL ".join(
    f"SELECT {BIT[state]} AS step, count(*) AS n FROM orders_order WHERE steps & {BIT[state]} <> 0"
    for state in CLOSED_STEPS
)
_COUNTS = f"""
SELECT c.step, c.n, COALESCE(d.n, 0) FROM ({_CLOSED}) c
LEFT JOIN (SELECT step, sum(orders) AS n FROM orders_stepdelta GROUP BY step) d USING (step)
WHERE c.n <> COALESCE(d.n, 0)
"""


@invariant("INV-09", "The stored summary of an order is the summary of its lines, and closed steps are counted right.")
def check_summaries() -> Iterable[Violation]:
    """요약 검사: roll-ups recomputed, sums of deltas against rows."""
    for number, steps, right, stage, right_stage in _rows(_SUMMARIES):
        yield Violation("INV-09", number, f"steps {steps} should be {right}, stage {stage} should be {right_stage}")
    for step, rows, deltas in _rows(_COUNTS):
        yield Violation("INV-09", f"step {step}", f"{rows} orders, deltas say {deltas}")


_LOCK_BITS = " ".join(f"WHEN '{kind}' THEN {bit}" for kind, bit in LOCK_BIT.items())
_LOCKS = f"""
SELECT l.number, l.open_locks, COALESCE(k.kinds, '') FROM orders_orderline l
LEFT JOIN (SELECT line_id, bit_or(CASE kind {_LOCK_BITS} ELSE 0 END) AS bits,
                  string_agg(kind, ',' ORDER BY kind) AS kinds
           FROM orders_linelock WHERE released_at IS NULL GROUP BY line_id) k ON k.line_id = l.id
WHERE l.open_locks <> COALESCE(k.bits, 0)
LIMIT {MOST}
"""


@invariant("INV-02", "The lock bits of a line are exactly its open lock rows.")
def check_locks() -> Iterable[Violation]:
    """잠금 검사."""
    for number, bits, kinds in _rows(_LOCKS):
        yield Violation("INV-02", number, f"bits {bits}, open locks {kinds or 'none'}")


_NUMBERS = f"""
SELECT number FROM orders_order
WHERE number !~ '^[0-9]{{8}}-[0-9]{{7}}$'
   OR to_date(left(number, 8), 'YYYYMMDD') > (created_at AT TIME ZONE 'Asia/Seoul')::date
LIMIT {MOST}
"""


@invariant("INV-13", "Order numbers are YYYYMMDD-NNNNNNN of a KST day that is not later than the row.")
def check_numbers() -> Iterable[Violation]:
    """번호 검사; uniqueness is a constraint of the table."""
    for (number,) in _rows(_NUMBERS):
        yield Violation("INV-13", number, "the number does not fit its day")


_DELIVERIES = f"""
SELECT id, subscriber, state, due_at FROM orders_delivery
WHERE state = 'PENDING' AND due_at < now() - interval '10 minutes' AND attempts = 0
LIMIT {MOST}
"""


@invariant("INV-11", "Every delivery is sent, waiting for its time, being retried, dead, or withdrawn.")
def check_deliveries() -> Iterable[Violation]:
    """전달 검사."""
    for pk, subscriber, state, due_at in _rows(_DELIVERIES):
        yield Violation("INV-11", f"delivery {pk}", f"{subscriber} {state} since {due_at:%Y-%m-%d %H:%M}")


_STOCK = f"""
WITH held AS (
    SELECT variant_id, COALESCE(sum(quantity) FILTER (WHERE state = 'READY'), 0) AS allocated,
           COALESCE(sum(quantity) FILTER (WHERE state IN ('AWAITING_PAYMENT', 'PREPARING')), 0) AS demand
    FROM orders_orderline WHERE variant_id IS NOT NULL AND state IN ('AWAITING_PAYMENT', 'PREPARING', 'READY')
    GROUP BY variant_id)
SELECT s.variant_id, s.demand, COALESCE(h.demand, 0), s.allocated, COALESCE(h.allocated, 0)
FROM products_stocklevel s LEFT JOIN held h USING (variant_id)
WHERE (s.demand, s.allocated) <> (COALESCE(h.demand, 0), COALESCE(h.allocated, 0))
LIMIT {MOST}
"""


@invariant("INV-07", "Stock demand is what unpacked lines ask for, the allocation is what packed lines hold.")
def check_stock_of_lines() -> Iterable[Violation]:
    """수요와 할당 검사: stock levels against the lines."""
    for variant, demand, asked, allocated, held in _rows(_STOCK):
        yield Violation("INV-07", f"variant {variant}", f"demand {demand}/{asked}, allocated {allocated}/{held}")


_DEADLINES = f"""
SELECT number, state FROM orders_orderline
WHERE state IN ('PREPARING', 'READY') AND ship_by IS NULL LIMIT {MOST}
"""
# A revived line that money from before the end of its order paid is promised from then on.
_COUNTED = f"""
SELECT l.id, l.number, l.ship_by, o.channel_id, COALESCE(o.root_id, o.id) AS root,
       (l.paid_at AT TIME ZONE 'Asia/Seoul')::date AS first,
       (GREATEST(l.paid_at, r.at) AT TIME ZONE 'Asia/Seoul')::date AS last
FROM orders_orderline l
JOIN orders_order o ON o.id = l.order_id
LEFT JOIN LATERAL (SELECT max(e.at) AS at FROM orders_orderevent e
                   WHERE e.subject = 'line' AND e.subject_id = l.id AND e.kind = '{LINE_REVIVED.code}') r ON true
WHERE l.state IN ('PREPARING', 'READY') AND l.paid_at IS NOT NULL
"""
_PAID_DAYS = f"""
SELECT DISTINCT c.channel_id, d.day FROM ({_COUNTED}) c CROSS JOIN LATERAL (VALUES (c.first), (c.last)) d(day)
"""
LEEWAY = timedelta(days=14)
"""Rules and holidays change after a deadline was set; none of them moves it by more than two weeks."""
# A date that the channel gave itself stands in the event of the intake, one that the buyer was told in its notice.
_FAR_OFF = f"""
WITH days AS MATERIALIZED (
    SELECT * FROM unnest(%s::bigint[], %s::date[], %s::timestamptz[]) AS d(channel_id, day, due))
SELECT c.number, c.ship_by, f.due
FROM ({_COUNTED}) c
JOIN days f ON f.channel_id = c.channel_id AND f.day = c.first
JOIN days t ON t.channel_id = c.channel_id AND t.day = c.last
WHERE c.ship_by NOT BETWEEN f.due - %s AND t.due + %s
  AND c.ship_by IS DISTINCT FROM (SELECT n.new_ship_by FROM orders_delaynotice n WHERE n.line_id = c.id)
  AND c.ship_by IS DISTINCT FROM (
      SELECT (e.data ->> 'ship_by')::timestamptz FROM orders_orderevent e
      WHERE e.order_id = c.root AND e.kind = '{ORDER_RECEIVED.code}' LIMIT 1)
LIMIT {MOST}
"""


@invariant("INV-18", "Every paid line that is not sent has its deadline, and it is the one of a rule or was given.")
def check_deadlines() -> Iterable[Violation]:
    """기한 검사: what is there, against the rules, the channel's own dates and the notices of delay."""
    for number, state in _rows(_DEADLINES):
        yield Violation("INV-18", number, f"{state} without a deadline")
    asked = list(_rows(_PAID_DAYS))
    deadlines = Deadlines({channel for channel, _ in asked})
    due = [deadlines.ship_by(channel, kst_day_range(day)[0]) for channel, day in asked]
    days = [[channel for channel, _ in asked], [day for _, day in asked], due]
    for number, ship_by, right in _rows(_FAR_OFF, [*days, LEEWAY, LEEWAY]):
        yield Violation("INV-18", number, f"is due {ship_by:%Y-%m-%d}, by its rule {right:%Y-%m-%d}")


_CONFIRMED_WITH_CLAIM = f"""
SELECT number FROM orders_orderline WHERE state = 'CONFIRMED' AND open_locks & 1 <> 0 LIMIT {MOST}
"""


@invariant("INV-17", "No line is confirmed while a claim is open.")
def check_claims() -> Iterable[Violation]:
    """구매확정 검사."""
    for (number,) in _rows(_CONFIRMED_WITH_CLAIM):
        yield Violation("INV-17", number, "confirmed with an open claim")


def _rows(sql: str, params: Sequence[Any] | None = None) -> Iterator[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        yield from cursor.fetchall()
