"""Roll-up of shipments: step, flags and dates computed from their live lines and parcels, set-wise, in one statement.

It runs inside the transaction that moved a line (`core.state.follow`) or a parcel, serves the seed and is recomputed
by `oms_check`.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from core.lookups import id_array, text_array
from core.state import follow
from orders.models import OrderLine
from orders.states import LOCK_BIT, LineState, LockKind

_S = LineState
_CLOSED = f"('{_S.CANCELED_UNPAID}', '{_S.CANCELED}', '{_S.RETURNED}', '{_S.EXCHANGED}', '{_S.MOVED}')"

_SUMMARY = f"""
    SELECT i.shipment_id AS id,
           CASE WHEN bool_or(l.state = '{_S.READY.value}') THEN 'READY'
                WHEN bool_or(l.state = '{_S.SHIPPING.value}') THEN 'SHIPPING'
                WHEN bool_or(l.state = '{_S.DELIVERED.value}') THEN 'DELIVERED'
                WHEN bool_or(l.state = '{_S.CONFIRMED.value}') THEN 'CONFIRMED'
                ELSE 'CLOSED' END AS step,
           count(*) FILTER (WHERE l.state NOT IN {_CLOSED}) AS line_count,
           COALESCE(bool_and(l.standby_at IS NOT NULL)
                    FILTER (WHERE l.state = '{_S.READY.value}'), true) AS has_waybill,
           bool_or(l.open_locks & {LOCK_BIT[LockKind.HOLD]} <> 0) AS is_held,
           bool_or(l.open_locks & {LOCK_BIT[LockKind.CLAIM]} <> 0) AS has_claim,
           max(l.paid_at) AS paid_at,
           min(l.ship_by) AS ship_by,
           max(l.shipped_at) AS shipped_at,
           CASE WHEN bool_and(l.delivered_at IS NOT NULL) THEN max(l.delivered_at) END AS delivered_at,
           CASE WHEN bool_and(l.delivered_at IS NOT NULL) THEN max(l.delivered_by) ELSE '' END AS delivered_by,
           max(l.confirm_by) AS confirm_by
    FROM {{contents}} i JOIN orders_orderline l ON l.id = i.line_id
    WHERE i.is_live
"""
SUMMARY = _SUMMARY.format(contents="shipping_shipmentline")
"""SELECT of the summary from lines; add AND …, GROUP BY i.shipment_id."""

PARCEL_SUMMARY = """
    SELECT DISTINCT ON (p.shipment_id) p.shipment_id AS id, p.courier, p.waybill, p.stage, p.last_event_text,
           count(*) OVER w AS parcel_count,
           max(p.last_event_at) OVER w AS last_event_at, min(p.first_scan_at) OVER w AS first_scan_at,
           bool_or(p.alert <> '') OVER w AS tracking_failed
    FROM shipping_parcel p
    WHERE p.state <> 'VOID' AND p.direction = 'OUT'
"""
"""SELECT of what couriers said last; PARCELS makes it whole."""

_OF_LINES = (
    "step", "line_count", "has_waybill", "is_held", "has_claim", "paid_at", "ship_by", "shipped_at", "delivered_at",
    "delivered_by", "confirm_by",
)  # fmt: skip
_OF_PARCELS = {
    "courier": "COALESCE(p.courier, '')",
    "waybill": "COALESCE(p.waybill, '')",
    "parcel_count": "COALESCE(p.parcel_count, 0)",
    "stage": "COALESCE(p.stage, '')",
    "last_event_text": "COALESCE(p.last_event_text, '')",
    "first_scan_at": "p.first_scan_at",
    "tracking_failed": "COALESCE(p.tracking_failed, false)",
}
ROLLED_UP = (
    {name: f"l.{name}" for name in _OF_LINES}
    | _OF_PARCELS
    | {"last_event_at": "CASE WHEN l.step = 'READY' THEN NULL ELSE COALESCE(p.last_event_at, l.shipped_at) END"}
)
"""Column of a shipment -> its expression over SUMMARY as l and PARCEL_SUMMARY as p."""

PARCELS = f"""{PARCEL_SUMMARY} {{condition}} WINDOW w AS (PARTITION BY p.shipment_id)
    ORDER BY p.shipment_id, p.last_event_at DESC NULLS LAST, p.id"""
"""PARCEL_SUMMARY, complete but for a condition."""

# A shipment that has lost its last line keeps what it had been paid and due for.
_KEPT = {"paid_at": "COALESCE(l.paid_at, s.paid_at)", "ship_by": "COALESCE(l.ship_by, s.ship_by)"}
_MINE = PARCELS.format(condition="AND p.shipment_id = ANY(%(ids)s::bigint[])")
_UPDATE = f"""
UPDATE shipping_shipment s
SET {", ".join(f"{name} = {value}" for name, value in (ROLLED_UP | _KEPT).items())}, version = s.version + 1
FROM lines l LEFT JOIN parcels p USING (id)
WHERE s.id = l.id
"""
_ROLL_UP = f"""
WITH lines AS ({SUMMARY} AND i.shipment_id = ANY(%(ids)s::bigint[]) GROUP BY i.shipment_id), parcels AS ({_MINE})
{_UPDATE}
"""
_OF = "SELECT line_id, shipment_id FROM shipping_shipmentline WHERE line_id = ANY(%s::bigint[]) AND is_live"
# As an array: the planner knows how to look up the members of one by an index, and that they are few.
_ROLL_UP_OF_LINES = _ROLL_UP.replace("%(ids)s::bigint[]", "(SELECT ids FROM mine)::bigint[]").replace(
    "WITH",
    "WITH mine AS MATERIALIZED (SELECT array_agg(shipment_id) AS ids FROM shipping_shipmentline"
    " WHERE line_id = ANY(%(lines)s::bigint[]) AND is_live),",
    1,
)
# A new shipment is written with its summary at once: a second version of each row would cost as much as the first.
_CREATE = f"""
WITH fresh AS (
        SELECT * FROM unnest(%(keys)s::int[], %(numbers)s::text[], %(orders)s::bigint[], %(seqs)s::int[],
                             %(methods)s::text[]) AS f(key, number, order_id, seq, method)),
     contents AS (
        SELECT shipment_id, line_id, true AS is_live
        FROM unnest(%(contents)s::int[], %(lines)s::bigint[]) AS c(shipment_id, line_id)),
     summary AS ({_SUMMARY.format(contents="contents")} GROUP BY i.shipment_id),
     made AS (
        INSERT INTO shipping_shipment (created_at, updated_at, version, number, order_id, seq, method, recipient_name,
            recipient_phone, zip_code, address, courier, waybill, parcel_count, stage, last_event_text, tracking_failed,
            {", ".join(_OF_LINES)})
        SELECT clock_timestamp(), clock_timestamp(), 1, f.number, f.order_id, f.seq, f.method, '', '', '', '', '', '',
               0, '', '', false, {", ".join(f"l.{name}" for name in _OF_LINES)}
        FROM fresh f JOIN summary l ON l.id = f.key ORDER BY f.key
        RETURNING id, order_id, seq)
