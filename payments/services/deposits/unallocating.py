"""연결 취소: deposits leave the orders that they were connected with, and what becomes of those, told before.

Locks orders, lines, payments, deposits in this order. Source: domain.md T5.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from core.events import record
from core.locks import locked
from core.models import Job
from core.state import Outcome, missing, move
from orders.models import Order, OrderLine
from orders.services import progress
from orders.services.locking import locked_orders
from orders.states import LineState
from payments import events
from payments.models import BankDeposit, DepositAllocation, DepositCandidate, LedgerEntry, Payment
from payments.services.deposits.allocating import NOT_FOUND, all_moved, tell_difference
from payments.services.deposits.deposit_locks import keep_in_step
from payments.services.ledger import noting
from payments.services.ledger.booking import Row, book, forgive, payments_of
from payments.services.ledger.keeping import kept, kept_by
from payments.services.refunds import preparing
from payments.states import ENDED, EntryKind

BEFORE_PACKING = frozenset({LineState.AWAITING_PAYMENT, LineState.PREPARING, *ENDED})


class Follow(StrEnum):
    """주문에 생기는 일: back to 입금대기, less money while it waits, nothing, or canceled as before."""

    WAITS = "waits"
    SHORT = "short"
    STAYS = "stays"
    CANCELED = "canceled"


def forecast(deposit_ids: Collection[int]) -> dict[int, dict[str, int]]:
    """예상: by deposit how many orders meet what; an order of several deposits counts with the first. One query.

    Whether a deposit can be taken back at all is for `unallocate` to say.
    """
    live = DepositAllocation.objects.filter(deposit__in=deposit_ids, voided_at=None).select_related("payment__order")
    loss: dict[int, int] = defaultdict(int)
    first: dict[int, tuple[int, Order]] = {}
    for one in live.order_by("deposit_id", "pk"):
        order = one.payment.order
        loss[order.pk] += one.amount - one.replaced_amount
        first.setdefault(order.pk, (one.deposit_id, order))
    found: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for deposit_id, order in first.values():
        found[deposit_id][_follow(order, loss[order.pk])] += 1
    return found


def _follow(order: Order, loss: int) -> Follow:
    if order.stage == LineState.CANCELED_UNPAID:
        return Follow.CANCELED
    if order.stage == LineState.AWAITING_PAYMENT:
        return Follow.SHORT
    return Follow.WAITS if order.paid_amount - loss < order.due_amount else Follow.STAYS


def unallocate(
    *, deposit_ids: Collection[int], actor: Any, at: datetime, reason: str, batch: Job | None = None
) -> Outcome:
    """연결 취소: the bookings of deposits are reversed and their orders wait for money again, held by the deposit.

    A booking by hand that the deposit stood in for comes back. Refused when an order has gone further than 상품준비중,
    or when money of it was refunded. Source: domain.md T5.
    """
    live = DepositAllocation.objects.filter(deposit__in=deposit_ids, voided_at=None).select_related("payment")
    by_deposit: dict[int, list[DepositAllocation]] = defaultdict(list)
    for one in live:
        by_deposit[one.deposit_id].append(one)
    order_ids = {one.payment.order_id for mine in by_deposit.values() for one in mine}
    with locked_orders(order_ids, actor=actor) as (orders, lines):
        payments = payments_of(orders)
        deposits: list[BankDeposit] = locked(BankDeposit.objects.filter(pk__in=deposit_ids))
        refused = _stuck(deposits, by_deposit, payments, lines)
        good = [one for one in deposits if one.pk not in refused]
        _take_back([one for d in good for one in by_deposit[d.pk]], payments, actor=actor, at=at, reason=reason)
        outcome = move(deposits, BankDeposit.reopen, at=at, refuse=refused, note=reason)
        outcome.refused |= missing(set(deposit_ids), deposits, text=NOT_FOUND)
        record(outcome, events.DEPOSIT_UNALLOCATED, at=at, actor=actor, reason=reason, batch=batch)
        _hold([one for d in good for one in by_deposit[d.pk]])
        keep_in_step(order_ids=order_ids, actor=actor, at=at, batch=batch)
    return outcome


def _stuck(
    deposits: Sequence[BankDeposit],
    by_deposit: Mapping[int, Sequence[DepositAllocation]],
    payments: Mapping[int, Payment],
    lines: Sequence[OrderLine],
) -> dict[int, str]:
    """Deposits that cannot be taken back, one after the other, with the reason."""
    states: dict[int, set[str]] = defaultdict(set)
    for line in lines:
        states[line.order_id].add(line.state)
    stuck, filled = {}, _filled([one for mine in by_deposit.values() for one in mine])
    holds, own, paid = kept_by(payments.values()), Counter[int](), Counter[int]()
    for deposit in deposits:
        mine = by_deposit.get(deposit.pk, [])
        if deposit.allocated_amount != sum(one.amount for one in mine) or not mine:
            stuck[deposit.pk] = "연결한 주문이 없는 입금입니다. 화면을 새로 고치세요."
        own_then, paid_then = own.copy(), paid.copy()
        for one in mine:
            payment, loss = payments[one.payment_id], one.amount - one.replaced_amount
            own_then[payment.pk] += loss
            paid_then[payment.order_id] += loss - filled.get((payment.pk, one.reference), 0)
        for payment in [payments[one.payment_id] for one in mine]:
            won = holds[payment.pk]
            is_cut = payment.refunded and payment.order.stage not in ENDED
            if is_cut or own_then[payment.pk] > won.own:
                stuck[deposit.pk] = f"환불한 금액이 있는 주문입니다: {payment.order.number}"
            elif won.paid - paid_then[payment.order_id] < won.owed and states[payment.order_id] - BEFORE_PACKING:
                stuck[deposit.pk] = f"배송준비중 이후로 넘어간 주문입니다: {payment.order.number}"
        if deposit.pk not in stuck:
            own, paid = own_then, paid_then
    return stuck


def _take_back(
    mine: Sequence[DepositAllocation], payments: Mapping[int, Payment], *, actor: Any, at: datetime, reason: str
) -> None:
    rows: list[Row] = []
    filled, forgiven = _filled(mine), {one.payment_id: payments[one.payment_id].forgiven for one in mine}
    loss: dict[int, int] = defaultdict(int)
    for one in mine:
        payment = payments[one.payment_id]
        rows.append((payment, EntryKind.REVERSAL, one.reference, -one.amount))
        if one.replaced_amount:
            rows.append((payment, EntryKind.MANUAL, one.reference, one.replaced_amount))
        if again := filled.get((payment.pk, one.reference), 0):
            rows.append((payment, EntryKind.SHORTFALL, f"{one.reference}/back", again))
            forgiven[payment.pk] += again
        loss[payment.pk] += one.amount - one.replaced_amount - again
    touched = [payments[pk] for pk in loss]
    unpaid = [p for p in touched if p.order.paid_amount - loss[p.pk] < kept(p).owed]
    # What was forgiven was so for the money that is gone now.
    rows += [forgive(one, -forgiven[one.pk]) for one in unpaid if forgiven[one.pk]]
    all_moved(progress.revert_payment(order_ids=[p.order_id for p in unpaid], actor=actor, at=at, reason=reason))
    for payment in unpaid:
        payment.order.refresh_from_db(fields=["stage", "steps"])
    entries = book(rows, at=at, actor=actor, reason=reason)
    DepositAllocation.objects.filter(pk__in=[one.pk for one in mine]).update(voided_at=at, voided_by=actor)
    for payment in touched:
        tell_difference(payment, at=at)
    preparing.keep_in_step(touched, at=at, actor=actor)
    noting.note([one for one in entries if one.kind == EntryKind.SHORTFALL], at=at, actor=actor)


def _filled(mine: Sequence[DepositAllocation]) -> dict[tuple[int, str], int]:
    """Forgiven won in whose place deposits came, by payment and reference: they come back with the connection."""
    refs = [one.reference for one in mine]
    rows = LedgerEntry.objects.filter(kind=EntryKind.SHORTFALL, reference__in=refs, amount__lt=0)
    return {(payment_id, ref): -won for payment_id, ref, won in rows.values_list("payment_id", "reference", "amount")}


def _hold(mine: Sequence[DepositAllocation]) -> None:
    """The orders of a deposit that waits again are its candidates, and protected."""
    for one in mine:
        DepositCandidate.objects.update_or_create(
            deposit_id=one.deposit_id,
            order_id=one.payment.order_id,
            defaults={"holds": True},
            create_defaults={
                "holds": True, "rank": 99, "score": 0, "grade": "WEAK", "words": "직원이 연결했던 주문",
            },
        )  # fmt: skip
