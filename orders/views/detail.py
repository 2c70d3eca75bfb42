"""주문 상세: the slide-over over a list and the full page, and the personal data in it for who has a reason."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.access import PermissionRequired
from core.calendar import kst_date
from core.masking import mask_text
from core.phones import format_phone
from core.views.lists import answer_detail
from orders.contact import second_form
from orders.detail import detail_context, find_order
from orders.models import Order, StaffMemo
from orders.views.reveal import Clear, Reveal

SHOWN = ["buyer", "recipient", "phone", "address", "note", "depositor", "memo"]


class OrderDetailView(PermissionRequired):
    """주문 상세: fragment for the slide-over, full page otherwise; both from the same panels."""

    permission = "orders.view"

    def get(self, request: HttpRequest, number: str) -> HttpResponse:
        context = detail_context(request, find_order(number), at=timezone.now())
        return answer_detail(request, "orders/_detail.html", "orders/detail.html", context)


class RevealView(Reveal):
    """개인정보 보기 of an order."""

    permission = "orders.reveal"
    template = "orders/panels/revealed.html"

    def clear(self, request: HttpRequest, **where: Any) -> Clear:
        order = find_order(where["number"])
        return Clear("reveal", [order.number], {"fields": SHOWN}, clear_text(order))


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
        "second": second_form(order),
        "safe_end": order.safe_number_end_date,
        "is_over": order.safe_number_end_date is not None and order.safe_number_end_date < kst_date(timezone.now()),
        "memos": [text for text in memos.values_list("text", flat=True) if mask_text(text) != text],
    }
