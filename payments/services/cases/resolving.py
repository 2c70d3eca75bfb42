"""예외 처리: what a person decides about money that does not fit; every decision goes into the history with its reason.

Locks orders, lines, payments, problems in this order. Source: payments.md 5.7, domain.md A02 to A05, T24.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from django.db.models import F, Q

from core.events import record
from core.models import Job
from core.settings_registry import get_setting
from core.state import Change, Outcome, is_preview, missing
from orders.services import progress
from orders.states import LineState
from payments import events
from payments.models import MoneyProblem, Payment, RefundAccount
from payments.options import DIFFERENCE_FROM
from payments.services.cases.deciding import NOT_FOUND, Case, locked_cases, resolve, settled_by
from payments.services.ledger import problems
from payments.services.ledger.booking import book, forgive
from payments.services.ledger.keeping import kept, kept_by
from payments.services.refunds import preparing, requesting
from payments.services.refunds.locking import promised
from payments.states import LATE_MONEY, SURPLUS, WRONG_ON_THE_WAY, ProblemKind, ProblemStage, Resolution

K = ProblemKind
TO_ACCEPT = frozenset({K.UNDERPAID, K.OVERPAID, *WRONG_ON_THE_WAY})
TO_REFUND = frozenset({K.UNDERPAID, K.OVERPAID, K.DUPLICATE_DEPOSIT, *LATE_MONEY})
"""Money that can go back: what is too much, or all that came where it is too little."""
NOT_A_GAP = "들어온 돈이 많거나 적은 예외만 차액을 인정할 수 있습니다."
NOTHING_LEFT = (
    "들어온 돈이 남아 있지 않아 차액으로 인정할 수 없습니다. 고객에게 다시 입금받거나, '조치 없음'으로 처리해 결제 "
    "확인을 푼 뒤 주문을 취소하거나 그대로 보내세요."
)
ASK_FIRST = "두 사람이 확인하는 차액입니다. 먼저 '차액 인정 신청'을 하고 다른 직원이 인정하세요."
ASKED_ALREADY = "이미 신청한 차액입니다. 다른 직원이 인정하면 반영됩니다."
OTHER_PERSON = "신청한 사람과 다른 직원이 인정해야 하는 차액입니다."
ASK_LIFE = timedelta(hours=72)
BEING_REFUNDED = "환불을 신청한 돈이 있는 주문입니다. 환불을 마치거나 철회한 뒤 다시 처리하세요."
REFUNDED_ORDER = "입금을 확인한 뒤 취소한 주문은 되살릴 수 없습니다. 환불하고 새 주문을 받으세요."
NOT_LATE = "취소한 주문에 들어온 입금만 주문을 되살릴 수 있습니다."
NOT_TO_REFUND = "돌려줄 돈이 있는 예외가 아닙니다."
NO_PAYMENT = "주문에 연결되지 않은 예외입니다. 먼저 주문에 연결하세요."
NOT_WAITING = "입금대기인 주문이 아닙니다. 주문을 확인하세요."
STILL_SHORT = "들어온 돈이 결제예정액보다 적습니다. 부족한 금액을 먼저 확인하세요."
ONE_OF_PAYMENT = "같은 결제의 다른 예외와 함께 처리할 수 없습니다. 하나씩 처리하세요."


class Asked(Protocol):
    """차액 인정 신청: what tells whether one stands, of a case or of a row of the list."""

    @property
    def amount(self) -> int:
        """금액 of the case by now."""

    @property
    def asked_at(self) -> datetime | None:
        """신청일시."""

    @property
    def asked_amount(self) -> int | None:
        """금액 when it was asked for."""


def close(*, problem_ids: Collection[int], actor: Any, at: datetime, reason: str, batch: Job | None = None) -> Outcome:
    """조치 없음: somebody looked and nothing is to be done."""
    with locked_cases(problem_ids, actor=actor) as cases:
        return resolve(
            cases, problem_ids, Resolution.NOTHING, refusal=lambda case: None, act=lambda good: None,
            actor=actor, at=at, reason=reason, batch=batch,
        )  # fmt: skip


def ask_to_accept(
    *, problem_ids: Collection[int], actor: Any, at: datetime, reason: str, batch: Job | None = None
) -> Outcome:
    """차액 인정 신청: somebody else may accept the difference within 72 hours, as long as its sum stays the same."""
    outcome = Outcome()
    with locked_cases(problem_ids, actor=actor) as cases:
        for case in cases:
            one = case.problem
            if one.resolved_at or one.kind not in TO_ACCEPT:
                outcome.refused[one.pk] = settled_by(one) if one.resolved_at else NOT_A_GAP
            elif is_asked(one, at) and one.asked_by_id == actor.pk:
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


def is_asked(problem: Asked, at: datetime) -> bool:
    """차액 인정 신청함: whether a request stands, of the present sum, not older than 72 hours (reliability.md 4.2)."""
    is_same = problem.asked_amount == problem.amount
    return problem.asked_at is not None and is_same and problem.asked_at > at - ASK_LIFE


def asked(at: datetime) -> Q:
    """차액 인정 신청한 예외: open cases of which `is_asked` says so."""
    return Q(resolved_at=None, asked_at__gt=at - ASK_LIFE, asked_amount=F("amount"))


def accept_difference(
    *, problem_ids: Collection[int], actor: Any, at: datetime, reason: str, batch: Job | None = None
) -> Outcome:
    """차액 인정: what is missing counts as paid and the order goes on; what is too much stays with the order. An
    order that has gone on does so without what went back past us.

    From a sum on (setting) somebody else must have asked for it. What was accepted as missing is a kind of ledger row
    of its own: it goes back to nobody, and money that comes in later takes its place. Source: reliability.md 4.1.
    """
    limit = get_setting(DIFFERENCE_FROM.key)

    def refusal(case: Case) -> str | None:
        if case.problem.kind not in TO_ACCEPT or case.payment is None or case.order is None:
            return NOT_A_GAP
        if abs(case.problem.amount) >= limit:
            if not is_asked(case.problem, at):
                return ASK_FIRST
            if case.problem.asked_by_id == actor.pk:
                return OTHER_PERSON
        if case.problem.kind == K.OVERPAID:
            return None
        won = kept(case.payment)
        if won.promised:
            return BEING_REFUNDED
        if case.problem.kind in WRONG_ON_THE_WAY:
            return None if won.paid else NOTHING_LEFT
        return None if case.is_waiting else NOT_WAITING

    def act(good: list[Case]) -> None:
        lacking = {c.payment.order_id: c.payment for c in good if c.payment and c.problem.kind != K.OVERPAID}
        rows = [forgive(one, won) for one in lacking.values() if (won := -kept(one).surplus) > 0]
        short = [case for case in good if case.problem.kind == K.UNDERPAID]
        text = f"{Resolution.ACCEPTED.label}: {reason}"[:200]
        book(rows, at=at, actor=actor, batch=batch, reason=text)
        ids = [case.order.pk for case in short if case.order is not None]
        progress.confirm_payment(order_ids=ids, actor=actor, at=at, batch=batch, reason=text)

    with locked_cases(problem_ids, actor=actor) as cases:
        return resolve(
            cases, problem_ids, Resolution.ACCEPTED, refusal=refusal, act=act,
            actor=actor, at=at, reason=reason, batch=batch,
        )  # fmt: skip


def revive_order(
    *, problem_ids: Collection[int], actor: Any, at: datetime, reason: str, batch: Job | None = None
) -> Outcome:
    """주문 되살림: the canceled order comes back and, its money being there, goes to 상품준비중 (T24, T3)."""

    def refusal(case: Case) -> str | None:
        if case.problem.kind not in LATE_MONEY or case.order is None:
            return NOT_LATE
        if not any(line.state == LineState.CANCELED_UNPAID for line in case.lines):
            return REFUNDED_ORDER if case.order.stage == LineState.CANCELED else NOT_LATE
        free = sum(won.free for won in kept_by(case.siblings).values())
        return STILL_SHORT if free < case.order.due_amount else None

    def act(good: list[Case]) -> Mapping[int, str]:
        ids = [case.order.pk for case in good if case.order is not None]
        revived = progress.revive(order_ids=ids, actor=actor, at=at, reason=reason, batch=batch)
        told = {c.order.pk: c.payment.paid_at for c in good if c.order and c.payment and c.payment.paid_at}
        progress.confirm_payment(
            order_ids=ids, actor=actor, at=at, batch=batch, reason=reason, paid_at=told, promised_from=at
        )
        back = {line.order_id for line in revived.moved}
        _tell_rest([case for case in good if case.order and case.order.pk in back], at=at)
        refused = {
            line.order_id: revived.refused[line.pk] for c in good for line in c.lines if line.pk in revived.refused
        }
        return {case.problem.pk: refused[case.order.pk] for case in good if case.order and case.order.pk in refused}

    with locked_cases(problem_ids, actor=actor) as cases:
        return resolve(
            cases, problem_ids, Resolution.REVIVED, refusal=refusal, act=act,
            actor=actor, at=at, reason=reason, batch=batch,
        )  # fmt: skip


def _tell_rest(revived: Collection[Case], *, at: datetime) -> None:
    """The other cases of an order that lives again are over; what it holds beyond its worth is a case of its own."""
    for case in revived:
        if case.order is None or case.payment is None:
            continue
        problems.settle_all(case.siblings, LATE_MONEY, at=at)
        case.order.refresh_from_db(fields=["stage", "steps"])
        if (more := kept(case.payment).surplus) > 0:
            problems.open_one(case.payment, SURPLUS, amount=more, at=at)


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

    Where its payment holds less, the other payments of the order bear the rest. Late money has its refund prepared
    already, of all that is there: the person stands behind that one.
    """

    def refusal(case: Case) -> str | None:
        if case.problem.kind not in TO_REFUND:
            return NOT_TO_REFUND
        if case.problem.kind == K.UNDERPAID and not case.is_waiting:
            return NOT_WAITING
        return NO_PAYMENT if case.payment is None else None

    def act(good: list[Case]) -> Mapping[int, str]:
        twice = _twice(good)
        able = [case for case in good if case.problem.pk not in twice]
        drafts = preparing.drafts_of([c.payment for c in able if c.payment and c.problem.kind in LATE_MONEY])
        facts: dict[str, Any] = {"actor": actor, "at": at, "reason": reason, "batch": batch}
        kept = requesting.adopt(list(drafts.values()), account=account, **facts).refused
        requesting.approve_own(
            [one for one in drafts.values() if one.pk not in kept], actor=actor, at=at, batch=batch, source=""
        )
        new = [case for case in able if case.problem.payment_id not in drafts]
        asks, unfit = _split(new, wons_to_refund([case.problem for case in new]), account)
        asked = requesting.request(asks=[ask for _, ask in asks], **facts)
        unfit |= {one.problem_id: kept[one.pk] for one in drafts.values() if one.problem_id and one.pk in kept}
        return twice | unfit | {asks[place][0]: text for place, text in asked.refused.items()}

    with locked_cases(problem_ids, actor=actor) as cases:
        return resolve(
            cases, problem_ids, Resolution.REFUNDED, refusal=refusal, act=act,
            actor=actor, at=at, reason=reason, batch=batch,
        )  # fmt: skip


