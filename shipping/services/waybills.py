"""송장 등록 and 송장 삭제: a parcel with a number for a shipment, and its end.

Registering never moves a line further than 배송대기. A number in use by another live parcel, a held line, a canceled
order, a number that differs from the registered one: each is refused with its reason. Source: domain.md T9, T10, A10.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError

from core.events import record
from core.exceptions import Conflict
from core.models import Job
from core.state import Change, Outcome, explain, is_preview, move
from orders.models import OrderLine
from orders.services import progress
from orders.services.locks import release_lock
from orders.states import LockKind
from shipping import events
from shipping.couriers import COURIERS
from shipping.models import Parcel, ParcelLine, Shipment, WaybillDraft
from shipping.models.parcel import LIVE
from shipping.rollup import roll_up_shipments
from shipping.services.shipments import Locked, lines_of, locked_shipments
from shipping.states import DeliveryMethod, ParcelState
from shipping.waybills import WaybillLevel, check_waybill

NO_WAYBILL_NEEDED = "송장이 필요 없는 배송방법입니다."
NOT_READY = "배송준비중 주문이 아닙니다. 지금 상태: {state}"
RACED = "방금 다른 직원이 같은 송장번호를 등록했습니다. 목록을 새로 고친 뒤 다시 시도하세요."


@dataclass(frozen=True, slots=True)
class WaybillEntry:
    """송장 입력: courier slug and number for one shipment; `replaces` = a person agreed to overwrite another number."""

    courier: str
    waybill: str
    replaces: bool = False


@dataclass(slots=True)
class Registered:
    """송장 등록 결과 by shipment id; `possible` were done unless in a preview, `outcome` holds their lines."""

    possible: list[int] = field(default_factory=list)
    unchanged: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    differs: set[int] = field(default_factory=set)
    outcome: Outcome = field(default_factory=Outcome)


def register_waybills(
    *, entries: Mapping[int, WaybillEntry], actor: Any, at: datetime, batch: Job | None = None, source: str = ""
) -> Registered:
    """송장 등록: one parcel with its number per shipment, holding all lines of the shipment.

    `entries` maps shipment ids to what was typed; numbers are normalised and checked by the courier's rule. Registering
    the same number again is unchanged. Raises Conflict when somebody else took a number at the same moment.
    """
    result = Registered()
    try:
        with locked_shipments(lines_of(entries.keys()), actor=actor) as rows:
            numbers = _checked(entries, rows, result)
            old = _replaced(numbers, entries, rows, result)
            if not is_preview():
                _void(old, rows, actor=actor, at=at, batch=batch, source=source, reason="다른 송장번호로 바꿈")
            line_ids = [pk for pk, shipment in rows.shipment_of_line.items() if shipment in numbers]
            fresh = [pk for pk in line_ids if rows.lines[pk].standby_at is None or rows.shipment_of_line[pk] in old]
            data = {pk: {"waybill": numbers[rows.shipment_of_line[pk]]} for pk in fresh}
            result.outcome = progress.register_waybill(
                line_ids=fresh, actor=actor, at=at, batch=batch, source=source, data=data
            )
            _insert(numbers, entries, rows, actor=actor, at=at, batch=batch, source=source)
            result.possible = sorted(numbers)
            roll_up_shipments([] if is_preview() else result.possible)
    except IntegrityError as error:
        raise Conflict(RACED) from error
    result.refused |= {pk: "배송건을 찾을 수 없습니다." for pk in entries if pk not in rows.shipments}
    return result


def _checked(entries: Mapping[int, WaybillEntry], rows: Locked, result: Registered) -> dict[int, str]:
    """Normalised numbers of the entries that nothing speaks against; the others get their reason in `result`."""
    numbers: dict[int, str] = {}
    seen: dict[tuple[str, str], int] = {}
    for shipment_id in sorted(rows.shipments.keys() & entries.keys()):
        entry, shipment = entries[shipment_id], rows.shipments[shipment_id]
        verdict = check_waybill(entry.waybill, COURIERS[entry.courier])
        reason = _shipment_refusal(shipment, rows)
        if reason is None and verdict.level is WaybillLevel.BLOCK:
            reason = verdict.message
        key = (entry.courier, verdict.number)
        if reason is None and key in seen:
            reason = f"배송번호 {rows.shipments[seen[key]].number}와 송장번호가 같습니다."
        if reason is not None:
            result.refused[shipment_id] = reason
            continue
        seen[key] = shipment_id
        numbers[shipment_id] = verdict.number
    for shipment_id, reason in _used_elsewhere(numbers, entries).items():
        result.refused[shipment_id] = reason
        del numbers[shipment_id]
    return numbers


def _shipment_refusal(shipment: Shipment, rows: Locked) -> str | None:
    if shipment.method != DeliveryMethod.PARCEL:
        return NO_WAYBILL_NEEDED
    for line_id, owner in sorted(rows.shipment_of_line.items()):
        if owner == shipment.pk and (text := explain(rows.lines[line_id], OrderLine.register_waybill)):
            return text
    return None


def _used_elsewhere(numbers: Mapping[int, str], entries: Mapping[int, WaybillEntry]) -> dict[int, str]:
    live = Parcel.objects.filter(waybill__in=set(numbers.values()), state__in=LIVE).select_related("shipment__order")
    used = {(p.courier, p.waybill): p for p in live}
    return {
        pk: f"다른 주문 {parcel.shipment.order.number}에서 쓰고 있는 송장번호입니다."
        for pk, number in numbers.items()
        if (parcel := used.get((entries[pk].courier, number))) is not None and parcel.shipment_id != pk
    }


def _replaced(
    numbers: dict[int, str], entries: Mapping[int, WaybillEntry], rows: Locked, result: Registered
) -> dict[int, list[Parcel]]:
    """Parcels that make way for a new number; same numbers are unchanged, other numbers need a person's agreement."""
    old: dict[int, list[Parcel]] = {}
    for parcel in rows.parcels:
        pk = parcel.shipment_id
        if pk not in numbers or parcel.state not in LIVE:
            continue
        if (parcel.courier, parcel.waybill) == (entries[pk].courier, numbers[pk]):
            result.unchanged.append(pk)
        elif entries[pk].replaces:
            old.setdefault(pk, []).append(parcel)
        else:
            result.refused[pk] = f"이미 등록된 송장번호 {parcel.waybill}와 다릅니다. 바꾸려면 선택하세요."
            result.differs.add(pk)
    for pk in [*result.unchanged, *result.differs]:
        numbers.pop(pk, None)
        old.pop(pk, None)
    return old


