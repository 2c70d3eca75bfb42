"""Uploads: a file is read into rows with verdicts, looked at, and then applied like any other job.

An app writes one `Upload` class with `read` and `apply`, and registers it in its `uploads.py`. Preview, partial apply,
the second look at versions, progress, undo and the error file come from here. Each row has a target of its own.
Source: ux.md 3.3, reliability.md F11 to F13.
"""

import hashlib
import logging
from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from core.actions import Act
from core.calendar import short
from core.chunks import PIECE
from core.excel.columns import Column, Kind
from core.excel.problems import FileProblem
from core.excel.writer import stream_xlsx
from core.exceptions import Conflict
from core.jobs import files
from core.jobs.items import NewItem, Verdict, write_items
from core.models import ItemResult, Job, JobItem, JobKind, JobState
from core.people import named
from core.registry import ByName

APPLIED_STATES = (JobState.QUEUED, JobState.RUNNING, JobState.DONE, JobState.PARTIAL)
EXCLUDED = "직접 제외했습니다."
WHOLE = "오류가 있는 행이 {:,}건 있어 아무 행도 반영하지 않았습니다. 오류를 고친 파일을 다시 올리세요."
NOT_TICKED = "확인이 필요한 행을 고르지 않아 반영하지 않았습니다."

log = logging.getLogger("core.jobs")


class AlreadyApplied(Conflict):
    """이미 반영한 파일: the same bytes were applied before, by whom and when."""

    code = "already_applied"


@dataclass(frozen=True, slots=True)
class UploadRow:
    """파일 한 행: its number in the person's file, what it says, and the verdict of the dry run.

    `error` leaves it out; `ask` applies it only when the person ticks it; `is_same` means nothing would change.
    `data` is JSON and comes back on the item at apply.
    """

    row_number: int
    data: Mapping[str, Any] = field(default_factory=dict)
    target_id: int | None = None
    group_id: int | None = None
    seen_version: int | None = None
    error: str = ""
    ask: str = ""
    is_same: bool = False
    by_hand: bool = False
    """With `ask`: only a tick on the row itself applies it, never one for all."""


class Upload(Act):
    """파일 올리기: one kind of file and the service behind it."""

    unit: ClassVar[str] = "row"
    columns: ClassVar[Sequence[Column]] = ()
    """Columns of the error file, keys as in UploadRow.data; a column 오류 내용 is added."""

    @abstractmethod
    def read(self, path: Path, *, options: Mapping[str, Any], actor: Any) -> Iterable[UploadRow]:
        """미리보기: the rows of a stored file with their verdicts, writing nothing. Raises DomainError."""

    @abstractmethod
    def apply(
        self, items: Sequence[JobItem], *, actor: Any, at: datetime, batch: Job, **options: Any
    ) -> Mapping[int, Verdict]:
        """반영: a chunk of unchanged rows, inside its transaction; a verdict per item id."""

    def opened(self, *, job: Job, request: HttpRequest) -> None:
        """받음: called before the error file is handed out; an app whose rows hold personal data logs it."""
        log.info("error file of job %s handed out", job.pk)

    def error_file(self, job: Job) -> Iterator[bytes]:
        """오류 파일: the refused rows with the reason; an app that keeps the person's own sheet overrides it."""
        columns = [*self.columns, Column("reason", "오류 내용", Kind.MARK, 50)]
        rows = (
            [*((item.data or {}).get(column.key) for column in self.columns), item.reason]
            for item in refused_rows(job).order_by("row_number").iterator(chunk_size=PIECE)
        )
        return stream_xlsx(columns, rows, sheet="오류")


def refused_rows(job: Job) -> QuerySet[JobItem]:
    """오류 행: the rows that were left out; neither those that may still be applied nor those that change nothing."""
    return JobItem.objects.filter(job=job, result=ItemResult.REFUSED).exclude(data__has_key="same")


UPLOADS: ByName[Upload] = ByName()
register = UPLOADS.register


def get_upload(name: str) -> Upload | None:
    """파일 올리기 찾기: None when there is none of that name."""
    return UPLOADS.get(name)


