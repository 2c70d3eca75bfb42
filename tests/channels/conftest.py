"""Order files through the doors that staff use."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from channels.api.gate import bad_keys
from channels.models import OrderProfile
from channels.services.feed import proven
from channels.services.keys import make_key
from channels.uploads import open_import
from core.excel import read_table
from core.jobs import lease, runner, start
from core.models import Job, JobItem
from orders.models import SalesChannel
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


@pytest.fixture(autouse=True)
def _fresh_process() -> None:
    """What this process remembers about the database and its callers belongs to the test before."""
    proven.forget()
    bad_keys.forget()


class Api:
    """A storefront with its key: JSON in, JSON out."""

    def __init__(self, token: str) -> None:
        self.client = Client()
        self.headers = {"Authorization": f"Bearer {token}"}
        self._keys = count(1)

    def get(self, path: str, **params: Any) -> Any:
        return self.client.get(f"/api/v1{path}", params, headers=self.headers)

    def post(self, path: str, body: Any, *, key: str | None = None) -> Any:
        headers = self.headers | {"Idempotency-Key": key or f"key-{next(self._keys)}"}
        return self.client.post(f"/api/v1{path}", body, content_type="application/json", headers=headers)


@pytest.fixture
def api(channel: SalesChannel, staff: User) -> Api:
    """The storefront of the channel `mall`."""
    return Api(make_key(channel=channel, actor=staff, at=NOW)[1])


def order_body(number: str = "M-1", **facts: Any) -> dict[str, Any]:
    """A card order of two lines, 33,000 won."""
    body: dict[str, Any] = {
        "channel_number": number,
        "ordered_at": "2026-09-21T10:00:00+09:00",
        "buyer": {"name": "홍길동", "phone": "010-1234-5678", "email": "hong@example.com"},
        "recipient": {
            "name": "김수령",
            "phone": "010-8765-4321",
            "zip_code": "06234",
            "address1": "서울 강남구 테헤란로 4321",
        },
        "payment": {"method": "CARD", "paid_at": "2026-09-21T10:01:00+09:00"},
        "amounts": {"discount": 1000, "shipping_fee": 3000},
        "lines": [
            {"product_code": "P1", "product_name": "티셔츠", "option_name": "M", "quantity": 2, "unit_price": 10000},
            {"product_code": "P2", "product_name": "양말", "quantity": 1, "unit_price": 11000},
        ],
    }
    return body | facts
