"""엑셀 양식 편집: columns move by keyboard and by dragging, nothing runs out of the card, and saving says so."""

import pytest
from playwright.sync_api import Page, expect

from shipping.models import ExcelTemplate
from tests.browser.shop import log_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
HEADERS = "all => all.map(one => one.value)"
OUTSIDE = """() => { const box = document.querySelector('form.wide').getBoundingClientRect();
  return [...document.querySelectorAll('form.wide *')].filter(one => one.checkVisibility()
    && !one.closest('.sr') && one.getBoundingClientRect().right > box.right + 1)
    .map(one => one.outerHTML.slice(0, 90)); }"""
COVERED = """() => { const foot = document.querySelector('.form-foot').getBoundingClientRect();
  const now = document.activeElement.getBoundingClientRect();
  return !document.activeElement.closest('.form-foot') && now.bottom > foot.top && now.top < foot.bottom; }"""


@pytest.fixture
def editor(live_server, page, sign_in, staff):
    template = ExcelTemplate.objects.get(name="CJ대한통운 A")
    page.goto(f"{log_in(page, live_server, sign_in(staff))}/excel/templates/{template.pk}/")
    return page


def headers(page: Page) -> list[str]:
    return page.locator("#template-columns [name=header]").evaluate_all(HEADERS)


def focused(page: Page) -> str:
    return page.evaluate("document.activeElement.getAttribute('aria-label') || document.activeElement.name")


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1280, 800)])
def test_the_table_stays_in_its_card_and_only_one_save_button_is_seen(editor: Page, width: int, height: int) -> None:
    editor.set_viewport_size({"width": width, "height": height})
    assert editor.evaluate(OUTSIDE) == []
    expect(editor.get_by_role("button", name="저장", exact=True)).to_have_count(1)
    label = editor.locator("label[for=column0_header]").bounding_box()
    assert label is not None
    assert (label["width"], label["height"]) == (1, 1)


def test_the_keyboard_is_never_under_the_bar_at_the_bottom(editor: Page) -> None:
    editor.locator("#column0_header").focus()
    for _ in range(80):
        editor.keyboard.press("Tab")
        assert editor.evaluate(COVERED) is False


def test_a_column_moves_by_keyboard_and_the_focus_stays_on_its_button(editor: Page) -> None:
    before = headers(editor)
    editor.get_by_role("button", name="1번째 열 아래로", exact=True).focus()
    for place in (2, 3):
        editor.keyboard.press("Enter")
        expect(editor.locator("#template-columns [name=header]").nth(place - 1)).to_have_value(before[0])
        assert focused(editor) == f"{place}번째 열 아래로"
    assert headers(editor)[:3] == [before[1], before[2], before[0]]
    expect(editor.locator("[data-preview] th").nth(2)).to_have_text(before[0])
    expect(editor.locator(".dirty-note")).to_be_visible()
    editor.get_by_role("button", name="2번째 열 위로", exact=True).press("Enter")
    expect(editor.locator("#template-columns [name=header]").first).to_have_value(before[2])
    assert focused(editor) == "1번째 열 아래로"


def test_a_column_is_dragged_by_its_number_and_saved(editor: Page) -> None:
    before = headers(editor)
    grips = editor.locator("[data-grip]")
    editor.evaluate("scrollTo(0, 300)")
    start, end = grips.nth(0).bounding_box(), grips.nth(3).bounding_box()
    assert start is not None
    assert end is not None
    editor.mouse.move(start["x"] + 10, start["y"] + 10)
    editor.mouse.down()
    editor.mouse.move(end["x"] + 10, end["y"] + end["height"] - 4, steps=12)
    editor.mouse.up()
    expect(editor.locator("#template-columns [name=header]").nth(3)).to_have_value(before[0])
    wanted = [*before[1:4], before[0], *before[4:]]
    assert headers(editor) == wanted
    assert focused(editor) == "4번째 열 아래로"
    editor.get_by_role("button", name="저장", exact=True).click()
    expect(editor.locator(".messages")).to_contain_text("저장했습니다.")
    assert headers(editor) == wanted
    saved = ExcelTemplate.objects.get(name="CJ대한통운 A")
    assert [one["header"] for one in saved.columns] == wanted


def test_an_escape_puts_a_dragged_column_back(editor: Page) -> None:
    before = headers(editor)
    grips = editor.locator("[data-grip]")
    start, end = grips.nth(2).bounding_box(), grips.nth(0).bounding_box()
    assert start is not None
    assert end is not None
    editor.mouse.move(start["x"] + 10, start["y"] + 10)
    editor.mouse.down()
    editor.mouse.move(end["x"] + 10, end["y"] + 2, steps=12)
    assert headers(editor) != before
    editor.keyboard.press("Escape")
    editor.mouse.up()
    assert headers(editor) == before


def test_a_new_column_is_ready_for_its_name(editor: Page) -> None:
    count = len(headers(editor))
    editor.get_by_role("button", name="열 추가").click()
    expect(editor.locator("#template-columns [name=header]")).to_have_count(count + 1)
    assert editor.evaluate("document.activeElement.id") == f"column{count}_header"


def test_deleting_a_template_is_asked_for_and_can_be_left(editor: Page) -> None:
    preset = ExcelTemplate.objects.get(name="CJ대한통운 A")
    mine = ExcelTemplate.objects.create(name="우리 양식", columns=preset.columns)
    editor.goto(editor.url.split("/excel/")[0] + "/excel/templates/")
    row, dialog = editor.locator(f"[data-template='{mine.pk}']"), editor.locator("#dialog")
    row.get_by_role("link", name="우리 양식 삭제").click()
    expect(dialog).to_contain_text("'우리 양식'을 지웁니다. 지운 양식은 되돌릴 수 없습니다.")
    dialog.get_by_role("button", name="그만두기").click()
    expect(dialog).to_be_hidden()
    expect(row).to_be_visible()
    assert ExcelTemplate.objects.filter(pk=mine.pk).exists()
    row.get_by_text("삭제", exact=True).click()
    dialog.get_by_role("button", name="삭제", exact=True).click()
    expect(row).to_have_count(0)
    assert not ExcelTemplate.objects.filter(pk=mine.pk).exists()
