"""주소 변경 뒤의 송장: a label with the old address ends visibly, its number is not used again (domain.md 5 row 13)."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db.models import F

from core.events import event_model
from core.state import Outcome
from orders.models import OrderLine
from orders.states import LOCK_BIT, LineState, LockKind
from shipping import events
from shipping.models import Parcel
from shipping.services.numbers.waybills import void_waybills
from shipping.states import Direction, ParcelState

REASON = "배송지 변경"
TOLD = "주소가 바뀌어 송장을 삭제했습니다. 다시 출력하세요."


def void_readdressed(*, order_id: int, actor: Any, at: datetime) -> Outcome:
    """송장 삭제 for a changed address: the numbers of lines that still wait under an ADDRESS lock.

    The lock tells that the registered number is for the old address: once somebody has replaced the number, or the
    lines have left, there is nothing to do, however late or often this runs.
    """
    waiting = OrderLine.objects.filter(order=order_id, state=LineState.READY, standby_at__isnull=False)
    locked = waiting.annotate(bit=F("open_locks").bitand(LOCK_BIT[LockKind.ADDRESS])).filter(bit__gt=0)
    ids = list(locked.order_by("pk").values_list("pk", flat=True))
    if not ids:
        return Outcome()
    return void_waybills(line_ids=ids, actor=actor, at=at, reason=REASON)


def readdressed(shipment_ids: Collection[int]) -> set[int]:
    """주소가 바뀌어 송장이 없는 배송건: their last number was deleted for a changed address and none came since."""
    mine = Parcel.objects.filter(shipment__in=list(shipment_ids), direction=Direction.OUT)
    last: dict[int, int] = {}
    live: set[int] = set()
    for pk, shipment_id, state in mine.order_by("pk").values_list("pk", "shipment_id", "state"):
        last[shipment_id] = pk
        if state != ParcelState.VOID:
            live.add(shipment_id)
    void = {pk: shipment_id for shipment_id, pk in last.items() if shipment_id not in live}
    if not void:
        return set()
    told = event_model().objects.filter(subject="parcel", subject_id__in=list(void), reason=REASON)
    return {void[pk] for pk in told.filter(kind=events.PARCEL_VOIDED.code).values_list("subject_id", flat=True)}
