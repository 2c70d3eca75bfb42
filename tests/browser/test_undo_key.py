"""Key U after a reload, and the help that lists only the keys of the screen (ux.md 2.7)."""

import pytest
from playwright.sync_api import Page, expect

from core.models import Job, JobState
from orders.models import LineLock
from tests.browser.shop import log_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LIST = "/orders/preparing/?period=all"


@pytest.fixture
def shop(live_server, page, sign_in, staff, make_order):
    make_order(paid=True)
    return log_in(page, live_server, sign_in(staff))


def hold(page: Page) -> None:
    page.locator("#check-page").check()
    page.locator(".acts [data-action=hold]").click()
    page.locator("#dialog [name=reason]").fill("고객 부재")
    page.locator("#dialog button[type=submit]").click()
    expect(page.locator("#strip [data-undo]")).to_be_visible()


@pytest.mark.parametrize("path", [LIST, "/orders/ready/?period=all", "/settings/"])
def test_u_undoes_the_last_own_batch_after_a_reload_and_on_other_pages(shop: str, page: Page, path: str) -> None:
    page.goto(shop + LIST)
    hold(page)
    page.goto(shop + path)
    expect(page.locator("#strip [data-result]")).to_have_count(0)
    page.keyboard.press("u")
    expect(page.locator("#dialog")).to_contain_text("되돌")
    assert LineLock.objects.filter(released_at__isnull=True).count() == 1
    page.locator("#dialog button[type=submit]").click()
    expect(page.locator("#strip")).to_contain_text("되돌렸습니다.")
    assert not LineLock.objects.filter(released_at__isnull=True).exists()
    assert Job.objects.filter(state=JobState.UNDONE).count() == 1


def test_u_without_anything_to_undo_says_so(shop: str, page: Page, console_errors: list[str]) -> None:
    page.goto(shop + LIST)
    page.keyboard.press("u")
    expect(page.locator("#strip")).to_contain_text("되돌릴 수 있는 내 작업이 없습니다.")
    assert not Job.objects.exists()
    console_errors.clear()


def keys(page: Page) -> str:
    page.keyboard.press("?")
    shown = page.locator("#shortcuts .keys dt:visible").all_inner_texts()
    page.keyboard.press("Escape")
    return "\n".join(shown)


def test_the_help_lists_only_what_the_screen_has(shop: str, page: Page) -> None:
    page.goto(shop + LIST)
    there = keys(page)
    assert "J K" in there
    assert "H" in there.split()
    assert not {"W", "["} & set(there.split())
    assert "P" not in there.splitlines()
    page.goto(shop + "/orders/ready/?q=20200101-0000001")
    assert not {"X", "Enter", "Esc"} & set(keys(page).split())
    page.goto(shop + "/settings/")
    assert keys(page).split()[0] == "U"
    expect(page.locator("#shortcuts h3").first).to_be_hidden()
