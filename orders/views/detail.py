"""주문 상세: the slide-over over a list and the full page, and the personal data in it for who has a reason."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import patch_vary_headers

from accounts.access import PermissionRequired, staff_of
from accounts.clients import client_of
from accounts.models import AccessAction
from accounts.services import record_access
from core.masking import mask_text
from core.phones import format_phone
from orders.detail import detail_context, find_order
from orders.forms import RevealForm
from orders.models import Order, StaffMemo

REVEAL_SECONDS = 30
SHOWN = ["buyer", "recipient", "phone", "address", "note", "depositor", "memo"]


class OrderDetailView(PermissionRequired):
    """주문 상세: fragment for the slide-over, full page otherwise; both from the same panels."""

    permission = "orders.view"

    def get(self, request: HttpRequest, number: str) -> HttpResponse:
        context = detail_context(request, find_order(number), at=timezone.now())
        is_fragment = request.headers.get("HX-Request") and request.headers.get("HX-Target") == "detail"
        answer = render(request, "orders/_detail.html" if is_fragment else "orders/detail.html", context)
        patch_vary_headers(answer, ["HX-Request", "HX-Target"])
        return answer


class RevealView(PermissionRequired):
    """개인정보 보기: a reason first, then the log row, then the clear text for 30 seconds."""

    permission = "orders.reveal"

    def get(self, request: HttpRequest, number: str) -> HttpResponse:
        order = find_order(number)
        if "hide" in request.GET:
            return HttpResponse("")
        return render(request, "orders/panels/reveal_form.html", {"order": order, "form": RevealForm()})

    def post(self, request: HttpRequest, number: str) -> HttpResponse:
        order = find_order(number)
        form = RevealForm(request.POST)
        if not form.is_valid():
            return render(request, "orders/panels/reveal_form.html", {"order": order, "form": form}, status=422)
        record_access(
            actor=staff_of(request),
            action=AccessAction.VIEW,
            at=timezone.now(),
            client=client_of(request),
            purpose=form.cleaned_data["reason"],
            subjects=[order.number],
            detail={"fields": SHOWN},
        )
        answer = render(request, "orders/panels/revealed.html", clear_text(order))
        answer["Cache-Control"] = "no-store"
        return answer


def clear_text(order: Order) -> dict[str, Any]:
    """개인정보: what the boxes of the order mask."""
    memos = (
        StaffMemo.objects.filter(order=order, deleted_at__isnull=True).order_by("-id").values_list("text", flat=True)
    )
    phones = (order.recipient_phone, order.recipient_phone2)
    return {
        "order": order,
        "phones": " · ".join(format_phone(phone) for phone in phones if phone),
        "buyer_phone": format_phone(order.buyer_phone) if order.buyer_phone else "",
        "address": f"{order.address1} {order.address2}".strip(),
        "memos": [text for text in memos.values_list("text", flat=True) if mask_text(text) != text],
        "seconds": REVEAL_SECONDS,
    }
