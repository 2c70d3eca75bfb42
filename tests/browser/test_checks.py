"""The checks of ux.md 5.2 on the real lists of a seeded shop: addresses, counts, selection, acts, keys, two browsers.

What needs no database is proven on the sample list (test_shell*.py).
"""

import random
import re

import pytest
from playwright.sync_api import Page, expect

from orders.models import Order, OrderLine
from tests.browser.steps import hold, ids, settled, travel
from tests.flows.working_day import Clerk, number

pytestmark = pytest.mark.browser

TWO_PAGES = "두 쪽에서 고른 주문"
LISTS = ("orders", "awaiting-payment", "preparing", "ready", "shipping", "delivered", "confirmed")
PATHS = {name: "/orders/" if name == "orders" else f"/orders/{name}/" for name in LISTS}
CHOSEN = "[...document.querySelectorAll('td.check input:checked')].map(box => box.closest('tbody').dataset.id)"
COVERED = "el => { const r = el.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom]; }"
VISIBLE = """() => { const end = document.querySelector('.pager').getBoundingClientRect().top;
  const seen = body => body.getBoundingClientRect().bottom <= end;
  return [...document.querySelectorAll('.scroller tbody')].filter(seen).length; }"""
CHIPS = "document.querySelector('.chips')?.textContent"
PLACE = "document.querySelector('.pager span').textContent"
NOW = "document.querySelector('.tabs [aria-current=page]')?.textContent"


def chosen(page: Page) -> list[str]:
    found: list[str] = page.evaluate(CHOSEN)
    return found


def total(page: Page) -> int:
    return int(page.locator(".list-card").get_attribute("data-total"))


@pytest.mark.parametrize("name", LISTS)
def test_an_address_shows_a_colleague_the_same_list(seeded, browser, list_at, name):  # check 1
    page = list_at(f"{PATHS[name]}?period=all&size=20")
    tabs = page.locator(".tabs a")
    if tabs.count() > 1:
        tabs.nth(1).click()
        settled(page)
    sort = page.locator("thead th a").first
    if sort.count():
        sort.click()
        settled(page)
    if page.locator(".pager a[rel=next]").count():
        page.locator(".pager a[rel=next]").click()
        settled(page)
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    other = seeded.open(seeded.enter(context.new_page()), page.url.removeprefix(seeded.url))
    assert ids(other) == ids(page)
    for what in (NOW, CHIPS, PLACE):
        assert other.evaluate(what) == page.evaluate(what)
    context.close()


@pytest.mark.parametrize("name", LISTS)
def test_a_direct_request_is_a_page_a_swap_is_the_list(seeded, name):  # check 3
    client = seeded.client()
    whole = client.get(PATHS[name]).content.decode()
    part = client.get(PATHS[name], headers={"HX-Request": "true", "HX-Target": "list"}).content.decode()
    assert "<html" in whole
    assert "<html" not in part
    assert whole.count("<tbody id=") == part.count("<tbody id=")


def test_back_and_forward_restore_rows_and_tab_and_nothing_is_stored(list_at):  # check 2
    page = list_at("/orders/?period=all&size=20")
    seen = [(ids(page), page.evaluate(NOW))]
    for link in (page.locator(".tabs a").nth(2), page.locator(".pager a[rel=next]")):
        link.click()
        settled(page)
        seen.append((ids(page), page.evaluate(NOW)))
    assert len({tuple(rows) for rows, _ in seen}) == 3
    for way, wanted in ((page.go_back, seen[1]), (page.go_back, seen[0]), (page.go_forward, seen[1])):
        travel(page, way)
        assert (ids(page), page.evaluate(NOW)) == wanted
    assert page.evaluate("JSON.stringify(localStorage).length + JSON.stringify(sessionStorage).length") < 1024


def test_ten_random_conditions_count_alike_on_tab_header_selection_and_file(seeded, list_at):  # check 4
    pick = random.Random(4)
    clerk = Clerk(seeded.client(), None)
    for _ in range(10):
        name = pick.choice(("orders", "preparing", "ready", "shipping"))
        query = f"period={pick.choice(('all', '1m', '7d'))}&size=20"
        page = list_at(f"{PATHS[name]}?{query}")
        tab = pick.randrange(page.locator(".tabs a").count())
        page.locator(".tabs a").nth(tab).click()
        settled(page)
        said = number(page.locator(".tabs [aria-current=page] b").inner_text())
        query = page.locator(".list-card").get_attribute("data-query")
        assert said == total(page), query
        assert f"{said:,}건" in page.locator("[data-count=total]").inner_text()
        lines = re.search(r"품목 ([\d,]+)건", page.locator("[data-count=total]").inner_text())
        assert len(clerk.excel(name, query)) == number(lines[1]), query
        if said > 20:
            page.locator("#check-page").check()
            page.get_by_role("button", name=f"조회 결과 {said:,}건 모두 선택").click()
            expect(page.locator("[data-count=selected]")).to_have_text(f"{said:,}건 전체 선택됨")


