"""미리보기의 끝: a file that is looked at is thrown away once; who comes later is told by whom and when."""

from datetime import datetime
from typing import Any

from django.db import transaction

from core.calendar import short
from core.events import event_model
from core.exceptions import Conflict, NotFound
from core.jobs.history import who_did
from core.jobs.lifecycle import advance, lock_job
from core.models import Job, JobItem, JobState
from core.people import named

CLOSED = "preview_closed"
SEND_AGAIN = "파일을 다시 올려 주세요."
_WORDS = {
    JobState.QUEUED: "반영을 시작한 파일입니다. 멈추려면 작업 현황에서 '여기서 멈추기'를 누르세요.",
    JobState.RUNNING: "반영을 시작한 파일입니다. 멈추려면 작업 현황에서 '여기서 멈추기'를 누르세요.",
    JobState.FAILED: "반영하다가 멈춘 파일입니다. 작업 현황에서 까닭을 확인하고 '이어서 처리'를 누르세요.",
    JobState.CANCELED: "멈춘 작업입니다. 작업 현황에서 이어서 처리하거나 파일을 다시 올려 주세요.",
    JobState.UNDONE: f"되돌린 파일입니다. 반영하려면 {SEND_AGAIN}",
}
_APPLIED = "이미 반영한 파일입니다. "
_UNDOABLE = "작업 현황에서 되돌릴 수 있습니다."
_FINAL = "바로잡으려면 고친 파일을 올려 주세요."
_THROWN_AWAY = f"그만둔 미리보기라 반영하지 않았습니다. {SEND_AGAIN}"


def discard(*, job_id: int, actor: Any, at: datetime) -> None:
    """그만두기: throws a preview away with its rows. Raises Conflict with who did what and when for anything else."""
    with transaction.atomic():
        job = lock_job(job_id)
        if job is None:
            raise NotFound("작업을 찾을 수 없습니다.")
        require_open(job)
        throw_away(job, actor=actor, at=at)


def supersede(*, job_id: int, actor: Any, at: datetime) -> None:
    """새 미리보기로 바꾸기: the older reading of a file goes; what a colleague has confirmed or dropped stays so."""
    with transaction.atomic():
        job = lock_job(job_id)
        if job is not None and job.state == JobState.PREVIEW:
            throw_away(job, actor=actor, at=at)


def throw_away(job: Job, *, actor: Any, at: datetime) -> None:
    """A locked preview ends without its items: nothing of it can be taken up again."""
    JobItem.objects.filter(job=job).delete()
    advance(job, Job.cancel, at=at, actor=actor)


def require_open(job: Job) -> None:
    """미리보기인지 확인. Raises Conflict for a file that somebody applied, threw away or undid since."""
    if job.state != JobState.PREVIEW:
        raise Conflict(_closed_words(job), code=CLOSED)


def thrown_away(job: Job) -> str:
    """그만둔 미리보기: the sentence about who threw it away, "" for everything else; stopped work keeps its rows."""
    if job.state != JobState.CANCELED or JobItem.objects.filter(job=job).exists():
        return ""
    return f"{_last_move(job)} {_THROWN_AWAY}"


def _closed_words(job: Job) -> str:
    if job.state in {JobState.DONE, JobState.PARTIAL}:
        # The job's person is who confirmed it; its last move was made by whoever worked on it.
        who = f"{named(job.actor)}이"
        way_back = _UNDOABLE if job.params.get("undoable") else _FINAL
        return f"{short(job.started_at)}에 {who} {_APPLIED}{way_back}"
    return thrown_away(job) or f"{_last_move(job)} {_WORDS[JobState(job.state)]}"


def _last_move(job: Job) -> str:
    events = event_model().objects.filter(subject=Job.event_subject, subject_id=job.pk)
    event = events.select_related("actor").order_by("-version").first()
    if event is None:
        return "다른 직원이"
    # A worker's moves name nobody: they are those of the person who confirmed the job.
    is_workers = event.actor is None and job.actor is not None and job.state != JobState.CANCELED
    who = f"{named(job.actor)}이" if is_workers else who_did(event)
    return f"{short(event.at)}에 {who}"
