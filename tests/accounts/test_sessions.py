"""Sessions: when they end, and what browsers keep of their pages."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import services
from accounts.models import AccessAction, AccessLog
from accounts.roles import Role

NOW = datetime(2026, 11, 21, 0, 0, tzinfo=UTC)
SECRET = "correct horse battery"
ENDED = "로그인이 풀렸습니다."


def is_in(client):
    return client.get("/me/").status_code == 200


def test_the_limits_are_pinned():
    assert django_settings.SESSION_COOKIE_AGE == 30 * 60
    assert django_settings.SESSION_COOKIE_HTTPONLY
    assert django_settings.SESSION_ENGINE == "django.contrib.sessions.backends.db"


def test_a_session_ends_after_thirty_idle_minutes(make_staff, client):
    make_staff(Role.CS, username="jiwoo", password=SECRET)
    with time_machine.travel(NOW, tick=False) as clock:
        client.post("/login/", {"username": "jiwoo", "password": SECRET})
        clock.shift(timedelta(minutes=29))
        assert is_in(client)
        clock.shift(timedelta(minutes=29))
        assert is_in(client)
        clock.shift(timedelta(minutes=31))
        assert not is_in(client)


def test_what_a_page_asks_by_itself_keeps_nobody_logged_in(make_staff, client):
    make_staff(Role.CS, username="jiwoo", password=SECRET)
    with time_machine.travel(NOW, tick=False) as clock:
        client.post("/login/", {"username": "jiwoo", "password": SECRET})
        for _ in range(3):
            clock.shift(timedelta(minutes=11))
            client.get("/menu/counts/")
        assert not is_in(client)


def test_a_session_in_use_is_saved_once_a_minute(make_staff, client):
    make_staff(Role.CS, username="jiwoo", password=SECRET)
    with time_machine.travel(NOW, tick=False) as clock:
        client.post("/login/", {"username": "jiwoo", "password": SECRET})
        clock.shift(timedelta(seconds=61))
        with CaptureQueriesContext(connection) as first:
            assert is_in(client)
        with CaptureQueriesContext(connection) as second:
            assert is_in(client)
    saves = [sum("UPDATE" in query["sql"] for query in seen.captured_queries) for seen in (first, second)]
    assert saves == [1, 0]


def test_a_session_ends_after_twelve_hours_of_work(make_staff, client):
    make_staff(Role.CS, username="jiwoo", password=SECRET)
    with time_machine.travel(NOW, tick=False) as clock:
        client.post("/login/", {"username": "jiwoo", "password": SECRET})
        for _ in range(35):
            clock.shift(timedelta(minutes=20))
            assert is_in(client)
        clock.shift(timedelta(minutes=20))
        answer = client.get("/me/", follow=True)
        assert answer.redirect_chain == [("/login/?next=%2Fme%2F", 302)]
        assert ENDED in answer.content.decode()


def test_log_out_everywhere_ends_every_session_with_its_next_request(make_staff, sign_in):
    owner, person = make_staff(Role.OWNER), make_staff(Role.CS)
    desk, home = sign_in(person), sign_in(person)
    assert is_in(desk)
    assert is_in(home)
    assert sign_in(owner).post(f"/staff/{person.pk}/end-sessions/").status_code == 302
    assert not is_in(desk)
    assert not is_in(home)
    assert is_in(sign_in(person.__class__.objects.get(pk=person.pk)))


def test_a_disabled_person_is_out_at_once_and_stays_out_after_being_enabled(make_staff, sign_in):
    owner, person = make_staff(Role.OWNER), make_staff(Role.CS)
    desk = sign_in(person)
    services.disable(user_id=person.pk, reason="퇴사", actor=owner, at=NOW)
    assert not is_in(desk)
    services.enable(user_id=person.pk, reason="복직", actor=owner, at=NOW)
    assert not is_in(desk)


def test_a_new_role_holds_from_the_next_request(make_staff, sign_in):
    owner, person = make_staff(Role.OWNER), make_staff(Role.OWNER)
    desk = sign_in(person)
    assert desk.get("/staff/").status_code == 200
    services.change_role(user_id=person.pk, role=Role.VIEWER, reason="업무 변경", actor=owner, at=NOW)
    assert desk.get("/staff/").status_code == 403
    assert is_in(desk)


def test_a_new_password_ends_the_other_sessions_and_keeps_this_one(make_staff, sign_in):
    person = make_staff(Role.CS, password=SECRET)
    desk, home = sign_in(person), sign_in(person)
    form = {"current": SECRET, "password": "another long secret", "again": "another long secret"}
    before = desk.session.session_key
    assert desk.post("/me/password/", form).status_code == 302
    assert is_in(desk)
    assert desk.session.session_key != before
    assert not is_in(home)


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"current": "wrong", "password": "another long secret", "again": "another long secret"}, "맞지 않습니다"),
        ({"current": SECRET, "password": "another long secret", "again": "different secret"}, "두 비밀번호가 다릅니다"),
        ({"current": SECRET, "password": "short", "again": "short"}, "10"),
        ({"current": SECRET, "password": "password123", "again": "password123"}, "너무"),
        ({}, "지금 비밀번호를 입력하세요."),
    ],
)
def test_a_refused_password_says_why_and_changes_nothing(make_staff, sign_in, form, words):
    person = make_staff(Role.CS, password=SECRET)
    desk, home = sign_in(person), sign_in(person)
    answer = desk.post("/me/password/", form)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    person.refresh_from_db()
    assert person.check_password(SECRET)
    assert not person.permission_history.exists()
    assert is_in(home)


def test_log_out_is_a_post_that_empties_the_browser_and_is_logged(sign_in, make_staff):
    person = make_staff(Role.CS)
    client = sign_in(person)
    assert client.get("/logout/").status_code == 405
    assert is_in(client)
    answer = client.post("/logout/")
    assert (answer.status_code, answer["Location"]) == (302, "/login/")
    assert answer["Clear-Site-Data"] == '"cache", "cookies", "storage"'
    assert not is_in(client)
    assert list(AccessLog.objects.values_list("actor", "action")) == [(person.pk, AccessAction.LOGOUT)]
    assert client.post("/logout/").status_code == 302


@pytest.mark.parametrize("url", ["/me/", "/staff/", "/staff/999999/", "/access-log/", "/nothing/"])
def test_no_cache_keeps_a_page_of_a_session(sign_in, url):
    assert sign_in(Role.OWNER).get(url)["Cache-Control"] == "no-store"


def test_the_log_in_page_is_not_kept_either(db, client):
    assert "no-store" in client.get("/login/")["Cache-Control"]


def test_a_page_without_a_session_asks_the_database_for_nobody(db, client, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert client.get("/login/").status_code == 200


def test_every_post_needs_a_token(make_staff):
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_staff(Role.OWNER))
    for url in ("/login/", "/logout/", "/me/preferences/", "/me/password/", "/staff/invite/", "/staff/1/disable/"):
        assert client.post(url).status_code == 403
