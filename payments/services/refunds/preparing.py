"""환불 초안: money that came for a canceled order has its refund prepared, so that a person only has to say yes.

A draft lives as long as its exceptional money waits for a decision; whatever else becomes of the money, it falls away.
Source: payments.md 5.6, A49.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from core.events import record
from core.locks import locked
from core.models import Job
from core.state import Change, Outcome, is_preview, move
from payments import events
from payments.models import MoneyProblem, Payment, Refund
from payments.services.refunds import requesting
from payments.services.refunds.locking import locked_refunds, promised
from payments.services.refunds.requesting import way_of
from payments.services.refunds.second_person import Watch
from payments.states import ENDED, LATE_MONEY, ProblemKind, RefundState

WAITING = (RefundState.DRAFT, RefundState.HELD)
USED = "취소 후 입금을 다르게 처리했습니다."
HELD_ON = "보류 중에 금액이 바뀌어 보류를 이어갑니다."


def keep_in_step(
    payments: Collection[Payment], *, at: datetime, actor: Any = None, batch: Job | None = None, source: str = ""
) -> None:
    """초안 맞추기: late money that waits has one draft of all that no other refund takes; other drafts fall away.

    Payments are locked with their orders; their balances are those of the ledger.
    """
    if not payments or is_preview():
        return
    problems = _waiting(payments)
    drafts = drafts_of(payments)
    if not problems and not drafts:
        return
    taken = promised(payments)
    used, wanted = [], {}
    for payment in payments:
        draft, problem = drafts.get(payment.pk), problems.get(payment.pk)
        others = taken.get(payment.pk, 0) - (draft.amount if draft else 0)
        won = max(0, payment.refundable - others) if problem else 0
        if draft is not None and draft.amount == won and problem is not None and draft.problem_id == problem.pk:
            continue
        if draft is not None:
            used.append(draft)
        if won and problem is not None:
            wanted[payment] = (problem, won)
    facts: dict[str, Any] = {"at": at, "actor": actor, "batch": batch, "source": source}
    _replace(used, wanted, **facts)


def _replace(
    used: Sequence[Refund], wanted: Mapping[Payment, tuple[MoneyProblem, int]], *, at: datetime, **facts: Any
) -> None:
    """Withdraw drafts and prepare others; what a person has stopped stays stopped, whatever comes in beside it."""
    held = {one.payment_id for one in used if one.state == RefundState.HELD}
    gone = move(used, Refund.withdraw, at=at)
    record(gone, events.REFUND_WITHDRAWN, at=at, reason=USED, **facts)
    watch = Watch(None, at)
    made = [_draft(payment, problem, won, watch) for payment, (problem, won) in wanted.items()]
    for one in made:
        one.save(force_insert=True)
    data = {one.pk: {"amount": one.amount, "way": str(one.way)} for one in made}
    opened = Outcome(changes=[Change(one, "", RefundState.DRAFT, 0) for one in made])
    record(opened, events.REFUND_PREPARED, at=at, data=data, **facts)
    stopped = move([one for one in made if one.payment_id in held], Refund.hold, at=at)
    record(stopped, events.REFUND_HELD, at=at, reason=HELD_ON, **facts)


def withdraw(
    *, refund_ids: Collection[int], actor: Any, at: datetime, reason: str, batch: Job | None = None
) -> Outcome:
    """환불 철회 by staff: where the money was late, a draft that stands beside the refund takes its money too.

    A draft that the person takes back itself is not prepared again by the same money.
    """
    facts: dict[str, Any] = {"at": at, "actor": actor, "batch": batch}
    with locked_refunds(refund_ids, actor=actor):
        outcome = requesting.withdraw(refund_ids=refund_ids, reason=reason, **facts)
        freed = {one.payment.pk: one.payment for one in outcome.moved if one.payment is not None}
        drafts = drafts_of(freed.values())
        keep_in_step([freed[pk] for pk in drafts], **facts)
    return outcome


def drafts_of(payments: Collection[Payment]) -> dict[int, Refund]:
    """환불 초안 of locked payments, locked, by payment id; at most one each."""
    by_id = {payment.pk: payment for payment in payments}
    rows = Refund.objects.filter(payment__in=by_id, problem__isnull=False, requested_by=None, state__in=WAITING)
    found = {}
    for draft in locked(rows):
        draft.payment = by_id[draft.payment_id]
        found[draft.payment_id] = draft
    return found


def _waiting(payments: Collection[Payment]) -> dict[int, MoneyProblem]:
    """Late money that nobody has decided about, by payment id; not that of an order that lives again."""
    rows = MoneyProblem.objects.filter(
        payment__in=payments,
        kind__in=LATE_MONEY,
        resolved_at=None,
        order__stage__in=ENDED,
    )
    return {one.payment_id: one for one in rows.order_by("-pk") if one.payment_id is not None}


def _draft(payment: Payment, problem: MoneyProblem, won: int, watch: Watch) -> Refund:
    return Refund(
        payment=payment,
        order=payment.order,
        problem=problem,
        way=way_of(payment),
        amount=won,
        reason=ProblemKind(problem.kind).label,
        needs_second=watch.needs_second(payment, won, None),
        requested_at=watch.at,
    )
