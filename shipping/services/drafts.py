"""임시 송장: what was typed or pasted into the list and is not registered yet; colleagues see it (ux.md 3.2)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from core.exceptions import DomainError
from shipping.couriers import COURIERS, Courier, find_courier
from shipping.models import Parcel, Shipment, ShipmentStep, WaybillDraft
from shipping.models.parcel import LIVE
from shipping.services.keys import resolve
from shipping.services.refusals import not_ready
from shipping.services.waybills import NO_WAYBILL_NEEDED, NOT_FOUND, WaybillEntry
from shipping.states import DeliveryMethod
from shipping.waybills import WaybillLevel, check_waybill

NO_COURIER = "택배사를 먼저 고르세요."
MOST_LINES = 1000


class DraftRefused(DomainError):
    """임시 송장 거절: the number cannot be kept; the message goes below the cell."""

    code = "draft_refused"
    status = 422


@dataclass(slots=True)
class Pasted:
    """붙여넣기 결과: how many cells were filled, and how many lines were not, by reason."""

    filled: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    def refuse(self, reason: str) -> None:
        """Count one line that was not taken."""
        self.reasons[reason] = self.reasons.get(reason, 0) + 1


def save_draft(*, shipment_id: int, courier: str, text: str, actor: Any, at: datetime) -> tuple[Shipment, str, str]:
    """임시 저장: keep what was typed for a shipment; an empty text or the registered number takes the draft away.

    Returns the shipment, the clean number and a remark (empty when there is none). Raises DraftRefused.
    """
    shipment = Shipment.objects.filter(pk=shipment_id).first()
    if shipment is None:
        raise DraftRefused(NOT_FOUND)
    known = COURIERS.get(courier)
    if not text.strip():
        WaybillDraft.objects.filter(shipment=shipment).delete()
        return shipment, "", ""
    if known is None:
        raise DraftRefused(NO_COURIER)
    number, remark = _judged(shipment, known, text)
    _keep({shipment.pk: (known.slug, number)}, actor=actor, at=at)
    return shipment, number, remark


def _judged(shipment: Shipment, courier: Courier, text: str) -> tuple[str, str]:
    if shipment.step != ShipmentStep.READY:
        raise DraftRefused(not_ready([shipment.pk]).get(shipment.pk, NOT_FOUND))
    if shipment.method != DeliveryMethod.PARCEL:
        raise DraftRefused(NO_WAYBILL_NEEDED)
    verdict = check_waybill(text, courier)
    if verdict.level is WaybillLevel.BLOCK:
        raise DraftRefused(verdict.message)
    used = Parcel.objects.filter(courier=courier.slug, waybill=verdict.number, state__in=LIVE)
    rival = used.exclude(shipment=shipment).select_related("shipment__order").first()
    if rival is not None:
        raise DraftRefused(f"다른 주문 {rival.shipment.order.number}에서 쓰고 있는 송장번호입니다.")
    return verdict.number, verdict.message


def _keep(numbers: Mapping[int, tuple[str, str]], *, actor: Any, at: datetime) -> None:
    """Store drafts, without those that say what is registered already."""
    shipments = Shipment.objects.in_bulk(list(numbers))
    same = [pk for pk, row in shipments.items() if (row.courier, row.waybill) == numbers[pk]]
    WaybillDraft.objects.filter(shipment__in=same).delete()
    WaybillDraft.objects.bulk_create(
        [
            WaybillDraft(shipment_id=pk, courier=courier, text=number, author=actor, saved_at=at)
            for pk, (courier, number) in sorted(numbers.items())
            if pk in shipments and pk not in same
        ],
        update_conflicts=True,
        unique_fields=["shipment"],
        update_fields=["courier", "text", "author", "saved_at"],
    )


def paste(
    *, lines: Sequence[Sequence[str]], listed: Mapping[int, Any] | None, default_courier: str, actor: Any, at: datetime
) -> Pasted:
    """붙여넣기: keep the numbers of a pasted range as drafts, found by their key, never by their place.

    A line is (key, number) or (key, courier, number). `listed` holds the ids of the shipments on the list; None takes
    all that wait. Nothing changes state.
    """
    if len(lines) > MOST_LINES:
        raise DraftRefused(f"한 번에 {MOST_LINES:,}줄까지 붙여 넣을 수 있습니다. 나누어 붙여 넣으세요.")
    pasted = Pasted()
    numbers: dict[int, tuple[str, str]] = {}
    found = resolve({line[0] for line in lines if len(line) > 1})
    shipments = Shipment.objects.in_bulk(list(set(found.shipments.values())))
    for line in lines:
        shipment = shipments.get(found.shipments.get(line[0], 0)) if len(line) > 1 else None
        if shipment is None or (listed is not None and shipment.pk not in listed):
            pasted.refuse("이 목록에 없는 주문")
            continue
        courier = find_courier(line[1]) if len(line) > 2 and line[1].strip() else COURIERS.get(default_courier)
        if not isinstance(courier, Courier):
            pasted.refuse("알 수 없는 택배사")
            continue
        try:
            number, _ = _judged(shipment, courier, line[-1])
        except DraftRefused as refused:
            pasted.refuse("다른 주문에서 쓰는 번호" if "쓰고 있는" in refused.message else "형식 오류")
            continue
        if (courier.slug, number) in numbers.values():
            pasted.refuse("같은 번호")
            continue
        numbers[shipment.pk] = (courier.slug, number)
    _keep(numbers, actor=actor, at=at)
    pasted.filled = len(numbers)
    return pasted


def drafted_entries(shipment_ids: Collection[int]) -> dict[int, WaybillEntry]:
    """등록할 임시 송장: entries of the shipments that have a draft.

    A draft that was written after another number was registered was typed over that number: it may replace it.
    """
    drafts = WaybillDraft.objects.filter(shipment__in=shipment_ids)
    newest: dict[int, datetime] = {}
    live = Parcel.objects.filter(shipment__in=shipment_ids, state__in=LIVE, numbered_at__isnull=False)
    for shipment_id, numbered_at in live.order_by("numbered_at").values_list("shipment_id", "numbered_at"):
        if numbered_at is not None:
            newest[shipment_id] = numbered_at
    return {
        draft.pk: WaybillEntry(draft.courier, draft.text, draft.pk in newest and draft.saved_at > newest[draft.pk])
        for draft in drafts
    }
