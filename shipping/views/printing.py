"""송장·출력, 피킹리스트: print batches, their files, one more print, and what a scanned label is worth."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from csp.decorators import csp_exempt
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.clickjacking import xframe_options_sameorigin

from accounts.access import PermissionRequired, staff_of
from accounts.clients import client_of
from accounts.models import AccessAction
from accounts.services import record_access
from core.calendar import short
from core.exceptions import NotFound
from core.settings_registry import get_setting
from core.text import whole_number
from shipping.couriers import courier_name
from shipping.forms.printing import BatchReprintForm
from shipping.models import Paper, PrintBatch, PrintKind
from shipping.services.printing.batches import Place, parts, places
from shipping.services.printing.documents import batch_pdf, batch_zpl, dead_count, is_dead
from shipping.services.printing.labels import SHOPS, print_labels
from shipping.services.printing.scanning import find_label
from shipping.states import ParcelState

PRINT = "shipping.print"
ROWS = 50
AT_ONCE = timedelta(minutes=30)
"""So long who pressed the button opens the file as often as a printer needs; later it is one more print."""
NO_BATCH = "출력 기록을 찾을 수 없습니다. 송장·출력 화면에서 다시 고르세요."
TOO_LATE = (
    "출력한 지 30분이 지났거나 다른 직원이 출력한 송장입니다. 같은 송장을 또 붙이지 않도록 '다시 출력'으로 출력하세요."
)
NOTHING = "다시 출력할 송장을 고르세요."
NO_PART = "없는 파일입니다. 출력 화면에서 다시 고르세요."
LABELS = frozenset({PrintKind.LABEL})
LISTS = frozenset({PrintKind.PICKING, PrintKind.PACKING})


@dataclass(frozen=True, slots=True)
class BatchRow:
    """출력 묶음 한 줄."""

    pk: int
    number: str
    kind: str
    paper: str
    when: str
    who: str
    count: int
    reason: str
    url: str


@dataclass(frozen=True, slots=True)
class ItemRow:
    """출력 항목 한 줄; no personal data."""

    place: str
    parcel_id: int | None
    shipment: str
    order_url: str
    courier: str
    waybill: str
    copy: str
    state: str
    css: str
    is_dead: bool


class BatchListPage(PermissionRequired):
    """출력 기록: the newest batches of some kinds."""

    permission = PRINT
    kinds = LABELS
    title, subtitle, template = "송장 출력", "출력한 송장을 확인하고 다시 출력합니다", "shipping/print_batches.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        before = request.GET.get("before", "")
        found = PrintBatch.objects.filter(kind__in=self.kinds).select_related("created_by").order_by("-pk")
        if before.isascii() and before.isdecimal() and len(before) < 19:
            found = found.filter(pk__lt=int(before))
        rows = [_batch_row(batch) for batch in found[: ROWS + 1]]
        context = {
            "title": self.title,
            "subtitle": self.subtitle,
            "rows": rows[:ROWS],
            "next": rows[ROWS - 1].pk if len(rows) > ROWS else 0,
        }
        return render(request, self.template, context | self.more(request))

    def more(self, request: HttpRequest) -> dict[str, Any]:
        """Further context."""
        return {}


class WaybillsPage(BatchListPage):
    """송장·출력: batches of labels, and the box that tells what a label is worth."""

    def more(self, request: HttpRequest) -> dict[str, Any]:
        code = request.GET.get("code", "").strip()[:60]
        own = staff_of(request).prefs.get("label_paper", SHOPS)
        shops = Paper(str(get_setting("label_paper"))).label
        return {"code": code, "found": find_label(code) if code else None, "own_paper": own, "shop_paper": shops}


class PickListPage(BatchListPage):
    """피킹리스트: batches of picking and packing lists."""

    kinds = LISTS
    title, subtitle, template = "피킹리스트", "피킹리스트와 패킹리스트 출력 기록입니다", "shipping/picking.html"


class BatchPage(PermissionRequired):
    """출력 묶음: its files, its labels, and one more print of some of them."""

    permission = PRINT

    def get(self, request: HttpRequest, number: str) -> HttpResponse:
        return self._page(request, _batch(number))

    def post(self, request: HttpRequest, number: str) -> HttpResponse:
        """다시 출력."""
        batch = _batch(number, kinds=LABELS)
        form = BatchReprintForm(request.POST)
        if not form.is_valid():
            return self._page(request, batch, form=form, status=422)
        known = [place.item.parcel_id for place in places(batch, part=_part(request, batch)) if place.item.parcel_id]
        chosen = known if request.POST.get("all") else [pk for pk in known if pk in _ticked(request)]
        if not chosen:
            form.add_error(None, NOTHING)
            return self._page(request, batch, form=form, status=422)
        facts = {name: form.cleaned_data[name] for name in ("paper", "reason", "key")}
        done = print_labels(parcel_ids=chosen, actor=staff_of(request), at=timezone.now(), **facts)
        if done.batch is None:
            form.add_error(None, next(iter(done.outcome.refused.values()), NO_BATCH))
            return self._page(request, batch, form=form, status=422)
        if done.outcome.refused:
            reasons = ", ".join(dict.fromkeys(done.outcome.refused.values()))
            messages.warning(request, f"{len(done.outcome.refused):,}장은 출력하지 않았습니다. {reasons}")
        return redirect("shipping:print_batch", done.batch.number)

    def _page(
        self, request: HttpRequest, batch: PrintBatch, *, form: BatchReprintForm | None = None, status: int = 200
    ) -> HttpResponse:
        is_label = batch.kind == PrintKind.LABEL
        part = _part(request, batch)
        rows = [_item_row(place) for place in places(batch, part=part)]
        context = {
            "title": f"{PrintKind(batch.kind).label} {batch.number}",
            "subtitle": f"{short(batch.created_at)} {_who(batch)}",
            "batch": _batch_row(batch),
            "is_label": is_label,
            "is_fresh": not is_label or _is_fresh(batch, request, at=timezone.now()),
            "files": _files(batch),
            "rows": rows,
            "ticked": _ticked(request),
            "part": part,
            "parts": [(n, f"{first:,}–{last:,}번") for n, first, last in parts(batch)],
            "dead": dead_count(batch) if is_label else 0,
            "form": form or BatchReprintForm(initial={"key": uuid4(), "paper": batch.paper}),
            "too_late": TOO_LATE,
        }
        return render(request, "shipping/print_batch.html", context, status=status)


@method_decorator([csp_exempt(), xframe_options_sameorigin], name="dispatch")
class LabelFile(PermissionRequired):
    """송장 파일: PDF for the browser's own print dialog, ZPL for a thermal printer; every one is logged."""

    permission = PRINT

    def get(self, request: HttpRequest, number: str) -> HttpResponse:
        batch, at = _batch(number, kinds=LABELS), timezone.now()
        if not _is_fresh(batch, request, at=at):
            return render(request, "409.html", {"error_text": TOO_LATE}, status=409)
        part = _part(request, batch)
        if request.GET.get("format") == "zpl":
            content, kind, suffix = batch_zpl(batch, part=part, at=at), "text/plain; charset=us-ascii", "zpl"
        else:
            content, kind, suffix = batch_pdf(batch, part=part, at=at), "application/pdf", "pdf"
        _log(request, batch, at=at, detail={"part": part, "format": suffix})
        return _file(content, kind, name=f"송장 {batch.number}-{part}.{suffix}", is_inline=suffix == "pdf")


