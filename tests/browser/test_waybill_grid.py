"""Waybill cells of 배송준비중 in a seeded shop: what stands in a cell is what is registered, or it is marked."""

import pytest
from playwright.sync_api import Page, expect

from shipping.couriers import COURIERS
from shipping.models import Parcel, WaybillDraft
from shipping.waybills import check_waybill
from tests.browser.steps import box, parcels, settled
from tests.fixtures.orders import reloaded
from tests.fixtures.shipments import waybill_number

pytestmark = pytest.mark.browser

DRAFT = "**/shipping/waybills/draft/"
PASTE = """([selector, text]) => { const data = new DataTransfer(); data.setData('text', text);
  const how = {clipboardData: data, bubbles: true, cancelable: true};
  document.querySelector(selector).dispatchEvent(new ClipboardEvent('paste', how)); }"""


@pytest.fixture(scope="module")
def free(seeded):
    """Shipments without a number, for one test after the other."""
    return iter(parcels(26, code="CELLS"))


def cell(page: Page, shipment):
    return page.locator(f"#waybill-{shipment.pk}")


def error_of(page: Page, shipment):
    return page.locator(f"#row-{shipment.pk} .cell-error")


def typed(page: Page, shipment, text: str) -> None:
    """A number typed into a cell, judged by the server."""
    cell(page, shipment).fill(text)
    with page.expect_response(DRAFT):
        cell(page, shipment).blur()
    settled(page)


def texts(*made):
    """What is kept as drafts."""
    found = WaybillDraft.objects.filter(shipment__in=made).exclude(text="")
    return dict(found.values_list("shipment_id", "text"))


@pytest.mark.parametrize("wrong", ["6800000", "6.8E+11"])
def test_a_wrong_number_over_a_draft_is_marked_and_nothing_is_registered(list_at, free, console_errors, wrong):
    shipment, number = next(free), waybill_number(9_300)
    page = list_at(f"/orders/ready/?q={shipment.order.number}", "logistics")
    box(page, shipment.pk).check()
    typed(page, shipment, number)
    assert texts(shipment) == {shipment.pk: number}
    cell(page, shipment).fill(wrong)
    # The cell is left for the button itself.
    page.locator(".acts [data-action=register-waybill]").click()
    expect(page.locator("#dialog")).to_contain_text("송장번호가 없습니다.")
    expect(cell(page, shipment)).to_have_attribute("aria-invalid", "true")
    expect(cell(page, shipment)).to_have_value(wrong)
    expect(page.locator(f"#row-{shipment.pk} .draft-mark")).to_have_count(0)
    assert texts(shipment) == {}
    assert not Parcel.objects.filter(shipment=shipment).exists()
    assert reloaded(shipment).waybill == ""
    page.locator("#dialog [data-close]").first.click()
    typed(page, shipment, number)
    assert texts(shipment) == {shipment.pk: number}
    console_errors.clear()


def test_a_number_of_an_odd_length_is_kept_with_a_word_that_is_no_fault(list_at, free, console_errors):
    shipment = next(free)
    page = list_at(f"/orders/ready/?q={shipment.order.number}", "logistics")
    page.locator(f"#row-{shipment.pk} select[data-courier]").select_option("KGB")
    typed(page, shipment, "90000000017")
    expect(error_of(page, shipment)).to_contain_text("로젠택배 송장번호 규칙에 맞지 않습니다.")
    expect(error_of(page, shipment)).to_have_class("cell-error mild")
    expect(cell(page, shipment)).not_to_have_attribute("aria-invalid", "true")
    assert texts(shipment) == {shipment.pk: "90000000017"}
    typed(page, shipment, "9000000")
    expect(error_of(page, shipment)).to_have_class("cell-error")
    expect(cell(page, shipment)).to_have_attribute("aria-invalid", "true")
    assert texts(shipment) == {}
    console_errors.clear()  # the answer 422


def test_a_number_that_stands_in_another_cell_takes_the_older_draft_away(list_at, free, console_errors):
    first, second, number = next(free), next(free), waybill_number(9_310)
    page = list_at("/orders/ready/?period=all&size=200", "logistics")
    typed(page, first, number)
    typed(page, second, waybill_number(9_311))
    typed(page, second, number)
    expect(error_of(page, second)).to_contain_text(f"다른 주문 {first.order.number}에서 쓰고 있는")
    expect(cell(page, second)).to_have_value(number)
    assert texts(first, second) == {first.pk: number}


def test_an_emptied_cell_shows_the_number_that_is_registered(list_at, free):
    shipment, number = next(free), waybill_number(9_320)
    page = list_at(f"/orders/ready/?q={shipment.order.number}", "logistics")
    typed(page, shipment, number)
    box(page, shipment.pk).check()
    page.locator(".acts [data-action=register-waybill]").click()
    expect(page.locator("#strip")).to_contain_text("1건의 송장번호를 등록했습니다.")
    settled(page)
    assert reloaded(shipment).waybill == number
    typed(page, shipment, "")
    expect(cell(page, shipment)).to_have_value(number)
    typed(page, shipment, waybill_number(9_321))
    expect(error_of(page, shipment)).to_have_count(0)
    assert texts(shipment) == {shipment.pk: waybill_number(9_321)}


