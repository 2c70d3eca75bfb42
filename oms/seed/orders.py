"""Orders, lines, search text, locks, memos and counts of the sample shop."""

from core.models import DailyCounter
from oms.seed import people
from oms.seed.loader import Loader, instant, quoted, texts
from orders.models import LineLock, Order, OrderLine, OrderSearch, StaffMemo, StepDelta
from orders.rollup import SUMMARY
from orders.search import NOISE
from orders.states import BIT, CLOSED_STEPS, LOCK_BIT, LockKind

MEMO_SHARE = 0.02


def write(load: Loader, *, staff: dict[str, int]) -> None:
    """주문 적재: lines first, so that the summaries of their orders are computed by the shop's own expression."""
    _lines(load)
    _people(load)
    _orders(load, has_memos=bool(staff))
    _search(load)
    _locks(load, staff)
    if staff:
        _memos(load, staff)
    _counts(load)


def _lines(load: Loader) -> None:
    held, unmapped = LOCK_BIT[LockKind.HOLD], LOCK_BIT[LockKind.MAPPING]
    load.insert(
        OrderLine,
        {
            "id": "l.id",
            "created_at": "l.created_at",
            "updated_at": "l.created_at",
            "version": "l.version",
            "order_id": "l.order_id",
            "number": "n.number || '-' || lpad(l.seq::text, 2, '0')",
            "seq": "l.seq",
            "channel_number": "CASE WHEN o.is_market THEN 'P' || o.id || lpad(l.seq::text, 2, '0') ELSE '' END",
            "variant_id": "CASE WHEN l.is_unmapped THEN NULL ELSE l.variant_id END",
            "channel_product": "CASE WHEN o.is_market THEN 'C' || v.code ELSE v.code END",
            "channel_option": "v.option",
            "product_name": "v.name",
            "option_name": "v.option",
            "quantity": "l.quantity",
            "unit_price": "l.price",
            "discount_share": "l.discount",
            "coupon_share": "l.coupon",
            "points_share": "l.points",
            "shipping_share": "l.fee",
            "state": "l.state",
            "delivery_method": "o.delivery",
            "open_locks": f"CASE WHEN l.is_held THEN {held} ELSE 0 END"
            f" | CASE WHEN l.is_unmapped THEN {unmapped} ELSE 0 END",
            "hold_reason": f"CASE WHEN l.is_held THEN {_hold_reason('l.order_id')} ELSE '' END",
            "stock_verdict": "CASE WHEN l.state <> 'PREPARING' OR l.is_unmapped THEN ''"
            " WHEN s.free >= l.quantity THEN 'ALL' WHEN s.free > 0 THEN 'PARTLY' ELSE 'NONE' END",
            "paid_at": "l.paid_at",
            "acknowledged_at": "COALESCE(l.ack_e, l.ready_e)",
            "ready_at": "l.ready_e",
            "standby_at": "l.wb_e",
            "picked_up_at": "l.pick_e",
            "shipped_at": "l.ship_e",
            "delivered_at": "CASE WHEN l.told_e IS NOT NULL THEN l.del_e END",
            "delivered_by": "CASE WHEN l.told_e IS NULL THEN '' WHEN o.delivery = 'PARCEL' THEN 'TRACKER'"
            " ELSE 'STAFF' END",
            "confirm_by": "CASE WHEN l.told_e IS NOT NULL THEN g.confirm_by END",
            "confirmed_at": "l.conf_e",
            "confirmed_by": "CASE WHEN l.conf_e IS NULL THEN '' WHEN g.is_by_buyer THEN 'BUYER' ELSE 'DAYS' END",
            "canceled_at": "l.cancel_e",
            "canceled_by": "CASE WHEN l.cancel_e IS NULL THEN '' ELSE o.canceled_by END",
            "ship_by": "d.ship_by",
        },
        """
        FROM seed_line l JOIN seed_order o USING (i) JOIN seed_number n USING (i)
        JOIN seed_variant v ON v.n = l.variant JOIN seed_stock s ON s.variant_id = l.variant_id
        LEFT JOIN seed_group g ON g.q = l.q
        LEFT JOIN seed_due d ON d.channel_id = o.channel_id AND d.day = (l.paid_at AT TIME ZONE 'Asia/Seoul')::date
        """,
        "품목별 주문",
    )


def _hold_reason(key: str) -> str:
    return f"pg_temp.pick({texts(people.HOLD_REASONS)}, pg_temp.u({key}, 60))"


