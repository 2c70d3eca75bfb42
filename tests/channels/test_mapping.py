"""품목 연결: what nobody knows waits, is connected once for all of its lines, and is remembered."""

import pytest

from accounts.roles import Role
from channels.models import ChannelListing
from channels.services import connecting
from core.exceptions import NotFound
from orders.models import LineLock, Order, OrderEvent, OrderLine, SalesChannel
from orders.services import progress
from orders.states import CanceledBy, LineState
from products.models import StockLevel
from tests.channels.files import smartstore, smartstore_row
from tests.fixtures.orders import NOW

URL = "/products/mapping/"
KEY = ("8801234567", "색상: 화이트 / 사이즈: M")


@pytest.fixture
def shop(db) -> SalesChannel:
    return SalesChannel.objects.get(code="smartstore")


@pytest.fixture
def waiting(load) -> None:
    """Three lines of one unknown product in three orders, and one of another."""
    load(smartstore([smartstore_row(1), smartstore_row(2), smartstore_row(3), smartstore_row(4, 상품번호="99")]))


def test_connecting_maps_every_waiting_line_and_asks_the_stock(waiting, shop, staff, make_variant):
    variant = make_variant(on_hand=5)
    found = connecting.connect(channel_id=shop.pk, key=KEY, variant_id=variant.pk, actor=staff, at=NOW)
    assert (found.lines, found.refused, found.listing.variant_id) == (3, {}, variant.pk)
    mapped = OrderLine.objects.filter(channel_product=KEY[0])
    assert set(mapped.values_list("variant", "open_locks")) == {(variant.pk, 0)}
    assert StockLevel.objects.get(pk=variant.pk).demand == 6
    assert LineLock.objects.filter(released_at__isnull=True).count() == 1
    assert OrderEvent.objects.filter(kind="line.mapped", actor=staff).count() == 3
    assert OrderEvent.objects.get(kind="listing.made").data["품목"] == ["", variant.sku]
    assert ChannelListing.objects.get().use_count == 3


def test_a_connected_line_can_go_on_and_an_unconnected_one_says_why_not(waiting, shop, staff, make_variant):
    line = OrderLine.objects.filter(channel_product=KEY[0]).first()
    refused = progress.make_ready(line_ids=[line.pk], actor=staff, at=NOW).refused[line.pk]
    assert refused == "연결되지 않은 상품입니다. 품목 연결 화면에서 우리 품목을 골라 주세요."
    connecting.connect(channel_id=shop.pk, key=KEY, variant_id=make_variant(on_hand=9).pk, actor=staff, at=NOW)
    assert progress.make_ready(line_ids=[line.pk], actor=staff, at=NOW).refused == {}


def test_later_orders_of_the_product_do_not_wait(waiting, load, shop, staff, make_variant):
    variant = make_variant(on_hand=5)
    connecting.connect(channel_id=shop.pk, key=KEY, variant_id=variant.pk, actor=staff, at=NOW)
    load(smartstore([smartstore_row(7)]))
    assert OrderLine.objects.get(channel_number="2026092000000007").variant_id == variant.pk
    assert ChannelListing.objects.get().use_count == 4


def test_groups_count_lines_and_leave_canceled_ones_out(waiting, make_order, staff):
    unpaid = make_order(lines=[(None, 1)])
    progress.cancel_unpaid(order_ids=[unpaid.pk], actor=staff, at=NOW, by=CanceledBy.STAFF)
    groups, has_more = connecting.waiting_groups()
    assert [(group.key, group.lines) for group in groups] == [(KEY, 3), (("99", KEY[1]), 1)]
    assert not has_more


def test_equal_names_codes_and_earlier_answers_are_suggested(waiting, shop, staff, make_variant):
    groups, _ = connecting.waiting_groups()
    assert connecting.suggestions(groups) == {}
    variant = make_variant(option_values=["화이트", "M"])
    variant.product.name = "오가닉 면 티셔츠"
    variant.product.save()
    found = connecting.suggestions(groups)
    assert {at: one.pk for at, one in found.items()} == {(shop.pk, group.key): variant.pk for group in groups}
    exact = make_variant(sku="99")
    assert connecting.suggestions(groups)[shop.pk, ("99", KEY[1])] == exact


def test_two_products_of_one_name_are_no_suggestion(waiting, make_variant):
    for _ in range(2):
        variant = make_variant(option_values=["화이트", "M"])
        variant.product.name = "오가닉 면 티셔츠"
        variant.product.save()
    groups, _ = connecting.waiting_groups()
    assert connecting.suggestions(groups) == {}


def test_connecting_twice_changes_nothing(waiting, shop, staff, make_variant):
    variant = make_variant()
    connecting.connect(channel_id=shop.pk, key=KEY, variant_id=variant.pk, actor=staff, at=NOW)
    before = OrderEvent.objects.count()
    with pytest.raises(NotFound):
        connecting.connect(channel_id=shop.pk, key=KEY, variant_id=make_variant().pk, actor=staff, at=NOW)
    assert OrderEvent.objects.count() == before
    assert ChannelListing.objects.get().variant_id == variant.pk


