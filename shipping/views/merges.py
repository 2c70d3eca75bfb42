"""합포 제안: groups of shipments that could travel as one; each is merged by its own button (A08)."""

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.access import PermissionRequired
from core.calendar import short
from core.masking import mask_address, mask_name, mask_phone
from shipping.services.merges.finding import Group, groups
from shipping.states import DeliveryMethod

GROUPS = 30


class MergeSuggestions(PermissionRequired):
    """합포 제안."""

    permission = "orders.split"

    def get(self, request: HttpRequest) -> HttpResponse:
        found = groups()
        page = Paginator(found, GROUPS).get_page(request.GET.get("page"))
        context = {
            "title": "합포 제안",
            "subtitle": "받는 분, 연락처, 주소와 배송방법이 모두 같은 배송건입니다",
            "total": len(found),
            "groups": [_shown(one) for one in page],
            "all_rows": ",".join(_rows(one) for one in page),
            "page": page,
        }
        return render(request, "shipping/merges.html", context)


class MergeableCount(PermissionRequired):
    """합포 가능 묶음 수, as text: the list of 배송준비중 asks for it beside the button that leads here."""

    permission = MergeSuggestions.permission

    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(f"{len(groups()):,}", content_type="text/plain; charset=utf-8")


def _rows(group: Group) -> str:
    return ",".join(f"{row.pk}:{row.version}" for row in group.rows)


def _shown(group: Group) -> dict[str, Any]:
    first = group.rows[0]
    return {
        "rows_value": _rows(group),
        "name": mask_name(first.recipient_name),
        "phone": mask_phone(first.recipient_phone),
        "address": mask_address(f"{first.address1} {first.address2}"),
        "method": DeliveryMethod(first.method).label,
        "number": first.number,
        "count": len(group.rows),
        "has_several_notes": group.has_several_notes,
        "rows": [
            {
                "number": row.number,
                "order": row.order_number,
                "ordered": short(row.ordered_at),
                "lines": row.line_count,
                "note": row.delivery_note,
            }
            for row in group.rows
        ],
    }
