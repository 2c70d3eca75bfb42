"""What a job does with a chunk of its items: an act, its undo, or the rows of a file."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Protocol

from django.db import transaction
from django.http import QueryDict

from core import relay
from core.actions import Act, BulkAction, get_action
from core.exceptions import DomainError
from core.jobs import inputs
from core.jobs.history import told_since_batch, told_since_screen
from core.jobs.inputs import NoLongerValid
from core.jobs.items import Verdict
from core.jobs.retry import ChangedMeanwhile
from core.jobs.uploads import Upload, get_upload
from core.locks import LockTimeout, locking
from core.models import Job, JobItem, JobKind
from core.state import Change, Outcome

WITH_ITS_GROUP = "같은 주문의 다른 품목이 그 사이 바뀌어 함께 제외했습니다. 화면을 새로 고친 뒤 확인하세요."
NOT_POSSIBLE = "지금은 처리할 수 없는 상태입니다. 화면을 새로 고친 뒤 확인하세요."
Tell = Callable[[Act, Collection[int]], Mapping[int, str]]
"""Says of changed targets what became of them."""


class UnknownAct(Exception):
    """The act that a job names is not registered (any more)."""


class Work(Protocol):
    """처리 내용 of one kind of job."""

    permission: str
    is_undoable: bool

    def process(self, items: Sequence[JobItem], *, job: Job, at: datetime) -> dict[int, Verdict]:
        """Do it, inside the chunk's transaction; a verdict per item id."""


def work_of(job: Job) -> Work:
    """처리 내용 찾기. Raises UnknownAct."""
    act = act_of(job)
    if job.kind == JobKind.UNDO:
        return UndoWork(act)
    if isinstance(act, Upload):
        return UploadWork(act)
    if isinstance(act, BulkAction):
        return ActWork(act)
    raise UnknownAct(job.act)


def act_of(job: Job) -> Act:
    """작업의 처리: the act or upload behind a job or its undo. Raises UnknownAct."""
    act: Act | None = get_action(job.act) or get_upload(job.act)
    if act is None:
        raise UnknownAct(job.act)
    return act


class ActWork:
    """선택 처리: the service on the rows that still are what the person saw."""

    def __init__(self, action: BulkAction) -> None:
        self.action = action
        self.permission = action.permission
        self.is_undoable = action.is_undoable

    def prepare(self, items: Sequence[JobItem], *, job: Job, at: datetime) -> None:
        """처리 전 준비 of a chunk, before its transaction; a refusal is told by `process`, which meets it again."""
        ids = [item.target_id for item in items if item.target_id is not None]
        if not ids:
            return
        with suppress(DomainError):
            self.action.prepare(ids, actor=job.actor, at=at, batch=job, **form_values(self.action, inputs.given(job)))

    def process(self, items: Sequence[JobItem], *, job: Job, at: datetime) -> dict[int, Verdict]:
        try:
            data = form_values(self.action, inputs.given(job))
        except NoLongerValid as error:
            return {item.pk: Verdict(error.message) for item in items}
        return on_unchanged(
            self.action,
            items,
            told_since_screen,
            lambda ids: self.action.apply(ids, actor=job.actor, at=at, batch=job, **data),
        )


class UndoWork:
    """되돌리기: the opposite service on the rows that still are what the batch made of them."""

    is_undoable = False

    def __init__(self, action: Act) -> None:
        self.action = action
        self.permission = action.permission

    def process(self, items: Sequence[JobItem], *, job: Job, at: datetime) -> dict[int, Verdict]:
        def undo(ids: Collection[int]) -> Outcome:
            with locking(actor=job.actor):
                # Deliveries before orders, as the relay takes them.
                relay.lock_unsent(batch=job.undoes, subject=self.action.subject, ids=ids)
                outcome = self.action.undo(ids, actor=job.actor, at=at, batch=job, **self.action.undo_data)
                relay.withdraw(batch=job.undoes, undone_by=job, changes=outcome.changes, at=at)
            return outcome

        return on_unchanged(self.action, items, told_since_batch, undo)


class UploadWork:
    """파일 반영: the upload's own service on its checked rows."""

    def __init__(self, upload: Upload) -> None:
        self.upload = upload
        self.permission = upload.permission
        self.is_undoable = upload.is_undoable

    def process(self, items: Sequence[JobItem], *, job: Job, at: datetime) -> dict[int, Verdict]:
        options = job.params.get("options") or {}
        stale = stale_items(self.upload, [item for item in items if item.seen_version is not None], told_since_screen)
        rest = [item for item in items if item.pk not in stale]
        verdicts = {pk: Verdict(reason) for pk, reason in stale.items()}
        if rest:
            try:
                with transaction.atomic():
                    verdicts |= self.upload.apply(rest, actor=job.actor, at=at, batch=job, **options)
            except LockTimeout:
                raise
            except DomainError as error:
                verdicts |= {item.pk: Verdict(error.message) for item in rest}
        return {item.pk: verdicts.get(item.pk, Verdict(NOT_POSSIBLE)) for item in items}


