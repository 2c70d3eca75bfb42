"""Moves of a job, each with its event; the job's row is the batch that its events name."""

from datetime import datetime
from typing import Any

from django.db import connection

from core.events import kind, record
from core.models import Job, JobState, Source
from core.state import move

CHANNEL = "oms_jobs"
"""Notified when a job begins to wait for a worker; the dispatcher of core/jobs/dispatch.py listens."""

JOB_QUEUED = kind("job.queued", "작업 등록")
JOB_STARTED = kind("job.started", "작업 시작")
JOB_DONE = kind("job.done", "작업 완료")
JOB_PARTIAL = kind("job.partial", "작업 일부 실패")
JOB_FAILED = kind("job.failed", "작업 실패")
JOB_CANCELED = kind("job.canceled", "작업 멈춤")
JOB_UNDONE = kind("job.undone", "작업 되돌림")

_KINDS = {
    JobState.QUEUED: JOB_QUEUED,
    JobState.RUNNING: JOB_STARTED,
    JobState.DONE: JOB_DONE,
    JobState.PARTIAL: JOB_PARTIAL,
    JobState.FAILED: JOB_FAILED,
    JobState.CANCELED: JOB_CANCELED,
    JobState.UNDONE: JOB_UNDONE,
}


def lock_job(pk: int) -> Job | None:
    """작업 잠금: the row with its person, locked FOR NO KEY UPDATE; None when it is gone."""
    rows = Job.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("actor").filter(pk=pk).first()


def advance(job: Job, method: Any, *, at: datetime, actor: Any = None, **facts: Any) -> str | None:
    """작업 상태 변경: one move of a locked job with its event; the Korean reason when it may not, else None."""
    outcome = move([job], method, at=at, **facts)
    if outcome.changes:
        source = Source.SCREEN if actor else Source.TASK
        record(outcome, _KINDS[JobState(job.state)], at=at, actor=actor, source=source, reason=job.error)
        if job.state == JobState.QUEUED:
            with connection.cursor() as cursor:
                cursor.execute(f"NOTIFY {CHANNEL}")
    return outcome.refused.get(job.pk)
