"""What must be true of shipments, parcels and their summaries (reliability.md 5.3)."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.db import connection

from core.invariants import Violation, invariant
from orders.states import LOCK_BIT, LockKind
from shipping.rollup import PARCELS, ROLLED_UP, SUMMARY
from shipping.services.exceptions.rules import ALERT_OF
from shipping.states import FIRST_PARCEL_STATES, PARCEL_MOVES

MOST = 20
"""Violations named per query: enough to see the pattern of a fault."""

_MOVES = ", ".join(f"('{a.value}', '{b.value}')" for a, b in PARCEL_MOVES)
_FIRST = ", ".join(f"'{state.value}'" for state in FIRST_PARCEL_STATES)

_TWICE = f"""
SELECT courier, waybill, count(DISTINCT shipment_id) FROM shipping_parcel
WHERE state IN ('NUMBERED', 'PRINTED', 'HANDED_OVER') AND direction = 'OUT'
GROUP BY courier, waybill HAVING count(*) > 1 LIMIT {MOST}
"""
_WITHOUT = f"""
SELECT s.number, s.step FROM shipping_shipment s
WHERE s.step IN ('SHIPPING', 'DELIVERED') AND s.method IN ('PARCEL', 'REGIST')
  AND NOT EXISTS (SELECT 1 FROM shipping_parcel p WHERE p.shipment_id = s.id
                  AND p.state <> 'VOID' AND p.direction = 'OUT')
LIMIT {MOST}
"""


@invariant("INV-08", "A waybill is on at most one live parcel; a shipment that left by courier has one.")
def check_waybills() -> Iterable[Violation]:
    """송장 검사."""
    for courier, waybill, count in _rows(_TWICE):
        yield Violation("INV-08", f"{courier} {waybill}", f"on live parcels of {count} shipments")
    for number, step in _rows(_WITHOUT):
        yield Violation("INV-08", number, f"{step} without a parcel")


# A number of a range is written down once it was taken, and a parcel bears it exactly as long as it is USED.
_TAKEN = f"""
SELECT r.prefix || r.body_start, r.next_body - r.body_start, count(n.id) FROM shipping_waybillrange r
LEFT JOIN shipping_waybillnumber n ON n.range_id = r.id
GROUP BY r.id HAVING count(n.id) <> r.next_body - r.body_start LIMIT {MOST}
"""
_BEARS = f"""
SELECT n.courier || ' ' || n.number, n.state, p.state FROM shipping_waybillnumber n
JOIN shipping_parcel p ON p.id = n.parcel_id
WHERE (n.state = 'USED') <> (p.state NOT IN ('CREATED', 'VOID'))
   OR (n.state = 'USED' AND (p.courier, p.waybill, p.shipment_id) <> (n.courier, n.number, n.shipment_id))
LIMIT {MOST}
"""
_STRAY = f"""
SELECT p.courier || ' ' || p.waybill, n.state FROM shipping_parcel p
JOIN shipping_waybillnumber n ON n.courier = p.courier AND n.number = p.waybill AND n.range_id IS NOT NULL
WHERE p.state IN ('NUMBERED', 'PRINTED', 'HANDED_OVER') AND (n.state <> 'USED' OR n.parcel_id <> p.id) LIMIT {MOST}
"""


@invariant(
    "INV-08", "A number of a contract is free, used or void: given once, on the one parcel that it was given to."
)
def check_given_numbers() -> Iterable[Violation]:
    """발급한 송장번호 검사."""
    for name, taken, written in _rows(_TAKEN):
        yield Violation("INV-08", f"range {name}", f"{taken} numbers are taken, {written} are written down")
    for name, state, parcel in _rows(_BEARS):
        yield Violation("INV-08", name, f"the number is {state}, its parcel is {parcel}")
    for name, state in _rows(_STRAY):
        yield Violation("INV-08", name, f"a live parcel bears it although it is {state} or another's")


_STORED = ", ".join(f"s.{name}" for name in ROLLED_UP)
_RIGHT = ", ".join(ROLLED_UP.values())
_SUMMARIES = f"""
SELECT s.number, to_jsonb(ROW({_STORED}))::text, to_jsonb(ROW({_RIGHT}))::text
FROM shipping_shipment s
JOIN ({SUMMARY} GROUP BY i.shipment_id) l ON l.id = s.id
LEFT JOIN ({PARCELS.format(condition="")}) p ON p.id = s.id
WHERE ROW({_STORED}) IS DISTINCT FROM ROW({_RIGHT}) LIMIT {MOST}
"""
_EMPTY = f"""
SELECT s.number, s.step FROM shipping_shipment s
WHERE s.step <> 'CLOSED'
  AND NOT EXISTS (SELECT 1 FROM shipping_shipmentline i WHERE i.shipment_id = s.id AND i.is_live)
