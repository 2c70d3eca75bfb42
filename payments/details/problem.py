"""예외 상세: one case of money that does not fit, finished for the template."""

from datetime import datetime
from typing import Any

from core import cells
from core.actions import actions_for
from core.exceptions import NotFound
from core.lists import Button
from core.people import named
from orders.columns import order_url
from orders.states import CSS, LineState
from payments.columns.notices import notice_url
from payments.columns.problems import age, problem_url, refunds_url, told
from payments.models import MoneyProblem, Payment
from payments.services.cases.resolving import NOT_FOUND, TO_ACCEPT, TO_REFUND, is_asked, wons_to_refund
from payments.services.ledger.keeping import kept
from payments.services.refunds.requesting import needs_account
from payments.services.refunds.second_person import APPROVE, APPROVE_OWN, Watch
from payments.states import ENDED, LATE_MONEY, OF_ORDER, ProblemKind, ProblemStage, RefundState, Resolution

ONLY_FOR = {
    "ask-difference": TO_ACCEPT,
    "accept-difference": TO_ACCEPT,
    "revive-order": LATE_MONEY,
    "attach-notice": frozenset({ProblemKind.UNKNOWN_ORDER}),
    "mark-test": frozenset({ProblemKind.UNKNOWN_ORDER}),
    "reopen-problem": TO_REFUND,
}
"""Kinds that an act fits; the others fit every kind."""
AT_ONCE = "신청과 함께 승인합니다."
OTHER_HOLDER = "예금주가 입금자와 다르거나 입금자명이 가려졌으면 다른 직원이 승인해야 합니다."
BY_ANOTHER = "한 사람이 승인할 수 있는 금액을 넘어, 다른 직원이 승인해야 돈이 나갑니다."
BY_OTHER = "신청한 직원과 다른 직원이 승인해야 돈이 나갑니다."
BY_APPROVER = "환불 승인 권한이 있는 직원이 승인해야 돈이 나갑니다."
RESOLVE, REFUND, SEE_REFUNDS = "payments.resolve_problem", "payments.request_refund", "payments.view_refund"
ACCEPT = "payments.accept_difference"


def find_problem(pk: int) -> MoneyProblem:
    """예외 찾기. Raises NotFound."""
    rows = MoneyProblem.objects.select_related("order", "payment__order", "notice__account", "resolved_by", "asked_by")
    found: MoneyProblem | None = rows.filter(pk=pk).first()
    if found is None:
        raise NotFound(NOT_FOUND)
    return found


def problem_context(problem: MoneyProblem, *, user: Any, at: datetime) -> dict[str, Any]:
    """예외 내용: facts, the order, what was decided or what the person may decide."""
    is_open, order = problem.resolved_at is None, problem.order
    steps, stage = (order.steps, order.stage) if order else (None, None)
    who = named(problem.resolved_by)
    refund = problem.refunds.exclude(state=RefundState.WITHDRAWN).first()
    payment = problem.payment
    may_refund = is_open and problem.kind in TO_REFUND and user.has_perm(RESOLVE) and user.has_perm(REFUND)
    won = refund.amount if refund and refund.is_prepared else wons_to_refund([problem])[problem.pk]
    return {
        "title": ProblemKind(problem.kind).label,
        "thing": "예외",
        "subtitle": f"{problem.amount:,}원",
        "problem": problem,
        "detail_url": problem_url(problem.pk),
        "told": " ".join(told(problem.kind, problem.detail, steps=steps, stage=stage)).strip(),
        "badge": {"css": "s-awaiting", "label": "처리 전"}
        if is_open
        else {"css": "s-confirmed", "label": Resolution(problem.resolution).label},
        "age": age(problem.found_at, at),
        "found": cells.full_time(problem.found_at),
        "order": order,
        "order_url": order_url(order.number) if order else "",
        "order_badge": {"css": CSS[LineState(order.stage)], "label": LineState(order.stage).label}
        if order and order.stage in LineState
        else None,
        "notice": problem.notice,
        "notice_url": notice_url(problem.notice_id) if problem.notice_id else "",
        "decided": "" if is_open else f"{who} · {cells.full_time(problem.resolved_at)}",
        "asked": f"{problem.asked_by.display_name} 님 · {cells.full_time(problem.asked_at)}"
        if is_open and problem.asked_by and is_asked(problem, at)
        else "",
        "money": _money(problem),
        "ask": _ask(payment, won, user=user, at=at) if may_refund and payment is not None else None,
        "refund": refund,
        "refund_url": refunds_url(order.number) if refund and order and user.has_perm(SEE_REFUNDS) else "",
        "needs_account": payment is not None and needs_account(payment),
        "buttons": _buttons(problem, user, at),
        "rows": f"{problem.pk}:{problem.asks if is_open else problem.asks + 1}",
        "page_name": "problems",
    }


def _money(problem: MoneyProblem) -> dict[str, int]:
    """결제예정액과 들어온 돈, in won, so that their difference is the amount of a case of too much or too little.

    An order that goes on is worth what is left of it (`before` is what it was worth whole), and all its payments count
    together where the case is one of the order; what came for one that has ended is shown as it came.
    """
    order, payment = problem.order, problem.payment
    if order is None:
        return {}
    if payment is None:
        return {"due": order.due_amount, "came": order.paid_amount}
    is_over = order.stage in ENDED
    counted = [payment] if is_over or problem.kind not in OF_ORDER else list(Payment.objects.filter(order=order))
    won = kept(payment)
    due = order.due_amount if is_over else won.owed
    return {
        "due": due,
        "before": order.due_amount if due != order.due_amount else 0,
        "came": sum(one.refundable for one in counted),
        "forgiven": sum(one.forgiven for one in counted),
        "refunded": sum(one.refunded for one in counted),
        "promised": won.promised,
    }


def _ask(payment: Payment, won: int, *, user: Any, at: datetime) -> dict[str, str]:
    """환불 신청 단추: what a press of it does, as far as it is known before the account is."""
    if not user.has_perm(APPROVE):
        return {"label": f"{won:,}원 환불 신청", "note": BY_APPROVER}
    if not user.has_perm(APPROVE_OWN):
        return {"label": f"{won:,}원 환불 신청", "note": BY_OTHER}
    if Watch(user, at).needs_second(payment, won, None):
        return {"label": f"{won:,}원 환불 신청", "note": BY_ANOTHER}
    is_asked_for = needs_account(payment)
    return {
        "label": f"{won:,}원 환불 신청하고 승인",
        "note": f"{AT_ONCE} {OTHER_HOLDER}" if is_asked_for else AT_ONCE,
    }


def _buttons(problem: MoneyProblem, user: Any, at: datetime) -> list[Button]:
    """Of a difference that somebody has asked for, another person may take the asking over: who asked cannot accept."""
    if problem.resolved_at is not None and problem.resolution != Resolution.NOTHING:
        return []
    stage = ProblemStage.DONE if problem.resolved_at else ProblemStage.OPEN
    may_accept = problem.asked_by_id != user.pk and user.has_perm(ACCEPT)
    is_done = is_asked(problem, at) and (problem.asked_by_id == user.pk or may_accept)
    asked = {"ask-difference"} if is_done else set()
    return [
        Button(one.name, one.label, one.style)
        for one in actions_for(MoneyProblem, {stage.value}, user)
        if problem.kind in ONLY_FOR.get(one.name, {problem.kind}) and one.name not in asked
    ]
