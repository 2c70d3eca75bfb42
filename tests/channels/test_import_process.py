"""Order files in real processes: sixteen at once, killed on the way, taken up again; how many questions they ask."""

import os
import signal
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from channels.invariants import answered_requests, applied_rows, connected_lines
from core.jobs import items, lease, runner
from core.models import Job, JobItem, JobState
from orders.models import Order, OrderEvent, OrderLine
from payments.models import LedgerEntry
from tests.channels.conftest import apply_job
from tests.channels.files import smartstore, smartstore_row
from tests.infra.processes import worker_database_url
from tests.infra.races import race

RACERS = 16


def shop_file(number: int, *, first: int = 1, note: str = "") -> bytes:
    """A file of orders of two lines each; with another `note` it is another file of the same orders."""
    rows = []
    for n in range(first, first + number):
        same = {"주문번호": f"2026092077{n:06d}", "배송비 묶음번호": f"B{n}", "판매자 내부코드1": note}
        rows += [smartstore_row(2 * n, **same), smartstore_row(2 * n + 1, **same, 상품번호="99", 상품명="양말")]
    return smartstore(rows)


def run(path: Path, *args: str, **env: str) -> subprocess.Popen[str]:
    """`manage.py oms_import` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "manage.py", "oms_import", str(path), *args],
        cwd=settings.BASE_DIR,
        env=os.environ | {"DATABASE_URL": worker_database_url(), "DJANGO_SETTINGS_MODULE": "oms.settings"} | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def nothing_twice() -> None:
    """Each order, line and payment of the file is there once, and all invariants of channels hold."""
    assert Order.objects.count() == Order.objects.values("channel_number").distinct().count()
    assert OrderLine.objects.count() == 2 * Order.objects.count()
    assert LedgerEntry.objects.count() == Order.objects.count()
    assert OrderEvent.objects.filter(kind="order.received").count() == Order.objects.count()
    assert [*applied_rows(), *connected_lines(), *answered_requests()] == []


LATE = ("이미 반영했습니다.", "등록할 행이 없습니다.", "등록 0행 · 제외 120행")
"""What those hear who were not first: of the file, of its rows in the preview, of its rows when they are applied."""


@pytest.mark.processes
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("files", [1, 16])
def test_sixteen_processes_with_the_same_orders_store_each_once(files, tmp_path):
    paths = [tmp_path / f"주문 {n}.xlsx" for n in range(files)]
    for n, path in enumerate(paths):
        path.write_bytes(shop_file(60, note=f"{n}"))

    def load(path: Path) -> str:
        out = StringIO()
        try:
            call_command("oms_import", str(path), stdout=out)
        except CommandError as refused:
            out.write(str(refused))
        return out.getvalue()

    said = race([lambda n=n: load(paths[n % files]) for n in range(RACERS)])
    assert Order.objects.count() == 60, said
    nothing_twice()
    assert sum("등록 120행" in text for text in said) == 1, said
    assert [text for text in said if "등록 120행" not in text and not any(late in text for late in LATE)] == []


@pytest.mark.processes
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("place", ["import_after_placing", "job_after_apply_before_commit", "job_after_commit"])
def test_a_killed_import_is_taken_up_and_stores_nothing_twice(tmp_path, place):
    path = tmp_path / "주문.xlsx"
    path.write_bytes(shop_file(550))
    killed = run(path, OMS_FAILPOINTS=f"{place}=kill", OMS_ENV="test")
    killed.communicate(timeout=120)
    assert killed.returncode == -signal.SIGKILL
    job = Job.objects.get()
    assert job.state == JobState.RUNNING
    stored = Order.objects.count()
    assert stored == (500 if place == "job_after_commit" else 0)
    Job.objects.update(lease_until=timezone.now())
    found = lease.claim(job_id=job.pk, at=timezone.now())
    assert found is not None
    runner.run(found)
    job.refresh_from_db()
    assert (job.state, items.counts(job).ok) == (JobState.DONE, 1_100)
    assert Order.objects.count() == 550
    nothing_twice()


def test_a_large_file_asks_as_many_questions_per_chunk_as_a_small_one(preview, staff):
    counts: list[int] = []
    for number, first in ((10, 1), (400, 1_000)):
        job = preview(shop_file(number, first=first))
        with CaptureQueriesContext(
            connection,
        ) as asked:
            apply_job(job, staff)
        counts.append(len(asked))
    small, large = counts
    assert Order.objects.count() == 410
    assert large <= small + 12, counts


def test_the_command_imports_dry_runs_and_repeats(tmp_path, capsys, db):
    path = tmp_path / "주문.xlsx"
    path.write_bytes(shop_file(2))
    call_command("oms_import", str(path), "--dry-run")
    assert "전체 4 · 반영 가능 4" in capsys.readouterr().out
    assert not Order.objects.exists()
    assert not JobItem.objects.exists()
    call_command("oms_import", str(path), "--profile", "스마트스토어 발주발송관리")
    assert "등록 4행 · 제외 0행" in capsys.readouterr().out
    with pytest.raises(CommandError, match="이미 반영했습니다"):
        call_command("oms_import", str(path))
    path.write_bytes(shop_file(2) + b"")
    again: Any = tmp_path / "again.xlsx"
    again.write_bytes(shop_file(3)[:-1] + shop_file(3)[-1:])
    call_command("oms_import", str(again))
    assert "변화 없음 4" in capsys.readouterr().out
    assert Order.objects.count() == 3


def test_the_command_refuses_in_korean(tmp_path, db):
    missing = tmp_path / "없음.xlsx"
    with pytest.raises(CommandError, match="파일을 열 수 없습니다"):
        call_command("oms_import", str(missing))
    path = tmp_path / "주문.xlsx"
    path.write_bytes(shop_file(1))
    with pytest.raises(CommandError, match="'모름' 양식이 없습니다"):
        call_command("oms_import", str(path), "--profile", "모름")
    path.write_bytes(b"%PDF-1.4")
    with pytest.raises(CommandError, match="xlsx, xls, csv 파일만"):
        call_command("oms_import", str(path))
    assert not Job.objects.exists()


def test_a_locked_file_takes_its_password_from_the_environment(tmp_path, monkeypatch, db):
    path = tmp_path / "주문.xlsx"
    path.write_bytes(smartstore([smartstore_row(1)], password="열쇠"))
    with pytest.raises(CommandError, match="암호가 걸린 파일입니다"):
        call_command("oms_import", str(path))
    monkeypatch.setenv("OMS_IMPORT_PASSWORD", "열쇠")
    call_command("oms_import", str(path))
    assert Order.objects.count() == 1


def test_what_was_stored_is_no_longer_kept_in_the_job(load):
    job = load(smartstore([smartstore_row(1), smartstore_row(2, 수량="0")]))
    done, refused = JobItem.objects.filter(job=job).order_by("row_number")
    assert set(done.data) == {"number"}
    assert done.target_id == OrderLine.objects.get().pk
    assert "김 수령" in str(refused.data)
