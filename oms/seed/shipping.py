"""Shipments, parcels with valid numbers, what couriers told, and what is still to be asked."""

from oms.seed.loader import Loader, instant, quoted, texts
from orders.models import Order
from shipping.couriers import COURIERS
from shipping.models import Parcel, ParcelLine, Shipment, ShipmentLine, TrackingEvent, TrackingPoll
from shipping.rollup import PARCELS, ROLLED_UP, SUMMARY
from shipping.services.polling.polls import SOURCE

# Courier -> (first digits of numbers of the sandbox, digits of the counter, places that the check digit is made of).
# The first digits are those that the courier sandbox knows; every number is right by its courier's own rule.
NUMBERS = {
    "CJGLS": ("68", 7, 9),
    "HYUNDAI": ("24", 7, 11), "HANJIN": ("40", 7, 11), "KGB": ("90", 6, 10), "EPOST": ("68", 8, 0),
}  # fmt: skip
SCATTER = 7_654_321
"""Coprime to every power of ten: neighbouring parcels get numbers far apart, each number once."""

STORIES = ("91", "92", "93", "94")
"""Tails of numbers for a failed attempt, a return, scans in the wrong order, a fast delivery (sandbox/courier)."""

STAGES = (
    ("REGISTERED", "INFORMATION_RECEIVED", "운송장 등록", "보내는 곳", "g.ship_e"),
    ("PICKED_UP", "AT_PICKUP", "집화처리", "경기집하장", "g.pick_p"),
    ("IN_TRANSIT", "IN_TRANSIT", "간선상차", "옥천HUB", "g.pick_p + 0.4 * (g.del_p - g.pick_p)"),
    ("OUT_FOR_DELIVERY", "OUT_FOR_DELIVERY", "배송출발", "배송지 대리점", "g.pick_p + 0.85 * (g.del_p - g.pick_p)"),
    ("DELIVERED", "DELIVERED", "배송완료", "배송지 대리점", "g.del_p"),
)
# As services.tracking.answers computes it of the same scan: code, status word, no sentence, place, time, a full date.
FINGERPRINT = """
    encode(sha256(convert_to(concat_ws(chr(31), t.code, t.text, '', t.place,
        to_char(t.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') || '+00:00', 'False'), 'UTF8')), 'hex')
"""


def write(load: Loader) -> None:
    """배송 적재: parcels before shipments, whose summaries are computed by the shop's own expressions."""
    _tables(load)
    _parcels(load)
    _lines(load)
    _shipments(load)
    _tracking(load)


def _waybill(courier: str, story_share: float) -> str:
    """Number of parcel `p.id`; the two digits before the last say how its delivery goes in the sandbox."""
    first, digits, checked = NUMBERS[courier]
    scattered = f"lpad(((p.id * {SCATTER}) % {10**digits})::text, {digits}, '0')"
    fate = (
        f"CASE WHEN pg_temp.u(p.id, 93) < {story_share} THEN pg_temp.pick({texts(STORIES)}, pg_temp.u(p.id, 94))"
        " ELSE lpad(floor(pg_temp.u(p.id, 90) * 90)::text, 2, '0') END"
    )
    body = f"'{first}' || {scattered} || {fate}"
    return f"{body} || (right({body}, {checked})::bigint % 7)::text" if checked else f"{body} || '0'"


def _tables(load: Loader) -> None:
    shipment, parcel = load.base(Shipment), load.base(Parcel)
    load.table(
        "seed_shipment",
        f"""
        SELECT {shipment} + row_number() OVER (ORDER BY ready_e, q) AS id, q, wb_e, ship_e, is_parcel, is_multi, courier
        FROM seed_group
        """,
        key="q",
    )
    numbers = " ".join(f"WHEN '{slug}' THEN {_waybill(slug, load.plan.story_share)}" for slug in NUMBERS)
    load.table(
        "seed_parcel",
        f"""
        WITH box AS (
            SELECT s.id AS shipment_id, s.q, b.seq, s.courier
            FROM seed_shipment s CROSS JOIN LATERAL generate_series(1, CASE WHEN s.is_multi THEN 2 ELSE 1 END) b(seq)
            WHERE s.wb_e IS NOT NULL),
        p AS (SELECT {parcel} + row_number() OVER (ORDER BY shipment_id, seq) AS id, * FROM box)
        SELECT p.*, CASE p.courier {numbers} END AS waybill FROM p
        """,
        key="q",
        label="송장번호",
    )


