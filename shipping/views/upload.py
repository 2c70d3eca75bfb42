"""송장 엑셀 올리기: choose a file, say which column is what, look at every row, apply (ux.md 3.3)."""

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from accounts.access import staff_of
from accounts.file_pages import FilePage, FilePreview, gone
from accounts.models import User
from core.excel import Table
from core.excel.cleaning import clean_text
from core.jobs import held, previews
from core.jobs.held import HeldFile
from core.jobs.uploads import exclude_rows
from core.models import Job, JobItem
from core.settings_registry import get_setting
from shipping.columns.shipments import courier_choices
from shipping.excel import mending
from shipping.forms.files import WaybillFileForm
from shipping.services.files.layouts import forget_layout
from shipping.uploads import WaybillUpload, chosen_rows, keep_choices, rows_for_all, with_boxes
from shipping.views.columns import ask_again, layout_id, map_columns, open_known, read_unknown
from shipping.views.preview import SHOWN, PreviewRow, facts_of, row_of

PERMISSION = "shipping.register_waybill"
COURIER, NUMBER = "mend-courier-", "mend-number-"
"""Names of the fields of a wrong row, before its number."""


class WaybillUploadPage(FilePage):
    """송장 엑셀 올리기: by the names of the columns, else as remembered of the sender, else the person is asked."""

    permission = PERMISSION
    title = "송장 엑셀 올리기"
    template, address, preview = "shipping/upload.html", "shipping:waybill_upload", "shipping:waybill_preview"

    def chosen(self, cleaned: Mapping[str, Any]) -> dict[str, Any]:
        return {name: cleaned[name] for name in ("courier", "ship", "whole")}

    def further(self) -> dict[str, Any]:
        return {"cancel_url": reverse("shipping:ready")}

    def form(self, *sent: Any) -> WaybillFileForm:
        return WaybillFileForm(*sent, couriers=courier_choices(), default=get_setting("default_courier"))

    def take(self, cleaned: Mapping[str, Any], staff: User) -> HeldFile:
        if cleaned["file"] or cleaned["held"]:
            return super().take(cleaned, staff)
        return held.hold(content=_pasted(cleaned["text"]), name="붙여넣기.csv", actor=staff)

    def open(
        self, request: HttpRequest, table: Table, content: bytes, options: Mapping[str, Any], *, is_locked: bool
    ) -> HttpResponse:
        known = open_known(request, table, content, options=options)
        return known or read_unknown(request, table, content, options, is_locked=is_locked)

    def post(self, request: HttpRequest) -> HttpResponse:
        if "stored" in request.POST:
            return map_columns(request) or gone(request)
        return super().post(request)


class WaybillPreview(FilePreview):
    """송장 파일 미리보기: nothing is changed until a person confirms; any colleague with the right may."""

    permission = PERMISSION
    title, upload_name = "송장 파일", WaybillUpload.name
    shown = SHOWN
    template, page = "shipping/preview.html", WaybillUploadPage

    def row(self, item: JobItem, *, is_open: bool) -> PreviewRow:
        return row_of(item, is_open=is_open, couriers=self.couriers if is_open else ())

    @cached_property
    def couriers(self) -> list[tuple[str, str]]:
        """쓰는 택배사; one query for a screen."""
        return courier_choices()

    def further(self, job: Job) -> dict[str, Any]:
        return facts_of(job)

    def other(self, request: HttpRequest, job: Job) -> HttpResponse | None:
        pressed = _numbers([request.POST.get("mend", "")])
        if typed := mending.to_judge(job, _typed(request), pressed=pressed):
            # Whatever was pressed: what a person typed is looked at before anything is applied.
            self._keep(request, job)
            done = mending.mend_rows(job_id=job.pk, typed=typed, actor=staff_of(request))
            messages.success(request, _told(done))
            return redirect(f"{request.get_full_path()}#row-{min(typed)}")
        if "mend" in request.POST:
            self._keep(request, job)
        elif "forget" in request.POST:
            forget_layout(layout_id=layout_id(job))
        elif "columns" in request.POST:
            return ask_again(request, job)
        elif request.POST.get("exclude"):
            previews.require_open(job)
            self._keep(request, job)
            exclude_rows(job=job, row_numbers=with_boxes(job, _numbers([request.POST["exclude"]])))
        elif "more" in request.POST:
            self._keep(request, job)
            return redirect(f"{request.path}?{urlencode({'show': _shown(request), 'after': request.POST['more']})}")
        else:
            return None
        return redirect(request.get_full_path())

    def _keep(self, request: HttpRequest, job: Job) -> None:
        """What is ticked on this screen stays while the person looks at the next rows."""
        sent = request.POST.getlist
        keep_choices(
            job_id=job.pk, shown=_numbers(sent("asked")), ticked=_numbers(sent("tick")), picks=_picks(sent("pick"))
        )

    def choices(self, request: HttpRequest, job: Job) -> dict[str, Any]:
        self._keep(request, job)
        ticked = chosen_rows(job)
        if "all" in request.POST:
            # One tick for all agrees to overwrite numbers; whatever needs a look of its own keeps its own tick.
            ticked |= rows_for_all(job)
        return {"ticked": ticked, "is_quiet": "quiet" in request.POST}


def _typed(request: HttpRequest) -> dict[int, mending.Typed]:
    """고친 값 by row, as the fields of the screen have them, cleaned like the cells of a file."""
    rows = [name.removeprefix(NUMBER) for name in request.POST if name.startswith(NUMBER)]

    def said(name: str) -> str:
        return clean_text(request.POST.get(name, "")).strip()

    return {row: mending.Typed(said(f"{COURIER}{row}"), said(f"{NUMBER}{row}")) for row in _numbers(rows)}


def _told(done: mending.Mended) -> str:
    good = f" {done.good:,}건은 오류가 없어졌습니다." if done.good else ""
    return f"고친 행을 다시 확인했습니다.{good}" + (f" {done.bad:,}건은 아직 오류가 있습니다." if done.bad else "")


def _pasted(text: str) -> bytes:
    """A pasted range as a text table, with our header where it has none."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not any(mark in line for line in lines for mark in "\t,;"):
        # One column that names both, as the cells of the list take it: "D-20260921-0000017-00 680000000011".
        lines = [re.sub(r"\s+", "\t", line.strip(), count=1) for line in lines]
    if not re.search(r"송장|운송장|주문번호|배송번호", lines[0]):
        lines.insert(0, "배송번호\t송장번호" if lines[0].count("\t") < 2 else "배송번호\t택배사\t송장번호")
    return "\n".join(lines).encode()


def _numbers(values: Iterable[str]) -> list[int]:
    return [int(value) for value in values if value.isascii() and value.isdecimal() and len(value) < 9]


def _shown(request: HttpRequest) -> str:
    return request.GET.get("show", "all")


def _picks(values: Iterable[str]) -> dict[int, int | None]:
    """고른 배송건 of rows without a key, "row-shipment"; "row-" is a row that the person left open."""
    pairs = [value.split("-") for value in values if value.count("-") == 1]
    return {int(row): int(pk) if pk else None for row, pk in pairs if _is_number(row) and (not pk or _is_number(pk))}


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19