def open_upload(
    *, upload: Upload, actor: Any, file_name: str, content: Iterable[bytes], at: datetime,
    options: Mapping[str, Any] | None = None, part: str = "",
) -> Job:  # fmt: skip
    """파일 올리기: store the file, read it, and keep a preview of its rows for 24 hours under the job's address.

    Nothing but the preview is written; `part` is the sheet, of a file with several. Raises AlreadyApplied for bytes
    (and a part) that were applied before, FileProblem for a file without rows, and the DomainError of `read` for one
    that cannot be understood; the stored file is gone then.
    """
    stored, digest = files.store(content, suffix=Path(file_name).suffix.lower()[:8])
    if part:
        digest = hashlib.sha256(f"{digest}\x1f{part}".encode()).hexdigest()
    try:
        refuse_applied(act=upload.name, digest=digest)
        path = files.folder() / stored
        rows = list(upload.read(path, options=options or {}, actor=actor))
        if not rows:
            raise FileProblem("file_no_rows")
    except BaseException:
        files.remove(stored)
        raise
    with transaction.atomic():
        job = Job.objects.create(
            kind=JobKind.UPLOAD,
            act=upload.name,
            label=upload.label,
            actor=actor,
            params={"options": dict(options or {}), "undoable": upload.is_undoable},
            total=len(rows),
            file_name=Path(file_name).name[:200],
            file_path=stored,
            file_hash=digest,
        )
        write_items(job, [_item(row) for row in rows])
    return job


def _item(row: UploadRow) -> tuple[NewItem, ItemResult]:
    reason = row.error or ("변화 없음" if row.is_same else row.ask)
    data = {**row.data, "same": True} if row.is_same else row.data
    if row.by_hand:
        data = {**data, "by_hand": True}
    item = NewItem(row.target_id, row.group_id, row.seen_version, reason, data, row.row_number)
    return item, ItemResult.REFUSED if row.error or row.is_same else ItemResult.PENDING


@dataclass(frozen=True, slots=True)
class UploadCounts:
    """미리보기 건수: the four counters of the preview and the rows that change nothing."""

    total: int
    ready: int
    ask: int
    error: int
    same: int


def upload_counts(job: Job) -> UploadCounts:
    """미리보기 건수 of a job that was not applied yet. One query."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), count(*) FILTER (WHERE result = 'PENDING' AND reason = ''),"
            " count(*) FILTER (WHERE result = 'PENDING' AND reason <> ''),"
            " count(*) FILTER (WHERE result = 'REFUSED' AND NOT COALESCE((data->>'same')::bool, false)),"
            " count(*) FILTER (WHERE result = 'REFUSED' AND COALESCE((data->>'same')::bool, false))"
            " FROM core_jobitem WHERE job_id = %s",
            [job.pk],
        )
        return UploadCounts(*(int(number) for number in cursor.fetchone()))


def exclude_rows(*, job: Job, row_numbers: Collection[int], reason: str = EXCLUDED) -> int:
    """행 제외: leave rows of a preview out by hand; returns how many."""
    rows = JobItem.objects.filter(job=job, job__state=JobState.PREVIEW, row_number__in=list(row_numbers))
    return rows.filter(result=ItemResult.PENDING).update(result=ItemResult.REFUSED, reason=reason)


def stopping_errors(job: Job) -> int:
    """막는 오류: wrong rows of a preview that was sent with the option `whole`; what a person left out is none."""
    if not (job.params.get("options") or {}).get("whole"):
        return 0
    refused = JobItem.objects.filter(job=job, result=ItemResult.REFUSED).exclude(data__contains={"same": True})
    return refused.exclude(reason=EXCLUDED).count()


def refuse_partly_wrong(job: Job) -> None:
    """전체 취소: a file sent with the option `whole` is applied without errors or not at all. Raises Conflict."""
    errors = stopping_errors(job)
    if errors:
        raise Conflict(WHOLE.format(errors), code="has_errors")


def settle_questions(*, job: Job, ticked: Collection[int] | None) -> None:
    """확인 필요 행: those that were ticked go on (None: all without `by_hand`), the others are left out."""
    asking = JobItem.objects.filter(job=job, result=ItemResult.PENDING).exclude(reason="")
    chosen = Q(row_number__in=list(ticked)) if ticked is not None else ~Q(data__contains={"by_hand": True})
    asking.filter(chosen).update(reason="")
    asking.exclude(reason="").update(result=ItemResult.REFUSED, reason=NOT_TICKED)


def refuse_applied(*, act: str, digest: str, but: Job | None = None) -> None:
    """같은 파일 거절: raises AlreadyApplied when the bytes were applied by another job and not undone."""
    rivals = Job.objects.filter(kind=JobKind.UPLOAD, act=act, file_hash=digest, state__in=APPLIED_STATES)
    rival = rivals.exclude(pk=but.pk if but else 0).select_related("actor").order_by("-pk").first()
    if rival is not None:
        when = rival.started_at or rival.finished_at or timezone.now()
        who = f"{named(rival.actor)}이"
        raise AlreadyApplied(f"이 파일은 {short(when)}에 {who} 이미 반영했습니다.")


def one_at_a_time(digest: str) -> None:
    """같은 파일 줄 세우기: two applies of the same bytes wait for each other until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [digest])