@method_decorator(csp_exempt(), name="dispatch")
class ListFile(PermissionRequired):
    """피킹리스트 and 패킹리스트 as PDF, as of now."""

    permission = PRINT

    def get(self, request: HttpRequest, number: str) -> HttpResponse:
        batch, at = _batch(number, kinds=LISTS), timezone.now()
        content = batch_pdf(batch, at=at)
        if batch.kind == PrintKind.PACKING:
            _log(request, batch, at=at, detail={"format": "pdf"})
        name = f"{PrintKind(batch.kind).label} {batch.number}.pdf"
        return _file(content, "application/pdf", name=name, is_inline=True)


def _batch(number: str, *, kinds: frozenset[PrintKind] = LABELS | LISTS) -> PrintBatch:
    found = PrintBatch.objects.select_related("created_by").filter(number=number, kind__in=kinds).first()
    if found is None:
        raise NotFound(NO_BATCH)
    return found


def _ticked(request: HttpRequest) -> set[int]:
    """고른 송장: ids that the form came with."""
    return {pk for text in request.POST.getlist("parcel") if (pk := whole_number(text)) is not None}


def _part(request: HttpRequest, batch: PrintBatch) -> int:
    """파일 번호: that of the address, 1 without one. Raises NotFound."""
    part = request.GET.get("part", "1")
    if part not in {str(n) for n, _, _ in parts(batch)}:
        raise NotFound(NO_PART)
    return int(part)


