"""추가 상자: a shipment that travels in several boxes, each with a number of its own (shipping.md 5.3)."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import Max

from core import drains
from core.events import record
from core.exceptions import Conflict, DomainError
from core.models import Job
from core.state import Change, Outcome, move
from shipping import events
from shipping.models import Parcel, ParcelLine, WaybillNumber
from shipping.models.parcel import LIVE
from shipping.rollup import refresh_parcels
from shipping.services.numbers import pool
from shipping.services.numbers.waybills import LOOKED_AT, NOT_FOUND, shipment_refusal
from shipping.services.shipments import Locked, locked_whole
from shipping.states import ParcelState, WaybillSource

NO_FIRST_BOX = "첫 상자의 송장번호를 먼저 발급하세요."
EMPTY_BOX = "새 상자에 담을 수량을 입력하세요."
TOO_MANY = "첫 상자에 남은 수량보다 많이 옮길 수 없습니다."
NOTHING_LEFT = "첫 상자에 적어도 한 개는 남아 있어야 합니다."
BOX_GONE = "상자가 이미 없어졌거나 송장번호가 있습니다. 화면을 새로 고쳐 확인하세요."


class BoxRefused(DomainError):
    """상자 추가 거절."""

    code = "box_refused"
    status = 422


def make_box(rows: Locked, *, shipment_id: int, contents: Mapping[int, int], actor: Any, at: datetime,
             batch: Job | None) -> Parcel:  # fmt: skip
    """상자 만들기: an unnumbered box of a locked shipment with these units, taken out of its first box.

    `contents` maps line ids to units. Raises BoxRefused.
    """
    shipment = rows.shipments.get(shipment_id)
    if shipment is None:
        raise BoxRefused(NOT_FOUND)
    if reason := shipment_refusal(shipment, rows, courier=shipment.courier):
        raise BoxRefused(reason)
    first = min((p for p in rows.parcels_of.get(shipment_id, []) if p.state in LIVE), key=lambda p: p.seq, default=None)
    if first is None:
        raise BoxRefused(NO_FIRST_BOX)
    _take_out(first, contents)
    last = Parcel.objects.filter(shipment=shipment_id).aggregate(last=Max("seq"))["last"] or 0
    box = Parcel.objects.create(shipment=shipment, seq=last + 1, courier=first.courier, waybill="")
    ParcelLine.objects.bulk_create(
        ParcelLine(parcel=box, line_id=pk, quantity=units) for pk, units in sorted(contents.items())
    )
    box.shipment = shipment
    data = {box.pk: {"contents": {str(pk): units for pk, units in sorted(contents.items())}}}
    made = Outcome(changes=[Change(box, "", ParcelState.CREATED, 0)])
    record(made, events.PARCEL_ADDED, at=at, actor=actor, batch=batch, data=data)
    refresh_parcels([shipment_id])
    return box


def _take_out(first: Parcel, contents: Mapping[int, int]) -> None:
    if not contents or any(units < 1 for units in contents.values()):
        raise BoxRefused(EMPTY_BOX)
    inside = {item.line_id: item for item in ParcelLine.objects.filter(parcel=first).select_for_update(no_key=True)}
    left = Counter({pk: item.quantity for pk, item in inside.items()})
    left.subtract(contents)
    if any(units < 0 for units in left.values()):
        raise BoxRefused(TOO_MANY)
    if not +left:
        raise BoxRefused(NOTHING_LEFT)
    for pk in contents:
        if left[pk]:
            ParcelLine.objects.filter(pk=inside[pk].pk).update(quantity=left[pk])
        else:
            ParcelLine.objects.filter(pk=inside[pk].pk).delete()


def number_box(*, number_id: int, actor: Any, at: datetime, batch: Job | None, source: str = "") -> Parcel:
    """상자 송장 등록: the box that waits for this number has it now. Raises Conflict when the box is gone."""
    wanted = WaybillNumber.objects.select_related("parcel").get(pk=number_id)
    if wanted.parcel is None:
        raise Conflict(BOX_GONE, code="box_gone")
    with locked_whole([wanted.shipment_id], actor=actor, fields=LOOKED_AT) as rows:
        box = next((one for one in rows.parcels if one.pk == wanted.parcel_id), None)
        if box is None or box.state != ParcelState.CREATED:
            raise Conflict(BOX_GONE, code="box_gone")
        way = WaybillSource.RANGE if wanted.range_id else WaybillSource.API
        facts: dict[str, Any] = {"courier": wanted.courier, "waybill": wanted.number, "source": way.value}
        outcome = move([box], Parcel.number, at=at, **facts)
        if not outcome.moved:
            raise Conflict(BOX_GONE, code="box_gone")
        data = {box.pk: {"courier": wanted.courier, "waybill": wanted.number}}
        record(outcome, events.PARCEL_NUMBERED, at=at, actor=actor, batch=batch, source=source, data=data)
        pool.use({number_id: box.pk}, at=at)
        _route(box, wanted, at=at)
        refresh_parcels([wanted.shipment_id])
    return box


def _route(box: Parcel, given: WaybillNumber, *, at: datetime) -> None:
    """The sort code that came with the number, or the wish to ask for it."""
    if given.routing.get("sort_code"):
        Parcel.objects.filter(pk=box.pk).update(routing=given.routing)
    elif given.courier in pool.routed_couriers():
        Parcel.objects.filter(pk=box.pk).update(route_at=at)
        drains.notify(pool.CHANNEL)
