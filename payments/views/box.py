"""결제 상자의 단추: ask the PG again, and the number of a virtual account for who gives a reason."""

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts.access import PermissionRequired
from core.exceptions import DomainError, NotFound
from core.jobs.shown import Result
from core.views.gate import is_fragment, refuse
from orders.views.reveal import Clear, Reveal
from payments.banks import bank_at
from payments.models import VirtualAccount
from payments.services.gateway.syncing import NOT_FOUND, sync_now

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


class VirtualReveal(Reveal):
    """가상계좌 보기: number and holder."""

    permission = "orders.reveal"
    template = "payments/_virtual_revealed.html"
    what = "계좌번호를"

    def clear(self, request: HttpRequest, **where: Any) -> Clear:
        pk = where["pk"]
        virtual = VirtualAccount.objects.select_related("payment__order", "payment__account").filter(pk=pk).first()
        if virtual is None or virtual.payment.account is None:
            raise NotFound(NOT_FOUND)
        bank = bank_at(virtual.payment.account.provider, virtual.bank)
        return Clear(
            f"virtual-{pk}",
            [virtual.payment.order.number],
            {"fields": ["virtual_account"]},
            {"virtual": virtual, "bank": bank},
        )
