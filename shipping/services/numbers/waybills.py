"""송장 등록 and 송장 삭제: a parcel with a number for a shipment, and its end.

Registering never moves a line further than 배송대기. A number in use by another live parcel, a held line, a canceled
order, a number that differs from the registered one: each is refused with its reason. Source: domain.md T9, T10, A10.
"""

from collections.abc import Collection, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from core.events import event_model, record
from core.exceptions import Conflict
from core.failpoints import declare, failpoint
from core.korean import josa
from core.lookups import Among
from core.models import Job
from core.state import Change, Outcome, explain, is_preview, move, summing_up_once
from orders.models import OrderLine
from orders.services import progress
from orders.services.locks import release_lock
from orders.states import LOCK_BIT, LineState, LockKind
from shipping import events
from shipping.couriers import COURIERS, UnknownCourier
from shipping.models import Parcel, Shipment
from shipping.models.parcel import LIVE
from shipping.rollup import refresh_parcels
from shipping.services.merges.keys import APART, parted
from shipping.services.numbers import parcels, pool
from shipping.services.numbers.parcels import WaybillEntry, is_open
from shipping.services.refusals import not_ready
from shipping.services.shipments import (
    TORN,
    Fields,
    Locked,
    lines_of,
    lines_of_whole_shipments,
    locked_shipments,
    locked_whole,
    ship_locked,
    unship,
)
from shipping.states import TRACKED, DeliveryMethod, ParcelState
from shipping.waybills import WaybillLevel, check_waybill

NO_WAYBILL_NEEDED = "송장이 필요 없는 배송방법입니다. 송장번호 없이 보내고, 배송중 관리의 탭에서 배송완료 처리하세요."
NOT_REGISTERED_MAIL = "등기로 보내는 배송건입니다. 택배사를 우편등기로 고르거나, 배송방법을 택배로 바꾸세요."
REGISTERED_BY = "REGISTPOST"
"""The one courier of 등기: sellers must not mix it up with 우체국택배 (domain.md 2.5)."""
NOT_FOUND = "배송건을 찾을 수 없습니다. 배송번호를 확인하세요."
CHOOSE = "바꾸려면 선택하세요."
NO_WAYBILL = "등록된 송장번호가 없습니다."
RACED = "방금 다른 직원이 같은 송장번호를 등록했습니다. 목록을 새로 고친 뒤 다시 시도하세요."
REPLACED = "다른 송장번호를 바꾼 배송건은 되돌릴 수 없습니다. 이전 송장번호를 다시 입력하세요."
TRIES = 3
CHANGED = "다른 송장번호로 바꿈"

LOOKED_AT = Fields(
    lines=("id", "version", "order_id", "state", "quantity", "open_locks", "hold_reason", "standby_at", "canceled_at",
           "canceled_by"),
    shipments=("id", "version", "order_id", "number", "method", "line_count"),
)  # fmt: skip
"""What registering and deleting numbers look at, with the sentences of their refusals."""

SHIPPED = Fields((*LOOKED_AT.lines, "number", "variant_id", "delivery_method", "shipped_at"), LOOKED_AT.shipments)
"""What leaving looks at besides."""

BEFORE_SHIP = declare("waybill_registered_before_ship", "the numbers are written; 배송중 처리 and the commit are not")


@dataclass(slots=True)
class Registered:
    """송장 등록 결과 by shipment id; `possible` were done unless in a preview, `outcome` holds their lines.

    `warnings` are remarks about numbers that were taken nevertheless; `differs` those refused only because another
    number is registered; `forced` says why others were taken against the courier's rule.
    """

    possible: list[int] = field(default_factory=list)
    unchanged: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    warnings: dict[int, str] = field(default_factory=dict)
    differs: set[int] = field(default_factory=set)
    forced: dict[int, str] = field(default_factory=dict)
    given: dict[int, pool.Given] = field(default_factory=dict)
    """Numbers that a contract of ours gave for these very shipments."""
    outcome: Outcome = field(default_factory=Outcome)


