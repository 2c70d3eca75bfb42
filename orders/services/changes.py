"""Changes of an order's facts: recipient, memos, 발송지연 안내. Nobody overwrites what somebody else just changed."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import F

from core.calendar import kst_date, kst_day_range, short
from core.events import record
from core.exceptions import Conflict, DomainError, NotAllowed
from core.models import Job
from core.people import named
from core.state import Change, Outcome, missing, move
from orders import events
from orders.models import DelayNotice, Order, OrderEvent, OrderLine, StaffMemo
from orders.search import store_search
from orders.services import before
from orders.services.locking import NOT_FOUND, locked_lines, locked_orders
from orders.services.locks import place_lock
from orders.services.places import address_of, places_of
from orders.states import CLOSED, DeliveryMethod, LineState, LockKind

MAX_DELAY_DAYS = 90
DELAY_RANGE = f"발송예정일은 오늘부터 {MAX_DELAY_DAYS}일 안에서 고르세요."
SAME_PRESS = timedelta(seconds=10)
ON_THE_WAY = frozenset({LineState.SHIPPING, LineState.DELIVERED, LineState.CONFIRMED})


PLACE = frozenset({"zip_code", "address1", "address2", "jibun_address"})
ON_LABEL = frozenset({"recipient_name", "zip_code", "address1", "address2", "recipient_phone"})


@dataclass(frozen=True, slots=True)
class Recipient:
    """받는 분: normalised fields of the delivery; phones as digits, zip as 5 digits."""

    recipient_name: str
    recipient_phone: str
    recipient_phone2: str
    zip_code: str
    address1: str
    address2: str
    delivery_note: str
    jibun_address: str = ""
    safe_number_end_date: date | None = None


def change_recipient(
    *, order_id: int, recipient: Recipient, expected_version: int, actor: Any, at: datetime, source: str = ""
) -> Order:
    """배송지 변경: new recipient facts for an order that has not left the house.

    Lines whose waybill is already registered get an ADDRESS lock: the printed label shows the old address. So it does
    when a 지번주소 is another one or none now; one that comes to an address that had none contradicts no label.
    Raises Conflict with the name of the other person when the recipient changed since `expected_version` and is not
    what is wanted now, DomainError when a line is already on its way or the order has ended. Whatever else happened to
    the order meanwhile (a memo, a payment) is no conflict. Source: domain.md 1.3 (배송지 변경), 5 row 13.
    """
    with locked_orders([order_id], actor=actor) as (orders, lines):
        order = _one(orders)
        old = {name: getattr(order, name) for name in Recipient.__slots__}
        new = {name: getattr(recipient, name) for name in Recipient.__slots__}
        changed = {name: [old[name], value] for name, value in new.items() if old[name] != value}
        if not changed:
            return order
        rival = _last_recipient_change(order, since=expected_version)
        if rival is not None:
            raise Conflict(_changed_by(rival))
        final = address_is_final(lines)
        if final is not None:
            raise final
        _update(order, new | _place(recipient, at=at) if changed.keys() & PLACE else new)
        store_search([order])
        address_moved = changed.keys() & ON_LABEL or (old["jibun_address"] and "jibun_address" in changed)
        _record_order(
            order, events.RECIPIENT_CHANGED, at=at, actor=actor, source=source, data={"fields": sorted(changed)}
        )
        if address_moved:
            labelled = [line.pk for line in lines if line.state == LineState.READY and line.standby_at]
            place_lock(line_ids=labelled, kind=LockKind.ADDRESS, actor=actor, at=at, reason="배송지 변경")
    order.refresh_from_db()
    return order


def _place(recipient: Recipient, *, at: datetime) -> dict[str, Any]:
    """권역 of the new address, by the table of today."""
    [place] = places_of([address_of(recipient)], at=at)
    return dict(place)


def address_is_final(lines: Collection[OrderLine]) -> DomainError | None:
    """배송지를 바꿀 수 없는 이유: the refusal for an order with these lines, None while its address may change."""
    if any(line.state in ON_THE_WAY for line in lines):
        text = "이미 출고한 품목이 있어 배송지를 바꿀 수 없습니다. 택배사에 연락해 주세요."
        return DomainError(text, code="shipped")
    if all(line.state in CLOSED for line in lines):
        return DomainError("끝난 주문이라 배송지를 바꿀 수 없습니다. 화면을 새로 고치세요.", code="order_ended")
    return None


def add_memo(*, order_id: int, text: str, is_pinned: bool, actor: Any, at: datetime) -> StaffMemo:
    """메모 작성: a note on an order; adding never conflicts with anybody.

    The same words by the same person within a few seconds are one press of the button: the first memo is returned.
    """
    with locked_orders([order_id], actor=actor) as (orders, _):
        order = _one(orders)
        same = StaffMemo.objects.filter(
            order=order, author=actor, text=text, is_pinned=is_pinned, deleted_at__isnull=True
        ).filter(created_at__range=(at - SAME_PRESS, at + SAME_PRESS))
        if (earlier := same.order_by("pk").first()) is not None:
            return earlier
        memo = StaffMemo.objects.create(order=order, author=actor, text=text, is_pinned=is_pinned)
        _update(order, {"has_memo": True})
        _record_order(order, events.MEMO_ADDED, at=at, actor=actor, data={"memo": memo.pk})
    return memo


def delete_memo(*, memo_id: int, order_number: str, actor: Any, at: datetime) -> None:
    """메모 삭제: only one's own; the row stays, marked."""
    memo = _own_memo(memo_id, order_number, actor=actor)
    with locked_orders([memo.order_id], actor=actor) as (orders, _):
        order = _one(orders)
        # Looked at again under the lock: of several presses at once one deletes.
        memo = _own_memo(memo_id, order_number, actor=actor)
        StaffMemo.objects.filter(pk=memo.pk).update(deleted_at=at)
        rest = StaffMemo.objects.filter(order=order, deleted_at__isnull=True).exists()
        _update(order, {"has_memo": rest})
        _record_order(order, events.MEMO_DELETED, at=at, actor=actor, data={"memo": memo.pk})


