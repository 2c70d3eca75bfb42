"""Lines that came back to 배송중 while all their boxes are already with the buyer."""

from collections.abc import Collection
from datetime import datetime

from core.models import Source
from core.state import Outcome
from orders.services import progress
from orders.states import DeliveredBy, LineState
from shipping.models import ParcelLine
from shipping.services.shipments import locked_shipments
from shipping.states import Direction, ParcelState


def deliver_arrived(*, line_ids: Collection[int], at: datetime) -> Outcome:
    """배송완료 처리 of lines on the way whose boxes arrived while they were confirmed; the others stay as they are.

    The courier proves no parcel twice, so nobody else would deliver them. Source: domain.md T13, T16.
    """
    with locked_shipments(line_ids) as rows:
        out = {parcel.pk: parcel for parcel in rows.parcels if parcel.direction == Direction.OUT}
        boxes: dict[int, set[int]] = {}
        for line_id, parcel_id in ParcelLine.objects.filter(parcel__in=out).values_list("line_id", "parcel_id"):
            boxes.setdefault(line_id, set()).add(parcel_id)
        at_buyer = {pk: p.delivered_at for pk, p in out.items() if p.state == ParcelState.DELIVERED and p.delivered_at}
        complete = {
            pk: max(at_buyer[box] for box in boxes[pk])
            for pk, line in rows.lines.items()
            if line.state == LineState.SHIPPING and boxes.get(pk) and boxes[pk] <= at_buyer.keys()
        }
        if not complete:
            return Outcome()
        return progress.deliver(delivered_at=complete, by=DeliveredBy.TRACKER, actor=None, at=at, source=Source.COURIER)
