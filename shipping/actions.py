"""Buttons on shipments: 배송준비중 처리 and back, 배송중 처리 and back, 송장 삭제, 배송완료 처리 and back."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, ClassVar

from core.actions import MORE, PRIMARY, SECONDARY, register
from core.events import EventKind
from core.state import Outcome
from orders import events
from orders.actions import UNDO_REASON, LineAction, Reasoned, lines_of
from orders.models import OrderLine
from orders.states import LineState
from shipping import exception_acts as exception_acts
from shipping.models import Shipment, ShipmentLine
from shipping.services import shipments, waybills
from shipping.services.drafts import drafted_entries

S = LineState
NO_DRAFT = "송장번호가 없습니다."
SAME = "이미 등록된 송장번호입니다."


@lines_of(Shipment)
def lines_of_shipments(shipment_ids: Collection[int]) -> dict[int, int]:
    """배송건의 품목: live lines of shipments that a person chose."""
    items = ShipmentLine.objects.filter(shipment__in=shipment_ids, is_live=True)
    return dict(items.values_list("line_id", "shipment_id"))


def _shipment_of(line_ids: Collection[int]) -> dict[int, int]:
    items = ShipmentLine.objects.filter(line__in=line_ids, is_live=True)
    return dict(items.values_list("line_id", "shipment_id"))


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
class RegisterWaybill(LineAction):
    """송장 등록: the numbers that were typed into the list become parcels; the shipments wait for the courier."""

    name, label, permission = "register-waybill", "송장 등록", "shipping.register_waybill"
    states = (S.READY,)
    is_whole = True
    style = SECONDARY
    is_undoable = True
    undo_data: ClassVar[dict[str, Any]] = {"reason": UNDO_REASON}

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        owner = _shipment_of(ids)
        shipment_ids = set(owner.values())
        entries, unseen = drafted_entries(shipment_ids, actor=actor, seen_at=batch.seen_at)
        done = waybills.register_waybills(entries=entries, actor=actor, at=at, batch=batch)
        reasons = dict.fromkeys(shipment_ids - entries.keys(), NO_DRAFT) | dict.fromkeys(done.unchanged, SAME)
        reasons |= done.refused | unseen
        done.outcome.refused |= {pk: reasons[shipment] for pk, shipment in owner.items() if shipment in reasons}
        return done.outcome

    def undo(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        owner = _shipment_of(ids)
        undone = waybills.undo_registration(
            shipment_ids=set(owner.values()), actor=actor, at=at, batch=batch, reason=reason
        )
        possible = {shipment.pk for shipment in undone.possible}
        lines = OrderLine.objects.filter(pk__in=[pk for pk, shipment in owner.items() if shipment in possible])
        refused = {pk: undone.refused[one] for pk, one in owner.items() if one in undone.refused}
        return Outcome(possible=list(lines), refused=refused, changes=undone.changes)


@register
class VoidWaybill(Reasoned, LineAction):
    """송장 삭제, with a reason; the number is not used again."""

    name, label, permission = "void-waybill", "송장 삭제", "shipping.register_waybill"
    states = (S.READY,)
    is_whole = True
    style = MORE
    is_destructive = True

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return waybills.void_waybills(line_ids=ids, actor=actor, at=at, reason=reason, batch=batch)


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
