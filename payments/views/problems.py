"""예외 입금 화면: one case, and the refund of what is too much."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts.access import PermissionRequired, refusal, staff_of
from core.exceptions import Conflict, DomainError
from core.jobs.shown import Result
from core.views.gate import is_fragment
from core.views.lists import answer_detail, refused
from payments.columns.problems import problem_url
from payments.details.problem import REFUND, find_problem, problem_context
from payments.forms.refunds import RefundForm
from payments.models import MoneyProblem, Refund
from payments.services.cases import resolving
from payments.services.refunds.requesting import NO_ACCOUNT, NO_ACCOUNT_TO_BANK
from payments.states import RefundState

CHANGED = "oms:changed"
WAITS = "환불을 신청했습니다. 환불 관리에서 승인하면 돈이 나갑니다."
APPROVED = "환불을 신청하고 승인했습니다. 진행 상황은 환불 관리에서 볼 수 있습니다."


class ProblemDetail(PermissionRequired):
    """예외 상세: fragment for the slide-over, full page otherwise."""

    permission = "payments.view_problems"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        return _answer(request, pk, form=RefundForm())


class ProblemRefund(PermissionRequired):
    """환불 신청 of a case. No bulk act: the account is that of one buyer."""

    permission = "payments.resolve_problem"
    http_method_names = ["get", "post", "options"]

    def get(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Whoever opens the address of a refused form again comes to the case."""
        return redirect(problem_url(pk))

    def post(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        if denied := refusal(request, REFUND):
            return denied
        form = RefundForm(request.POST)
        if not form.is_valid():
            return _answer(request, pk, form=form, status=422, names_missing=True)
        try:
            outcome = resolving.refund(
                problem_ids=[pk], actor=staff_of(request), at=timezone.now(), **form.cleaned_data
            )
            if outcome.refused:
                raise Conflict(outcome.refused[pk])
        except DomainError as error:
            if not MoneyProblem.objects.filter(pk=pk, resolved_at=None).exists():
                return refused(request, error)
            # The service alone knows whether this money can go back without an account.
            if error.message in {NO_ACCOUNT, NO_ACCOUNT_TO_BANK}:
                form.require_account(error.message)
            else:
                form.add_error(None, error.message)
            return _answer(request, pk, form=form, status=error.status)
        # Whoever may approve has approved with the asking, unless a second person must.
        waits = Refund.objects.filter(payment__problems=pk, state=RefundState.DRAFT).exists()
        text = WAITS if waits else APPROVED
        if is_fragment(request):
            answer = render(request, "generic/_strip.html", {"result": Result("", ok_text=text)})
            answer["HX-Trigger"] = CHANGED
            return answer
        messages.success(request, text)
        return redirect(problem_url(pk))


def _answer(
    request: HttpRequest, pk: int, *, form: Any, status: int = 200, names_missing: bool = False
) -> HttpResponse:
    try:
        problem = find_problem(pk)
    except DomainError as error:
        return refused(request, error)
    context = problem_context(problem, user=staff_of(request), at=timezone.now()) | {"form": form}
    if context["needs_account"]:
        form.mark_account()
        if names_missing:
            form.name_missing()
    if form.is_bound and is_fragment(request):
        answer = render(request, "payments/_problem_form.html", context)
        answer["HX-Retarget"], answer["HX-Reswap"] = "#problem-ask", "innerHTML"
    else:
        answer = answer_detail(request, "payments/_problem.html", "payments/problem.html", context)
    answer.status_code = status
    return answer
