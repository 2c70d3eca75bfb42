"""Dashboard, 입금대기, 처리 이력 and settings in Chromium: cards lead where they say, both themes, nothing clipped."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from core.models import Job, JobKind, JobState
from core.settings_registry import get_setting
from orders.models import OrderLine
from orders.services import locks
from orders.states import LineState
from payments.models import Payment
from payments.services.ledger import problems
from payments.states import ProblemKind
from tests.browser.shop import SIZES, THEMES, log_in, overflow, wear
from tests.fixtures.axe import violations
from tests.fixtures.order_rows import fill_orders

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def shop(live_server, page, sign_in, staff, make_sent, make_order, make_variant):
    fill_orders(300, now=timezone.now(), done=0.4)
    make_sent(2, at=timezone.now() - timedelta(hours=30))
    for kind in (ProblemKind.UNDERPAID, ProblemKind.OVERPAID, ProblemKind.DUPLICATE_DEPOSIT):
        payment = Payment.objects.get(order=make_order(at=timezone.now() - timedelta(hours=2)))
        problems.open_for(payment, kind, amount=3_000, at=timezone.now())
    Job.objects.create(kind=JobKind.ACT, act="hold", label="배송보류", actor=staff, state=JobState.QUEUED, total=48)
    return log_in(page, live_server, sign_in(staff))


@pytest.fixture
def waiting(make_order, make_variant):
    variant = make_variant(on_hand=50)
    at = timezone.now()
    return [make_order(lines=[(variant, 1)], at=at - timedelta(days=6, hours=n)) for n in range(3)]


def number(text):
    return int(re.sub(r"\D", "", text))


def test_every_card_leads_to_a_list_of_that_many_rows(page, shop):
    page.goto(f"{shop}/")
    keys = page.locator("[data-card]").evaluate_all("cards => cards.map(card => card.dataset.card)")
    assert len(keys) == 22
    assert {"money-short", "money-over"} < set(keys)
    for key in keys:
        shown = number(page.locator(f"[data-count='card-{key}']").inner_text())
        card = page.locator(f"[data-card='{key}']")
        target = card.get_attribute("href")
        card.click()
        page.wait_for_url(f"{shop}{target}")
        if key in {"failed-jobs", "dead"}:
            expect(page.locator("tbody tr")).to_have_count(shown)
        else:
            assert number(page.locator(".list-card").get_attribute("data-total")) == shown, key
        page.go_back()
        page.locator(f"[data-card='{key}']").wait_for()


def test_the_numbers_renew_themselves_while_the_page_is_open(page, shop, staff):
    page.clock.install()
    page.goto(f"{shop}/")
    before = number(page.locator("[data-count='card-held']").inner_text())
    line = OrderLine.objects.filter(state=LineState.PREPARING, open_locks=0).exclude(order__lines__open_locks__gt=0)[0]
    locks.hold(line_ids=[line.pk], actor=staff, at=timezone.now(), reason="색상 확인")
    with page.expect_response(lambda answer: answer.url == f"{shop}/"):
        page.clock.run_for(61_000)
    expect(page.locator("[data-count='card-held']")).to_have_text(f"{before + 1:,}건")
    assert page.locator("[data-live]").count() == 1


def test_the_hours_are_named_for_people_who_do_not_see_them(page, shop):
    page.goto(f"{shop}/")
    assert re.match(r"시간대별 주문 수. 오늘 \d+건, 어제 \d+건", page.locator("svg.hours").get_attribute("aria-label"))
    assert page.locator("svg.hours g").count() == 24


def test_deposits_are_confirmed_from_the_list_and_counted_down(page, shop, waiting):
    page.goto(f"{shop}/orders/awaiting-payment/?q={waiting[0].number}, {waiting[1].number}")
    assert page.locator("tbody[data-order]").count() == 2
    first = page.locator("[data-deadline]").first
    assert re.fullmatch(r"\d+시간 \d+분 남음", first.inner_text())
    page.locator("#check-page").check()
    page.keyboard.press("s")
    page.locator("#dialog").get_by_text("고객에게 알림 2건을 보냅니다.").wait_for()
    page.locator("#dialog [type=submit]").click()
    page.locator("#strip [data-result]").wait_for()
    assert "2건을 상품준비중으로 바꿨습니다." in page.locator("#strip").inner_text()
    page.locator("[data-empty]").wait_for()
    states = OrderLine.objects.filter(order__in=waiting[:2]).values_list("state", flat=True)
    assert set(states) == {LineState.PREPARING}
    page.locator("[data-undo]").click()
    page.locator("#dialog [type=submit]").click()
    page.locator("#strip", has_text="되돌렸습니다.").wait_for()
    assert set(states.all()) == {LineState.AWAITING_PAYMENT}


def test_a_setting_is_saved_and_leaving_unsaved_asks_first(page, shop):
    page.goto(f"{shop}/settings/")
    page.get_by_role("link", name="쇼핑몰").first.click()
    page.get_by_label("쇼핑몰 이름").fill("바다 상점")
    assert page.locator(".dirty-note").is_visible()
    asked = []
    page.once("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    with page.expect_event("dialog"):
        page.get_by_role("link", name="대시보드").click(no_wait_after=True)
    assert asked == ["beforeunload"]
    page.get_by_role("button", name="저장", exact=True).click()
    page.get_by_text("저장했습니다.").wait_for()
    assert get_setting("shop_name") == "바다 상점"
    assert "바다 상점" in page.locator("[aria-labelledby=changes-title]").inner_text()


def test_keys_are_switched_off_on_their_page(page, shop):
    page.goto(f"{shop}/settings/shortcuts/")
    with page.expect_response("**/me/preferences/"):
        page.locator("main [data-pref=shortcuts][value=off]").click()
    page.goto(f"{shop}/orders/preparing/?period=all")
    page.keyboard.press("j")
    assert page.locator("tbody.cursor").count() == 0


def test_the_history_opens_orders_beside_it(page, shop):
    page.goto(f"{shop}/audit/")
    assert page.locator("#check-page").is_hidden()
    link = page.locator("tbody[data-order] a.number").first
    opened = link.inner_text()
    link.click()
    page.locator("#detail h2", has_text=opened).wait_for()


PAGES = (
    "/",
    "/orders/awaiting-payment/?period=all",
    "/audit/",
    "/settings/",
    "/settings/shop/",
    "/settings/deadlines/",
    "/settings/holidays/",
    "/settings/shortcuts/",
)


@pytest.mark.parametrize("theme", THEMES)
def test_no_violation_and_nothing_clipped(page, shop, waiting, theme):
    wear(page, theme)
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        for url in PAGES:
            page.goto(f"{shop}{url}")
            assert overflow(page) == [], (url, width)
            # axe does not look at widths: once for each page and theme is enough.
            if width == SIZES[0][0]:
                assert violations(page) == [], url
