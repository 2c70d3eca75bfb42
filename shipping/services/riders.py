"""전달 시작: what a shipment without courier gets when it leaves, and the history of its hand-over."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from django.db.models import Q

from core.bulk import update_rows
from core.events import record
from core.lookups import Among
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


def renew(shipments: Iterable[Shipment], *, at: datetime) -> None:
    """새 출발: what leaves once more gets another code or link where the one before was used up or closed.

    The news of leaving carries the new one; whoever was registered as its rider stays.
    """
    mine = [one.pk for one in shipments if one.method in HANDED]
    if not mine:
        return
    used = Q(tries__gt=0) | Q(link_used_at__isnull=False)
    spent = list(Handover.objects.filter(used, Among("shipment_id", mine)).order_by("pk"))
    for row in spent:
        row.seal, row.tries, row.link_used_at, row.received_by, row.updated_at = new_seal(), 0, None, "", at
    update_rows(spent, ["seal", "tries", "link_used_at", "received_by", "updated_at"])


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
