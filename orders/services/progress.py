"""T3 to T8, T11 to T16, T24: a line's way from 입금대기 to 구매확정 and back.

Each service locks orders, then lines; runs the transition on every row; moves stock; records one event per row. The
upper apps (payments, shipping) wrap these in their own transaction when they have facts of their own to write.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from core.events import EventKind, record
from core.models import Job
from core.state import Outcome, explain, missing, move
from orders import events
from orders.deadlines import Deadlines, days_to_confirm, renew_deposit_by
from orders.models import OrderLine
from orders.services import before, benefits
from orders.services.locking import NOT_FOUND, locked_lines, locked_orders
from orders.services.verdicts import judge_stock
from orders.states import CanceledBy, ConfirmedBy, DeliveredBy, LineState
from products.services import stock

NOT_YET = "구매확정 예정일이 아직 지나지 않았습니다."


def confirm_payment(
    *,
    order_ids: Collection[int],
    actor: Any,
    at: datetime,
    batch: Job | None = None,
    source: str = "",
    reason: str = "",
    put_back: Mapping[int, before.Facts] | None = None,
    held: Sequence[OrderLine] | None = None,
    paid_at: Mapping[int, datetime] | None = None,
    promised_from: datetime | None = None,
) -> Outcome:
    """입금확인: all unpaid lines of fully paid orders go to 상품준비중 and get their 발송기한 and 재고 판정.

    The caller wrote the deposit and `Order.paid_amount` in the same transaction. `paid_at` says by order when the money
    came in, by the clock of PG or bank; the 발송기한 counts from it, or for revived orders from `promised_from`.
    `put_back` are the moments and the deadline that an undone 입금확인 취소 had erased, by line; `held` as in
    `locked_orders`. Source: domain.md T3, payments.md 5.6.
    """
    with locked_orders(order_ids, actor=actor, held=held) as (orders, lines):
        waiting = [line for line in lines if line.state == LineState.AWAITING_PAYMENT]
        deadlines = Deadlines({order.channel_id for order in orders})
        came = {order.pk: order.paid_moment((paid_at or {}).get(order.pk), at=at) for order in orders}
        # Judged before they move: afterwards it would take a second write of every line and order.
        verdicts = stock.verdicts(waiting)
        facts: dict[int, before.Facts] = {}
        for line in waiting:
            promised = line.ship_by or deadlines.ship_by(line.order.channel_id, promised_from or came[line.order_id])
            known = (put_back or {}).get(line.pk) or {"paid_at": came[line.order_id], "ship_by": promised}
            facts[line.pk] = {**known, "stock_verdict": verdicts.get(line.pk, "")}
        outcome = move(waiting, OrderLine.confirm_payment, at=at, per_row=facts)
        _record(outcome, events.LINE_PAID, at=at, actor=actor, batch=batch, source=source, reason=reason)
    return outcome


def revert_payment(
    *,
    order_ids: Collection[int],
    actor: Any,
    at: datetime,
    batch: Job | None = None,
    source: str = "",
    reason: str = "",
) -> Outcome:
    """입금확인 취소: all lines in 상품준비중 go back to 입금대기, if none has gone further. Source: domain.md T5."""
    with locked_orders(order_ids, actor=actor) as (_, lines):
        paid = [line for line in lines if line.state == LineState.PREPARING]
        facts = before.kept(paid, "paid_at", "ship_by", "acknowledged_at")
        outcome = move(paid, OrderLine.revert_payment, at=at)
        renew_deposit_by(outcome.moved, at=at)
        who: dict[str, Any] = {"actor": actor, "source": source, "reason": reason}
        _record(outcome, events.LINE_PAYMENT_REVERTED, at=at, batch=batch, data=facts, **who)
    return outcome


def cancel_unpaid(
    *,
    order_ids: Collection[int],
    actor: Any,
    at: datetime,
    by: CanceledBy,
    reason: str = "",
    batch: Job | None = None,
    source: str = "",
    put_back: Mapping[int, before.Facts] | None = None,
) -> Outcome:
    """입금전취소: unpaid lines are canceled, their stock demand is dropped, coupon and points go back to the buyer.

    `put_back` says, by line, when and by whom a revived line that is closed again had been canceled. Source: domain.md
    T4 (C47, C48, C49), A05.
    """
    with locked_orders(order_ids, actor=actor) as (_, lines):
        waiting = [line for line in lines if line.state == LineState.AWAITING_PAYMENT]
        # An order is canceled whole or not at all: half of it would still be due.
        stopped = {line.order_id: text for line in waiting if (text := explain(line, OrderLine.cancel_unpaid))}
        refuse = {line.pk: stopped[line.order_id] for line in waiting if line.order_id in stopped}
        ends = {
            pk: {"by": CanceledBy(facts["canceled_by"]), "canceled_at": facts["canceled_at"]}
            for pk, facts in (put_back or {}).items()
        }
        per_row = {line.pk: ends.get(line.pk, {"by": by}) for line in waiting}
        outcome = move(waiting, OrderLine.cancel_unpaid, at=at, per_row=per_row, refuse=refuse)
        stock.drop_demand(outcome.moved, at=at, actor=actor)
        told = benefits.follow(lines=outcome.moved, at=at, actor=actor, batch=batch, reason=reason)
        who: dict[str, Any] = {"actor": actor, "source": source, "reason": reason}
        _record(outcome, events.LINE_CANCELED_UNPAID, at=at, batch=batch, data=told, **who)
    return outcome


def revive(
    *,
    order_ids: Collection[int],
    actor: Any,
    at: datetime,
    reason: str,
    batch: Job | None = None,
    source: str = "",
    checks_stock: bool = False,
) -> Outcome:
    """되살리기: canceled unpaid lines wait for payment, ask for stock and use coupon and points again (T24).

    With `checks_stock` an order is refused, whole, when free stock does not cover one of its lines: nobody should be
    asked to pay for what is sold out. Undo of a cancel does not ask: it puts back what stood before.
    """
    with locked_orders(order_ids, actor=actor) as (_, lines):
        canceled = [line for line in lines if line.state == LineState.CANCELED_UNPAID]
        short = stock.shortages(canceled) if checks_stock else {}
        stopped = {line.order_id: short[line.pk] for line in canceled if line.pk in short}
        refuse = {line.pk: stopped[line.order_id] for line in canceled if line.order_id in stopped}
        ended = before.kept(canceled, "canceled_at", "canceled_by")
        outcome = move(canceled, OrderLine.revive, at=at, refuse=refuse)
        stock.add_demand(outcome.moved, at=at, actor=actor)
        renew_deposit_by(outcome.moved, at=at)
        used = benefits.follow(lines=outcome.moved, at=at, actor=actor, batch=batch, reason=reason)
        told = {pk: facts | used.get(pk, {}) for pk, facts in ended.items()}
        _record(outcome, events.LINE_REVIVED, at=at, actor=actor, batch=batch, source=source, reason=reason, data=told)
    return outcome


def acknowledge(
    *, line_ids: Collection[int], actor: Any, at: datetime, batch: Job | None = None, source: str = ""
) -> Outcome:
    """발주확인: stamp the lines; from now on a buyer's cancel needs approval. Source: domain.md T6."""
    with locked_lines(line_ids, actor=actor) as lines:
        outcome = _move(lines, line_ids, OrderLine.acknowledge, at=at)
        _record(outcome, events.LINE_ACKNOWLEDGED, at=at, actor=actor, batch=batch, source=source)
    return outcome


