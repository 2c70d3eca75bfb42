"""Money in, the plain part: what channels collected, what staff confirm by hand, what nobody paid.

Every service locks orders, lines, payments in this order, books the ledger, writes `Order.paid_amount` and then lets
the orders app move its lines; all in one transaction. Source: domain.md 1.2, T2 to T5, T24; architecture.md 3.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from core.events import record
from core.locks import locked
from core.models import Job
from core.state import Outcome, move
from orders.models import Order, OrderLine
from orders.services import progress
from orders.services.before import Facts
from orders.services.locking import locked_orders
from orders.states import PREPAID_METHODS, CanceledBy, LineState
from payments.events import PAYMENT_SETTLED
from payments.models import LedgerEntry, Payment
from payments.states import EntryKind

PAID_ALREADY = "이미 입금확인한 주문입니다."
NOTHING_DUE = "입금할 금액이 없던 주문입니다. 쿠폰과 적립금으로 모두 결제되어 취소할 입금확인이 없습니다."
NOT_MANUAL = "직접 입금확인한 주문이 아닙니다. 결제 내역에서 환불로 처리하세요."


def open_payments(*, orders: Sequence[Order], at: datetime, actor: Any = None) -> list[Payment]:
    """결제 등록: one payment per new order; prepaid orders are booked as paid by their channel at once.

    Runs in the transaction that created the orders. Where points and coupons cover everything nothing is due: the
    payment is settled without a booking.
    """
    payments = Payment.objects.bulk_create(
        Payment(order=order, method=order.payment_method, amount=order.due_amount) for order in orders
    )
    nothing_due = move([payment for payment in payments if not payment.amount], Payment.settle, at=at, balance=0)
    record(nothing_due, PAYMENT_SETTLED, at=at, actor=actor)
    prepaid = [payment for payment in payments if payment.method in PREPAID_METHODS and payment.amount]
    _book([(p, EntryKind.PREPAID, p.order.channel_number, p.amount) for p in prepaid], at=at, actor=actor, batch=None)
    return list(payments)


def confirm_manually(
    *,
    order_ids: Collection[int],
    actor: Any,
    at: datetime,
    batch: Job | None = None,
    reason: str = "",
    put_back: Mapping[int, Facts] | None = None,
) -> Outcome:
    """입금확인: book the open amount as MANUAL and move the order's lines to 상품준비중.

    Refused (per line of the order): already confirmed, canceled meanwhile, or the ledger holds another sum than
    nothing; then the difference is named. `put_back` as in `progress.confirm_payment`. Source: domain.md A02.
    """
    with locked_orders(order_ids, actor=actor) as (orders, lines):
        payments = _payments(orders)
        refused = {order.pk: text for order in orders if (text := _unpayable(order, lines))}
        payable = [order for order in orders if order.pk not in refused]
        _book(
            [
                (payments[order.pk], EntryKind.MANUAL, f"{order.number}/{order.version}", order.open_amount)
                for order in payable
                if order.open_amount
            ],
            at=at,
            actor=actor,
            batch=batch,
            reason=reason,
        )
        outcome = progress.confirm_payment(
            order_ids=[order.pk for order in payable],
            actor=actor,
            at=at,
            batch=batch,
            reason=reason,
            put_back=put_back,
        )
        if outcome.refused:
            raise RuntimeError(f"booked orders were refused: {outcome.refused}")
        outcome.refused = {line.pk: refused[line.order_id] for line in lines if line.order_id in refused}
    return outcome


def _unpayable(order: Order, lines: Sequence[OrderLine]) -> str | None:
    mine = [line for line in lines if line.order_id == order.pk]
    if not any(line.state == LineState.AWAITING_PAYMENT for line in mine):
        canceled = any(line.state == LineState.CANCELED_UNPAID for line in mine)
        return mine[0].wrong_state_reason([LineState.AWAITING_PAYMENT]) if canceled else PAID_ALREADY
    if order.paid_amount not in {0, order.due_amount}:
        return f"입금액이 주문 금액과 {abs(order.open_amount):,}원 다릅니다."
    return None


def revert_manual(
    *, order_ids: Collection[int], actor: Any, at: datetime, reason: str, batch: Job | None = None
) -> Outcome:
    """입금확인 취소: take a MANUAL booking back; refused once a provider captured money or a line has gone further.

    Refused too when there is no booking because nothing was due. Source: domain.md T2, T5.
    """
    with locked_orders(order_ids, actor=actor) as (orders, lines):
        payments = _payments(orders)
        booked = _manual_balances(payments.values())
        refused = {o.pk: NOT_MANUAL for o in orders if booked.get(payments[o.pk].pk, 0) != o.paid_amount}
        refused |= {order.pk: NOTHING_DUE for order in orders if not order.due_amount and not order.paid_amount}
        good = [order for order in orders if order.pk not in refused and order.paid_amount]
        outcome = progress.revert_payment(
            order_ids=[order.pk for order in good], actor=actor, at=at, batch=batch, reason=reason
        )
        reverted = {line.order_id for line in outcome.possible}
        _book(
            [
                (payments[o.pk], EntryKind.MANUAL_REVERSAL, f"{o.number}/{o.version}", -o.paid_amount)
                for o in good
                if o.pk in reverted
            ],
            at=at,
            actor=actor,
            batch=batch,
            reason=reason,
        )
        outcome.refused |= {line.pk: refused[line.order_id] for line in lines if line.order_id in refused}
    return outcome


def cancel_overdue(*, order_ids: Collection[int], at: datetime) -> Outcome:
    """자동취소 (C48): unpaid orders whose 입금기한 has passed at `at`, to the minute; a waiting deposit protects them.

    Orders that are not due at `at`, or that somebody is working on, are left for the next run; refused with a reason:
    partly paid, DEPOSIT_PENDING lock. Source: domain.md T4, A05.
    """
    with locked_orders(order_ids, skip_locked=True) as (orders, _):
        due = [order.pk for order in orders if order.deposit_by is not None and order.deposit_by <= at]
        return progress.cancel_unpaid(
            order_ids=due, actor=None, at=at, by=CanceledBy.DEADLINE, reason="입금기한이 지났습니다."
        )


def overdue_orders(*, at: datetime, after: int = 0, limit: int = 1000) -> list[int]:
    """Ids of orders with unpaid lines whose 입금기한 is over, ascending after `after`."""
    return list(
        Order.objects.in_step(LineState.AWAITING_PAYMENT)
        .filter(deposit_by__lte=at, pk__gt=after)
        .order_by("pk")
        .values_list("pk", flat=True)[:limit]
    )


def _payments(orders: Sequence[Order]) -> dict[int, Payment]:
    found = {p.order_id: p for p in locked(Payment.objects.filter(order__in=orders))}
    for order in orders:
        if order.pk in found:
            found[order.pk].order = order
    return found


def _manual_balances(payments: Collection[Payment]) -> dict[int, int]:
    """Won booked by hand per payment; the caller compares it with all that was paid."""
    totals: dict[int, int] = {}
    rows = LedgerEntry.objects.filter(payment__in=payments).values_list("payment_id", "kind", "amount")
    for payment_id, kind, amount in rows:
        if kind in {EntryKind.MANUAL, EntryKind.MANUAL_REVERSAL}:
            totals[payment_id] = totals.get(payment_id, 0) + amount
    return totals


def _book(
    rows: Sequence[tuple[Payment, EntryKind, str, int]],
    *,
    at: datetime,
    actor: Any,
    batch: Job | None,
    reason: str = "",
) -> None:
    """Write ledger rows, settle their payments and bring `Order.paid_amount` along; payments are locked."""
    if not rows:
        return
    LedgerEntry.objects.bulk_create(
        LedgerEntry(
            payment=payment,
            kind=kind,
            reference=reference,
            amount=amount,
            at=at,
            actor=actor,
            batch=batch,
            reason=reason,
        )
        for payment, kind, reference, amount in rows
    )
    balances = {payment.pk: {"balance": payment.balance + amount} for payment, _, _, amount in rows}
    outcome = move([payment for payment, *_ in rows], Payment.settle, at=at, per_row=balances)
    record(outcome, PAYMENT_SETTLED, at=at, actor=actor, batch=batch, reason=reason)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE orders_order o SET paid_amount = o.paid_amount + v.amount"
            " FROM unnest(%s::bigint[], %s::bigint[]) AS v(id, amount) WHERE o.id = v.id",
            [[payment.order_id for payment, *_ in rows], [amount for *_, amount in rows]],
        )
