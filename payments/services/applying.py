"""PG 조회 반영: the ledger is made equal to what the PG says, then the order follows the ledger.

Because the effect is "snapshot minus ledger", late, doubled and reordered notices find nothing to add; any number of
them ends in the same state. Source: payments.md 5.5, 5.6.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from core.bulk import update_rows
from core.models import Source
from orders.models import Order, OrderLine
from orders.services import locks, progress
from orders.services.canceling import cancel_before_shipping
from orders.services.locking import locked_orders
from orders.states import CanceledBy, LineState, LockKind
from payments.adapters.base import PgState, Snapshot
from payments.models import LedgerEntry, Payment
from payments.services import preparing, problems, refund_booking
from payments.services.booking import book, payments_of
from payments.services.pg_accounts import pg_of
from payments.services.receipts import keep_receipts
from payments.states import LATE_MONEY, EntryKind, NoticeState, ProblemKind

S = LineState
ENDED_AT_PG = frozenset({PgState.CANCELED, PgState.EXPIRED})
FROM_PG = frozenset({EntryKind.DEPOSIT, EntryKind.REVERSAL})
BY_HAND = frozenset({EntryKind.MANUAL, EntryKind.MANUAL_REVERSAL})
# What a bank could not pay out still counts as refunded at the PG (REFUND_FAILED is not among these).
GOING_OUT = frozenset({EntryKind.REFUND, EntryKind.REFUND_UNDONE})
ON_THEIR_WAY = frozenset({S.READY, S.SHIPPING, S.DELIVERED, S.CONFIRMED})
REVERSED = "은행이 입금을 취소했습니다."
CANCELED_AT_PG = "PG에서 취소한 결제입니다."
IN_TIME = "입금기한 안에 들어온 입금입니다."
REFUNDED_AT_PG = "PG에서 전액 환불한 결제입니다."
EXPIRED_AT_PG = "가상계좌의 입금기한이 지났습니다."


@dataclass(frozen=True, slots=True)
class Fetched:
    """조회한 결제: what the PG said about one payment, and when we asked."""

    payment_id: int
    snapshot: Snapshot
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Applied:
    """반영 결과: what becomes of the notices of that payment."""

    state: NoticeState
    reason: str = ""
    error: str = ""


@dataclass(slots=True)
class _Books:
    """A payment with the sums of its ledger, in won."""

    payment: Payment
    from_pg: int = 0
    by_hand: int = 0
    out: int = 0
    references: set[str] = field(default_factory=set)


STALE = Applied(NoticeState.RETRY, "stale_answer")
BUSY = Applied(NoticeState.RETRY, "busy")
UNCHANGED = Applied(NoticeState.IGNORED, "no_change")
CHANGED = Applied(NoticeState.PROCESSED)


def apply(fetched: Collection[Fetched], *, at: datetime, reason: str = "") -> dict[int, Applied]:
    """조회 반영: a verdict for each payment id; payments whose order somebody holds come again (BUSY)."""
    found = {one.payment_id: one for one in fetched}
    order_ids = list(Payment.objects.filter(pk__in=found).values_list("order_id", flat=True))
    verdicts = dict.fromkeys(found, BUSY)
    with locked_orders(order_ids, skip_locked=True) as (orders, lines):
        payments = [payment for payment in payments_of(orders).values() if payment.pk in found]
        books = _books(payments)
        rows: list[tuple[Payment, EntryKind, str, int]] = []
        before: dict[int, int] = {}
        for payment in payments:
            one = found[payment.pk]
            verdict = _cannot_apply(payment, one, at=at)
            if verdict is None:
                before[payment.pk] = payment.order.paid_amount
                mine = list(_difference(books[payment.pk], one.snapshot))
                rows += mine
                verdict = CHANGED if mine else UNCHANGED
            verdicts[payment.pk] = verdict
        moved, rows = _come_and_gone(payments, lines, found, before, rows, at=at)
        if moved:
            lines = _read_again(orders)
        book(rows, at=at, source=Source.PG, reason=reason, came_at=_came_at(found))
        # A refund of our own that is under way is no news to the order.
        for payment_id, won in refund_booking.recognise(rows, at=at).items():
            before[payment_id] -= won
        touched = [payment for payment in payments if payment.pk in before]
        for payment in touched:
            payment.synced_at = found[payment.pk].asked_at
            payment.payment_ref = found[payment.pk].snapshot.payment_ref or payment.payment_ref
        update_rows(touched, ["synced_at", "payment_ref"])
        keep_receipts([(payment, found[payment.pk].snapshot) for payment in touched], at=at)
        ended = [payment for payment in touched if payment.order.stage == S.CANCELED_UNPAID]
        late = [payment for payment in ended if payment.order.paid_amount != before[payment.pk]]
        moved |= _follow(touched, lines, found, before, at=at)
        preparing.keep_in_step(late, at=at, source=Source.PG)
        verdicts |= {pk: CHANGED for pk in moved if verdicts[pk] is UNCHANGED}
    return verdicts


def _come_and_gone(
    payments: Sequence[Payment],
    lines: Sequence[OrderLine],
    found: dict[int, Fetched],
    before: dict[int, int],
    rows: Sequence[tuple[Payment, EntryKind, str, int]],
    *,
    at: datetime,
) -> tuple[set[int], list[tuple[Payment, EntryKind, str, int]]]:
    """Money that came in and went out again before we heard of it is booked in two steps, so that the order ends where
    it would have ended had we heard in time; ids of the payments whose order moved, and the rows of the second step.
    """
    came = {row[0].pk for row in rows if row[1] == EntryKind.DEPOSIT}
    both = came & {row[0].pk for row in rows if row[1] == EntryKind.REFUND}
    if not both:
        return set(), list(rows)
    first = [row for row in rows if row[0].pk in both and row[1] not in GOING_OUT]
    book(first, at=at, source=Source.PG, came_at=_came_at(found))
    unrefunded = {
        pk: replace(found[pk], snapshot=replace(found[pk].snapshot, refunds=(), state=PgState.PAID)) for pk in both
    }
    moved = _follow([payment for payment in payments if payment.pk in both], lines, unrefunded, before, at=at)
    for payment in payments:
        if payment.pk in both:
            before[payment.pk] = payment.order.paid_amount
    return moved, [row for row in rows if row not in first]


def _came_at(found: Mapping[int, Fetched]) -> dict[int, datetime]:
    """입금일시 of payments by the PG's own clock: that of the last deposit that stands."""
    moments = {pk: [move.at for move in one.snapshot.deposits if move.at] for pk, one in found.items()}
    return {pk: max(some) for pk, some in moments.items() if some}


