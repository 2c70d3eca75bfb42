"""Files that take long are written by a job, from the same query, and logged when they are handed out."""

import io

import pytest
from django.db import connection
from django.utils import timezone
from openpyxl import load_workbook

from accounts.models import AccessAction, AccessLog
from accounts.roles import PERSONAL_EXPORT_ROWS, Role
from core.jobs import lease, runner
from core.lists import ListRefused, lists
from core.lists.export import TooManyRows, snapshot, write_export
from core.models import Job, JobKind, JobState
from core.views import lists as views
from orders.models import Order, OrderLine
from tests.fixtures.order_rows import NOW, fill_orders


@pytest.fixture
def stored_orders(transactional_db):
    """Orders that other connections see."""
    fill_orders(300, done=0.5)


def test_a_long_file_becomes_a_job_with_the_same_rows(stored_orders, make_staff, sign_in, monkeypatch):
    monkeypatch.setattr(views, "AT_ONCE", 100)
    user = make_staff(Role.OWNER)
    browser = sign_in(user)
    answer = browser.post("/orders/excel/?period=all&tab=confirmed", {"reason": "정산 확인"})
    job = Job.objects.get()
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/jobs/{job.uuid}/")
    assert (job.kind, job.state, job.actor, job.total) == (JobKind.EXPORT, JobState.QUEUED, user, len(wanted()))
    assert not AccessLog.objects.filter(action=AccessAction.EXPORT).exists()

    taken = lease.claim(job_id=job.pk, at=timezone.now())
    assert taken is not None
    runner.run(taken)
    job = Job.objects.get()
    assert job.state == JobState.DONE, job.error
    file = browser.get(f"/jobs/{job.uuid}/file/")
    body = b"".join(file.streaming_content) if file.streaming else file.content
    rows = list(load_workbook(io.BytesIO(body)).active.iter_rows(values_only=True))
    log = AccessLog.objects.get(action=AccessAction.EXPORT)
    assert {row[0] for row in rows[1:]} == wanted()
    assert (log.actor, log.purpose, log.row_count) == (user, "정산 확인", len(rows) - 1 if job.done else 0)


def wanted() -> set[str]:
    return set(Order.objects.filter(steps__bit=32).values_list("number", flat=True))


def test_a_file_shows_one_moment_although_orders_go_on_arriving(stored_orders):
    query = lists.page("orders").query("period=all", user=None, at=NOW)
    with snapshot():
        groups = query.chunks(query.columns(), size=50)
        first = next(groups)
        with connection.cursor() as cursor:
            cursor.execute("SHOW transaction_isolation")
            assert cursor.fetchone() == ("repeatable read",)
            cursor.execute("SHOW transaction_read_only")
            assert cursor.fetchone() == ("on",)
        assert sum(len(group) for group in groups) + len(first) == 300


def test_a_file_that_would_be_too_long_is_refused(some_orders, monkeypatch):
    monkeypatch.setattr("core.lists.export.MOST_ROWS", 100)
    with pytest.raises(TooManyRows):
        write_export(lists.page("orders").query("period=all", user=None, at=NOW), io.BytesIO())


def test_a_wrong_condition_never_becomes_a_file(some_orders):
    with pytest.raises(ListRefused):
        write_export(lists.page("orders").query("from=x", user=None, at=NOW), io.BytesIO())


@pytest.mark.parametrize(("role", "status"), [(Role.CS, 403), (Role.OWNER, 200)])
def test_cs_takes_500_rows_with_personal_data_away_and_no_more(role, status, stored_orders, sign_in, monkeypatch):
    """reliability.md 4.1: above the limit a second person decides; the owner is not limited."""
    lines = OrderLine.objects.filter(order__in=Order.objects.all()).count()
    monkeypatch.setitem(PERSONAL_EXPORT_ROWS, Role.CS, lines - 1)
    browser = sign_in(role)
    url = "/orders/excel/?period=all"
    assert browser.get(url).status_code == status
    answer = browser.post(url, {"reason": "고객 문의 확인"})
    assert answer.status_code == status
    assert AccessLog.objects.filter(action=AccessAction.EXPORT).count() == (status == 200)
    assert not Job.objects.exists()
    if status == 403:
        text = answer.content.decode()
        assert f"CS 역할이 한 번에 {lines - 1:,}행까지 내려받을 수 있습니다. 지금 파일은 {lines:,}행입니다." in text
        assert "기간이나 조건을 줄이거나 대표에게 내려받아 달라고 요청하세요." in text
        monkeypatch.setitem(PERSONAL_EXPORT_ROWS, Role.CS, lines)
        assert browser.post(url, {"reason": "고객 문의 확인"}).status_code == 200


def test_cs_does_not_take_the_large_file_of_somebody_else(stored_orders, sign_in, monkeypatch):
    monkeypatch.setattr(views, "AT_ONCE", 100)
    monkeypatch.setitem(PERSONAL_EXPORT_ROWS, Role.CS, 5)
    owner = sign_in(Role.OWNER)
    owner.post("/orders/excel/?period=all&tab=confirmed", {"reason": "정산 확인"})
    job = Job.objects.get()
    taken = lease.claim(job_id=job.pk, at=timezone.now())
    assert taken is not None
    runner.run(taken)
    answer = sign_in(Role.CS).get(f"/jobs/{job.uuid}/file/")
    assert answer.status_code == 403
    assert "대표에게 내려받아 달라고 요청하세요." in answer.content.decode()
    assert not AccessLog.objects.filter(action=AccessAction.EXPORT).exists()
    assert owner.get(f"/jobs/{job.uuid}/file/").status_code == 200


def test_the_limit_of_cs_is_that_of_the_matrix():
    assert dict(PERSONAL_EXPORT_ROWS) == {Role.CS: 500}
