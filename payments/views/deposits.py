"""자동입금확인 화면: one deposit with its candidates, and what staff decide about it."""

from abc import ABC, abstractmethod
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from accounts.access import PermissionRequired, refusal, staff_of
from core.exceptions import Conflict, DomainError
from core.jobs.shown import Result
from core.text import whole_number
from core.views.gate import is_fragment, refuse
from core.views.lists import answer_detail, refused
from orders.views.reveal import Clear, Reveal
from payments.details.deposit import MATCH, RETURN, clear_names, detail_context, find_deposit, return_form
from payments.forms.deposits import AllocateForm
from payments.forms.refunds import RefundForm
from payments.services.deposits.allocating import allocate
from payments.services.deposits.confirming import match_deposits
from payments.services.deposits.deposit_returns import give_back

CHANGED = "oms:changed"
OLD_SCREEN = "화면의 정보가 빠져 있습니다. 화면을 새로 고치고 다시 시도하세요."
NOT_COMPARED = "이미 처리했거나 지금 다른 곳에서 처리 중인 입금이라 다시 찾지 않았습니다. 화면을 새로 고치세요."


class DepositDetail(PermissionRequired):
    """입금 상세: fragment for the slide-over, full page otherwise."""

    permission = "payments.view_deposits"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        try:
            deposit = find_deposit(pk)
        except DomainError as error:
            return refused(request, error)
        context = detail_context(deposit, user=staff_of(request), at=timezone.now())
        return answer_detail(request, "payments/_deposit.html", "payments/deposit.html", context)


class DepositReveal(Reveal):
    """입금자 보기: who sent it and who waits for it, for those who match by hand."""

    permission = MATCH
    template = "payments/_deposit_revealed.html"
    what = "입금자와 후보 주문의 이름을"

    def clear(self, request: HttpRequest, **where: Any) -> Clear:
        deposit = find_deposit(where["pk"])
        payers = clear_names(deposit)
        return Clear(
            "deposit-names",
            [one["number"] for one in payers],
            {"fields": ["depositor", "memo", "payer"], "deposit": deposit.pk},
            {"deposit": deposit, "payers": payers},
        )


class DepositAct(PermissionRequired, ABC):
    """입금 처리의 바탕: posts, answers with the strip or the page of the deposit."""

    permission = MATCH
    http_method_names = ["post", "options"]
    said = "deposit-said"
    """Place beside the form for what is refused."""

    def post(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        try:
            text = self.act(request, pk)
        except DomainError as error:
            return self.say_beside(request, error) if is_fragment(request) else refuse(request, error)
        if not is_fragment(request):
            return redirect(reverse("payments:deposit", args=[pk]))
        answer = render(request, "generic/_strip.html", {"result": Result("", ok_text=text)})
        answer["HX-Trigger"] = CHANGED
        return answer

    def say_beside(self, request: HttpRequest, error: DomainError) -> HttpResponseBase:
        """거절 beside the form: the strip of the list lies half under the slide-over."""
        context = {"kind": "error", "text": error.message}
        answer = render(request, "partials/alert.html", context, status=409 if error.status == 409 else 422)
        answer["HX-Retarget"] = f"#{self.said}"
        answer["HX-Reswap"] = "innerHTML"
        return answer

    @abstractmethod
    def act(self, request: HttpRequest, pk: int) -> str:
        """처리; the words of the strip. Raises DomainError."""


class DepositAllocate(DepositAct):
    """연결, 되살리고 연결, 취소한 채 연결."""

    def act(self, request: HttpRequest, pk: int) -> str:
        form = AllocateForm(request.POST)
        if not form.is_valid():
            raise DomainError(_first_error(form), code="bad_form")
        cleaned = form.cleaned_data
        deposit = allocate(
            deposit_id=pk,
            order_ids=cleaned["order_ids"],
            actor=staff_of(request),
            at=timezone.now(),
            seen_version=_seen_version(request),
            accepts_difference=cleaned["accepts_difference"],
            canceled=cleaned["canceled"],
        )
        return f"입금 {deposit.amount:,}원을 주문 {len(cleaned['order_ids']):,}건에 연결했습니다."


class DepositReturn(DepositAct):
    """반환 신청: the deposit goes back to its sender. No bulk act: the account is that of one sender."""

    said = "return-said"

    def post(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        if denied := refusal(request, RETURN):
            return denied
        form = return_form(request.POST)
        if is_fragment(request) and not form.is_valid():
            return self.ask_again(request, pk, form)
        return super().post(request, pk)

    def ask_again(self, request: HttpRequest, pk: int, form: RefundForm) -> HttpResponseBase:
        """다시 묻기: the form again, with everything that is missing or wrong at its field."""
        try:
            context = {"deposit": find_deposit(pk), "form": form}
        except DomainError as error:
            return refused(request, error)
        answer = render(request, "payments/_deposit_return.html", context, status=422)
        answer["HX-Retarget"], answer["HX-Reswap"] = "#deposit-return", "innerHTML"
        return answer

    def act(self, request: HttpRequest, pk: int) -> str:
        form = return_form(request.POST)
        if not form.is_valid():
            raise DomainError(_first_error(form), code="bad_form")
        refund = give_back(
            deposit_id=pk,
            actor=staff_of(request),
            at=timezone.now(),
            seen_version=_seen_version(request),
            **form.cleaned_data,
        )
        waits = "다른 직원이 승인하면" if refund.needs_second else "승인하고"
        return f"입금 {refund.amount:,}원의 반환을 신청했습니다. 환불 관리에서 {waits} 이체하세요."


class DepositRematch(DepositAct):
    """다시 찾기: compares a waiting deposit with the orders once more."""

    def act(self, request: HttpRequest, pk: int) -> str:
        found = match_deposits(deposit_ids=[find_deposit(pk).pk], at=timezone.now(), actor=staff_of(request))
        if found.confirmed:
            return "맞는 주문을 찾아 입금확인했습니다."
        if not found.queued:
            raise Conflict(NOT_COMPARED, code="deposit_done")
        return "후보 주문을 다시 찾았습니다."


def _seen_version(request: HttpRequest) -> int:
    """본 버전 of the deposit, which the forms bear beside what a person types. Raises DomainError without one."""
    version = whole_number(request.POST.get("version", ""), digits=10)
    if version is None:
        raise DomainError(OLD_SCREEN, code="bad_form")
    return version


def _first_error(form: Any) -> str:
    return str(next(iter(form.errors.values()))[0])
