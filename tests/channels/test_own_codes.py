"""우리 품목코드: a code that stands in a line decides for that line, and only what is certain is remembered."""

from collections.abc import Sequence

import pytest

from channels.models import ChannelListing
from channels.services import connecting
from core.invariants import find_violations
from core.models import JobItem
from orders.models import OrderLine, SalesChannel
from tests.channels.conftest import order_body
from tests.channels.files import cafe24, cafe24_row, smartstore, smartstore_row
from tests.fixtures.orders import NOW

TEE = ("8801234567", "색상: 화이트 / 사이즈: M")


def coded(*skus: str, **facts: str) -> list[dict[str, object]]:
    """Lines of one product name, told apart by our codes only."""
    return [{"product_name": "머그컵", "sku": sku, "quantity": 1, "unit_price": 10_000, **facts} for sku in skus]


def meant(number: str) -> list[str | None]:
    """Codes of the variants of an order's lines, in their order."""
    rows = OrderLine.objects.filter(order__channel_number=number).order_by("seq")
    return list(rows.values_list("variant__sku", flat=True))


@pytest.fixture
def mugs(make_variant) -> Sequence[int]:
    return [make_variant(sku=f"F001-0{n}").pk for n in (1, 4, 5)]


def remember(channel: SalesChannel, variant: int, key: tuple[str, str], *, version: int = 0) -> ChannelListing:
    """What an earlier order or a person left behind."""
    product, option = key
    return ChannelListing.objects.create(
        channel=channel, product=product, option=option, variant_id=variant, version=version
    )


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("creates", [False, True])
def test_a_known_code_wins_over_what_is_remembered_of_the_name(api, channel, mugs, version, creates):
    SalesChannel.objects.filter(pk=channel.pk).update(creates_products=creates)
    remember(channel, mugs[0], ("머그컵", ""), version=version)
    answer = api.post("/orders", order_body("M-1", lines=coded("F001-04", "F001-05"), amounts={}))
    assert answer.status_code == 201
    assert [line["sku"] for line in answer.json()["lines"]] == meant("M-1") == ["F001-04", "F001-05"]
    assert ChannelListing.objects.get(option="").variant_id == mugs[0]


@pytest.mark.parametrize("named", [{}, {"product_code": "P1"}, {"product_code": "P1", "option_name": "M"}])
def test_lines_of_one_key_with_two_codes_are_two_products(api, mugs, named):
    api.post("/orders", order_body("M-1", lines=coded("F001-04", "F001-05", **named), amounts={}))
    api.post("/orders", order_body("M-2", lines=coded("F001-05", "F001-04", **named), amounts={}))
    assert (meant("M-1"), meant("M-2")) == (["F001-04", "F001-05"], ["F001-05", "F001-04"])
    assert not ChannelListing.objects.filter(option=named.get("option_name", "")).exists()


def test_a_line_without_a_code_is_not_guessed_from_lines_with_codes(api, mugs):
    api.post("/orders", order_body("M-1", lines=coded("F001-04", "F001-05", product_code="P1"), amounts={}))
    api.post("/orders", order_body("M-2", lines=coded("", product_code="P1"), amounts={}))
    assert meant("M-2") == [None]


def test_what_one_code_has_taught_is_forgotten_when_another_contradicts_it(api, mugs):
    api.post("/orders", order_body("M-1", lines=coded("F001-04", option_name="M"), amounts={}))
    assert ChannelListing.objects.get().variant_id == mugs[1]
    api.post("/orders", order_body("M-2", lines=coded("F001-05", option_name="M"), amounts={}))
    api.post("/orders", order_body("M-3", lines=coded("", option_name="M"), amounts={}))
    assert (meant("M-2"), meant("M-3")) == (["F001-05"], [None])
    assert not ChannelListing.objects.exists()


