"""Undo of a whole batch: the opposite transition on every row that still is what the batch made of it."""

from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction

from core.exceptions import Conflict, DomainError, NotAllowed
from core.jobs.history import changed_rows, since_the_batch
from core.jobs.items import NewItem, chunks, insert_items
from core.jobs.retry import retrying
from core.jobs.work import NOT_POSSIBLE, WITH_ITS_GROUP, act_of
from core.models import ItemResult, Job, JobItem, JobKind, JobState
from core.models.jobs import FINISHED
from core.state import one_preview, previewing

TOO_LATE = "처리한 지 30분이 지나 되돌릴 수 없습니다."
NOT_UNDOABLE = "되돌릴 수 없는 처리입니다."
NOTHING_TO_UNDO = "되돌릴 수 있는 내 작업이 없습니다. 처리한 뒤 30분까지 되돌릴 수 있습니다."
NOT_FINISHED = "아직 끝나지 않은 작업은 되돌릴 수 없습니다."


def refusal(job: Job, *, at: datetime) -> str | None:
    """되돌릴 수 없는 이유: a sentence, None when an undo may be prepared."""
    if job.state == JobState.UNDONE:
        return "이미 되돌린 작업입니다."
    if job.state not in FINISHED:
        return NOT_FINISHED
    if job.kind == JobKind.UNDO or not job.params.get("undoable") or not job.done:
        return NOT_UNDOABLE
    return TOO_LATE if job.undo_until is None or at > job.undo_until else None


def check_right(job: Job, *, actor: Any) -> None:
    """되돌리기 권한: one's own batch with the right of the act; somebody else's with the right of the opposite act.

    Raises NotAllowed. Why: docs/adr/0009-undo-rights.md.
    """
    action = act_of(job)
    needed = action.permission if job.actor_id == actor.pk else action.undo_permission or action.permission
    if not actor.has_perm(needed):
        raise NotAllowed("다른 직원이 처리한 작업은 되돌릴 권한이 없습니다. 처리한 직원이나 대표에게 요청하세요.")


def last_undoable(*, actor: Any, at: datetime) -> Job:
    """마지막 처리: the newest batch of this person that can still be undone (ux.md 2.7, key U). Raises Conflict."""
    mine = Job.objects.filter(actor_id=actor.pk, state__in=FINISHED, undo_until__gte=at, params__undoable=True)
    found = mine.exclude(kind=JobKind.UNDO).filter(done__gt=0).order_by("-pk").first()
    if found is None:
        raise Conflict(NOTHING_TO_UNDO, code="not_undoable")
    return found


def open_undo(*, job: Job, actor: Any, at: datetime) -> Job:
    """되돌리기 미리보기: a job of kind UNDO in PREVIEW; its items say what can be undone and what not, and why.

    Raises Conflict after 30 minutes and for what has no undo.
    """
    reason = refusal(job, at=at)
    if reason is not None:
        raise Conflict(reason, code="not_undoable")
    check_right(job, actor=actor)
    undo = Job.objects.create(
        kind=JobKind.UNDO,
        act=job.act,
        label=f"{job.label} 되돌리기"[:80],
        actor=actor,
        undoes=job,
        params={"url": job.params.get("url", ""), "page": job.params.get("page", "")},
    )
    done = JobItem.objects.filter(job=job, result=ItemResult.OK, target_id__isnull=False)
    targets = [
        NewItem(target, group, made)
        for target, group, made in done.values_list("target_id", "group_id", "made_version").order_by("pk")
    ]
    judged: list[NewItem] = []
    with one_preview():
        for chunk in chunks(targets):
            judged += retrying(partial(_judge, job, chunk, undo=undo, actor=actor, at=at))
    with transaction.atomic():
        insert_items(undo, judged)
    return undo


def _judge(job: Job, chunk: list[NewItem], *, undo: Job, actor: Any, at: datetime) -> list[NewItem]:
    action = act_of(job)
    by_id = {item.target_id: item for item in chunk if item.target_id is not None}
    present = action.versions(list(by_id))
    moved = [pk for pk, item in by_id.items() if present.get(pk) != item.seen_version]
    reasons = changed_rows(action.model, moved, since_the_batch) if moved else {}
    if action.is_whole:
        left_out = {item.group_id for pk, item in by_id.items() if pk in reasons}
        reasons |= {pk: WITH_ITS_GROUP for pk, item in by_id.items() if pk not in reasons and item.group_id in left_out}
    rest = [pk for pk in by_id if pk not in reasons]
    with previewing():
        try:
            outcome = action.undo(rest, actor=actor, at=at, batch=undo, **action.undo_data)
            possible = {row.pk for row in outcome.possible if isinstance(row, action.model)}
            reasons |= {pk: outcome.refused.get(pk, NOT_POSSIBLE) for pk in rest if pk not in possible}
        except DomainError as error:
            reasons |= dict.fromkeys(rest, error.message)
    return [NewItem(pk, item.group_id, item.seen_version, reasons.get(pk, "")) for pk, item in by_id.items()]
