"""Buttons that move shipments: 배송준비중 처리, 배송중 처리, 배송완료 처리, and the ways back."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, ClassVar

from core.actions import MORE, PRIMARY, SECONDARY, register
from core.events import EventKind
from core.state import Outcome
from orders import events
from orders.actions import UNDO_REASON, LineAction, Reasoned
from orders.states import DeliveryMethod
from shipping.actions.base import S
from shipping.services import shipments
from shipping.services.riders import HANDED


@register
class MakeReady(LineAction):
    """배송준비중 처리: allocates stock and gives the order its 배송번호."""

    name, label, permission = "make-ready", "배송준비중 처리", "orders.prepare"
    states = (S.PREPARING,)
    becomes = "배송준비중"
    style = PRIMARY
    is_undoable = True
    hotkey = "S"

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        return shipments.make_ready(line_ids=ids, actor=actor, at=at, batch=batch)

    def undo(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        return shipments.return_to_preparing(line_ids=ids, actor=actor, at=at, batch=batch, reason=UNDO_REASON)


@register
class ReturnToPreparing(LineAction):
    """상품준비중으로: gives the allocation back; refused while a waybill is registered."""

    name, label, permission = "return-to-preparing", "상품준비중으로", "orders.prepare"
    states = (S.READY,)
    becomes = "상품준비중"
    style = SECONDARY
    is_undoable = True

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        return shipments.return_to_preparing(line_ids=ids, actor=actor, at=at, batch=batch)

    def undo(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        return shipments.make_ready(line_ids=ids, actor=actor, at=at, batch=batch)


@register
class Ship(LineAction):
    """배송중 처리: whole shipments leave the house."""

    name, label, permission = "ship", "배송중 처리", "shipping.ship"
    states = (S.READY,)
    is_whole = True
    becomes = "배송중"
    undo_permission = "shipping.unship"
    style = PRIMARY
    is_undoable = True
    undo_data: ClassVar[dict[str, Any]] = {"reason": UNDO_REASON}
    sends: ClassVar[tuple[EventKind, ...]] = (events.LINE_SHIPPED,)
    hotkey = "S"

    def fits(self, row: Any) -> bool:
        return bool(row.delivery_method != DeliveryMethod.VISIT)

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        return shipments.ship(line_ids=ids, actor=actor, at=at, batch=batch)

    def undo(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return shipments.unship(line_ids=ids, actor=actor, at=at, reason=reason, batch=batch)


@register
class Unship(Reasoned, LineAction):
    """배송취소, with a reason; refused once the courier has scanned a box."""

    name, label, permission = "unship", "배송취소", "shipping.unship"
    states = (S.SHIPPING,)
    is_whole = True
    becomes = "배송준비중"
    undo_permission = "shipping.ship"
    style = MORE
    is_destructive = True
    is_undoable = True
    sends: ClassVar[tuple[EventKind, ...]] = (events.LINE_UNSHIPPED,)

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return shipments.unship(line_ids=ids, actor=actor, at=at, reason=reason, batch=batch)

    def undo(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        return shipments.ship(line_ids=ids, actor=actor, at=at, batch=batch)


@register
class Deliver(Reasoned, LineAction):
    """배송완료 처리 by hand, with a reason."""

    name, label, permission = "deliver", "배송완료 처리", "shipping.deliver"
    states = (S.SHIPPING,)
    is_whole = True
    becomes = "배송완료"
    style = PRIMARY
    is_undoable = True
    undo_data: ClassVar[dict[str, Any]] = {"reason": UNDO_REASON}
    sends: ClassVar[tuple[EventKind, ...]] = (events.LINE_DELIVERED,)
    hotkey = "S"

    def fits(self, row: Any) -> bool:
        return row.delivery_method not in HANDED

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return shipments.deliver_by_hand(line_ids=ids, actor=actor, at=at, reason=reason, batch=batch)

    def undo(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return shipments.undeliver(line_ids=ids, actor=actor, at=at, reason=reason, batch=batch)


@register
class Undeliver(Reasoned, LineAction):
    """배송완료 취소, with a reason."""

    name, label, permission = "undeliver", "배송완료 취소", "shipping.deliver"
    states = (S.DELIVERED,)
    is_whole = True
    becomes = "배송중"
    style = MORE
    is_destructive = True
    is_undoable = True
    undo_data: ClassVar[dict[str, Any]] = {"reason": UNDO_REASON}

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return shipments.undeliver(line_ids=ids, actor=actor, at=at, reason=reason, batch=batch)

    def undo(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return shipments.deliver_again(line_ids=ids, actor=actor, at=at, reason=reason, batch=batch)