def test_the_cards_of_the_dashboard_are_the_totals_of_their_lists(seeded, list_at):  # check 5
    page = list_at("/")
    cards = page.locator("[data-card]").evaluate_all(
        "all => all.map(card => [card.getAttribute('href'), card.querySelector('b').textContent, card.dataset.card])"
    )
    assert len(cards) >= 8
    client = seeded.client()
    for url, text, key in cards:
        html = client.get(url).content.decode()
        found = re.search(r'data-total="(\d+)"', html)
        if found is None:
            # Jobs and dead letters are no lists of orders: the seeded shop has none that failed.
            assert (key, number(text.removesuffix("건"))) in {("failed-jobs", 0), ("dead", 0)}
            continue
        assert number(found[1]) == number(text.removesuffix("건")), (key, url)


@pytest.mark.parametrize("name", ["orders", "preparing", "ready", "shipping"])
def test_head_and_frozen_columns_stay_in_view(list_at, name):  # check 6
    page = list_at(f"{PATHS[name]}?period=all")
    assert page.locator(".scroller tbody").first.bounding_box()["y"] <= (320 if page.locator(".chips").count() else 290)
    page.set_viewport_size({"width": 1280, "height": 800})
    head, first = page.locator("thead th").nth(1), page.locator("#check-page")
    before = [head.evaluate(COVERED), first.evaluate(COVERED)]
    left = page.locator(".scroller tbody").first.locator("td").nth(1).evaluate(COVERED)[0]
    page.locator(".scroller").evaluate("el => el.scrollTo(600, 3000)")
    assert [head.evaluate(COVERED), first.evaluate(COVERED)] == before
    assert page.locator(".scroller tbody").last.locator("td").nth(1).evaluate(COVERED)[0] == left


def test_enough_orders_are_in_view(list_at):  # check 7
    page = list_at("/orders/")
    assert page.evaluate(VISIBLE) >= 9
    page.evaluate("document.documentElement.dataset.density = 'compact'")
    assert page.evaluate(VISIBLE) >= 11


def test_boxes_ranges_and_the_whole_result(list_at):  # checks 8, 9, 10, 13
    page = list_at("/orders/?period=all&size=20")
    head, boxes = page.locator("#check-page"), page.locator("tbody[data-id] td.check input")
    head.check()
    assert len(chosen(page)) == 20
    boxes.nth(6).uncheck()
    assert head.evaluate("el => [el.checked, el.indeterminate]") == [False, True]
    page.locator("[data-clear]").click()
    boxes.nth(2).click()
    boxes.nth(6).click(modifiers=["Shift"])
    assert chosen(page) == ids(page)[2:7]
    page.keyboard.press("Shift+J")
    assert chosen(page) == ids(page)[2:8]
    page.locator(".tabs a").nth(1).click()
    expect(page.locator("#notice")).to_contain_text("조건이 바뀌어 선택을 해제했습니다.")
    settled(page)
    assert chosen(page) == []


def held_of(numbers: list[str]) -> int:
    """How many of these orders have a held line."""
    return Order.objects.filter(number__in=numbers, lines__hold_reason=TWO_PAGES).distinct().count()


def test_a_selection_over_two_pages_changes_exactly_those_and_undo_restores_them(list_at):  # checks 12, 16
    page = list_at("/orders/preparing/?period=all&size=20&tab=in-stock")
    numbers = []
    for rows in (3, 2):
        free = page.locator("tbody[data-id]").filter(has_not_text="보류")
        for n in range(rows):
            free.nth(n).locator("td.check input").check()
            numbers.append(free.nth(n).get_attribute("data-order"))
        if rows == 3:
            page.locator(".pager a[rel=next]").click()
            settled(page)
    expect(page.locator("[data-count=selected]")).to_have_text("5건 선택됨")
    before = dict(OrderLine.objects.values_list("pk", "open_locks"))
    hold(page, TWO_PAGES)
    assert held_of(numbers) == 5
    assert Order.objects.filter(lines__hold_reason=TWO_PAGES).distinct().count() == 5
    page.locator("#strip [data-undo]").click()
    page.locator("#dialog button[type=submit]").click()
    expect(page.locator("#strip")).to_contain_text("되돌렸습니다.")
    assert dict(OrderLine.objects.values_list("pk", "open_locks")) == before


@pytest.mark.parametrize("width", [1440, 1280])
@pytest.mark.parametrize("name", LISTS)
def test_the_buttons_of_a_selection_leave_the_tools_free(list_at, name, width):  # check 40
    page = list_at(f"{PATHS[name]}?period=all&size=20")
    page.set_viewport_size({"width": width, "height": 900})
    page.locator("#check-page").check()
    acts, tools = page.locator(".bar .acts"), page.locator(".bar .tools")
    ends = acts.locator("> *").evaluate_all("all => Math.max(...all.map(one => one.getBoundingClientRect().right))")
    assert ends <= tools.bounding_box()["x"]
    assert page.locator(".bar .acts > .primary").count() <= 1


def test_the_extra_filters_open_by_key_with_their_first_field_in_focus(seeded, list_at):  # check 7
    page = list_at("/orders/preparing/?period=all")
    button = page.locator("[data-toggle=filters]")
    assert page.locator("#filters").inner_text() == ""
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#filters select").first).to_be_focused()
    expect(button).to_have_attribute("aria-expanded", "true")
    page.locator("#filters [name=mark]").select_option("memo")
    page.locator("#filters [type=submit]").click()
    expect(page.locator(".chips")).to_contain_text("표시: 메모 있음")
    page.locator("[data-toggle=filters]").click()
    expect(page.locator("#filters [name=mark]")).to_have_value("memo")
