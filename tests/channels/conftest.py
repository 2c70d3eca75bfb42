"""Order files through the doors that staff use."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import User
from channels.models import OrderProfile
from channels.uploads import open_import
from core.excel import read_table
from core.jobs import lease, runner, start
from core.models import Job, JobItem
from tests.fixtures.orders import NOW


@pytest.fixture
def preview(staff: User) -> Callable[..., Job]:
    """`preview(data)`: the dry run of a file."""

    def read(data: bytes, *, name: str = "주문.xlsx", password: str = "", profile: OrderProfile | None = None) -> Job:
        table = read_table(data, filename=name, password=password)
        return open_import(content=data, table=table, profile=profile, actor=staff, at=NOW)

    return read


def apply_job(job: Job, actor: Any, *, ticked: Any = ()) -> Job:
    """Confirm a preview and work it off, as the request or a worker does."""
    at = job.created_at
    found = start.confirm(job_id=job.pk, actor=actor, at=at, ticked=ticked) or lease.claim(job_id=job.pk, at=at)
    assert found is not None
    runner.run(found)
    return Job.objects.get(pk=job.pk)


@pytest.fixture
def load(preview: Callable[..., Job], staff: User) -> Callable[..., Job]:
    """`load(data)`: preview and apply."""

    def run(data: bytes, *, ticked: Any = (), **options: Any) -> Job:
        return apply_job(preview(data, **options), staff, ticked=ticked)

    return run


def verdicts(job: Job) -> list[tuple[int, str, str]]:
    """(row number, result, reason) in the order of the file."""
    rows = JobItem.objects.filter(job=job).order_by("row_number")
    return [(item.row_number or 0, item.result, item.reason) for item in rows]
