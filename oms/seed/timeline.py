"""What happens to each order and when, as working tables that every real table is then written from.

The whole life of every order is computed, then cut at the plan's moment: whatever would come later is NULL. States,
versions and events all follow from the moments that are left, so they cannot disagree.
"""

from datetime import timedelta

from core.settings_registry import get_settings
from oms.seed import people
from oms.seed.loader import Loader, instant, quoted
from oms.seed.master import product_codes
from orders.deadlines import Deadlines
from orders.models import Order, OrderLine

COURIERS = (("CJGLS", 0.55), ("HYUNDAI", 0.68), ("HANJIN", 0.80), ("KGB", 0.88), ("EPOST", 1.0))
"""Slug and cumulated share."""


def build(load: Loader, *, channels: dict[str, int]) -> None:
    """작업 표: seed_place, seed_variant, seed_due, seed_order, seed_item, seed_group, seed_line."""
    _places(load)
    _variants(load)
    _due(load, channels)
    _orders(load, channels)
    _items(load)
    _groups(load)
    _lines(load)


def _places(load: Loader) -> None:
    rows = ", ".join(
        f"({n}, {int(zip_code)}, {quoted(area)}, string_to_array({quoted(roads)}, ' '))"
        for n, (zip_code, area, roads) in enumerate(people.PLACES)
    )
    load.table("seed_place", f"SELECT * FROM (VALUES {rows}) AS p(n, zip, area, roads)")


def _variants(load: Loader) -> None:
    codes = ", ".join(map(quoted, product_codes()))
    load.table(
        "seed_variant",
        f"""
        SELECT row_number() OVER (ORDER BY hashtextextended(v.sku, {load.plan.seed}), v.sku) - 1 AS n,
               v.id, v.sku, v.price, p.code, p.name,
               COALESCE((SELECT string_agg(o.value, ' / ' ORDER BY o.place)
                         FROM jsonb_array_elements_text(v.option_values) WITH ORDINALITY AS o(value, place)), '')
               AS option
        FROM products_variant v JOIN products_product p ON p.id = v.product_id WHERE p.code IN ({codes})
        """,
        key="n",
    )


def _due(load: Loader, channels: dict[str, int]) -> None:
    """발송기한 of every day of payment, by the shop's own rules and calendar."""
    deadlines = Deadlines(channels.values())
    days = [load.plan.opened_at + timedelta(days=n) for n in range(load.plan.days + 2)]
    rows = ", ".join(
        f"({channel}, DATE '{day:%Y-%m-%d}', {instant(deadlines.ship_by(channel, day))})"
        for channel in channels.values()
        for day in days
    )
    load.table("seed_due", f"SELECT * FROM (VALUES {rows}) AS d(channel_id, day, ship_by)")


