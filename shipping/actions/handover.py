"""Buttons for what no courier carries: 준비 완료 알림, 배차 등록, 전달 완료, 수령 확인; and 배송방법 변경."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, ClassVar

from core.actions import MORE, register
from core.events import EventKind
from core.state import Outcome
from orders import events
from orders.actions import UNDO_REASON, LineAction
from orders.states import DeliveryMethod
from shipping import events as shipping_events
from shipping.actions.base import S, ShipmentAction, shipment_of
from shipping.forms.handover import HandedForm, MethodForm, ReceivedForm, RiderForm
from shipping.models import Shipment
from shipping.services import methods, shipments
from shipping.services.handover import dispatching, ending

UNDO: dict[str, Any] = {"reason": UNDO_REASON}


@register
class TellReady(LineAction):
    """준비 완료 알림: shipments of 방문수령 wait at their place from now on; the buyer gets the pick-up code."""

    name, label, permission = "pickup-ready", "준비 완료 알림", "shipping.ship"
    states = (S.READY,)
    is_whole = True
    becomes = "배송중"
    undo_permission = "shipping.unship"
    style = MORE
    is_undoable = True
    undo_data: ClassVar[dict[str, Any]] = UNDO
    sends: ClassVar[tuple[EventKind, ...]] = (events.LINE_SHIPPED,)

    def fits(self, row: Any) -> bool:
        return bool(row.delivery_method == DeliveryMethod.VISIT)

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        return dispatching.make_pickup_ready(line_ids=ids, actor=actor, at=at, batch=batch)

    def undo(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return shipments.unship(line_ids=ids, actor=actor, at=at, reason=reason, batch=batch)


@register
class TellReadyAgain(ShipmentAction):
    """준비 완료 알림 다시: a new pick-up code; the one before ends."""

    name, label, permission = "pickup-again", "준비 완료 알림 다시 보내기", "shipping.deliver"
    thing = "준비 완료 알림"
    states = (S.SHIPPING,)
    style = MORE
    sends: ClassVar[tuple[EventKind, ...]] = (shipping_events.SHIPMENT_PICKUP_TOLD,)

    def will(self) -> str:
        return "다시 보냅니다"

    def did(self) -> str:
        return "다시 보냈습니다"

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        return dispatching.tell_again(shipment_ids=ids, actor=actor, at=at, batch=batch)


@register
class RegisterRider(ShipmentAction):
    """배차 등록: who carries shipments of 퀵 or 직접전달; a rider's link of before ends."""

    name, label, permission = "register-rider", "배차 등록", "shipping.ship"
    thing, verb = "배차", "등록"
    states = (S.READY, S.SHIPPING)
    form_class = RiderForm
    style = MORE
    preview_data: ClassVar[dict[str, Any]] = {"carried_by": "", "phone": ""}

    def apply(
        self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, carried_by: str, phone: str
    ) -> Outcome:
        return dispatching.register_rider(
            shipment_ids=ids, carried_by=carried_by, phone=phone, actor=actor, at=at, batch=batch
        )


@register
class HandOver(LineAction):
    """전달 완료 of 퀵 and 직접전달, with a memo."""

    name, label, permission = "hand-over", "전달 완료", "shipping.deliver"
    states = (S.SHIPPING,)
    is_whole = True
    becomes = "배송완료"
    form_class = HandedForm
    style = MORE
    is_undoable = True
    preview_data: ClassVar[dict[str, Any]] = {"memo": ""}
    undo_data: ClassVar[dict[str, Any]] = UNDO
    sends: ClassVar[tuple[EventKind, ...]] = (events.LINE_DELIVERED,)

    def fits(self, row: Any) -> bool:
        return row.delivery_method in {DeliveryMethod.QUICK, DeliveryMethod.DIRECT}

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, memo: str) -> Outcome:
        return ending.hand_over(line_ids=ids, memo=memo, actor=actor, at=at, batch=batch)

    def undo(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return shipments.undeliver(line_ids=ids, actor=actor, at=at, reason=reason, batch=batch)


@register
class Receive(LineAction):
    """수령 확인 of 방문수령: by the buyer's code, or by the name of whoever came."""

    name, label, permission = "receive", "수령 확인", "shipping.deliver"
    states = (S.SHIPPING,)
    is_whole = True
    becomes = "배송완료"
    form_class = ReceivedForm
    style = MORE
    is_undoable = True
    preview_data: ClassVar[dict[str, Any]] = {"code": "", "name": ""}
    undo_data: ClassVar[dict[str, Any]] = UNDO
    sends: ClassVar[tuple[EventKind, ...]] = (events.LINE_DELIVERED,)

    def fits(self, row: Any) -> bool:
        return bool(row.delivery_method == DeliveryMethod.VISIT)

    def check(self, form: Any, ids: Collection[int]) -> None:
        if form.cleaned_data.get("code") and len(set(shipment_of(ids).values())) > 1:
            form.add_error("code", ending.ONE_BY_ONE)

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, code: str, name: str) -> Outcome:
        return ending.receive(line_ids=ids, code=code, name=name, actor=actor, at=at, batch=batch)

    def undo(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return shipments.undeliver(line_ids=ids, actor=actor, at=at, reason=reason, batch=batch)


@register
class ChangeMethod(ShipmentAction):
    """배송방법 변경: shipments that wait without a number leave in another way."""

    name, label, permission = "change-method", "배송방법 변경", "orders.prepare"
    thing, verb = "배송방법", "변경"
    states = (S.READY, S.SHIPPING)
    form_class = MethodForm
    style = MORE
    is_undoable = True
    preview_data: ClassVar[dict[str, Any]] = {"method": None, "reason": ""}
    undo_data: ClassVar[dict[str, Any]] = UNDO

    def apply(
        self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, method: DeliveryMethod | None, reason: str
    ) -> Outcome:
        if method is None:  # a preview: nobody has chosen it yet
            return _changeable(ids)
        facts: dict[str, Any] = {"actor": actor, "at": at, "batch": batch, "reason": reason}
        return methods.change_method(shipment_ids=ids, method=DeliveryMethod(method), **facts)

    def undo(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return methods.change_back(shipment_ids=ids, actor=actor, at=at, batch=batch, reason=reason)


def _changeable(ids: Collection[int]) -> Outcome:
    refused = methods.refused_now(ids)
    return Outcome(possible=list(Shipment.objects.filter(pk__in=set(ids) - refused.keys())), refused=refused)
