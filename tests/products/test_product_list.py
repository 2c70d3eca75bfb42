"""The product list: rows, tabs, search, conditions, file."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.roles import Role
from products.models import Product, SaleState
from products.services import stock
from products.services.catalog import create_products
from products.services.drafts import ProductDraft, VariantDraft
from tests.fixtures.products import STOCK_DAY, put_stock

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(db, make_line):
    """Three products: shirts with stock and a shortage, a mug sold out, a sock that is no longer sold."""
    shirts = tuple(VariantDraft((size,), sku=f"TEE-{size}", price=12_900) for size in ("M", "L"))
    mug = VariantDraft(sku="MUG", barcode="8801234567890")
    drafts = [
        ProductDraft("TEE-100", "기본 반팔 티셔츠", ("사이즈",), shirts),
        ProductDraft("MUG", "iPhone15 머그컵", (), (mug,), SaleState.SOLD_OUT),
        ProductDraft("SOCK", "양말", (), (VariantDraft(sku="SOCK-1", is_active=False),), SaleState.STOPPED),
    ]
    create_products(drafts=drafts, at=STOCK_DAY, actor=None)
    medium, large = Product.objects.get(code="TEE-100").variants.order_by("pk")
    put_stock(medium, 5)
    put_stock(large, 5)
    stock.add_demand([make_line(medium, 6), make_line(large, 5)], at=STOCK_DAY)


def codes(answer):
    return [row.number for row in answer.context["page"].rows]


def test_the_list_shows_variants_with_their_four_figures(shop, sign_in):
    answer = sign_in(Role.VIEWER).get("/products/")
    assert codes(answer) == ["SOCK-1", "MUG", "TEE-L", "TEE-M"]
    page = answer.content.decode()
    assert 'href="/products/TEE-100/?variant=TEE-M"' in page
    assert "재고부족" in page
    assert answer.context["page"].total.text == "품목 4건"
    assert [head.label for head in answer.context["page"].heads][:8] == [
        "품목코드",
        "상품명",
        "판매 상태",
        "판매가",
        "실재고",
        "수요",
        "할당",
        "가용",
    ]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("tab=short", ["TEE-M"]),
        ("tab=none", ["SOCK-1", "MUG"]),
        ("sort=sku", ["MUG", "SOCK-1", "TEE-L", "TEE-M"]),
        ("sale_state=SOLD_OUT&sale_state=STOPPED", ["SOCK-1", "MUG"]),
        ("active=no", ["SOCK-1"]),
        ("q=TEE-M", ["TEE-M"]),
        ("q=TEE-1", ["TEE-L", "TEE-M"]),
        ("q=TEE-M%0ASOCK-1", ["SOCK-1", "TEE-M"]),
        ("q=8801234567890", ["MUG"]),
        ("q=티셔츠 반팔", ["TEE-L", "TEE-M"]),
        ("q=MUG", ["MUG"]),
        ("q=iphone15", ["MUG"]),
        ("q=반팔 양말", []),
        ("q=%25%25", []),
    ],
)
def test_tabs_conditions_and_search_find_their_rows(shop, sign_in, query, found):
    answer = sign_in(Role.CS).get(f"/products/?{query}")
    assert codes(answer) == found
    assert answer.context["page"].total.count == len(found)


@pytest.mark.parametrize("query", ["tab=nothing", "sort=price", "color=red", "after=x", "active=maybe&x=%00"])
def test_an_unknown_parameter_is_refused(shop, sign_in, query):
    assert sign_in(Role.CS).get(f"/products/?{query}").status_code == 400


def test_the_tools_follow_the_rights(shop, sign_in):
    def tools(role):
        return [tool.name for tool in sign_in(role).get("/products/").context["page"].tools]

    assert tools(Role.OWNER) == ["create", "upload", "excel", "columns"]
    assert tools(Role.CS) == ["create", "excel", "columns"]
    assert tools(Role.LOGISTICS) == ["upload", "excel", "columns"]
    assert tools(Role.VIEWER) == ["excel", "columns"]


def test_an_empty_shop_says_what_will_bring_rows(sign_in):
    answer = sign_in(Role.CS).get("/products/")
    assert "등록한 상품이 없습니다. 상품을 등록하거나 주문 파일을 올리면 여기에 나타납니다." in answer.content.decode()


def test_the_list_costs_the_same_at_any_size(shop, sign_in, make_variant):
    client = sign_in(Role.OWNER)
    counts = []
    for size in (120, 0):
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/products/?sort=sku").status_code == 200
        counts.append(len(queries))
        product = Product.objects.get(code="MUG")
        for n in range(size):
            make_variant(product=product, option_values=[f"X{n}"])
    assert counts[0] == counts[1] <= 14


def test_pages_follow_each_other_without_a_gap(shop, sign_in, make_variant):
    product = Product.objects.get(code="MUG")
    for n in range(120):
        make_variant(product=product, option_values=[f"X{n}"])
    client, url, seen = sign_in(Role.OWNER), "/products/?sort=sku&size=50", []
    while url:
        answer = client.get(url)
        seen += codes(answer)
        url = answer.context["page"].pager.next_url
    assert seen == sorted(seen)
    assert len(seen) == 124 == len(set(seen))