def make_ready(
    *, line_ids: Collection[int], actor: Any, at: datetime, batch: Job | None = None, source: str = ""
) -> Outcome:
    """배송준비중 처리: turn the lines' stock demand into an allocation and move them to 배송준비중.

    Returns the moved rows and, for each refused id, the reason in Korean. Source: domain.md T7.
    Raises LockTimeout when another member of staff holds the orders for more than 3 s.
    """
    with locked_lines(line_ids, actor=actor) as lines:
        queue = move_order(lines)
        # A line that may not move anyway takes no stock from those behind it.
        free = [line for line in queue if explain(line, OrderLine.make_ready) is None]
        outcome = _move(queue, line_ids, OrderLine.make_ready, at=at, refuse=stock.shortages(free))
        stock.allocate(outcome.moved, at=at, actor=actor)
        _record(outcome, events.LINE_READY, at=at, actor=actor, batch=batch, source=source)
    return outcome


def move_order(lines: Sequence[OrderLine]) -> list[OrderLine]:
    """The order in which lines compete for scarce stock: earliest 발송기한 first, then the order of arrival."""
    return sorted(lines, key=lambda line: (line.ship_by is None, line.ship_by, line.pk))


def return_to_preparing(
    *, line_ids: Collection[int], actor: Any, at: datetime, batch: Job | None = None, source: str = "", reason: str = ""
) -> Outcome:
    """상품준비중으로: give the allocation back and wait in 상품준비중 again. Source: domain.md T8."""
    with locked_lines(line_ids, actor=actor) as lines:
        outcome = _move(lines, line_ids, OrderLine.return_to_preparing, at=at)
        stock.release(outcome.moved, at=at, actor=actor)
        _record(outcome, events.LINE_BACK_TO_PREPARING, at=at, actor=actor, batch=batch, source=source, reason=reason)
        judge_stock(outcome.moved)
    return outcome


