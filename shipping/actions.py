"""Buttons on shipments: 배송준비중 처리 and back, 배송중 처리 and back, 송장 삭제, 배송완료 처리 and back.

Documents of shipments have theirs at the end: 송장 출력, 송장 다시 출력, 피킹리스트, 패킹리스트.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any, ClassVar

from django.forms import Form
from django.urls import reverse

from core.actions import MORE, PRIMARY, SECONDARY, BulkAction, register
from core.events import EventKind
from core.locks import locked
from core.state import Outcome
from orders import events
from orders.actions import BEFORE_REASON, UNDO_REASON, LineAction, Reasoned, lines_of
from orders.models import Order, OrderLine
from orders.states import LineState
from shipping.forms import LabelForm, ReprintForm
from shipping.models import PrintBatch, PrintKind, Shipment, ShipmentLine
from shipping.services import shipments, waybills
from shipping.services.drafts import drafted_entries
from shipping.services.printing import labels, lists
from shipping.services.printing.batches import PART

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


class PrintAction(BulkAction):
    """출력: a document of the chosen shipments; they stay where they are."""

    model = Shipment
    unit = "shipment"
    permission = "shipping.print"
    states = (S.READY,)
    style = SECONDARY
    moves_rows = False
    opens: ClassVar[str] = "인쇄 화면 열기"

    def busy(self, target_ids: Collection[int]) -> set[int]:
        """Shipments whose order another session holds: the services lock the orders first."""
        orders = dict(Shipment.objects.filter(pk__in=target_ids).values_list("pk", "order_id"))
        free = {order.pk for order in locked(Order.objects.filter(pk__in=set(orders.values())), skip_locked=True)}
        return {pk for pk, order_id in orders.items() if order_id not in free}

    def document(self, job: Any) -> tuple[str, str] | None:
        batch = PrintBatch.objects.filter(job=job).only("number").first()
        return (self.opens, reverse("shipping:print_batch", args=[batch.number])) if batch else None


@register
class PrintLabels(PrintAction):
    """송장 출력: every numbered box of the shipments that was not printed yet."""

    name, label = "print-labels", "송장 출력"
    form_class: ClassVar[type[Form] | None] = LabelForm
    preview_data: ClassVar[dict[str, Any]] = {"paper": ""}
    remark = f"출력 기록이 남습니다. {PART:,}장이 넘으면 파일을 나눕니다."
    hotkey = "P"

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, paper: str = "") -> Outcome:
        return self._printed(ids, actor=actor, at=at, batch=batch, paper=paper, reason="")

    def _printed(self, ids: Collection[int], **facts: Any) -> Outcome:
        """By shipment: printed when one of its boxes is, else refused with the reason of the first."""
        parcels = labels.printable_parcels(ids)
        asked = [pk for mine in parcels.values() for pk in mine]
        done = labels.print_labels(parcel_ids=asked, **facts)
        good = {parcel.shipment_id for parcel in done.outcome.possible}
        why = labels.without_number(set(ids) - parcels.keys())
        why |= {pk: done.outcome.refused[mine[0]] for pk, mine in parcels.items() if pk not in good}
        return Outcome(possible=[done.shipments[pk] for pk in sorted(good)], refused=why, changes=done.outcome.changes)


@register
class ReprintLabels(PrintLabels):
    """송장 다시 출력: the same number once more, with a reason; the label says that it is a copy."""

    name, label = "reprint-labels", "송장 다시 출력"
    form_class = ReprintForm
    preview_data: ClassVar[dict[str, Any]] = {"paper": "", "reason": BEFORE_REASON}
    style = MORE
    hotkey = ""

    def apply(
        self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, paper: str = "", reason: str = ""
    ) -> Outcome:
        return self._printed(ids, actor=actor, at=at, batch=batch, paper=paper, reason=reason)


@register
class PrintPickingList(PrintAction):
    """피킹리스트: what to fetch from the shelves for the chosen shipments."""

    name, label, opens = "print-picking", "피킹리스트", "피킹리스트 열기"
    thing, verb = "피킹리스트", "출력"
    remark = "주문은 바뀌지 않습니다."

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        return lists.print_list(kind=PrintKind.PICKING, shipment_ids=ids, actor=actor, at=at, batch=batch)[0]


@register
class PrintPackingList(PrintAction):
    """패킹리스트: what lies in each box, for the buyer."""

    name, label, opens = "print-packing", "패킹리스트", "패킹리스트 열기"
    thing, verb = "패킹리스트", "출력"
    remark = "주문은 바뀌지 않습니다."

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        return lists.print_list(kind=PrintKind.PACKING, shipment_ids=ids, actor=actor, at=at, batch=batch)[0]
