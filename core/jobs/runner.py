"""The runner: whoever takes a job's lease works through its items, chunk by chunk, until nothing is left.

One chunk is one transaction: its first statement renews the lease and compares the fencing token, so that a process
that was paused for too long finds itself shut out before it writes. Items without a verdict are the cursor; a killed
run is taken up by the next one when the lease has run out. Source: reliability.md F01, F02, F05, F32, F34, F49.
"""

import logging
import uuid
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from core.actions import BulkAction, get_action
from core.failpoints import declare, failpoint
from core.jobs import inputs, items
from core.jobs.exports import run_export
from core.jobs.items import Verdict
from core.jobs.lease import Lease, LeaseLost, renew
from core.jobs.lifecycle import advance, lock_job
from core.jobs.retry import MAYBE_RACES, TRIES, is_connection_lost, is_race
from core.jobs.work import ActWork, UnknownAct, Work, act_of, work_of
from core.locks import LockTimeout
from core.models import Job, JobItem, JobKind

log = logging.getLogger("core.jobs")

BEFORE_CHUNK = declare("job_before_chunk", "the lease is held; the next chunk has not begun")
AFTER_APPLY = declare("job_after_apply_before_commit", "a chunk is applied with its verdicts; nothing is committed")
AFTER_COMMIT = declare("job_after_commit", "a chunk is committed; the next has not begun")

STAFF_DISABLED = "작업한 직원의 계정이 중지되어 멈췄습니다. 남은 건은 처리하지 않았습니다."
RIGHT_LOST = "작업한 직원의 권한이 바뀌어 멈췄습니다. 남은 건은 처리하지 않았습니다."
ACT_UNKNOWN = "지금 버전에는 없는 처리입니다. 관리자에게 알려 주세요."
RACES_LOST = "다른 처리와 계속 겹쳐 멈췄습니다. 잠시 뒤 '이어서 처리'를 누르세요."
UNEXPECTED = "처리하지 못했습니다. 잠시 뒤 '이어서 처리'를 누르고, 계속되면 관리자에게 알려 주세요. (번호 {number})"


def run(lease: Lease, *, patient: bool = True) -> None:
    """작업 진행: chunk after chunk until the job is finished, stopped or failed; never raises for a failed job.

    `patient` waits for rows that somebody holds up to three times as long; a request with a person before it does not.
    A lost database connection is raised: the lease then runs out and another process goes on.
    """
    try:
        job = Job.objects.only("kind", "act").get(pk=lease.job_id)
        if job.kind == JobKind.EXPORT:
            run_export(lease)
            return
        act = get_action(job.act) if job.kind == JobKind.ACT else None
        prepare = act if act is not None and act.prepares else None
        while _chunk_with_retries(lease, tries=TRIES if patient else 1, prepare=prepare):
            pass
    except LeaseLost as lost:
        log.warning("lease lost: %s", lost)
    except Exception as error:
        # An act is any code of any app: the job ends in a failure that staff see, with a number that leads to the log.
        if is_connection_lost(error):
            connection.close()
            raise
        _fail(lease, error)


def _chunk_with_retries(lease: Lease, *, tries: int, prepare: BulkAction | None = None) -> bool:
    for attempt in range(1, TRIES + 1):
        try:
            if prepare is not None:
                _prepare(lease, prepare)
            return _chunk(lease)
        except LockTimeout as busy:
            if attempt >= tries:
                return _without_the_busy(lease, busy.message)
        except MAYBE_RACES as error:
            if attempt == TRIES or not is_race(error):
                raise
            log.warning("job %s lost a race in try %s: %s", lease.job_id, attempt, type(error).__name__)
    raise AssertionError("not reached: the last try returns or raises")


def _without_the_busy(lease: Lease, text: str) -> bool:
    """The last try: only the rows that somebody holds are refused; when even that waits in vain, the chunk is."""
    try:
        return _chunk(lease, busy=text)
    except LockTimeout:
        return _chunk(lease, busy=text, refuses_all=True)


def _chunk(lease: Lease, *, busy: str = "", refuses_all: bool = False) -> bool:
    """One chunk in one transaction; False when the job has ended. `busy` is the refusal of rows somebody holds."""
    failpoint(BEFORE_CHUNK)
    at = timezone.now()
    with transaction.atomic():
        job = renew(lease)
        if job.cancel_requested:
            advance(job, Job.cancel, at=at, actor=job.actor)
            return False
        work = work_of(job)
        stop = _reason_to_stop(job, work)
        if stop:
            advance(job, Job.fail, at=at, error=stop)
            return False
        size = act_of(job).chunk or items.CHUNK
        todo = items.next_chunk(job, size=size)
        if todo:
            held = _held(job, todo, refuses_all=refuses_all) if busy else set()
            verdicts = {item.pk: Verdict(busy) for item in todo if item.pk in held}
            free = [item for item in todo if item.pk not in held]
            _progress(job, verdicts | (work.process(free, job=job, at=at) if free else {}))
        is_last = len(todo) < size
        if is_last:
            _finish(job, work, at=at)
        failpoint(AFTER_APPLY)
    failpoint(AFTER_COMMIT)
    return not is_last


def _prepare(lease: Lease, act: BulkAction) -> None:
    """처리 전 준비 of the next chunk, for the few acts that commit something before it (numbers out of a range)."""
    job = Job.objects.select_related("actor").get(pk=lease.job_id)
    work = ActWork(act)
    if not job.cancel_requested and not _reason_to_stop(job, work):
        work.prepare(items.next_chunk(job, size=act.chunk or items.CHUNK), job=job, at=timezone.now())


def _held(job: Job, todo: list[JobItem], *, refuses_all: bool) -> set[int]:
    """Items whose rows another session holds, with the rest of their group."""
    if refuses_all:
        return {item.pk for item in todo}
    busy = act_of(job).busy([item.target_id for item in todo if item.target_id is not None])
    groups = {item.group_id for item in todo if item.target_id in busy and item.group_id is not None}
    return {item.pk for item in todo if item.target_id in busy or item.group_id in groups}


def _reason_to_stop(job: Job, work: Work) -> str:
    if job.actor is None:
        return ""
    if not job.actor.is_active:
        return STAFF_DISABLED
    return "" if job.actor.has_perm(work.permission) else RIGHT_LOST


def _progress(job: Job, verdicts: dict[int, Verdict]) -> None:
    items.store_verdicts(verdicts)
    done = sum(not verdict.reason for verdict in verdicts.values())
    items.count_on(job, done=done, failed=len(verdicts) - done)


def _finish(job: Job, work: Work, *, at: datetime) -> None:
    found = items.counts(job)
    method: Any = Job.finish_partly if found.refused else Job.finish
    advance(job, method, at=at, done=found.ok, failed=found.refused, undoable=work.is_undoable)
    inputs.forget(job)
    if job.kind == JobKind.UNDO and job.undoes_id and found.ok:
        original = lock_job(job.undoes_id)
        if original is not None:
            advance(original, Job.undo, at=at, actor=job.actor)


def _fail(lease: Lease, error: Exception) -> None:
    number = uuid.uuid4().hex[:8]
    log.error("job %s failed, number %s", lease.job_id, number, exc_info=error)
    if isinstance(error, UnknownAct):
        text = ACT_UNKNOWN
    else:
        text = RACES_LOST if is_race(error) else UNEXPECTED.format(number=number)
    try:
        with transaction.atomic():
            advance(renew(lease), Job.fail, at=timezone.now(), error=text)
    except LeaseLost as lost:
        log.warning("lease lost: %s", lost)
