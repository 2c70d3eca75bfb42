"""송장 엑셀 올리기: choose a file, say which column is what, look at every row, apply (ux.md 3.3)."""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.core.signing import BadSignature, dumps, loads
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from accounts.access import PermissionRequired, staff_of
from core.excel import FileProblem, clean_name, read_table
from core.excel.limits import MAX_BYTES
from core.exceptions import DomainError
from core.jobs import files, runner, start
from core.jobs.uploads import exclude_rows, open_upload
from core.models import Job, JobKind, JobState
from core.settings_registry import get_setting
from shipping.columns import courier_choices
from shipping.excel.results import plain_header
from shipping.file_columns import TARGETS
from shipping.forms import ColumnsForm, WaybillFileForm
from shipping.pages import UPLOAD_URL
from shipping.uploads import WaybillUpload
from shipping.views.preview import preview_context

PERMISSION = "shipping.register_waybill"
SALT = "shipping.waybill-file"
LONGEST_WAIT = 24 * 3600
GONE = "올린 파일을 찾을 수 없습니다. 파일을 다시 올려 주세요."
SAMPLE_ROWS = 3


class WaybillUploadPage(PermissionRequired):
    """송장 엑셀 올리기."""

    permission = PERMISSION

    def get(self, request: HttpRequest) -> HttpResponse:
        return _form_page(request, _form())

    def post(self, request: HttpRequest) -> HttpResponse:
        if "stored" in request.POST:
            return _map_columns(request)
        form = _form(request.POST, request.FILES)
        if not form.is_valid():
            return _form_page(request, form, status=422)
        cleaned = form.cleaned_data
        options = {"courier": cleaned["courier"], "ship": cleaned["ship"]}
        try:
            name, content = _content(cleaned)
            return _open(request, name, [content], options=options, password=cleaned["password"])
        except FileProblem as problem:
            if problem.code == "file_no_header":
                return _ask_columns(request, form, name, content, options)
            form.add_error("password" if "password" in problem.code else "file", problem.message)
            return _form_page(request, form, status=422)
        except DomainError as error:
            form.add_error("file", error.message)
            return _form_page(request, form, status=error.status)


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
                start.cancel(job_id=job.pk, actor=actor, at=at)
                return redirect(UPLOAD_URL)
            if request.POST.get("exclude"):
                exclude_rows(job=job, row_numbers=_numbers([request.POST["exclude"]]))
                return redirect(request.get_full_path())
            ticked = None if "all" in request.POST else _numbers(request.POST.getlist("tick"))
            quiet = "quiet" in request.POST
            lease = start.confirm(job_id=job.pk, actor=actor, at=at, ticked=ticked, is_quiet=quiet)
        except DomainError as error:
            return _preview(request, job, error=error.message, status=error.status)
        if lease is not None:
            runner.run(lease, patient=False)
        return redirect("shipping:waybill_preview", uuid=job.uuid)


def _form(*args: Any) -> WaybillFileForm:
    return WaybillFileForm(*args, couriers=courier_choices(), default=get_setting("default_courier"))


def _form_page(request: HttpRequest, form: WaybillFileForm, *, status: int = 200) -> HttpResponse:
    context = {
        "title": "송장 엑셀 올리기",
        "form": form,
        "action_url": UPLOAD_URL,
        "submit_label": "미리보기",
        "cancel_url": reverse("shipping:ready"),
    }
    return render(request, "shipping/upload.html", context, status=status)


def _content(cleaned: Mapping[str, Any]) -> tuple[str, bytes]:
    """Name and bytes of what was sent; a pasted range becomes a text table, with our header where it has none."""
    file = cleaned.get("file")
    if file:
        if file.size > MAX_BYTES:
            raise FileProblem("file_too_large")
        return clean_name(file.name), file.read()
    lines = [line for line in cleaned["text"].splitlines() if line.strip()]
    if not re.search(r"송장|운송장|주문번호|배송번호", lines[0]):
        lines.insert(0, "배송번호\t송장번호" if lines[0].count("\t") < 2 else "배송번호\t택배사\t송장번호")
    return "붙여넣기.csv", "\n".join(lines).encode()


