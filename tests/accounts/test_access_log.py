"""The access log: what is kept, how it is found again, and that it cannot be rewritten."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import InternalError, transaction

from accounts.clients import Client, client_of
from accounts.models import AccessAction, AccessLog
from accounts.roles import Role
from accounts.services import record_access

NOW = datetime(2026, 11, 21, 5, 20, tzinfo=UTC)


@pytest.fixture
def log(staff):
    """One row; `log(action, **fields)`."""

    def write(action=AccessAction.VIEW, **fields):
        return record_access(**{"actor": staff, "action": action, "at": NOW} | fields)

    return write


def numbers(answer):
    return [int(part.partition('"')[0]) for part in answer.content.decode().split('data-log="')[1:]]


def test_a_row_keeps_who_what_whose_and_why(staff):
    row = record_access(
        actor=staff,
        action=AccessAction.EXPORT,
        at=NOW,
        client=Client(ip="192.0.2.7", agent_hash="a" * 16, session_hash="b" * 16),
        purpose="배송 문의 확인",
        subjects=["20261121-0000001", "20261121-0000002"],
        detail={"template": "cs"},
    )
    row.refresh_from_db()
    assert (row.actor, row.action, row.at, row.ip) == (staff, "EXPORT", NOW, "192.0.2.7")
    assert (row.purpose, row.subjects, row.row_count, row.detail) == (
        "배송 문의 확인",
        ["20261121-0000001", "20261121-0000002"],
        2,
        {"template": "cs"},
    )


def test_a_client_is_known_by_hashes_only(rf, settings):
    request = rf.get("/", headers={"user-agent": "Firefox"})
    first = client_of(request)
    assert (first.ip, len(first.agent_hash), first.session_hash) == ("127.0.0.1", 16, "")
    assert client_of(rf.get("/", headers={"user-agent": "Chrome"})).agent_hash != first.agent_hash


def test_rows_are_found_by_person_action_order_and_day_in_seoul(log, make_staff, sign_in):
    other = make_staff(Role.CS)
    view = log(subjects=["20261121-0000001"])
    login = log(AccessAction.LOGIN, actor=other)
    late = log(at=datetime(2026, 11, 21, 15, tzinfo=UTC))
    client = sign_in(Role.AUDITOR)
    cases = [
        ({}, [late, login, view]),
        ({"actor": other.pk}, [login]),
        ({"action": "LOGIN"}, [login]),
        ({"subject": " 20261121-0000001 "}, [view]),
        ({"subject": "20261121-000000"}, []),
        ({"since": "2026-11-22"}, [late]),
        ({"until": "2026-11-21"}, [login, view]),
        ({"since": "2026-11-21", "until": "2026-11-21", "action": "VIEW"}, [view]),
    ]
    for query, rows in cases:
        answer = client.get("/access-log/", query)
        assert answer.status_code == 200
        assert numbers(answer) == [row.pk for row in rows], query


@pytest.mark.parametrize("query", [{"x": "1"}, {"after": "abc"}, {"after": "-1"}, {"after": "9" * 19}, {"after": "٣"}])
def test_an_unknown_condition_is_a_bad_request(sign_in, query):
    answer = sign_in(Role.OWNER).get("/access-log/", query)
    assert answer.status_code == 400
    assert "조건을 지우고 다시 조회하세요." in answer.content.decode()


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"since": "2026-11-22", "until": "2026-11-21"}, "시작일이 종료일보다 늦습니다."),
        ({"since": "yesterday"}, "날짜"),
        ({"actor": "999999"}, "목록에 있는 값에서 다시 고르세요."),
        ({"action": "STEAL"}, "목록에 있는 값에서 다시 고르세요."),
        ({"subject": "a\0"}, "주문번호"),
    ],
)
def test_a_bad_condition_says_why_and_shows_nothing(log, sign_in, query, words):
    log()
    answer = sign_in(Role.OWNER).get("/access-log/", query)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert numbers(answer) == []


def test_pages_follow_the_last_row_without_gap_or_repeat(log, staff, sign_in):
    rows = [AccessLog(actor=staff, action=AccessAction.VIEW, at=NOW + timedelta(minutes=n)) for n in range(120)]
    AccessLog.objects.bulk_create(rows)
    log(AccessAction.LOGIN)
    client, seen, url = sign_in(staff), [], "/access-log/?action=VIEW"
    while url:
        answer = client.get(url)
        seen += numbers(answer)
        following = answer.context["next_url"]
        url = "/access-log/" + following if following else ""
    expected = AccessLog.objects.filter(action=AccessAction.VIEW).order_by("-pk").values_list("pk", flat=True)
    assert seen == list(expected)
    assert len(seen) == 120


def test_a_page_costs_the_same_for_two_rows_and_for_fifty(
    log, staff, sign_in, django_assert_num_queries, django_assert_max_num_queries
):
    client = sign_in(staff)
    for _ in range(2):
        log()
    with django_assert_max_num_queries(9) as few:
        client.get("/access-log/")
    for number in range(60):
        log(subjects=[f"20261121-{number:07d}"])
    with django_assert_num_queries(len(few)):
        assert len(numbers(client.get("/access-log/"))) == 50


def test_an_export_of_many_orders_shows_the_first_and_their_number(log, sign_in):
    log(AccessAction.EXPORT, subjects=[f"20261121-{number:07d}" for number in range(1, 5001)])
    page = sign_in(Role.OWNER).get("/access-log/").content.decode()
    assert "20261121-0000001, 20261121-0000002, 20261121-0000003 등 5,000건" in page
    assert "20261121-0000004" not in page


@pytest.mark.parametrize("act", ["update", "delete"])
def test_the_database_lets_nobody_rewrite_the_log(log, act):
    log(purpose="문의")
    rows = AccessLog.objects.all()
    with pytest.raises(InternalError), transaction.atomic():
        rows.update(purpose="") if act == "update" else rows.delete()
    assert AccessLog.objects.get().purpose == "문의"
