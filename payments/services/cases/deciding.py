"""예외 한 건: a case of money that does not fit, locked with its order, and how a decision about it is written down.

Locks orders, lines, payments, problems in this order. Source: payments.md 5.7.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from core import drains
from core.locks import locked
from core.models import Job
from core.people import named
from core.state import Outcome, is_preview, missing
from orders.models import Order, OrderLine
from orders.services import locks
from orders.services.locking import locked_orders
from orders.states import LineState, LockKind
from payments.models import MoneyProblem, Payment, PgNotice
from payments.services.ledger import problems
from payments.services.ledger.booking import payments_of
from payments.services.notices.receiving import CHANNEL
from payments.services.refunds import preparing
from payments.states import LATE_MONEY, WRONG_ON_THE_WAY, NoticeState, ProblemKind, Resolution

NOT_FOUND = "예외 입금을 찾을 수 없습니다. 목록을 새로 고치세요."


@dataclass(slots=True)
class Case:
    """An open problem with its locked payment, order and lines."""

    problem: MoneyProblem
    payment: Payment | None = None
    order: Order | None = None
    lines: list[OrderLine] = field(default_factory=list)
    siblings: list[Payment] = field(default_factory=list)
    """All payments of the order, its own among them."""

    @property
    def is_waiting(self) -> bool:
        """Whether the order still waits for its money."""
        return any(line.state == LineState.AWAITING_PAYMENT for line in self.lines)


@contextmanager
def locked_cases(problem_ids: Collection[int], *, actor: Any, more: Collection[int] = ()) -> Iterator[list[Case]]:
    """예외 by id, locked after orders, lines and payments; `more` are ids of orders to be locked with them."""
    orders_of = MoneyProblem.objects.filter(pk__in=problem_ids, order__isnull=False)
    with locked_orders({*orders_of.values_list("order_id", flat=True), *more}, actor=actor) as (orders, lines):
        payments = payments_of(orders)
        by_id = {order.pk: order for order in orders}
        found: list[MoneyProblem] = locked(MoneyProblem.objects.filter(pk__in=problem_ids))
        yield [
            Case(
                one,
                payments.get(one.payment_id or 0),
                by_id.get(one.order_id or 0),
                [line for line in lines if line.order_id == one.order_id],
                [payment for payment in payments.values() if payment.order_id == one.order_id],
            )
            for one in found
        ]


def settled_by(problem: MoneyProblem) -> str:
    """이미 처리한 예외라는 말."""
    who = f"{named(problem.resolved_by)}이"
    return f"{who} 이미 처리한 예외입니다: {Resolution(problem.resolution).label}"


def resolve(
    cases: Collection[Case],
    asked: Collection[int],
    resolution: Resolution,
    *,
    refusal: Callable[[Case], str | None],
    act: Callable[[list[Case]], Mapping[int, str] | None],
    actor: Any,
    at: datetime,
    reason: str,
    batch: Job | None,
) -> Outcome:
    """Refuse what is settled or does not fit, act on the rest, write the decision and its event."""
    outcome, good = Outcome(), []
    for case in cases:
        text = settled_by(case.problem) if case.problem.resolved_at else refusal(case)
        if text:
            outcome.refused[case.problem.pk] = text
        else:
            good.append(case)
    unfit = dict(act(good) or {}) if good else {}
    outcome.refused |= unfit
    good = [case for case in good if case.problem.pk not in unfit]
    outcome.possible = [case.problem for case in good]
    outcome.refused |= missing(set(asked), [case.problem for case in cases], text=NOT_FOUND)
    if good and not is_preview():
        problems.decide(outcome, resolution, actor=actor, at=at, reason=reason, batch=batch)
        late = {one.pk: one for case in good if case.problem.kind in LATE_MONEY for one in case.siblings}
        preparing.keep_in_step(late.values(), actor=actor, at=at, batch=batch)
        _unlock(good, reason=f"{resolution.label}: {reason}", actor=actor, at=at, batch=batch)
        _hear_again(good, at=at)
    return outcome


def _unlock(cases: Collection[Case], *, reason: str, actor: Any, at: datetime, batch: Job | None) -> None:
    """결제 확인 풀기: orders of which a person has decided go on; while another case of the kind is open they wait."""
    decided = {case.order.pk for case in cases if case.order is not None and case.problem.kind in WRONG_ON_THE_WAY}
    left = MoneyProblem.objects.filter(order__in=decided, kind__in=WRONG_ON_THE_WAY, resolved_at=None)
    free = decided - set(left.values_list("order_id", flat=True)) if decided else set()
    ids = {line.pk for case in cases for line in case.lines if line.order_id in free}
    if ids:
        kind = LockKind.PAYMENT
        locks.release_lock(line_ids=ids, kind=kind, actor=actor, at=at, reason=reason[:180], batch=batch)


def _hear_again(cases: Collection[Case], *, at: datetime) -> None:
    """수표 확인 뒤: what the cheque had stopped is asked about again; the PG says whether its money is there (A47)."""
    for case in cases:
        if case.problem.kind == ProblemKind.UNCLEARED_CHEQUE and case.payment is not None and case.payment.account_id:
            mine = PgNotice.objects.filter(account=case.payment.account_id, order_ref=case.payment.order_ref)
            mine.filter(state=NoticeState.PARKED).hear_again(at=at, reason="replayed")
            drains.notify(CHANNEL)