def test_what_staff_have_decided_holds_for_unknown_codes_and_survives_known_ones(api, channel, mugs):
    remember(channel, mugs[0], ("머그컵", "M"), version=1)
    api.post("/orders", order_body("M-1", lines=coded("OLD-1", "F001-04", "", option_name="M"), amounts={}))
    assert meant("M-1") == ["F001-01", "F001-04", "F001-01"]
    listing = ChannelListing.objects.get()
    assert (listing.variant_id, listing.use_count) == (mugs[0], 2)


def test_unknown_codes_of_one_name_wait_and_are_connected_apart(api, channel, staff, mugs):
    api.post("/orders", order_body("M-1", lines=coded("OLD-4", "OLD-5"), amounts={}))
    groups, _ = connecting.waiting_groups()
    assert sorted(group.key for group in groups) == [("머그컵", "OLD-4"), ("머그컵", "OLD-5")]
    for group, variant in zip(sorted(groups, key=lambda one: one.key), mugs[1:], strict=True):
        connecting.connect(channel_id=channel.pk, key=group.key, variant_id=variant, actor=staff, at=NOW)
    assert meant("M-1") == ["F001-04", "F001-05"]
    api.post("/orders", order_body("M-2", lines=coded("OLD-5"), amounts={}))
    assert meant("M-2") == ["F001-05"]


def test_unknown_codes_become_products_of_their_own_where_the_channel_creates_them(api, channel):
    SalesChannel.objects.filter(pk=channel.pk).update(creates_products=True)
    api.post(
        "/orders", order_body("M-1", lines=coded("NEW-1", "NEW-2", product_code="P1", option_name="M"), amounts={})
    )
    api.post("/orders", order_body("M-2", lines=coded("NEW-3", product_code="P1", option_name="M"), amounts={}))
    assert (meant("M-1"), meant("M-2")) == (["NEW-1", "NEW-2"], ["NEW-3"])


def test_the_option_code_of_a_file_wins_over_what_staff_have_connected(load, preview, make_variant):
    one, other = make_variant(sku="TEE-1"), make_variant(sku="TEE-2")
    shop = SalesChannel.objects.get(code="smartstore")
    remember(shop, one.pk, TEE, version=1)
    load(smartstore([smartstore_row(1, 옵션관리코드="TEE-2"), smartstore_row(2), smartstore_row(3, 옵션관리코드="?")]))
    lines = OrderLine.objects.order_by("channel_number")
    assert list(lines.values_list("variant", flat=True)) == [other.pk, one.pk, one.pk]
    assert ChannelListing.objects.get().variant_id == one.pk


def test_the_preview_of_a_file_says_which_rows_will_wait(preview, load, make_variant):
    for sku in ("TEE-1", "TEE-2"):
        make_variant(sku=sku)
    rows = [smartstore_row(n, 옵션관리코드=sku) for n, sku in enumerate(("TEE-1", "TEE-2", "NO", ""), start=1)]
    job = preview(smartstore(rows))
    plans = JobItem.objects.filter(job=job).order_by("row_number").values_list("data__plan", flat=True)
    assert ["연결 대기" in plan for plan in plans] == [False, False, True, True]
    load(smartstore(rows))
    lines = OrderLine.objects.order_by("channel_number")
    assert list(lines.values_list("variant__sku", flat=True)) == ["TEE-1", "TEE-2", None, None]
    assert not ChannelListing.objects.exists()
    assert find_violations("INV-14") == []


def test_the_own_code_column_of_cafe24_tells_rows_of_one_product_apart(load, make_variant):
    for sku in ("EAR-B", "EAR-W"):
        make_variant(sku=sku)
    rows = [cafe24_row(n, 자체품목코드=sku, 상품옵션="") for n, sku in enumerate(("EAR-B", "EAR-W"), start=1)]
    load(cafe24(rows), name="주문.csv")
    lines = OrderLine.objects.order_by("channel_number")
    assert list(lines.values_list("variant__sku", flat=True)) == ["EAR-B", "EAR-W"]
