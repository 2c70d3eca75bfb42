"""Storing, editing and finding products and variants."""

from dataclasses import replace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from core.exceptions import NotFound
from orders.models import OrderEvent
from products.models import Product, StockLevel, Variant
from products.services.catalog import ProductChanged, VariantEdit, create_products, edit_product
from products.services.drafts import CatalogRefused, ProductDraft, VariantDraft, clean_code
from products.services.lookup import search_variants, variants_by_sku
from products.services.unknown import WantedVariant, get_or_create_variants
from tests.fixtures.products import STOCK_DAY, put_stock

pytestmark = pytest.mark.django_db

TEE = ProductDraft(
    code="TEE",
    name="기본 티셔츠",
    option_names=("색상", "사이즈"),
    variants=tuple(VariantDraft(option_values=(c, s), price=12_900) for c in ("화이트", "블랙") for s in ("M", "L")),
)


@pytest.fixture
def editor(db):
    return User.objects.create_user("cs", display_name="김하은", role="CS")


@pytest.fixture
def tee(editor):
    return create_products(drafts=[TEE], at=STOCK_DAY, actor=editor)[0]


def stored():
    return (
        list(Product.objects.order_by("pk").values_list()),
        list(Variant.objects.order_by("pk").values_list()),
        StockLevel.objects.count(),
        OrderEvent.objects.count(),
    )


def edit_of(variant, **changes):
    fields = VariantEdit(
        variant.sku, variant.barcode, variant.price, variant.weight_grams, variant.location, variant.is_active
    )
    return {variant.pk: replace(fields, **changes)}


def test_a_product_is_stored_with_its_variants_levels_and_event(tee, editor):
    rows = list(tee.variants.order_by("pk").values_list("sku", "option_values", "price"))
    assert rows == [
        ("TEE-01", ["화이트", "M"], 12_900),
        ("TEE-02", ["화이트", "L"], 12_900),
        ("TEE-03", ["블랙", "M"], 12_900),
        ("TEE-04", ["블랙", "L"], 12_900),
    ]
    assert StockLevel.objects.filter(variant__product=tee, on_hand=0, demand=0, allocated=0).count() == 4
    event = OrderEvent.objects.get(kind="product.created")
    assert (event.subject, event.subject_id, event.version, event.actor) == ("product", tee.pk, 0, editor)


@pytest.mark.parametrize(
    ("draft", "reason"),
    [
        (replace(TEE, code="TEE"), "상품코드 TEE는 이미 쓰고 있습니다. 다른 코드를 입력하세요."),
        (replace(TEE, code="a/b"), "상품코드 'a/b'는 쓸 수 없습니다. 빈칸과 / 없이 40자까지 입력하세요."),
        (replace(TEE, code="mapping"), "상품코드 'mapping'은 쓸 수 없습니다. 빈칸과 / 없이 40자까지 입력하세요."),
        (replace(TEE, code="stock"), "상품코드 'stock'은 쓸 수 없습니다. 빈칸과 / 없이 40자까지 입력하세요."),
        (replace(TEE, code="X", name="  "), "상품명을 입력하세요."),
        (replace(TEE, code="X", option_names=("색상", "색상")), "옵션 이름은 서로 다르게 3개까지 입력하세요."),
        (replace(TEE, code="X", option_names=("색상",)), "품목마다 옵션 값 1개를 모두 입력하세요."),
        (replace(TEE, code="X", variants=()), "품목은 1개부터 200개까지 만들 수 있습니다. 지금은 0개입니다."),
        (
            replace(TEE, code="X", variants=TEE.variants[:1] * 2),
            "옵션 '화이트 / M' 품목이 두 번 들어 있습니다. 하나만 남기세요.",
        ),
        (
            ProductDraft("X", "엑스", variants=(VariantDraft(sku="TEE-02"),)),
            "품목코드 TEE-02는 다른 품목이 쓰고 있습니다.",
        ),
        (
            ProductDraft("X", "엑스", variants=(VariantDraft(price=-1),)),
            "판매가는 0원부터 999,999,999원까지 입력할 수 있습니다.",
        ),
    ],
)
def test_a_bad_draft_is_refused_and_takes_the_good_ones_with_it(tee, editor, draft, reason):
    before = stored()
    good = ProductDraft("GOOD", "좋은 상품")
    with pytest.raises(CatalogRefused) as refused:
        create_products(drafts=[good, draft], at=STOCK_DAY, actor=editor)
    assert refused.value.problems == {draft.code: reason}
    assert stored() == before


