"""Buttons on orders: 발주확인, 배송보류, 보류 해제, 발송지연 안내, 구매확정 처리, 구매확정 철회.

Buttons that write money or shipments live in payments and shipping, which know both.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime, timedelta
from typing import Any, ClassVar

from django.forms import Form

from core.actions import MORE, PRIMARY, SECONDARY, ActPage, BulkAction, register
from core.calendar import kst_date
from core.events import EventKind
from core.locks import locked
from core.lookups import Among
from core.state import Outcome
from orders import events
from orders.forms import DelayForm, HoldForm, ReasonForm
from orders.models import Order, OrderLine
from orders.services import before, changes, locks, progress
from orders.states import LOCK_BIT, ConfirmedBy, LineState, LockKind

S = LineState
HELD = LOCK_BIT[LockKind.HOLD]
UNDO_REASON = "되돌리기"
BEFORE_REASON = "확인 전"
"""Stands in a preview for the reason that nobody has typed yet."""
LinesOf = Callable[[Collection[int]], Mapping[int, int]]
LINES_OF: dict[Any, LinesOf] = {}
"""Table of base rows -> function from ids of such rows to {line id: base id}; orders need no entry."""


def lines_of(model: Any) -> Callable[[LinesOf], LinesOf]:
    """기준 행의 품목: an upper app whose lists have rows of its own says which lines a row means."""

    def declare(find: LinesOf) -> LinesOf:
        LINES_OF[model] = find
        return find

    return declare


class Reasoned:
    """사유가 있는 처리: asks for a reason that stays in the history; named before the act's other base."""

    form_class: ClassVar[type[Form] | None] = ReasonForm
    preview_data: ClassVar[Mapping[str, Any]] = {"reason": BEFORE_REASON}


class LineAction(BulkAction):
    """An act on lines: the lines of the chosen orders or shipments that stand in the act's states."""

    model = OrderLine
    unit = "line"

    def busy(self, target_ids: Collection[int]) -> set[int]:
        """Lines of orders that another session holds: every service locks the order first."""
        orders = set(OrderLine.objects.filter(pk__in=target_ids).values_list("order_id", flat=True))
        free = {order.pk for order in locked(Order.objects.filter(pk__in=orders), skip_locked=True)}
        taken = OrderLine.objects.filter(pk__in=target_ids).exclude(order_id__in=free)
        return set(taken.values_list("pk", flat=True))

    def takes(self, base: Any) -> bool:
        return base is Order or base in LINES_OF

    def targets(self, base_ids: Collection[int], page: ActPage) -> dict[int, tuple[int, int]]:
        if page.model in LINES_OF:
            base_of_line = LINES_OF[page.model](base_ids)
            mine = OrderLine.objects.filter(pk__in=base_of_line, state__in=self.states)
            found = mine.order_by("order_id", "seq").values_list("pk", "version")
            return {pk: (base_of_line[pk], version) for pk, version in found}
        orders = page.order_ids(base_ids)
        base_of = {order: base for base, order in orders.items()}
        rows = OrderLine.objects.filter(Among("order_id", orders.values()), state__in=self.states)
        lines = rows.order_by("order_id", "seq").values_list("pk", "order_id", "version")
        return {pk: (base_of[order_id], version) for pk, order_id, version in lines}


@register
class Acknowledge(LineAction):
    """발주확인: stamps lines of 상품준비중; a buyer's cancel needs approval from now on."""

    name, label, permission = "acknowledge", "발주확인", "orders.acknowledge"
    states = (S.PREPARING,)
    style = SECONDARY

    def fits(self, row: Any) -> bool:
        return row.acknowledged_at is None

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        return progress.acknowledge(line_ids=ids, actor=actor, at=at, batch=batch)