def test_a_thousand_lines_take_few_statements(shop, staff, make_variant, load, django_assert_max_num_queries):
    load(smartstore([smartstore_row(n) for n in range(1, 121)]))
    with django_assert_max_num_queries(45):
        connecting.connect(channel_id=shop.pk, key=KEY, variant_id=make_variant().pk, actor=staff, at=NOW)
    assert not OrderLine.objects.filter(variant__isnull=True).exists()


def test_the_screen_connects_by_suggestion_and_by_search(waiting, sign_in, make_variant):
    variant = make_variant(sku="TEE-W-M", on_hand=3)
    client = sign_in(Role.CS)
    page = client.get(URL).content.decode()
    assert "오가닉 면 티셔츠" in page
    assert "비슷한 품목이 없습니다" in page
    group = {"channel": SalesChannel.objects.get(code="smartstore").pk, "product": KEY[0], "option": KEY[1]}
    choice = client.get(f"{URL}connect/", group | {"q": "TEE"}).content.decode()
    assert "TEE-W-M" in choice
    assert "3건" in choice
    answer = client.post(f"{URL}connect/", group | {"variant": variant.pk}, follow=True)
    assert "품목 3건을 연결했습니다." in answer.content.decode()
    again = client.post(f"{URL}connect/", group | {"variant": variant.pk})
    assert again.status_code == 404
    assert "연결을 기다리는 품목이 없습니다." in again.content.decode()


def test_a_listing_is_changed_for_later_orders_only(waiting, shop, staff, make_variant, sign_in, load):
    first, second = make_variant(sku="ONE"), make_variant(sku="TWO")
    listing = connecting.connect(channel_id=shop.pk, key=KEY, variant_id=first.pk, actor=staff, at=NOW).listing
    client = sign_in(staff)
    page = client.get(f"{URL}?tab=listings&q=8801").content.decode()
    assert "ONE" in page
    url = f"{URL}{listing.pk}/"
    assert "쓰인 횟수" in client.get(url, {"q": "TWO"}).content.decode()
    answer = client.post(url, {"act": "change", "version": 1, "variant": second.pk})
    assert answer.status_code == 302
    stale = client.post(url, {"act": "change", "version": 1, "variant": first.pk})
    assert stale.status_code == 409
    assert "다른 직원이 먼저 바꾼 연결입니다." in stale.content.decode()
    assert set(OrderLine.objects.filter(channel_product=KEY[0]).values_list("variant", flat=True)) == {first.pk}
    load(smartstore([smartstore_row(8)]))
    assert OrderLine.objects.get(channel_number="2026092000000008").variant_id == second.pk
    event = OrderEvent.objects.get(kind="listing.changed")
    assert (event.actor, event.data["품목"]) == (staff, ["ONE", "TWO"])


def test_a_removed_listing_asks_again(waiting, shop, staff, make_variant, sign_in, load):
    listing = connecting.connect(channel_id=shop.pk, key=KEY, variant_id=make_variant().pk, actor=staff, at=NOW).listing
    client = sign_in(staff)
    assert client.post(f"{URL}{listing.pk}/", {"act": "remove", "version": 1}).status_code == 302
    assert client.post(f"{URL}{listing.pk}/", {"act": "remove", "version": 1}).status_code == 404
    load(smartstore([smartstore_row(8)]))
    assert OrderLine.objects.get(channel_number="2026092000000008").variant_id is None
    assert OrderEvent.objects.filter(kind="listing.removed").count() == 1


def test_inactive_and_unknown_variants_are_refused(waiting, shop, sign_in, make_variant):
    client = sign_in(Role.OWNER)
    group = {"channel": shop.pk, "product": KEY[0], "option": KEY[1]}
    off = make_variant(is_active=False)
    for variant, status in ((off.pk, 400), (10**9, 404), ("x", 422), ("", 422), (2**70, 422)):
        assert client.post(f"{URL}connect/", group | {"variant": variant}).status_code == status
    assert client.get(f"{URL}connect/").status_code == 404
    for query in (
        "?tab=x",
        "?page=0",
        "?page=x",
        "?page=99999999999",
        "?page=000001" + "9" * 20,
        "?page=10001",
        "?zz=1",
    ):
        assert client.get(URL + query).status_code == 400
    assert not ChannelListing.objects.exists()
    assert not OrderLine.objects.filter(variant__isnull=False).exists()


@pytest.mark.parametrize("role", [Role.LOGISTICS, Role.FINANCE, Role.VIEWER, Role.AUDITOR])
def test_only_the_owner_and_cs_may_connect(role, waiting, shop, sign_in, make_variant):
    client = sign_in(role)
    group = {"channel": shop.pk, "product": KEY[0], "option": KEY[1], "variant": make_variant().pk}
    assert client.get(URL).status_code == 403
    assert client.post(f"{URL}connect/", group).status_code == 403
    assert not ChannelListing.objects.exists()
    assert Order.objects.filter(stage=LineState.PREPARING).count() == 4
