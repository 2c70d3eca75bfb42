"""The button 배송조회: couriers are asked about chosen shipments now, not when their turn comes."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from core.actions import SECONDARY, register
from core.state import Outcome
from shipping.actions.base import S, ShipmentAction
from shipping.forms.exceptions import RESOLVE
from shipping.services.polling import wanting


@register
class AskCouriers(ShipmentAction):
    """배송조회: from the share of the quota that is kept for staff, at most every ten minutes for a box."""

    name, label = "ask-couriers", "배송조회"
    # The right of 다시 조회 on 배송 예외, which does the same; whoever may only look spends no quota.
    permission = RESOLVE
    states = (S.SHIPPING,)
    style = SECONDARY
    thing, verb = "배송조회", "신청"
    remark = "답은 1분 안에 옵니다. 주문은 택배사가 알려 준 것으로만 바뀝니다."
    moves_rows = False

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        return wanting.ask_couriers(shipment_ids=ids, at=at)

    def afterword(self, batch: Any) -> str:
        return "답은 1분 안에 옵니다. 목록을 새로 고치면 보입니다."
