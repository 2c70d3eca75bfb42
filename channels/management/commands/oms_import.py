"""manage.py oms_import FILE [--profile NAME] [--dry-run]: an order file without the browser."""

import getpass
import os
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from channels.models import OrderProfile
from channels.uploads import open_import
from core.excel import FileProblem, Table, clean_name, read_table
from core.excel.limits import MAX_BYTES
from core.exceptions import DomainError
from core.jobs import items, lease, runner, start
from core.jobs.uploads import upload_counts
from core.models import ItemResult, Job, JobItem, JobState

SHOWN_REASONS = 20
PASSWORD = "OMS_IMPORT_PASSWORD"


class Command(BaseCommand):
    help = "Import an order file; rows that ask a question are left out. --dry-run stores nothing but the preview."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--profile", default="", help="name of the file layout; found by itself when left out")
        parser.add_argument("--dry-run", action="store_true", help="say what would happen and change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        try:
            if path.stat().st_size > MAX_BYTES:
                raise FileProblem("file_too_large")
            content = path.read_bytes()
        except OSError as error:
            raise CommandError(f"파일을 열 수 없습니다: {error.strerror}") from error
        except DomainError as error:
            raise CommandError(error.message) from error
        try:
            table = _read(content, path.name)
            job = open_import(
                content=content, table=table, profile=_profile(options["profile"]), actor=None, at=timezone.now()
            )
        except DomainError as error:
            raise CommandError(error.message) from error
        self._tell_preview(job)
        if options["dry_run"]:
            start.cancel(job_id=job.pk, actor=None, at=timezone.now())
            return
        self._apply(job)

    def _tell_preview(self, job: Job) -> None:
        counts = upload_counts(job)
        facts = job.params["options"]
        self.stdout.write(
            f"{job.file_name}: {facts['profile_name']} / {facts['channel_name']} · 전체 {counts.total:,}"
            f" · 반영 가능 {counts.ready:,} · 확인 필요 {counts.ask:,} · 오류 {counts.error:,}"
            f" · 변화 없음 {counts.same:,}"
        )
        for item in (
            JobItem.objects.filter(job=job)
            .exclude(reason="")
            .exclude(data__has_key="same")
            .order_by("row_number")[:SHOWN_REASONS]
        ):
            self.stdout.write(f"  {item.row_number}행: {item.reason}")

    def _apply(self, job: Job) -> None:
        at = timezone.now()
        if not JobItem.objects.filter(job=job, result=ItemResult.PENDING, reason="").exists():
            start.cancel(job_id=job.pk, actor=None, at=at)
            self.stdout.write("등록할 행이 없습니다.")
            return
        try:
            found = start.confirm(job_id=job.pk, actor=None, at=at) or lease.claim(job_id=job.pk, at=at)
        except DomainError as error:
            raise CommandError(error.message) from error
        if found is not None:
            runner.run(found)
        job = Job.objects.get(pk=job.pk)
        result = items.counts(job)
        self.stdout.write(f"등록 {result.ok:,}행 · 제외 {result.refused:,}행")
        for reason, number in items.reasons(job):
            self.stdout.write(f"  {number:,}행: {reason}")
        if job.state not in {JobState.DONE, JobState.PARTIAL}:
            raise CommandError(
                f"끝내지 못했습니다: {job.error or job.get_state_display()}. 작업 현황에서 이어서 처리하세요."
            )


def _read(content: bytes, name: str) -> Table:
    """A password comes from the environment or the terminal, never from the command line that everybody can list."""
    password = os.environ.get(PASSWORD, "")
    try:
        return read_table(content, filename=clean_name(name), password=password)
    except FileProblem as problem:
        if problem.code != "file_password" or not sys.stdin.isatty():
            raise
    return read_table(content, filename=clean_name(name), password=getpass.getpass("파일 암호: "))


def _profile(name: str) -> OrderProfile | None:
    if not name:
        return None
    profile = OrderProfile.objects.select_related("channel").filter(name=name).first()
    if profile is None:
        known = ", ".join(OrderProfile.objects.order_by("name", "pk").values_list("name", flat=True))
        raise CommandError(f"'{name}' 양식이 없습니다. 있는 양식: {known}")
    return profile
