"""내려받은 송장 파일: what went out, how much of it has a number by now, and which shipments still have none."""

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from accounts.access import PermissionRequired
from core.calendar import short
from core.masking import mask_name
from shipping.models import Shipment, ShipmentStep, WaybillFileBatch
from shipping.services.files.batches import Returned, returned, shipments_of

PERMISSION = "shipping.register_waybill"
ROWS = 50
UNKNOWN = "내려받은 파일을 찾을 수 없습니다."
SHOWN = {"missing": "빠진 배송건", "back": "돌아온 배송건", "gone": "기다리지 않는 배송건", "all": "전체"}


class FileBatches(PermissionRequired):
    """내려받은 송장 파일 목록, newest first."""

    permission = PERMISSION

    def get(self, request: HttpRequest) -> HttpResponse:
        batches = WaybillFileBatch.objects.select_related("actor").order_by("-at", "-pk")
        page = Paginator(batches, ROWS).get_page(request.GET.get("page"))
        counts = returned([one.pk for one in page])
        context = {
            "title": "내려받은 송장 파일",
            "subtitle": "택배사에 보낸 파일마다 송장번호가 얼마나 돌아왔는지 봅니다",
            "rows": [_facts(one, counts[one.pk]) for one in page],
            "page": page,
        }
        return render(request, "shipping/file_batches.html", context)


class FileBatch(PermissionRequired):
    """내려받은 송장 파일 하나: its shipments that are back, missing, or wait no more."""

    permission = PERMISSION

    def get(self, request: HttpRequest, key: str) -> HttpResponse:
        batch = WaybillFileBatch.objects.select_related("actor").filter(key=key).first()
        if batch is None:
            return render(request, "404.html", {"error_text": UNKNOWN}, status=404)
        found = returned([batch.pk])[batch.pk]
        show = request.GET.get("show", "missing" if found.missing else "all")
        show = show if show in SHOWN else "all"
        numbers = {"missing": found.missing, "back": found.back, "gone": found.gone, "all": found.total}
        page = Paginator(shipments_of(batch, show=show), ROWS).get_page(request.GET.get("page"))
        context = {
            "title": f"내려받기 {batch.key}",
            "subtitle": f"{batch.template_name} · {short(batch.at)}",
            "batch": _facts(batch, found),
            "text": found.sentence,
            "tabs": [
                {"key": each, "label": label, "number": numbers[each], "current": each == show}
                for each, label in SHOWN.items()
            ],
            "show": show,
            "rows": [_row(one) for one in page],
            "page": page,
            "list_url": f"{reverse('shipping:ready')}?period=all&tab=no-waybill&file={batch.key}",
        }
        return render(request, "shipping/file_batch.html", context)


def _facts(batch: WaybillFileBatch, found: Returned) -> dict[str, Any]:
    return {
        "key": batch.key,
        "template": batch.template_name,
        "who": batch.actor.display_name if batch.actor else "",
        "at": short(batch.at),
        "reason": batch.reason,
        "total": found.total,
        "back": found.back,
        "missing": found.missing,
        "gone": found.gone,
    }


def _row(shipment: Shipment) -> dict[str, Any]:
    holder = shipment.merged_into or shipment
    return {
        "number": shipment.number,
        "order": shipment.order.number,
        "recipient": mask_name(shipment.order.recipient_name),
        "waybill": holder.waybill,
        "step": ShipmentStep(holder.step).label,
        "into": holder.number if holder.pk != shipment.pk else "",
    }