def _insert(
    numbers: Mapping[int, str], entries: Mapping[int, WaybillEntry], rows: Locked, *, at: datetime, **facts: Any
) -> None:
    if is_preview() or not numbers:
        return
    parcels = Parcel.objects.bulk_create(
        Parcel(
            shipment=rows.shipments[pk],
            courier=entries[pk].courier,
            waybill=number,
            state=ParcelState.NUMBERED,
            numbered_at=at,
            seq=1 + sum(p.shipment_id == pk for p in rows.parcels),
        )
        for pk, number in numbers.items()
    )
    of_shipment: dict[int, list[int]] = {}
    for line_id, owner in rows.shipment_of_line.items():
        of_shipment.setdefault(owner, []).append(line_id)
    ParcelLine.objects.bulk_create(
        ParcelLine(parcel=parcel, line_id=line_id, quantity=rows.lines[line_id].quantity)
        for parcel in parcels
        for line_id in of_shipment[parcel.shipment_id]
    )
    changes = [Change(parcel, "", ParcelState.NUMBERED, 0) for parcel in parcels]
    data = {p.pk: {"courier": p.courier, "waybill": p.waybill} for p in parcels}
    record(Outcome(changes=changes), events.PARCEL_NUMBERED, at=at, data=data, **facts)
    WaybillDraft.objects.filter(shipment__in=numbers).delete()


def void_waybills(
    *, line_ids: Collection[int], actor: Any, at: datetime, reason: str, batch: Job | None = None, source: str = ""
) -> Outcome:
    """송장 삭제: all live parcels of the lines' shipments end; a voided number is never given out again by us (T10)."""
    with locked_shipments(line_ids, actor=actor) as rows:
        numbered = {p.shipment_id for p in rows.parcels if p.state in {ParcelState.NUMBERED, ParcelState.PRINTED}}
        targets = [pk for pk in line_ids if rows.shipment_of_line.get(pk) in numbered]
        outcome = Outcome(refused={pk: "등록된 송장번호가 없습니다." for pk in line_ids if pk not in targets})
        if is_preview():
            outcome.possible = [rows.lines[pk] for pk in targets]
            return outcome
        by_shipment = {pk: [p for p in rows.parcels if p.shipment_id == pk] for pk in numbered}
        outcome.merge(_void(by_shipment, rows, actor=actor, at=at, batch=batch, source=source, reason=reason))
        roll_up_shipments(numbered)
    return outcome


def _void(
    parcels: Mapping[int, list[Parcel]], rows: Locked, *, actor: Any, at: datetime, reason: str, **facts: Any
) -> Outcome:
    if not parcels:
        return Outcome()
    line_ids = [pk for pk, owner in rows.shipment_of_line.items() if owner in parcels]
    outcome = progress.void_waybill(line_ids=line_ids, actor=actor, at=at, reason=reason, **facts)
    free = {rows.shipment_of_line[pk] for pk in outcome.moved_ids}
    ended = move(
        [p for pk, mine in parcels.items() if pk in free for p in mine if p.state != ParcelState.VOID],
        Parcel.void,
        at=at,
    )
    record(ended, events.PARCEL_VOIDED, at=at, actor=actor, reason=reason, **facts)
    # The label with the old address is dead now, so the address no longer stops the shipment.
    release_lock(line_ids=outcome.moved_ids, kind=LockKind.ADDRESS, actor=actor, at=at, reason="송장 삭제")
    return outcome
