"""보고 있습니다 in Chromium: a colleague has the same order open while the slide-over shows it."""

import pytest
from django.utils import timezone

from accounts.models import User
from accounts.roles import Role
from core.broker import redis_client
from tests.browser.shop import THEMES, log_in, overflow, violations

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("theme", THEMES)
def test_a_colleague_with_the_order_open_is_named_in_its_head(
    browser, page, live_server, valkey, make_order, make_staff, sign_in, theme
):
    redis_client(valkey.url, timeout=2).flushall()
    order = make_order(at=timezone.now())
    me, colleague = (make_staff(Role.CS, display_name=name) for name in ("이도윤", "김하은"))
    User.objects.update(prefs={"theme": theme})
    other = browser.new_context(locale="ko-KR", reduced_motion="reduce").new_page()
    shop = log_in(page, live_server, sign_in(me))
    log_in(other, live_server, sign_in(colleague))
    with other.expect_response(lambda answer: answer.url.endswith(f"/{order.number}/poll/")):
        other.goto(f"{shop}/orders/{order.number}/")
    page.goto(f"{shop}/orders/?period=all&open={order.number}")
    page.locator("#detail [data-presence]", has_text="김하은 님이 보고 있습니다").wait_for()
    assert (violations(page), overflow(page)) == ([], [])
    other.locator("[data-presence]", has_text="이도윤 님이 보고 있습니다").wait_for(timeout=20_000)
    page.keyboard.press("Escape")
    assert page.locator("[data-presence]").count() == 0
    other.context.close()
