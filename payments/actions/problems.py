"""Buttons on money that does not fit: what a person decides about it, and 예외 다시 열기."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from core.actions import MORE, SECONDARY, BulkAction, register
from core.state import Outcome
from orders.actions import Reasoned
from payments.forms.problems import AttachForm
from payments.models import MoneyProblem
from payments.services.cases import attaching, reopening, resolving
from payments.states import ProblemKind, ProblemStage

RESOLVE = "payments.resolve_problem"


class ProblemAction(Reasoned, BulkAction):
    """예외 처리의 바탕: a decision with a reason that stays in the history."""

    model = MoneyProblem
    unit = "problem"
    states = (ProblemStage.OPEN,)

    def groups(self, target_ids: Collection[int]) -> dict[int, int]:
        """A problem stands for itself, whether it has an order or not."""
        return {pk: pk for pk in target_ids}


def _summed(outcome: Outcome) -> Outcome:
    """차액: won that are missing and won that are too much, of the cases that the act is done to."""
    for one in outcome.possible:
        outcome.sums["over" if one.kind == ProblemKind.OVERPAID else "short"] += abs(one.amount)
    return outcome


def _of_gaps(sums: Mapping[str, int]) -> list[str]:
    words = {"short": "부족한", "over": "초과한"}
    return [f"{word} 차액은 모두 {sums[key]:,}원입니다." for key, word in words.items() if sums.get(key)]


@register
class AskDifference(ProblemAction):
    """차액 인정 신청: the first of two people."""

    name, label, permission = "ask-difference", "차액 인정 신청", RESOLVE
    style = SECONDARY
    thing, verb = "차액 인정", "신청"

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return _summed(resolving.ask_to_accept(problem_ids=ids, actor=actor, at=at, reason=reason, batch=batch))

    def sentences(self, sums: Mapping[str, int]) -> list[str]:
        return _of_gaps(sums)


@register
class AcceptDifference(ProblemAction):
    """차액 인정: a missing rest is booked by hand and the order goes on; a surplus stays with the order."""

    name, label, permission = "accept-difference", "차액 인정", "payments.accept_difference"
    style = SECONDARY
    thing, verb = "차액", "인정"

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return _summed(resolving.accept_difference(problem_ids=ids, actor=actor, at=at, reason=reason, batch=batch))

    def sentences(self, sums: Mapping[str, int]) -> list[str]:
        return _of_gaps(sums)


@register
class ReviveOrder(ProblemAction):
    """주문 되살림: a canceled order whose money came in goes to 상품준비중."""

    name, label, permission = "revive-order", "주문 되살림", RESOLVE
    style = SECONDARY
    thing = "주문"

    def will(self) -> str:
        return "되살리고 상품준비중으로 바꿉니다"

    def did(self) -> str:
        return "되살리고 상품준비중으로 바꿨습니다"

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return resolving.revive_order(problem_ids=ids, actor=actor, at=at, reason=reason, batch=batch)


@register
class AttachNotice(ProblemAction):
    """주문에 연결: money of a notice that named no order of ours."""

    name, label, permission = "attach-notice", "주문에 연결", RESOLVE
    form_class = AttachForm
    style = SECONDARY

    def will(self) -> str:
        return "주문에 연결하고 PG에 다시 확인합니다"

    def did(self) -> str:
        return "주문에 연결했습니다"

    def apply(
        self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str, order: int | None
    ) -> Outcome:
        return attaching.attach(
            problem_ids=ids, order_id=order, actor=actor, at=at, reason=reason, batch=batch
        )  # fmt: skip


@register
class MarkTest(ProblemAction):
    """PG 시험으로 표시."""

    name, label, permission = "mark-test", "PG 시험으로 표시", RESOLVE
    style = MORE

    def will(self) -> str:
        return "PG 시험으로 표시합니다"

    def did(self) -> str:
        return "PG 시험으로 표시했습니다"

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return attaching.mark_test(problem_ids=ids, actor=actor, at=at, reason=reason, batch=batch)


@register
class CloseProblem(ProblemAction):
    """조치 없음: somebody looked and nothing is to be done."""

    name, label, permission = "close-problem", "조치 없음", RESOLVE
    style = SECONDARY

    def will(self) -> str:
        return "조치 없이 닫습니다"

    def did(self) -> str:
        return "조치 없이 닫았습니다"

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return resolving.close(problem_ids=ids, actor=actor, at=at, reason=reason, batch=batch)


@register
class ReopenProblem(ProblemAction):
    """예외 다시 열기: of what was closed without acting, the money that is left waits for a decision again."""

    name, label, permission = "reopen-problem", "예외 다시 열기", RESOLVE
    states = (ProblemStage.DONE,)
    style = MORE

    def will(self) -> str:
        return "처리 전 예외로 다시 엽니다"

    def did(self) -> str:
        return "처리 전 예외로 다시 열었습니다"

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return reopening.reopen(problem_ids=ids, actor=actor, at=at, reason=reason, batch=batch)
