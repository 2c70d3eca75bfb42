"""파일 올리기의 두 화면: choose a file, then look at every row before anything is stored.

An upload names its words, its form and its templates, and says what it shows of a row; the rest is here.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from django import forms
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
_SHOWN = {"all": Q(), "ready": Q(result=ItemResult.PENDING), "error": _REFUSED & ~_SAME, "same": _REFUSED & _SAME}


def upload_job(uuid: UUID, *, name: str) -> Job | None:
    """올린 파일 of an upload, with who sent it."""
    return Job.objects.select_related("actor").filter(uuid=uuid, kind=JobKind.UPLOAD, act=name).first()


def gone(request: HttpRequest) -> HttpResponse:
    """없는 파일."""
    return render(request, "404.html", {"error_text": GONE}, status=404)


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
            file = _held(form, staff)
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


def _held(form: forms.Form, staff: User) -> held.HeldFile:
    upload = form.cleaned_data["file"]
    if not upload:
        return held.find(form.cleaned_data["held"], actor=staff)
    if upload.size > MAX_BYTES:
        raise FileProblem("file_too_large")
    return held.hold(content=upload.read(), name=clean_name(upload.name), actor=staff)


class FilePreview(PermissionRequired, ABC):
    """파일 미리보기: every row with its verdict; nothing is stored until a person confirms."""

    title: ClassVar[str]
    """What is looked at; "미리보기" or "결과" follows."""
    upload_name: ClassVar[str]
    words: ClassVar[Mapping[str, str]]
    """What rows are called that are `ready`, and that are the `same` as what is there."""
    template: ClassVar[str]
    page: ClassVar[str]
    preview: ClassVar[str]
    """Names of the addresses of both pages."""

    @abstractmethod
    def row(self, item: JobItem) -> Any:
        """미리보기 한 행 with its `number`, finished for the template."""

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
            lease = start.confirm(job_id=job.pk, actor=actor, at=at)
        except DomainError as error:
            return self._preview(request, job, error=error.message, status=error.status)
        if lease is not None:
            runner.run(lease, patient=False)
        return redirect(self.preview, uuid=job.uuid)

    def _preview(self, request: HttpRequest, job: Job, *, error: str = "", status: int = 200) -> HttpResponse:
        counts = upload_counts(job)
        show = request.GET.get("show", "all")
        show = show if show in _SHOWN else "all"
        after = request.GET.get("after", "0")
        last = int(after) if after.isascii() and after.isdecimal() and len(after) < 10 else 0
        items = JobItem.objects.filter(_SHOWN[show], job=job, row_number__gt=last).order_by("row_number")
        rows = [self.row(item) for item in items[: ROWS + 1]]
        is_open = job.state == JobState.PREVIEW
        context = {
            "title": f"{self.title} {'미리보기' if is_open else '결과'}",
            "job": job,
            "is_open": is_open,
            "is_running": job.is_open,
            "tabs": self._tabs(counts, show) if is_open else [],
            "ready": counts.ready,
            "same": counts.same,
            "errors": counts.error,
            "rows": rows[:ROWS],
            "show": show,
            "next": rows[ROWS - 1].number if len(rows) > ROWS else 0,
            "error": error,
        }
        return render(request, self.template, context, status=status)

    def _tabs(self, counts: UploadCounts, show: str) -> list[dict[str, Any]]:
        labels = {"all": "전체", "ready": self.words["ready"], "error": "오류", "same": self.words["same"]}
        numbers = {"all": counts.total, "ready": counts.ready, "error": counts.error, "same": counts.same}
        return [
            {"key": key, "label": label, "number": numbers[key], "current": key == show}
            for key, label in labels.items()
        ]
