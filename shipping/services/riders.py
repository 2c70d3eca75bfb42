"""전달 시작: what a shipment without courier gets when it leaves, its rider, and the news that it can be fetched."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from django.db.models import Q

from core.events import record
from core.lookups import Among
from core.models import Job
from core.settings_registry import get_setting
from core.state import Change, Outcome, is_preview
from shipping import events
from shipping.models import Handover, Shipment, ShipmentStep
from shipping.services.seals import new_seal
from shipping.states import DeliveryMethod

HANDED = (DeliveryMethod.QUICK, DeliveryMethod.VISIT, DeliveryMethod.DIRECT)
"""Methods that a person ends."""


def begin(shipments: Iterable[Shipment], *, actor: Any) -> None:
    """전달 준비: a row for each of these that has none; who sends a 직접전달 is in charge until somebody else is."""
    mine = [one for one in shipments if one.method in HANDED]
    if not mine:
        return
    place = str(get_setting("pickup_place"))
    name = getattr(actor, "display_name", "")
    Handover.objects.bulk_create(
        [
            Handover(
                shipment=one,
                seal=new_seal(),
                place=place if one.method == DeliveryMethod.VISIT else "",
                carried_by=name if one.method == DeliveryMethod.DIRECT else "",
            )
            for one in mine
        ],
        ignore_conflicts=True,
    )


def renew(shipments: Iterable[Shipment]) -> None:
    """새 출발: what leaves once more gets another code or link where the one before was used up or closed.

    The news of leaving carries the new one; whoever was registered as its rider stays.
    """
    mine = [one.pk for one in shipments if one.method in HANDED]
    spent = Handover.objects.filter(Among("shipment_id", mine)).filter(Q(tries__gt=0) | Q(link_used_at__isnull=False))
    for row in spent.order_by("pk") if mine else ():
        row.seal, row.tries, row.link_used_at, row.received_by = new_seal(), 0, None, ""
        row.save(update_fields=["seal", "tries", "link_used_at", "received_by", "updated_at"])


def wrong_method(shipment: Shipment, wanted: Collection[str]) -> str:
    """맞지 않는 배송방법: why an act does not fit the shipment; empty when it does."""
    if shipment.method in wanted:
        return ""
    names = "·".join(DeliveryMethod(one).label for one in wanted)
    return f"{names} 배송건만 처리할 수 있습니다. 이 배송건은 {DeliveryMethod(shipment.method).label}입니다."


def register_rider(
    *,
    shipments: Collection[Shipment],
    carried_by: str,
    phone: str,
    actor: Any,
    at: datetime,
    batch: Job | None = None,
    source: str = "",
) -> Outcome:
    """배차 등록: who carries locked shipments of 퀵 or 직접전달, from now on; a link given to somebody before ends."""
    good, outcome = _fitting(shipments, (DeliveryMethod.QUICK, DeliveryMethod.DIRECT))
    if good and not is_preview():
        begin(good, actor=actor)
        for row in Handover.objects.filter(Among("shipment_id", [one.pk for one in good])).order_by("pk"):
            row.carried_by, row.phone, row.dispatched_at = carried_by, phone, at
            row.seal, row.link_used_at = new_seal(), None
            row.save()
        outcome.changes = note(good, events.SHIPMENT_DISPATCHED, at=at, actor=actor, batch=batch, source=source)
    return outcome


def tell_again(
    *, shipments: Collection[Shipment], actor: Any, at: datetime, batch: Job | None = None, source: str = ""
) -> Outcome:
    """준비 완료 알림 다시: a new pick-up code for locked shipments of 방문수령 in 배송중; the one before ends."""
    good, outcome = _fitting(shipments, (DeliveryMethod.VISIT,))
    for one in good:
        if one.step != ShipmentStep.SHIPPING:
            outcome.refused[one.pk] = f"배송중 배송건이 아닙니다. 지금 상태: {ShipmentStep(one.step).label}"
    good = [one for one in good if one.pk not in outcome.refused]
    outcome.possible = [*good]
    if good and not is_preview():
        begin(good, actor=actor)
        for row in Handover.objects.filter(Among("shipment_id", [one.pk for one in good])).order_by("pk"):
            row.seal, row.tries = new_seal(), 0
            row.save(update_fields=["seal", "tries", "updated_at"])
        outcome.changes = note(good, events.SHIPMENT_PICKUP_TOLD, at=at, actor=actor, batch=batch, source=source)
    return outcome


def _fitting(shipments: Collection[Shipment], wanted: Collection[str]) -> tuple[list[Shipment], Outcome]:
    outcome = Outcome(refused={one.pk: text for one in shipments if (text := wrong_method(one, wanted))})
    good = [one for one in shipments if one.pk not in outcome.refused]
    outcome.possible = [*good]
    return good, outcome


def note(shipments: Collection[Shipment], kind: Any, **facts: Any) -> list[Change]:
    """이력 남기기: an event of each locked shipment, with its next version."""
    for one in shipments:
        one.version += 1
    Shipment.objects.bulk_update(shipments, ["version"])
    changes = [Change(one, "", "", one.version) for one in shipments]
    record(Outcome(changes=changes), kind, **facts)
    return changes
