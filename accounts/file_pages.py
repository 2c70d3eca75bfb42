"""파일 올리기의 두 화면: choose a file, then look at every row before anything is stored.

An upload names its words, its form and its templates, and says what it shows of a row; the rest is here.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from accounts.access import PermissionRequired, staff_of
from accounts.models import User
from core.excel import Table
from core.exceptions import DomainError
from core.jobs import held, previews, runner, start
from core.jobs.held import HeldFile
from core.jobs.uploads import UploadCounts, open_upload, upload_counts
from core.models import ItemResult, Job, JobItem, JobKind, JobState
from core.text import whole_number
from core.upload_forms import HeldFileForm

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
    """파일 고르기: a file that asks for its password, or for one of its sheets, is kept until the answer comes."""

    title: ClassVar[str]
    form_class: ClassVar[type[HeldFileForm]]
    """Has a field `file`, and one for each of what is `chosen`."""
    upload_class: ClassVar[type[Any]]
    """Is made of the table that was read."""
    template: ClassVar[str]
    address: ClassVar[str]
    preview: ClassVar[str]
    """Names of the addresses of this page and of the preview."""

    @abstractmethod
    def chosen(self, cleaned: Mapping[str, Any]) -> dict[str, Any]:
        """선택한 내용 beside the file, as the job keeps it."""

    @abstractmethod
    def further(self) -> dict[str, Any]:
        """더 보일 내용 of the template."""

    def form(self, *sent: Any) -> HeldFileForm:
        """입력 양식, empty or of what was sent."""
        return self.form_class(*sent)

    def take(self, cleaned: Mapping[str, Any], staff: User) -> HeldFile:
        """받은 파일, kept until it is read. Raises FileProblem, NotFound."""
        return held.take(upload=cleaned["file"], token=cleaned["held"], actor=staff)

    def open(
        self, request: HttpRequest, table: Table, content: bytes, options: Mapping[str, Any], *, is_locked: bool
    ) -> HttpResponse:
        """미리보기 열기 of a table that was read; `is_locked` when it took a password. Raises DomainError."""
        job = open_upload(
            upload=self.upload_class(table),
            actor=staff_of(request),
            file_name=table.filename,
            content=[content],
            at=timezone.now(),
            options=options,
            part=options["sheet"],
        )
        return redirect(self.preview, uuid=job.uuid)

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.page(request, self.form())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = self.form(request.POST, request.FILES)
        if not form.is_valid():
            return self.page(request, form, status=422)
        data = form.cleaned_data
        file: HeldFile | None = None
        sheets: list[str] = []
        try:
            file = self.take(data, staff_of(request))
            table, asks = held.read(file.content, name=file.name, password=data["password"], sheet=data["sheet"])
            sheets = table.sheets
            if asks:
                return self.page(request, form.again(file, sheets=sheets))
            options = self.chosen(data) | {"sheet": table.sheet if len(sheets) > 1 else ""}
            answer = self.open(request, table, file.content, options, is_locked=bool(data["password"]))
        except DomainError as error:
            return self.page(request, form.refused(error, file, sheets=sheets), status=error.status)
        held.drop(file)
        return answer

    def page(self, request: HttpRequest, form: HeldFileForm, *, status: int = 200, error: str = "") -> HttpResponse:
        """화면."""
        context = {
            "title": self.title,
            "form": form,
            "is_held": bool(form.data.get("held")),
            "error_text": error,
            "action_url": reverse(self.address),
            "submit_label": "미리보기",
        }
        return render(request, self.template, context | self.further(), status=status)


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
    page: ClassVar[type[FilePage]]
    """Where the file was chosen."""

    @abstractmethod
    def row(self, item: JobItem, *, is_open: bool) -> Any:
        """미리보기 한 행 with its `number`, finished for the template."""

    def further(self, job: Job) -> dict[str, Any]:
        """더 보일 내용 of the template."""
        return {}

    def other(self, request: HttpRequest, job: Job) -> HttpResponse | None:
        """다른 단추: what a press on another button than apply and discard answers; None when it was none of them."""
        return None

    def choices(self, request: HttpRequest, job: Job) -> dict[str, Any]:
        """확정할 때 고른 것, as start.confirm takes it. Raises DomainError."""
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
                previews.discard(job_id=job.pk, actor=actor, at=at)
                return redirect(self.page.address)
            if (answer := self.other(request, job)) is not None:
                return answer
            confirm(job, actor=actor, at=at, **self.choices(request, job))
        except DomainError as error:
            now = upload_job(uuid, name=self.upload_name) or job
            return self._preview(request, now, error=error.message, status=error.status)
        return redirect(self.page.preview, uuid=job.uuid)

    def _preview(self, request: HttpRequest, job: Job, *, error: str = "", status: int = 200) -> HttpResponse:
        if thrown_away := previews.thrown_away(job):
            page = self.page()
            return page.page(request, page.form(), status=404 if status == 200 else status, error=thrown_away)
        counts = upload_counts(job)
        show = request.GET.get("show", "all")
        show = show if show in self.shown else "all"
        after = request.GET.get("after", "0")
        last = whole_number(after, digits=9) or 0
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
