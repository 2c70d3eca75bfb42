"""Keys, palette and slide-over on the sample list in a real Chromium. Comments name checks of ux.md 5.2."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.shell_page import chosen, opened
from tests.browser.shell_urls import SEEN, TEST

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    "key",
    [{"key": "ㅓ", "code": "KeyJ"}, {"key": "Process", "code": "KeyJ", "keyCode": 229}, {"key": "ㅓ", "code": ""}],
)
def test_j_moves_in_either_input_mode(page, shell, key):  # check 19
    opened(page, shell)
    press = (
        "key => document.body.dispatchEvent(new KeyboardEvent('keydown', {bubbles: true, cancelable: true, ...key}))"
    )
    page.evaluate(press, key)
    page.evaluate(press, key)
    assert page.locator("tbody.cursor").get_attribute("data-id") == "2"
    assert page.evaluate("document.activeElement.textContent") == "20251121-0000002"


def test_typing_in_a_field_never_moves_the_list(page, shell):  # check 20
    opened(page, shell)
    page.locator("#q").fill("")
    page.locator("#q").press_sequentially("jxs?")
    assert page.locator("tbody.cursor").count() == 0
    before = len(SEEN)
    page.evaluate("""() => { const q = document.querySelector('#q'); q.focus();
      const how = {key: 'Enter', code: 'Enter', keyCode: 229, bubbles: true, cancelable: true};
      const e = new KeyboardEvent('keydown', how);
      window.prevented = !q.dispatchEvent(e); }""")
    assert page.evaluate("window.prevented")
    assert len(SEEN) == before


def test_s_presses_the_main_act_only_where_there_is_exactly_one(page, shell):
    opened(page, shell)
    page.locator("#check-page").check()
    mains = page.locator(".bar .acts [data-action].primary")
    assert mains.count() == 1
    mains.evaluate("one => one.after(one.cloneNode(true))")
    page.wait_for_load_state("networkidle")
    before = len(SEEN)
    page.keyboard.press("s")
    page.wait_for_timeout(300)
    assert len(SEEN) == before
    mains.nth(1).evaluate("one => one.remove()")
    page.keyboard.press("s")
    page.wait_for_selector("#dialog[open], #strip [data-result]")


def test_a_key_right_behind_a_closed_dialog_is_for_the_page(page, shell):
    """The button of a closed dialog keeps the focus until the next frame is drawn."""
    opened(page, shell)
    for _ in range(10):
        page.keyboard.press("?")
        page.keyboard.press("Escape")
        page.keyboard.press("Control+a")
        assert chosen(page) != []
        page.keyboard.press("Escape")
        assert chosen(page) == []


def test_shortcuts_can_be_switched_off(page, shell):  # check 21
    TEST["shortcuts"] = "off"
    opened(page, shell)
    page.keyboard.press("j")
    assert page.locator("tbody.cursor").count() == 0


def test_escape_closes_the_detail_then_clears_the_selection(page, shell):  # check 22
    opened(page, shell)
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("o")
    expect(page.locator("#detail")).to_contain_text("20251121-0000001")
    assert "open=20251121-0000001" in page.url
    page.keyboard.press("j")
    expect(page.locator("#detail h2")).to_have_text("20251121-0000002")
    page.keyboard.press("Escape")
    expect(page.locator("#detail")).to_be_hidden()
    assert chosen(page) == [1]
    assert page.evaluate("document.activeElement.textContent") == "20251121-0000002"
    page.keyboard.press("Escape")
    assert chosen(page) == []
    assert "open=" not in page.url


def test_the_focus_goes_into_a_slide_over_that_a_key_opened_and_back_to_its_row(page, shell):  # check 22
    opened(page, shell)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    heading = page.locator("#detail h2")
    expect(heading).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#detail .detail-head a")).to_be_focused()
    # The rows go by under whoever reads beside them, each in sight.
    for number in (2, 3, 4):
        page.keyboard.press("j")
        expect(heading).to_have_text(f"20251121-{number:07d}")
        expect(heading).to_be_focused()
    assert page.locator("tbody.cursor").get_attribute("data-id") == "4"
    expect(page.locator("#row-4 a[data-open]")).to_be_in_viewport(ratio=1)
    for key in "jjkjjjjjjjjjjjjjjj":
        page.keyboard.press(key)
    page.wait_for_load_state("networkidle")
    expect(heading).to_have_text("20251121-0000020")
    expect(heading).to_be_focused()
    expect(page.locator("#row-20 a[data-open]")).to_be_in_viewport(ratio=1)
    page.keyboard.press("Escape")
    expect(page.locator("#row-20 a[data-open]")).to_be_focused()


def test_the_focus_stays_in_the_list_beside_a_slide_over_that_the_mouse_opened(page, shell):
    opened(page, shell)
    page.locator("#row-1 a[data-open]").click()
    expect(page.locator("#detail h2")).to_have_text("20251121-0000001")
    expect(page.locator("#row-1 a[data-open]")).to_be_focused()
    page.keyboard.press("j")
    expect(page.locator("#detail h2")).to_have_text("20251121-0000002")
    expect(page.locator("#row-2 a[data-open]")).to_be_focused()


def test_the_open_order_survives_a_reload(page, shell):
    opened(page, shell, "?open=20251121-0000003")
    expect(page.locator("#detail h2")).to_have_text("20251121-0000003")


def test_the_focused_row_is_never_under_the_head_or_the_footer(page, shell):  # check 24
    opened(page, shell)
    for key in ["j"] * 30 + ["k"] * 25:
        page.keyboard.press(key)
        top, bottom = page.evaluate("""() => { const a = document.activeElement.getBoundingClientRect();
          return [a.top - document.querySelector('thead').getBoundingClientRect().bottom,
                  document.querySelector('.pager').getBoundingClientRect().top - a.bottom]; }""")
        assert top >= 0
        assert bottom >= 0


def test_the_palette_finds_menus_by_initial_consonants(page, shell):
    opened(page, shell)
    page.keyboard.press("Control+k")
    page.locator("#palette-q").fill("ㅇㄱㄷㄱ")
    expect(page.locator("#palette-list li")).to_have_text([re.compile("입금대기 관리")])
    page.keyboard.press("Enter")
    page.wait_for_url("**/orders/awaiting-payment/")


def test_g_then_a_number_opens_the_menu(page, shell):
    opened(page, shell)
    page.keyboard.press("g")
    page.keyboard.press("2")
    page.wait_for_url("**/orders/awaiting-payment/")