def register_waybills(
    *, entries: Mapping[int, WaybillEntry], actor: Any, at: datetime, batch: Job | None = None, source: str = ""
) -> Registered:
    """송장 등록: one parcel with its number per shipment, holding all lines of the shipment.

    `entries` maps shipment ids to what was typed; numbers are normalised and checked by the courier's rule. Registering
    the same number again is unchanged. Raises Conflict when somebody else took a number at the same moment.
    """
    return _tried(entries, ships=False, actor=actor, at=at, batch=batch, source=source)


def register_and_ship(
    *, entries: Mapping[int, WaybillEntry], actor: Any, at: datetime, batch: Job | None = None, source: str = ""
) -> Registered:
    """송장 등록 and 배송중 처리 of the same shipments in one transaction: both happen or neither (reliability.md F14).

    Shipments whose number was registered before are sent as well. What may not be sent keeps its new number and says
    so in `refused`.
    """
    return _tried(entries, ships=True, actor=actor, at=at, batch=batch, source=source)


def _tried(entries: Mapping[int, WaybillEntry], **facts: Any) -> Registered:
    for _ in range(TRIES):
        try:
            return _register(entries, **facts)
        except IntegrityError as error:
            # Only one reader of a free number can win; the next look finds it taken and refuses that row alone.
            raced = error
    raise Conflict(RACED) from raced


def _register(
    entries: Mapping[int, WaybillEntry], *, ships: bool, actor: Any, at: datetime, **facts: Any
) -> Registered:
    result = Registered()
    facts |= {"actor": actor, "at": at}
    fields = SHIPPED if ships else LOOKED_AT
    with (
        locked_whole(entries.keys(), actor=actor, fields=fields) as rows,
        # Numbers, then the way out: what orders and shipments show of both is written once.
        summing_up_once(OrderLine, at=at) if ships else nullcontext(),
    ):
        numbers = _checked(entries, rows, result)
        old = _replaced(numbers, entries, rows, result)
        if not is_preview():
            result.outcome = _void(old, rows, reason=CHANGED, **facts)
        fresh = [
            pk
            for shipment_id in sorted(numbers)
            for pk in rows.lines_of[shipment_id]
            if is_open(rows.lines[pk]) and (rows.lines[pk].standby_at is None or shipment_id in old)
        ]
        data = {pk: {"waybill": numbers[rows.shipment_of_line[pk]]} for pk in fresh}
        # Lines whose old number was voided a moment ago have moved since they were read.
        held = None if old else rows.lines
        # The parcels come first: the lines' move then sums up each shipment once, with its number.
        made = parcels.insert(numbers, entries, rows, result.given, **facts)
        done = progress.register_waybill(line_ids=fresh, data=data, held=held, **facts)
        result.outcome.merge(done)
        parcels.tell(made, result.forced, **facts)
        refresh_parcels({parcel.shipment_id for parcel in made} - rows.shipments_of(done.moved))
        result.possible = sorted(numbers)
        if ships and not is_preview():
            failpoint(BEFORE_SHIP)
            ready = [*result.possible, *result.unchanged]
            with locked_whole(ready, actor=actor, fields=fields) if old else nullcontext(rows) as now:
                _send(now.leaving(ready), ready, result, **facts)
    gone = entries.keys() - rows.shipments.keys()
    result.refused |= dict.fromkeys(gone, NOT_FOUND) | not_ready(gone)
    return result


def _send(rows: Locked, ready: Collection[int], result: Registered, **facts: Any) -> None:
    """배송중 처리 of what has its number now, this one or from before; what may not leave says so."""
    sent = ship_locked(rows, line_ids=sorted(rows.lines), **facts)
    result.outcome.merge(sent)
    for line_id, reason in sorted(sent.refused.items()):
        result.refused[rows.shipment_of_line[line_id]] = f"배송중으로 바꾸지 못했습니다. {reason}"
    result.possible = sorted(set(ready) - result.refused.keys())
    result.unchanged = []


