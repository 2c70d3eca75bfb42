"""보기 on a list: saved, renamed, made the one that opens with the menu, and deleted, without leaving the page."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.shop import log_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LIST = "/orders/preparing/?period=3d"


@pytest.fixture
def shop(live_server, page, sign_in, staff):
    return log_in(page, live_server, sign_in(staff))


def test_a_view_is_saved_renamed_made_the_default_and_deleted(shop: str, page: Page) -> None:
    page.goto(shop + LIST)
    dialog, opener = page.locator("#save-view"), page.get_by_role("button", name="보기 저장")
    opener.click()
    dialog.get_by_label("이름", exact=True).fill("급한 것")
    dialog.get_by_role("button", name="저장", exact=True).click()
    expect(page.get_by_role("link", name="급한 것")).to_have_attribute("aria-current", "page")

    opener.click()
    dialog.get_by_label("보기 이름: 급한 것").fill("오늘 할 것")
    dialog.get_by_role("button", name="이름 바꾸기").click()
    expect(page.get_by_role("link", name="오늘 할 것")).to_be_visible()
    expect(page.get_by_role("link", name="급한 것")).to_have_count(0)

    opener.click()
    dialog.get_by_role("button", name="기본으로").click()
    page.locator(".sidebar a", has_text="상품준비중 관리").click()
    expect(page.get_by_role("link", name="오늘 할 것")).to_have_attribute("aria-current", "page")

    opener.click()
    dialog.get_by_role("button", name="삭제").click()
    expect(page.get_by_role("link", name="오늘 할 것")).to_have_count(0)
