"""처리 이력 of the sample shop: one event per change, numbered in the order of time."""

from oms.seed import people
from oms.seed.loader import Loader, quoted, texts
from oms.seed.orders import MEMO_SHARE
from orders.events import (
    LINE_ACKNOWLEDGED,
    LINE_CANCELED_UNPAID,
    LINE_CONFIRMED,
    LINE_DELIVERED,
    LINE_HELD,
    LINE_HOLD_RELEASED,
    LINE_PAID,
    LINE_PICKED_UP,
    LINE_READY,
    LINE_SHIPPED,
    LINE_WAYBILL_REGISTERED,
    MEMO_ADDED,
    ORDER_RECEIVED,
)
from orders.models import OrderEvent
from payments.events import PAYMENT_SETTLED
from payments.models import Payment
from shipping.events import PARCEL_DELIVERED, PARCEL_HANDED_OVER, PARCEL_NUMBERED

A, P, R, S, D, C = "AWAITING_PAYMENT", "PREPARING", "READY", "SHIPPING", "DELIVERED", "CONFIRMED"

# Number -> (kind, subject, from, to, source, role of who did it). The numbers stand in the statements below.
KINDS = {
    1: (ORDER_RECEIVED, "order", "", A, "API", ""),
    2: (ORDER_RECEIVED, "order", "", P, "API", ""),
    3: (PAYMENT_SETTLED, "payment", "PENDING", "PAID", "TASK", ""),
    4: (PAYMENT_SETTLED, "payment", "PENDING", "PAID", "SCREEN", "FINANCE"),
    5: (LINE_PAID, "line", A, P, "SCREEN", "FINANCE"),
    6: (LINE_PAID, "line", A, P, "PG", ""),
    7: (LINE_CANCELED_UNPAID, "line", A, "CANCELED_UNPAID", "TASK", ""),
    8: (LINE_ACKNOWLEDGED, "line", P, P, "SCREEN", "CS"),
    9: (LINE_HELD, "line", P, P, "SCREEN", "CS"),
    10: (LINE_HOLD_RELEASED, "line", P, P, "SCREEN", "CS"),
    11: (LINE_READY, "line", P, R, "SCREEN", "LOGISTICS"),
    12: (LINE_WAYBILL_REGISTERED, "line", R, R, "UPLOAD", "LOGISTICS"),
    13: (LINE_SHIPPED, "line", R, S, "SCREEN", "LOGISTICS"),
    14: (LINE_PICKED_UP, "line", S, S, "COURIER", ""),
    15: (LINE_DELIVERED, "line", S, D, "COURIER", ""),
    16: (LINE_DELIVERED, "line", S, D, "SCREEN", "CS"),
    17: (LINE_CONFIRMED, "line", D, C, "TASK", ""),
    18: (LINE_CONFIRMED, "line", D, C, "BUYER", ""),
    19: (PARCEL_NUMBERED, "parcel", "", "NUMBERED", "UPLOAD", "LOGISTICS"),
    20: (PARCEL_HANDED_OVER, "parcel", "NUMBERED", "HANDED_OVER", "SCREEN", "LOGISTICS"),
    21: (PARCEL_DELIVERED, "parcel", "HANDED_OVER", "DELIVERED", "COURIER", ""),
    22: (MEMO_ADDED, "order", "", "", "SCREEN", "CS"),
}


def write(load: Loader, *, staff: dict[str, int]) -> None:
    """이력 적재."""
    kinds = ", ".join(
        f"({n}, {quoted(kind.code)}, {quoted(subject)}, {quoted(source)}, {quoted(target)}, {quoted(door)},"
        f" {staff.get(role, 'NULL')}::bigint)"
        for n, (kind, subject, source, target, door, role) in KINDS.items()
    )
    base = load.base(OrderEvent)
    load.insert(
        OrderEvent,
        {
            "id": f"{base} + e.place",
            "at": "e.at",
            "kind": "k.kind",
            "order_id": "e.order_id",
            "subject": "k.subject",
            "subject_id": "e.subject_id",
            "version": "e.version",
            "from_state": "k.source",
            "to_state": "k.target",
            "actor_id": "k.actor",
            "source": "k.door",
            "reason": _reason(),
            "data": "e.data",
        },
        f"""
        FROM (SELECT row_number() OVER (ORDER BY at, k, subject_id) AS place, * FROM ({_all(load, staff)}) x) e
        JOIN (VALUES {kinds}) AS k(n, kind, subject, source, target, door, actor) ON k.n = e.k
        """,
        "처리 이력",
    )


def _reason() -> str:
    held = f"pg_temp.pick({texts(people.HOLD_REASONS)}, pg_temp.u(e.order_id, 60))"
    return f"CASE e.k WHEN 9 THEN {held} WHEN 7 THEN {quoted(people.OVERDUE)} WHEN 16 THEN '수령 확인' ELSE '' END"


def _all(load: Loader, staff: dict[str, int]) -> str:
    """Every event as (k, at, order_id, subject_id, version, data)."""
    payment = load.base(Payment)
    benefits = (
        "jsonb_build_object('benefits', jsonb_build_object('act', 'RESTORED', 'coupon', l.coupon, 'points', l.points))"
    )
    memos = f"""
        UNION ALL
        SELECT 22, m.created_at, m.order_id, m.order_id, 2, NULL::jsonb
        FROM orders_staffmemo m JOIN seed_order o ON o.id = m.order_id WHERE pg_temp.u(o.i, 80) < {MEMO_SHARE}
    """
    return f"""
        SELECT CASE WHEN is_later THEN 1 ELSE 2 END AS k, created_at AS at, id AS order_id, id AS subject_id,
               1 AS version, NULL::jsonb AS data FROM seed_order
        UNION ALL
        SELECT CASE WHEN method = 'BANK_TRANSFER' THEN 4 ELSE 3 END, COALESCE(paid_e, created_at), id, {payment} + i, 1,
               NULL
        FROM seed_order WHERE paid_at IS NOT NULL
        UNION ALL
        SELECT e.k, e.at, l.order_id, l.id, e.version,
               CASE WHEN e.k = 7 AND l.coupon + l.points > 0 THEN {benefits} END
        FROM seed_line l JOIN seed_order o USING (i) LEFT JOIN seed_group g ON g.q = l.q
        CROSS JOIN LATERAL (VALUES
            (CASE WHEN o.method = 'BANK_TRANSFER' THEN 5 ELSE 6 END, l.paid_e, l.v_paid),
            (7, l.cancel_e, l.v_cancel), (8, l.ack_e, l.v_ack), (9, l.hold_e, l.v_hold), (10, l.unhold_e, l.v_unhold),
            (11, l.ready_e, l.v_ready), (12, l.wb_e, l.v_wb), (13, l.ship_e, l.v_ship), (14, l.pick_e, l.v_pick),
            (CASE WHEN g.is_parcel THEN 15 ELSE 16 END, l.told_e, l.v_del),
            (CASE WHEN g.is_by_buyer THEN 18 ELSE 17 END, l.conf_e, l.version)) AS e(k, at, version)
        WHERE e.at IS NOT NULL
        UNION ALL
        SELECT e.k, e.at, g.order_id, p.id, e.version, NULL
        FROM seed_parcel p JOIN seed_group g USING (q)
        CROSS JOIN LATERAL (VALUES (19, g.wb_e, 0), (20, g.ship_e, 1), (21, g.told_e, 2)) AS e(k, at, version)
        WHERE e.at IS NOT NULL
        {memos if staff else ""}
    """