def _orders(load: Loader, channels: dict[str, int]) -> None:
    plan, base = load.plan, load.base(Order)
    early = plan.span - plan.recent_days - (plan.span - plan.days)
    recent = plan.span - early
    mall, smart, coupang = (channels[code] for code in ("mall", "smartstore", "coupang"))
    deposit_days = int(get_settings("deposit_days")["deposit_days"])
    load.table(
        "seed_order",
        f"""
        -- OFFSET 0 keeps each step from being computed again for every use of its columns.
        WITH place AS (
            SELECT i, {base} + i AS id, (i - 0.5 + 0.8 * (pg_temp.u(i, 10) - 0.5)) / {plan.orders} AS p
            FROM generate_series(1, {plan.orders}) i),
        moment AS (
            SELECT i, id, CASE WHEN p < {1 - plan.recent_share} THEN p / {1 - plan.recent_share} * {early}
                          ELSE {early} + (p - {1 - plan.recent_share}) / {plan.recent_share} * {recent} END AS x
            FROM place OFFSET 0),
        -- Few people buy at night; today has only the hours that have passed.
        ordered AS (
            SELECT i, id, x > {early} AS is_recent,
                   {instant(plan.opened_at)} + pg_temp.hours(24 * (floor(x) + CASE WHEN x < {plan.days}
                       THEN x - floor(x) + 0.13 * sin(2 * pi() * (x - floor(x))) ELSE x - floor(x) END)) AS ordered_at,
                   CASE WHEN pg_temp.u(i, 11) < 0.55 THEN {mall} WHEN pg_temp.u(i, 11) < 0.85 THEN {smart}
                        ELSE {coupang} END AS channel_id
            FROM moment OFFSET 0),
        bought AS (
            SELECT *, channel_id <> {mall} AS is_market,
                   CASE WHEN channel_id <> {mall} THEN 'MARKET' WHEN pg_temp.u(i, 12) < 0.42 THEN 'BANK_TRANSFER'
                        WHEN pg_temp.u(i, 12) < 0.62 THEN 'VIRTUAL_ACCOUNT' WHEN pg_temp.u(i, 12) < 0.86 THEN 'CARD'
                        ELSE 'EASY_PAY' END AS method,
                   LEAST(ordered_at + CASE WHEN channel_id = {mall} THEN interval '2 seconds'
                                      ELSE pg_temp.hours(0.4 * pg_temp.u(i, 13)) END, {instant(plan.at)}) AS created_at,
                   1 + floor(pg_temp.u(i, 14) * {max(1, round(plan.orders * 0.6))})::bigint AS buyer,
                   (ARRAY[1,1,1,1,1,1,1,1,2,2,2,2,2,3,3,3,4,4,5,6,7])[1 + floor(pg_temp.u(i, 15) * 21)::int] AS n_lines,
                   CASE WHEN pg_temp.u(i, 16) < 0.955 THEN 'PARCEL' WHEN pg_temp.u(i, 16) < 0.97 THEN 'QUICK'
                        WHEN pg_temp.u(i, 16) < 0.985 THEN 'VISIT' ELSE 'DIRECT' END AS delivery
            FROM ordered OFFSET 0),
        paying AS (
            SELECT *, method IN ('BANK_TRANSFER', 'VIRTUAL_ACCOUNT') AS is_later,
                   method IN ('BANK_TRANSFER', 'VIRTUAL_ACCOUNT') AND pg_temp.u(i, 17) < 0.58 AS is_never,
                   CASE WHEN pg_temp.u(i, 18) < 0.78 THEN buyer
                        ELSE {plan.orders} + floor(pg_temp.u(i, 19) * {plan.orders})::bigint END AS recipient,
                   ordered_at + interval '{deposit_days} days' AS deposit_by
            FROM bought OFFSET 0),
        paid AS (
            SELECT *,
                   CASE WHEN is_later AND NOT is_never
                        THEN created_at + pg_temp.hours(0.1 + 60 * power(pg_temp.u(i, 20), 3)) END AS paid_p,
                   CASE WHEN NOT is_never THEN NULL WHEN pg_temp.u(i, 21) < 0.85
                        THEN deposit_by + pg_temp.hours(0.01 + 0.15 * pg_temp.u(i, 22))
                        ELSE created_at + pg_temp.hours(0.2 + 120 * pg_temp.u(i, 22)) END AS cancel_p,
                   CASE WHEN pg_temp.u(i, 21) < 0.85 THEN 'DEADLINE' WHEN pg_temp.u(i, 21) < 0.95 THEN 'BUYER'
                        ELSE 'STAFF' END AS canceled_by
            FROM paying OFFSET 0),
        seen AS (
            SELECT *, CASE WHEN NOT is_later THEN created_at ELSE paid_p END AS start_p,
                   CASE WHEN pg_temp.u(i, 23) < 0.4 THEN pg_temp.hours(0.2 + 8 * pg_temp.u(i, 24)) END AS ack_after,
                   CASE WHEN pg_temp.u(i, 25) < {plan.hold_share}
                        THEN pg_temp.hours(0.1 + 2 * pg_temp.u(i, 26)) END AS hold_after,
                   pg_temp.hours(6 + 240 * power(pg_temp.u(i, 27), 2)) AS held_for
            FROM paid OFFSET 0),
        held AS (
            SELECT *, start_p + ack_after AS ack_p,
                   start_p + COALESCE(ack_after, interval '0') + hold_after AS hold_p
            FROM seen OFFSET 0),
        ready AS (
            SELECT *, hold_p + held_for AS unhold_p,
                   COALESCE(hold_p + held_for, ack_p, start_p) + pg_temp.hours(1 + 26 * pg_temp.u(i, 28)
                       + CASE WHEN pg_temp.u(i, 29) < 0.07 THEN 90 + 100 * pg_temp.u(i, 30) ELSE 0 END) AS ready_p
            FROM held OFFSET 0)
        SELECT i, id, is_recent, ordered_at, created_at, channel_id, is_market, method, is_later, buyer, recipient,
               n_lines, delivery, deposit_by, canceled_by, ready_p,
               ready_p + pg_temp.hours(24 + 200 * pg_temp.u(i, 31)) AS ready_later_p,
               n_lines > 1 AND pg_temp.u(i, 32) < {plan.split_share} AS is_split,
               CASE WHEN NOT is_later THEN ordered_at WHEN paid_p <= {instant(plan.at)} THEN paid_p END AS paid_at,
               CASE WHEN paid_p <= {instant(plan.at)} THEN paid_p END AS paid_e,
               CASE WHEN cancel_p <= {instant(plan.at)} THEN cancel_p END AS cancel_e,
               CASE WHEN ack_p <= {instant(plan.at)} THEN ack_p END AS ack_e,
               CASE WHEN hold_p <= {instant(plan.at)} THEN hold_p END AS hold_e,
               CASE WHEN unhold_p <= {instant(plan.at)} THEN unhold_p END AS unhold_e,
               (created_at AT TIME ZONE 'Asia/Seoul')::date AS day
        FROM ready
        """,
        label="주문 일정",
    )
    load.table(
        "seed_number",
        """
        SELECT i, to_char(o.day, 'YYYYMMDD') || '-'
               || lpad((COALESCE(c.last, 0) + row_number() OVER (PARTITION BY o.day ORDER BY i))::text, 7, '0')
               AS number
        FROM seed_order o LEFT JOIN core_dailycounter c ON c.series = 'order' AND c.day = o.day
        """,
        key="i",
    )


