"""송장 출력: numbered boxes get their label; the same number again is counted and says so on the paper.

Refused: no number, a method without courier, held, cancel request, changed address, and CJ without a sort code, whose
label no machine could sort. Source: shipping.md 6.1, A15, A17; domain.md 5 row 13, A11.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from core.calendar import short
from core.events import event_model, record
from core.failpoints import declare, failpoint
from core.jobs.history import who_did
from core.lookups import id_array
from core.models import Job
from core.settings_registry import get_setting, get_settings
from core.state import Change, Outcome, is_preview, move
from orders.states import CLOSED, LOCK_BIT, LOCK_TEXT, LockKind, blocking
from shipping import events
from shipping.couriers import courier_name
from shipping.models import Parcel, PrintBatch, PrintItem, PrintKind, Shipment
from shipping.services.printing.batches import add_items, batch_for, sort_keys
from shipping.services.shipments import Locked, locked_whole
from shipping.states import TRACKED, Direction, ParcelState

NO_NUMBER = "송장번호가 없습니다. 송장을 먼저 등록하거나 채번하세요."
NOT_NEEDED = "송장이 필요 없는 배송방법입니다."
NOT_FOUND = "송장을 찾을 수 없습니다. 목록을 새로 고치세요."
VOIDED = "삭제된 송장입니다. 새 송장번호로 출력하세요."
GONE = "이미 출고한 송장이라 출력할 수 없습니다."
ADDRESS = "주소가 바뀌었습니다. 송장을 다시 등록한 뒤 출력하세요."
NO_SORT_CODE = "{courier} 분류코드가 없어 출력할 수 없습니다. 설정의 송장 번호에 {courier} API 계약을 등록하세요."
ROUTING = "{courier}에 분류코드를 묻고 있습니다. 잠시 뒤 다시 출력하세요."
NOT_SORTED = "{courier}에서 분류코드를 받지 못했습니다. 주소를 확인하세요. {error}"
SHOPS = "shop"
"""A person's own paper is the shop's."""
PRINTABLE = frozenset({ParcelState.NUMBERED, ParcelState.PRINTED})

BEFORE_BATCH = declare("labels_printed_before_batch", "the parcels are 송장 출력; their batch and the commit are not")


@dataclass(slots=True)
class Printed:
    """송장 출력 결과: `outcome` holds the parcels, `possible` and `refused` tell of shipments where a list asks."""

    outcome: Outcome = field(default_factory=Outcome)
    shipments: dict[int, Shipment] = field(default_factory=dict)
    batch: PrintBatch | None = None


def print_labels(
    *,
    parcel_ids: Collection[int],
    paper: str,
    actor: Any,
    at: datetime,
    batch: Job | None = None,
    key: UUID | None = None,
    reason: str = "",
) -> Printed:
    """송장 출력: the parcels move to 송장 출력 and lie in one PrintBatch; printed ones need a `reason`.

    `batch` is the act, `key` the request outside of one: the same again adds nothing. `paper` empty means the person's
    own, else the shop's. `outcome.possible` and `.refused` name parcels.
    """
    with transaction.atomic():
        if key is not None and (known := PrintBatch.objects.filter(key=key).first()) is not None:
            return Printed(batch=known)
        wanted = dict(Parcel.objects.filter(pk__in=list(parcel_ids)).values_list("pk", "shipment_id"))
        result = Printed()
        result.outcome.refused = dict.fromkeys(set(parcel_ids) - wanted.keys(), NOT_FOUND)
        with locked_whole(set(wanted.values()), actor=actor) as rows:
            # Looked at again under the lock: of two requests with the same key one finds the other's batch.
            if key is not None and (known := PrintBatch.objects.filter(key=key).first()) is not None:
                return Printed(batch=known)
            result.shipments = rows.shipments
            good = _judge(wanted, rows, result.outcome, reason=reason)
            result.outcome.possible = good
            if is_preview() or not good:
                return result
            copies = _count(good, result.outcome, at=at)
            data = {p.pk: {"copy": copies[p.pk], "waybill": p.waybill} for p in good}
            record(result.outcome, events.PARCEL_PRINTED, at=at, actor=actor, batch=batch, reason=reason, data=data)
            failpoint(BEFORE_BATCH)
            facts: dict[str, Any] = {"actor": actor, "at": at, "job": batch, "key": key, "reason": reason}
            result.batch = batch_for(kind=PrintKind.LABEL, paper=paper_for(actor, paper), **facts)
            numbers = {pk: shipment.number for pk, shipment in rows.shipments.items()}
            keys = sort_keys({p.shipment_id for p in good}, numbers=numbers)
            add_items(result.batch, (_item(result.batch, p, keys[p.shipment_id], copies[p.pk]) for p in good))
    return result


def printable_parcels(shipment_ids: Collection[int]) -> dict[int, list[int]]:
    """출력할 송장: ids of the numbered parcels that go out, by shipment; one query."""
    found: dict[int, list[int]] = {}
    rows = Parcel.objects.filter(shipment__in=list(shipment_ids), state__in=PRINTABLE, direction=Direction.OUT)
    for pk, shipment_id in rows.order_by("seq", "pk").values_list("pk", "shipment_id"):
        found.setdefault(shipment_id, []).append(pk)
    return found


def without_number(shipment_ids: Collection[int]) -> dict[int, str]:
    """송장번호 없음: the sentence for shipments without a box that could be printed."""
    rows = dict(Shipment.objects.filter(pk__in=list(shipment_ids)).values_list("pk", "method"))
    text = {pk: NO_NUMBER if method in TRACKED else NOT_NEEDED for pk, method in rows.items()}
    return {pk: text.get(pk, NOT_FOUND) for pk in shipment_ids}


def paper_for(actor: Any, paper: str) -> str:
    """용지: what was chosen, else the person's own, else the shop's."""
    own = actor.prefs.get("label_paper", SHOPS) if actor is not None else SHOPS
    return paper or (own if own != SHOPS else str(get_setting("label_paper")))


def _item(batch: PrintBatch, parcel: Parcel, key: str, copy: int) -> PrintItem:
    return PrintItem(
        batch=batch, shipment_id=parcel.shipment_id, parcel=parcel, sort_key=f"{key}|{parcel.seq:03d}"[:200],
        copy=copy, is_reprint=copy > 1,
    )  # fmt: skip


def _judge(wanted: dict[int, int], rows: Locked, outcome: Outcome, *, reason: str) -> list[Parcel]:
    """Parcels that nothing speaks against; the others get their reason in `outcome`."""
    parcels = {parcel.pk: parcel for parcel in rows.parcels}
    by_shipment = {pk: refusal_of_shipment(rows, pk) for pk in set(wanted.values())}
    needed = set(get_settings("sort_code_couriers")["sort_code_couriers"])
    unsorted = _without_sort_code(wanted, needed)
    good, printed = [], []
    for pk, shipment_id in sorted(wanted.items()):
        parcel = parcels.get(pk)
        text = VOIDED if parcel is None else _refusal(parcel) or by_shipment[shipment_id]
        text = text or unsorted.get(pk, "")
        if text:
            outcome.refused[pk] = text
        elif parcel is not None and parcel.printed_count and not reason:
            printed.append(parcel)
        elif parcel is not None:
            good.append(parcel)
    outcome.refused |= _already(printed)
    return good


def _without_sort_code(parcel_ids: Collection[int], couriers: Collection[str]) -> dict[int, str]:
    """Why boxes of these couriers cannot be sorted: nobody can be asked, it is being asked, or it was refused."""
    rows = Parcel.objects.filter(pk__in=list(parcel_ids), courier__in=list(couriers))
    found = {}
    for pk, courier, routing, route_at in rows.values_list("pk", "courier", "routing", "route_at"):
        told = routing or {}
        if not told.get("sort_code"):
            text = ROUTING if route_at else NOT_SORTED if told else NO_SORT_CODE
            found[pk] = text.format(courier=courier_name(courier), error=told.get("error", "")).strip()
    return found


def _refusal(parcel: Parcel) -> str:
    if parcel.state in PRINTABLE:
        return "" if parcel.waybill else NO_NUMBER
    return NO_NUMBER if parcel.state == ParcelState.CREATED else GONE


def refusal_of_shipment(rows: Locked, shipment_id: int) -> str:
    """출력할 수 없는 까닭: what stops a whole shipment, empty when nothing does."""
    shipment = rows.shipments.get(shipment_id)
    if shipment is None:
        return NOT_FOUND
    if shipment.method not in TRACKED:
        return NOT_NEEDED
    lines = [line for pk in rows.lines_of[shipment_id] if (line := rows.lines[pk]).state not in CLOSED]
    for line in lines:
        lock = blocking(line.open_locks, "register_waybill")
        if lock:
            return LOCK_TEXT[lock].format(self=line)
        if line.open_locks & LOCK_BIT[LockKind.ADDRESS]:
            return ADDRESS
    return "" if lines else VOIDED


def _already(parcels: Collection[Parcel]) -> dict[int, str]:
    """이미 출력: who printed each of them last, and how to print it once more."""
    if not parcels:
        return {}
    ids = [parcel.pk for parcel in parcels]
    told = event_model().objects.filter(subject="parcel", subject_id__in=ids, kind=events.PARCEL_PRINTED.code)
    newest = {event.subject_id: event for event in told.select_related("actor").order_by("id")}
    who = {pk: f"{short(event.at)}에 {who_did(event)} " for pk, event in newest.items()}
    text = "이미 출력한 송장입니다. 한 장 더 필요하면 '송장 다시 출력'을 누르세요."
    return {pk: f"{who.get(pk, '')}{text}" for pk in ids}


_AGAIN = """
UPDATE shipping_parcel SET printed_count = printed_count + 1, printed_at = %s, version = version + 1
WHERE id = ANY(%s::bigint[]) RETURNING id, printed_count, version
"""


def _count(good: list[Parcel], outcome: Outcome, *, at: datetime) -> dict[int, int]:
    """Move the numbered ones, count the printed ones; which copy each label is."""
    first = move([p for p in good if p.state == ParcelState.NUMBERED], Parcel.print_label, at=at)
    outcome.changes += first.changes
    copies = {parcel.pk: parcel.printed_count for parcel in first.moved}
    again = {parcel.pk: parcel for parcel in good if parcel.pk not in copies}
    if again:
        with connection.cursor() as cursor:
            cursor.execute(_AGAIN, [at, id_array(again)])
            for pk, count, version in cursor.fetchall():
                copies[pk] = count
                # One more copy is a step of its history that leaves it where it is (INV-01).
                outcome.changes.append(Change(again[pk], again[pk].state, again[pk].state, version))
    return copies