def _split(
    cases: Collection[Case], won: Mapping[int, int], account: RefundAccount | None
) -> tuple[list[tuple[int, requesting.Ask]], dict[int, str]]:
    """환불 나누기: (problem id, ask) of each payment that bears a part, its own one first; and why parts cannot be."""
    asks: list[tuple[int, requesting.Ask]] = []
    unfit: dict[int, str] = {}
    for case in cases:
        if case.payment is None:
            continue
        parts = _parts(case.payment, case.siblings, won[case.problem.pk])
        text = next((text for one, _ in parts if (text := requesting.account_refusal(one, account))), None)
        if len(parts) > 1 and text:
            unfit[case.problem.pk] = text
            continue
        for place, (one, part) in enumerate(parts):
            # A problem has one refund that stands; the other parts are known by their order.
            cause = None if place else case.problem
            ask = requesting.Ask(payment_id=one.pk, amount=part, account=account, problem=cause)
            asks.append((case.problem.pk, ask))
    return asks, unfit


def _parts(first: Payment, siblings: Collection[Payment], won: int) -> list[tuple[Payment, int]]:
    """What each payment of an order bears; all from the first, which refuses it, where they hold too little."""
    taken, left, parts = promised(siblings), won, []
    for one in sorted(siblings, key=lambda one: (one.pk != first.pk, -one.pk)):
        part = max(0, min(left, one.refundable - taken.get(one.pk, 0)))
        left -= part
        if part:
            parts.append((one, part))
    return parts if parts and not left else [(first, won)]


def wons_to_refund(cases: Collection[MoneyProblem]) -> dict[int, int]:
    """환불할 금액 by problem id: its amount, and of money that was too little all that came and is not promised yet."""
    short = {one.payment for one in cases if one.kind == K.UNDERPAID and one.payment is not None}
    free = {pk: won.free for pk, won in kept_by(short).items()} if short else {}
    return {one.pk: free.get(one.payment_id or 0, 0) if one.kind == K.UNDERPAID else one.amount for one in cases}


def _twice(cases: Collection[Case]) -> dict[int, str]:
    seen: set[int] = set()
    found = {}
    for case in cases:
        if case.problem.payment_id in seen:
            found[case.problem.pk] = ONE_OF_PAYMENT
        seen.add(case.problem.payment_id or 0)
    return found
