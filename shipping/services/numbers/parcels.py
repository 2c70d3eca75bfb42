"""상자 적기: parcels with their numbers and contents, in one statement; only `waybills.register_waybills` calls it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from core import drains
from core.events import record
from core.lookups import id_array, text_array
from core.models import Source
from core.state import Change, Outcome, is_preview
from orders.models import OrderLine
from orders.states import CLOSED
from shipping import events
from shipping.models import Parcel
from shipping.services.numbers import pool
from shipping.services.shipments import Locked
from shipping.states import ROUTING_MODES, ParcelState, WaybillSource


@dataclass(frozen=True, slots=True)
class WaybillEntry:
    """송장 입력: courier slug and number for one shipment; `replaces` = a person agreed to overwrite another number.

    `forced_reason` = why somebody takes a number of a wrong length or check digit, rules that couriers may change
    (shipping.md 5.1); it changes no other refusal.
    """

    courier: str
    waybill: str
    replaces: bool = False
    forced_reason: str = ""
    source: WaybillSource | None = None
    """Where the number was read; None: from the file or the screen, or as the contract says that gave it."""


class NewParcel(NamedTuple):
    """새 상자 as its history tells of it: making whole rows of thousands would cost more than writing them."""

    pk: int
    shipment_id: int
    courier: str
    waybill: str
    event_order_id: int
    event_subject: str = Parcel.event_subject


def is_open(line: OrderLine) -> bool:
    """Whether a line still travels with its shipment."""
    return line.state not in CLOSED


# In the order of the numbers, so that two batches with the same numbers wait for each other instead of dying.
_PARCELS = """
WITH routed AS MATERIALIZED (
        SELECT courier FROM shipping_couriercontract WHERE is_active AND mode = ANY(%(routing)s::text[])),
     made AS (
        INSERT INTO shipping_parcel (created_at, updated_at, version, shipment_id, seq, direction, courier, waybill,
                                     source, state, stage, alert, printed_count, numbered_at, last_event_text,
                                     routing, route_at)
        SELECT %(at)s, %(at)s, 0, v.shipment_id,
               1 + COALESCE((SELECT max(p.seq) FROM shipping_parcel p WHERE p.shipment_id = v.shipment_id), 0),
               'OUT', v.courier, v.waybill, v.source, 'NUMBERED', '', '', 0, %(at)s, '',
               n.routing, CASE WHEN n.routing IS NULL AND v.courier IN (SELECT courier FROM routed) THEN %(at)s END
        FROM unnest(%(shipments)s::bigint[], %(couriers)s::text[], %(numbers)s::text[], %(sources)s::text[],
                    %(given)s::bigint[]) AS v(shipment_id, courier, waybill, source, given)
        LEFT JOIN shipping_waybillnumber n ON n.id = v.given AND n.routing ->> 'sort_code' <> ''
        ORDER BY v.courier, v.waybill
        RETURNING id, shipment_id, courier, waybill, route_at),
     contents AS (
        INSERT INTO shipping_parcelline (parcel_id, line_id, quantity)
        SELECT m.id, c.line_id, c.quantity
        FROM unnest(%(owners)s::bigint[], %(lines)s::bigint[], %(quantities)s::int[])
             AS c(shipment_id, line_id, quantity) JOIN made m USING (shipment_id)),
     drafts AS (DELETE FROM shipping_waybilldraft WHERE shipment_id = ANY(%(shipments)s::bigint[]))
SELECT id, shipment_id, courier, waybill, route_at FROM made
"""


def insert(
    numbers: Mapping[int, str], entries: Mapping[int, WaybillEntry], rows: Locked, given: Mapping[int, pool.Given],
    *, at: datetime, source: str = "", **facts: Any,
) -> list[NewParcel]:  # fmt: skip
    """The new parcels with all open lines of their shipments; drafts of the numbers are gone. Nothing in a preview."""
    if is_preview() or not numbers:
        return []
    lines, shipment_of = rows.lines, rows.shipment_of_line
    inside = [line_id for pk in numbers for line_id in rows.lines_of[pk] if is_open(lines[line_id])]
    values: dict[str, Any] = {
        "at": at,
        "shipments": id_array(numbers),
        "couriers": text_array(entries[pk].courier for pk in numbers),
        "numbers": text_array(numbers.values()),
        "sources": text_array(_source(entries[pk], given.get(pk), source) for pk in numbers),
        "given": id_array(given[pk].pk if pk in given else None for pk in numbers),
        "routing": text_array(ROUTING_MODES),
        "owners": id_array(shipment_of[line_id] for line_id in inside),
        "lines": id_array(inside),
        "quantities": id_array(lines[line_id].quantity for line_id in inside),
    }
    with connection.cursor() as cursor:
        cursor.execute(_PARCELS, values)
        made = cursor.fetchall()
    pool.use({given[owner].pk: pk for pk, owner, *_ in made if owner in given}, at=at)
    if any(due for *_, due in made):
        drains.notify(pool.CHANNEL)
    order_of = {pk: rows.shipments[pk].order_id for pk in numbers}
    return [NewParcel(pk, owner, courier, number, order_of[owner]) for pk, owner, courier, number, _ in made]


def _source(entry: WaybillEntry, given: pool.Given | None, door: str) -> str:
    if given is not None:
        return given.source
    return (entry.source or (WaybillSource.FILE if door == Source.UPLOAD else WaybillSource.TYPED)).value


def tell(parcels: Collection[NewParcel], forced: Mapping[int, str], **facts: Any) -> None:
    """송장 등록 in the history of the new parcels, with the reason of a forced number."""
    changes = [Change(parcel, "", ParcelState.NUMBERED, 0) for parcel in parcels]
    why = {pk: {"forced": reason} for pk, reason in forced.items()}
    data = {one.pk: {"courier": one.courier, "waybill": one.waybill} | why.get(one.shipment_id, {}) for one in parcels}
    record(Outcome(changes=changes), events.PARCEL_NUMBERED, data=data, **facts)
