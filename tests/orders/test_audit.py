"""처리 이력: who did what when and why; filters, paging, the file for a reason, and who may see it."""

import io
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from openpyxl import load_workbook

from accounts.models import AccessLog
from accounts.roles import Role
from core.lists import lists
from core.lists.presenter import present
from core.models import Job, JobKind
from orders.lists import kind_choices
from orders.models import OrderEvent
from orders.services import locks, progress
from payments.services.manual import confirm_manually

URL = "/audit/"


@pytest.fixture
def happened(make_order, lines_of, make_staff):
    """Two orders; one was paid by hand and held in a batch, by two people."""
    at = timezone.now() - timedelta(hours=2)
    first, second = make_order(at=at), make_order(at=at)
    finance, cs = make_staff(Role.FINANCE, display_name="최하린"), make_staff(Role.CS, display_name="박지우")
    batch = Job.objects.create(kind=JobKind.ACT, act="hold", label="배송보류", actor=cs)
    confirm_manually(order_ids=[first.pk], actor=finance, at=at + timedelta(minutes=1))
    line = lines_of(first)[0]
    locks.hold(
        line_ids=[line.pk], actor=cs, at=at + timedelta(minutes=2), reason="고객 010-1234-5678 부재", batch=batch
    )
    progress.acknowledge(line_ids=[line.pk], actor=cs, at=at + timedelta(minutes=3))
    return {"first": first, "second": second, "finance": finance, "cs": cs, "batch": batch, "line": line}


def query(params="", user=None):
    return lists.page("audit").query(params, user=user, at=timezone.now())


def kinds(params):
    page = lists.page("audit")
    ids = query(params).keyset().ids
    return [record.kind for record in page.records(ids)]


def test_the_newest_stands_first_and_every_kind_is_named_in_korean(happened):
    found = kinds(f"q={happened['first'].number}")
    assert found[:2] == ["line.acknowledged", "line.held"]
    assert set(found[2:]) == {"line.paid", "payment.settled", "order.received", "payment.awaited"}
    view = present(query("period=all"))
    shown = " ".join(row.html for row in view.rows)
    for words in (
        "발주확인",
        "배송보류",
        "입금확인",
        "주문 접수",
        "입금대기 → 상품준비중",
        "최하린 님",
        "박지우 님",
        "시스템",
    ):
        assert words in shown
    assert "AWAITING" not in shown.replace('data-state="AWAITING_PAYMENT"', "")
    assert "010-1234-5678" not in shown
    assert happened["line"].number in shown
    assert view.total.count == OrderEvent.objects.count()


def test_filters_by_order_person_kind_batch_and_period(happened):
    assert set(kinds(f"q={happened['second'].number}")) == {"order.received", "payment.awaited"}
    assert kinds(f"actor={happened['cs'].pk}") == ["line.acknowledged", "line.held"]
    assert kinds("act=line.held") == ["line.held"]
    assert kinds(f"batch={happened['batch'].uuid}") == ["line.held"]
    assert "line.held" in kinds("tab=people")
    assert "line.held" not in kinds("tab=system")
    assert kinds("from=2026-01-01&to=2026-01-02&act=line.held") == []
    assert len(kinds(f"q={happened['line'].number}")) == 3
    counts = query("period=all").count()
    assert counts.tabs["people"].number + counts.tabs["system"].number == counts.total.number


def test_pages_follow_each_other_without_a_gap(happened):
    url, seen = "size=20&period=all", []
    for n in range(45):
        OrderEvent.objects.create(
            at=timezone.now(), kind="line.held", order=happened["second"], subject="line", subject_id=9_000 + n,
            version=1, source="SCREEN",
        )  # fmt: skip
    while url:
        view = present(query(url))
        seen += [row.id for row in view.rows]
        url = view.pager.next_url.partition("?")[2]
    assert len(seen) == len(set(seen)) == OrderEvent.objects.count()
    assert seen == list(OrderEvent.objects.order_by("-at", "-pk").values_list("pk", flat=True))


@pytest.mark.parametrize("role", list(Role))
def test_only_owner_and_auditor_see_it(happened, sign_in, role):
    client = sign_in(role)
    allowed = role in {Role.OWNER, Role.AUDITOR}
    assert client.get(URL).status_code == (200 if allowed else 403)
    assert client.post(f"{URL}excel/", {"reason": "정기 점검"}).status_code == (200 if allowed else 403)


def test_the_file_needs_a_reason_and_the_taking_is_logged(happened, sign_in):
    client = sign_in(Role.AUDITOR)
    assert client.post(f"{URL}excel/?period=all", {"reason": ""}).status_code == 422
    assert not AccessLog.objects.exists()
    file = client.post(f"{URL}excel/?period=all&act=line.held", {"reason": "정기 점검"})
    head, *rows = load_workbook(io.BytesIO(b"".join(file.streaming_content)), read_only=True).active.iter_rows(
        values_only=True
    )
    row = dict(zip(head, rows[0], strict=True))
    assert len(rows) == 1
    assert (row["처리"], row["담당자"], row["사유"]) == ("배송보류", "박지우 님", "고객 010-1234-5678 부재")
    assert (row["대상"], row["품목별 주문번호"]) == (happened["first"].number, happened["line"].number)
    log = AccessLog.objects.get(action="EXPORT")
    assert (log.purpose, log.row_count, log.detail["list"]) == ("정기 점검", 1, "audit")


@pytest.mark.parametrize("params", ["act=nothing", "batch=7", "actor=999999"])
def test_a_wrong_condition_finds_nothing_and_says_so(happened, sign_in, params):
    answer = sign_in(Role.OWNER).get(f"{URL}?{params}")
    assert answer.status_code == 400
    assert "<tbody" not in answer.content.decode()
    assert query(params).errors


def test_an_unknown_parameter_is_refused(happened, sign_in):
    assert sign_in(Role.OWNER).get(f"{URL}?ip=1").status_code == 400


def test_kinds_with_the_same_words_are_told_apart():
    labels = [label for _, label in kind_choices()]
    assert len(labels) == len(set(labels))


def test_the_number_of_queries_does_not_depend_on_the_number_of_rows(happened, make_staff):
    user = make_staff(Role.OWNER)

    def cost(params):
        with CaptureQueriesContext(connection) as captured:
            present(query(params, user=user))
        return len(captured)

    few = cost("period=all&act=line.held")
    for n in range(60):
        OrderEvent.objects.create(
            at=timezone.now(), kind="line.held", order=happened["second"], subject="line", subject_id=7_000 + n,
            version=1, source="SCREEN",
        )  # fmt: skip
    assert cost("period=all&act=line.held") == few