def _people(load: Loader) -> None:
    """Names, phones and addresses: a customer keeps theirs from order to order, but may move within the house."""
    remote, all_places = people.REMOTE_FROM, len(people.PLACES)
    load.table(
        "seed_people",
        f"""
        WITH person AS (
            SELECT i, method, buyer, recipient,
                   CASE WHEN pg_temp.u(i, 61) < 0.02 THEN i ELSE recipient END AS home,
                   CASE WHEN pg_temp.u(recipient, 62) < 0.97 THEN floor(pg_temp.u(recipient, 63) * {remote})
                        ELSE {remote} + floor(pg_temp.u(recipient, 63) * {all_places - remote}) END AS place
            FROM seed_order)
        SELECT p.i, pg_temp.person(buyer) AS buyer_name, pg_temp.phone(buyer) AS buyer_phone,
               'user' || buyer || '@' || pg_temp.pick({texts(people.EMAIL_HOSTS)}, pg_temp.u(buyer, 64)) AS buyer_email,
               pg_temp.person(recipient) AS recipient_name, pg_temp.phone(recipient) AS recipient_phone,
               CASE WHEN method = 'BANK_TRANSFER' THEN CASE WHEN pg_temp.u(p.i, 65) < 0.9
                    THEN pg_temp.person(buyer) ELSE pg_temp.person(buyer + 7) END ELSE '' END AS depositor_name,
               lpad((s.zip + floor(pg_temp.u(home, 66) * 90)::int)::text, 5, '0') AS zip_code,
               s.area || ' ' || pg_temp.pick(s.roads, pg_temp.u(recipient, 67)) || ' '
                   || (1 + floor(pg_temp.u(recipient, 68) * 480)) AS address1,
               CASE WHEN pg_temp.u(recipient, 69) < 0.6
                    THEN pg_temp.pick({texts(people.BUILDINGS)}, pg_temp.u(recipient, 70)) || ' '
                         || (101 + floor(pg_temp.u(home, 71) * 15)) || '동 ' || (1 + floor(pg_temp.u(home, 72) * 24))
                         || '0' || (1 + floor(pg_temp.u(home, 73) * 4)) || '호'
                    WHEN pg_temp.u(recipient, 69) < 0.85 THEN (1 + floor(pg_temp.u(home, 72) * 12)) || '층'
                    ELSE '' END AS address2,
               CASE WHEN pg_temp.u(p.i, 74) < 0.4 THEN pg_temp.pick({texts(people.NOTES)}, pg_temp.u(p.i, 75))
                    ELSE '' END AS delivery_note
        FROM person p JOIN seed_place s ON s.n = p.place
        """,
        label="사람과 주소",
    )


def _orders(load: Loader, *, has_memos: bool) -> None:
    base = load.base(OrderLine)
    facts = ("buyer_name", "buyer_phone", "buyer_email", "recipient_name", "recipient_phone", "depositor_name",
             "zip_code", "address1", "address2", "delivery_note")  # fmt: skip
    copied = ("steps", "stage", "line_count", "next_due_at", "confirmed_at", "paid_at")
    load.insert(
        Order,
        {
            "id": "o.id",
            "created_at": "o.created_at",
            "updated_at": "o.created_at",
            "number": "n.number",
            "channel_id": "o.channel_id",
            "channel_number": "to_char(o.ordered_at AT TIME ZONE 'Asia/Seoul', 'YYYYMMDD')"
            " || CASE WHEN o.is_market THEN lpad(o.id::text, 8, '0') ELSE '-M' || o.id END",
            "ordered_at": "o.ordered_at",
            **{name: f"p.{name}" for name in facts},
            "delivery_method": "o.delivery",
            "payment_method": "o.method",
            "deposit_by": "CASE WHEN o.is_later THEN o.deposit_by END",
            "goods_amount": "t.goods",
            "discount_amount": "t.discount",
            "coupon_amount": "t.coupon",
            "points_amount": "t.points",
            "shipping_fee_amount": "t.fee",
            "due_amount": "t.goods - t.discount - t.coupon - t.points + t.fee",
            "paid_amount": "CASE WHEN o.paid_at IS NULL THEN 0"
            " ELSE t.goods - t.discount - t.coupon - t.points + t.fee END",
            # Events of the order itself have versions of their own: 1 for the arrival, 2 for a memo.
            "version": "2 + t.version",
            **{name: f"s.{name}" for name in copied},
            "has_memo": f"pg_temp.u(o.i, 80) < {MEMO_SHARE}" if has_memos else "false",
        },
        f"""
        FROM seed_order o JOIN seed_number n USING (i) JOIN seed_people p USING (i)
        JOIN ({SUMMARY} WHERE l.id > {base} GROUP BY l.order_id) s ON s.order_id = o.id
        JOIN (SELECT order_id, sum(price * quantity) AS goods, sum(discount) AS discount, sum(coupon) AS coupon,
                     sum(points) AS points, sum(fee) AS fee, max(version) AS version
              FROM seed_line GROUP BY order_id) t ON t.order_id = o.id
        ORDER BY o.id
        """,
        "주문",
    )


