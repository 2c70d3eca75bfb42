"""Order file, 품목 연결, typed order and channel settings in a real browser, both themes, without violation of axe."""

from pathlib import Path

import pytest
from django.utils import timezone

from accounts.models import User
from accounts.services import create_demo_staff
from orders.models import Order, OrderLine
from tests.channels.files import plain, smartstore, smartstore_row
from tests.fixtures.axe import violations

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def shop(live_server, page):
    """Logged in as the owner."""
    create_demo_staff(at=timezone.now())
    page.goto(f"{live_server.url}/login/?next=/orders/import/")
    page.get_by_label("아이디").fill("owner")
    page.get_by_label("비밀번호").fill("demo")
    page.get_by_role("button", name="로그인").click()
    page.wait_for_url(f"{live_server.url}/orders/import/")
    return live_server.url


def saved(folder: Path, data: bytes) -> str:
    path = folder / "발주발송관리.xlsx"
    path.write_bytes(data)
    return str(path)


def test_a_locked_file_becomes_orders_and_their_product_is_connected(
    page, shop, tmp_path, make_variant, console_errors
):
    make_variant(sku="TEE-W-M", on_hand=9)
    data = smartstore([smartstore_row(1), smartstore_row(2), smartstore_row(3, 수량="0")], password="1234")
    page.locator("input[type=file]").set_input_files(saved(tmp_path, data))
    page.locator("[data-action=read-order-file]").click()
    assert "암호가 걸린 파일입니다." in page.locator(".field-error").inner_text()
    # The browser notes the 422 itself.
    console_errors.clear()
    page.get_by_label("파일 암호").fill("1234")
    page.locator("[data-action=read-order-file]").click()
    page.locator("[data-count=rows-ready]").wait_for()
    assert page.locator("[data-count=rows-ready]").inner_text() == "2"
    assert page.locator("[data-count=rows-error]").inner_text() == "1"
    assert not Order.objects.exists()
    assert violations(page) == []
    page.locator("[data-action=apply-order-file]").click()
    page.locator("[data-result]").wait_for()
    assert "3행 가운데 2행을 등록했습니다." in page.locator("[data-result]").inner_text()
    page.goto(f"{shop}/products/mapping/")
    page.get_by_role("link", name="품목 고르기").click()
    page.get_by_label("우리 품목 검색").fill("TEE")
    page.get_by_role("button", name="조회").click()
    assert violations(page) == []
    page.locator("tr[data-variant='TEE-W-M'] [data-action=connect]").click()
    page.wait_for_url("**/products/mapping/")
    assert "품목 2건을 연결했습니다." in page.locator(".messages").inner_text()
    assert not OrderLine.objects.filter(variant__isnull=True).exists()


def test_an_order_is_typed_with_a_line_from_the_search(page, shop, make_variant):
    make_variant(sku="CAP-1", price=9_900)
    page.goto(f"{shop}/orders/new/")
    page.get_by_label("우리 품목 검색").fill("CAP")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    with page.expect_navigation():
        page.locator("tr[data-variant='CAP-1'] [data-action=add-line]").click()
    for label, value in (
        ("주문자 *", "홍길동"), ("수령자 *", "김수령"), ("수령자 연락처", "010-8765-4321"), ("우편번호", "06234"),
        ("주소 *", "서울 강남구 테헤란로 4321"),
    ):  # fmt: skip
        page.get_by_label(label, exact=label.endswith("*")).fill(value)
    assert violations(page) == []
    page.locator("[data-action=place-order]").click()
    page.wait_for_url("**/orders/2*-*/")
    assert Order.objects.get().due_amount == 9_900


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_pages_have_no_accessibility_violation(page, shop, theme, tmp_path):
    User.objects.update(prefs={"theme": theme})
    page.emulate_media(color_scheme=theme)
    for url in ("/orders/import/", "/products/mapping/", "/products/mapping/?tab=listings", "/orders/new/",
                "/settings/channels/", "/settings/channels/new/", "/settings/channels/1/"):  # fmt: skip
        page.goto(shop + url)
        assert violations(page) == [], url
    page.goto(f"{shop}/orders/import/")
    table = [["Order ID", "Order Date", "Customer Name", "City", "Product Name", "Sales", "Quantity"], ["A", *"123456"]]
    page.locator("input[type=file]").set_input_files(saved(tmp_path, plain(table)))
    page.locator("[data-action=read-order-file]").click()
    page.locator("[data-action=map-columns]").wait_for()
    assert violations(page) == []