def _read_again(orders: Sequence[Order]) -> list[OrderLine]:
    """Lines of locked orders after a step."""
    by_id = {order.pk: order for order in orders}
    lines = list(OrderLine.objects.filter(order__in=orders).order_by("pk"))
    for line in lines:
        line.order = by_id[line.order_id]
    return lines


def _cannot_apply(payment: Payment, one: Fetched, *, at: datetime) -> Applied | None:
    snapshot = one.snapshot
    if payment.synced_at is not None and one.asked_at < payment.synced_at:
        return STALE
    if snapshot.currency != "KRW":
        problems.open_for(payment, ProblemKind.CURRENCY, amount=snapshot.amount, at=at, detail=snapshot.currency)
        return Applied(NoticeState.PARKED, "currency")
    if not _is_ours(payment, snapshot):
        detail = f"PG {snapshot.amount:,}원, 우리 {payment.amount:,}원"
        problems.open_for(payment, ProblemKind.MISMATCH_WITH_PG, amount=snapshot.amount, at=at, detail=detail)
        return Applied(NoticeState.PARKED, "mismatch_with_pg")
    return None


def _is_ours(payment: Payment, snapshot: Snapshot) -> bool:
    """The payment that we asked for? Where the bank takes any sum, a PG calls what came in the amount."""
    if snapshot.order_ref not in {"", payment.order_ref}:
        return False
    if snapshot.amount == payment.amount:
        return True
    takes_any = payment.account is not None and not pg_of(payment.account).capabilities.is_exact_amount
    return takes_any and snapshot.amount == sum(one.amount for one in snapshot.deposits)


def _books(payments: Sequence[Payment]) -> dict[int, _Books]:
    books = {payment.pk: _Books(payment) for payment in payments}
    entries = LedgerEntry.objects.filter(payment__in=payments).values_list("payment_id", "kind", "reference", "amount")
    for payment_id, kind, reference, amount in entries:
        mine = books[payment_id]
        mine.references.add(f"{kind} {reference}")
        if kind in FROM_PG:
            mine.from_pg += amount
        elif kind in BY_HAND:
            mine.by_hand += amount
        elif kind in GOING_OUT:
            mine.out += amount
    return books