def _items(load: Loader) -> None:
    """Which variant, how many, at what price; the shares of the order's amounts, exact to the won (domain.md 3.5)."""
    load.table(
        "seed_item",
        f"""
        WITH item AS (
            SELECT o.i, s.seq, o.i * 16 + s.seq AS k, o.is_market AND o.is_recent
                   AND pg_temp.u(o.i * 16 + s.seq, 40) < {load.plan.unmapped_share} AS is_unmapped,
                   CASE WHEN o.is_split AND s.seq * 2 > o.n_lines THEN 1 ELSE 0 END AS grp
            FROM seed_order o CROSS JOIN LATERAL generate_series(1, o.n_lines) AS s(seq)),
        priced AS (
            SELECT i.*, v.id AS variant_id, v.n AS variant, v.price,
                   CASE WHEN pg_temp.u(k, 42) < 0.78 THEN 1 WHEN pg_temp.u(k, 42) < 0.92 THEN 2
                        WHEN pg_temp.u(k, 42) < 0.97 THEN 3 ELSE 4 + floor(pg_temp.u(k, 43) * 7)::int END AS quantity
            FROM item i JOIN seed_variant v
              ON v.n = floor(power(pg_temp.u(i.k, 41), 1.6) * (SELECT count(*) FROM seed_variant))::bigint),
        weighed AS (
            SELECT *, price * quantity AS worth, sum(price * quantity) OVER w AS goods,
                   row_number() OVER (PARTITION BY i ORDER BY price * quantity DESC, seq) AS rank
            FROM priced WINDOW w AS (PARTITION BY i)),
        amounts AS (
            SELECT *, CASE WHEN pg_temp.u(i, 44) < 0.15 THEN floor(goods / 1000) * 100 ELSE 0 END AS discount,
                   CASE WHEN goods >= 30000 AND pg_temp.u(i, 45) < 0.12 THEN 3000 ELSE 0 END AS coupon,
                   CASE WHEN pg_temp.u(i, 46) < 0.1 THEN LEAST(floor(goods / 400) * 10, 5000) ELSE 0 END AS points,
                   CASE WHEN goods < 50000 THEN 3000 ELSE 0 END
                   + CASE WHEN pg_temp.u(i, 47) < 0.02 THEN 3000 ELSE 0 END AS fee
            FROM weighed)
        SELECT i, seq, grp, is_unmapped, variant_id, variant, price, quantity, {
            ", ".join(
                f"(floor({name} * worth / goods) + CASE WHEN rank = 1 THEN {name}"
                f" - sum(floor({name} * worth / goods)) OVER o ELSE 0 END)::bigint AS {name}"
                for name in ("discount", "coupon", "points", "fee")
            )
        }
        FROM amounts WINDOW o AS (PARTITION BY i)
        """,
        label="품목과 금액",
    )


