"""Staff: invitation, roles, ends of access, and the history that keeps them."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import InternalError, connection, transaction
from django.test import Client

from accounts import services
from accounts.models import PermissionChange, PermissionHistory, User
from accounts.roles import Role
from core.exceptions import Conflict, NotFound

NOW = datetime(2026, 11, 21, 5, 20, tzinfo=UTC)
SECRET = "correct horse battery"


def link_from(page):
    text = page.content.decode()
    return text.partition("data-link>http://testserver")[2].partition("<")[0]


def history_of(user):
    return list(PermissionHistory.objects.filter(user=user).order_by("pk").values_list("change", flat=True))


def test_an_invited_person_sets_a_password_by_a_link_that_works_once(staff, sign_in):
    owner = sign_in(staff)
    answer = owner.post("/staff/invite/", {"username": "jiwoo", "display_name": "박지우", "role": "CS"})
    person = User.objects.get(username="jiwoo")
    assert answer["Location"] == f"/staff/{person.pk}/"
    link = link_from(owner.post(f"/staff/{person.pk}/link/"))

    visitor = Client()
    assert "박지우" in visitor.get(link).content.decode()
    short = visitor.post(link, {"password": "short", "again": "short"})
    assert short.status_code == 422
    assert visitor.post(link, {"password": SECRET, "again": SECRET})["Location"] == "/login/"
    assert visitor.post("/login/", {"username": "jiwoo", "password": SECRET}).status_code == 302
    assert Client().get(link).status_code == 410
    assert Client().post(link, {"password": SECRET + "2", "again": SECRET + "2"}).status_code == 410
    person.refresh_from_db()
    assert person.check_password(SECRET)
    assert history_of(person) == [
        PermissionChange.INVITED,
        PermissionChange.LINK_ISSUED,
        PermissionChange.PASSWORD_SET,
    ]


def test_a_link_dies_after_three_days_and_with_the_account(staff, make_staff, sign_in):
    person, left = make_staff(Role.CS), make_staff(Role.CS)
    with time_machine.travel(NOW, tick=False) as clock:
        owner = sign_in(staff)
        link, dead = (
            link_from(owner.post(f"/staff/{person.pk}/link/")),
            link_from(owner.post(f"/staff/{left.pk}/link/")),
        )
        services.disable(user_id=left.pk, reason="퇴사", actor=staff, at=NOW)
        assert Client().get(dead).status_code == 410
        clock.shift(timedelta(days=2, hours=23))
        assert Client().get(link).status_code == 200
        clock.shift(timedelta(hours=2))
        assert Client().get(link).status_code == 410


@pytest.mark.parametrize("uid", ["x", "MQ", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "%ED%99%8D", "MQ%00", "wqs"])
def test_a_made_up_link_opens_nothing(db, uid):
    assert Client().get(f"/invitation/{uid}/c0ffee-0123456789abcdef/").status_code == 410


def test_no_link_is_made_for_a_disabled_person(staff, make_staff, sign_in):
    person = make_staff(Role.CS, is_active=False)
    answer = sign_in(staff).post(f"/staff/{person.pk}/link/")
    assert answer.status_code == 409
    assert link_from(answer) == ""
    assert history_of(person) == []


@pytest.mark.parametrize(
    ("form", "status", "words"),
    [
        ({"username": "taken", "display_name": "가", "role": "CS"}, 409, "이미 쓰고 있는 아이디입니다."),
        ({"username": "한글", "display_name": "가", "role": "CS"}, 422, "아이디"),
        ({"username": "x" * 41, "display_name": "가", "role": "CS"}, 422, "40"),
        ({"username": "new", "display_name": "가", "role": "KING"}, 422, "역할"),
        ({"username": "new", "display_name": "a\0", "role": "CS"}, 422, "이름"),
        ({}, 422, "아이디를 입력하세요."),
    ],
)
def test_a_bad_invitation_says_why_and_creates_nobody(staff, make_staff, sign_in, form, status, words):
    make_staff(Role.CS, username="taken")
    answer = sign_in(staff).post("/staff/invite/", form)
    assert answer.status_code == status
    assert words in answer.content.decode()
    assert User.objects.count() == 2
    assert not PermissionHistory.objects.exists()


def test_a_role_change_is_kept_with_old_new_and_reason(staff, make_staff, sign_in):
    person = make_staff(Role.CS)
    url = f"/staff/{person.pk}/role/"
    assert sign_in(staff).post(url, {"role-role": "FINANCE", "role-reason": "부서 이동"}).status_code == 302
    person.refresh_from_db()
    assert person.role == Role.FINANCE
    kept = PermissionHistory.objects.get()
    assert (kept.user, kept.actor, kept.change) == (person, staff, PermissionChange.ROLE)
    assert (kept.old_role, kept.new_role, kept.reason) == ("CS", "FINANCE", "부서 이동")
    assert "CS → 재무" in sign_in(staff).get(f"/staff/{person.pk}/").content.decode()


@pytest.mark.parametrize("form", [{}, {"role-role": "FINANCE"}, {"role-role": "KING", "role-reason": "x"}])
def test_a_role_change_without_role_or_reason_changes_nothing(staff, make_staff, sign_in, form):
    person = make_staff(Role.CS)
    assert sign_in(staff).post(f"/staff/{person.pk}/role/", form).status_code == 422
    person.refresh_from_db()
    assert person.role == Role.CS
    assert history_of(person) == []


@pytest.mark.parametrize("act", ["role", "disable"])
def test_nobody_takes_their_own_rights_away(staff, make_staff, sign_in, act):
    make_staff(Role.OWNER)
    form = {"role-role": "CS", "role-reason": "x", "active-reason": "x"}
    answer = sign_in(staff).post(f"/staff/{staff.pk}/{act}/", form)
    assert answer.status_code == 409
    assert "다른 대표에게 요청하세요." in answer.content.decode()
    staff.refresh_from_db()
    assert (staff.role, staff.is_active) == (Role.OWNER, True)
    assert history_of(staff) == []


@pytest.mark.parametrize("act", ["change_role", "disable"])
def test_the_last_owner_stays(staff, make_staff, act):
    make_staff(Role.OWNER, is_active=False)
    actor = make_staff(Role.AUDITOR)
    more = {"role": Role.CS} if act == "change_role" else {}
    with pytest.raises(Conflict) as refused:
        getattr(services, act)(user_id=staff.pk, reason="x", actor=actor, at=NOW, **more)
    assert refused.value.code == "last_owner"
    staff.refresh_from_db()
    assert (staff.role, staff.is_active) == (Role.OWNER, True)


@pytest.mark.django_db(transaction=True)
def test_owners_who_demote_each_other_at_once_leave_one(make_staff):
    for _ in range(5):
        first, second = make_staff(Role.OWNER), make_staff(Role.OWNER)
        User.objects.exclude(pk__in=[first.pk, second.pk]).update(is_active=False)
        start, refused = threading.Barrier(2), []

        def demote(who, actor, start=start, refused=refused):
            start.wait()
            try:
                services.change_role(user_id=who.pk, role=Role.CS, reason="x", actor=actor, at=NOW)
            except Conflict as error:
                refused.append(error.code)
            finally:
                connection.close()

        threads = [threading.Thread(target=demote, args=pair) for pair in ((first, second), (second, first))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert refused == ["last_owner"]
        assert User.objects.filter(role=Role.OWNER, is_active=True).count() == 1


@pytest.mark.parametrize("act", ["role", "disable", "enable", "end-sessions", "unlock", "link"])
def test_an_unknown_person_is_not_found(staff, sign_in, act):
    form = {"role-role": "CS", "role-reason": "x", "active-reason": "x"}
    assert sign_in(staff).post(f"/staff/999999/{act}/", form).status_code == 404
    assert not PermissionHistory.objects.exists()


def test_a_service_does_not_find_an_unknown_person(staff):
    with pytest.raises(NotFound):
        services.disable(user_id=999999, reason="x", actor=staff, at=NOW)


def test_doing_it_again_is_no_second_change(staff, make_staff):
    person = make_staff(Role.CS)
    for _ in range(2):
        services.disable(user_id=person.pk, reason="x", actor=staff, at=NOW)
    for _ in range(2):
        services.enable(user_id=person.pk, reason="x", actor=staff, at=NOW)
    services.change_role(user_id=person.pk, role=Role.CS, reason="x", actor=staff, at=NOW)
    assert history_of(person) == [PermissionChange.DISABLED, PermissionChange.ENABLED]


def test_posted_fields_that_no_form_has_change_nothing(staff, make_staff, sign_in):
    person = make_staff(Role.CS)
    extra = {"is_active": "0", "role": "OWNER", "session_epoch": "9", "is_demo": "1", "password": "x"}
    sign_in(person).post("/me/preferences/", {"theme": "dark"} | extra)
    sign_in(staff).post(f"/staff/{person.pk}/unlock/", extra)
    stored = User.objects.get(pk=person.pk)
    assert (stored.role, stored.is_active, stored.session_epoch, stored.is_demo, stored.prefs) == (
        Role.CS, True, 0, False, {},
    )  # fmt: skip
    assert stored.password == person.password


def test_text_that_looks_like_html_is_shown_as_text(staff, sign_in):
    owner = sign_in(staff)
    owner.post("/staff/invite/", {"username": "x", "display_name": "<script>alert(1)</script>", "role": "CS"})
    person = User.objects.get(username="x")
    owner.post(f"/staff/{person.pk}/role/", {"role-role": "FINANCE", "role-reason": '"><img src=x onerror=alert(1)>'})
    for url in ("/staff/", f"/staff/{person.pk}/"):
        page = owner.get(url).content.decode()
        assert "<script>alert(1)" not in page
        assert "<img" not in page


def test_the_staff_list_costs_the_same_at_two_and_at_forty_people(
    staff, make_staff, sign_in, django_assert_num_queries, django_assert_max_num_queries
):
    client = sign_in(staff)
    with django_assert_max_num_queries(8) as few:
        client.get("/staff/")
    for _ in range(40):
        make_staff(Role.CS)
    with django_assert_num_queries(len(few)):
        assert client.get("/staff/").content.decode().count("data-staff=") == 41


@pytest.mark.parametrize("act", ["update", "delete"])
def test_the_database_lets_nobody_rewrite_the_history(staff, make_staff, act):
    person = make_staff(Role.CS)
    services.disable(user_id=person.pk, reason="퇴사", actor=staff, at=NOW)
    rows = PermissionHistory.objects.all()
    with pytest.raises(InternalError), transaction.atomic():
        rows.update(reason="") if act == "update" else rows.delete()
    assert PermissionHistory.objects.get().reason == "퇴사"