def _search(load: Loader) -> None:
    plain = ", ".join(
        f"translate(lower({text}), {quoted(NOISE)}, '') AS {name}"
        for name, text in (
            ("buyer", "buyer_name"),
            ("recipient", "recipient_name"),
            ("depositor", "depositor_name"),
            ("place", "address1 || ' ' || address2"),
        )
    )
    load.insert(
        OrderSearch,
        {
            "order_id": "p.id",
            "names": _pieces("(p.buyer), (p.recipient), (p.depositor)"),
            "address": _pieces("(p.place)"),
            "buyer_tail": "right(p.buyer_phone, 4)",
            "recipient_tail": "right(p.recipient_phone, 4)",
        },
        f"FROM (SELECT o.id, buyer_phone, recipient_phone, {plain} FROM seed_order o JOIN seed_people USING (i)"
        " ORDER BY o.id) p",
        "검색 글자",
    )


def _pieces(values: str) -> str:
    """The database's `orders.search.bigrams`."""
    return (
        f"ARRAY(SELECT DISTINCT substr(t.plain, n, 2) AS x FROM (VALUES {values}) AS t(plain)"
        " CROSS JOIN LATERAL generate_series(1, greatest(length(t.plain) - 1, least(length(t.plain), 1))) n ORDER BY x)"
    )


def _locks(load: Loader, staff: dict[str, int]) -> None:
    base, cs = load.base(LineLock), staff.get("CS", "NULL")
    load.insert(
        LineLock,
        {
            "id": f"{base} + row_number() OVER (ORDER BY k.at, k.line_id)",
            "line_id": "k.line_id",
            "kind": "k.kind",
            "reason": "k.reason",
            "placed_at": "k.at",
            "placed_by_id": "k.by",
            "released_at": "k.released",
            "released_by_id": "CASE WHEN k.released IS NOT NULL THEN k.by END",
        },
        f"""
        FROM (SELECT id AS line_id, 'HOLD' AS kind, {_hold_reason("order_id")} AS reason, hold_e AS at,
                     {cs}::bigint AS by, unhold_e AS released FROM seed_line WHERE hold_e IS NOT NULL
              UNION ALL
              SELECT id, 'MAPPING', '연결되지 않은 상품', created_at, NULL, NULL FROM seed_line WHERE is_unmapped) k
        """,
        "잠금",
    )


def _memos(load: Loader, staff: dict[str, int]) -> None:
    base, author = load.base(StaffMemo), staff.get("CS") or next(iter(staff.values()))
    load.insert(
        StaffMemo,
        {
            "id": f"{base} + row_number() OVER (ORDER BY o.i)",
            "order_id": "o.id",
            "author_id": str(author),
            "text": f"pg_temp.pick({texts(people.MEMOS)}, pg_temp.u(o.i, 81))",
            "is_pinned": "pg_temp.u(o.i, 82) < 0.3",
            "created_at": f"LEAST(o.created_at + pg_temp.hours(3 * pg_temp.u(o.i, 83)), {instant(load.plan.at)})",
        },
        f"FROM seed_order o WHERE pg_temp.u(o.i, 80) < {MEMO_SHARE}",
        "메모",
    )


def _counts(load: Loader) -> None:
    """Numbers that were given out, and one base row for each step that is counted by differences."""
    bits = ", ".join(f"({BIT[state]})" for state in CLOSED_STEPS)
    table = Order._meta.db_table
    first = load.base(Order)
    load.run(
        f"""
        INSERT INTO {StepDelta._meta.db_table} (step, orders)
        SELECT b.bit, count(*) FROM {table} o CROSS JOIN (VALUES {bits}) AS b(bit)
        WHERE o.id BETWEEN {first} + 1 AND {first} + {load.plan.orders} AND o.steps & b.bit <> 0
        GROUP BY b.bit ORDER BY b.bit
        """
    )
    load.run(
        f"""
        INSERT INTO {DailyCounter._meta.db_table} AS c (series, day, last)
        SELECT 'order', day, count(*) FROM seed_order GROUP BY day ORDER BY day
        ON CONFLICT (series, day) DO UPDATE SET last = c.last + EXCLUDED.last
        """
    )
