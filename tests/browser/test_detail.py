"""주문 상세 in Chromium: slide-over, memo, clear text for 30 seconds, address and its comparison, acts, both themes."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from accounts.models import AccessLog
from accounts.roles import Role
from orders.models import Order, StaffMemo
from orders.services import locks
from orders.services.changes import Recipient, add_memo, change_recipient
from tests.browser.shop import SIZES, THEMES, log_in, overflow, wear
from tests.browser.steps import until
from tests.fixtures.axe import violations
from tests.fixtures.orders import reloaded

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def orders(make_order, make_variant):
    """Three orders in 상품준비중, the newest with many lines."""
    at = timezone.now()
    variants = [make_variant(on_hand=50) for _ in range(6)]
    first = [make_order(lines=[(variants[0], 1)], paid=True, at=at - timedelta(hours=n)) for n in (3, 2)]
    big = make_order(lines=[(variant, 2) for variant in variants], paid=True, at=at - timedelta(hours=1))
    return [*first, big]


@pytest.fixture
def shop(live_server, page, sign_in, staff):
    return log_in(page, live_server, sign_in(staff))


@pytest.fixture
def opened(page, shop, orders):
    """The list of 상품준비중 with the slide-over of the last order."""
    page.goto(f"{shop}/orders/preparing/?sort=ordered_at")
    open_row(page, orders[2])
    return orders[2]


def open_row(page, order):
    page.locator(f"tbody[data-order='{order.number}'] a.number").click()
    page.locator("#detail h2", has_text=order.number).wait_for()


def result(page):
    strip = page.locator("#strip [data-result]")
    strip.wait_for()
    return strip.inner_text()


def test_the_slide_over_follows_the_rows_and_the_address(page, shop, orders, opened):
    assert page.url.endswith(f"open={opened.number}")
    page.reload()
    page.locator("#detail h2", has_text=opened.number).wait_for()
    page.locator(f"tbody[data-order='{opened.number}'] a.number").focus()
    page.keyboard.press("k")
    page.locator("#detail h2", has_text=orders[1].number).wait_for()
    page.keyboard.press("Escape")
    assert page.locator("#detail").is_hidden()
    assert "open=" not in page.url
    assert page.evaluate("document.activeElement.textContent") == orders[1].number


def test_a_memo_is_saved_without_a_jump_and_the_order_can_be_acted_on_at_once(page, opened, staff):
    page.keyboard.press("m")
    assert page.evaluate("document.activeElement.id") == "memo-text"
    page.locator("#memo-text").fill("사은품 확인")
    before = page.locator("#detail .detail-body").evaluate("body => body.scrollTop")
    assert before > 0
    with page.expect_response(lambda answer: answer.url.endswith(f"/orders/{opened.number}/")):
        page.get_by_role("button", name="메모 저장").click()
    page.locator("[data-memo]", has_text="사은품 확인").wait_for()
    until(page, "document.querySelector('#detail .detail-body').scrollTop > 0")
    assert page.locator("#memo-text").input_value() == ""
    assert StaffMemo.objects.get().author == staff
    page.locator("#detail [data-action=acknowledge]").click()
    page.locator("#dialog [type=submit], #strip [data-result]").first.wait_for()
    if page.locator("#dialog [type=submit]").count():
        page.locator("#dialog [type=submit]").click()
    assert "발주확인했습니다." in result(page)
    page.locator("#detail [data-action=acknowledge]").wait_for(state="detached")
    assert "발주확인" in page.locator("#detail .timeline").inner_text()


def test_clear_text_is_hidden_again_after_thirty_seconds(page, opened, staff):
    page.locator("[data-reveal]").click()
    page.locator("#reveal-reason").fill("고객 문의 전화")
    page.clock.install()
    page.keyboard.press("Enter")
    shown = page.locator("[data-revealed]")
    shown.wait_for()
    assert "김수령" in shown.inner_text()
    assert "010-8765-4321" in shown.inner_text()
    log = AccessLog.objects.get()
    assert (log.actor, log.purpose, log.subjects) == (staff, "고객 문의 전화", [opened.number])
    page.clock.fast_forward(29_000)
    assert shown.is_visible()
    page.clock.fast_forward(2_000)
    shown.wait_for(state="detached")
    assert "김수령" not in page.locator("#detail").inner_text()


def test_without_a_reason_nothing_is_shown(page, opened, console_errors):
    page.locator("[data-reveal]").click()
    page.locator(".reveal [type=submit]").click()
    page.locator("#reveal-error").wait_for()
    assert page.locator("#reveal-error").inner_text() == "보는 이유를 입력하세요."
    assert not AccessLog.objects.exists()
    # The browser notes the 422 itself.
    console_errors.clear()


def test_the_address_changes_and_a_colleagues_change_is_compared(page, opened, make_staff, console_errors):
    page.locator("[data-change-recipient]").click()
    dialog = page.locator("#dialog")
    dialog.get_by_label("수령자").wait_for()
    colleague = make_staff(Role.CS, display_name="이도윤")
    present = reloaded(opened)
    recipient = Recipient(**{name: getattr(present, name) for name in Recipient.__slots__} | {"address2": "202호"})
    change_recipient(
        order_id=opened.pk,
        recipient=recipient,
        expected_version=present.version,
        actor=colleague,
        at=timezone.now(),
    )
    dialog.get_by_label("수령자").fill("이새로")
    dialog.get_by_label("상세주소").fill("205동 101호")
    dialog.get_by_role("button", name="배송지 저장").click()
    dialog.get_by_text("이도윤 님이 먼저 수정했습니다.").wait_for()
    console_errors.clear()
    assert "김수령" in dialog.inner_text()
    assert "205동 101호" in dialog.inner_text()
    assert reloaded(opened).recipient_name == "김수령"
    assert violations(page) == []
    dialog.get_by_role("button", name="내 값으로 저장").click()
    assert "배송지를 바꿨습니다." in result(page)
    assert (reloaded(opened).recipient_name, reloaded(opened).address2) == ("이새로", "205동 101호")
    page.locator("#detail .timeline", has_text="배송지 변경").wait_for()
    assert not dialog.is_visible()


def test_a_click_beside_the_dialog_does_not_lose_what_was_typed(page, opened):
    page.locator("[data-change-recipient]").click()
    name = page.locator("#dialog").get_by_label("수령자")
    name.fill("이새로")
    page.mouse.click(5, 5)
    assert name.input_value() == "이새로"
    page.get_by_role("button", name="그만두기").click()
    assert reloaded(opened).recipient_name == "김수령"


def test_hold_by_key_moves_through_the_dialog_and_shows_why(page, opened):
    page.keyboard.press("h")
    page.locator("#dialog").get_by_label("보류 사유").fill("색상 확인")
    page.locator("#dialog [type=submit]").click()
    assert "배송보류했습니다." in result(page)
    page.locator("#detail [data-why]", has_text="배송보류 중입니다. 사유: 색상 확인").wait_for()
    expect(page.locator("#detail [data-action=hold]")).to_have_count(0)


def test_the_full_page_works_alone(page, shop, orders):
    order = orders[2]
    page.goto(f"{shop}/orders/{order.number}/")
    page.locator("[data-action=hold]").click()
    page.locator("#dialog").get_by_label("보류 사유").fill("색상 확인")
    page.locator("#dialog [type=submit]").click()
    assert "배송보류했습니다." in result(page)
    page.locator("[data-why]", has_text="배송보류 중입니다.").wait_for()
    page.get_by_role("link", name="목록에서 보기").click()
    page.wait_for_url("**/orders/?q=*")
    assert page.locator("tbody[data-order]").count() == 1


def test_an_unknown_number_leads_to_a_search(page, shop, orders, console_errors):
    page.goto(f"{shop}/orders/20990101-0000001/")
    console_errors.clear()
    page.get_by_label("주문번호, 송장번호, 이름").fill(orders[0].number)
    page.keyboard.press("Enter")
    page.wait_for_url("**/orders/?q=*")
    assert page.locator("tbody[data-order]").count() == 1


@pytest.mark.parametrize("theme", THEMES)
def test_no_violation_and_nothing_clipped(page, shop, orders, staff, theme):
    wear(page, theme)
    order = orders[2]
    lines = list(Order.objects.get(pk=order.pk).lines.order_by("seq"))
    locks.hold(line_ids=[lines[0].pk], actor=staff, at=timezone.now(), reason="색상 확인")
    add_memo(order_id=order.pk, text="긴 메모 " * 40, is_pinned=True, actor=staff, at=timezone.now())
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        page.goto(f"{shop}/orders/{order.number}/")
        assert overflow(page) == []
        page.goto(f"{shop}/orders/preparing/?sort=ordered_at")
        open_row(page, order)
        assert overflow(page) == []
    assert violations(page) == []
    page.locator("[data-reveal]").click()
    page.locator("#reveal-reason").fill("고객 문의 전화")
    page.keyboard.press("Enter")
    page.locator("[data-revealed]").wait_for()
    page.locator("[data-change-recipient]").click()
    page.locator("#dialog[open]").wait_for()
    assert violations(page) == []
    page.goto(f"{shop}/orders/{order.number}/")
    assert violations(page) == []


def test_every_target_is_large_enough_and_nothing_moves_while_it_opens(page, opened):
    small = page.evaluate(
        """() => [...document.querySelectorAll('#detail button, #detail a.btn, #detail summary, #detail input')]
        .filter((one) => one.checkVisibility())
        .map((one) => [one.outerHTML.slice(0, 80), (one.closest('label') || one).getBoundingClientRect()])
        .filter(([, box]) => box.width < 24 || box.height < 24).map(([html]) => html)"""
    )
    assert small == []
    head = page.locator("#detail .detail-head").bounding_box()
    assert head["height"] <= 60
