"""Selection, acts, moves by others and waybills on the sample list. Comments name checks of ux.md 5.2."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.shell_page import box, chosen, opened
from tests.browser.shell_urls import SEEN, TEST, seen

pytestmark = pytest.mark.browser


def test_the_page_box_has_three_states(page, shell):  # check 8
    opened(page, shell)
    head = page.locator("#check-page")
    head.check()
    assert len(chosen(page)) == 50
    box(page, 7).uncheck()
    assert head.evaluate("el => [el.checked, el.indeterminate]") == [False, True]
    expect(page.locator("[data-count=selected]")).to_have_text("49건 선택됨")
    assert page.locator("#row-7").evaluate("el => getComputedStyle(el).backgroundColor") != page.locator(
        "#row-8"
    ).evaluate("el => getComputedStyle(el).backgroundColor")
    head.check()
    head.uncheck()
    assert chosen(page) == []
    expect(page.locator(".bar .acts")).to_be_hidden()


def test_what_is_said_of_the_whole_page_moves_no_row_and_hides_none(page, shell):  # check 24
    opened(page, shell)
    top = page.locator("#row-1").evaluate("el => el.getBoundingClientRect().top")
    page.locator("#check-page").check()
    said = page.locator("[data-note=all]")
    expect(said).to_contain_text("이 화면의 50건을 선택했습니다.")
    assert page.locator("#row-1").evaluate("el => el.getBoundingClientRect().top") == top
    page.locator(".scroller").evaluate("el => el.scrollTo(0, el.scrollHeight)")
    assert page.locator("#row-50").evaluate("el => el.getBoundingClientRect().bottom") <= said.bounding_box()["y"]


def test_shift_click_and_shift_j_select_exactly_the_range(page, shell):  # check 9
    opened(page, shell)
    box(page, 3).click()
    box(page, 7).click(modifiers=["Shift"])
    assert chosen(page) == [3, 4, 5, 6, 7]
    page.locator("#row-7 a").focus()
    page.keyboard.press("Shift+J")
    assert chosen(page) == [3, 4, 5, 6, 7, 8]


def test_the_whole_result_can_be_chosen_and_is_sent_as_a_filter(page, shell):  # check 10
    opened(page, shell, "?channel=own")
    page.locator("#check-page").check()
    page.get_by_role("button", name="조회 결과 3,214건 모두 선택").click()
    expect(page.locator("[data-count=selected]")).to_have_text("3,214건 전체 선택됨")
    page.get_by_role("button", name="배송중 처리").click()
    expect(page.locator("[data-result]")).to_be_visible()
    [sent] = seen("/acts/ship/")
    assert (sent["mode"], sent["query"], sent["expected"], sent["rows"]) == ("filter", "channel=own", "3214", "")
    assert sent["as_of"] == "2025-11-21T14:20:00+09:00"


def test_a_selection_over_two_pages_is_sent_whole(page, shell):  # check 12
    opened(page, shell)
    for n in (1, 2, 3):
        box(page, n).check()
    page.get_by_role("link", name="다음").click()
    page.wait_for_selector("#row-51")
    for n in (51, 52):
        box(page, n).check()
    expect(page.locator("[data-count=selected]")).to_have_text("5건 선택됨")
    page.get_by_role("button", name="배송중 처리").click()
    expect(page.locator("[data-result]")).to_be_visible()
    assert seen("/acts/ship/")[0]["rows"] == "1:1,2:1,3:1,51:1,52:1"


def test_other_conditions_clear_the_selection_and_say_so(page, shell):  # check 13
    opened(page, shell)
    box(page, 1).check()
    page.get_by_role("link", name="오늘 발송기한 311").click()
    expect(page.locator("#notice")).to_contain_text("조건이 바뀌어 선택을 해제했습니다.")
    assert chosen(page) == []


def test_what_failed_stays_selected_and_the_result_stays(page, shell):  # check 15
    opened(page, shell)
    for n in (1, 2, 4):
        box(page, n).check()
    page.get_by_role("button", name="배송중 처리").click()
    strip = page.locator("#strip [data-result]")
    expect(strip).to_contain_text("48건 중 46건을 배송중으로 바꿨습니다.")
    expect(strip.get_by_role("link", name="실패한 2건 보기")).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert chosen(page) == [2, 4]
    assert re.fullmatch(r"29:5\d", strip.locator("[data-countdown]").inner_text())
    page.get_by_role("link", name="다음").click()
    page.wait_for_selector("#row-51")
    expect(strip).to_be_visible()


def test_a_preview_opens_in_the_page_and_its_errors_come_back(page, shell, console_errors):  # check 14
    TEST["answer"] = "confirm"
    opened(page, shell)
    box(page, 1).check()
    page.get_by_role("button", name="배송중 처리").click()
    dialog = page.locator("#dialog")
    expect(dialog).to_be_visible()
    reasons = dialog.locator(".reasons b").all_inner_texts()
    assert sum(int(text.removesuffix("건")) for text in reasons) == 24
    dialog.get_by_role("button", name="배송중 처리").click()
    expect(dialog.get_by_role("alert")).to_contain_text("사유")
    expect(dialog.get_by_label("사유")).to_have_attribute("aria-invalid", "true")
    assert len(console_errors) == 1
    console_errors.clear()
    dialog.get_by_label("사유").fill("고객 요청")
    dialog.get_by_label("고객 부재").check()
    dialog.get_by_label("다시 확인할 날", exact=False).first.fill("2025-11-25")
    dialog.get_by_role("button", name="배송중 처리").click()
    expect(page.locator("#strip [data-result]")).to_be_visible()
    expect(dialog).to_be_hidden()


def test_a_colleagues_move_turns_the_row_grey_and_keeps_what_is_typed(page, shell):  # check 17
    page.clock.install()
    opened(page, shell)
    box(page, 3).check()
    page.locator("#w-4").fill("62537")
    page.locator(".scroller").evaluate("el => el.scrollTo(0, 40)")
    TEST["moved"] = frozenset([2])
    top = "el => el.getBoundingClientRect().top"
    stood = page.locator("#row-2").evaluate(top)
    page.clock.run_for(16_000)
    expect(page.locator("#row-3")).to_contain_text("방금 이도윤 님이 처리")
    expect(box(page, 3)).to_be_disabled()
    expect(page.locator("[data-note=moved]")).to_contain_text("그사이 바뀐 주문 1건이 있습니다.")
    assert page.locator("#row-2").evaluate(top) == stood
    assert page.locator("#w-4").input_value() == "62537"
    assert page.evaluate("document.activeElement.id") == "w-4"
    assert page.locator(".scroller").evaluate("el => el.scrollTop") == 40
    assert chosen(page) == []
    assert page.locator("#since").get_attribute("content") == "t2"


def test_a_hidden_tab_asks_nothing(page, shell):
    TEST["answer"] = "progress"
    page.clock.install()
    opened(page, shell)
    page.keyboard.press("j")
    page.keyboard.press("s")
    page.wait_for_selector(".result.busy")
    page.evaluate("Object.defineProperty(document, 'hidden', {get: () => true})")
    # What was asked before it was hidden comes in.
    page.wait_for_timeout(1_000)
    before = len(SEEN)
    page.clock.run_for(65_000)
    page.wait_for_timeout(300)
    assert len(SEEN) == before


def test_waybills_are_pasted_by_key_and_saved_as_drafts(page, shell, console_errors):  # checks 28, 29
    opened(page, shell)
    paste = """text => { const data = new DataTransfer(); data.setData('text', text);
      const how = {clipboardData: data, bubbles: true, cancelable: true};
      document.querySelector('#w-4').dispatchEvent(new ClipboardEvent('paste', how)); }"""
    page.evaluate(paste, "6253-7332-0001\n６２５３ 7332 0002\n625373320003")
    expect(page.locator("#strip [data-result]")).to_be_visible()
    assert [line.split("\t")[0][-2:] for line in seen("/paste/")[0]["text"].split("\n")] == ["05", "07", "08"]
    page.locator("#w-1").fill("6.25373E+11")
    page.locator("#w-1").press("Enter")
    expect(page.locator("#row-2")).to_contain_text("송장번호가 지수 형식입니다.")
    assert page.evaluate("document.activeElement.id") == "w-2"
    page.locator("#w-2").fill("12345678")
    page.locator("#w-2").press("ArrowDown")
    expect(page.locator("#row-3")).to_contain_text("지금은 8자리입니다.")
    expect(page.locator("#w-2")).to_have_attribute("aria-invalid", "true")
    page.locator("#w-2").fill("6253 7332 7723")
    page.locator("#w-2").blur()
    expect(page.locator("#row-3")).to_contain_text("임시")
    assert page.locator("#w-2").input_value() == "625373327723"
    assert len(console_errors) == 1
    console_errors.clear()
