"""주문 따라가기: what orders do once their ledgers are those of the PG. Source: payments.md 5.6, 5.7."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.models import Source
from orders.events import LINE_REVIVED
from orders.models import Order, OrderEvent, OrderLine
from orders.services import locks, progress
from orders.services.canceling import cancel_before_shipping
from orders.states import LOCK_BIT, CanceledBy, LineState, LockKind
from payments.adapters.base import PgState, Snapshot
from payments.models import Payment, VirtualAccount
from payments.services.ledger import problems
from payments.services.ledger.keeping import Kept, kept_by
from payments.states import ENDED, LATE_MONEY, SURPLUS, WRONG_ON_THE_WAY, ProblemKind, VirtualState

S = LineState
ENDED_AT_PG = frozenset({PgState.CANCELED, PgState.EXPIRED})
ON_THEIR_WAY = frozenset({S.READY, S.SHIPPING, S.DELIVERED, S.CONFIRMED})
REVERSED = "은행이 입금을 취소했습니다."
REFUNDED_THERE = "PG 관리자 화면에서 환불한 결제입니다."
FITS_AGAIN = "들어온 돈이 다시 맞습니다."
CANCELED_AT_PG = "PG에서 취소한 결제입니다."
IN_TIME = "입금기한 안에 들어온 입금입니다."
REFUNDED_AT_PG = "PG에서 전액 환불한 결제입니다."
EXPIRED_AT_PG = "가상계좌의 입금기한이 지났습니다."


@dataclass(frozen=True, slots=True)
class _Case:
    """Payments of one order after their booking: its lines, what the PG said, and what the order is to keep.

    `change` are the won that came, negative for what went. A case is that of the payment whose money has moved; of an
    order that has ended each payment is a case of its own.
    """

    payment: Payment
    lines: Sequence[OrderLine]
    snapshots: Sequence[Snapshot]
    change: int
    kept: Kept
    is_alone: bool
    """Whether the order has no other payment."""

    @property
    def states(self) -> set[LineState]:
        return {LineState(line.state) for line in self.lines}

    @property
    def is_refunded(self) -> bool:
        return any(one.refunds for one in self.snapshots)

    @property
    def ended(self) -> PgState | None:
        """How the PG says that it is over; of several payments another one may still be paid."""
        state = self.snapshots[0].state
        return state if self.is_alone and state in ENDED_AT_PG else None


class Plan:
    """할 일: what a batch of payments asks of their orders; `carry_out` does each kind of it once for all.

    `payments` are all of these orders, those included of which nobody was asked just now.
    """

    def __init__(
        self, lines: Sequence[OrderLine], came_at: Mapping[int, datetime], payments: Collection[Payment]
    ) -> None:
        self.lines, self.came_at = lines, came_at
        self.kept = kept_by(payments)
        self.payments_of: dict[int, list[Payment]] = defaultdict(list)
        for one in payments:
            self.payments_of[one.order_id].append(one)
        self.revive: list[tuple[Payment, Kept]] = []
        self.confirm: list[Order] = []
        self.fitting: list[Payment] = []
        self.revert: list[Order] = []
        self.cancel: list[tuple[Order, PgState]] = []
        self.end: list[OrderLine] = []
        self.lock: dict[str, list[OrderLine]] = defaultdict(list)
        self.unlock: list[OrderLine] = []

    def add(
        self,
        payments: Sequence[Payment],
        lines: Sequence[OrderLine],
        snapshots: Mapping[int, Snapshot],
        changes: Mapping[int, int],
        *,
        at: datetime,
    ) -> None:
        """주문 하나 by those of its payments that the PG was asked about: money that does not fit becomes a problem at
        once; what the order does is noted down.
        """
        if payments[0].order.stage in ENDED:
            for one in payments:
                self._ended(self._case([one], lines, snapshots, changes), at=at)
            return
        case = self._case(payments, lines, snapshots, changes)
        if S.AWAITING_PAYMENT in case.states:
            self._waiting(case, at=at)
        elif case.change > 0:
            self._risen(case, at=at)
        elif case.change < 0:
            if case.kept.surplus > 0:
                problems.amend(case.payment, SURPLUS, amount=case.kept.surplus, at=at)
            else:
                problems.settle(case.payment, SURPLUS, at=at)
            if case.kept.paid < case.kept.owed:
                self._fallen(case, at=at)

    def _case(
        self,
        payments: Sequence[Payment],
        lines: Sequence[OrderLine],
        snapshots: Mapping[int, Snapshot],
        changes: Mapping[int, int],
    ) -> _Case:
        mine = next((one for one in payments if changes[one.pk]), payments[0])
        moved = [snapshots[one.pk] for one in payments if changes[one.pk]] or [snapshots[mine.pk]]
        is_alone = len(self.payments_of[mine.order_id]) == 1
        return _Case(mine, lines, moved, sum(changes[one.pk] for one in payments), self.kept[mine.pk], is_alone)

    def _risen(self, case: _Case, *, at: datetime) -> None:
        """More came than an order that goes on has asked for, or what had been missing since it went on."""
        payment, kept = case.payment, case.kept
        if kept.surplus > 0:
            kinds = (ProblemKind.DUPLICATE_DEPOSIT, ProblemKind.OVERPAID)
            problems.open_one(payment, kinds, amount=kept.surplus, at=at)
        if kept.paid >= kept.owed:
            problems.settle(payment, WRONG_ON_THE_WAY, at=at)
            self.unlock += case.lines
        else:
            problems.amend(payment, WRONG_ON_THE_WAY, amount=kept.owed - kept.paid, at=at)

    def _waiting(self, case: _Case, *, at: datetime) -> None:
        """Money that a refund is about to take away pays nothing."""
        payment, kept = case.payment, case.kept
        if kept.surplus >= 0:
            self.confirm.append(payment.order)
            self.fitting.append(payment)
            if kept.surplus:
                problems.open_one(payment, SURPLUS, amount=kept.surplus, at=at)
        elif kept.free > 0:
            problems.open_for(payment, ProblemKind.UNDERPAID, amount=-kept.surplus, at=at)
        else:
            self.fitting.append(payment)
            if case.ended is not None and not _is_closed(payment):
                self.cancel.append((payment.order, case.ended))

    def _ended(self, case: _Case, *, at: datetime) -> None:
        """A canceled order is to hold nothing: what is left is one case, which follows the sum."""
        payment, kept = case.payment, case.kept
        if case.change > 0 and kept.surplus > 0:
            unpaid = [line for line in case.lines if line.state == S.CANCELED_UNPAID]
            late = CanceledBy.DEADLINE in {line.canceled_by for line in unpaid}
            if late and self._free(payment.order) >= payment.order.due_amount and self._was_in_time(case, unpaid):
                self.revive.append((payment, kept))
                return
            kind = ProblemKind.LATE_AFTER_EXPIRE if late else ProblemKind.LATE_AFTER_CANCEL
            problems.open_for(payment, kind, amount=kept.surplus, at=at)
        elif kept.surplus <= 0:
            problems.settle(payment, LATE_MONEY, at=at)
        else:
            problems.amend(payment, LATE_MONEY, amount=kept.surplus, at=at)
        if case.change < 0 and case.is_refunded and (kept.paid or kept.promised):
            lost = payment.order.due_amount - kept.paid
            problems.open_for(payment, ProblemKind.REFUNDED_OUTSIDE, amount=lost, at=at)

    def _free(self, order: Order) -> int:
        """Won of a canceled order that no refund takes, in all its payments."""
        return sum(self.kept[one.pk].free for one in self.payments_of[order.pk])

    def _was_in_time(self, case: _Case, lines: Sequence[OrderLine]) -> bool:
        """Whether the money was there before the order and its account had ended, and only the news was late (F47).

        The account may end before the order, at its own 입금기한 or when the PG says so.
        """
        came, order = self.came_at.get(case.payment.pk), case.payment.order
        if came is None or order.deposit_by is None:
            return False
        virtual = VirtualAccount.objects.filter(payment=case.payment).first()
        told = [case.snapshots[0].due_at, virtual.due_at if virtual else None, *(line.canceled_at for line in lines)]
        return came <= min([order.deposit_by, *(moment for moment in told if moment is not None)])

    def _fallen(self, case: _Case, *, at: datetime) -> None:
        """The money is gone: back to 입금대기, or the end of the order, or a lock where goods are on their way."""
        payment, kept, states, refunded = case.payment, case.kept, case.states, case.is_refunded
        lost = kept.owed - kept.paid
        if states == {S.PREPARING} and not refunded:
            self.revert.append(payment.order)
            if kept.free > 0:
                problems.open_for(payment, ProblemKind.UNDERPAID, amount=lost, at=at)
            elif not kept.paid and case.ended is not None:
                self.cancel.append((payment.order, case.ended))
            return
        if refunded and not kept.paid and states.isdisjoint(ON_THEIR_WAY):
            self.end += [line for line in case.lines if line.state == S.PREPARING]
        else:
            stopped = {S.PREPARING, S.READY, S.SHIPPING, S.DELIVERED}
            self.lock[_cause(case)] += [line for line in case.lines if line.state in stopped]
        kind = ProblemKind.REFUNDED_OUTSIDE if refunded else ProblemKind.REVERSED_AFTER_RELEASE
        problems.open_for(payment, kind, amount=lost, at=at)

    def carry_out(self, *, at: datetime) -> set[int]:
        """주문 움직이기; ids of the payments whose order moved."""
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
        for reason, lines in self.lock.items():
            outcome = locks.place_lock(
                line_ids=[line.pk for line in lines], kind=LockKind.PAYMENT, actor=None, at=at, reason=reason
            )
            moved |= {line.order_id for line in outcome.moved}
        if bound := [line.pk for line in self.unlock if line.open_locks & LOCK_BIT[LockKind.PAYMENT]]:
            outcome = locks.release_lock(
                line_ids=bound, kind=LockKind.PAYMENT, actor=None, at=at, reason=FITS_AGAIN
            )  # fmt: skip
            moved |= {line.order_id for line in outcome.moved}
        return {one.pk for pk in moved for one in self.payments_of[pk]}

    def _end(self, *, at: datetime) -> set[int]:
        """T19 of lines whose whole money the console gave back, at once or in parts that had locked them before."""
        if not self.end:
            return set()
        facts: dict[str, Any] = {"actor": None, "at": at, "reason": REFUNDED_AT_PG}
        ids = [line.pk for line in self.end]
        locks.release_lock(line_ids=ids, kind=LockKind.PAYMENT, **facts)
        outcome = cancel_before_shipping(line_ids=ids, source=Source.PG, **facts)
        # What may not be canceled by itself waits for a person.
        self.lock[REFUNDED_AT_PG] += [line for line in self.end if line.pk in outcome.refused]
        return {line.order_id for line in outcome.moved}

    def _paid_at(self) -> dict[int, datetime]:
        told = {
            pk: [self.came_at[one.pk] for one in mine if one.pk in self.came_at]
            for pk, mine in self.payments_of.items()
        }
        return {pk: max(moments) for pk, moments in told.items() if moments}

    def _bring_back(self, *, at: datetime) -> set[int]:
        """T24 of orders that 자동취소 ended although their money was there in time; sold out ones wait for a person."""
        if not self.revive:
            return set()
        facts: dict[str, Any] = {"actor": None, "at": at, "source": Source.PG, "reason": IN_TIME}
        ids = [payment.order_id for payment, _ in self.revive]
        revived = progress.revive(order_ids=ids, checks_stock=True, **facts)
        back = {line.order_id for line in revived.moved}
        progress.confirm_payment(order_ids=back, paid_at=self._paid_at(), promised_from=at, **facts)
        for payment, kept in self.revive:
            more = self._free(payment.order) - payment.order.due_amount
            if payment.order_id not in back:
                why, won = next(iter(revived.refused.values()), ""), kept.surplus
                problems.open_for(payment, ProblemKind.LATE_AFTER_EXPIRE, amount=won, at=at, detail=f"{IN_TIME} {why}")
            elif more > 0:
                problems.open_one(payment, SURPLUS, amount=more, at=at)
        return back


def _is_closed(payment: Payment) -> bool:
    """Whether it was over at the PG before the order lived again (T24), which says nothing against that.

    Of one that nobody had shown us before, the order itself tells whether it has lived again.
    """
    virtual = VirtualAccount.objects.filter(payment=payment).first()
    if virtual is None or virtual.state == VirtualState.ISSUED:
        return False
    if virtual.state in {VirtualState.CLOSING, VirtualState.CLOSED}:
        return True
    return bool(OrderEvent.objects.filter(order=payment.order_id, kind=LINE_REVIVED.code).exists())


def _cause(case: _Case) -> str:
    """Why lines are locked, as staff read it."""
    return REFUNDED_THERE if case.is_refunded else REVERSED
