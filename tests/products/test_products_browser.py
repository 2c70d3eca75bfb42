"""The product pages in a real browser: register, count, send a file; no accessibility violation in both themes."""

import pytest
from django.db import transaction

from accounts.models import User
from accounts.roles import Role
from products.models import Variant
from products.services import stock
from products.services.catalog import create_products
from products.services.drafts import ProductDraft, VariantDraft
from tests.fixtures import files
from tests.fixtures.axe import violations
from tests.fixtures.products import STOCK_DAY, figures, put_stock

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def shop(live_server, page, sign_in):
    """The address of the shop, with the owner logged in."""
    session = sign_in(Role.OWNER).cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
    return live_server.url


@pytest.fixture
def tee(db, make_line):
    sizes = tuple(VariantDraft((size,), price=12_900) for size in ("M", "L"))
    draft = ProductDraft("TEE", "기본 티셔츠", option_names=("사이즈",), variants=sizes)
    product = create_products(drafts=[draft], at=STOCK_DAY, actor=None)[0]
    first = product.variants.order_by("pk").first()
    put_stock(first, 10)
    with transaction.atomic():
        stock.add_demand([make_line(first, 13)], at=STOCK_DAY)
    return product


def test_a_product_is_registered_counted_and_found(page, shop):
    page.goto(f"{shop}/products/")
    page.locator("[data-tool=create]").click()
    page.get_by_label("상품코드").fill("MUG")
    page.get_by_label("상품명").fill("머그컵")
    page.get_by_label("판매가(원)").fill("9,900")
    page.get_by_label("옵션 1 이름").fill("색상")
    page.get_by_label("옵션 1 값").fill("흰색, 검정")
    page.get_by_role("button", name="상품 등록").click()
    page.wait_for_url("**/products/MUG/")
    page.get_by_role("link", name="재고 조정").click()
    page.get_by_label("사유").fill("첫 실사")
    page.get_by_label("MUG-02 수량").fill("1,200")
    page.get_by_role("button", name="재고 조정").click()
    page.wait_for_url("**/products/MUG/")
    row = page.locator("[data-variant=MUG-02]")
    assert row.locator("[data-count=on-hand]").inner_text() == "1,200"
    row.get_by_role("link").click()
    assert "첫 실사" in page.locator("[data-movement]").inner_text()
    page.goto(f"{shop}/products/")
    page.get_by_label("검색어").fill("머그")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=*")
    assert page.locator("tbody[data-order]").count() == 2


def test_a_stock_file_is_looked_at_and_applied(page, shop, tee, tmp_path):
    path = tmp_path / "재고.xlsx"
    path.write_bytes(files.xlsx([["품목코드", "실재고", "사유"], ["TEE-01", 12, "실사"], ["NO", 1, "실사"]]))
    page.goto(f"{shop}/products/")
    page.locator("[data-tool=upload]").click()
    page.locator("#id_file").set_input_files(path)
    page.get_by_role("button", name="미리보기").click()
    apply = page.locator("[data-action=apply]")
    assert apply.inner_text() == "반영 가능한 1건 재고 반영"
    variant = Variant.objects.get(sku="TEE-01")
    assert figures(variant)[0] == 10
    apply.click()
    assert page.locator("[data-result]").inner_text() == "1건의 재고를 바꿨습니다. 1건은 바꾸지 못했습니다."
    assert figures(variant)[0] == 12
    with page.expect_download() as download:
        page.locator("[data-action=errors]").click()
    assert download.value.suggested_filename == "오류 재고.xlsx"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_pages_have_no_accessibility_violation(page, shop, tee, theme, tmp_path):
    User.objects.update(prefs={"theme": theme})
    page.emulate_media(color_scheme=theme)
    path = tmp_path / "재고.csv"
    path.write_text("품목코드,실재고,사유\nTEE-01,12,실사\nNO,1,실사\n", encoding="utf-8-sig")
    for url in ("", "new/", "TEE/", "TEE/edit/", "TEE/stock/", "stock/upload/"):
        page.goto(f"{shop}/products/{url}")
        assert violations(page) == [], url
    page.locator("#id_file").set_input_files(path)
    page.get_by_role("button", name="미리보기").click()
    page.wait_for_selector("[data-action=apply]")
    assert violations(page) == []
