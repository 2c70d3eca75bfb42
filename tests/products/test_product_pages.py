"""The pages of one product: detail, ledger, registration, editing, stock."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.roles import Role
from core.form_words import STALE
from orders.models import OrderEvent
from products.models import Product, StockLevel, StockMovement, Variant
from products.pages.product import ledger
from products.services import stock
from products.services.catalog import create_products
from products.services.drafts import ProductDraft, VariantDraft
from tests.fixtures.products import STOCK_DAY, figures, put_stock

pytestmark = pytest.mark.django_db


@pytest.fixture
def tee(db):
    sizes = tuple(VariantDraft((size,), price=12_900) for size in ("M", "L"))
    draft = ProductDraft("TEE", "<b>티셔츠</b>", option_names=("사이즈",), variants=sizes)
    return create_products(drafts=[draft], at=STOCK_DAY, actor=None)[0]


def everything():
    return [
        list(model.objects.order_by("pk").values_list()) for model in (Product, Variant, StockLevel, StockMovement)
    ] + [OrderEvent.objects.count()]


VIEW, EDIT, ADJUST = "view", "edit", "adjust"
MATRIX = {
    Role.OWNER: {VIEW, EDIT, ADJUST},
    Role.CS: {VIEW, EDIT},
    Role.LOGISTICS: {VIEW, ADJUST},
    Role.FINANCE: {VIEW},
    Role.VIEWER: {VIEW},
    Role.AUDITOR: {VIEW},
}
ADDRESSES = {
    "/products/": VIEW,
    "/products/poll/?since=0&ids=1": VIEW,
    "/products/excel/": VIEW,
    "/products/TEE/": VIEW,
    "/products/new/": EDIT,
    "/products/TEE/edit/": EDIT,
    "/products/TEE/stock/": ADJUST,
    "/products/stock/upload/": ADJUST,
    "/products/stock/upload/00000000-0000-0000-0000-000000000000/": ADJUST,
    "/products/stock/upload/00000000-0000-0000-0000-000000000000/errors.xlsx": ADJUST,
}


@pytest.mark.parametrize("role", list(Role))
def test_each_role_opens_what_the_matrix_gives_it(tee, sign_in, role):
    client = sign_in(role)
    for address, right in ADDRESSES.items():
        status = client.get(address).status_code
        if right in MATRIX[role]:
            assert status == (404 if "00000000" in address else 204 if "poll" in address else 200), (address, status)
        else:
            assert status == 403, (address, status)


def test_posting_needs_the_right_and_changes_nothing_without(tee, sign_in, client):
    before = everything()
    for address, right in ADDRESSES.items():
        assert client.post(address).status_code in {302, 405}
        for role in Role:
            if right not in MATRIX[role]:
                assert sign_in(role).post(address, {"name": "x", "kind": "COUNT"}).status_code == 403
    assert everything() == before


def test_the_page_of_a_product_shows_its_stock_and_escapes_its_name(tee, sign_in, make_line):
    first, second = tee.variants.order_by("pk")
    put_stock(first, 7)
    stock.add_demand([make_line(first, 9)], at=STOCK_DAY)
    page = sign_in(Role.VIEWER).get("/products/TEE/").content.decode()
    assert "&lt;b&gt;티셔츠&lt;/b&gt;" in page
    assert "<b>티셔츠" not in page
    assert page.count("data-variant=") == 2
    assert '<td class="num" data-count="on-hand">7</td>' in page
    assert '<td class="num" data-count="demand">9</td>' in page
    assert "부족" in page
    assert page.count("data-movement=") == 2
    assert "상품 수정" not in page
    assert "재고 조정" not in page
    assert second.sku in page


def test_the_ledger_of_another_variant_and_unknown_places(tee, sign_in):
    client = sign_in(Role.VIEWER)
    second = tee.variants.get(sku="TEE-02")
    put_stock(second, 3)
    assert client.get("/products/TEE/", {"variant": "TEE-02"}).content.decode().count("data-movement=") == 1
    assert client.get("/products/TEE/", {"variant": "없음"}).status_code == 404
    assert client.get("/products/NOPE/").status_code == 404
    assert client.get("/products/%00/").status_code == 404
    for older in ("x", "1", "-1.5", "1.2.3", "9" * 30 + ".1", "1.--2", "\x00"):
        answer = client.get("/products/TEE/", {"older": older})
        assert answer.status_code == 400
        assert "재고 이력의 첫 쪽부터 다시 조회하세요" in answer.content.decode()


def test_the_ledger_pages_through_every_movement_with_what_was_left(make_variant, make_line):
    variant = make_variant(on_hand=500)
    for n in range(120):
        stock.receive(units={variant.pk: n + 1}, at=STOCK_DAY, actor=None, reason="입고", reference=f"in-{n}")
    seen, cursor, counts = [], "", []
    while True:
        with CaptureQueriesContext(connection) as queries:
            page = ledger(variant.pk, cursor=cursor)
        counts.append(len(queries))
        seen += page.rows
        cursor = page.older
        if not cursor:
            break
    assert counts == [1, 1, 1]
    assert len(seen) == 121 == len({row.pk for row in seen})
    assert [seen[0].left, seen[1].left, seen[-1].left] == [figures(variant)[0], figures(variant)[0] - 120, 500]
    assert all(upper.left - int(upper.on_hand) == lower.left for upper, lower in zip(seen, seen[1:], strict=False))


def test_the_page_costs_the_same_for_one_variant_and_for_many(tee, sign_in, make_variant):
    client = sign_in(Role.OWNER)
    counts = []
    for size in (60, 0):
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/products/TEE/").status_code == 200
        counts.append(len(queries))
        for n in range(size):
            put_stock(make_variant(product=tee, option_values=[f"X{n}"]), 1)
    assert counts[0] == counts[1]


NEW = {
    "code": "MUG",
    "name": "머그컵",
    "sale_state": "ON_SALE",
    "price": "9,900",
    "option1_name": "색상",
    "option1_values": "흰색, 검정,,흰색 ",
    "option2_name": "크기",
    "option2_values": "대,소",
}


def test_a_product_is_registered_with_every_combination(sign_in):
    answer = sign_in(Role.CS).post("/products/new/", NEW)
    assert (answer.status_code, answer.url) == (302, "/products/MUG/")
    rows = Variant.objects.order_by("pk").values_list("sku", "option_values", "price")
    assert list(rows) == [
        ("MUG-01", ["흰색", "대"], 9_900),
        ("MUG-02", ["흰색", "소"], 9_900),
        ("MUG-03", ["검정", "대"], 9_900),
        ("MUG-04", ["검정", "소"], 9_900),
    ]


@pytest.mark.parametrize(
    ("change", "status", "sentence"),
    [
        ({"code": "TEE"}, 409, "상품코드 TEE는 이미 쓰고 있습니다. 다른 코드를 입력하세요."),
        ({"code": "a b/c"}, 400, "빈칸과 / 없이 40자까지 입력하세요."),
        ({"code": ""}, 422, "상품코드를 입력하세요."),
        ({"name": "\x00"}, 422, ""),
        ({"name": ""}, 422, "상품명을 입력하세요."),
        ({"price": "-1"}, 422, "0"),
        ({"price": "9" * 40}, 422, ""),
        ({"price": "공짜"}, 422, ""),
        ({"sale_state": "GONE"}, 422, ""),
        ({"option2_values": ""}, 422, "옵션 값을 입력하세요."),
        ({"option2_name": ""}, 422, "옵션 이름을 입력하세요."),
        ({"option2_name": "색상"}, 400, "옵션 이름은 서로 다르게"),
        ({"option1_values": ",".join(map(str, range(150)))}, 400, "지금은 300개입니다."),
    ],
)
def test_a_bad_registration_is_answered_with_a_sentence(tee, sign_in, change, status, sentence):
    before = everything()
    answer = sign_in(Role.CS).post("/products/new/", NEW | change)
    assert answer.status_code == status
    assert sentence in answer.content.decode()
    assert everything() == before


def form_data(client, address):
    """What a browser would send back of the page's form: every field with its value."""
    context = client.get(address).context
    data = {}
    forms = [context["form"], *context.get("variants", []), *context.get("added", [])]
    for form in [*forms, *(context[name].management_form for name in ("variants", "added") if name in context)]:
        for field in form:
            value = field.value()
            if value is not None and value is not False:
                data[field.html_name] = value
    return data


