"""작업 현황: every bulk act, upload and export; progress, undo, stop, resume, failed rows."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from core.cells import full_time, minute_time
from core.exceptions import NotFound
from core.jobs import files, items, start
from core.jobs.exports import get_export
from core.jobs.failed import failed_file, failed_rows
from core.jobs.shown import preview_of, result_of, upload_preview
from core.jobs.undo import last_undoable, open_undo
from core.jobs.uploads import get_upload
from core.models import Job, JobKind, JobState
from core.people import named
from core.text import whole_number
from core.views.acts import CHANGED, NO_JOB, answer_preview, answer_result, apply, find_job, known_act
from core.views.downloads import XLSX, as_download
from core.views.gate import GatedView, UnknownCondition, refusal

PAGE_SIZE = 50
SHOWN_FAILED = 200
STOP_POLLING = 286
"""htmx stops a poll on this status and still swaps the answer."""
CSS = {
    JobState.PREVIEW: "s-confirmed",
    JobState.QUEUED: "s-awaiting",
    JobState.RUNNING: "s-shipping",
    JobState.DONE: "s-delivered",
    JobState.PARTIAL: "s-ready",
    JobState.FAILED: "s-closed",
    JobState.CANCELED: "s-confirmed",
    JobState.UNDONE: "s-confirmed",
}


@dataclass(frozen=True, slots=True)
class JobRow:
    """작업 한 줄: finished texts for the list and the head of the page."""

    uuid: str
    label: str
    kind: str
    state: str
    css: str
    actor: str
    at: str
    file_name: str
    total: int
    done: int
    failed: int
    percent: int


def job_row(job: Job, *, at: datetime) -> JobRow:
    """작업 한 줄: "끊김" when a running job's holder has been silent for longer than a lease."""
    is_cut_off = job.state == JobState.RUNNING and job.lease_until is not None and job.lease_until < at
    return JobRow(
        uuid=str(job.uuid),
        label=job.label,
        kind=job.get_kind_display(),
        state="끊김" if is_cut_off else job.state_label,
        css="s-closed" if is_cut_off else CSS[JobState(job.state)],
        actor=named(job.actor),
        at=minute_time(job.created_at),
        file_name=job.file_name,
        total=job.total,
        done=job.done,
        failed=job.failed,
        percent=min(100, (job.done + job.failed) * 100 // job.total) if job.total else 0,
    )


class JobList(GatedView):
    """작업 현황: newest first; a preview that nobody confirmed is not work and is left out unless asked for."""

    permission = "jobs.view"

    def get(self, request: HttpRequest) -> HttpResponse:
        conditions = _conditions(request)
        rows = Job.objects.select_related("actor").order_by("-pk")
        state = conditions.get("state")
        rows = rows.filter(state=state) if state else rows.exclude(state=JobState.PREVIEW)
        if conditions.get("kind"):
            rows = rows.filter(kind=conditions["kind"])
        if conditions.get("mine"):
            rows = rows.filter(actor_id=request.user.pk)
        if conditions.get("before"):
            rows = rows.filter(pk__lt=int(conditions["before"]))
        found, at = list(rows[: PAGE_SIZE + 1]), timezone.now()
        shown = found[:PAGE_SIZE]
        older = conditions | {"before": str(shown[-1].pk)} if len(found) > PAGE_SIZE else None
        context = {
            "title": "작업 현황",
            "rows": [job_row(job, at=at) for job in shown],
            "groups": [
                ("담당", _choices("mine", [("1", "내 작업")], conditions)),
                ("종류", _choices("kind", JobKind.choices, conditions)),
                ("상태", _choices("state", JobState.choices, conditions)),
            ],
            "is_filtered": bool(set(conditions) - {"before"}),
            "next_url": f"{request.path}?{urlencode(older)}" if older else "",
        }
        return render(request, "jobs/list.html", context)


class JobPage(GatedView):
    """작업 한 건: who, what, how far; the preview while it waits for its confirmation."""

    def get(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        job, at = find_job(request, uuid), timezone.now()
        context: dict[str, Any] = {
            "title": job.label,
            "subtitle": job.get_kind_display(),
            "row": job_row(job, at=at),
            "job": job,
            "result": result_of(job, at=at) if job.state != JobState.PREVIEW else None,
            "counts": items.counts(job) if job.kind != JobKind.EXPORT else None,
            "failed_rows": [] if job.kind == JobKind.EXPORT or job.is_open else failed_rows(job, limit=SHOWN_FAILED),
            "upload": upload_preview(job),
            "undone_by": job.undo_jobs.filter(state__in=[JobState.DONE, JobState.PARTIAL]).first(),
            "started": full_time(job.started_at),
            "finished": full_time(job.finished_at),
        }
        if job.state == JobState.PREVIEW:
            act, counts = known_act(job), items.counts(job)
            is_theirs = job.kind == JobKind.UPLOAD or job.actor_id == request.user.pk
            context["preview"] = preview_of(job, act, counts)
            context["may_confirm"] = bool(counts.pending) and is_theirs and request.user.has_perm(act.permission)
        return render(request, "jobs/detail.html", context)


class ConfirmView(GatedView):
    """확인창: the dialog of a preview that is opened from its own page."""

    def get(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        job = find_job(request, uuid)
        refused = refusal(request, known_act(job).permission)
        if refused is not None:
            return refused
        return answer_preview(request, job) if job.state == JobState.PREVIEW else answer_result(request, job)


class StripView(GatedView):
    """진행 상황: the strip of a job; the answer that ends the polling says that lists have changed."""

    def get(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        job = find_job(request, uuid)
        context = {"result": result_of(job, at=timezone.now())}
        if job.is_open:
            return render(request, "generic/_strip.html", context)
        answer = render(request, "generic/_strip.html", context, status=STOP_POLLING)
        answer["HX-Trigger"] = CHANGED
        return answer


class UndoView(GatedView):
    """되돌리기 미리보기."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        job = find_job(request, uuid)
        refused = refusal(request, known_act(job).permission)
        if refused is not None:
            return refused
        return answer_preview(request, open_undo(job=job, actor=request.user, at=timezone.now()))


class LastUndoView(UndoView):
    """마지막 처리 되돌리기: the preview of undoing what this person did last, wherever the result was shown."""

    def post(self, request: HttpRequest, uuid: UUID | None = None) -> HttpResponse:
        job = last_undoable(actor=request.user, at=timezone.now())
        return super().post(request, uuid or job.uuid)


class UndoApplyView(GatedView):
    """되돌리기 확인: of the newest preview that this person made for the job."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        mine = find_job(request, uuid).undo_jobs.filter(actor_id=request.user.pk)
        undo = mine.select_related("actor", "undoes").order_by("-pk").first()
        if undo is None:
            raise NotFound(NO_JOB)
        return apply(request, undo)


class ChangeView(GatedView):
    """작업 바꾸기: a change of a running or stopped job by whoever may do its act."""

    http_method_names = ["post", "options"]
    change: Callable[..., Any]

    def post(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        job = find_job(request, uuid)
        refused = refusal(request, permission_of(job))
        if refused is not None:
            return refused
        self.change(job_id=job.pk, actor=request.user, at=timezone.now())
        return answer_result(request, job)


class CancelView(ChangeView):
    """여기서 멈추기."""

    change = staticmethod(start.cancel)


class ResumeView(ChangeView):
    """이어서 처리."""

    change = staticmethod(start.resume)


class FailedFileView(GatedView):
    """실패한 행 엑셀."""

    def get(self, request: HttpRequest, uuid: UUID) -> HttpResponseBase:
        job = find_job(request, uuid)
        refused = refusal(request, permission_of(job))
        if refused is not None or job.kind == JobKind.EXPORT:
            return refused or _no_file()
        upload = get_upload(job.act)
        if upload is not None:
            upload.opened(job=job, request=request)
        answer = StreamingHttpResponse(failed_file(job), content_type=XLSX)
        stem = job.file_name.rpartition(".")[0] if upload is not None else job.label
        return as_download(answer, f"{stem} 실패한 행.xlsx", plain="failed.xlsx")


class FileView(GatedView):
    """내려받기 파일: only of a finished export that is still kept."""

    def get(self, request: HttpRequest, uuid: UUID) -> HttpResponseBase:
        job = find_job(request, uuid)
        export = get_export(job.act) if job.kind == JobKind.EXPORT and job.state == JobState.DONE else None
        path = files.path_of(job.file_path) if export is not None and job.file_path else None
        if export is None or path is None:
            return _no_file()
        refused = refusal(request, export.permission)
        if refused is not None:
            return refused
        export.opened(job=job, request=request)
        answer = FileResponse(path.open("rb"), content_type=export.content_type)
        return as_download(answer, job.file_name, plain=f"export{export.suffix}")


def permission_of(job: Job) -> str:
    """작업의 권한: the right that its act, upload or export asks for. Raises NotFound."""
    export = get_export(job.act) if job.kind == JobKind.EXPORT else None
    return export.permission if export is not None else known_act(job).permission


def _no_file() -> HttpResponseBase:
    raise NotFound("받을 수 있는 파일이 없습니다. 보관 기간이 지났으면 다시 내려받으세요.")


def _conditions(request: HttpRequest) -> dict[str, str]:
    allowed = {"state": JobState.values, "kind": JobKind.values, "mine": ["1"]}
    found = {key: str(value) for key, value in request.GET.items() if value}
    for key, value in found.items():
        is_row = key == "before" and whole_number(value) is not None
        if not is_row and value not in allowed.get(key, []):
            raise UnknownCondition("주소에 알 수 없는 조회 조건이 있습니다. 조건을 지우고 다시 조회하세요.")
    return found


def _choices(key: str, choices: Any, conditions: dict[str, str]) -> list[tuple[str, str, bool]]:
    """(label, address, is current) of a row of links; a second click on the current one takes it away."""
    rest = {name: value for name, value in conditions.items() if name not in {key, "before"}}
    home = reverse("core:jobs")
    return [
        (
            label,
            f"{home}?{urlencode(rest if conditions.get(key) == value else rest | {key: value})}",
            conditions.get(key) == value,
        )
        for value, label in choices
    ]
