"""Confirm, stop and resume: what a person does with a job."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from core.actions import BulkAction
from core.exceptions import Conflict, NotAllowed, NotFound
from core.jobs import inputs, items, lease, previews, undo, uploads
from core.jobs.lifecycle import advance, lock_job
from core.jobs.selection import refuse_busy_again
from core.jobs.work import act_of
from core.models import ItemResult, Job, JobItem, JobKind, JobState

IN_REQUEST = 200
"""Target rows that still run inside the request."""
PREVIEW_LIFETIME = timedelta(hours=24)

NOTHING_TO_DO = "처리할 수 있는 행이 없습니다."
TOO_OLD = "미리보기가 하루를 넘었습니다. 목록에서 다시 선택해 처리하세요."
NOT_YOURS = "다른 직원이 준비한 작업입니다. 목록에서 직접 선택해 처리하세요."
NOTHING_LEFT = "이어서 처리할 행이 없습니다."
ALREADY_UNDONE = "이미 되돌린 작업입니다."


def confirm(
    *,
    job_id: int,
    actor: Any,
    at: datetime,
    form: Mapping[str, Sequence[str]] | None = None,
    is_quiet: bool = False,
    ticked: Collection[int] | None = (),
) -> lease.Lease | None:
    """처리 확인: a preview becomes work. A second confirmation of the same job changes nothing and is no error;
    one of a file that somebody threw away or stopped is refused.

    Up to 200 rows: returns the lease to run it with at once; more: the job waits for a worker and None is returned.
    `ticked` are the row numbers of an upload whose question was answered (None: all). Raises Conflict, NotAllowed.
    """
    with transaction.atomic():
        job = _locked(job_id)
        if job.kind == JobKind.UPLOAD and job.state == JobState.CANCELED:
            previews.require_open(job)
        if job.state != JobState.PREVIEW:
            return None
        _check_confirmable(job, actor=actor, at=at)
        if job.kind == JobKind.UPLOAD:
            uploads.refuse_partly_wrong(job)
            uploads.settle_questions(job=job, ticked=ticked)
        pending = JobItem.objects.filter(job=job, result=ItemResult.PENDING)
        targets = list(pending.values_list("target_id", flat=True))
        if not targets:
            raise Conflict(NOTHING_TO_DO, code="nothing_to_do")
        _check_rivals(job, actor=actor, at=at, target_ids=[pk for pk in targets if pk is not None])
        filled = inputs.kept(act_of(job), form)
        refused = items.counts(job).refused
        Job.objects.filter(pk=job.pk).update(params=job.params | filled, is_quiet=is_quiet, failed=refused, actor=actor)
        advance(job, Job.enqueue, at=at, actor=actor)
        return lease.take(job, at=at) if len(targets) <= IN_REQUEST else None


def cancel(*, job_id: int, actor: Any, at: datetime) -> None:
    """멈추기: a job that nobody works on stops at once, a running one before its next chunk, a finished one not at all.

    A preview that is thrown away loses its items: nothing of it can be taken up again.
    """
    with transaction.atomic():
        job = _locked(job_id)
        if job.state == JobState.PREVIEW:
            previews.throw_away(job, actor=actor, at=at)
        elif job.state == JobState.QUEUED or lease.is_silent(job):
            advance(job, Job.cancel, at=at, actor=actor)
        elif job.state == JobState.RUNNING:
            Job.objects.filter(pk=job.pk).update(cancel_requested=True)


def resume(*, job_id: int, actor: Any, at: datetime) -> None:
    """이어서 처리: a failed or stopped job goes on with the items that have no verdict. Raises Conflict."""
    with transaction.atomic():
        job = _locked(job_id)
        if job.is_open:
            return
        has_rest = job.kind == JobKind.EXPORT or JobItem.objects.filter(job=job, result=ItemResult.PENDING).exists()
        refused = advance(job, Job.enqueue, at=at, actor=actor) if has_rest else NOTHING_LEFT
        if refused is not None:
            raise Conflict(refused, code="not_resumable")
        Job.objects.filter(pk=job.pk).update(attempts=0)


def _locked(job_id: int) -> Job:
    job = lock_job(job_id)
    if job is None:
        raise NotFound("작업을 찾을 수 없습니다.")
    return job


def _check_confirmable(job: Job, *, actor: Any, at: datetime) -> None:
    # A file may be looked at and applied by a second person; what one person selected is theirs.
    if job.kind != JobKind.UPLOAD and job.actor_id != actor.pk:
        raise NotAllowed(NOT_YOURS)
    if at - job.created_at > PREVIEW_LIFETIME:
        raise Conflict(TOO_OLD, code="preview_too_old")
    if job.kind == JobKind.UPLOAD:
        uploads.one_at_a_time(job.file_hash)
        uploads.refuse_applied(act=job.act, digest=job.file_hash, but=job)


def _check_rivals(job: Job, *, actor: Any, at: datetime, target_ids: Collection[int]) -> None:
    if job.undoes_id:
        original = _locked(job.undoes_id)
        rivals = Job.objects.filter(undoes=original, state__in=[JobState.QUEUED, JobState.RUNNING])
        if rivals.exists():
            raise Conflict(ALREADY_UNDONE, code="already_undone")
        reason = undo.refusal(original, at=at)
        if reason is not None:
            raise Conflict(reason, code="not_undoable")
        undo.check_right(original, actor=actor)
        return
    action = act_of(job)
    if isinstance(action, BulkAction):
        refuse_busy_again(action=action, actor=actor, target_ids=target_ids)