def _difference(books: _Books, snapshot: Snapshot) -> Iterable[tuple[Payment, EntryKind, str, int]]:
    """Ledger rows that are missing so that deposits and refunds are those of the PG."""
    payment, ref = books.payment, snapshot.payment_ref or books.payment.order_ref or ""
    more = sum(one.amount for one in snapshot.deposits) - books.from_pg
    if more > 0:
        fresh = [one for one in snapshot.deposits if f"{EntryKind.DEPOSIT} {one.reference}" not in books.references]
        if fresh and all(one.reference for one in fresh) and sum(one.amount for one in fresh) == more:
            yield from ((payment, EntryKind.DEPOSIT, one.reference, one.amount) for one in fresh)
        else:
            yield payment, EntryKind.DEPOSIT, f"{ref}/{payment.version}", more
        if books.by_hand:
            # The same money: staff had confirmed by hand what the PG tells now.
            yield payment, EntryKind.MANUAL_REVERSAL, f"{ref}/{payment.version}", -books.by_hand
    elif more < 0:
        yield payment, EntryKind.REVERSAL, f"{ref}/{payment.version}", more
    out = -sum(one.amount for one in snapshot.refunds) - books.out
    if out:
        known = books.references
        fresh = [one for one in snapshot.refunds if f"{EntryKind.REFUND} {one.reference}" not in known]
        if fresh and all(one.reference for one in fresh) and -sum(one.amount for one in fresh) == out:
            yield from ((payment, EntryKind.REFUND, one.reference, -one.amount) for one in fresh)
        elif out < 0:
            yield payment, EntryKind.REFUND, f"{ref}/{payment.version}", out
        else:
            yield payment, EntryKind.REFUND_UNDONE, f"{ref}/{payment.version}", out


def _follow(
    payments: Sequence[Payment],
    lines: Sequence[OrderLine],
    found: dict[int, Fetched],
    before: dict[int, int],
    *,
    at: datetime,
) -> set[int]:
    """The orders follow their ledgers (payments.md 5.6); ids of the payments whose order moved."""
    by_order: dict[int, list[OrderLine]] = defaultdict(list)
    for line in lines:
        by_order[line.order_id].append(line)
    plan = _Plan(lines, _came_at(found))
    for payment in payments:
        plan.add(payment, by_order[payment.order_id], found[payment.pk].snapshot, before[payment.pk], at=at)
    return plan.carry_out(at=at)