def _told(column: int, *, join: bool = False) -> str:
    """What the courier said last of a parcel on its way; newest stage first."""
    cases = " ".join(
        f"WHEN {moment} <= {{at}} THEN {_text(row, column, moment, join=join)}"
        for row in reversed(STAGES[:-1])
        for moment in [row[4]]
    )
    last = STAGES[-1]
    return (
        f"CASE WHEN g.told_e IS NOT NULL THEN {_text(last, column, last[4], join=join)}"
        f" WHEN g.pick_e IS NULL THEN {{nothing}} {cases} END"
    )


def _text(row: tuple[str, ...], column: int, moment: str, *, join: bool) -> str:
    if column == 4:
        return moment
    return quoted(f"{row[3]} {row[2]}" if join else row[column])


_ROUTING = """jsonb_build_object('sort_code', 1 + p.id % 9 || 'D' || 10 + p.id % 90, 'sub_code', 1 + p.id % 5 || 'A',
    'p2p', 'P' || lpad((1 + p.id % 20)::text, 2, '0'), 'nickname', '견본 주소', 'branch', '견본점',
    'driver', 'A' || p.id % 30)"""
"""분류 정보 as CJ would tell it, made up."""


def _parcels(load: Loader) -> None:
    at = instant(load.plan.at)
    load.insert(
        Parcel,
        {
            "id": "p.id",
            "created_at": "g.wb_e",
            "updated_at": "g.wb_e",
            "shipment_id": "p.shipment_id",
            "seq": "p.seq",
            "courier": "p.courier",
            "waybill": "p.waybill",
            "state": "CASE WHEN g.told_e IS NOT NULL THEN 'DELIVERED' WHEN g.ship_e IS NOT NULL THEN 'HANDED_OVER'"
            " ELSE 'NUMBERED' END",
            "version": "(g.ship_e IS NOT NULL)::int + (g.told_e IS NOT NULL)::int",
            "stage": _told(0).format(at=at, nothing="''"),
            "last_event_text": _told(3, join=True).format(at=at, nothing="''"),
            "last_event_at": _told(4).format(at=at, nothing="NULL"),
            "printed_count": "(g.ship_e IS NOT NULL AND pg_temp.u(p.id, 91) < 0.7)::int",
            "routing": f"CASE WHEN p.courier = 'CJGLS' AND g.ship_e IS NULL THEN {_ROUTING} END",
            "numbered_at": "g.wb_e",
            "handed_over_at": "g.ship_e",
            "first_scan_at": "CASE WHEN g.pick_e IS NOT NULL THEN g.pick_p END",
            "delivered_at": "CASE WHEN g.told_e IS NOT NULL THEN g.del_p END",
        },
        "FROM seed_parcel p JOIN seed_group g USING (q)",
        "상자",
    )


def _lines(load: Loader) -> None:
    """Lines of shipments, and of boxes: a second box takes every other line, or half of the only one."""
    load.insert(
        ShipmentLine,
        {
            "id": f"{load.base(ShipmentLine)} + row_number() OVER (ORDER BY l.id)",
            "shipment_id": "s.id",
            "line_id": "l.id",
        },
        "FROM seed_line l JOIN seed_shipment s USING (q)",
        "배송건 품목",
    )
    load.insert(
        ParcelLine,
        {
            "id": f"{load.base(ParcelLine)} + row_number() OVER (ORDER BY x.parcel_id, x.line_id)",
            "parcel_id": "x.parcel_id",
            "line_id": "x.line_id",
            "quantity": "x.quantity",
        },
        """
        FROM (SELECT p.id AS parcel_id, l.id AS line_id,
                     CASE WHEN NOT g.is_multi OR g.n > 1 THEN l.quantity
                          WHEN p.seq = 1 THEN l.quantity - l.quantity / 2 ELSE l.quantity / 2 END AS quantity
              FROM seed_line l JOIN seed_group g USING (q) JOIN seed_parcel p USING (q)
              WHERE NOT g.is_multi OR g.n = 1 OR (p.seq = 1) = (l.seq = g.first)) x
        """,
        "상자 품목",
    )


