"""Log-in and staff pages in a real browser: keyboard only, both colour schemes, no accessibility violation."""

from datetime import UTC, datetime

import pytest

from accounts.models import User
from accounts.roles import Role
from accounts.services import create_demo_staff
from tests.fixtures.axe import violations

NOW = datetime(2026, 11, 21, 5, 20, tzinfo=UTC)
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def shop(live_server):
    create_demo_staff(at=NOW)
    return live_server.url


def log_in(page, shop, name):
    page.goto(f"{shop}/login/?next=/staff/")
    page.keyboard.insert_text(name)
    page.keyboard.press("Tab")
    page.keyboard.insert_text("demo")
    page.keyboard.press("Enter")
    # A pattern would match the log-in page too: its address ends in ?next=/staff/.
    page.wait_for_url(f"{shop}/staff/")


def test_an_owner_logs_in_by_keyboard_invites_and_logs_out(page, shop):
    log_in(page, shop, "owner")
    page.get_by_label("아이디").fill("jiwoo")
    page.get_by_label("이름").fill("박서준")
    page.get_by_label("역할").select_option("CS")
    page.locator("[data-action=invite]").click()
    page.locator("[data-action=make-link]").click()
    assert "/invitation/" in page.locator("[data-link]").inner_text()
    assert User.objects.get(username="jiwoo").role == Role.CS


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_pages_have_no_accessibility_violation(page, shop, theme):
    User.objects.update(prefs={"theme": theme})
    page.emulate_media(color_scheme=theme)
    page.goto(f"{shop}/login/")
    assert violations(page) == []
    log_in(page, shop, "owner")
    person = User.objects.get(username="cs")
    for url in ("/staff/", f"/staff/{person.pk}/", "/access-log/", "/me/"):
        page.goto(shop + url)
        assert violations(page) == [], url


def test_a_wrong_password_is_said_in_place(page, shop, console_errors):
    page.goto(f"{shop}/login/")
    page.get_by_label("아이디").fill("owner")
    page.get_by_label("비밀번호").fill("wrong")
    page.get_by_role("button", name="로그인").click()
    assert "아이디 또는 비밀번호가 맞지 않습니다." in page.get_by_role("alert").inner_text()
    # The browser notes the 401 itself.
    console_errors.clear()