def _own_memo(memo_id: int, order_number: str, *, actor: Any) -> StaffMemo:
    memo = StaffMemo.objects.filter(pk=memo_id, order__number=order_number, deleted_at__isnull=True).first()
    if memo is None:
        raise DomainError("메모를 찾을 수 없습니다. 화면을 새로 고치세요.", code="memo_not_found")
    if memo.author_id != actor.pk:
        raise NotAllowed("다른 사람이 쓴 메모는 지울 수 없습니다.")
    return memo


def is_delay_possible(day: date, *, today: date) -> bool:
    """발송예정일 범위: whether a new date of dispatch may be promised (domain.md 2.3)."""
    return today <= day <= today + timedelta(days=MAX_DELAY_DAYS)


def notify_delay(
    *,
    line_ids: Collection[int],
    new_date: date,
    delay_reason: str,
    detail: str,
    actor: Any,
    at: datetime,
    batch: Job | None = None,
    source: str = "",
) -> Outcome:
    """발송지연 안내: once per line, at most 90 days ahead, later than the present 발송기한 (domain.md 2.3, T18)."""
    if not is_delay_possible(new_date, today=kst_date(at)):
        raise DomainError(DELAY_RANGE, code="delay_out_of_range")
    _, new_ship_by = kst_day_range(new_date)
    with locked_lines(line_ids, actor=actor) as lines:
        old = {line.pk: line.ship_by for line in lines}
        not_later = {
            line.pk: "새 발송예정일이 지금 발송기한보다 늦어야 합니다."
            for line in lines
            if line.ship_by and new_ship_by <= line.ship_by
        }
        outcome = move(lines, OrderLine.notify_delay, at=at, refuse=not_later, ship_by=new_ship_by)
        outcome.refused |= missing(set(line_ids), lines, text=NOT_FOUND)
        DelayNotice.objects.bulk_create(
            DelayNotice(
                line=line, reason=delay_reason, detail=detail, old_ship_by=old[line.pk], new_ship_by=new_ship_by
            )
            for line in outcome.moved
        )
        record(outcome, events.LINE_DELAYED, at=at, actor=actor, batch=batch, source=source, reason=detail)
    return outcome


def change_method(
    *,
    line_ids: Collection[int],
    method: DeliveryMethod,
    actor: Any,
    at: datetime,
    held: Mapping[int, OrderLine] | None = None,
    batch: Job | None = None,
    source: str = "",
    reason: str = "",
) -> Outcome:
    """배송방법 변경: how lines in 배송준비중 without a number will leave; the way before is kept in the history."""
    with locked_lines(line_ids, actor=actor, held=held) as lines:
        facts = before.kept(lines, "delivery_method")
        outcome = move(lines, OrderLine.change_method, at=at, delivery_method=method.value)
        who: dict[str, Any] = {"actor": actor, "source": source, "reason": reason}
        record(outcome, events.LINE_METHOD_CHANGED, at=at, batch=batch, data=facts, undoable=True, **who)
    return outcome


def _one(orders: list[Order]) -> Order:
    if not orders:
        raise DomainError(NOT_FOUND, code="order_not_found")
    return orders[0]


def _update(order: Order, values: Mapping[str, Any]) -> None:
    Order.objects.filter(pk=order.pk).update(**values, version=F("version") + 1)
    for name, value in values.items():
        setattr(order, name, value)
    order.version += 1


def _record_order(order: Order, kind: Any, *, data: Mapping[str, Any], **facts: Any) -> None:
    outcome = Outcome(changes=[Change(order, "", "", order.version)])
    record(outcome, kind, data={order.pk: data}, **facts)


def _last_recipient_change(order: Order, *, since: int) -> OrderEvent | None:
    """The newest change of the recipient after a version of the order; None when it stands as that version had it."""
    changes = order.events.filter(kind=events.RECIPIENT_CHANGED.code, subject_id=order.pk, version__gt=since)
    return changes.select_related("actor").order_by("-version").first()


def _changed_by(event: OrderEvent) -> str:
    return f"{short(event.at)}에 {named(event.actor)}이 먼저 수정했습니다. 내 값과 비교해 주세요."
