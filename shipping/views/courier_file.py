"""송장 양식 내려받기: for the rows of 배송준비중 or for chosen ones; the reason is kept before the file leaves."""

import tempfile
from datetime import datetime
from typing import Any

from django.db import transaction
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone

from accounts.access import PermissionRequired, staff_of
from accounts.clients import client_of
from accounts.models import AccessAction
from accounts.services import record_access
from core.exceptions import DomainError, NotFound
from core.korean import josa
from core.lists import lists
from core.lists.query import ListQuery
from core.views.downloads import XLSX, as_download
from orders.models import OrderLine
from shipping.excel.courier_file import MOST, courier_file, sendable
from shipping.forms.files import CourierFileForm
from shipping.models import ExcelTemplate
from shipping.services.files import batches

NOTHING = "내려받을 배송건이 없습니다. 조건을 바꾸거나 배송건을 다시 선택하세요."
TOO_MANY = f"한 번에 {MOST:,}건까지 내려받을 수 있습니다. 조건을 좁히거나 나누어 선택하세요."


class CourierFileView(PermissionRequired):
    """송장 양식 내려받기."""

    permission = "shipping.export_waybill"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        return self._guarded(request)

    def post(self, request: HttpRequest) -> HttpResponseBase:
        return self._guarded(request)

    def _guarded(self, request: HttpRequest) -> HttpResponseBase:
        at = timezone.now()
        try:
            query = lists.page("ready").query(request.GET, user=staff_of(request), at=at)
            query.require_valid()
            return _answer(request, query, at=at)
        except DomainError as error:
            status = error.status if error.status in {400, 403, 404, 409} else 400
            return render(request, f"{status}.html", {"error_text": error.message}, status=error.status)


def _answer(request: HttpRequest, query: ListQuery, *, at: datetime) -> HttpResponseBase:
    chosen = _chosen(request.POST.get("ids", ""))
    ids = _ids(query, chosen)
    good, left_out = sendable(ids)
    templates = list(ExcelTemplate.objects.order_by("-is_default", "name", "pk").values_list("pk", "name"))
    choices = [(str(pk), name) for pk, name in templates]
    is_asked = "reason" in request.POST
    values = request.POST if is_asked else None
    form = CourierFileForm(values, templates=choices, initial={"ids": ",".join(map(str, chosen or []))})
    if len(ids) > MOST:
        form.full_clean() if is_asked else None
        return _page(request, query, form, good, left_out, problem=TOO_MANY)
    if not is_asked or not form.is_valid() or not good:
        return _page(request, query, form, good, left_out, problem="" if good else NOTHING)
    template = ExcelTemplate.objects.filter(pk=int(form.cleaned_data["template"])).first()
    if template is None:  # deleted a moment ago
        raise NotFound("엑셀 양식을 찾을 수 없습니다. 다른 양식을 고르세요.")
    return _file(request, query, template, good, reason=form.cleaned_data["reason"], at=at)


def _chosen(text: str) -> list[int] | None:
    """Ids of a selection, None when the whole list is meant."""
    parts = [part for part in text.split(",") if part]
    if not parts:
        return None
    if not all(part.isascii() and part.isdecimal() and len(part) < 19 for part in parts):
        raise DomainError("선택한 행을 알아볼 수 없습니다. 목록을 새로 고친 뒤 다시 선택하세요.")
    return [int(part) for part in parts]


def _ids(query: ListQuery, chosen: list[int] | None) -> list[int]:
    """Shipments in the order of the list; one more than may be taken, to tell that there are too many."""
    rows = query.page.base().filter(pk__in=chosen) if chosen is not None else query.queryset()
    return list(rows.order_by(*query.sort.order_by()).values_list("pk", flat=True)[: MOST + 1])


def _page(
    request: HttpRequest, query: ListQuery, form: CourierFileForm, good: list[int], left_out: dict[str, int], *,
    problem: str,
) -> HttpResponse:  # fmt: skip
    out = ", ".join(f"{reason} {number:,}건" for reason, number in left_out.items())
    intro = problem or f"배송건 {josa(f'{len(good):,}건', '을/를')} 내려받습니다."
    if out and not problem:
        intro += f" {sum(left_out.values()):,}건은 제외합니다. ({out})"
    context = {
        "title": "송장 양식 내려받기",
        "form": form,
        "action_url": request.get_full_path(),
        "submit_label": "내려받기",
        "cancel_url": query.url(),
        "intro": intro,
    }
    return render(
        request,
        "generic/form.html",
        context,
        status=422 if form.is_bound or (problem and request.method == "POST") else 200,
    )


def _file(
    request: HttpRequest, query: ListQuery, template: ExcelTemplate, ids: list[int], *, reason: str, at: datetime
) -> HttpResponseBase:
    batch = batches.next_key(at=at)
    # A file on disk instead of a stream: an error in the last row is an answer, not half a workbook.
    file: Any = tempfile.TemporaryFile()  # noqa: SIM115 - the response closes it
    file.writelines(courier_file(template, ids, batch=batch))
    held = OrderLine.objects.filter(shipment_items__shipment__in=ids, shipment_items__is_live=True)
    orders = held.order_by("order_id").distinct().values_list("order__number", flat=True)
    actor = staff_of(request)
    with transaction.atomic():
        batches.record_download(key=batch, template=template, shipment_ids=ids, actor=actor, at=at, reason=reason)
        record_access(
            actor=actor,
            action=AccessAction.EXPORT,
            at=at,
            client=client_of(request),
            purpose=reason,
            subjects=list(orders),
            row_count=len(ids),
            detail={"template": template.name, "batch": batch, "query": query.text_in_full},
        )
    file.seek(0)
    name = f"송장 {template.name} {batch}.xlsx"
    return as_download(FileResponse(file, content_type=XLSX), name, plain="waybills.xlsx")
