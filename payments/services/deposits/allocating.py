"""입금 연결: what staff decide about a deposit that could not be confirmed by itself; unallocating.py takes it back.

Locks orders, lines, payments, deposits in this order; ledger, order, problem and deposit change in one transaction.
Sources: domain.md 1.2, T3, T5, T24; payments.md 5.6, 5.7, A60.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from core.events import record
from core.exceptions import Conflict, DomainError
from core.jobs.history import changed_rows, since_the_screen
from core.locks import locked
from core.models import Job
from core.state import Outcome, missing, move
from orders.models import Order, OrderLine
from orders.services import progress
from orders.services.locking import locked_orders
from orders.states import LineState, PaymentMethod
from payments import events
from payments.models import BankDeposit, DepositAllocation, DepositCandidate, LedgerEntry, Payment
from payments.services.deposits.confirming import references_of
from payments.services.deposits.deposit_locks import keep_in_step
from payments.services.deposits.sharing import Need, shares_of
from payments.services.ledger import noting, problems
from payments.services.ledger.booking import Row, book, main_of, payments_of, standing_by_hand
from payments.services.ledger.keeping import kept
from payments.services.refunds import preparing
from payments.states import BY_HAND, ENDED, LATE_MONEY, DepositState, EntryKind, ProblemKind

NOT_FOUND = "입금내역을 찾을 수 없습니다. 목록을 새로 고치세요."
LOOK_AGAIN = "후보 주문을 다시 확인하세요."
NO_ORDER = "연결할 주문을 고르세요."
REVIVED = "입금을 확인해 주문을 되살렸습니다."


class Canceled(StrEnum):
    """취소한 주문이면: refuse, bring it back (T24), or leave it canceled with its money, to be refunded from there."""

    REFUSE = "refuse"
    REVIVE = "revive"
    KEEP = "keep"


@dataclass(slots=True)
class _Order:
    """An order that money is to go to, with what it wants and where it stands."""

    order: Order
    payment: Payment
    need: int
    by_hand: int
    forgiven: int
    is_unpaid: bool
    is_canceled: bool


def allocate(
    *,
    deposit_id: int,
    order_ids: Sequence[int],
    actor: Any,
    at: datetime,
    seen_version: int | None = None,
    accepts_difference: bool = False,
    canceled: Canceled = Canceled.REFUSE,
) -> BankDeposit:
    """입금 연결: one deposit, whole, to one or several orders in the given order; those it pays are confirmed.

    With `accepts_difference` the last order may get less (부분입금, stays unpaid) or more (초과입금, confirmed), which
    opens a MoneyProblem. `canceled` says what to do with orders that were canceled meanwhile; one that was canceled
    with its refund can only keep the money. An order confirmed by hand gets the deposit in place of that booking, so
    that the money counts once, and one that was forgiven a rest in place of that. Raises Conflict when somebody was
    faster, DomainError when sums or states do not fit; nothing is changed then.
    """
    if not order_ids:
        raise DomainError(NO_ORDER, code="no_order")
    held = DepositCandidate.objects.filter(deposit=deposit_id, holds=True).values_list("order_id", flat=True)
    chosen = list(dict.fromkeys(order_ids))
    with locked_orders({*chosen, *held}, actor=actor) as (orders, lines):
        payments = main_of(payments_of([order for order in orders if order.pk in chosen]).values())
        deposit = queued(deposit_id, seen_version)
        found = _chosen(chosen, orders, lines, payments, canceled=canceled)
        shares = shares_of(deposit.amount, [Need(one.order.pk, one.need, one.by_hand > 0) for one in found])
        if not accepts_difference and sum(one.need for one in found) != deposit.amount:
            raise DomainError(_differs(deposit.amount, sum(one.need for one in found)), code="difference")
        gone = [one for one in found if one.is_canceled]
        if gone and canceled is Canceled.REVIVE:
            ids = [one.order.pk for one in gone]
            all_moved(progress.revive(order_ids=ids, actor=actor, at=at, reason=REVIVED))
            for one in gone:
                one.order.refresh_from_db(fields=["stage", "steps"])
                one.is_canceled, one.is_unpaid = False, True
        _give(deposit, found, shares, revived={one.order.pk for one in gone}, actor=actor, at=at)
        record(
            move([deposit], BankDeposit.allocate, at=at, actor=actor),
            events.DEPOSIT_ALLOCATED,
            at=at,
            actor=actor,
            data={deposit.pk: {"orders": [[one.order.number, shares[one.order.pk]] for one in found]}},
        )
        keep_in_step(order_ids={order.pk for order in orders}, actor=actor, at=at)
    return deposit


def queued(deposit_id: int, seen_version: int | None) -> BankDeposit:
    """기다리는 입금, locked, as the screen showed it. Raises Conflict when somebody was faster."""
    rows: list[BankDeposit] = locked(BankDeposit.objects.filter(pk=deposit_id))
    if not rows:
        raise DomainError(NOT_FOUND, code="deposit_not_found")
    deposit = rows[0]
    if deposit.state != DepositState.QUEUED:
        raise Conflict(changed_rows(BankDeposit, [deposit.pk], _done_already)[deposit.pk], code="deposit_done")
    if seen_version is not None and deposit.version != seen_version:
        changed = changed_rows(BankDeposit, [deposit.pk], since_the_screen)[deposit.pk]
        raise Conflict(f"{changed} {LOOK_AGAIN}", code="deposit_changed")
    return deposit


def _done_already(who: str, what: str) -> str:
    return f"이미 처리한 입금입니다. {who} {what}."


def _chosen(
    ids: Sequence[int],
    orders: Sequence[Order],
    lines: Sequence[OrderLine],
    payments: Mapping[int, Payment],
    *,
    canceled: Canceled,
) -> list[_Order]:
    by_id = {order.pk: order for order in orders}
    states: dict[int, set[str]] = defaultdict(set)
    for line in lines:
        states[line.order_id].add(line.state)
    by_hand = _by_hand(payments.values())
    found = []
    for pk in ids:
        order, payment = by_id.get(pk), payments.get(pk)
        if order is None or payment is None:
            raise DomainError("고른 주문을 찾을 수 없습니다. 화면을 새로 고치세요.", code="order_not_found")
        if order.payment_method != PaymentMethod.BANK_TRANSFER:
            raise DomainError(f"무통장입금 주문이 아닙니다: {order.number}", code="other_method")
        unpaid, gone = LineState.AWAITING_PAYMENT in states[pk], order.stage in ENDED
        hand = standing_by_hand(payment, by_hand.get(payment.pk, 0))
        if text := _ended_text(order, states[pk], canceled) if gone else None:
            raise DomainError(text, code="canceled")
        if not unpaid and not gone and not hand and not payment.forgiven:
            raise DomainError(f"이미 입금확인한 주문입니다: {order.number}", code="paid_already")
        need = order.open_amount + hand + payment.forgiven
        found.append(_Order(order, payment, need, hand, payment.forgiven, unpaid, gone))
    return found


def _ended_text(order: Order, states: Collection[str], canceled: Canceled) -> str | None:
    """Why a deposit cannot go to a canceled order in the way that was chosen."""
    if LineState.CANCELED_UNPAID not in states and canceled is not Canceled.KEEP:
        return f"환불하고 취소한 주문이라 되살릴 수 없습니다: {order.number}. 취소한 채로 연결하고 환불하세요."
    if canceled is Canceled.REFUSE:
        return f"입금 전에 취소한 주문입니다: {order.number}. 되살리고 연결하세요."
    return None


def _by_hand(payments: Collection[Payment]) -> dict[int, int]:
    """Won that were booked by hand and not taken back, by payment id."""
    totals: dict[int, int] = defaultdict(int)
    rows = LedgerEntry.objects.filter(payment__in=payments, kind__in=BY_HAND)
    for payment_id, amount in rows.values_list("payment_id", "amount"):
        totals[payment_id] += amount
    return totals


def _differs(amount: int, wanted: int) -> str:
    words = "많습니다" if amount > wanted else "적습니다"
    gap = abs(amount - wanted)
    return f"입금액이 고른 주문의 금액보다 {gap:,}원 {words}. 다른 주문을 고르거나 '차액이 있어도 연결'을 고르세요."


def _give(
    deposit: BankDeposit,
    found: Sequence[_Order],
    shares: Mapping[int, int],
    *,
    revived: Collection[int],
    actor: Any,
    at: datetime,
) -> None:
    reference = references_of([deposit])[deposit.pk]
    rows: list[Row] = [(one.payment, EntryKind.DEPOSIT, reference, shares[one.order.pk]) for one in found]
    # The same money: what staff had confirmed by hand is what the bank shows now.
    rows += [(one.payment, EntryKind.MANUAL_REVERSAL, reference, -one.by_hand) for one in found if one.by_hand]
    filled = {one.order.pk: min(shares[one.order.pk] - one.by_hand, one.forgiven) for one in found}
    rows += [(one.payment, EntryKind.SHORTFALL, reference, -won) for one in found if (won := filled[one.order.pk])]
    facts: dict[str, Any] = {"actor": actor, "at": at, "reason": events.DEPOSIT_ALLOCATED.label}
    entries = book(rows, came_at={one.payment.pk: deposit.at for one in found}, **facts)
    DepositAllocation.objects.bulk_create(
        DepositAllocation(
            deposit=deposit,
            payment=one.payment,
            amount=shares[one.order.pk],
            reference=reference,
            replaced_amount=one.by_hand,
            at=at,
            actor=actor,
        )
        for one in found
    )
    paid = [one.order.pk for one in found if one.is_unpaid and kept(one.payment).surplus >= 0]
    told = {one.order.pk: deposit.at for one in found}
    for ids, promised_from in (([pk for pk in paid if pk not in revived], None), (sorted({*paid} & {*revived}), at)):
        if ids:
            all_moved(progress.confirm_payment(order_ids=ids, paid_at=told, promised_from=promised_from, **facts))
    for one in found:
        tell_difference(one.payment, at=at)
    preparing.keep_in_step([one.payment for one in found], at=at, actor=actor)
    noting.note(entries, at=at, actor=actor)


def tell_difference(payment: Payment, *, at: datetime) -> None:
    """What the money of an order is too much or too little by, judged like that of a PG (following.py)."""
    order, won = payment.order, kept(payment)
    gap = won.surplus
    if order.stage in ENDED:
        if gap > 0:
            problems.open_for(payment, ProblemKind.LATE_AFTER_CANCEL, amount=gap, at=at)
        else:
            problems.settle(payment, LATE_MONEY, at=at)
        return
    open_kind = ProblemKind.UNDERPAID if gap < 0 else ProblemKind.OVERPAID if gap else None
    fits = {ProblemKind.UNDERPAID, ProblemKind.OVERPAID} - {open_kind}
    if not order.paid_amount:
        fits |= {ProblemKind.UNDERPAID, *LATE_MONEY}
    problems.settle(payment, fits, at=at)
    if gap > 0:
        problems.open_for(payment, ProblemKind.OVERPAID, amount=gap, at=at)
    elif gap < 0 < won.free and order.stage == LineState.AWAITING_PAYMENT:
        problems.open_for(payment, ProblemKind.UNDERPAID, amount=-gap, at=at)


def all_moved(outcome: Outcome) -> None:
    if outcome.refused:
        raise DomainError(next(iter(outcome.refused.values())), code="order_refused")


def ignore(*, deposit_ids: Collection[int], actor: Any, at: datetime, reason: str, batch: Job | None = None) -> Outcome:
    """무시: money that belongs to no order (interest, a supplier's refund); its orders are no longer held."""
    return _decide(deposit_ids, BankDeposit.ignore, events.DEPOSIT_IGNORED, actor, at, reason, batch)


def reopen(*, deposit_ids: Collection[int], actor: Any, at: datetime, reason: str, batch: Job | None = None) -> Outcome:
    """무시 취소: the deposit waits for a person again."""
    return _decide(deposit_ids, BankDeposit.reopen, events.DEPOSIT_REOPENED, actor, at, reason, batch)


def _decide(
    ids: Collection[int], method: Any, kind: Any, actor: Any, at: datetime, reason: str, batch: Job | None
) -> Outcome:
    held = set(DepositCandidate.objects.filter(deposit__in=ids, holds=True).values_list("order_id", flat=True))
    with locked_orders(held, actor=actor):
        deposits: list[BankDeposit] = locked(BankDeposit.objects.filter(pk__in=ids))
        facts = {"actor": actor} if method is BankDeposit.ignore else {}
        connected = {
            one.pk: "주문에 연결한 입금입니다. 연결을 먼저 취소하세요." for one in deposits if one.allocated_amount
        }
        outcome = move(deposits, method, at=at, refuse=connected, note=reason, **facts)
        outcome.refused |= missing(set(ids), deposits, text=NOT_FOUND)
        record(outcome, kind, at=at, actor=actor, reason=reason, batch=batch)
        keep_in_step(order_ids=held, actor=actor, at=at, batch=batch)
    return outcome
