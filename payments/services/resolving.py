"""예외 처리: what a person decides about money that does not fit; every decision goes into the history with its reason.

Locks orders, lines, payments, problems in this order. Source: payments.md 5.7, domain.md A02 to A05, T24.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from core import drains
from core.events import record
from core.locks import locked
from core.models import Job
from core.settings_registry import get_setting
from core.state import Change, Outcome, is_preview, missing
from orders.models import Order, OrderLine
from orders.services import progress
from orders.services.locking import locked_orders
from orders.states import LineState
from payments import events
from payments.models import MoneyProblem, Payment, PgNotice, RefundAccount
from payments.options import DIFFERENCE_FROM
from payments.services import preparing, problems, refunds
from payments.services.booking import book, forgive
from payments.services.keeping import kept, kept_by
from payments.services.receiving import CHANNEL
from payments.services.refund_locking import locked_payments
from payments.states import LATE_MONEY, NoticeState, ProblemKind, ProblemStage, Resolution

K = ProblemKind
GAPS = frozenset({K.UNDERPAID, K.OVERPAID})
TO_REFUND = frozenset({K.UNDERPAID, K.OVERPAID, K.DUPLICATE_DEPOSIT, *LATE_MONEY})
"""Money that can go back: what is too much, or all that came where it is too little."""
NOT_FOUND = "예외 입금을 찾을 수 없습니다. 목록을 새로 고치세요."
NOT_A_GAP = "부분입금과 초과입금만 차액을 인정할 수 있습니다."
ASK_FIRST = "두 사람이 확인하는 차액입니다. 먼저 '차액 인정 신청'을 하고 다른 직원이 인정하세요."
ASKED_ALREADY = "이미 신청한 차액입니다. 다른 직원이 인정하면 반영됩니다."
OTHER_PERSON = "신청한 사람과 다른 직원이 인정해야 하는 차액입니다."
ASK_LIFE = timedelta(hours=72)
BEING_REFUNDED = "환불을 신청한 돈이 있는 주문입니다. 환불을 마치거나 철회한 뒤 다시 처리하세요."
REFUNDED_ORDER = "입금을 확인한 뒤 취소한 주문은 되살릴 수 없습니다. 환불하고 새 주문을 받으세요."
NOT_LATE = "취소한 주문에 들어온 입금만 주문을 되살릴 수 있습니다."
NOT_TO_REFUND = "돌려줄 돈이 있는 예외가 아닙니다."
NOT_A_NOTICE = "주문을 찾지 못한 PG 알림만 할 수 있는 처리입니다."
NO_PAYMENT = "주문에 연결되지 않은 예외입니다. 먼저 주문에 연결하세요."
NOT_WAITING = "입금대기인 주문이 아닙니다. 주문을 확인하세요."
STILL_SHORT = "들어온 돈이 결제예정액보다 적습니다. 부족한 금액을 먼저 확인하세요."
NO_ORDER = "주문을 찾을 수 없습니다. 주문번호를 확인하세요."
OTHER_PAYMENT = "이미 다른 PG 결제가 있는 주문입니다. PG 관리자 화면에서 결제를 확인하세요."
ONE_ONLY = "알림 한 건씩 주문에 연결합니다."
ONE_OF_PAYMENT = "같은 결제의 다른 예외와 함께 처리할 수 없습니다. 하나씩 처리하세요."


@dataclass(slots=True)
class _Case:
    """An open problem with its locked payment, order and lines."""

    problem: MoneyProblem
    payment: Payment | None = None
    order: Order | None = None
    lines: list[OrderLine] = field(default_factory=list)

    @property
    def is_waiting(self) -> bool:
        """Whether the order still waits for its money."""
        return any(line.state == LineState.AWAITING_PAYMENT for line in self.lines)


@contextmanager
def _locked(problem_ids: Collection[int], *, actor: Any, more: Collection[int] = ()) -> Iterator[list[_Case]]:
    orders_of = MoneyProblem.objects.filter(pk__in=problem_ids, order__isnull=False)
    with locked_orders({*orders_of.values_list("order_id", flat=True), *more}, actor=actor) as (orders, lines):
        payments = {payment.pk: payment for payment in locked_payments(orders)}
        by_id = {order.pk: order for order in orders}
        found: list[MoneyProblem] = locked(MoneyProblem.objects.filter(pk__in=problem_ids))
        yield [
            _Case(
                one,
                payments.get(one.payment_id or 0),
                by_id.get(one.order_id or 0),
                [line for line in lines if line.order_id == one.order_id],
            )
            for one in found
        ]


def _settled(problem: MoneyProblem) -> str:
    who = f"{problem.resolved_by.display_name} 님이" if problem.resolved_by else "시스템이"
    return f"{who} 이미 처리한 예외입니다: {Resolution(problem.resolution).label}"


def _resolve(
    cases: Collection[_Case],
    asked: Collection[int],
    resolution: Resolution,
    *,
    refusal: Callable[[_Case], str | None],
    act: Callable[[list[_Case]], Mapping[int, str] | None],
    actor: Any,
    at: datetime,
    reason: str,
    batch: Job | None,
) -> Outcome:
    """Refuse what is settled or does not fit, act on the rest, write the decision and its event."""
    outcome, good = Outcome(), []
    for case in cases:
        text = _settled(case.problem) if case.problem.resolved_at else refusal(case)
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
        late = [case.payment for case in good if case.payment is not None and case.problem.kind in LATE_MONEY]
        preparing.keep_in_step(late, actor=actor, at=at, batch=batch)
    return outcome


def close(*, problem_ids: Collection[int], actor: Any, at: datetime, reason: str, batch: Job | None = None) -> Outcome:
    """조치 없음: somebody looked and nothing is to be done."""
    with _locked(problem_ids, actor=actor) as cases:
        return _resolve(
            cases, problem_ids, Resolution.NOTHING, refusal=lambda case: None, act=lambda good: None,
            actor=actor, at=at, reason=reason, batch=batch,
        )  # fmt: skip


def ask_to_accept(
    *, problem_ids: Collection[int], actor: Any, at: datetime, reason: str, batch: Job | None = None
) -> Outcome:
    """차액 인정 신청: somebody else may accept the difference within 72 hours, as long as its sum stays the same."""
    outcome = Outcome()
    with _locked(problem_ids, actor=actor) as cases:
        for case in cases:
            one = case.problem
            if one.resolved_at or one.kind not in GAPS:
                outcome.refused[one.pk] = _settled(one) if one.resolved_at else NOT_A_GAP
            elif _was_asked(one, at) and one.asked_by_id == actor.pk:
                outcome.refused[one.pk] = ASKED_ALREADY
            else:
                outcome.possible.append(one)
        outcome.refused |= missing(set(problem_ids), [case.problem for case in cases], text=NOT_FOUND)
        if is_preview():
            return outcome
        for one in outcome.possible:
            facts = {"asked_by": actor, "asked_at": at, "asked_amount": one.amount, "asks": one.asks + 1}
            MoneyProblem.objects.filter(pk=one.pk).update(updated_at=at, **facts)
            outcome.changes.append(Change(one, ProblemStage.OPEN, ProblemStage.OPEN, one.asks + 1))
        data = {one.pk: {"kind": one.kind, "amount": one.amount} for one in outcome.possible}
        record(outcome, events.PROBLEM_ASKED, at=at, actor=actor, batch=batch, reason=reason, data=data)
    return outcome


def _was_asked(problem: MoneyProblem, at: datetime) -> bool:
    """Whether a request stands: of the present sum, not older than three days (reliability.md 4.2)."""
    is_same = problem.asked_amount == problem.amount
    return problem.asked_at is not None and is_same and problem.asked_at > at - ASK_LIFE


def accept_difference(
    *, problem_ids: Collection[int], actor: Any, at: datetime, reason: str, batch: Job | None = None
) -> Outcome:
    """차액 인정: what is missing counts as paid and the order goes on; what is too much stays with the order.

    From a sum on (setting) somebody else must have asked for it. What was accepted as missing is a kind of ledger row
    of its own: it goes back to nobody, and money that comes in later takes its place. Source: reliability.md 4.1.
    """
    limit = get_setting(DIFFERENCE_FROM.key)

    def refusal(case: _Case) -> str | None:
        if case.problem.kind not in GAPS or case.payment is None or case.order is None:
            return NOT_A_GAP
        if abs(case.problem.amount) >= limit:
            if not _was_asked(case.problem, at):
                return ASK_FIRST
            if case.problem.asked_by_id == actor.pk:
                return OTHER_PERSON
        if case.problem.kind != K.UNDERPAID:
            return None
        if kept(case.payment).promised:
            return BEING_REFUNDED
        return None if case.is_waiting else NOT_WAITING

    def act(good: list[_Case]) -> None:
        short = [case for case in good if case.problem.kind == K.UNDERPAID]
        rows = [
            forgive(case.payment, case.order.open_amount)
            for case in short
            if case.payment is not None and case.order is not None and case.order.open_amount > 0
        ]
        text = f"{Resolution.ACCEPTED.label}: {reason}"[:200]
        book(rows, at=at, actor=actor, batch=batch, reason=text)
        ids = [case.order.pk for case in short if case.order is not None]
        progress.confirm_payment(order_ids=ids, actor=actor, at=at, batch=batch, reason=text)

    with _locked(problem_ids, actor=actor) as cases:
        return _resolve(
            cases, problem_ids, Resolution.ACCEPTED, refusal=refusal, act=act,
            actor=actor, at=at, reason=reason, batch=batch,
        )  # fmt: skip


def revive_order(
    *, problem_ids: Collection[int], actor: Any, at: datetime, reason: str, batch: Job | None = None
) -> Outcome:
    """주문 되살림: the canceled order comes back and, its money being there, goes to 상품준비중 (T24, T3)."""

    def refusal(case: _Case) -> str | None:
        if case.problem.kind not in LATE_MONEY or case.order is None:
            return NOT_LATE
        if not any(line.state == LineState.CANCELED_UNPAID for line in case.lines):
            return REFUNDED_ORDER if case.order.stage == LineState.CANCELED else NOT_LATE
        free = kept(case.payment).free if case.payment is not None else 0
        return STILL_SHORT if free < case.order.due_amount else None

    def act(good: list[_Case]) -> Mapping[int, str]:
        ids = [case.order.pk for case in good if case.order is not None]
        revived = progress.revive(order_ids=ids, actor=actor, at=at, reason=reason, batch=batch)
        told = {c.order.pk: c.payment.paid_at for c in good if c.order and c.payment and c.payment.paid_at}
        progress.confirm_payment(
            order_ids=ids, actor=actor, at=at, batch=batch, reason=reason, paid_at=told, promised_from=at
        )
        refused = {
            line.order_id: revived.refused[line.pk] for c in good for line in c.lines if line.pk in revived.refused
        }
        return {case.problem.pk: refused[case.order.pk] for case in good if case.order and case.order.pk in refused}

    with _locked(problem_ids, actor=actor) as cases:
        return _resolve(
            cases, problem_ids, Resolution.REVIVED, refusal=refusal, act=act,
            actor=actor, at=at, reason=reason, batch=batch,
        )  # fmt: skip


def refund(
    *,
    problem_ids: Collection[int],
    actor: Any,
    at: datetime,
    reason: str,
    account: RefundAccount | None = None,
    batch: Job | None = None,
) -> Outcome:
    """환불 신청 of money that does not fit: one refund for each problem, of its amount, or of all that came too little.

    Late money has its refund prepared already, of all that is there: the person stands behind that one.
    """

    def refusal(case: _Case) -> str | None:
        if case.problem.kind not in TO_REFUND:
            return NOT_TO_REFUND
        if case.problem.kind == K.UNDERPAID and not case.is_waiting:
            return NOT_WAITING
        return NO_PAYMENT if case.payment is None else None

    def act(good: list[_Case]) -> Mapping[int, str]:
        twice = _twice(good)
        able = [case for case in good if case.problem.pk not in twice]
        drafts = preparing.drafts_of([c.payment for c in able if c.payment and c.problem.kind in LATE_MONEY])
        facts: dict[str, Any] = {"actor": actor, "at": at, "reason": reason, "batch": batch}
        kept = refunds.adopt(list(drafts.values()), account=account, **facts)
        refunds.approve_own(
            [one for one in drafts.values() if one.pk not in kept], actor=actor, at=at, batch=batch, source=""
        )
        new = [case for case in able if case.problem.payment_id not in drafts]
        won = wons_to_refund([case.problem for case in new])
        asks = [
            refunds.Ask(
                payment_id=c.problem.payment_id or 0, amount=won[c.problem.pk], account=account, problem=c.problem
            )
            for c in new
        ]
        asked = refunds.request(asks=asks, **facts)
        unfit = {one.problem_id: kept[one.pk] for one in drafts.values() if one.problem_id and one.pk in kept}
        return twice | unfit | {new[place].problem.pk: text for place, text in asked.refused.items()}

    with _locked(problem_ids, actor=actor) as cases:
        return _resolve(
            cases, problem_ids, Resolution.REFUNDED, refusal=refusal, act=act,
            actor=actor, at=at, reason=reason, batch=batch,
        )  # fmt: skip


def wons_to_refund(cases: Collection[MoneyProblem]) -> dict[int, int]:
    """환불할 금액 by problem id: its amount, and of money that was too little all that came and is not promised yet."""
    short = {one.payment for one in cases if one.kind == K.UNDERPAID and one.payment is not None}
    free = {pk: won.free for pk, won in kept_by(short).items()} if short else {}
    return {one.pk: free.get(one.payment_id or 0, 0) if one.kind == K.UNDERPAID else one.amount for one in cases}


def _twice(cases: Collection[_Case]) -> dict[int, str]:
    seen: set[int] = set()
    found = {}
    for case in cases:
        if case.problem.payment_id in seen:
            found[case.problem.pk] = ONE_OF_PAYMENT
        seen.add(case.problem.payment_id or 0)
    return found


def mark_test(
    *, problem_ids: Collection[int], actor: Any, at: datetime, reason: str, batch: Job | None = None
) -> Outcome:
    """PG 시험으로 표시: a notice for an order that never was; the notice is kept as a test."""

    def act(good: list[_Case]) -> None:
        notices = [case.problem.notice_id for case in good]
        PgNotice.objects.filter(pk__in=notices).update(state=NoticeState.TEST, finished_at=at)

    with _locked(problem_ids, actor=actor) as cases:
        return _resolve(
            cases, problem_ids, Resolution.PG_TEST, refusal=_not_a_notice, act=act,
            actor=actor, at=at, reason=reason, batch=batch,
        )  # fmt: skip


def _not_a_notice(case: _Case) -> str | None:
    return None if case.problem.kind == K.UNKNOWN_ORDER and case.problem.notice_id else NOT_A_NOTICE


def attach(
    *,
    problem_ids: Collection[int],
    order_id: int | None,
    actor: Any,
    at: datetime,
    reason: str,
    batch: Job | None = None,
) -> Outcome:
    """주문에 연결: the payment of an order is the one that the notice is about; the PG is then asked as for any notice.

    `order_id` is None in a preview for which nobody has chosen an order yet.

    Money moves by the answer of the PG alone, so a wrong choice ends in 'PG와 금액 다름' and books nothing.
    """
    with _locked(problem_ids, actor=actor, more=[order_id] if order_id else []) as cases:
        payment = Payment.objects.select_related("order").filter(order_id=order_id or 0).order_by("pk").first()

        def refusal(case: _Case) -> str | None:
            if text := _not_a_notice(case):
                return text
            if len(problem_ids) > 1:
                return ONE_ONLY
            if payment is None:
                return NO_ORDER if order_id or not is_preview() else None
            return OTHER_PAYMENT if payment.account_id is not None else None

        def act(good: list[_Case]) -> None:
            notice = PgNotice.objects.select_for_update(no_key=True).get(pk=good[0].problem.notice_id)
            if payment is None or is_preview():
                return
            payment.account_id, payment.order_ref = notice.account_id, notice.order_ref
            payment.payment_ref = notice.payment_ref
            payment.save(update_fields=["account", "order_ref", "payment_ref", "updated_at"])
            MoneyProblem.objects.filter(pk=good[0].problem.pk).update(order_id=order_id, payment=payment)
            good[0].problem.order_id = order_id
            PgNotice.objects.filter(account_id=notice.account_id, order_ref=notice.order_ref).exclude(
                state__in=[NoticeState.RECEIVED, NoticeState.RETRY]
            ).update(state=NoticeState.RETRY, reason="attached", due_at=at, finished_at=None, attempts=0)
            drains.notify(CHANNEL)

        return _resolve(
            cases, problem_ids, Resolution.ATTACHED, refusal=refusal, act=act,
            actor=actor, at=at, reason=reason, batch=batch,
        )  # fmt: skip
