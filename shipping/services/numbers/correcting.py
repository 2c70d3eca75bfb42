"""송장 정정: a box that has left under a wrong number goes on under the right one (ux.md 1.1, 배송중 관리).

The old row ends as VOID and keeps what was told of its number; a new row takes over what is in the box and when it
left. Whatever the old number told of the lines (집하) is taken back, its exceptions are settled, and nobody asks about
it any more. The courier is asked about the new number as if it had been typed at the beginning.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError
from django.db.models import Max

from core.events import record
from core.exceptions import Conflict
from core.korean import josa
from core.lookups import Among
from core.models import Job
from core.state import Change, Outcome, explain, is_preview, move
from orders.models import OrderLine
from orders.services import relabelling
from shipping import events
from shipping.couriers import COURIERS, UnknownCourier
from shipping.models import Parcel, ParcelLine
from shipping.models.parcel import CORRECTABLE
from shipping.services.numbers import pool
from shipping.services.numbers.parcels import WaybillEntry, is_open
from shipping.services.numbers.waybills import NO_WAYBILL_NEEDED, NOT_REGISTERED_MAIL, RACED, REGISTERED_BY, TRIES
from shipping.services.polling import polls
from shipping.services.shipments import Locked, locked_whole
from shipping.states import TRACKED, DeliveryMethod, Direction, ParcelState, WaybillSource
from shipping.waybills import WaybillLevel, check_waybill

GONE = "이미 정정했거나 지운 송장번호입니다. 목록을 새로 고쳐 지금 번호를 확인하세요."
NOT_LEFT = "아직 보내지 않은 상자입니다. 배송준비중 관리에서 송장번호를 바꾸세요."
SAME = "지금 등록된 송장번호와 같습니다."
OWN_BOX = "이 배송건의 다른 상자에서 쓰고 있는 송장번호입니다."
ONE_BOX = "한 번에 상자 하나만 정정할 수 있습니다. 나머지는 따로 정정하세요."


@dataclass(slots=True)
class Corrected:
    """송장 정정 결과 by id of the old box; `made` are the new boxes, `outcome` holds the changes of lines."""

    possible: list[Parcel] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    made: dict[int, Parcel] = field(default_factory=dict)
    outcome: Outcome = field(default_factory=Outcome)


@dataclass(frozen=True, slots=True)
class _Number:
    """바른 번호 of a box, judged; `forced` says why one that the rule blocks is taken."""

    courier: str
    waybill: str
    remark: str = ""
    forced: str = ""


def correctable_boxes(shipment_ids: Collection[int]) -> dict[int, list[Parcel]]:
    """정정할 수 있는 상자 by shipment, in their order: those that have left and did not come home; one query."""
    rows = Parcel.objects.filter(Among("shipment_id", shipment_ids), state__in=CORRECTABLE, direction=Direction.OUT)
    found: dict[int, list[Parcel]] = defaultdict(list)
    for parcel in rows.order_by("shipment_id", "seq", "pk"):
        if explain(parcel, Parcel.correct) is None:
            found[parcel.shipment_id].append(parcel)
    return found


def correct_waybills(
    *, entries: Mapping[int, WaybillEntry], reason: str, actor: Any, at: datetime, batch: Job | None = None
) -> Corrected:
    """송장 정정 of boxes by id: `entries` say courier and number that are right; an empty courier stays as it is.

    Refused: boxes that have not left or came home, lines that are not 배송중, numbers against the courier's rule unless
    `forced_reason` says why, and numbers of other boxes. Raises Conflict when somebody took the number meanwhile.
    """
    facts: dict[str, Any] = {"actor": actor, "at": at, "batch": batch, "reason": reason}
    for _ in range(TRIES):
        try:
            return _correct(entries, **facts)
        except IntegrityError as error:
            # Only one reader of a free number can win; the next look finds it taken.
            raced = error
    raise Conflict(RACED) from raced


def _correct(
    entries: Mapping[int, WaybillEntry], *, actor: Any, at: datetime, reason: str, batch: Job | None
) -> Corrected:
    result = Corrected()
    owners = dict(Parcel.objects.filter(Among("pk", entries)).values_list("pk", "shipment_id"))
    with locked_whole(set(owners.values()), actor=actor) as rows:
        inside = _contents(rows)
        old = _boxes(entries, rows, inside, result)
        numbers = _judged(old, entries, rows, result)
        given, again = _free(old, numbers, result)
        result.possible = [old[pk] for pk in sorted(numbers)]
        if is_preview() or not numbers:
            return result
        facts: dict[str, Any] = {"actor": actor, "at": at, "batch": batch}
        _end(result.possible, numbers, reason=reason, **facts)
        result.made = {box.pk: _make(box, numbers[box.pk], given, **facts) for box in result.possible}
        made_of = {box.shipment_id: made for box in result.possible for made in [result.made[box.pk]]}
        pool.use({one.pk: made_of[pk].pk for pk, one in given.items()}, at=at)
        pool.use_again({number: made_of[pk].pk for pk, number in again.items()}, at=at)
        result.outcome = _tell_lines(result, numbers, rows, inside, reason=reason, **facts)
    return result


def _contents(rows: Locked) -> dict[int, set[int]]:
    """Line ids by box."""
    found: dict[int, set[int]] = defaultdict(set)
    items = ParcelLine.objects.filter(Among("parcel_id", [parcel.pk for parcel in rows.parcels]))
    for parcel_id, line_id in items.values_list("parcel_id", "line_id"):
        found[parcel_id].add(line_id)
    return found


def _boxes(
    asked: Collection[int], rows: Locked, inside: Mapping[int, set[int]], result: Corrected
) -> dict[int, Parcel]:
    """Boxes that nothing speaks against; the others get their reason."""
    boxes = {parcel.pk: parcel for parcel in rows.parcels if parcel.direction == Direction.OUT}
    good: dict[int, Parcel] = {}
    for pk in sorted(asked):
        box = boxes.get(pk)
        reason = GONE if box is None else _refusal(box, rows, inside)
        if box is not None and reason is None and box.shipment_id in {one.shipment_id for one in good.values()}:
            reason = ONE_BOX
        if box is None or reason is not None:
            result.refused[pk] = reason or GONE
        else:
            good[pk] = box
    return good


def _refusal(box: Parcel, rows: Locked, inside: Mapping[int, set[int]]) -> str | None:
    if box.state in {ParcelState.CREATED, ParcelState.NUMBERED, ParcelState.PRINTED}:
        return NOT_LEFT
    lines = [rows.lines[pk] for pk in sorted(inside.get(box.pk, ())) if pk in rows.lines and is_open(rows.lines[pk])]
    if not lines:
        return GONE
    reason = next((text for line in lines if (text := explain(line, OrderLine.correct_waybill))), None)
    return reason or explain(box, Parcel.correct)


def _judged(
    old: Mapping[int, Parcel], entries: Mapping[int, WaybillEntry], rows: Locked, result: Corrected
) -> dict[int, _Number]:
    """Numbers that the rules of their couriers let through."""
    numbers: dict[int, _Number] = {}
    for pk, box in old.items():
        entry = entries[pk]
        slug = entry.courier or box.courier
        courier, method = COURIERS.get(slug), rows.shipments[box.shipment_id].method
        if courier is None:
            result.refused[pk] = UnknownCourier(slug[:40]).message
            continue
        verdict = check_waybill(entry.waybill, courier)
        forced = entry.forced_reason if verdict.is_forceable else ""
        own = {(one.courier, one.waybill) for one in rows.parcels_of[box.shipment_id]}
        if method not in TRACKED:
            result.refused[pk] = NO_WAYBILL_NEEDED
        elif method == DeliveryMethod.REGISTERED and slug != REGISTERED_BY:
            result.refused[pk] = NOT_REGISTERED_MAIL
        elif not courier.is_active and slug != box.courier:
            result.refused[pk] = f"{josa(courier.name, '은/는')} 쓰지 않는 택배사입니다. 다른 택배사를 고르세요."
        elif verdict.level is WaybillLevel.BLOCK and not forced:
            result.refused[pk] = verdict.message
        elif (slug, verdict.number) == (box.courier, box.waybill):
            result.refused[pk] = SAME
        elif (slug, verdict.number) in own:
            result.refused[pk] = OWN_BOX
        else:
            numbers[pk] = _Number(slug, verdict.number, verdict.message, forced)
    return numbers


def _free(
    old: Mapping[int, Parcel], numbers: dict[int, _Number], result: Corrected
) -> tuple[dict[int, pool.Given], dict[int, int]]:
    """Takes out of `numbers` those that others have; by shipment, numbers of ours that were given for it.

    The second are numbers of a range that were corrected away from the very shipment: it may have its own back.
    """
    owner = {old[pk].shipment_id: pk for pk in numbers}
    texts = {shipment: numbers[pk].waybill for shipment, pk in owner.items()}
    couriers = {shipment: numbers[pk].courier for shipment, pk in owner.items()}
    given, refused = pool.given_to(texts, couriers)
    again = pool.given_before(texts, couriers)
    refused = {pk: text for pk, text in refused.items() if pk not in again} | pool.used_elsewhere(texts, couriers)
    for shipment, text in refused.items():
        result.refused[owner[shipment]] = text
        del numbers[owner[shipment]]
    free = {shipment for shipment, pk in owner.items() if pk in numbers}
    return (
        {pk: one for pk, one in given.items() if pk in free},
        {pk: number for pk, number in again.items() if pk in free},
    )


def _end(old: Collection[Parcel], numbers: Mapping[int, _Number], *, at: datetime, **facts: Any) -> None:
    data = {
        box.pk: {"was": box.waybill, "was_courier": box.courier}
        | {"courier": numbers[box.pk].courier, "waybill": numbers[box.pk].waybill}
        for box in old
    }
    ended = move(list(old), Parcel.correct, at=at)
    record(ended, events.PARCEL_CORRECTED, at=at, data=data, **facts)
    polls.stop(parcels=ended.moved)


def _make(
    old: Parcel, number: _Number, given: Mapping[int, pool.Given], *, at: datetime, actor: Any, batch: Job | None
) -> Parcel:
    """The box under its right number: what is inside and when it left are those of the old row."""
    mine = given.get(old.shipment_id)
    last = Parcel.objects.filter(shipment=old.shipment_id).aggregate(last=Max("seq"))["last"] or 0
    box = Parcel.objects.create(
        shipment=old.shipment,
        seq=last + 1,
        courier=number.courier,
        waybill=number.waybill,
        source=mine.source if mine else WaybillSource.TYPED,
        state=ParcelState.NUMBERED,
        # The label may have been scanned before anybody saw the slip: its scans are not those of a recycled number.
        numbered_at=old.numbered_at,
        packed_at=old.packed_at,
    )
    contents = ParcelLine.objects.filter(parcel=old).order_by("pk").values_list("line_id", "quantity")
    ParcelLine.objects.bulk_create(ParcelLine(parcel=box, line_id=pk, quantity=units) for pk, units in contents)
    facts: dict[str, Any] = {"at": at, "actor": actor, "batch": batch}
    said = {"courier": number.courier, "waybill": number.waybill}
    data = said | ({"forced": number.forced} if number.forced else {"remark": number.remark} if number.remark else {})
    made = Outcome(changes=[Change(box, "", ParcelState.NUMBERED, 0)])
    record(made, events.PARCEL_NUMBERED, data={box.pk: data}, **facts)
    left_at = old.handed_over_at or at
    record(move([box], Parcel.hand_over, at=at, handed_over_at=left_at), events.PARCEL_HANDED_OVER, **facts)
    # Due as if the number had been right when it left: mostly at once.
    polls.start(parcels=[box], at=left_at)
    return box


def _tell_lines(
    result: Corrected, numbers: Mapping[int, _Number], rows: Locked, inside: Mapping[int, set[int]], **facts: Any
) -> Outcome:
    """Every line of the shipments that is on its way: 집하 stays where another box of the line was scanned."""
    ended = {box.pk for box in result.possible}
    corrected = set().union(*(inside.get(pk, set()) for pk in ended))
    scanned = {
        line
        for parcel in rows.parcels
        if parcel.pk not in ended and parcel.first_scan_at is not None and parcel.direction == Direction.OUT
        for line in inside.get(parcel.pk, ())
    }
    data: dict[int, dict[str, str]] = {}
    moments: dict[int, datetime | None] = {}
    for box in result.possible:
        for pk in rows.lines_of[box.shipment_id]:
            line = rows.lines[pk]
            if explain(line, OrderLine.correct_waybill) is None:
                moments[pk] = line.picked_up_at if pk in scanned or pk not in corrected else None
                data[pk] = {"waybill": numbers[box.pk].waybill, "was": box.waybill}
    return relabelling.correct_waybill(picked_up_at=moments, data=data, held=rows.lines, **facts)
