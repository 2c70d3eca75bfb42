"""파일 올리기의 두 화면: choose a file, then look at every row before anything is stored.

An upload names its words, its form and its templates, and says what it shows of a row; the rest is here.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts.access import PermissionRequired, staff_of
from accounts.models import User
from core.excel import ASKS_PASSWORD, FileProblem, clean_name, read_table
from core.excel.limits import MAX_BYTES
from core.exceptions import DomainError
from core.jobs import held, runner, start
from core.jobs.uploads import UploadCounts, open_upload, upload_counts
from core.models import ItemResult, Job, JobItem, JobKind, JobState

ROWS = 100
GONE = "올린 파일을 찾을 수 없습니다. 파일을 다시 올려 주세요."
_REFUSED, _SAME = Q(result=ItemResult.REFUSED), Q(data__contains={"same": True})
READY, ERROR, SAME = Q(result=ItemResult.PENDING), _REFUSED & ~_SAME, _REFUSED & _SAME
"""Rows of a preview that can be applied, cannot, and need not, because all of it is there already."""


def upload_job(uuid: UUID, *, name: str) -> Job | None:
    """올린 파일 of an upload, with who sent it."""
    return Job.objects.select_related("actor").filter(uuid=uuid, kind=JobKind.UPLOAD, act=name).first()


def gone(request: HttpRequest) -> HttpResponse:
    """없는 파일."""
    return render(request, "404.html", {"error_text": GONE}, status=404)


def tabs(*, ready: str, same: str) -> dict[str, tuple[str, Q]]:
    """탭 of an upload that asks nothing: the words for rows that can be applied, and for those that are there."""
    return {"all": ("전체", Q()), "ready": (ready, READY), "error": ("오류", ERROR), "same": (same, SAME)}


class FilePage(PermissionRequired, ABC):
    """파일 고르기: a file that asks for its password is kept until it comes."""

    title: ClassVar[str]
    form_class: ClassVar[type[forms.Form]]
    """Has `file`, `held`, `password`, and a field for each of what is `chosen`."""
    upload_class: ClassVar[type[Any]]
    """Is made of the table that was read."""
    template: ClassVar[str]
    preview: ClassVar[str]
    """Name of the preview's address."""

    @abstractmethod
    def chosen(self, cleaned: Mapping[str, Any]) -> dict[str, Any]:
        """선택한 내용 beside the file, as the job keeps it and as the form takes it again."""

    @abstractmethod
    def further(self) -> dict[str, Any]:
        """더 보일 내용 of the template."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page(request, self.form_class())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = self.form_class(request.POST, request.FILES)
        if not form.is_valid():
            return self._page(request, form, status=422)
        staff = staff_of(request)
        try:
            file = held_file(form.cleaned_data, staff)
        except DomainError as error:
            form.add_error("file", error.message)
            return self._page(request, form, status=error.status)
        try:
            table = read_table(file.content, filename=file.name, password=form.cleaned_data["password"])
            job = open_upload(
                upload=self.upload_class(table),
                actor=staff,
                file_name=file.name,
                content=[file.content],
                at=timezone.now(),
                options=self.chosen(form.cleaned_data),
            )
        except DomainError as error:
            if error.code in ASKS_PASSWORD:
                return self._ask_password(request, form, file, error.message)
            held.drop(file)
            form.add_error("file", error.message)
            return self._page(request, form, status=error.status)
        held.drop(file)
        return redirect(self.preview, uuid=job.uuid)

    def _ask_password(self, request: HttpRequest, form: forms.Form, file: held.HeldFile, message: str) -> HttpResponse:
        """The same form once more, with the file kept until its password comes."""
        again = self.form_class({"held": file.token} | self.chosen(form.cleaned_data))
        again.full_clean()
        again.add_error("password", message)
        return self._page(request, again, status=422)

    def _page(self, request: HttpRequest, form: forms.Form, *, status: int = 200) -> HttpResponse:
        context = {
            "title": self.title,
            "form": form,
            "is_held": "password" in form.errors,
            "action_url": request.path,
            "submit_label": "미리보기",
        }
        return render(request, self.template, context | self.further(), status=status)


def held_file(cleaned: Mapping[str, Any], staff: User) -> held.HeldFile:
    """올린 파일, kept until it is read: the one that was sent, or the one that waits for its password.

    Raises FileProblem for a file that is too large, DomainError for one that is gone.
    """
    if not cleaned["file"]:
        return held.find(cleaned["held"], actor=staff)
    name, content = sent_file(cleaned["file"])
    return held.hold(content=content, name=name, actor=staff)


def sent_file(upload: UploadedFile) -> tuple[str, bytes]:
    """보낸 파일: name and bytes. Raises FileProblem for one that is too large."""
    if (upload.size or 0) > MAX_BYTES:
        raise FileProblem("file_too_large")
    return clean_name(upload.name or ""), upload.read()


def confirm(job: Job, *, actor: User, at: datetime, **choices: Any) -> None:
    """미리보기 확정: a small file is done at once, a larger one by a worker. Raises DomainError like start.confirm."""
    lease = start.confirm(job_id=job.pk, actor=actor, at=at, **choices)
    if lease is not None:
        runner.run(lease, patient=False)


class FilePreview(PermissionRequired, ABC):
    """파일 미리보기: every row with its verdict; nothing is stored until a person confirms."""

    title: ClassVar[str]
    """What is looked at; "미리보기" or "결과" follows."""
    upload_name: ClassVar[str]
    shown: ClassVar[Mapping[str, tuple[str, Q]]]
    """Tabs: key in the address -> (label, rows); `all` first, the keys are counters of an upload."""
    template: ClassVar[str]
    page: ClassVar[str]
    preview: ClassVar[str]
    """Names of the addresses of both pages."""

    @abstractmethod
    def row(self, item: JobItem, *, is_open: bool) -> Any:
        """미리보기 한 행 with its `number`, finished for the template."""

    def further(self, job: Job) -> dict[str, Any]:
        """더 보일 내용 of the template."""
        return {}

    def other(self, request: HttpRequest, job: Job) -> HttpResponse | None:
        """다른 단추: what a press on another button than apply and discard answers; None when it was none of them."""
        return None

    def choices(self, request: HttpRequest) -> dict[str, Any]:
        """확정할 때 고른 것, as start.confirm takes it."""
        return {}

    def get(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        job = upload_job(uuid, name=self.upload_name)
        return gone(request) if job is None else self._preview(request, job)

    def post(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        job = upload_job(uuid, name=self.upload_name)
        if job is None:
            return gone(request)
        actor, at = staff_of(request), timezone.now()
        try:
            if "discard" in request.POST:
                start.cancel(job_id=job.pk, actor=actor, at=at)
                return redirect(self.page)
            if (answer := self.other(request, job)) is not None:
                return answer
            confirm(job, actor=actor, at=at, **self.choices(request))
        except DomainError as error:
            return self._preview(request, job, error=error.message, status=error.status)
        return redirect(self.preview, uuid=job.uuid)

    def _preview(self, request: HttpRequest, job: Job, *, error: str = "", status: int = 200) -> HttpResponse:
        counts = upload_counts(job)
        show = request.GET.get("show", "all")
        show = show if show in self.shown else "all"
        after = request.GET.get("after", "0")
        last = int(after) if after.isascii() and after.isdecimal() and len(after) < 10 else 0
        items = JobItem.objects.filter(self.shown[show][1], job=job, row_number__gt=last).order_by("row_number")
        is_open = job.state == JobState.PREVIEW
        rows = [self.row(item, is_open=is_open) for item in items[: ROWS + 1]]
        context = {
            "title": f"{self.title} {'미리보기' if is_open else '결과'}",
            "job": job,
            "is_open": is_open,
            "is_running": job.is_open,
            "tabs": self._tabs(counts, show) if is_open else [],
            "ready": counts.ready,
            "asks": counts.ask,
            "same": counts.same,
            "errors": counts.error,
            "rows": rows[:ROWS],
            "show": show,
            "next": rows[ROWS - 1].number if len(rows) > ROWS else 0,
            "error": error,
        }
        return render(request, self.template, context | self.further(job), status=status)

    def _tabs(self, counts: UploadCounts, show: str) -> list[dict[str, Any]]:
        numbers = {
            "all": counts.total, "ready": counts.ready, "ask": counts.ask, "error": counts.error, "same": counts.same,
        }  # fmt: skip
        return [
            {"key": key, "label": label, "number": numbers[key], "current": key == show}
            for key, (label, _) in self.shown.items()
        ]
