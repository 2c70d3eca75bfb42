"""The sweep: what time alone makes necessary. Every step may run at any moment, twice, and from several processes."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from core import slots
from core.jobs import files, lease, runner, start
from core.jobs.dispatch import due_jobs
from core.models import Job, JobItem, JobKind, JobState
from core.options import FILE_KEEP_DAYS
from core.settings_registry import get_setting


@dataclass(frozen=True, slots=True)
class Swept:
    """정리 결과: how many previews, files and slots were removed."""

    previews: int
    files: int
    slots: int


def sweep(*, at: datetime) -> Swept:
    """정리: throw away previews after a day, files after their time, and old slot rows."""
    kept_since = at - timedelta(days=int(get_setting(FILE_KEEP_DAYS.key)))
    _empty_rows(before=kept_since)
    return Swept(
        previews=_drop_previews(at=at),
        files=files.remove_older(than=kept_since),
        slots=slots.forget_old(at=at),
    )


def run_due(*, at: datetime) -> int:
    """밀린 작업 처리: work on every job that is due, in this process; returns how many were taken up."""
    taken = [found for pk in due_jobs() if (found := lease.claim(job_id=pk, at=at)) is not None]
    for found in taken:
        runner.run(found)
    return len(taken)


def _empty_rows(*, before: datetime) -> None:
    """What an uploaded file said of people goes with the file; the verdicts of its rows stay."""
    old = Job.objects.filter(kind=JobKind.UPLOAD, created_at__lt=before).exclude(file_path="")
    ids = list(old.order_by("pk").values_list("pk", flat=True)[:100])
    JobItem.objects.filter(job__in=ids, data__isnull=False).update(data=None)
    Job.objects.filter(pk__in=ids).update(file_path="")


def _drop_previews(*, at: datetime) -> int:
    old = Job.objects.filter(state=JobState.PREVIEW, created_at__lt=at - start.PREVIEW_LIFETIME)
    found = list(old.order_by("pk").values_list("pk", "kind", "file_path")[:500])
    for pk, kind, file_path in found:
        start.cancel(job_id=pk, actor=None, at=at)
        if kind == JobKind.UPLOAD:
            files.remove(file_path)
    return len(found)
