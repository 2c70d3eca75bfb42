"""A thousand numbers in the search box, on the very web server that `make up` runs, with and without scripts."""

import re
import urllib.error
import urllib.request

import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page, expect

from accounts.roles import Role
from orders.models import Order
from tests.browser.shop import log_in

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.django_db(transaction=True)]
FEW = 60
SHORT = re.compile(r"/orders/\?(?:.*&)?qs=[\w-]{12}(?:&.*)?$")


@pytest.fixture
def numbers(some_orders) -> str:
    known = Order.objects.order_by("pk").values_list("number", flat=True)[:FEW]
    return ", ".join([*known, *(f"20200101-{n:07d}" for n in range(1_000 - FEW))])


@pytest.fixture
def web(processes):
    return processes.start("web", env={"OMS_SECRET_KEY": settings.SECRET_KEY}).wait_ready()


def total(page: Page) -> None:
    expect(page.locator('[data-count="total"]')).to_contain_text(f"{FEW}건")
    expect(page).to_have_url(SHORT)


def test_pasted_numbers_are_found_and_their_address_works_again(web, numbers, page: Page, sign_in) -> None:
    shop = log_in(page, web, sign_in(Role.OWNER))
    page.goto(f"{shop}/orders/")
    page.locator("#q").fill(numbers)
    page.locator("form.search").get_by_role("button", name="조회").first.click()
    total(page)
    expect(page.locator("#q")).to_have_value(numbers)
    page.reload()
    total(page)
    page.get_by_role("link", name="다음").click()
    expect(page.locator(".pager")).to_contain_text("2 / 2쪽")
    page.locator("#q").fill("홍길동")
    page.locator("#q").press("Enter")
    expect(page).to_have_url(re.compile(r"[?&]q=%ED"))
    assert "csrf" not in page.url
    page.locator("#find").fill(numbers)
    page.locator("#find").press("Enter")
    total(page)


def test_the_form_needs_no_scripts(web, numbers, browser: Browser, sign_in) -> None:
    context = browser.new_context(java_script_enabled=False, locale="ko-KR")
    try:
        page = context.new_page()
        shop = log_in(page, web, sign_in(Role.OWNER))
        page.goto(f"{shop}/orders/")
        page.locator("#q").fill(numbers)
        page.locator("form.search").get_by_role("button", name="조회").first.click()
        total(page)
    finally:
        context.close()


def test_a_wrong_condition_is_swapped_in_with_what_was_typed(
    web, some_orders, page: Page, sign_in, console_errors: list[str]
) -> None:
    shop = log_in(page, web, sign_in(Role.OWNER))
    page.goto(f"{shop}/orders/?period=all")
    page.locator("#q").fill("가")
    page.locator("#q").press("Enter")
    expect(page.locator(".search-errors")).to_contain_text("검색어를 두 글자 이상 입력하세요.")
    expect(page.locator("#q")).to_have_value("가")
    expect(page).to_have_url(re.compile(r"[?&]q=%EA%B0%80"))
    expect(page.locator("tbody[data-order]")).to_have_count(0)
    assert [one for one in console_errors if "400" not in one] == []
    console_errors.clear()


@pytest.mark.parametrize(("length", "status"), [(7_900, 200), (8_300, 414)])
def test_the_server_takes_addresses_up_to_its_most(web, length, status) -> None:
    url = f"{web.url}/login/?next=/orders/?q={'1' * length}"
    try:
        with urllib.request.urlopen(url) as answer:
            found = answer.status
    except urllib.error.HTTPError as refused:
        found = refused.code
    assert found == status