@register
class Hold(LineAction):
    """배송보류: stops lines before shipping, with a reason."""

    name, label, permission = "hold", "배송보류", "orders.hold"
    states = (S.PREPARING, S.READY)
    form_class = HoldForm
    preview_data: ClassVar[dict[str, Any]] = {"reason": BEFORE_REASON}
    is_undoable = True
    hotkey = "H"

    def fits(self, row: Any) -> bool:
        return not row.open_locks & HELD

    def apply(
        self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str, until: date | None = None
    ) -> Outcome:
        return locks.hold(line_ids=ids, actor=actor, at=at, batch=batch, reason=reason, until=until)

    def undo(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        return locks.release_hold(line_ids=ids, actor=actor, at=at, batch=batch)


@register
class ReleaseHold(LineAction):
    """보류 해제: lets held lines go on where they stood."""

    name, label, permission = "release-hold", "보류 해제", "orders.hold"
    thing, verb = "보류", "해제"
    states = (S.PREPARING, S.READY)
    style = MORE
    is_undoable = True

    def fits(self, row: Any) -> bool:
        return bool(row.open_locks & HELD)

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        return locks.release_hold(line_ids=ids, actor=actor, at=at, batch=batch)

    def undo(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        return locks.hold_again(line_ids=ids, actor=actor, at=at, batch=batch)


@register
class NotifyDelay(LineAction):
    """발송지연 안내: once per line, at most 90 days ahead; the buyer is told."""

    name, label, permission = "notify-delay", "발송지연 안내", "orders.delay"
    thing, verb = "발송지연", "안내"
    states = (S.PREPARING, S.READY)
    form_class = DelayForm
    style = MORE
    sends: ClassVar[tuple[EventKind, ...]] = (events.LINE_DELAYED,)

    def apply(
        self,
        ids: Collection[int],
        *,
        actor: Any,
        at: datetime,
        batch: Any,
        new_date: date | None = None,
        delay_reason: str = "ETC",
        detail: str = "",
    ) -> Outcome:
        return changes.notify_delay(
            line_ids=ids,
            new_date=new_date or kst_date(at) + timedelta(days=changes.MAX_DELAY_DAYS),
            delay_reason=delay_reason,
            detail=detail,
            actor=actor,
            at=at,
            batch=batch,
        )


@register
class ConfirmPurchase(LineAction):
    """구매확정 처리 by staff on behalf of the buyer; what is still on its way is delivered first."""

    name, label, permission = "confirm-purchase", "구매확정 처리", "orders.confirm_purchase"
    states = (S.DELIVERED,)
    becomes = "구매확정"
    style = PRIMARY
    is_undoable = True
    undo_data: ClassVar[dict[str, Any]] = {"reason": UNDO_REASON}
    sends: ClassVar[tuple[EventKind, ...]] = (events.LINE_CONFIRMED,)
    hotkey = "S"

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        return progress.confirm_purchase(line_ids=ids, by=ConfirmedBy.STAFF, actor=actor, at=at, batch=batch)

    def undo(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return progress.revoke_confirmation(
            line_ids=ids, actor=actor, at=at, reason=reason, batch=batch, keeps_date=True
        )


@register
class RevokeConfirmation(Reasoned, LineAction):
    """구매확정 철회, with a reason."""

    name, label, permission = "revoke-confirmation", "구매확정 철회", "orders.revoke_confirmation"
    states = (S.CONFIRMED,)
    becomes = "배송완료"
    undo_permission = "orders.confirm_purchase"
    is_destructive = True
    is_undoable = True
    undo_data: ClassVar[dict[str, Any]] = {"reason": UNDO_REASON}

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return progress.revoke_confirmation(line_ids=ids, actor=actor, at=at, reason=reason, batch=batch)

    def undo(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        put_back = before.of_undone(batch, events.LINE_CONFIRMATION_REVOKED, model=OrderLine, ids=ids)
        return progress.confirm_purchase(
            line_ids=ids, by=ConfirmedBy.STAFF, actor=actor, at=at, batch=batch, reason=reason, put_back=put_back
        )