def form_values(action: BulkAction, stored: Mapping[str, Sequence[str]] | None) -> dict[str, Any]:
    """입력값: the form of an act cleaned again out of what was posted; stand-ins while nobody has filled it in.

    Raises NoLongerValid when what a person filled in cannot be used any more (a date that has passed by now): an act
    never runs with stand-ins in its place.
    """
    if action.form_class is None:
        return {}
    if stored is not None:
        form = action.form_class(as_query(stored))
        if form.is_valid():
            return dict(form.cleaned_data)
        raise NoLongerValid(next(str(error) for errors in form.errors.values() for error in errors))
    blank = action.form_class()
    return {name: blank.get_initial_for_field(field, name) for name, field in blank.fields.items()} | dict(
        action.preview_data
    )


def as_query(stored: Mapping[str, Sequence[str]]) -> QueryDict:
    """입력값 되살리기: posted values as a form wants them."""
    query = QueryDict(mutable=True)
    for name, values in stored.items():
        query.setlist(name, list(values))
    return query


def stale_items(owner: Act, items: Sequence[JobItem], tell: Tell) -> dict[int, str]:
    """바뀐 항목: item id to sentence for the targets whose version is no longer the one that was seen."""
    if not items:
        return {}
    present = owner.versions([item.target_id for item in items if item.target_id is not None])
    stale = [item for item in items if present.get(item.target_id or 0) != item.seen_version]
    if not stale:
        return {}
    sentences = tell(owner, [item.target_id for item in stale if item.target_id])
    return {item.pk: sentences.get(item.target_id or 0, NOT_POSSIBLE) for item in stale}


def on_unchanged(
    action: Act, items: Sequence[JobItem], tell: Tell, act: Callable[[Collection[int]], Outcome]
) -> dict[int, Verdict]:
    """바뀌지 않은 대상에만: run `act` on the targets with the seen version and turn its outcome into verdicts.

    The versions are compared once before, to leave out what changed, and once after under the locks that `act` took;
    what was refused because it changed in between says who changed it.
    Raises ChangedMeanwhile when a row moved in between; the chunk's transaction must then start over.
    """
    verdicts = {pk: Verdict(reason) for pk, reason in stale_items(action, items, tell).items()}
    if action.is_whole:
        verdicts |= _siblings(items, verdicts)
    fresh = {item.target_id: item for item in items if item.pk not in verdicts and item.target_id is not None}
    try:
        with transaction.atomic():
            outcome = act(list(fresh)) if fresh else Outcome()
    except LockTimeout:
        raise
    except DomainError as error:
        return verdicts | {item.pk: Verdict(error.message) for item in fresh.values()}
    seen: dict[int | None, int | None] = {pk: item.seen_version for pk, item in fresh.items()}
    made = made_versions(action.model, outcome.changes, seen)
    if not action.moves_rows:
        rows: list[Any] = [row for row in outcome.possible if isinstance(row, action.model)]
        made |= {row.pk: row.version for row in rows if row.version == seen.get(row.pk)}
    if not made.keys() <= fresh.keys():
        raise RuntimeError(f"{action.name} moved rows that nobody confirmed: {sorted(made.keys() - fresh.keys())[:5]}")
    verdicts |= {item.pk: Verdict(made_version=made[pk]) for pk, item in fresh.items() if pk in made}
    left = {pk: item for pk, item in fresh.items() if pk not in made}
    # Who lost a race hears of the winner, not only of the state that the winner left behind.
    lost = stale_items(action, list(left.values()), tell) if left else {}
    refused = {item.pk: outcome.refused.get(pk, NOT_POSSIBLE) for pk, item in left.items()}
    return verdicts | {pk: Verdict(lost.get(pk, reason)) for pk, reason in refused.items()}


def _siblings(items: Sequence[JobItem], left_out: Mapping[int, Verdict]) -> dict[int, Verdict]:
    groups = {item.group_id for item in items if item.pk in left_out}
    return {item.pk: Verdict(WITH_ITS_GROUP) for item in items if item.pk not in left_out and item.group_id in groups}


def made_versions(model: Any, changes: Sequence[Change], seen: Mapping[int | None, int | None]) -> dict[int, int]:
    """바꾼 버전: target id to the version its last change gave it. Raises ChangedMeanwhile."""
    made: dict[int, int] = {}
    for change in changes:
        if not isinstance(change.row, model):
            continue
        if change.row.pk not in made and change.row.pk in seen and change.version - 1 != seen[change.row.pk]:
            raise ChangedMeanwhile(f"{model._meta.label} {change.row.pk}")
        made[change.row.pk] = change.version
    return made