def test_a_late_answer_does_not_write_over_what_is_being_typed(list_at, free):
    shipment, old, new = next(free), waybill_number(9_330), waybill_number(9_331)
    page = list_at(f"/orders/ready/?q={shipment.order.number}", "logistics")
    typed(page, shipment, old)
    held = []
    page.route(DRAFT, lambda route: held.append(route))
    couriers = page.locator(f"#row-{shipment.pk} select[data-courier]")
    offered = couriers.locator("option").evaluate_all("all => all.map(one => one.value)")
    takes_it = [slug for slug in offered if check_waybill(old, COURIERS[slug]).is_accepted and slug != "CJGLS"]
    couriers.select_option(takes_it[0])
    page.wait_for_timeout(200)
    cell(page, shipment).fill(new)
    [late] = held
    with page.expect_response(DRAFT):
        late.continue_()
    page.wait_for_timeout(200)
    expect(cell(page, shipment)).to_have_value(new)
    page.unroute(DRAFT)
    assert texts(shipment) == {shipment.pk: old}
    with page.expect_response(DRAFT):
        couriers.select_option("CJGLS")
    settled(page)
    assert texts(shipment) == {shipment.pk: new}
    expect(cell(page, shipment)).to_have_value(new)


def test_wrong_numbers_of_a_pasted_range_are_marked_in_their_cells(list_at, free, console_errors):
    made = [next(free) for _ in range(4)]
    page = list_at("/orders/ready/?period=all&size=200", "logistics")
    order = page.evaluate("[...document.querySelectorAll('input[data-waybill]')].map(one => one.id)")
    made.sort(key=lambda one: order.index(f"waybill-{one.pk}"))
    typed(page, made[0], waybill_number(9_340))
    wrong = dict(zip((one.pk for one in made), ["12345", "777", waybill_number(9_341), "6.8E+11"], strict=True))
    lines = "\n".join(f"{one.number}\t{wrong[one.pk]}" for one in made)
    with page.expect_response("**/shipping/waybills/paste/"):
        page.evaluate(PASTE, [f"#waybill-{made[0].pk}", lines])
    strip = page.locator("#strip")
    expect(strip).to_contain_text("1건을 채웠습니다.")
    expect(strip).to_contain_text("형식 오류 3건")
    settled(page)
    for one in (made[0], made[1], made[3]):
        expect(cell(page, one)).to_have_value(wrong[one.pk])
        expect(cell(page, one)).to_have_attribute("aria-invalid", "true")
        expect(error_of(page, one)).to_contain_text("송장번호")
    expect(cell(page, made[2])).to_have_value(wrong[made[2].pk])
    expect(error_of(page, made[2])).to_have_count(0)
    assert texts(*made) == {made[2].pk: wrong[made[2].pk]}


def test_the_right_number_pasted_over_a_wrong_one_is_shown_and_stays(list_at, free, console_errors):
    wrong, other = next(free), next(free)
    page = list_at("/orders/ready/?period=all&size=200", "logistics")

    def paste(*numbers: str) -> None:
        lines = "\n".join(f"{one.number}\t{number}" for one, number in zip((wrong, other), numbers, strict=True))
        with page.expect_response("**/shipping/waybills/paste/"):
            page.evaluate(PASTE, [f"#waybill-{other.pk}", lines])
        settled(page)

    paste("12345", waybill_number(9_360))
    expect(cell(page, wrong)).to_have_value("12345")
    paste(waybill_number(9_361), waybill_number(9_360))
    expect(cell(page, wrong)).to_have_value(waybill_number(9_361))
    expect(error_of(page, wrong)).to_have_count(0)
    expect(cell(page, wrong)).not_to_have_attribute("aria-invalid", "true")
    cell(page, wrong).focus()
    cell(page, wrong).blur()
    settled(page)
    assert texts(wrong, other) == {wrong.pk: waybill_number(9_361), other.pk: waybill_number(9_360)}


def test_a_column_that_is_pasted_downwards_takes_the_courier_that_the_row_shows(list_at, free, console_errors):
    shipment = next(free)
    page = list_at(f"/orders/ready/?q={shipment.order.number}", "logistics")
    courier = page.locator(f"#row-{shipment.pk} select[data-courier]")
    courier.select_option("EPOST")
    with page.expect_response("**/shipping/waybills/paste/"):
        page.evaluate(PASTE, [f"#waybill-{shipment.pk}", "6892058349240\n6892058349241"])
    expect(page.locator("#strip")).to_contain_text("1건을 채웠습니다.")
    settled(page)
    assert WaybillDraft.objects.get(pk=shipment.pk).courier == "EPOST"
    expect(courier).to_have_value("EPOST")


def test_a_column_that_is_pasted_downwards_is_marked_without_a_refresh(list_at, free, console_errors):
    shipment = next(free)
    page = list_at(f"/orders/ready/?q={shipment.order.number}", "logistics")
    typed(page, shipment, waybill_number(9_350))
    with page.expect_response("**/shipping/waybills/paste/"):
        page.evaluate(PASTE, [f"#waybill-{shipment.pk}", "12345\n777"])
    expect(page.locator("#strip")).to_contain_text("1건은 채우지 못했습니다. 형식 오류 1건")
    expect(cell(page, shipment)).to_have_value("12345")
    expect(error_of(page, shipment)).to_contain_text("지금은 5자리입니다.")
    expect(cell(page, shipment)).to_have_attribute("aria-describedby", f"waybill-error-{shipment.pk}")
    assert texts(shipment) == {}
    page.evaluate("document.dispatchEvent(new Event('oms:changed'))")
    settled(page)
    expect(cell(page, shipment)).to_have_value("12345")
    expect(error_of(page, shipment)).to_contain_text("지금은 5자리입니다.")