@dataclass(slots=True)
class _Plan:
    lines: Sequence[OrderLine]
    came_at: Mapping[int, datetime]
    revive: list[tuple[Payment, int]] = field(default_factory=list)
    confirm: list[Order] = field(default_factory=list)
    fitting: list[Payment] = field(default_factory=list)
    revert: list[Order] = field(default_factory=list)
    cancel: list[tuple[Order, PgState]] = field(default_factory=list)
    end: list[OrderLine] = field(default_factory=list)
    lock: list[OrderLine] = field(default_factory=list)
    payment_of: dict[int, int] = field(default_factory=dict)

    def add(
        self, payment: Payment, lines: Sequence[OrderLine], snapshot: Snapshot, before: int, *, at: datetime
    ) -> None:
        order = payment.order
        self.payment_of[order.pk] = payment.pk
        states = {LineState(line.state) for line in lines}
        paid, due = order.paid_amount, order.due_amount
        if S.AWAITING_PAYMENT in states:
            self._waiting(payment, snapshot, paid=paid, due=due, at=at)
        elif S.CANCELED_UNPAID in states and paid > before:
            canceled_by = {line.canceled_by for line in lines if line.state == S.CANCELED_UNPAID}
            late = CanceledBy.DEADLINE in canceled_by
            if late and paid >= due and self._was_in_time(payment):
                self.revive.append((payment, paid))
                return
            kind = ProblemKind.LATE_AFTER_EXPIRE if late else ProblemKind.LATE_AFTER_CANCEL
            problems.open_for(payment, kind, amount=paid, at=at)
        elif S.CANCELED_UNPAID in states and not paid:
            problems.settle(payment, LATE_MONEY, at=at)
        elif paid > before and paid > due:
            problems.open_for(payment, ProblemKind.DUPLICATE_DEPOSIT, amount=paid - due, at=at)
        elif paid < before and paid < due:
            self._fallen(payment, lines, snapshot, states, at=at)

    def _was_in_time(self, payment: Payment) -> bool:
        """Whether the money had come in before the 입금기한, and only the news was late: then it wins (F47)."""
        came, end = self.came_at.get(payment.pk), payment.order.deposit_by
        return came is not None and end is not None and came <= end

    def _waiting(self, payment: Payment, snapshot: Snapshot, *, paid: int, due: int, at: datetime) -> None:
        if paid >= due:
            self.confirm.append(payment.order)
            self.fitting.append(payment)
            if paid > due:
                problems.open_for(payment, ProblemKind.OVERPAID, amount=paid - due, at=at)
        elif paid > 0:
            problems.open_for(payment, ProblemKind.UNDERPAID, amount=due - paid, at=at)
        else:
            self.fitting.append(payment)
            if snapshot.state in ENDED_AT_PG:
                self.cancel.append((payment.order, snapshot.state))

    def _fallen(
        self,
        payment: Payment,
        lines: Sequence[OrderLine],
        snapshot: Snapshot,
        states: set[LineState],
        *,
        at: datetime,
    ) -> None:
        """The money is gone: back to 입금대기, or the end of the order, or a lock where goods are on their way."""
        lost = payment.order.due_amount - payment.order.paid_amount
        refunded = bool(snapshot.refunds)
        if states == {S.PREPARING} and not refunded:
            self.revert.append(payment.order)
            if not payment.order.paid_amount and snapshot.state in ENDED_AT_PG:
                self.cancel.append((payment.order, snapshot.state))
            return
        if refunded and not payment.order.paid_amount and states.isdisjoint(ON_THEIR_WAY):
            self.end += [line for line in lines if line.state == S.PREPARING]
        else:
            self.lock += [line for line in lines if line.state in {S.PREPARING, S.READY, S.SHIPPING, S.DELIVERED}]
        kind = ProblemKind.REFUNDED_OUTSIDE if refunded else ProblemKind.REVERSED_AFTER_RELEASE
        problems.open_for(payment, kind, amount=lost, at=at)

    def carry_out(self, *, at: datetime) -> set[int]:
        problems.settle_all(self.fitting, [ProblemKind.UNDERPAID], at=at)
        moved = self._bring_back(at=at)
        if self.confirm:
            ids = [order.pk for order in self.confirm]
            facts: dict[str, Any] = {"actor": None, "at": at, "source": Source.PG}
            outcome = progress.confirm_payment(order_ids=ids, paid_at=self._paid_at(), held=self.lines, **facts)
            moved |= {line.order_id for line in outcome.moved}
        if self.revert:
            ids = [order.pk for order in self.revert]
            outcome = progress.revert_payment(order_ids=ids, actor=None, at=at, source=Source.PG, reason=REVERSED)
            moved |= {line.order_id for line in outcome.moved}
        for state, by, reason in (
            (PgState.CANCELED, CanceledBy.STAFF, CANCELED_AT_PG),
            (PgState.EXPIRED, CanceledBy.DEADLINE, EXPIRED_AT_PG),
        ):
            ids = [order.pk for order, ended in self.cancel if ended is state]
            if ids:
                outcome = progress.cancel_unpaid(
                    order_ids=ids, actor=None, at=at, by=by, reason=reason, source=Source.PG
                )
                moved |= {line.order_id for line in outcome.moved}
        moved |= self._end(at=at)
        if self.lock:
            outcome = locks.place_lock(
                line_ids=[line.pk for line in self.lock], kind=LockKind.PAYMENT, actor=None, at=at, reason=REVERSED
            )
            moved |= {line.order_id for line in outcome.moved}
        return {self.payment_of[pk] for pk in moved}

    def _end(self, *, at: datetime) -> set[int]:
        """T19 of lines whose whole money the console gave back, at once or in parts that had locked them before."""
        if not self.end:
            return set()
        facts: dict[str, Any] = {"actor": None, "at": at, "reason": REFUNDED_AT_PG}
        ids = [line.pk for line in self.end]
        locks.release_lock(line_ids=ids, kind=LockKind.PAYMENT, **facts)
        outcome = cancel_before_shipping(line_ids=ids, source=Source.PG, **facts)
        # What may not be canceled by itself waits for a person.
        self.lock += [line for line in self.end if line.pk in outcome.refused]
        return {line.order_id for line in outcome.moved}

    def _paid_at(self) -> dict[int, datetime]:
        return {pk: self.came_at[mine] for pk, mine in self.payment_of.items() if mine in self.came_at}

    def _bring_back(self, *, at: datetime) -> set[int]:
        """T24 of orders that 자동취소 ended although their money was there in time; sold out ones wait for a person."""
        if not self.revive:
            return set()
        facts: dict[str, Any] = {"actor": None, "at": at, "source": Source.PG, "reason": IN_TIME}
        ids = [payment.order_id for payment, _ in self.revive]
        revived = progress.revive(order_ids=ids, checks_stock=True, **facts)
        back = {line.order_id for line in revived.moved}
        progress.confirm_payment(order_ids=back, paid_at=self._paid_at(), promised_from=at, **facts)
        for payment, paid in self.revive:
            if payment.order_id not in back:
                why = next(iter(revived.refused.values()), "")
                problems.open_for(payment, ProblemKind.LATE_AFTER_EXPIRE, amount=paid, at=at, detail=f"{IN_TIME} {why}")
            elif paid > payment.order.due_amount:
                problems.open_for(payment, ProblemKind.OVERPAID, amount=paid - payment.order.due_amount, at=at)
        return back