def test_derived_codes_pass_over_those_in_use(editor):
    create_products(drafts=[ProductDraft("A", "가", variants=(VariantDraft(sku="B-01"),))], at=STOCK_DAY, actor=editor)
    own = (VariantDraft(("빨강",), sku="B-02"), VariantDraft(("파랑",)))
    product = create_products(
        drafts=[ProductDraft("B", "나", option_names=("색",), variants=own)], at=STOCK_DAY, actor=editor
    )[0]
    assert list(product.variants.order_by("pk").values_list("sku", flat=True)) == ["B-02", "B-03"]


def test_an_edit_writes_what_changed_and_one_event(tee, editor):
    variant = tee.variants.get(sku="TEE-02")
    edit_product(
        product_id=tee.pk,
        seen=0,
        name="기본 티",
        sale_state="SOLD_OUT",
        edits=edit_of(variant, price=9_900, barcode="8801234567890"),
        added=[VariantDraft(("블랙", "XL"))],
        at=STOCK_DAY,
        actor=editor,
    )
    tee.refresh_from_db()
    variant.refresh_from_db()
    assert (tee.name, tee.sale_state, tee.version) == ("기본 티", "SOLD_OUT", 1)
    assert (variant.price, variant.barcode) == (9_900, "8801234567890")
    assert StockLevel.objects.filter(variant__sku="TEE-05").exists()
    event = OrderEvent.objects.get(kind="product.edited")
    assert (event.version, event.from_state, event.to_state) == (1, "ON_SALE", "SOLD_OUT")
    assert event.data == {
        "상품명": ["기본 티셔츠", "기본 티"],
        "판매 상태": ["ON_SALE", "SOLD_OUT"],
        "TEE-02 판매가": [12_900, 9_900],
        "TEE-02 바코드": ["", "8801234567890"],
        "TEE-05 추가": ["", "블랙 / XL"],
    }


def edit(product, editor, *, seen=0, edits=None, added=(), **more):
    values = {"name": product.name, "sale_state": product.sale_state} | more
    return edit_product(
        product_id=product.pk, seen=seen, edits=edits or {}, added=added, at=STOCK_DAY, actor=editor, **values
    )


def test_an_edit_without_a_change_leaves_no_trace(tee, editor):
    before = stored()
    edit(tee, editor)
    assert stored()[3] == before[3]
    assert Product.objects.get(pk=tee.pk).version == 0


def test_the_second_of_two_editors_is_told_who_was_first(tee, editor):
    edit(tee, editor, name="먼저 고친 이름")
    before = stored()
    with pytest.raises(ProductChanged, match="김하은 님이 10:00에 먼저 수정했습니다. 내 값과 비교해 주세요."):
        edit(tee, None, name="나중 이름")
    assert stored() == before


@pytest.mark.parametrize(
    ("changes", "added", "reason"),
    [
        ({"sku": "OTHER-01"}, (), "품목코드 OTHER-01은 다른 품목이 쓰고 있습니다."),
        ({"sku": "TEE-03"}, (), "품목코드 TEE-03은 다른 품목이 쓰고 있습니다."),
        ({"sku": ""}, (), "품목코드를 입력하세요."),
        ({}, (VariantDraft(("블랙", "L")),), "옵션 '블랙 / L' 품목이 이미 있습니다."),
        ({}, (VariantDraft(("블랙",)),), "품목마다 옵션 값 2개를 모두 입력하세요."),
        ({}, tuple(VariantDraft(("흰", str(n))) for n in range(197)), "품목은 한 상품에 200개까지 만들 수 있습니다."),
    ],
)
def test_a_bad_edit_is_refused_and_changes_nothing(tee, editor, changes, added, reason):
    create_products(drafts=[ProductDraft("OTHER", "다른 상품")], at=STOCK_DAY, actor=editor)
    before = stored()
    with pytest.raises(CatalogRefused, match=reason):
        edit(tee, editor, name="새 이름", edits=edit_of(tee.variants.get(sku="TEE-02"), **changes), added=added)
    assert stored() == before


def test_a_product_or_variant_that_is_not_there_is_not_edited(tee, editor, make_variant):
    stranger = make_variant()
    before = stored()
    with pytest.raises(NotFound):
        edit(tee, editor, edits=edit_of(stranger, price=1))
    with pytest.raises(NotFound):
        edit(Product(pk=999_999, name="없음"), editor)
    assert stored() == before


SHIRT = WantedVariant("SS-10458329", "린넨 셔츠", ("색상: 화이트 / 사이즈: M",), price=39_000)


