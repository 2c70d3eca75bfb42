"""The preview of a result file in a seeded shop: what is only proposed is ticked row by row, never by one tick."""

import pytest
from playwright.sync_api import Page, expect

from orders.models import Order
from shipping.models import Parcel, Shipment
from tests.browser.shop import SIZES, overflow
from tests.browser.steps import parcels, settled
from tests.fixtures.shipments import again, waybill_number

pytestmark = pytest.mark.browser

UPLOAD = "/shipping/waybills/upload/"


@pytest.fixture
def previewed(list_at):
    """`previewed(lines)`: the preview of pasted rows, as logistics sees it."""

    def show(lines: list[list[str]]) -> Page:
        page = list_at(UPLOAD, "logistics")
        page.locator("[name=text]").fill("\n".join("\t".join(line) for line in lines))
        page.get_by_role("button", name="미리보기").click()
        settled(page)
        return page

    return show


def fits(page: Page) -> bool:
    """Whether every tick is within sight on both screens that people have."""
    found = []
    for width, height in reversed(SIZES):
        page.set_viewport_size({"width": width, "height": height})
        found += overflow(page)
    return not found


def apply(page: Page) -> None:
    page.locator("[data-action=apply]").click()
    settled(page)


def test_a_word_and_a_box_are_ticked_by_hand_and_all_leaves_them_alone(previewed, console_errors):
    first, second, word, fine, left = parcels(5, code="TICKS")
    number = waybill_number(9_700)
    rows = [[first.number, number], [second.number, number], [word.number, "직접수령"]]
    rows += [[left.number, "재고소진"], [fine.number, waybill_number(9_701)]]
    page = previewed(rows)
    expect(page.locator("[data-count=ask]")).to_have_text("4")
    expect(page.locator("[name=all]")).to_have_count(0)
    for row in (2, 4, 5):
        expect(page.locator(f"tr[data-row='{row}'] [name=tick]")).not_to_be_checked()
    expect(page.locator("tr[data-row='3'] [name=tick]")).to_have_count(0)
    assert fits(page)
    page.get_by_label("2행 합포 2건", exact=True).check()
    page.get_by_label("4행 배송방법을 방문수령으로 바꾸기").check()
    apply(page)
    first, second, word, fine, left = again([first, second, word, fine, left])
    assert (first.waybill, second.merged_into_id) == (number, first.pk)
    assert (word.method, fine.waybill, left.is_held) == ("VISIT", waybill_number(9_701), False)
    assert Parcel.objects.get(waybill=number).items.count() == 2
    assert not console_errors


def test_a_suggestion_waits_for_its_own_tick_and_a_choice_for_its_shipment(previewed, console_errors):
    sole, *twins = parcels(3, code="GUESS")
    for n, one in enumerate((sole, *twins)):
        who = {"recipient_name": "나홀로" if one is sole else "두분", "recipient_phone": f"0108800{min(n, 1):04d}"}
        Order.objects.filter(pk=one.order_id).update(**who, address2=f"{min(n, 1)}동 7호")
    head = ["수하인명", "수하인전화", "송장번호"]
    rows = [head, ["나홀로", "010-8800-0000", waybill_number(9_710)], ["두분", "010-8800-0001", waybill_number(9_711)]]
    page = previewed(rows)
    expect(page.locator("[data-keyless]")).to_contain_text("한 행씩 확인하고 선택하세요")
    expect(page.locator("tr[data-row='2'] [name=tick]")).not_to_be_checked()
    choice = page.locator("tr[data-row='3'] select[name=pick]")
    expect(choice).to_have_value("3-")
    expect(choice.locator("option")).to_have_count(3)
    assert fits(page)
    page.locator("tr[data-row='2'] [name=tick]").check()
    choice.select_option(f"3-{twins[1].pk}")
    apply(page)
    assert [one.waybill for one in again([sole, *twins])] == [waybill_number(9_710), "", waybill_number(9_711)]
    assert Shipment.objects.filter(pk=twins[0].pk, has_waybill=True).count() == 0
    assert not console_errors


def test_a_wrong_row_is_mended_by_keys_and_enter_applies_nothing(previewed, console_errors):
    fine, wrong = parcels(2, code="MENDS")
    page = previewed([[fine.number, waybill_number(9_720)], [wrong.number, "680000000012"]])
    expect(page.locator("[data-count=error]")).to_have_text("1")
    field = page.get_by_label("3행 새 송장번호")
    field.focus()
    page.keyboard.press("Control+A")
    page.keyboard.type(waybill_number(9_721))
    page.keyboard.press("Enter")
    settled(page)
    expect(page.locator("[data-count=error]")).to_have_text("0")
    expect(page.get_by_text("1건은 오류가 없어졌습니다.")).to_be_visible()
    assert not Parcel.objects.filter(shipment__in=[fine, wrong]).exists()
    apply(page)
    assert [one.waybill for one in again([fine, wrong])] == [waybill_number(9_720), waybill_number(9_721)]
    assert not console_errors