INSERT INTO shipping_shipmentline (shipment_id, line_id, is_live)
SELECT m.id, c.line_id, true
FROM contents c JOIN fresh f ON f.key = c.shipment_id JOIN made m ON m.order_id = f.order_id AND m.seq = f.seq
ORDER BY c.shipment_id, c.line_id
"""
_REFRESH = f"""
WITH parcels AS ({_MINE})
UPDATE shipping_shipment s
SET {", ".join(f"{name} = {value}" for name, value in _OF_PARCELS.items())},
    last_event_at = CASE WHEN s.step = 'READY' THEN NULL ELSE COALESCE(p.last_event_at, s.shipped_at) END
FROM shipping_shipment b LEFT JOIN parcels p ON p.id = b.id WHERE s.id = b.id AND b.id = ANY(%(ids)s::bigint[])
"""
_CLOSE_EMPTY = """
UPDATE shipping_shipment s SET step = 'CLOSED', line_count = 0, version = s.version + 1
WHERE s.id = ANY(%(ids)s::bigint[]) AND s.step <> 'CLOSED'
  AND NOT EXISTS (SELECT 1 FROM shipping_shipmentline i WHERE i.shipment_id = s.id AND i.is_live)
"""


@dataclass(frozen=True, slots=True)
class NewShipment:
    """새 배송건: its number and the lines that begin it."""

    number: str
    order_id: int
    seq: int
    method: str
    line_ids: Sequence[int]


def create_shipments(rows: Sequence[NewShipment]) -> None:
    """배송건 만들기: shipments of lines that have just come to 배송준비중, with their summary at once."""
    if rows:
        values: dict[str, Any] = {
            "keys": id_array(range(len(rows))),
            "numbers": text_array(row.number for row in rows),
            "orders": id_array(row.order_id for row in rows),
            "seqs": id_array(row.seq for row in rows),
            "methods": text_array(str(row.method) for row in rows),
            "contents": id_array(key for key, row in enumerate(rows) for _ in row.line_ids),
            "lines": id_array(pk for row in rows for pk in row.line_ids),
        }
        with connection.cursor() as cursor:
            cursor.execute(_CREATE, values)


def roll_up_shipments(shipment_ids: Collection[int]) -> None:
    """Bring the summaries of locked shipments up to date and add 1 to their versions; without a live line they stay."""
    if shipment_ids:
        with connection.cursor() as cursor:
            cursor.execute(_ROLL_UP, {"ids": id_array(sorted(shipment_ids))})


def close_empty(shipment_ids: Collection[int]) -> None:
    """Close the shipments among these that have lost their last line."""
    if shipment_ids:
        with connection.cursor() as cursor:
            cursor.execute(_CLOSE_EMPTY, {"ids": id_array(sorted(shipment_ids))})


def refresh_parcels(shipment_ids: Collection[int]) -> None:
    """Copy number and tracking of the parcels to locked shipments; versions stay: no screen turns stale by a poll."""
    if shipment_ids:
        with connection.cursor() as cursor:
            cursor.execute(_REFRESH, {"ids": id_array(sorted(shipment_ids))})


@follow(OrderLine)
def keep_shipments(lines: Sequence[OrderLine], *, at: datetime) -> None:
    """Lines moved: their live shipments follow in the same transaction."""
    if lines:
        with connection.cursor() as cursor:
            cursor.execute(_ROLL_UP_OF_LINES, {"lines": id_array(line.pk for line in lines)})


def shipments_of_lines(line_ids: Iterable[int]) -> dict[int, int]:
    """배송건 of lines: line id to the live shipment it lies in."""
    with connection.cursor() as cursor:
        cursor.execute(_OF, [id_array(line_ids)])
        return dict(cursor.fetchall())