def _checked(entries: Mapping[int, WaybillEntry], rows: Locked, result: Registered) -> dict[int, str]:
    """Normalised numbers of the entries that nothing speaks against; the others get their reason in `result`."""
    numbers: dict[int, str] = {}
    apart = parted(rows.foreign)
    seen: dict[tuple[str, str], int] = {}
    for pk in sorted(rows.shipments.keys() & entries.keys()):
        entry, shipment = entries[pk], rows.shipments[pk]
        reason = APART if pk in apart else shipment_refusal(shipment, rows, courier=entry.courier)
        courier = COURIERS.get(entry.courier)
        if reason is None and courier is None:
            reason = UnknownCourier(entry.courier[:40]).message
        elif reason is None and courier is not None and not courier.is_active:
            reason = f"{josa(courier.name, '은/는')} 쓰지 않는 택배사입니다. 다른 택배사를 고르세요."
        if reason is not None or courier is None:
            result.refused[pk] = reason or ""
            continue
        verdict = check_waybill(entry.waybill, courier)
        key = (entry.courier, verdict.number)
        if verdict.is_forceable and entry.forced_reason:
            result.forced[pk] = entry.forced_reason
        if verdict.level is WaybillLevel.BLOCK and pk not in result.forced:
            result.refused[pk] = verdict.message
        elif key in seen:
            result.refused[pk] = f"배송번호 {josa(rows.shipments[seen[key]].number, '과/와')} 송장번호가 같습니다."
        else:
            seen[key], numbers[pk] = pk, verdict.number
            if verdict.level is not WaybillLevel.OK:
                result.warnings[pk] = verdict.message
    couriers = {pk: entries[pk].courier for pk in numbers}
    reasons = pool.used_elsewhere(numbers, couriers)
    result.given, of_contracts = pool.given_to(numbers, couriers)
    reasons = of_contracts | reasons
    result.refused |= reasons
    return {pk: number for pk, number in numbers.items() if pk not in reasons}


def shipment_refusal(shipment: Shipment, rows: Locked, *, courier: str) -> str | None:
    """번호를 받을 수 없는 이유 of a locked shipment; None when nothing speaks against a number of the courier."""
    if shipment.method not in TRACKED:
        return NO_WAYBILL_NEEDED
    if shipment.method == DeliveryMethod.REGISTERED and courier != REGISTERED_BY:
        return NOT_REGISTERED_MAIL
    if shipment.pk in rows.torn:
        return TORN
    lines = [line for pk in rows.lines_of[shipment.pk] if is_open(line := rows.lines[pk])]
    if not lines or any(line.state != LineState.READY for line in lines):
        return not_ready([shipment.pk])[shipment.pk]
    return next((text for line in lines if (text := explain(line, OrderLine.register_waybill))), None)


def _replaced(
    numbers: dict[int, str], entries: Mapping[int, WaybillEntry], rows: Locked, result: Registered
) -> dict[int, list[Parcel]]:
    """Parcels that make way for a new number; same numbers are unchanged, other numbers need a person's agreement."""
    old: dict[int, list[Parcel]] = {}
    for pk in sorted(numbers):
        boxes = rows.parcels_of.get(pk, [])
        mine = [parcel for parcel in boxes if parcel.state in LIVE]
        if not mine:
            continue
        if any((parcel.courier, parcel.waybill) == (entries[pk].courier, numbers[pk]) for parcel in mine):
            result.unchanged.append(pk)
            del numbers[pk]
        elif entries[pk].replaces:
            # A further box that waits for its number goes as well: what lies in it is in the new one.
            old[pk] = [*mine, *(parcel for parcel in boxes if parcel.state == ParcelState.CREATED)]
        else:
            result.refused[pk] = f"이미 등록된 송장번호 {josa(mine[0].waybill, '과/와')} 다릅니다. {CHOOSE}"
            result.differs.add(pk)
            del numbers[pk]
    return old


def void_waybills(
    *, line_ids: Collection[int], actor: Any, at: datetime, reason: str, batch: Job | None = None, source: str = ""
) -> Outcome:
    """송장 삭제: all live parcels of the lines' shipments end; a voided number is never given out again by us (T10)."""
    line_ids = lines_of_whole_shipments(line_ids)
    with locked_shipments(line_ids, actor=actor, fields=LOOKED_AT) as rows:
        return _void_whole(line_ids, rows, actor=actor, at=at, batch=batch, source=source, reason=reason)


def _void_whole(line_ids: Collection[int], rows: Locked, **facts: Any) -> Outcome:
    """송장 삭제 of the shipments of these lines among the locked ones."""
    asked = {rows.shipment_of_line.get(pk) for pk in line_ids}
    waits = {ParcelState.NUMBERED, ParcelState.PRINTED}
    numbered = {p.shipment_id for p in rows.parcels if p.state in waits and p.shipment_id in asked}
    without = [pk for pk in line_ids if rows.shipment_of_line.get(pk) not in numbered]
    outcome = Outcome(refused=dict.fromkeys(without, NO_WAYBILL))
    return outcome.merge(_void({pk: rows.parcels_of[pk] for pk in numbered}, rows, **facts))