def _shipments(load: Loader) -> None:
    at_home = "CASE WHEN g.ship_e IS NULL THEN '' ELSE {} END"
    base = load.base(Shipment)
    load.insert(
        Shipment,
        {
            "id": "s.id",
            "created_at": "g.ready_e",
            "updated_at": "g.ready_e",
            "number": "'D-' || o.number || '-' || lpad(g.seq::text, 2, '0')",
            "order_id": "g.order_id",
            "seq": "g.seq",
            "method": "o.delivery_method",
            "version": "o.version",
            "recipient_name": at_home.format("o.recipient_name"),
            "recipient_phone": at_home.format("o.recipient_phone"),
            "zip_code": at_home.format("o.zip_code"),
            "address": at_home.format("trim(o.address1 || ' ' || o.address2)"),
            "jibun_address": at_home.format("o.jibun_address"),
            **ROLLED_UP,
        },
        f"""
        FROM seed_shipment s JOIN seed_group g USING (q) JOIN {Order._meta.db_table} o ON o.id = g.order_id
        JOIN ({SUMMARY} AND i.shipment_id > {base} GROUP BY i.shipment_id) l ON l.id = s.id
        LEFT JOIN ({PARCELS.format(condition=f"AND p.shipment_id > {base}")}) p ON p.id = s.id
        ORDER BY s.id
        """,
        "배송건",
    )


def _tracking(load: Loader) -> None:
    """Polls of what is on its way; scans of what is on its way or waits for 구매확정."""
    at = instant(load.plan.at)
    asked = ", ".join(quoted(slug) for slug in NUMBERS if COURIERS[slug].code(SOURCE))
    seconds = load.plan.poll_within.total_seconds()
    load.insert(
        TrackingPoll,
        {
            "parcel_id": "p.id",
            "source": quoted(SOURCE),
            "courier": "p.courier",
            "waybill": "p.waybill",
            "next_poll_at": f"{at} + {seconds} * pg_temp.u(p.id, 92) * interval '1 second'",
            "last_ok_at": "g.pick_e",
        },
        "FROM seed_parcel p JOIN seed_group g USING (q) WHERE g.ship_e IS NOT NULL AND g.told_e IS NULL"
        f" AND p.courier IN ({asked}) ORDER BY p.id",
        "조회 예약",
    )
    rows = ", ".join(
        f"({n}, {quoted(stage)}, {quoted(code)}, {quoted(text)}, {quoted(place)}, {moment})"
        for n, (stage, code, text, place, moment) in enumerate(STAGES)
    )
    load.insert(
        TrackingEvent,
        {
            "id": f"{load.base(TrackingEvent)} + row_number() OVER (ORDER BY p.id, t.n)",
            "parcel_id": "p.id",
            "source": quoted(SOURCE),
            "seq": "t.n",
            "raw_code": "t.code",
            "raw_text": "t.text",
            "stage": "t.stage",
            "at": "t.at",
            "place": "t.place",
            "fingerprint": FINGERPRINT,
        },
        f"""
        FROM seed_parcel p JOIN seed_group g USING (q)
        CROSS JOIN LATERAL (VALUES {rows}) AS v(n, stage, code, text, place, moment)
        CROSS JOIN LATERAL (SELECT v.*, date_trunc('second', v.moment) AS at) t
        WHERE g.pick_e IS NOT NULL AND g.conf_e IS NULL AND t.at <= {at}
          AND (g.told_e IS NOT NULL OR t.stage <> 'DELIVERED')
        """,
        "추적 이력",
    )
