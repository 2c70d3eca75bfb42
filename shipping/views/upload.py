"""송장 엑셀 올리기: choose a file, say which column is what, look at every row, apply (ux.md 3.3)."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from accounts.access import PermissionRequired
from accounts.file_pages import FilePreview, gone, sent_file
from core.excel import FileProblem
from core.exceptions import DomainError
from core.jobs.uploads import exclude_rows
from core.models import Job, JobItem
from core.settings_registry import get_setting
from shipping.columns import courier_choices
from shipping.forms import WaybillFileForm
from shipping.pages import UPLOAD_URL
from shipping.services.layouts import forget_layout
from shipping.uploads import WaybillUpload
from shipping.views.columns import ask_again, layout_id, map_columns, open_preview, read_unknown
from shipping.views.preview import SHOWN, PreviewRow, facts_of, row_of

PERMISSION = "shipping.register_waybill"


class WaybillUploadPage(PermissionRequired):
    """송장 엑셀 올리기."""

    permission = PERMISSION

    def get(self, request: HttpRequest) -> HttpResponse:
        return _form_page(request, _form())

    def post(self, request: HttpRequest) -> HttpResponse:
        if "stored" in request.POST:
            return map_columns(request) or gone(request)
        form = _form(request.POST, request.FILES)
        if not form.is_valid():
            return _form_page(request, form, status=422)
        cleaned = form.cleaned_data
        options = {name: cleaned[name] for name in ("courier", "ship", "whole")}
        try:
            name, content = _content(cleaned)
            return _read(request, name, content, options, password=cleaned["password"])
        except FileProblem as problem:
            form.add_error("password" if "password" in problem.code else "file", problem.message)
            return _form_page(request, form, status=422)
        except DomainError as error:
            form.add_error("file", error.message)
            return _form_page(request, form, status=error.status)


class WaybillPreview(FilePreview):
    """송장 파일 미리보기: nothing is changed until a person confirms; any colleague with the right may."""

    permission = PERMISSION
    title, upload_name = "송장 파일", WaybillUpload.name
    shown = SHOWN
    template, page, preview = "shipping/preview.html", UPLOAD_URL, "shipping:waybill_preview"

    def row(self, item: JobItem, *, is_open: bool) -> PreviewRow:
        return row_of(item, is_open=is_open)

    def further(self, job: Job) -> dict[str, Any]:
        return facts_of(job)

    def other(self, request: HttpRequest, job: Job) -> HttpResponse | None:
        if "forget" in request.POST:
            forget_layout(layout_id=layout_id(job))
        elif "columns" in request.POST:
            return ask_again(request, job)
        elif request.POST.get("exclude"):
            exclude_rows(job=job, row_numbers=_numbers([request.POST["exclude"]]))
        else:
            return None
        return redirect(request.get_full_path())

    def choices(self, request: HttpRequest) -> dict[str, Any]:
        ticked = None if "all" in request.POST else _numbers(request.POST.getlist("tick"))
        return {"ticked": ticked, "is_quiet": "quiet" in request.POST}


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
        return sent_file(file)
    lines = [line for line in cleaned["text"].splitlines() if line.strip()]
    if not re.search(r"송장|운송장|주문번호|배송번호", lines[0]):
        lines.insert(0, "배송번호\t송장번호" if lines[0].count("\t") < 2 else "배송번호\t택배사\t송장번호")
    return "붙여넣기.csv", "\n".join(lines).encode()


def _read(
    request: HttpRequest, name: str, content: bytes, options: Mapping[str, Any], *, password: str
) -> HttpResponse:
    """읽기: by the names of the columns, else as remembered of the sender, else the person is asked."""
    try:
        return open_preview(request, name, content, options=options, password=password)
    except FileProblem as problem:
        if problem.code != "file_no_header":
            raise
    return read_unknown(request, name, content, options, password=password)


def _numbers(values: Iterable[str]) -> list[int]:
    return [int(value) for value in values if value.isascii() and value.isdecimal() and len(value) < 9]
