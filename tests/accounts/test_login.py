"""Log-in: who comes in, what the others learn, and when the door stays shut."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from accounts.models import AccessAction, AccessLog, User
from accounts.roles import Role
from accounts.services import create_demo_staff
from accounts.views.session import WRONG
from core.exceptions import DomainError

NOW = datetime(2026, 11, 21, 5, 20, tzinfo=UTC)
SECRET = "correct horse battery"


@pytest.fixture
def person(make_staff):
    return make_staff(Role.CS, username="jiwoo", password=SECRET)


def log_in(client, username="jiwoo", password=SECRET, **more):
    return client.post("/login/", {"username": username, "password": password, **more})


def is_in(client):
    return client.get("/me/").status_code == 200


def test_the_right_password_opens_a_fresh_session_and_is_logged(person, client):
    client.get("/login/")
    client.session["planted"] = "by somebody else"
    before = client.session.session_key
    answer = log_in(client, next="/staff/?x=1")
    assert (answer.status_code, answer["Location"]) == (302, "/staff/?x=1")
    assert client.session.session_key != before
    assert is_in(client)
    row = AccessLog.objects.get()
    assert (row.actor, row.action, row.ip) == (person, AccessAction.LOGIN, "127.0.0.1")
    assert len(row.session_hash) == 16
    assert client.session.session_key not in row.session_hash


def test_a_wrong_name_and_a_wrong_password_get_the_same_answer(person, client):
    wrong_password = log_in(client, password="wrong")
    wrong_name = log_in(client, username="nobody")
    assert wrong_password.status_code == wrong_name.status_code == 401
    pages = [answer.content.decode() for answer in (wrong_password, wrong_name)]
    assert all(WRONG in page for page in pages)
    assert not is_in(client)
    rows = AccessLog.objects.order_by("pk").values_list("action", "actor", "detail")
    assert list(rows) == [
        (AccessAction.LOGIN_FAILED, None, {"username": "jiwoo"}),
        (AccessAction.LOGIN_FAILED, None, {}),
    ]


class CountingHasher(PBKDF2PasswordHasher):
    """Counts how often the slow work is done."""

    iterations = 1000
    runs = 0

    def encode(self, password, salt, iterations=None):
        CountingHasher.runs += 1
        return super().encode(password, salt, iterations)


def test_an_unknown_name_costs_as_much_work_as_a_wrong_password(settings, make_staff, client):
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
    make_staff(Role.CS, username="jiwoo", password=SECRET)
    costs = []
    for name in ("jiwoo", "nobody"):
        CountingHasher.runs = 0
        log_in(client, username=name, password="wrong")
        costs.append(CountingHasher.runs)
    assert costs == [1, 1]


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"username": "", "password": ""}, ["아이디를 입력하세요.", "비밀번호를 입력하세요."]),
        ({"username": "jiwoo"}, ["비밀번호를 입력하세요."]),
        ({"username": "a\0b", "password": "x"}, ["null 문자는"]),
        ({"username": "a" * 151, "password": "x"}, ["150"]),
    ],
)
def test_a_form_that_is_not_filled_in_says_what_is_missing(person, client, form, words):
    answer = client.post("/login/", form)
    assert answer.status_code == 422
    assert all(word in answer.content.decode() for word in words)
    assert not AccessLog.objects.exists()


def test_a_null_character_in_an_unknown_field_does_no_harm(person, client):
    assert log_in(client, password="wrong", extra="a\0b").status_code == 401


def test_the_sixth_try_is_refused_even_with_the_right_password_and_tells_the_minutes(person, client):
    with time_machine.travel(NOW, tick=False):
        statuses = [log_in(client, password="wrong").status_code for _ in range(5)]
        assert statuses == [401, 401, 401, 401, 429]
        assert log_in(client).status_code == 429
        assert not is_in(client)
    with time_machine.travel(NOW + timedelta(minutes=5), tick=False):
        page = log_in(client).content.decode()
        assert "10분 뒤에 다시 시도하거나" in page
    with time_machine.travel(NOW + timedelta(minutes=15, seconds=1), tick=False):
        assert log_in(client).status_code == 302
        assert is_in(client)
    assert AccessLog.objects.filter(action=AccessAction.LOGIN_FAILED).count() == 7


def test_another_browser_does_not_get_five_more_tries(person):
    for number in range(5):
        log_in(Client(headers={"user-agent": f"browser {number}"}, REMOTE_ADDR=f"127.0.0.{number + 1}"), password="no")
    assert log_in(Client()).status_code == 429


def test_a_lock_holds_one_name_only(person, make_staff, client):
    make_staff(Role.CS, username="seoyeon", password=SECRET)
    for _ in range(5):
        log_in(client, password="wrong")
    assert log_in(client, username="seoyeon").status_code == 302


def test_an_unknown_name_is_locked_like_a_known_one(db, client):
    assert [log_in(client, username="nobody").status_code for _ in range(6)] == [401] * 4 + [429] * 2


def test_an_owner_unlocks(person, client, sign_in):
    for _ in range(5):
        log_in(client, password="wrong")
    sign_in(Role.OWNER).post(f"/staff/{person.pk}/unlock/")
    assert log_in(client).status_code == 302


def test_a_disabled_person_stays_out_and_learns_nothing(make_staff, client):
    make_staff(Role.CS, username="jiwoo", password=SECRET, is_active=False)
    answer = log_in(client)
    assert answer.status_code == 401
    assert WRONG in answer.content.decode()


def test_an_invited_person_without_password_stays_out(make_staff, client):
    make_staff(Role.CS, username="jiwoo")
    assert [log_in(client, password=word).status_code for word in ("x", "!")] == [401, 401]


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "///evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "http:evil.example",
        "\t//evil.example",
        "abc",
        "0",
        "-1",
        "orders",
        "orders:list",
        "https://testserver/me/",
        "/" + "a" * 5_000,
    ],
)
def test_log_in_never_leads_to_another_site(person, client, target):
    assert log_in(client, next=target)["Location"] == "/"
    assert client.get("/login/", {"next": target})["Location"] == "/"


@hypothesis_settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(st.text(max_size=30))
def test_any_next_is_shown_safely(db, target):
    assert Client().get("/login/", {"next": target}).status_code == 200


@pytest.mark.parametrize("target", ["abc", "0", "-1", "orders", "accounts:login"])
def test_a_person_who_is_in_and_a_name_that_is_no_path(sign_in, target):
    assert sign_in(Role.CS).get("/login/", {"next": target})["Location"] == "/"


def test_a_person_who_is_in_is_sent_on(sign_in):
    assert sign_in(Role.CS).get("/login/?next=/me/")["Location"] == "/me/"


@pytest.mark.django_db
def test_demo_staff_exist_once_per_role_and_can_log_in(client):
    create_demo_staff(at=NOW)
    create_demo_staff(at=NOW)
    assert User.objects.count() == 6
    for name in ("owner", "cs", "logistics", "finance", "viewer", "auditor"):
        assert log_in(client, username=name, password="demo").status_code == 302
        client.post("/logout/")


@pytest.mark.django_db
def test_demo_staff_are_not_made_in_production(settings):
    settings.OMS_ENV = "production"
    with pytest.raises(DomainError):
        create_demo_staff(at=NOW)
    assert not User.objects.exists()


@pytest.mark.django_db
def test_demo_staff_that_came_with_a_copied_database_stay_out_of_production(settings, client):
    create_demo_staff(at=NOW)
    log_in(client, username="owner", password="demo")
    assert is_in(client)
    settings.OMS_ENV = "production"
    assert not is_in(client)
    assert log_in(client, username="owner", password="demo").status_code == 401


@pytest.mark.django_db
def test_demo_staff_come_in_from_this_computer_only():
    create_demo_staff(at=NOW)
    assert log_in(Client(REMOTE_ADDR="192.0.2.7"), username="owner", password="demo").status_code == 401
    assert log_in(Client(REMOTE_ADDR="::1"), username="owner", password="demo").status_code == 302
