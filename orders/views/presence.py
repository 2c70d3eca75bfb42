"""보고 있는 사람: who else has this order open, asked by the open page itself."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from accounts.access import PermissionRequired, staff_of
from core import presence
from core.jobs.history import changed_orders, since_the_screen
from core.presence import Viewer
from orders.models import Order


class PresenceView(PermissionRequired):
    """보고 있는 사람: a heartbeat of the person, the names of the others, and who changed what is shown; writes no row.

    `version` is that of the order on the page; without it nothing is said about changes.
    """

    permission = "orders.view"

    def get(self, request: HttpRequest, number: str) -> HttpResponse:
        order = Order.objects.filter(number=number).only("pk", "number", "version").first()
        if order is None:
            raise Http404
        person = staff_of(request)
        me = Viewer(person.pk, person.display_name, is_editing="editing" in request.GET)
        others = presence.beat(subject=f"order:{order.pk}", viewer=me, at=timezone.now())
        context = {"order": order, "sentence": sentence(others), "changed": _changed(order, request.GET.get("version"))}
        return render(request, "orders/_presence.html", context)


def _changed(order: Order, shown: str | None) -> str:
    if shown is None or shown == str(order.version):
        return ""
    return changed_orders(Order, {order.pk: order.pk}, since_the_screen)[order.pk]


def sentence(others: list[Viewer]) -> str:
    """보고 있는 사람 in words: who types comes before who looks, the latest first."""
    parts = []
    for verb, is_editing in (("수정 중입니다", True), ("보고 있습니다", False)):
        names = list(dict.fromkeys(one.name for one in reversed(others) if one.is_editing == is_editing))
        if names:
            more = f" 외 {len(names) - 3}명이" if len(names) > 3 else "이"
            parts.append(f"{', '.join(f'{name} 님' for name in names[:3])}{more} {verb}")
    return " · ".join(parts)