def test_a_product_is_edited_and_grows_by_an_option(tee, sign_in):
    client = sign_in(Role.CS)
    data = form_data(client, "/products/TEE/edit/")
    data |= {"name": "반팔", "variant-1-price": "15,000", "variant-1-weight_grams": "180", "new-0-option_0": "XL"}
    del data["variant-0-is_active"]
    answer = client.post("/products/TEE/edit/", data)
    assert (answer.status_code, answer.url) == (302, "/products/TEE/")
    rows = Variant.objects.order_by("pk").values_list("sku", "option_values", "price", "weight_grams", "is_active")
    assert list(rows) == [
        ("TEE-01", ["M"], 12_900, None, False),
        ("TEE-02", ["L"], 15_000, 180, True),
        ("TEE-03", ["XL"], 0, None, True),
    ]
    assert Product.objects.get().name == "반팔"


@pytest.mark.parametrize(
    ("change", "status", "sentence"),
    [
        ({"version": "7"}, 409, "먼저 수정했습니다. 내 값과 비교해 주세요."),
        ({"version": "x"}, 422, STALE),
        ({"variant-0-pk": "999999"}, 404, "이 상품에 없는 품목입니다"),
        ({"variant-0-sku": ""}, 422, "품목코드를 입력하세요."),
        ({"variant-0-sku": "TEE-02"}, 400, "품목코드 TEE-02가 두 번 들어 있습니다."),
        ({"variant-0-weight_grams": "-3"}, 422, ""),
        ({"new-0-option_0": "M"}, 400, "품목이 이미 있습니다."),
        ({"new-0-sku": "NO-OPTION"}, 400, "품목마다 옵션 값 1개를 모두 입력하세요."),
        ({"variant-TOTAL_FORMS": "x"}, 422, "입력한 줄을 알아볼 수 없습니다."),
        ({"variant-TOTAL_FORMS": "１２３"}, 422, "입력한 줄을 알아볼 수 없습니다."),
        ({"variant-TOTAL_FORMS": "3"}, 422, ""),
        ({"variant-TOTAL_FORMS": "1" * 5_000}, 422, "입력한 줄을 알아볼 수 없습니다."),
        ({"new-TOTAL_FORMS": "1500"}, 422, "입력한 줄을 알아볼 수 없습니다."),
        ({"variant-0-pk": "9" * 5_000}, 422, ""),
        ({"variant-0-pk": "９"}, 404, "이 상품에 없는 품목입니다"),
    ],
)
def test_a_bad_edit_is_answered_with_a_sentence(tee, sign_in, change, status, sentence):
    client = sign_in(Role.CS)
    data = form_data(client, "/products/TEE/edit/") | {"name": "새 이름"}
    before = everything()
    answer = client.post("/products/TEE/edit/", data | change)
    assert answer.status_code == status
    assert sentence in answer.content.decode()
    assert everything() == before