def test_unknown_products_of_a_channel_are_created_once(editor):
    wanted = [SHIRT, replace(SHIRT, option_values=("색상: 블랙",)), WantedVariant("SS-2", "머그컵", sku="MUG")]
    first = get_or_create_variants(wanted=[*wanted, *wanted], at=STOCK_DAY, actor=editor)
    before = stored()
    assert get_or_create_variants(wanted=wanted, at=STOCK_DAY, actor=None) == first
    assert stored() == before
    assert list(Product.objects.order_by("code").values_list("code", "name", "option_names")) == [
        ("SS-10458329", "린넨 셔츠", ["옵션"]),
        ("SS-2", "머그컵", []),
    ]
    rows = {row.pk: (row.sku, row.option_values, row.price) for row in Variant.objects.all()}
    assert [rows[first[one]] for one in wanted] == [
        ("SS-10458329-02", ["색상: 화이트 / 사이즈: M"], 39_000),
        ("SS-10458329-01", ["색상: 블랙"], 39_000),
        ("MUG", [], 0),
    ]
    assert OrderEvent.objects.filter(kind="product.created").count() == 2
    assert StockLevel.objects.count() == 3


def test_a_code_of_ours_wins_over_the_names_of_the_channel(tee, editor):
    ours = tee.variants.get(sku="TEE-03").pk
    before = stored()
    wanted = WantedVariant("SS-1", "딴 이름", ("뭔가",), sku="TEE-03")
    assert get_or_create_variants(wanted=[wanted], at=STOCK_DAY, actor=editor) == {wanted: ours}
    assert stored() == before


def test_a_known_product_grows_by_an_option_and_keeps_its_name(editor):
    get_or_create_variants(wanted=[SHIRT], at=STOCK_DAY, actor=editor)
    get_or_create_variants(
        wanted=[SHIRT, replace(SHIRT, product_name="이름 바뀜", option_values=("블랙",))], at=STOCK_DAY, actor=editor
    )
    product = Product.objects.get()
    assert (product.name, product.version, product.variants.count()) == ("린넨 셔츠", 1, 2)
    assert OrderEvent.objects.get(kind="product.edited").data == {"SS-10458329-02 추가": ["", "블랙"]}


def test_two_codes_under_one_name_are_two_variants(editor):
    two = [WantedVariant("SB-1", "양말", sku="SOCK-A"), WantedVariant("SB-1", "양말", sku="SOCK-B")]
    found = get_or_create_variants(wanted=two, at=STOCK_DAY, actor=editor)
    assert len(set(found.values())) == 2
    assert get_or_create_variants(wanted=two, at=STOCK_DAY, actor=editor) == found
    third = WantedVariant("SB-1", "양말", sku="SOCK-C")
    assert get_or_create_variants(wanted=[third], at=STOCK_DAY, actor=editor)[third] not in found.values()


def test_hostile_names_of_a_channel_are_stored_as_plain_text(editor):
    wanted = WantedVariant(" a/b?c#\x00 ", "=cmd|' /C calc'!A0\n\x00" + "가" * 300, ("<b>\x00", " "), price=-5)
    found = get_or_create_variants(wanted=[wanted], at=STOCK_DAY, actor=editor)
    variant = Variant.objects.select_related("product").get(pk=found[wanted])
    assert variant.product.code == "a-b-c"
    assert len(variant.product.name) == 200
    assert (variant.option_values, variant.price) == (["<b>"], 0)
    with pytest.raises(ValueError, match="no usable product code"):
        get_or_create_variants(wanted=[WantedVariant("//", "x")], at=STOCK_DAY, actor=editor)


def test_a_thousand_unknown_variants_cost_as_many_statements_as_two(editor):
    counts = []
    for prefix, size in (("A", 2), ("B", 1_000)):
        wanted = [WantedVariant(f"{prefix}-{n // 2}", "상품", (f"옵션 {n}",)) for n in range(size)]
        with CaptureQueriesContext(connection) as queries:
            get_or_create_variants(wanted=wanted, at=STOCK_DAY, actor=editor)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 18


def test_variants_are_found_by_code_barcode_and_name(tee, make_variant):
    first, second = make_variant(barcode="880001"), make_variant(barcode="880001")
    put_stock(first, 4)
    assert variants_by_sku({"TEE-01", "없음"}) == {"TEE-01": tee.variants.get(sku="TEE-01").pk}
    assert [one.sku for one in search_variants("티셔츠 기본")] == ["TEE-01", "TEE-02", "TEE-03", "TEE-04"]
    assert [(one.pk, one.available) for one in search_variants("880001")] == [(first.pk, 4), (second.pk, 0)]
    assert search_variants("TEE-04")[0].option_text == "블랙 / L"
    assert search_variants("  ") == search_variants("%") == search_variants("\x00") == []


def test_codes_are_made_fit_for_an_address():
    assert clean_code("  Ab c/d?e#\t%f  ") == "Ab-c-d-e-f"
    assert clean_code("/") == ""
    assert len(clean_code("가" * 50)) == 40