def register_waybill(
    *,
    line_ids: Collection[int],
    actor: Any,
    at: datetime,
    batch: Job | None = None,
    source: str = "",
    data: Mapping[int, Mapping[str, Any]] | None = None,
    held: Mapping[int, OrderLine] | None = None,
) -> Outcome:
    """송장 등록: shipping tells that the last needed number of these lines is there; they show as 배송대기 (T9).

    `held` as in `locked_lines`.
    """
    with locked_lines(line_ids, actor=actor, held=held) as lines:
        outcome = _move(lines, line_ids, OrderLine.register_waybill, at=at)
        _record(outcome, events.LINE_WAYBILL_REGISTERED, at=at, actor=actor, batch=batch, source=source, data=data)
    return outcome


def void_waybill(
    *,
    line_ids: Collection[int],
    actor: Any,
    at: datetime,
    batch: Job | None = None,
    source: str = "",
    reason: str = "",
    held: Mapping[int, OrderLine] | None = None,
) -> Outcome:
    """송장 삭제: shipping tells that a needed number of these lines is gone (T10). `held` as in `locked_lines`."""
    with locked_lines(line_ids, actor=actor, held=held) as lines:
        outcome = _move(lines, line_ids, OrderLine.void_waybill, at=at)
        _record(outcome, events.LINE_WAYBILL_VOIDED, at=at, actor=actor, batch=batch, source=source, reason=reason)
    return outcome


def pick_up(*, line_ids: Collection[int], at: datetime, source: str = "") -> Outcome:
    """집하: the first physical scan by the courier; from now on 배송취소 is refused."""
    with locked_lines(line_ids) as lines:
        outcome = _move(lines, line_ids, OrderLine.pick_up, at=at)
        _record(outcome, events.LINE_PICKED_UP, at=at, actor=None, source=source)
    return outcome


def ship(
    *,
    line_ids: Collection[int],
    actor: Any,
    at: datetime,
    batch: Job | None = None,
    source: str = "",
    held: Mapping[int, OrderLine] | None = None,
    put_back: Mapping[int, before.Facts] | None = None,
) -> Outcome:
    """배송중 처리: the goods leave the house; both on-hand and allocated stock fall. Source: domain.md T11.

    `held` as in `locked_lines`; `put_back` says, by line, when it had left before an undone 배송취소.
    """
    with locked_lines(line_ids, actor=actor, held=held) as lines:
        outcome = _move(lines, line_ids, OrderLine.ship, at=at, per_row=put_back)
        stock.ship_out(outcome.moved, at=at, actor=actor)
        _record(outcome, events.LINE_SHIPPED, at=at, actor=actor, batch=batch, source=source)
    return outcome


def unship(
    *, line_ids: Collection[int], actor: Any, at: datetime, reason: str, batch: Job | None = None, source: str = ""
) -> Outcome:
    """배송취소: back to 배송준비중 while the courier has not scanned it; stock returns allocated (domain.md T12)."""
    with locked_lines(line_ids, actor=actor) as lines:
        facts = before.kept(lines, "shipped_at")
        outcome = _move(lines, line_ids, OrderLine.unship, at=at)
        stock.take_back(outcome.moved, at=at, actor=actor)
        who: dict[str, Any] = {"actor": actor, "source": source, "reason": reason}
        _record(outcome, events.LINE_UNSHIPPED, at=at, batch=batch, data=facts, **who)
    return outcome


def deliver(
    *,
    delivered_at: Mapping[int, datetime],
    by: DeliveredBy,
    actor: Any,
    at: datetime,
    batch: Job | None = None,
    source: str = "",
    reason: str = "",
    put_back: Mapping[int, before.Facts] | None = None,
) -> Outcome:
    """배송완료 처리: `delivered_at` maps line ids to the proven moment; sets the 구매확정 예정 (domain.md T13).

    `put_back` says, by line, when and by whom it had been delivered before an undone 배송완료 취소.
    """
    days = days_to_confirm()
    with locked_lines(delivered_at.keys(), actor=actor) as lines:
        # A 구매확정 that was withdrawn on the way has set a later date already.
        later = {line.pk: line.confirm_by for line in lines if line.confirm_by is not None}
        outcome = _move(
            lines,
            delivered_at.keys(),
            OrderLine.deliver,
            at=at,
            per_row={
                pk: {"by": by, "delivered_at": moment, "confirm_by": max(moment + days, later.get(pk, moment))}
                for pk, moment in delivered_at.items()
            }
            | {
                pk: {"by": DeliveredBy(facts["delivered_by"])} | {name: facts[name] for name in _DELIVERED}
                for pk, facts in (put_back or {}).items()
            },
        )
        _record(outcome, events.LINE_DELIVERED, at=at, actor=actor, batch=batch, source=source, reason=reason)
    return outcome