def test_a_garbage_number_of_rows_makes_no_more_forms_than_a_page_has(tee, sign_in):
    client = sign_in(Role.CS)
    data = form_data(client, "/products/TEE/edit/") | {"variant-TOTAL_FORMS": "9" * 9, "new-TOTAL_FORMS": "9" * 9}
    answer = client.post("/products/TEE/edit/", data)
    assert answer.status_code == 422
    assert (len(answer.context["variants"].forms), len(answer.context["added"].forms)) == (50, 20)


def test_many_variants_are_edited_fifty_at_a_time(tee, sign_in, make_variant):
    for n in range(60):
        make_variant(product=tee, option_values=[f"X{n}"])
    client = sign_in(Role.OWNER)
    page = client.get("/products/TEE/edit/", {"page": "2"})
    assert len(page.context["variants"].forms) == 12
    data = form_data(client, "/products/TEE/edit/?page=2") | {"variant-11-price": "777"}
    assert client.post("/products/TEE/edit/?page=2", data).status_code == 302
    assert Variant.objects.order_by("-pk").first().price == 777
    assert Product.objects.get(pk=tee.pk).version == 1


def stock_data(client, **units):
    return form_data(client, "/products/TEE/stock/") | {"reason": "실사"} | units


def test_stock_is_counted_and_received_on_the_page(tee, sign_in):
    first, second = tee.variants.order_by("pk")
    client = sign_in(Role.LOGISTICS)
    units = {f"units_{first.pk}": "40", f"units_{second.pk}": "1"}
    assert client.post("/products/TEE/stock/", stock_data(client, **units)).status_code == 302
    received = stock_data(client, kind="RECEIVE", **{f"units_{first.pk}": "60"})
    assert client.post("/products/TEE/stock/", received).status_code == 302
    assert [figures(first)[0], figures(second)[0]] == [100, 1]
    again = client.post("/products/TEE/stock/", received)
    assert again.status_code == 409
    assert "이미 반영한 재고 변경입니다" in again.content.decode()
    assert figures(first)[0] == 100