def _groups(load: Loader) -> None:
    """Lines of an order that travel together: the moments of their shipment, one row for each shipment to be."""
    at = instant(load.plan.at)
    days = int(get_settings("auto_confirm_days")["auto_confirm_days"])
    courier = " ".join(f"WHEN pg_temp.u(q, 50) < {share} THEN '{slug}'" for slug, share in COURIERS)
    cut = ", ".join(
        f"CASE WHEN {name}_p <= {at} THEN {name}_p END AS {name}_e" for name in ("ready", "wb", "ship", "del", "conf")
    )
    if not load.plan.is_tracked:
        # A sandbox lives fast: a parcel that left hours ago would be given up as lost by its next poll.
        just_now = f"{at} - pg_temp.hours(0.3 * pg_temp.u(q, 58))"
        cut = cut.replace(
            "THEN ship_p END", f"THEN CASE WHEN told_p <= {at} THEN ship_p ELSE greatest(ship_p, {just_now}) END END"
        )
    scanned = f"scan_p <= {at}" + ("" if load.plan.is_tracked else f" AND told_p <= {at}")
    load.table(
        "seed_group",
        f"""
        WITH lines AS (
            SELECT i, grp, count(*) AS n, sum(quantity) AS units, min(seq) AS first
            FROM seed_item WHERE NOT is_unmapped GROUP BY i, grp),
        leaving AS (
            SELECT l.*, l.i * 2 + l.grp AS q, o.id AS order_id, o.delivery, o.delivery = 'PARCEL' AS is_parcel,
                   CASE WHEN l.grp = 0 THEN o.ready_p ELSE o.ready_later_p END AS ready_p
            FROM lines l JOIN seed_order o USING (i) WHERE o.ready_p <= {at} OFFSET 0),
        packed AS (
            SELECT *, CASE WHEN is_parcel THEN ready_p + pg_temp.hours(0.5 + 16 * pg_temp.u(q, 51)) END AS wb_p
            FROM leaving OFFSET 0),
        sent AS (
            SELECT *, COALESCE(wb_p, ready_p) + pg_temp.hours(0.3 + 7 * pg_temp.u(q, 52)) AS ship_p
            FROM packed OFFSET 0),
        carried AS (
            SELECT *, CASE WHEN is_parcel THEN ship_p + pg_temp.hours(1 + 9 * pg_temp.u(q, 53)) END AS pick_p,
                   ship_p + pg_temp.hours(CASE WHEN is_parcel THEN 18 + 60 * pg_temp.u(q, 54)
                                               ELSE 2 + 28 * pg_temp.u(q, 54) END) AS del_p
            FROM sent OFFSET 0),
        -- The courier's word arrives a little after the fact.
        told AS (
            SELECT *, del_p + CASE WHEN is_parcel THEN pg_temp.hours(0.1 + 0.8 * pg_temp.u(q, 55))
                              ELSE interval '0' END AS told_p
            FROM carried OFFSET 0),
        scanned AS (
            SELECT *, LEAST(pick_p + pg_temp.hours(0.1 + 0.7 * pg_temp.u(q, 58)), told_p) AS scan_p FROM told OFFSET 0),
        closed AS (
            SELECT *, pg_temp.u(q, 56) < 0.4 AS is_by_buyer,
                   CASE WHEN pg_temp.u(q, 56) < 0.4 THEN told_p + pg_temp.hours(4 + 160 * pg_temp.u(q, 57))
                        ELSE greatest(del_p + interval '{days} days', told_p)
                             + pg_temp.hours(0.2 + 5 * pg_temp.u(q, 57)) END AS conf_p
            FROM scanned OFFSET 0),
        done AS (
            SELECT q, i, grp, order_id, n, units, first, is_parcel, is_by_buyer, pick_p, del_p, told_p,
                   del_p + interval '{days} days' AS confirm_by, {cut.replace("del_p <=", "told_p <=")},
                   CASE WHEN {scanned} THEN scan_p END AS pick_e,
                   CASE WHEN told_p <= {at} THEN told_p END AS told_e,
                   CASE {courier} END AS courier,
                   is_parcel AND (n > 1 OR units > 1) AND pg_temp.u(q, 59) < 0.016 AS is_multi
            FROM closed WHERE ready_p <= {at})
        SELECT *, row_number() OVER (PARTITION BY i ORDER BY grp) - 1 AS seq FROM done
        """,
        label="배송 일정",
    )


