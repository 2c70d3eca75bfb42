"""전달 시작: what a shipment without courier gets when it leaves, and the history of its hand-over."""

from collections.abc import Collection, Iterable
from typing import Any

from core.events import record
from core.settings_registry import get_setting
from core.state import Change, Outcome
from shipping.models import Handover, Shipment
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


def wrong_method(shipment: Shipment, wanted: Collection[str]) -> str:
    """맞지 않는 배송방법: why an act does not fit the shipment; empty when it does."""
    if shipment.method in wanted:
        return ""
    names = "·".join(DeliveryMethod(one).label for one in wanted)
    return f"{names} 배송건만 처리할 수 있습니다. 이 배송건은 {DeliveryMethod(shipment.method).label}입니다."


def note(shipments: Collection[Shipment], kind: Any, **facts: Any) -> list[Change]:
    """이력 남기기: an event of each locked shipment, with its next version."""
    for one in shipments:
        one.version += 1
    Shipment.objects.bulk_update(shipments, ["version"])
    changes = [Change(one, "", "", one.version) for one in shipments]
    record(Outcome(changes=changes), kind, **facts)
    return changes