def undo_registration(
    *, shipment_ids: Collection[int], actor: Any, at: datetime, batch: Job | None, reason: str
) -> Outcome:
    """송장 등록 되돌리기: take sent shipments back, then void the numbers; one that replaced another stays (T9, T10).

    The outcome names shipments in `refused` and `possible`, and holds the changes of lines and shipments.
    """
    facts: dict[str, Any] = {"actor": actor, "at": at, "batch": batch, "reason": reason}
    with transaction.atomic():
        line_ids = lines_of(shipment_ids)
        with locked_shipments(line_ids, actor=actor, fields=LOOKED_AT) as rows:
            replaced = _replaced_by(batch, rows)
            good = [pk for pk in rows.shipments if pk not in replaced]
            before = {pk: rows.shipments[pk].version for pk in good}
            mine = [pk for shipment_id in good for pk in rows.lines_of[shipment_id]]
            sent = [pk for pk in mine if rows.lines[pk].state != LineState.READY]
            outcome = unship(line_ids=sent, **facts) if sent else Outcome()
            rest = {pk for pk in mine if pk not in outcome.refused and not (is_preview() and pk in sent)}
            # What came back has moved since it was read.
            outcome.merge(void_waybills(line_ids=rest, **facts) if sent else _void_whole(rest, rows, **facts))
            owner = rows.shipment_of_line
            reasons = {owner[pk]: text for pk, text in sorted(outcome.refused.items()) if pk in owner}
            outcome.refused = reasons | dict.fromkeys(replaced, REPLACED)
            outcome.possible = [rows.shipments[pk] for pk in good if pk not in reasons]
            if not is_preview():
                for shipment in outcome.possible:
                    outcome.changes.append(Change(shipment, "", "", before[shipment.pk] + 1))
        return outcome


def _replaced_by(batch: Job | None, rows: Locked) -> set[int]:
    """Shipments whose earlier number the undone batch had voided: nobody can bring that one back."""
    if batch is None or batch.undoes_id is None:
        return set()
    # By their orders: the whole batch would be read again for each chunk.
    mine = event_model().objects.filter(Among("order_id", {s.order_id for s in rows.shipments.values()}))
    voided = mine.filter(batch_id=batch.undoes_id, kind=events.PARCEL_VOIDED.code, subject="parcel")
    parcels = Parcel.objects.filter(pk__in=voided.values("subject_id"), shipment__in=rows.shipments)
    return set(parcels.values_list("shipment_id", flat=True))


def _void(
    parcels: Mapping[int, list[Parcel]], rows: Locked, *, actor: Any, at: datetime, reason: str, **facts: Any
) -> Outcome:
    if not parcels:
        return Outcome()
    line_ids = [pk for shipment_id in parcels for pk in rows.lines_of[shipment_id] if is_open(rows.lines[pk])]
    free = rows.shipments_of(rows.lines[pk] for pk in line_ids if not explain(rows.lines[pk], OrderLine.void_waybill))
    ending = {*LIVE, ParcelState.CREATED}
    live = [p for pk in sorted(parcels) if pk in free for p in parcels[pk] if p.state in ending]
    # The parcels end first: the lines' move then sums up each shipment once, without their numbers.
    ended = move(live, Parcel.void, at=at)
    outcome = progress.void_waybill(line_ids=line_ids, actor=actor, at=at, reason=reason, held=rows.lines, **facts)
    record(ended, events.PARCEL_VOIDED, at=at, actor=actor, reason=reason, **facts)
    refresh_parcels([] if is_preview() else free - rows.shipments_of(outcome.moved))
    # The label with the old address is dead now, so the address no longer stops the shipment.
    if addressed := [line.pk for line in outcome.moved if line.open_locks & LOCK_BIT[LockKind.ADDRESS]]:
        release_lock(line_ids=addressed, kind=LockKind.ADDRESS, actor=actor, at=at, reason="송장 삭제")
    return outcome
