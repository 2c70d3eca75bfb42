"""The button 고객 안내, on 배송중 관리 and on 배송 예외: buyers are told something about their delivery."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, ClassVar

from django.forms import Form
from django.utils import timezone

from core.actions import MORE, SECONDARY, register
from core.messaging import render
from core.settings_registry import get_setting
from core.state import Outcome, previewing
from shipping.actions.base import S, ShipmentAction
from shipping.actions.exceptions import ExceptionAction
from shipping.forms.notices import NoticeForm
from shipping.services import notices
from shipping.services.exceptions import telling
from shipping.services.refusals import NOT_SENT
from shipping.states import NoticeKind

FRAME = {"order_number": "(주문번호)", "notice": "(안내 문구)", "courier_name": "(택배사)", "waybill": "(송장번호)"}


class Telling(ABC):
    """고객 안내: what both buttons share; named before the act's other base."""

    label: ClassVar[str] = "고객 안내"
    permission: ClassVar[str] = "shipping.tell_buyer"
    thing: ClassVar[str] = "안내"
    form_class: ClassVar[type[Form] | None] = NoticeForm
    preview_data: ClassVar[Mapping[str, Any]] = {"notice": None}
    remark: ClassVar[str] = "보낸 안내는 되돌릴 수 없습니다."

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
            seen = self.apply(ids, actor=None, at=timezone.now(), batch=None, notice=notice)
        if not seen.possible:
            form.add_error("notice", next(iter(seen.refused.values()), NOT_SENT))

    @abstractmethod
    def apply(
        self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, notice: NoticeKind | None, text: str = ""
    ) -> Outcome:
        """보내기 to the buyers of the chosen rows."""


@register
class TellBuyers(Telling, ShipmentAction):
    """고객 안내: one of the shop's sentences, or one of its own, with order and waybill around it."""

    name = "tell-buyers"
    states = (S.SHIPPING,)
    style = SECONDARY

    def apply(
        self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, notice: NoticeKind | None, text: str = ""
    ) -> Outcome:
        return notices.tell_buyers(shipment_ids=ids, notice=notice, text=text, actor=actor, at=at, batch=batch)


@register
class TellCase(Telling, ExceptionAction):
    """고객 안내 of the box of a case: the next act of 주소 문제, 미배달, 수취 거부 and 보관."""

    name = "tell-case"
    style = MORE

    def apply(
        self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, notice: NoticeKind | None, text: str = ""
    ) -> Outcome:
        return telling.tell_buyers(exception_ids=ids, notice=notice, text=text, actor=actor, at=at, batch=batch)