def _lines(load: Loader) -> None:
    """One row for each line with its moments, its state and the version after each event."""
    base = load.base(OrderLine)
    load.table(
        "seed_line",
        f"""
        WITH line AS (
            SELECT {base} + row_number() OVER (ORDER BY t.i, t.seq) AS id, t.*, o.id AS order_id, o.created_at,
                   o.is_later, o.paid_at, o.paid_e, o.cancel_e, o.ack_e, o.hold_e, o.unhold_e,
                   g.ready_e, g.wb_e, g.ship_e, g.pick_e, g.del_e, g.told_e, g.conf_e, g.q
            FROM seed_item t JOIN seed_order o USING (i)
            LEFT JOIN seed_group g ON g.i = t.i AND g.grp = t.grp AND NOT t.is_unmapped),
        v1 AS (SELECT *, (paid_e IS NOT NULL)::int AS v_paid, (cancel_e IS NOT NULL)::int AS v_cancel FROM line),
        v2 AS (SELECT *, v_paid + (ack_e IS NOT NULL)::int AS v_ack FROM v1),
        v3 AS (SELECT *, v_ack + (hold_e IS NOT NULL)::int AS v_hold FROM v2),
        v4 AS (SELECT *, v_hold + (unhold_e IS NOT NULL)::int AS v_unhold FROM v3),
        v5 AS (SELECT *, v_unhold + (ready_e IS NOT NULL)::int AS v_ready FROM v4),
        v6 AS (SELECT *, v_ready + (wb_e IS NOT NULL)::int AS v_wb FROM v5),
        v7 AS (SELECT *, v_wb + (ship_e IS NOT NULL)::int AS v_ship FROM v6),
        v8 AS (SELECT *, v_ship + (pick_e IS NOT NULL)::int AS v_pick FROM v7),
        v9 AS (SELECT *, v_pick + (told_e IS NOT NULL)::int AS v_del FROM v8)
        SELECT *, v_cancel + v_del + (conf_e IS NOT NULL)::int AS version,
               CASE WHEN conf_e IS NOT NULL THEN 'CONFIRMED' WHEN told_e IS NOT NULL THEN 'DELIVERED'
                    WHEN ship_e IS NOT NULL THEN 'SHIPPING' WHEN ready_e IS NOT NULL THEN 'READY'
                    WHEN cancel_e IS NOT NULL THEN 'CANCELED_UNPAID' WHEN paid_at IS NOT NULL THEN 'PREPARING'
                    ELSE 'AWAITING_PAYMENT' END AS state,
               hold_e IS NOT NULL AND unhold_e IS NULL AS is_held
        FROM v9
        """,
        label="품목 일정",
    )
