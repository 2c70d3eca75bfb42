"""재발송: goods whose boxes came back or were lost leave once more, under a new 배송번호 and a new number.

The old shipment keeps its boxes and what couriers told of them. Source: shipping.md 3.4 (RETURNED, lost).
"""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Any

from core.lookups import Among
from core.models import Job
from core.state import Outcome
from orders.models import OrderLine
from orders.services import resending
from orders.states import LineState
from shipping.models import ParcelLine, ShipmentLine
from shipping.rollup import close_empty, roll_up_shipments
from shipping.services.shipments import Locked, create_shipments_of, locked_whole
from shipping.states import Direction, ParcelState

STILL_OUT = "아직 돌아오지도 분실 처리되지도 않은 상자에 든 품목입니다. 상자를 먼저 확인하세요."
TWO_WAYS = (
    "돌아온 상자와 잃어버린 상자에 나눠 담은 품목이라 함께 재발송할 수 없습니다. "
    "돌아온 수량은 재고 조정으로 넣고, 다시 보낼 상품은 주문 직접 등록으로 보내세요."
)
NOT_ON_THE_WAY = "배송중인 품목만 재발송할 수 있습니다. 지금 상태: {state}"
GONE = frozenset({ParcelState.RETURNED, ParcelState.LOST})


def resend(
    *, shipment_ids: Collection[int], actor: Any, at: datetime, reason: str, batch: Job | None = None
) -> Outcome:
    """재발송 준비: lines of these shipments all of whose boxes came back, or all of whose were lost, are 배송준비중.

    Lines whose boxes are still out stay where they are. The outcome holds lines; with none that could go at all, each
    has its reason. What is to be canceled or refunded instead waits for the claims, which this program does not have
    yet.
    """
    with locked_whole(shipment_ids, actor=actor) as rows:
        back, lost, refused = _fates(rows)
        outcome = resending.resend(came_back=back, lost=lost, actor=actor, at=at, reason=reason, batch=batch)
        outcome.refused |= refused
        if outcome.moved:
            ShipmentLine.objects.filter(Among("line_id", outcome.moved_ids), is_live=True).update(is_live=False)
            left = rows.shipments_of(outcome.moved)
            roll_up_shipments(left)
            close_empty(left)
            by_order: dict[int, list[OrderLine]] = defaultdict(list)
            for line in outcome.moved:
                by_order[line.order_id].append(line)
            create_shipments_of(by_order)
    return outcome


def _fates(rows: Locked) -> tuple[set[int], set[int], dict[int, str]]:
    """Lines that came back, lines that were lost, and why the others cannot go again."""
    boxes: dict[int, set[str]] = defaultdict(set)
    states = {parcel.pk: parcel.state for parcel in rows.parcels if parcel.direction == Direction.OUT}
    items = ParcelLine.objects.filter(parcel__in=list(states)).values_list("line_id", "parcel_id")
    for line_id, parcel_id in items:
        boxes[line_id].add(states[parcel_id])
    back: set[int] = set()
    lost: set[int] = set()
    refused: dict[int, str] = {}
    for pk, line in rows.lines.items():
        if line.state != LineState.SHIPPING:
            refused[pk] = NOT_ON_THE_WAY.format(state=line.state_label)
        elif not boxes[pk] or boxes[pk] - GONE:
            refused[pk] = STILL_OUT
        elif len(boxes[pk]) > 1:
            refused[pk] = TWO_WAYS
        else:
            (back if boxes[pk] == {ParcelState.RETURNED} else lost).add(pk)
    return back, lost, refused
