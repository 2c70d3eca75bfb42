"""Payments with their ledger, and the stock with its ledger."""

from datetime import timedelta

from core.models import DeliveryState
from oms.seed.loader import Loader, quoted
from oms.seed.people import OVERDUE
from orders.models import BenefitEntry, Delivery, Order
from payments.models import LedgerEntry, Payment
from products.models import StockLevel, StockMovement
from products.services import stock

LEDGER_KINDS = (
    "CASE o.method WHEN 'BANK_TRANSFER' THEN 'MANUAL' WHEN 'VIRTUAL_ACCOUNT' THEN 'DEPOSIT' ELSE 'PREPAID' END"
)


def write_payments(load: Loader, *, staff: dict[str, int]) -> None:
    """결제 적재: one payment for each order; what is paid has its ledger row."""
    payment, entry = load.base(Payment), load.base(LedgerEntry)
    orders = f"FROM seed_order o JOIN {Order._meta.db_table} d ON d.id = o.id"
    load.insert(
        Payment,
        {
            "id": f"{payment} + o.i",
            "created_at": "o.created_at",
            "updated_at": "o.created_at",
            "order_id": "o.id",
            "method": "o.method",
            "amount": "d.due_amount",
            "balance": "d.paid_amount",
            "state": "CASE WHEN o.paid_at IS NULL THEN 'PENDING' ELSE 'PAID' END",
            "version": "(o.paid_at IS NOT NULL)::int",
            "paid_at": "o.paid_at",
        },
        f"{orders} ORDER BY o.i",
        "결제",
    )
    load.insert(
        LedgerEntry,
        {
            "id": f"{entry} + row_number() OVER (ORDER BY COALESCE(o.paid_e, o.created_at), o.i)",
            "payment_id": f"{payment} + o.i",
            "kind": LEDGER_KINDS,
            "reference": "CASE o.method WHEN 'BANK_TRANSFER' THEN d.number || '/1'"
            " WHEN 'VIRTUAL_ACCOUNT' THEN 'VA' || o.id ELSE d.channel_number END",
            "amount": "d.paid_amount",
            "at": "COALESCE(o.paid_e, o.created_at)",
            "actor_id": f"CASE WHEN o.method = 'BANK_TRANSFER' THEN {staff.get('FINANCE', 'NULL')}::bigint END",
        },
        f"{orders} WHERE o.paid_at IS NOT NULL",
        "원장",
    )


def write_benefits(load: Loader) -> None:
    """쿠폰·적립금 원장 적재: used when the order came, given back when it ended unpaid."""
    base = load.base(BenefitEntry)
    load.insert(
        BenefitEntry,
        {
            "id": f"{base} + row_number() OVER (ORDER BY e.at, o.i, k.kind)",
            "order_id": "o.id",
            "kind": "k.kind",
            "act": "e.act",
            "seq": "1",
            "amount": "k.amount",
            "at": "e.at",
            "reason": "e.reason",
        },
        f"""
        FROM seed_order o JOIN {Order._meta.db_table} d ON d.id = o.id
        CROSS JOIN LATERAL (VALUES ('COUPON', d.coupon_amount), ('POINTS', d.points_amount)) AS k(kind, amount)
        CROSS JOIN LATERAL (VALUES ('USED', o.created_at, ''), ('RESTORED', o.cancel_e, {quoted(OVERDUE)}))
                AS e(act, at, reason)
        WHERE k.amount > 0 AND e.at IS NOT NULL
        """,
        "쿠폰·적립금 원장",
    )


def count_stock(load: Loader) -> None:
    """재고 계산: what the new lines ask for, hold and took away, and how much shall be free at the end.

    One variant in twelve has run out and another has a few units left, so that shortages can be seen.
    """
    load.table(
        "seed_stock",
        """
        WITH used AS (
            SELECT variant_id, sum(quantity) FILTER (WHERE state IN ('AWAITING_PAYMENT', 'PREPARING')) AS demand,
                   sum(quantity) FILTER (WHERE state = 'READY') AS allocated,
                   sum(quantity) FILTER (WHERE ship_e IS NOT NULL) AS shipped
            FROM seed_line WHERE NOT is_unmapped GROUP BY variant_id)
        SELECT v.id AS variant_id, COALESCE(u.demand, 0) AS demand, COALESCE(u.allocated, 0) AS allocated,
               COALESCE(u.shipped, 0) AS shipped,
               CASE WHEN pg_temp.u(v.n, 84) < 0.08 THEN 0 WHEN pg_temp.u(v.n, 84) < 0.16
                    THEN 1 + floor(pg_temp.u(v.n, 85) * 3)
                    ELSE COALESCE(u.demand, 0) + 20 + floor(pg_temp.u(v.n, 85) * 200) END::bigint AS free
        FROM seed_variant v LEFT JOIN used u ON u.variant_id = v.id
        """,
        key="variant_id",
    )


def write_stock(load: Loader) -> None:
    """재고 적재: the goods come in before the first order, then every line moves its units."""
    with_goods = load.rows("SELECT variant_id, free + allocated + shipped FROM seed_stock"
                           " WHERE free + allocated + shipped > 0")  # fmt: skip
    levels = StockLevel._meta.db_table
    is_first = not StockMovement.objects.exists()
    heard = load.one(f"SELECT COALESCE(max(id), 0) FROM {Delivery._meta.db_table}")
    stock.receive(
        units={pk: int(units) for pk, units in with_goods},
        at=load.plan.opened_at,
        actor=None,
        reason="견본 입고",
        reference=f"seed-{load.base(Order)}",
        is_opening=is_first,
    )
    # Whoever hears of stock would renew the verdicts of the lines; the load writes them itself.
    # What others told meanwhile is due now, not on the day the shop opened.
    ours = Delivery.objects.filter(pk__gt=heard, due_at__lt=load.plan.opened_at + timedelta(days=1))
    ours.filter(state=DeliveryState.PENDING).update(state=DeliveryState.DONE, finished_at=load.plan.at)
    load.run(
        f"UPDATE {levels} l SET on_hand = l.on_hand - s.shipped, demand = l.demand + s.demand,"
        f" allocated = l.allocated + s.allocated FROM seed_stock s WHERE s.variant_id = l.variant_id"
    )
    base = load.base(StockMovement)
    load.insert(
        StockMovement,
        {
            "id": f"{base} + row_number() OVER (ORDER BY m.at, m.id, m.v)",
            "variant_id": "m.variant_id",
            "at": "m.at",
            "kind": "m.kind",
            "on_hand": "m.h * m.quantity",
            "demand": "m.d * m.quantity",
            "allocated": "m.a * m.quantity",
            "reference": "n.number || '-' || lpad(m.seq::text, 2, '0') || '/' || m.v",
        },
        """
        FROM (SELECT l.id, l.i, l.seq, l.variant_id, l.quantity, e.*
              FROM seed_line l CROSS JOIN LATERAL (VALUES
                  (l.created_at, 'DEMAND', 0, 1, 0, 0), (l.cancel_e, 'DEMAND_BACK', 0, -1, 0, l.v_cancel),
                  (l.ready_e, 'ALLOCATE', 0, -1, 1, l.v_ready), (l.ship_e, 'SHIP', -1, 0, -1, l.v_ship)
              ) AS e(at, kind, h, d, a, v)
              WHERE NOT l.is_unmapped AND e.at IS NOT NULL) m
        JOIN seed_number n USING (i)
        """,
        "재고 변동",
    )
