"""보고 있습니다 in Chromium: a colleague has the same order open while the slide-over shows it."""

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from accounts.models import User
from accounts.roles import Role
from core.broker import redis_client
from core.settings_registry import get_setting
from payments.services.manual import confirm_manually
from tests.browser.shop import THEMES, log_in, overflow
from tests.fixtures.axe import violations

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("theme", THEMES)
def test_a_colleague_with_the_order_open_is_named_in_its_head(
    browser, page, live_server, valkey, make_order, make_staff, sign_in, theme
):
    redis_client(valkey.url, timeout=20).flushall()
    order = make_order(at=timezone.now())
    me, colleague = (make_staff(Role.CS, display_name=name) for name in ("이도윤", "김하은"))
    User.objects.update(prefs={"theme": theme})
    other = browser.new_context(locale="ko-KR", reduced_motion="reduce").new_page()
    shop = log_in(page, live_server, sign_in(me))
    log_in(other, live_server, sign_in(colleague))
    with other.expect_response(lambda answer: f"/{order.number}/poll/?" in answer.url):
        other.goto(f"{shop}/orders/{order.number}/")
    page.goto(f"{shop}/orders/?period=all&open={order.number}")
    page.locator("#detail [data-presence]", has_text="김하은 님이 보고 있습니다").wait_for()
    assert (violations(page), overflow(page)) == ([], [])
    other.locator("[data-presence]", has_text="이도윤 님이 보고 있습니다").wait_for(timeout=60_000)
    page.keyboard.press("Escape")
    expect(page.locator("[data-presence]")).to_have_count(0)
    other.context.close()


def test_an_open_order_that_a_colleague_moved_says_who_and_opens_again(
    page, live_server, make_order, make_staff, sign_in
):
    order = make_order(at=timezone.now())
    shop = log_in(page, live_server, sign_in(make_staff(Role.CS)))
    page.goto(f"{shop}/orders/?period=all&open={order.number}")
    page.locator("#detail [data-why]").wait_for()
    confirm_manually(order_ids=[order.pk], actor=make_staff(Role.FINANCE, display_name="이서연"), at=timezone.now())
    page.locator("#detail [data-changed]", has_text="이서연 님이").wait_for(timeout=60_000)
    assert (violations(page), overflow(page)) == ([], [])
    page.get_by_role("link", name="다시 열기").click()
    page.locator("#detail .badge", has_text="상품준비중").first.wait_for()
    expect(page.locator("#detail [data-changed]")).to_have_count(0)
    assert page.get_by_role("button", name="입금확인", exact=True).count() == 0


def test_saving_after_the_session_ended_keeps_what_was_typed(page, live_server, make_staff, sign_in, console_errors):
    owner = make_staff(Role.OWNER)
    client = sign_in(owner)
    shop = log_in(page, live_server, client)
    page.goto(f"{shop}/settings/shop/")
    page.get_by_label("쇼핑몰 이름").fill("바다 상점")
    client.session.flush()
    page.get_by_role("button", name="저장", exact=True).click()
    page.locator("#session-ended[open]").wait_for()
    console_errors.clear()
    assert page.get_by_label("쇼핑몰 이름").input_value() == "바다 상점"
    log_in(page, live_server, sign_in(owner))
    page.locator("#session-ended [data-close]").click()
    page.get_by_role("button", name="저장", exact=True).click()
    page.get_by_text("저장했습니다.").wait_for()
    assert get_setting("shop_name") == "바다 상점"
