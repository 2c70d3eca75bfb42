"""Every address of the app by every role: who may, who is sent away, and what is logged."""

import pytest
from django.contrib.auth.context_processors import PermWrapper
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import get_resolver

from accounts import urls
from accounts.access import LOGIN_ONLY, PermissionRequired, permission_of, requires, staff_only
from accounts.models import AccessAction, AccessLog, PermissionHistory, User
from accounts.roles import Role

ANYBODY = None
# name -> (method, right, answer to who has it)
MATRIX = {
    "login": ("get", ANYBODY, 302),
    "logout": ("post", ANYBODY, 302),
    "invitation": ("get", ANYBODY, 410),
    "me": ("get", LOGIN_ONLY, 200),
    "password": ("post", LOGIN_ONLY, 422),
    "preferences": ("post", LOGIN_ONLY, 204),
    "staff": ("get", "accounts.view", 200),
    "invite": ("post", "accounts.manage", 422),
    "staff_detail": ("get", "accounts.view", 200),
    "change_role": ("post", "accounts.manage", 422),
    "disable": ("post", "accounts.manage", 422),
    "enable": ("post", "accounts.manage", 422),
    "end_sessions": ("post", "accounts.manage", 302),
    "unlock": ("post", "accounts.manage", 302),
    "make_link": ("post", "accounts.manage", 200),
    "access_log": ("get", "audit.view", 200),
}
GATED = sorted(name for name, (_, right, _) in MATRIX.items() if right is not ANYBODY)


def address(name, person):
    arguments = {"invitation": "/invitation/MQ/c0ffee-00/", "login": "/login/"}
    if name in arguments:
        return arguments[name]
    pattern = next(one for one in urls.urlpatterns if one.name == name).pattern
    return "/" + str(pattern).replace("<int:pk>", str(person.pk))


def test_every_address_is_in_the_table():
    assert {pattern.name for pattern in urls.urlpatterns} == set(MATRIX)


def test_every_address_asks_for_the_right_of_the_table():
    assert {one.name: permission_of(one.callback) for one in urls.urlpatterns} == {
        name: right for name, (_, right, _) in MATRIX.items()
    }


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("name", sorted(MATRIX))
def test_a_role_gets_what_the_table_says(make_staff, sign_in, role, name):
    method, right, granted = MATRIX[name]
    user, person = make_staff(role), make_staff(Role.CS)
    allowed = not right or user.has_perm(right)
    answer = getattr(sign_in(user), method)(address(name, person))
    assert answer.status_code == (granted if allowed else 403)
    denied = AccessLog.objects.filter(action=AccessAction.DENIED)
    assert denied.count() == (0 if allowed else 1)
    if not allowed:
        row = denied.get()
        assert (row.actor, row.ip) == (user, "127.0.0.1")
        assert row.detail == {"permission": right, "method": method.upper(), "path": address(name, person)}
        assert not PermissionHistory.objects.exists()


@pytest.mark.parametrize("name", GATED)
def test_nobody_is_asked_to_log_in_first_and_nothing_happens(make_staff, name):
    person = make_staff(Role.CS)
    method, _, _ = MATRIX[name]
    answer = getattr(Client(), method)(address(name, person))
    assert answer.status_code == 302
    assert answer["Location"].startswith("/login/")
    assert ("next=" in answer["Location"]) == (method == "get")
    assert not PermissionHistory.objects.exists()
    assert User.objects.get().session_epoch == 0


@pytest.mark.parametrize("name", GATED)
def test_a_disabled_person_is_asked_to_log_in(make_staff, sign_in, name):
    user = make_staff(Role.OWNER)
    client = sign_in(user)
    User.objects.filter(pk=user.pk).update(is_active=False)
    answer = getattr(client, MATRIX[name][0])(address(name, user))
    assert answer.status_code == 302
    assert answer["Location"].startswith("/login/")
    assert not PermissionHistory.objects.exists()


@pytest.mark.parametrize("name", sorted(MATRIX))
def test_no_address_changes_anything_by_get(make_staff, sign_in, name):
    owner, person = make_staff(Role.OWNER), make_staff(Role.CS)
    before = list(User.objects.order_by("pk").values())
    sign_in(owner).get(address(name, person))
    after = list(User.objects.order_by("pk").values())
    assert [row | {"last_login": None} for row in after] == [row | {"last_login": None} for row in before]
    assert not PermissionHistory.objects.exists()


def test_a_refusal_names_the_missing_right_and_whom_to_ask(make_staff, sign_in):
    make_staff(Role.OWNER, display_name="이서연")
    page = sign_in(Role.CS).get("/staff/").content.decode()
    assert "이 작업은 운영자 조회 권한이 필요합니다. 담당자: 이서연 님" in page


def test_a_fragment_request_without_session_is_told_and_not_redirected(db):
    answer = Client().get("/staff/", headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert answer.content.decode() == "로그인이 풀렸습니다. 다시 로그인하세요."


def test_the_gates_of_functions_work_like_those_of_classes(make_staff):
    @requires("orders.view")
    def page(request):
        return HttpResponse("page")

    @staff_only
    def mine(request):
        return HttpResponse("mine")

    request = RequestFactory().get("/")
    request.user = make_staff(Role.VIEWER)
    assert [view(request).content for view in (page, mine)] == [b"page", b"mine"]
    assert [permission_of(view) for view in (page, mine)] == ["orders.view", LOGIN_ONLY]


def test_a_misspelt_or_missing_right_cannot_be_used(make_staff):
    with pytest.raises(LookupError):
        requires("orders.veiw")
    with pytest.raises(LookupError):
        type("Page", (PermissionRequired,), {"permission": "orders.veiw"})
    request = RequestFactory().get("/")
    request.user = make_staff(Role.OWNER)
    with pytest.raises(ImproperlyConfigured):
        PermissionRequired.as_view()(request)


def test_templates_ask_the_same_table(make_staff):
    rights = PermWrapper(make_staff(Role.FINANCE))
    assert rights["payments"]["revert"]
    assert not rights["orders"]["cancel_unpaid"]


def test_the_admin_site_is_not_mounted():
    assert "admin" not in str(get_resolver().url_patterns)
