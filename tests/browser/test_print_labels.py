"""송장 출력 as a person does it: key P in either input mode, the paper, the file, one more print."""

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from shipping.models import Parcel, PrintBatch
from tests.browser.shop import log_in
from tests.fixtures.printing import words

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
IN_KOREAN = """document.activeElement.dispatchEvent(
  new KeyboardEvent("keydown", { code: "KeyP", key: "ㅔ", keyCode: 229, bubbles: true, cancelable: true }))"""


def test_labels_are_printed_with_keys_alone_and_once_more_with_a_reason(
    make_routed, live_server, sign_in, staff, page: Page, console_errors
):
    made = make_routed(2, at=timezone.now())
    shop = log_in(page, live_server, sign_in(staff))
    page.goto(f"{shop}/orders/ready/?period=all")
    page.keyboard.press("?")
    expect(page.locator("#shortcuts dt", has_text="P").first).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+a")
    expect(page.locator(".bar .acts")).to_contain_text("2")
    page.evaluate(IN_KOREAN)
    dialog = page.locator("#dialog")
    expect(dialog).to_contain_text("송장 출력")
    dialog.locator("[name=paper]").select_option("cj")
    page.keyboard.press("Control+Enter")
    link = page.locator("#strip [data-document]")
    expect(link).to_have_text("인쇄 화면 열기")
    assert set(Parcel.objects.values_list("printed_count", flat=True)) == {1}

    link.press("Enter")
    file = page.locator('[data-file="pdf"]')
    expect(file).to_be_visible()
    pdf = page.request.get(shop + str(file.get_attribute("href"))).body()
    assert len(words(pdf)) == 2

    page.get_by_label(f"{made[1].waybill} 고르기").check()
    page.locator('[data-action="reprint"]').press("Enter")
    expect(page.locator("form.card")).to_contain_text("다시 출력하는 사유를 입력하세요.")
    expect(page.get_by_label(f"{made[1].waybill} 고르기")).to_be_checked()
    console_errors.clear()
    page.locator("[name=reason]").fill("종이 걸림")
    page.locator('[data-action="reprint"]').press("Enter")
    expect(page.locator(".tag", has_text="재출력 1")).to_be_visible()
    assert dict(Parcel.objects.values_list("waybill", "printed_count")) == {made[0].waybill: 1, made[1].waybill: 2}
    assert PrintBatch.objects.get(reason="종이 걸림").count == 1