def _is_fresh(batch: PrintBatch, request: HttpRequest, *, at: datetime) -> bool:
    return batch.created_by_id == staff_of(request).pk and at - batch.created_at < AT_ONCE


def _log(request: HttpRequest, batch: PrintBatch, *, at: datetime, detail: dict[str, Any]) -> None:
    """접속 기록: before the file leaves; it holds addresses."""
    orders = batch.items.order_by("shipment__order_id").values_list("shipment__order__number", flat=True).distinct()
    record_access(
        actor=staff_of(request),
        action=AccessAction.EXPORT,
        at=at,
        client=client_of(request),
        purpose=batch.reason or f"{PrintKind(batch.kind).label} 출력",
        subjects=list(orders),
        row_count=batch.count,
        detail={"print": batch.number, "kind": batch.kind} | detail,
    )


def _file(content: bytes, kind: str, *, name: str, is_inline: bool) -> HttpResponse:
    answer = HttpResponse(content, content_type=kind)
    way = "inline" if is_inline else "attachment"
    answer["Content-Disposition"] = f"{way}; filename*=UTF-8''{quote(name)}"
    answer["Cache-Control"] = "no-store"
    return answer


def _files(batch: PrintBatch) -> list[dict[str, str]]:
    """파일: label and addresses of each part."""
    if batch.kind != PrintKind.LABEL:
        return [{"label": "열기", "pdf": reverse("shipping:picking_file", args=[batch.number]), "zpl": ""}]
    url = reverse("shipping:print_file", args=[batch.number])
    return [
        {"label": f"{first:,}–{last:,}번", "pdf": f"{url}?part={n}", "zpl": f"{url}?part={n}&format=zpl"}
        for n, first, last in parts(batch)
    ]


def _who(batch: PrintBatch) -> str:
    return f"{batch.created_by.display_name} 님" if batch.created_by else "시스템"


def _batch_row(batch: PrintBatch) -> BatchRow:
    return BatchRow(
        pk=batch.pk,
        number=batch.number,
        kind=PrintKind(batch.kind).label,
        paper=Paper(batch.paper).label,
        when=short(batch.created_at),
        who=_who(batch),
        count=batch.count,
        reason=batch.reason,
        url=reverse("shipping:print_batch", args=[batch.number]),
    )


def _item_row(place: Place) -> ItemRow:
    item, parcel = place.item, place.item.parcel
    state = ParcelState(parcel.state) if parcel else None
    return ItemRow(
        place=place.text,
        parcel_id=item.parcel_id,
        shipment=item.shipment.number,
        order_url=reverse("orders:detail", args=[item.shipment.order.number]),
        courier=courier_name(parcel.courier) if parcel else "",
        waybill=parcel.waybill if parcel else "",
        copy=f"재출력 {item.copy - 1}" if item.is_reprint else "",
        state=state.label if state else "",
        css=state.css if state else "",
        is_dead=bool(parcel) and is_dead(place),
    )
