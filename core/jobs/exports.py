"""Exports: a file written by a worker, offered when it is complete, gone after its time.

An app writes one `Export` class with `pieces`, registers it in its `exports.py` and opens jobs with `open_export`.
"""

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, ClassVar

from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest
from django.utils import timezone

from core.jobs import files
from core.jobs.lease import LEASE, Lease, LeaseLost, renew
from core.jobs.lifecycle import advance, lock_job
from core.models import Job, JobKind
from core.registry import ByName

log = logging.getLogger("core.jobs")

DISK_FULL = "파일을 저장하지 못했습니다. 서버의 저장 공간을 확인한 뒤 '이어서 처리'를 누르세요."


class Export(ABC):
    """내려받기: one kind of file that takes longer than a request may."""

    name: ClassVar[str]
    label: ClassVar[str]
    permission: ClassVar[str]
    suffix: ClassVar[str] = ".xlsx"
    content_type: ClassVar[str] = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

    @abstractmethod
    def pieces(self, *, job: Job, at: datetime, progress: "Heartbeat") -> Iterator[bytes]:
        """내용: the file as pieces of bytes, in one snapshot of the data; `progress.rows` may be set on the way."""

    def opened(self, *, job: Job, request: HttpRequest) -> None:
        """받음: called before the file is handed out; an app with personal data in it writes the access log here."""
        log.info("export %s of job %s handed out", self.name, job.pk)


EXPORTS: ByName[Export] = ByName()
register = EXPORTS.register


def get_export(name: str) -> Export | None:
    """내려받기 찾기: None when there is none of that name."""
    return EXPORTS.get(name)


def open_export(
    *, export: Export, actor: Any, file_name: str, total: int, params: Mapping[str, Any], at: datetime
) -> Job:
    """내려받기 등록: a job that waits for a worker; `total` rows are expected, `params` is JSON for `pieces`."""
    with transaction.atomic():
        job = Job.objects.create(
            kind=JobKind.EXPORT,
            act=export.name,
            label=export.label,
            actor=actor,
            params=dict(params),
            total=total,
            file_name=file_name[:200],
        )
        locked = lock_job(job.pk)
        assert locked is not None
        advance(locked, Job.enqueue, at=at, actor=actor)
    return locked


class Heartbeat(threading.Thread):
    """심장박동: renews the lease of a long piece of work from a thread and connection of its own."""

    def __init__(self, lease: Lease) -> None:
        super().__init__(name=f"heartbeat-{lease.job_id}", daemon=True)
        self.lease = lease
        self.rows = 0
        self._ending = threading.Event()
        self._lost = threading.Event()

    def __enter__(self) -> "Heartbeat":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self.join()

    def run(self) -> None:
        try:
            while not self._ending.wait(LEASE.total_seconds() / 12):
                if not self._beat():
                    self._lost.set()
                    return
        finally:
            connection.close()

    def check(self) -> None:
        """임대 확인: raises LeaseLost when the job was taken over, ended, or asked to stop."""
        if self._lost.is_set():
            raise LeaseLost(f"job {self.lease.job_id}, token {self.lease.token}")

    def _beat(self) -> bool:
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    "UPDATE core_job SET lease_until = clock_timestamp() + make_interval(secs => %s), done = %s"
                    " WHERE id = %s AND lease_token = %s AND state = 'RUNNING' AND NOT cancel_requested RETURNING id",
                    [LEASE.total_seconds(), self.rows, self.lease.job_id, self.lease.token],
                )
                return cursor.fetchone() is not None
        except DatabaseError:
            # Not heard for a while is what leases are for; the next beat tries a fresh connection.
            connection.close()
            return True


def run_export(lease: Lease) -> None:
    """내려받기 진행: write the whole file, then offer it; a second run starts from scratch and leaves one file.

    Raises LeaseLost when the job was taken over.
    """
    job = Job.objects.select_related("actor").get(pk=lease.job_id)
    at = timezone.now()
    export = get_export(job.act)
    error = _refusal(job, export)
    name, rows = "", 0
    if export is not None and not error:
        with Heartbeat(lease) as beat:
            try:
                name, _ = files.store(
                    export.pieces(job=job, at=at, progress=beat), suffix=export.suffix, check=beat.check
                )
            except OSError:
                error = DISK_FULL
            except LeaseLost:
                _stop_if_asked(lease)
                raise
            rows = beat.rows or job.total
    try:
        with transaction.atomic():
            job = renew(lease)
            if error:
                advance(job, Job.fail, at=timezone.now(), error=error)
                return
            Job.objects.filter(pk=job.pk).update(file_path=name, total=rows)
            advance(job, Job.finish, at=timezone.now(), done=rows, failed=0, undoable=False)
    except BaseException:
        files.remove(name)
        raise


def _refusal(job: Job, export: Export | None) -> str:
    if export is None:
        return "지금 버전에는 없는 내려받기입니다. 관리자에게 알려 주세요."
    if job.actor is not None and not job.actor.has_perm(export.permission):
        return "작업한 직원의 계정이나 권한이 바뀌어 멈췄습니다."
    return ""


def _stop_if_asked(lease: Lease) -> None:
    with transaction.atomic():
        job = renew(lease)
        if job.cancel_requested:
            advance(job, Job.cancel, at=timezone.now(), actor=job.actor)
