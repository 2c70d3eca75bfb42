"""재고 파일 올리기: choose a file, look at every row, apply, take the refused rows back."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from accounts.access import PermissionRequired, staff_of
from core.exceptions import DomainError
from core.jobs import held, previews, runner, start
from core.jobs.uploads import UploadCounts, open_upload, upload_counts
from core.models import ItemResult, Job, JobItem, JobKind, JobState
from core.views.lists import XLSX
from products.forms import StockFileForm
from products.uploads import StockUpload

ROWS = 100
UPLOAD = StockUpload()
SHOWN = {
    "all": ("전체", Q()),
    "ready": ("반영 가능", Q(result=ItemResult.PENDING)),
    "error": ("오류", Q(result=ItemResult.REFUSED) & ~Q(data__contains={"same": True})),
    "same": ("변화 없음", Q(result=ItemResult.REFUSED, data__contains={"same": True})),
}


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """미리보기 한 행."""

    number: int
    sku: str
    name: str
    now: str
    on_hand: str
    reason: str
    verdict: str
    css: str


class StockUploadPage(PermissionRequired):
    """재고 파일 올리기."""

    permission = "products.adjust_stock"

    def get(self, request: HttpRequest) -> HttpResponse:
        return _form_page(request, StockFileForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = StockFileForm(request.POST, request.FILES)
        if not form.is_valid():
            return _form_page(request, form, status=422)
        data, staff = form.cleaned_data, staff_of(request)
        file, sheets = None, []
        try:
            file = held.take(upload=data["file"], token=data["held"], actor=staff)
            table, asks = held.read(file.content, name=file.name, password=data["password"], sheet=data["sheet"])
            sheets = table.sheets
            if asks:
                return _form_page(request, form.again(file, sheets=sheets))
            part = table.sheet if len(sheets) > 1 else ""
            job = open_upload(
                upload=StockUpload(table),
                actor=staff,
                file_name=file.name,
                content=[file.content],
                at=timezone.now(),
                options={"reason": data["reason"], "sheet": part},
                part=part,
            )
        except DomainError as error:
            return _form_page(request, form.refused(error, file, sheets=sheets), status=error.status)
        held.drop(file)
        return redirect("products:stock_preview", uuid=job.uuid)


class StockPreview(PermissionRequired):
    """재고 파일 미리보기: every row with its verdict; nothing has been changed yet."""

    permission = "products.adjust_stock"

    def get(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        job = _job(uuid)
        return _gone(request) if job is None else _preview(request, job)

    def post(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        job = _job(uuid)
        if job is None:
            return _gone(request)
        try:
            if "discard" in request.POST:
                previews.discard(job_id=job.pk, actor=staff_of(request), at=timezone.now())
                return redirect("products:stock_upload")
            lease = start.confirm(job_id=job.pk, actor=staff_of(request), at=timezone.now())
        except DomainError as error:
            return _preview(request, _job(uuid) or job, error=error.message, status=error.status)
        if lease is not None:
            runner.run(lease, patient=False)
        return redirect("products:stock_preview", uuid=job.uuid)


class StockErrors(PermissionRequired):
    """오류 행만 엑셀로 받기."""

    permission = "products.adjust_stock"

    def get(self, request: HttpRequest, uuid: UUID) -> HttpResponseBase:
        job = _job(uuid)
        if job is None:
            return _gone(request)
        answer = StreamingHttpResponse(UPLOAD.error_file(job), content_type=XLSX)
        name = quote(f"오류 {job.file_name.rpartition('.')[0]}.xlsx")
        answer["Content-Disposition"] = f"attachment; filename=\"errors.xlsx\"; filename*=UTF-8''{name}"
        answer["Content-Encoding"] = "identity"
        return answer


def _job(uuid: UUID) -> Job | None:
    return Job.objects.select_related("actor").filter(uuid=uuid, kind=JobKind.UPLOAD, act=UPLOAD.name).first()


def _gone(request: HttpRequest) -> HttpResponse:
    text = "올린 파일을 찾을 수 없습니다. 파일을 다시 올려 주세요."
    return render(request, "404.html", {"error_text": text}, status=404)


def _form_page(request: HttpRequest, form: StockFileForm, *, status: int = 200, error: str = "") -> HttpResponse:
    context = {
        "error_text": error,
        "title": "재고 파일 올리기",
        "form": form,
        "submit_label": "미리보기",
        "is_held": bool(form.data.get("held")),
        "cancel_url": reverse("products:products"),
    }
    return render(request, "products/upload.html", context, status=status)


def _preview(request: HttpRequest, job: Job, *, error: str = "", status: int = 200) -> HttpResponse:
    if thrown_away := previews.thrown_away(job):
        return _form_page(request, StockFileForm(), status=404 if status == 200 else status, error=thrown_away)
    counts = upload_counts(job)
    show = request.GET.get("show", "all")
    if show not in SHOWN:
        show = "all"
    after = request.GET.get("after", "0")
    last = int(after) if after.isascii() and after.isdecimal() and len(after) < 10 else 0
    rows = JobItem.objects.filter(SHOWN[show][1], job=job, row_number__gt=last).order_by("row_number")
    found = _rows(rows)
    is_open = job.state == JobState.PREVIEW
    context = {
        "title": "재고 파일 미리보기" if is_open else "재고 파일 결과",
        "job": job,
        "is_open": is_open,
        "is_running": job.is_open,
        "counts": _counters(counts, show) if is_open else [],
        "ready": counts.ready,
        "errors": counts.error,
        "rows": found[:ROWS],
        "show": show,
        "next": found[ROWS - 1].number if len(found) > ROWS else 0,
        "error": error,
    }
    return render(request, "products/preview.html", context, status=status)


def _counters(counts: UploadCounts, show: str) -> list[dict[str, Any]]:
    numbers = {"all": counts.total, "ready": counts.ready, "error": counts.error, "same": counts.same}
    return [
        {"key": key, "label": label, "number": numbers[key], "current": key == show}
        for key, (label, _) in SHOWN.items()
    ]


def _rows(items: QuerySet[JobItem]) -> list[PreviewRow]:
    return [_row(item) for item in items[: ROWS + 1]]


def _row(item: JobItem) -> PreviewRow:
    data = item.data or {}
    now, on_hand = data.get("now"), data.get("on_hand", "")
    is_same = bool(data.get("same"))
    refused = item.result == ItemResult.REFUSED and not is_same
    return PreviewRow(
        number=item.row_number or 0,
        sku=str(data.get("sku", "")),
        name=str(data.get("name", "")),
        now="" if now is None else f"{now:,}",
        on_hand=f"{on_hand:,}" if isinstance(on_hand, int) else str(on_hand or ""),
        reason=str(data.get("reason", "")),
        verdict=item.reason or ("반영함" if item.result == ItemResult.OK else "반영 가능"),
        css="bad" if refused else "",
    )
