"""Buttons on shipments: 배송준비중 처리 and back, 배송중 처리 and back, 송장 삭제, 배송완료 처리 and back."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, ClassVar

from core.actions import MORE, PRIMARY, SECONDARY, ActPage, BulkAction, register
from core.events import EventKind
from core.failpoints import failpoint
from core.locks import locked
from core.state import Outcome, is_preview
from orders import events
from orders.actions import UNDO_REASON, LineAction, Reasoned, lines_of
from orders.models import Order, OrderLine
from orders.states import LineState
from shipping.courier_forms import ForcedWaybillForm
from shipping.forms import IssueForm
from shipping.models import Shipment, ShipmentLine
from shipping.services import mergekeys, merging, shipments, waybills
from shipping.services.drafts import drafted_entries
from shipping.services.issuing import issue

S = LineState
NO_DRAFT = "송장번호가 없습니다."
WAITING = "{count:,}건은 택배사의 답을 기다립니다. 번호가 오는 대로 목록에 보입니다."
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
class ForceWaybill(LineAction):
    """규칙과 다른 송장 등록: a number whose length or check digit the rule blocks, with the reason of a manager."""

    name, label, permission = "force-waybill", "규칙과 다른 송장 등록", "shipping.force_waybill"
    states = (S.READY,)
    is_whole = True
    style = MORE
    form_class = ForcedWaybillForm
    preview_data: ClassVar[dict[str, Any]] = {"courier": "", "waybill": "", "reason": ""}

    def check(self, form: Any, ids: Collection[int]) -> None:
        if len(set(_shipment_of(ids).values())) > 1:
            form.add_error(None, "배송건을 하나만 고르세요. 송장번호 하나는 배송건 하나에만 쓸 수 있습니다.")

    def apply(
        self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, courier: str, waybill: str, reason: str
    ) -> Outcome:
        owner = _shipment_of(ids)
        if is_preview() and not waybill:  # nobody has typed it yet
            return Outcome(possible=list(OrderLine.objects.filter(pk__in=ids)))
        entry = waybills.WaybillEntry(courier, waybill, forced_reason=reason)
        entries = dict.fromkeys(sorted(set(owner.values()))[:1], entry)
        done = waybills.register_waybills(entries=entries, actor=actor, at=at, batch=batch)
        reasons = dict.fromkeys(owner.values() - entries.keys(), SAME) | dict.fromkeys(done.unchanged, SAME)
        reasons |= done.refused
        done.outcome.refused |= {pk: reasons[shipment] for pk, shipment in owner.items() if shipment in reasons}
        return done.outcome


@register
class IssueWaybills(BulkAction):
    """송장 채번: numbers out of a range at once, out of a courier's API as soon as it answers."""

    name, label, permission = "issue-waybills", "송장 채번", "shipping.register_waybill"
    model = Shipment
    unit = "shipment"
    states = (S.READY,)
    thing, verb = "송장번호 발급", "요청"
    form_class = IssueForm
    style = SECONDARY
    is_undoable = True
    prepares = True
    undo_data: ClassVar[dict[str, Any]] = {"reason": UNDO_REASON}

    def busy(self, target_ids: Collection[int]) -> set[int]:
        """Shipments of orders that another session holds: every service locks the order first."""
        shipment_of = dict(Shipment.objects.filter(pk__in=target_ids).values_list("pk", "order_id"))
        orders = Order.objects.filter(pk__in=set(shipment_of.values()))
        free = {order.pk for order in locked(orders, skip_locked=True)}
        return {pk for pk, order_id in shipment_of.items() if order_id not in free}

    def prepare(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, **data: Any) -> None:
        chosen = issue.usable(data.get("contract"))
        if not chosen.is_api:
            issue.reserve(shipment_ids=ids, contract=chosen, actor=actor, at=at, batch=batch)
            failpoint(issue.RESERVED)

    def apply(
        self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, contract: int | None = None
    ) -> Outcome:
        return issue.issue_waybills(shipment_ids=ids, contract_id=contract, actor=actor, at=at, batch=batch).outcome

    def undo(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return issue.undo_issue(shipment_ids=ids, actor=actor, at=at, batch=batch, reason=reason)

    def afterword(self, batch: Any) -> str:
        waiting = issue.waiting_of(batch)
        return WAITING.format(count=waiting) if waiting else ""


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


class ShipmentAction(BulkAction):
    """An act on whole shipments that wait, as they stand on 배송준비중."""

    model = Shipment
    unit = "shipment"
    states = (S.READY,)

    def busy(self, target_ids: Collection[int]) -> set[int]:
        """Shipments of orders that another session holds: every service locks the order first."""
        orders = dict(Shipment.objects.filter(pk__in=target_ids).values_list("pk", "order_id"))
        free = {order.pk for order in locked(Order.objects.filter(pk__in=orders.values()), skip_locked=True)}
        return {pk for pk, order in orders.items() if order not in free}


@register
class MergeShipments(ShipmentAction):
    """합포장: shipments of one receiver become one, under the number of the earliest order."""

    name, label, permission = "merge-shipments", "합포장", "orders.prepare"
    style = MORE
    is_undoable = True

    def targets(self, base_ids: Collection[int], page: ActPage) -> dict[int, tuple[int, int]]:
        """What belongs together stands together, so that it is done in one transaction."""
        versions = self.versions(base_ids)
        first: dict[Any, int] = {}
        keys = mergekeys.keys_of(versions)
        return {pk: (first.setdefault(keys[pk], pk), versions[pk]) for pk in sorted(versions)}

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        return merging.merge_shipments(shipment_ids=ids, actor=actor, at=at, batch=batch)

    def undo(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        return merging.undo_merge(shipment_ids=ids, actor=actor, at=at, batch=batch)

    def sentences(self, sums: Mapping[str, int]) -> list[str]:
        number = sums.get(merging.SEVERAL_NOTES, 0)
        return [f"배송메시지가 서로 다른 묶음이 {number:,}개 있습니다. 메시지를 모두 출력합니다."] if number else []


@register
class UnmergeShipments(ShipmentAction):
    """합포장 풀기: every order gets its own 배송번호 back."""

    name, label, permission = "unmerge-shipments", "합포장 풀기", "orders.prepare"
    style = MORE
    taken_back_by = "합포장"

    def will(self) -> str:
        return "합포장에서 풉니다"

    def did(self) -> str:
        return "합포장에서 풀었습니다"

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        outcome = merging.unmerge(shipment_ids=ids, actor=actor, at=at, batch=batch)
        # The shipments that come back were not among the selected rows.
        outcome.changes = [change for change in outcome.changes if change.row.pk in set(ids)]
        return outcome