def _open(
    request: HttpRequest, name: str, content: Iterable[bytes], *, options: Mapping[str, Any], password: str = ""
) -> HttpResponse:
    job = open_upload(
        upload=WaybillUpload(password=password),
        actor=staff_of(request),
        file_name=name,
        content=content,
        at=timezone.now(),
        options=options,
    )
    return redirect("shipping:waybill_preview", uuid=job.uuid)


def _ask_columns(
    request: HttpRequest, form: WaybillFileForm, name: str, content: bytes, options: Mapping[str, Any]
) -> HttpResponse:
    """열 맞추기: keep the file and let the person say which column is what."""
    password = form.cleaned_data["password"]
    try:
        plain_header(read_table(content, filename=name, password=password))
    except FileProblem as problem:
        form.add_error("file", problem.message)
        return _form_page(request, form, status=422)
    stored, _ = files.store([content], suffix=".bin")
    token = dumps([stored, name, staff_of(request).pk, dict(options)], salt=SALT)
    return _columns_page(request, token, content, name, password=password)


def _columns_page(
    request: HttpRequest, token: str, content: bytes, name: str, *, password: str, form: ColumnsForm | None = None,
    status: int = 422,
) -> HttpResponse:  # fmt: skip
    table = read_table(content, filename=name, password=password)
    header = plain_header(table)
    start_row = header.index + 1
    context = {
        "title": "열 맞추기",
        "subtitle": name,
        "form": form or ColumnsForm(labels=header.labels, found=_known(header.labels)),
        "action_url": UPLOAD_URL,
        "token": token,
        "has_password": bool(password),
        "labels": header.labels,
        "sample": [
            [("" if cell is None else str(cell)) for cell in row] for row in table.rows[start_row:][:SAMPLE_ROWS]
        ],
        "cancel_url": UPLOAD_URL,
    }
    return render(request, "shipping/columns.html", context, status=status)


def _known(labels: Iterable[str]) -> dict[str, str]:
    """Columns that can be told by their names."""
    return {key: label for key, names in TARGETS.items() for label in labels if label in names}


def _map_columns(request: HttpRequest) -> HttpResponse:
    """열 맞추기 확인: the kept file is read again with the columns that the person chose."""
    token, password = request.POST["stored"], request.POST.get("password", "")
    try:
        stored, name, person, options = loads(token, salt=SALT, max_age=LONGEST_WAIT)
        path = files.path_of(stored) if person == staff_of(request).pk else None
    except (BadSignature, ValueError, TypeError):
        path = None
    if path is None:
        return _gone(request)
    content = path.read_bytes()
    labels = plain_header(read_table(content, filename=name, password=password)).labels
    form = ColumnsForm(request.POST, labels=labels, found={})
    if not form.is_valid():
        return _columns_page(request, token, content, name, password=password, form=form)
    try:
        answer = _open(request, name, [content], options=options | {"columns": form.mapping}, password=password)
    except DomainError as error:
        form.add_error(None, error.message)
        return _columns_page(request, token, content, name, password=password, form=form)
    files.remove(stored)
    return answer


def _job(uuid: UUID) -> Job | None:
    rows = Job.objects.select_related("actor").filter(uuid=uuid, kind=JobKind.UPLOAD, act=WaybillUpload.name)
    return rows.first()


def _gone(request: HttpRequest) -> HttpResponse:
    return render(request, "404.html", {"error_text": GONE}, status=404)


def _numbers(values: Iterable[str]) -> list[int]:
    return [int(value) for value in values if value.isascii() and value.isdecimal() and len(value) < 9]


def _preview(request: HttpRequest, job: Job, *, error: str = "", status: int = 200) -> HttpResponse:
    context = preview_context(job, show=request.GET.get("show", "all"), after=request.GET.get("after", "0"))
    title = "송장 파일 미리보기" if job.state == JobState.PREVIEW else "송장 파일 결과"
    return render(request, "shipping/preview.html", context | {"title": title, "error": error}, status=status)
