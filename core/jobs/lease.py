"""The lease of a job: who may write for it, told by a number that rises with every new holder."""

import json
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q
from django.db.models.functions import Now

from core.jobs.lifecycle import advance, lock_job
from core.locks import LockTimeout, locking
from core.models import Job, JobState

log = logging.getLogger("core.jobs")

LEASE = timedelta(seconds=60)
MAX_ATTEMPTS = 5
DIED_TOO_OFTEN = f"{MAX_ATTEMPTS}번 다시 시도했지만 끝내지 못했습니다. 관리자에게 알려 주세요."


DUE = Q(state=JobState.QUEUED) | Q(state=JobState.RUNNING, lease_until__lt=Now())
"""Jobs that wait for somebody, or whose holder fell silent; by the clock of the database."""


@dataclass(frozen=True, slots=True)
class Lease:
    """임대: the right to write for a job, good while the job's token is this one."""

    job_id: int
    token: int


class LeaseLost(Exception):
    """Somebody else took the job over, or it was ended meanwhile."""


def claim(*, job_id: int, at: datetime) -> Lease | None:
    """작업 맡기: the lease of a waiting job, or of one whose holder fell silent; None when it is not to be had.

    A job that was taken up five times without finishing a chunk is given up (FAILED). The clock is the database's.
    A row that somebody holds for a moment (a second confirmation of the same job) is waited for: the message that woke
    this worker up is spent, and the next one comes only half a minute later.
    """
    if not _is_due(job_id):
        return None
    try:
        with locking():
            job = lock_job(job_id)
            return _take_due(job, at=at) if job is not None and _is_due(job_id) else None
    except LockTimeout:
        log.warning("job %s stayed locked; it is told again", job_id)
        return None


def _is_due(job_id: int) -> bool:
    return Job.objects.filter(DUE, pk=job_id).exists()


def _take_due(job: Job, *, at: datetime) -> Lease | None:
    if job.attempts < MAX_ATTEMPTS:
        return take(job, at=at)
    if job.state == JobState.QUEUED:
        advance(job, Job.start, at=at)
    advance(job, Job.fail, at=at, error=DIED_TOO_OFTEN)
    return None


def is_silent(job: Job) -> bool:
    """끊김: a running job whose holder has not been heard of for as long as a lease lasts."""
    return Job.objects.filter(pk=job.pk, state=JobState.RUNNING, lease_until__lt=Now()).exists()


def take(job: Job, *, at: datetime) -> Lease:
    """임대 시작: for a locked job that is QUEUED, or RUNNING without a living holder."""
    if job.state == JobState.QUEUED:
        advance(job, Job.start, at=at)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE core_job SET lease_token = lease_token + 1, attempts = attempts + 1,"
            " lease_until = clock_timestamp() + make_interval(secs => %s) WHERE id = %s RETURNING lease_token",
            [LEASE.total_seconds(), job.pk],
        )
        return Lease(job.pk, int(cursor.fetchone()[0]))


def renew(lease: Lease) -> Job:
    """임대 연장: the job's row, locked by the very UPDATE that compares the token. Raises LeaseLost."""
    with connection.cursor() as cursor:
        cursor.execute(_RENEW, [LEASE.total_seconds(), lease.job_id, lease.token])
        found = cursor.fetchone()
    if found is None:
        raise LeaseLost(f"job {lease.job_id}, token {lease.token}")
    values = dict(zip(_COLUMNS, found, strict=True))
    return Job.from_db(connection.alias, _COLUMNS, (values | {"params": json.loads(values["params"])}).values())


# Every chunk begins with it: asking Django for the row would cost more than all else that comes before the work.
_COLUMNS = tuple(field.attname for field in Job._meta.concrete_fields)
_RENEW = f"""
UPDATE core_job SET lease_until = clock_timestamp() + make_interval(secs => %s)
WHERE id = %s AND lease_token = %s AND state = 'RUNNING' RETURNING {", ".join(_COLUMNS)}
"""