def test_what_is_refused_stays_in_the_form_and_the_rest_is_stored(tee, sign_in):
    first, second = tee.variants.order_by("pk")
    client = sign_in(Role.LOGISTICS)
    data = stock_data(client, **{f"units_{first.pk}": "40", f"units_{second.pk}": "4,000"})
    answer = client.post("/products/TEE/stock/", data)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "한 번에 100개를 넘는 재고 변경은 대표만 할 수 있습니다." in page
    assert 'value="4,000"' in page
    assert [figures(first)[0], figures(second)[0]] == [40, 0]
    assert data["reference"] not in page
    assert sign_in(Role.OWNER).post("/products/TEE/stock/", data | {"reference": "a" * 32}).status_code == 422


def test_a_count_on_a_page_that_is_out_of_date_is_refused(tee, sign_in):
    first = tee.variants.order_by("pk").first()
    client = sign_in(Role.LOGISTICS)
    data = stock_data(client, **{f"units_{first.pk}": "40"})
    put_stock(first, 7)
    before = everything()
    answer = client.post("/products/TEE/stock/", data)
    assert answer.status_code == 422
    assert "시스템이 재고를 바꿔 실재고가 7개입니다. 다시 확인하고 입력하세요." in answer.content.decode()
    assert everything() == before


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"reason": ""}, "사유를 입력하세요. 재고 이력에 남습니다."),
        ({}, "바꿀 품목의 수량을 하나 이상 입력하세요."),
        ({"units": "-1"}, ""),
        ({"units": "세 개"}, ""),
        ({"units": "9" * 30}, ""),
        ({"units": "3", "kind": "STEAL"}, ""),
        ({"units": "3", "reference": "../etc"}, ""),
        ({"units": "3", "seen": "x"}, ""),
    ],
)
def test_a_bad_stock_form_is_answered_and_changes_nothing(tee, sign_in, change, sentence):
    first = tee.variants.order_by("pk").first()
    client = sign_in(Role.OWNER)
    named = {f"{key}_{first.pk}" if key in {"units", "seen"} else key: value for key, value in change.items()}
    data = stock_data(client, **named)
    before = everything()
    answer = client.post("/products/TEE/stock/", data)
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert everything() == before


def test_a_figure_that_is_right_already_is_no_change(tee, sign_in):
    first = tee.variants.order_by("pk").first()
    client = sign_in(Role.OWNER)
    before = everything()
    answer = client.post("/products/TEE/stock/", stock_data(client, **{f"units_{first.pk}": "0"}), follow=True)
    assert "지금 실재고와 같아 바꾼 것이 없습니다." in answer.content.decode()
    assert everything() == before
