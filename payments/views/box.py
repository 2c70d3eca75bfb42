"""결제 상자의 단추: ask the PG again, and the number of a virtual account for who gives a reason."""

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts.access import PermissionRequired, staff_of
from accounts.clients import client_of
from accounts.models import AccessAction
from accounts.services import record_access
from core.exceptions import DomainError, NotFound
from core.jobs.shown import Result
from core.views.gate import is_fragment, refuse
from core.views.lists import refused
from orders.forms import RevealForm
from payments.banks import bank_at
from payments.models import VirtualAccount
from payments.services.syncing import NOT_FOUND, sync_now
from payments.views.notices import REVEAL_SECONDS

CHANGED = "oms:changed"


class SyncNow(PermissionRequired):
    """다시 조회."""

    permission = "payments.sync"
    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        try:
            text = sync_now(payment_id=pk, at=timezone.now())
        except DomainError as error:
            return refuse(request, error)
        if not is_fragment(request):
            back = request.POST.get("next", "")
            return redirect(back if back.startswith("/orders/") else "/")
        answer = render(request, "generic/_strip.html", {"result": Result("", ok_text=text)})
        answer["HX-Trigger"] = CHANGED
        return answer


class VirtualReveal(PermissionRequired):
    """가상계좌 보기: a reason first, then the log row, then number and holder for 30 seconds."""

    permission = "orders.reveal"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        if "hide" in request.GET:
            return HttpResponse("")
        return self._answer(request, pk, RevealForm())

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self._answer(request, pk, RevealForm(request.POST))

    def _answer(self, request: HttpRequest, pk: int, form: RevealForm) -> HttpResponse:
        virtual = VirtualAccount.objects.select_related("payment__order", "payment__account").filter(pk=pk).first()
        if virtual is None or virtual.payment.account is None:
            return refused(request, NotFound(NOT_FOUND))
        if not form.is_valid():
            context = {"payment_id": pk, "form": form}
            return render(request, "payments/_virtual_reveal.html", context, status=422 if form.is_bound else 200)
        record_access(
            actor=staff_of(request),
            action=AccessAction.VIEW,
            at=timezone.now(),
            client=client_of(request),
            purpose=form.cleaned_data["reason"],
            subjects=[virtual.payment.order.number],
            detail={"fields": ["virtual_account"]},
        )
        context = {
            "payment_id": pk,
            "virtual": virtual,
            "bank": bank_at(virtual.payment.account.provider, virtual.bank),
            "seconds": REVEAL_SECONDS,
        }
        answer = render(request, "payments/_virtual_revealed.html", context)
        answer["Cache-Control"] = "no-store"
        return answer