LIMIT {MOST}
"""
_NOT_IN_ONE = f"""
SELECT l.number, l.state FROM orders_orderline l
WHERE l.state IN ('READY', 'SHIPPING', 'DELIVERED')
  AND NOT EXISTS (SELECT 1 FROM shipping_shipmentline i WHERE i.line_id = l.id AND i.is_live)
LIMIT {MOST}
"""
_UNPAID = f"""
SELECT l.number, l.state FROM shipping_shipmentline i JOIN orders_orderline l ON l.id = i.line_id
WHERE i.is_live AND l.state IN ('AWAITING_PAYMENT', 'PREPARING', 'CANCELED_UNPAID') LIMIT {MOST}
"""


@invariant("INV-09", "The summary of a shipment is that of its lines and parcels; only paid, packed lines are in one.")
def check_shipments() -> Iterable[Violation]:
    """배송건 요약 검사."""
    for number, stored, right in _rows(_SUMMARIES):
        yield Violation("INV-09", number, f"stored {stored}, should be {right}")
    for number, step in _rows(_EMPTY):
        yield Violation("INV-09", number, f"{step} without a live line")
    for number, state in _rows(_NOT_IN_ONE):
        yield Violation("INV-09", number, f"{state} outside of any shipment")
    for number, state in _rows(_UNPAID):
        yield Violation("INV-09", number, f"{state} inside a live shipment")


_MERGED = f"""
SELECT s.number, o.number FROM shipping_shipment s JOIN shipping_shipment o ON o.id = s.merged_into_id
WHERE s.merged_into_id IS NOT NULL AND (o.merged_into_id IS NOT NULL OR s.step <> 'CLOSED') LIMIT {MOST}
"""


@invariant("INV-09", "A merged shipment is closed, and the one it points to is not merged itself.")
def check_merged() -> Iterable[Violation]:
    """합포장 검사."""
    for number, holder in _rows(_MERGED):
        yield Violation("INV-09", number, f"merged into {holder}, which does not hold its lines")


_CHAIN = f"""
WITH chain AS (
    SELECT subject_id, version, from_state, to_state,
           lag(to_state) OVER w AS before, lag(version) OVER w AS previous
    FROM orders_orderevent WHERE subject = 'parcel'
    WINDOW w AS (PARTITION BY subject_id ORDER BY version))
SELECT subject_id, version, from_state, to_state FROM chain
WHERE (before IS NOT NULL AND (from_state <> before OR version <> previous + 1))
   OR (before IS NULL AND (version <> 0 OR to_state NOT IN ({_FIRST})))
   OR (version > 0 AND from_state <> to_state AND (from_state, to_state) NOT IN ({_MOVES}))
LIMIT {MOST}
"""
_LAST = f"""
SELECT p.courier || ' ' || p.waybill, p.state, p.version, e.to_state, e.version
FROM shipping_parcel p
LEFT JOIN LATERAL (SELECT to_state, version FROM orders_orderevent
                   WHERE subject = 'parcel' AND subject_id = p.id ORDER BY version DESC LIMIT 1) e ON true
