"""예외 다시 열기: what a person closed without acting waits for a decision again, as the money stands by now.

The closed case stays as it was decided; what is left of its money is a case of its own. Source: payments.md 5.7.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from core.events import record
from core.models import Job
from core.state import Change, Outcome, is_preview, missing
from payments import events
from payments.models import MoneyProblem
from payments.services.cases.deciding import NOT_FOUND, Case, locked_cases
from payments.services.cases.resolving import NOT_TO_REFUND, ONE_OF_PAYMENT, TO_REFUND
from payments.services.refunds import preparing, settling
from payments.states import LATE_MONEY, ProblemStage, Resolution

REOPENED = "조치 없이 닫은 예외를 다시 열었습니다."
NOT_CLOSED = "'조치 없음'으로 닫은 예외만 다시 열 수 있습니다."
OPEN_ALREADY = "이 주문에 처리 전인 예외가 있습니다. 그 예외에서 처리하세요."
NOTHING_LEFT = "이 주문에 정해야 할 돈이 남아 있지 않습니다. 주문의 결제 내역을 확인하세요."


def reopen(*, problem_ids: Collection[int], actor: Any, at: datetime, reason: str, batch: Job | None = None) -> Outcome:
    """예외 다시 열기. Refused where nothing is left to decide about, or where another open case tells of it."""
    outcome, good, seen = Outcome(), list[Case](), set[int]()
    with locked_cases(problem_ids, actor=actor) as cases:
        for case in cases:
            text = _refusal(case) or (ONE_OF_PAYMENT if case.problem.payment_id in seen else None)
            if text:
                outcome.refused[case.problem.pk] = text
                continue
            seen.add(case.problem.payment_id or 0)
            good.append(case)
        outcome.possible = [case.problem for case in good]
        outcome.refused |= missing(set(problem_ids), [case.problem for case in cases], text=NOT_FOUND)
        if is_preview():
            return outcome
        for case in good:
            if case.payment is not None:
                settling.ask_again(case.payment, at=at, detail=REOPENED)
                preparing.keep_in_step([case.payment], at=at, actor=actor, batch=batch)
            # The row is older than its decision by one (Resolved): this is one more.
            asks = case.problem.asks + 1
            MoneyProblem.objects.filter(pk=case.problem.pk).update(asks=asks, updated_at=at)
            outcome.changes.append(Change(case.problem, ProblemStage.DONE, ProblemStage.DONE, asks + 1))
        data = {one.pk: {"kind": one.kind} for one in outcome.possible}
        record(outcome, events.PROBLEM_REOPENED, at=at, actor=actor, batch=batch, reason=reason, data=data)
    return outcome


def _refusal(case: Case) -> str | None:
    problem = case.problem
    if problem.resolution != Resolution.NOTHING:
        return NOT_CLOSED
    if problem.kind not in TO_REFUND or case.payment is None:
        return NOT_TO_REFUND
    others = MoneyProblem.objects.filter(order=problem.order_id, kind__in=TO_REFUND | LATE_MONEY, resolved_at=None)
    if others.exists():
        return OPEN_ALREADY
    return None if settling.undecided(case.payment) else NOTHING_LEFT
