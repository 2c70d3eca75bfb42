"""What templates show of jobs: the preview dialog and the result strip."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.urls import reverse

from core.actions import UNITS, Act
from core.jobs import items
from core.jobs.items import Counts
from core.jobs.pages import failed_rows_url
from core.jobs.uploads import Upload, upload_counts
from core.jobs.work import UnknownAct, act_of
from core.models import Job, JobKind, JobState
from core.models.jobs import RESUMABLE

TYPED_ABOVE = 100
"""A destructive act on more rows than this asks for the number."""
MAX_FAILED_IDS = 2_000
RATE_AFTER = 3.0
CAN_UNDO = "처리한 뒤 30분 동안 되돌릴 수 있습니다."
CANNOT_UNDO = "이 처리는 되돌릴 수 없습니다."
BY_ANOTHER = "나중에 '{label}' 단추로 되돌릴 수 있습니다."
NO_UNDO_OF_UNDO = "되돌린 것은 다시 되돌릴 수 없습니다."


@dataclass(frozen=True, slots=True)
class Preview:
    """미리보기 of templates/generic/_confirm.html."""

    title: str
    total: int
    possible: int
    excluded: int
    reasons: Sequence[tuple[str, int]]
    messages_count: int
    undo_text: str
    sentences: Sequence[str] = ()


@dataclass(slots=True)
class Result:
    """결과 of templates/generic/_strip.html; `progress` is (done, all, words) while the job is open."""

    job_id: str
    progress: tuple[int, int, str] | None = None
    can_cancel: bool = False
    ok_text: str = ""
    part_text: str = ""
    failed: int = 0
    failed_ids: Sequence[int] | None = None
    reasons: Sequence[tuple[str, int]] = field(default_factory=list)
    failed_url: str = ""
    excel_url: str = ""
    can_resume: bool = False
    undo_seconds: int = 0
    document: tuple[str, str] | None = None
    """(label, address) of what was made."""


def preview_of(job: Job, act: Act, counts: Counts) -> Preview:
    """미리보기: what would happen, in numbers and words."""
    n = counted(job, act, counts.pending, counts.total)
    if job.kind == JobKind.UNDO:
        title, undo_text = f"{n}을 되돌립니다", NO_UNDO_OF_UNDO
    else:
        title = f"{act.of(n)} {act.will()}"
        without = BY_ANOTHER.format(label=act.taken_back_by) if act.taken_back_by else CANNOT_UNDO
        undo_text = CAN_UNDO if act.is_undoable else act.remark or without
    return Preview(
        title=title,
        total=counts.total,
        possible=counts.pending,
        excluded=counts.refused,
        reasons=items.reasons(job),
        messages_count=int(job.params.get("messages", 0)),
        undo_text=f"{_drift(job)} {undo_text}".strip(),
        sentences=job.params.get("sentences", ()),
    )


def typed_of(job: Job, act: Act, counts: Counts) -> str:
    """입력할 건수: the number to type before a destructive act on many rows; empty when none is asked for."""
    asked = act.is_destructive and job.kind != JobKind.UNDO and counts.pending > TYPED_ABOVE
    return str(counts.pending) if asked else ""


def result_of(job: Job, *, at: datetime) -> Result:
    """결과: the strip of a job in whatever state it is."""
    result = Result(str(job.uuid))
    if job.is_open:
        result.progress = (job.done + job.failed, job.total, _pace(job, at))
        result.can_cancel = not job.cancel_requested
        return result
    if job.kind == JobKind.EXPORT:
        return _export_result(job, result)
    counts = items.counts(job)
    act = _act(job)
    did, did_not = _words(job, act)
    n = counted(job, act, counts.ok, counts.total)
    result.failed = counts.refused
    if counts.ok:
        whole = counted(job, act, counts.total, counts.total)
        done = f"{whole} 중 {counts.ok:,}건" if counts.refused else n
        what = act.of(done) if act and job.kind == JobKind.ACT else f"{done}을"
        more = act.afterword(job) if act and job.kind == JobKind.ACT else ""
        result.ok_text = f"{what} {did}. {more}".strip()
        result.document = act.document(job) if act and job.kind == JobKind.ACT else None
    if counts.refused:
        result.reasons = items.reasons(job)
        result.part_text = f"{counts.refused:,}건은 {did_not}."
    if job.state in RESUMABLE:
        result.part_text = _stopped(job, counts)
        result.can_resume = bool(counts.pending)
        result.failed = counts.refused + counts.pending
    elif job.state == JobState.UNDONE:
        result.ok_text, result.part_text, result.reasons = "되돌린 작업입니다.", "", []
    elif job.state == JobState.PREVIEW:
        result.ok_text, result.part_text = "", "아직 확인하지 않은 작업입니다."
    _add_links(job, result, at=at)
    return result


def refusal_result(message: str, *, job: Job | None = None) -> Result:
    """거절 결과: the strip of a request that was refused as a whole."""
    return Result(str(job.uuid) if job else "", part_text=message, failed=1)


def counted(job: Job, act: Act | None, number: int, total: int) -> str:
    """건수 낱말: "48건", or "품목 144건" where one selected row holds several targets."""
    unit = UNITS.get(act.unit, "") if act else ""
    many = unit and job.kind != JobKind.UPLOAD and items.group_count(job) not in {0, total}
    return f"{unit} {number:,}건" if many else f"{number:,}건"


def upload_preview(job: Job) -> Any:
    """올린 파일의 미리보기 건수, None for other jobs."""
    return upload_counts(job) if job.kind == JobKind.UPLOAD and job.state == JobState.PREVIEW else None


def _act(job: Job) -> Act | None:
    try:
        return act_of(job)
    except UnknownAct:
        return None


def _words(job: Job, act: Act | None) -> tuple[str, str]:
    if job.kind == JobKind.UNDO:
        return "되돌렸습니다", "되돌릴 수 없습니다"
    if act is None:
        return "처리했습니다", "처리하지 못했습니다"
    return ("반영했습니다", "반영하지 못했습니다") if isinstance(act, Upload) else (act.did(), act.did_not())


def _stopped(job: Job, counts: Counts) -> str:
    rest = f"{counts.pending:,}건은 아직 처리하지 않았습니다." if counts.pending else ""
    refused = f"{counts.refused:,}건은 제외했습니다." if counts.refused else ""
    why = job.error if job.state == JobState.FAILED else "멈춘 작업입니다."
    return " ".join(text for text in (why, rest, refused) if text)


def _add_links(job: Job, result: Result, *, at: datetime) -> None:
    if result.failed and job.state != JobState.PREVIEW:
        result.failed_url = failed_rows_url(job) or reverse("core:job", args=[job.uuid]) + "#failed"
        result.excel_url = reverse("core:job_failed", args=[job.uuid])
    if job.kind == JobKind.ACT:
        result.failed_ids = items.failed_group_ids(job, limit=MAX_FAILED_IDS)
    if job.undo_until is not None and job.state in {JobState.DONE, JobState.PARTIAL}:
        result.undo_seconds = max(0, int((job.undo_until - at).total_seconds()))


def _export_result(job: Job, result: Result) -> Result:
    if job.state == JobState.DONE and job.file_path:
        result.ok_text = f"{job.label} 파일을 만들었습니다. {job.total:,}행입니다."
        result.excel_url = reverse("core:job_file", args=[job.uuid])
    else:
        result.part_text = job.error or "멈춘 작업입니다."
        result.failed, result.can_resume = 1, job.state in RESUMABLE
    return result


def _pace(job: Job, at: datetime) -> str:
    if job.state == JobState.QUEUED or job.started_at is None:
        return "차례를 기다리고 있습니다."
    if job.lease_until is not None and job.lease_until < at:
        return "처리하던 서버와 연결이 끊겼습니다. 곧 자동으로 이어서 처리합니다."
    if job.cancel_requested:
        return "멈추고 있습니다."
    passed, handled = (at - job.started_at).total_seconds(), job.done + job.failed
    if passed < RATE_AFTER or not handled:
        return ""
    left = int(passed / handled * max(job.total - handled, 0))
    return f"남은 시간 약 {left // 60}분 {left % 60}초." if left >= 60 else f"남은 시간 약 {left}초."


def _drift(job: Job) -> str:
    expected, selected = job.params.get("expected"), job.params.get("selected")
    if not job.params.get("filter") or expected is None or expected == selected:
        return ""
    return f"화면을 연 뒤 조회 결과가 {expected:,}건에서 {selected:,}건으로 바뀌었습니다."