WHERE e.version IS NULL OR p.version <> e.version OR p.state <> e.to_state
LIMIT {MOST}
"""


@invariant("INV-01", "Replaying the events of a parcel gives exactly its stored state, by legal steps.")
def check_parcel_history() -> Iterable[Violation]:
    """상자 이력 검사."""
    for subject_id, version, source, target in _rows(_CHAIN):
        yield Violation("INV-01", f"parcel id {subject_id}", f"event v{version} {source} -> {target} does not fit")
    for name, state, version, last, last_version in _rows(_LAST):
        yield Violation("INV-01", name, f"row is {state} v{version}, last event is {last} v{last_version}")


# A row that was taken wrote, or sent, a parcel with its number; both say of which file.
_FILE_ROWS = f"""
SELECT job.uuid, item.row_number, item.data ->> 'waybill'
FROM core_jobitem item JOIN core_job job ON job.id = item.job_id
WHERE job.act = 'waybill-upload' AND job.kind = 'UPLOAD' AND item.result = 'OK'
  AND NOT EXISTS (
      SELECT 1 FROM orders_orderevent e JOIN shipping_parcel p ON p.id = e.subject_id
      WHERE e.batch_id IS NOT NULL AND e.batch_id = job.id AND e.subject = 'parcel'
        AND (p.shipment_id = item.target_id OR item.data ? 'merge') AND p.waybill = item.data ->> 'waybill')
  AND NOT item.data ? 'proposal'
ORDER BY item.id LIMIT {MOST}
"""


@invariant("INV-14", "Every applied row of a waybill file is a parcel with its number, and its history names the file.")
def check_file_rows() -> Iterable[Violation]:
    """송장 파일 행 검사."""
    for job, number, waybill in _rows(_FILE_ROWS):
        yield Violation("INV-14", f"job {job}", f"row {number} with {waybill} is applied and wrote no such parcel")


_CARRIED = f"""
SELECT l.number, l.state FROM orders_orderline l
JOIN shipping_parcelline b ON b.line_id = l.id
JOIN shipping_parcel p ON p.id = b.parcel_id AND p.direction = 'OUT' AND p.state NOT IN ('VOID', 'DELIVERED')
WHERE l.state = 'DELIVERED' AND l.delivered_by = 'TRACKER' LIMIT {MOST}
"""


@invariant("INV-06", "A line that couriers delivered has none of its boxes on the way.")
def check_boxes() -> Iterable[Violation]:
    """상자 도착 검사."""
    for number, state in _rows(_CARRIED):
        yield Violation("INV-06", number, f"{state} by the courier while a box is still out")


_SHOWN = ", ".join(f"('{kind.value}', '{alert.value}')" for kind, alert in ALERT_OF.items())
_ALERTS = f"""
SELECT p.courier || ' ' || p.waybill, p.alert FROM shipping_parcel p
WHERE p.alert <> '' AND NOT EXISTS (
    SELECT 1 FROM shipping_shippingexception e JOIN (VALUES {_SHOWN}) AS a(kind, alert) USING (kind)
    WHERE e.parcel_id = p.id AND e.closed_at IS NULL AND a.alert = p.alert)
LIMIT {MOST}
"""
_CASES = f"""
SELECT p.courier || ' ' || p.waybill, e.kind FROM shipping_shippingexception e
JOIN shipping_parcel p ON p.id = e.parcel_id JOIN (VALUES {_SHOWN}) AS a(kind, alert) USING (kind)
WHERE e.closed_at IS NULL AND p.alert = '' LIMIT {MOST}
"""
_DOUBTED = f"""
SELECT l.number, l.state FROM orders_orderline l
WHERE l.state = 'DELIVERED' AND l.open_locks & {LOCK_BIT[LockKind.DELIVERY]} <> 0 AND NOT EXISTS (
    SELECT 1 FROM shipping_parcelline b JOIN shipping_shippingexception e ON e.parcel_id = b.parcel_id
    WHERE b.line_id = l.id AND e.kind = 'DELIVERY_DISPUTED' AND e.closed_at IS NULL)
LIMIT {MOST}
"""


@invariant("INV-09", "추적 오류 of a parcel is the short form of an open case; a delivery is locked by its case alone.")
def check_cases() -> Iterable[Violation]:
    """배송 예외 검사."""
    for name, alert in _rows(_ALERTS):
        yield Violation("INV-09", name, f"shows {alert} without an open case")
    for name, kind in _rows(_CASES):
        yield Violation("INV-09", name, f"has an open case {kind} and shows nothing")
    for number, state in _rows(_DOUBTED):
        yield Violation("INV-09", number, f"{state} is locked for a doubt that nobody has any more")


def _rows(sql: str) -> Iterator[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        yield from cursor.fetchall()
