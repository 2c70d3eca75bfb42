"""Buttons of the webhook inbox and of the list of exceptional money."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, ClassVar

from core.actions import DANGER, MORE, PRIMARY, SECONDARY, BulkAction, register
from core.state import Outcome
from orders.forms import ReasonForm
from payments.models import MoneyProblem, PgNotice
from payments.money_forms import AttachForm
from payments.services import replaying, resolving
from payments.states import NoticeState

N = NoticeState
RESOLVE = "payments.resolve_problem"
OPEN = "OPEN"
WAITING = {"reason": "확인 전"}


@register
class ReplayNotice(BulkAction):
    """다시 처리: the preview asks the PGs and says what would change."""

    name, label, permission = "replay-notice", "다시 처리", "payments.replay_event"
    model = PgNotice
    unit = "notice"
    states = (N.PROCESSED, N.IGNORED, N.REJECTED, N.PARKED, N.DEAD)
    style = PRIMARY

    def ask_first(self, ids: Collection[int], *, at: datetime) -> Mapping[str, Any]:
        return {"forecasts": replaying.forecast(replaying.ask(ids), at=at)}

    def apply(
        self,
        ids: Collection[int],
        *,
        actor: Any,
        at: datetime,
        batch: Any,
        forecasts: Mapping[int, replaying.Forecast] | None = None,
    ) -> Outcome:
        return replaying.replay(notice_ids=ids, actor=actor, at=at, batch=batch, forecasts=forecasts)

    def sentences(self, sums: Mapping[str, int]) -> list[str]:
        found = []
        if sums.get("in"):
            found.append(f"입금 {sums['in']:,}원이 원장에 더해집니다.")
        if sums.get("out"):
            found.append(f"{sums['out']:,}원이 원장에서 빠집니다.")
        if sums.get("same"):
            found.append(f"결제 {sums['same']:,}건은 PG와 원장이 같아 바뀌는 내용이 없습니다.")
        if sums.get("unknown"):
            found.append(f"결제 {sums['unknown']:,}건은 PG에서 확인하지 못했거나 사람이 확인해야 합니다.")
        return found


class ProblemAction(BulkAction):
    """예외 처리의 바탕: a decision with a reason that stays in the history."""

    model = MoneyProblem
    unit = "problem"
    states = (OPEN,)
    form_class = ReasonForm
    preview_data: ClassVar[dict[str, Any]] = WAITING

    def groups(self, target_ids: Collection[int]) -> dict[int, int]:
        """A problem stands for itself, whether it has an order or not."""
        return {pk: pk for pk in target_ids}


@register
class AskDifference(ProblemAction):
    """차액 인정 신청: the first of two people."""

    name, label, permission = "ask-difference", "차액 인정 신청", RESOLVE
    style = SECONDARY

    def will(self) -> str:
        return "차액 인정을 신청합니다"

    def did(self) -> str:
        return "차액 인정을 신청했습니다"

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return resolving.ask_to_accept(problem_ids=ids, actor=actor, at=at, reason=reason, batch=batch)


@register
class AcceptDifference(ProblemAction):
    """차액 인정: a missing rest is booked by hand and the order goes on; a surplus stays with the order."""

    name, label, permission = "accept-difference", "차액 인정", "payments.accept_difference"
    style = SECONDARY

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return resolving.accept_difference(problem_ids=ids, actor=actor, at=at, reason=reason, batch=batch)


@register
class ReviveOrder(ProblemAction):
    """주문 되살림: a canceled order whose money came in goes to 상품준비중."""

    name, label, permission = "revive-order", "주문 되살림", RESOLVE
    style = SECONDARY

    def will(self) -> str:
        return "주문을 되살리고 상품준비중으로 바꿉니다"

    def did(self) -> str:
        return "주문을 되살리고 상품준비중으로 바꿨습니다"

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
        return resolving.attach(
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
        return resolving.mark_test(problem_ids=ids, actor=actor, at=at, reason=reason, batch=batch)


@register
class CloseProblem(ProblemAction):
    """조치 없음: somebody looked and nothing is to be done."""

    name, label, permission = "close-problem", "조치 없음", RESOLVE
    style = DANGER

    def will(self) -> str:
        return "조치 없이 닫습니다"

    def did(self) -> str:
        return "조치 없이 닫았습니다"

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return resolving.close(problem_ids=ids, actor=actor, at=at, reason=reason, batch=batch)
