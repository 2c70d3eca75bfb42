"""The button 고객 안내: the buyers of chosen shipments are told something about their delivery."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, ClassVar

from django.utils import timezone

from core.actions import SECONDARY, register
from core.messaging import render
from core.settings_registry import get_setting
from core.state import Outcome, previewing
from shipping.actions.base import S, ShipmentAction
from shipping.forms.notices import NoticeForm
from shipping.services import notices
from shipping.services.refusals import NOT_SENT
from shipping.states import NoticeKind

FRAME = {"order_number": "(주문번호)", "notice": "(안내 문구)", "courier_name": "(택배사)", "waybill": "(송장번호)"}


@register
class TellBuyers(ShipmentAction):
    """고객 안내: one of the shop's sentences, or one of its own, with order and waybill around it."""

    name, label, permission = "tell-buyers", "고객 안내", "shipping.tell_buyer"
    thing = "안내"
    states = (S.SHIPPING,)
    style = SECONDARY
    form_class = NoticeForm
    preview_data: ClassVar[dict[str, Any]] = {"notice": None}
    remark = "보낸 안내는 되돌릴 수 없습니다."

    def will(self) -> str:
        return "보냅니다"

    def did(self) -> str:
        return "보냈습니다"

    def did_not(self) -> str:
        return "보내지 못했습니다"

    def of(self, count: str) -> str:
        return f"{count}의 고객에게 안내를"

    def sentences(self, sums: Mapping[str, int]) -> list[str]:
        if not sums.get("told"):
            return []
        text = render("delivery_notice", {"shop_name": get_setting("shop_name"), **FRAME})
        return [f"고객에게 알림 {sums['told']:,}건을 보냅니다.", f"보내는 글: {' / '.join(text.splitlines())}"]

    def check(self, form: Any, ids: Collection[int]) -> None:
        """Where nobody would hear of it, the dialog says why and stays open."""
        notice = form.cleaned_data.get("notice")
        if notice is None:
            return
        with previewing():
            seen = notices.tell_buyers(shipment_ids=ids, notice=notice, actor=None, at=timezone.now())
        if not seen.possible:
            form.add_error("notice", next(iter(seen.refused.values()), NOT_SENT))

    def apply(
        self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, notice: NoticeKind | None, text: str = ""
    ) -> Outcome:
        return notices.tell_buyers(shipment_ids=ids, notice=notice, text=text, actor=actor, at=at, batch=batch)
