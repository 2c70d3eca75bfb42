"""추가 상자 채번: a further box of a shipment and its number, for the packing bench."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from core import drains
from core.locks import queueing
from core.models import Job
from shipping.models import Parcel, Shipment
from shipping.models.parcel import WAITS
from shipping.services.issuing.issue import ASKED, ON_ITS_WAY, usable
from shipping.services.issuing.ranges import EXHAUSTED, take_numbers, warn_when_low
from shipping.services.numbers import boxes, pool
from shipping.services.numbers.boxes import BoxRefused
from shipping.services.numbers.waybills import LOOKED_AT
from shipping.services.shipments import locked_whole
from shipping.states import Direction, NumberState


def add_box(
    *, shipment_id: int, contents: Mapping[int, int], contract_id: int | None, actor: Any, at: datetime,
    batch: Job | None = None, nth: int | None = None,
) -> Parcel | None:  # fmt: skip
    """상자 추가: a further box with these units by line id, moved out of the first box, and its number.

    `nth` is which one of the shipment's boxes it is to be: None when somebody else has added that one meanwhile.

    From a range the box is NUMBERED when this returns; from an API it is CREATED until the courier has answered, and
    the shipment does not leave before. Raises BoxRefused, CannotIssue; then nothing has changed.
    """
    contract = usable(contract_id)
    with queueing(), locked_whole([shipment_id], actor=actor, fields=LOOKED_AT) as rows:
        there = [one for one in rows.parcels if one.direction == Direction.OUT and one.state in WAITS]
        if nth is not None and len(there) >= nth:
            return None
        if pool.open_numbers([shipment_id]):
            raise BoxRefused(ASKED)
        box = boxes.make_box(rows, shipment_id=shipment_id, contents=contents, actor=actor, at=at, batch=batch)
        taken = [] if contract.is_api else take_numbers(contract=contract, count=1, at=at)
        if not taken and not contract.is_api:
            raise BoxRefused(EXHAUSTED)
        state = NumberState.REQUESTED if contract.is_api else NumberState.RESERVED
        [(number_id, *_)] = pool.insert(
            contract=contract, shipment_ids=[shipment_id], numbers=[one.number for one in taken] or [""],
            ranges=[one.range_id for one in taken] or [None], parcels={shipment_id: box.pk}, state=state,
            actor=actor, at=at, batch=batch,
        )  # fmt: skip
        if contract.is_api:
            Shipment.objects.filter(pk=shipment_id).update(issuing=ON_ITS_WAY)
            drains.notify(pool.CHANNEL)
            return box
        box = boxes.number_box(number_id=number_id, actor=actor, at=at, batch=batch)
    warn_when_low(contract, at=at)
    return box