_DELIVERED = ("delivered_at", "confirm_by")


def undeliver(
    *, line_ids: Collection[int], actor: Any, at: datetime, reason: str, batch: Job | None = None, source: str = ""
) -> Outcome:
    """배송완료 취소: back to 배송중, refused after 구매확정. Source: domain.md T14."""
    with locked_lines(line_ids, actor=actor) as lines:
        facts = before.kept(lines, "delivered_by", *_DELIVERED)
        outcome = _move(lines, line_ids, OrderLine.undeliver, at=at)
        who: dict[str, Any] = {"actor": actor, "source": source, "reason": reason}
        _record(outcome, events.LINE_UNDELIVERED, at=at, batch=batch, data=facts, **who)
    return outcome


def confirm_purchase(
    *,
    line_ids: Collection[int],
    by: ConfirmedBy,
    actor: Any,
    at: datetime,
    batch: Job | None = None,
    source: str = "",
    reason: str = "",
    put_back: Mapping[int, before.Facts] | None = None,
) -> Outcome:
    """구매확정 처리 by staff or by the buyer through the API. Source: domain.md T15.

    `put_back` says, by line, when and by whom it had been confirmed before an undone 구매확정 철회.
    """
    known = {
        pk: {"by": ConfirmedBy(facts["confirmed_by"])} | {name: facts[name] for name in _CONFIRMED if name in facts}
        for pk, facts in (put_back or {}).items()
    }
    with locked_lines(line_ids, actor=actor) as lines:
        per_row = {line.pk: {"by": by, "confirm_by": line.confirm_by} | known.get(line.pk, {}) for line in lines}
        outcome = _move(lines, line_ids, OrderLine.confirm_purchase, at=at, per_row=per_row)
        _record(outcome, events.LINE_CONFIRMED, at=at, actor=actor, batch=batch, source=source, reason=reason)
    return outcome


_CONFIRMED = ("confirmed_at", "confirm_by")


def confirm_after_days(*, line_ids: Collection[int], at: datetime) -> Outcome:
    """자동 구매확정: lines whose proven delivery is long enough ago; never with an open claim (domain.md T15).

    Lines of orders that somebody is working on are left for the next run.
    """
    with locked_lines(line_ids, skip_locked=True) as lines:
        not_yet = {line.pk: NOT_YET for line in lines if (line.confirm_by or at) > at}
        outcome = move(lines, OrderLine.confirm_after_days, at=at, refuse=not_yet)
        _record(outcome, events.LINE_CONFIRMED, at=at, actor=None)
    return outcome


def revoke_confirmation(
    *,
    line_ids: Collection[int],
    actor: Any,
    at: datetime,
    reason: str,
    batch: Job | None = None,
    source: str = "",
    keeps_date: bool = False,
) -> Outcome:
    """구매확정 철회: back to where the line was confirmed from, with a new 구매확정 예정 counted from now.

    The old date would let the next 자동 구매확정 confirm it again. `keeps_date` is for the undo of 구매확정 처리, which
    puts back what stood before. Source: domain.md T16.
    """
    with locked_lines(line_ids, actor=actor) as lines:
        delivered = [line for line in lines if line.delivered_at is not None]
        on_the_way = [line for line in lines if line.delivered_at is None]
        facts = before.kept(lines, "confirmed_by", *_CONFIRMED)
        new = at + days_to_confirm()
        dates = {line.pk: {"confirm_by": line.confirm_by if keeps_date else new} for line in lines}
        outcome = move(delivered, OrderLine.revoke_confirmation, at=at, per_row=dates)
        outcome.merge(move(on_the_way, OrderLine.revoke_confirmation_on_the_way, at=at, per_row=dates))
        outcome.refused |= missing(set(line_ids), lines, text=NOT_FOUND)
        who: dict[str, Any] = {"actor": actor, "source": source, "reason": reason}
        _record(outcome, events.LINE_CONFIRMATION_REVOKED, at=at, batch=batch, data=facts, **who)
    return outcome


def _move(lines: Sequence[OrderLine], asked: Collection[int], method: Any, **facts: Any) -> Outcome:
    outcome = move(lines, method, **facts)
    outcome.refused |= missing(set(asked), lines, text=NOT_FOUND)
    return outcome


def _record(outcome: Outcome, kind: EventKind, *, batch: Job | None = None, **facts: Any) -> None:
    record(outcome, kind, batch=batch, undoable=batch is not None, **facts)
