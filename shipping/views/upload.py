"""송장 엑셀 올리기: choose a file, say which column is what, look at every row, apply (ux.md 3.3)."""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from accounts.access import PermissionRequired, staff_of
from core.excel import FileProblem, Table
from core.exceptions import DomainError
from core.jobs import held, previews, runner, start
from core.jobs.uploads import exclude_rows
from core.models import Job, JobKind, JobState
from core.settings_registry import get_setting
from shipping.columns import courier_choices
from shipping.forms import WaybillFileForm
from shipping.pages import UPLOAD_URL
from shipping.services.layouts import forget_layout
from shipping.uploads import WaybillUpload
from shipping.views.columns import ask_again, layout_id, map_columns, open_preview, read_unknown
from shipping.views.preview import preview_context

PERMISSION = "shipping.register_waybill"
GONE = "올린 파일을 찾을 수 없습니다. 파일을 다시 올려 주세요."


class WaybillUploadPage(PermissionRequired):
    """송장 엑셀 올리기."""

    permission = PERMISSION

    def get(self, request: HttpRequest) -> HttpResponse:
        return _form_page(request, _form())

    def post(self, request: HttpRequest) -> HttpResponse:
        if "stored" in request.POST:
            return map_columns(request) or _gone(request)
        form = _form(request.POST, request.FILES)
        if not form.is_valid():
            return _form_page(request, form, status=422)
        data = form.cleaned_data
        options = {name: data[name] for name in ("courier", "ship", "whole")}
        file, sheets = None, []
        try:
            if data["file"] or data["held"]:
                file = held.take(upload=data["file"], token=data["held"], actor=staff_of(request))
            name, content = (file.name, file.content) if file else ("붙여넣기.csv", _pasted(data["text"]))
            table, asks = held.read(content, name=name, password=data["password"], sheet=data["sheet"])
            sheets = table.sheets
            if asks:
                return _form_page(request, form.again(file, sheets=sheets))
            options["sheet"] = table.sheet if len(sheets) > 1 else ""
            answer = _read(request, table, content, options, is_locked=bool(data["password"]))
        except DomainError as error:
            return _form_page(request, form.refused(error, file, sheets=sheets), status=error.status)
        if file is not None:
            held.drop(file)
        return answer


class WaybillPreview(PermissionRequired):
    """송장 파일 미리보기: nothing is changed until a person confirms; any colleague with the right may."""

    permission = PERMISSION

    def get(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        job = _job(uuid)
        return _gone(request) if job is None else _preview(request, job)

    def post(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        job = _job(uuid)
        if job is None:
            return _gone(request)
        actor, at = staff_of(request), timezone.now()
        try:
            if "discard" in request.POST:
                previews.discard(job_id=job.pk, actor=actor, at=at)
                return redirect(UPLOAD_URL)
            if "forget" in request.POST:
                forget_layout(layout_id=layout_id(job))
                return redirect(request.get_full_path())
            if "columns" in request.POST:
                return ask_again(request, job)
            if request.POST.get("exclude"):
                previews.require_open(job)
                exclude_rows(job=job, row_numbers=_numbers([request.POST["exclude"]]))
                return redirect(request.get_full_path())
            ticked = None if "all" in request.POST else _numbers(request.POST.getlist("tick"))
            quiet = "quiet" in request.POST
            lease = start.confirm(job_id=job.pk, actor=actor, at=at, ticked=ticked, is_quiet=quiet)
        except DomainError as error:
            return _preview(request, _job(uuid) or job, error=error.message, status=error.status)
        if lease is not None:
            runner.run(lease, patient=False)
        return redirect("shipping:waybill_preview", uuid=job.uuid)


def _form(*args: Any) -> WaybillFileForm:
    return WaybillFileForm(*args, couriers=courier_choices(), default=get_setting("default_courier"))


def _form_page(request: HttpRequest, form: WaybillFileForm, *, status: int = 200, error: str = "") -> HttpResponse:
    context = {
        "error_text": error,
        "title": "송장 엑셀 올리기",
        "form": form,
        "action_url": UPLOAD_URL,
        "submit_label": "미리보기",
        "is_held": bool(form.data.get("held")),
        "cancel_url": reverse("shipping:ready"),
    }
    return render(request, "shipping/upload.html", context, status=status)


def _pasted(text: str) -> bytes:
    """A pasted range as a text table, with our header where it has none."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not re.search(r"송장|운송장|주문번호|배송번호", lines[0]):
        lines.insert(0, "배송번호\t송장번호" if lines[0].count("\t") < 2 else "배송번호\t택배사\t송장번호")
    return "\n".join(lines).encode()


def _read(
    request: HttpRequest, table: Table, content: bytes, options: Mapping[str, Any], *, is_locked: bool
) -> HttpResponse:
    """읽기: by the names of the columns, else as remembered of the sender, else the person is asked."""
    try:
        return open_preview(request, table, content, options=options)
    except FileProblem as problem:
        if problem.code != "file_no_header":
            raise
    return read_unknown(request, table, content, options, is_locked=is_locked)


def _job(uuid: UUID) -> Job | None:
    rows = Job.objects.select_related("actor").filter(uuid=uuid, kind=JobKind.UPLOAD, act=WaybillUpload.name)
    return rows.first()


def _gone(request: HttpRequest) -> HttpResponse:
    return render(request, "404.html", {"error_text": GONE}, status=404)


def _numbers(values: Iterable[str]) -> list[int]:
    return [int(value) for value in values if value.isascii() and value.isdecimal() and len(value) < 9]


def _preview(request: HttpRequest, job: Job, *, error: str = "", status: int = 200) -> HttpResponse:
    if thrown_away := previews.thrown_away(job):
        return _form_page(request, _form(), status=404 if status == 200 else status, error=thrown_away)
    context = preview_context(job, show=request.GET.get("show", "all"), after=request.GET.get("after", "0"))
    title = "송장 파일 미리보기" if job.state == JobState.PREVIEW else "송장 파일 결과"
    return render(request, "shipping/preview.html", context | {"title": title, "error": error}, status=status)
