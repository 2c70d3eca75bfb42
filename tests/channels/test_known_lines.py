"""Files without line numbers: what a known order has is known, what it has not is said, whatever we did since."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from channels.models import OrderProfile
from channels.services import connecting
from core.models import ItemResult, Job
from orders.models import Order, OrderEvent, OrderLine, SalesChannel
from orders.services import progress
from orders.states import CanceledBy
from products.models import Product, Variant
from tests.channels.conftest import verdicts
from tests.channels.files import plain, smartstore, smartstore_row
from tests.fixtures.orders import NOW

HEADER = ["번호", "받는분", "주소", "상품", "옵션", "수량", "금액", "주문일"]
SAME = "변화 없음"

Line = tuple[str, int]


@pytest.fixture
def profile(db: None) -> OrderProfile:
    """A mapping that staff made, of a file that knows no line numbers."""
    keys = (
        "order_number", "recipient_name", "address1", "product_name", "option_name", "quantity", "unit_price",
        "ordered_at",
    )  # fmt: skip
    mapping = {key: {"column": column} for key, column in zip(keys, HEADER, strict=True)}
    channel = SalesChannel.objects.get(code="mall")
    return OrderProfile.objects.create(name="직접 만든 양식", channel=channel, kind="CUSTOM", mapping=mapping)


def sheet(lines: Iterable[Line]) -> bytes:
    """A file with these lines of the order X-100."""
    return plain(
        [HEADER, *(["X-100", "이서연", "서울 중구", "티셔츠", option, n, 9_000, "2026-09-20"] for option, n in lines)]
    )


@pytest.fixture
def stores(load: Callable[..., Job], profile: OrderProfile) -> Callable[[Iterable[Line]], Job]:
    """`stores([("빨강", 1)])`: the order X-100 comes with those lines."""
    return lambda lines: load(sheet(lines), profile=profile)


@pytest.fixture
def given(preview: Callable[..., Job], profile: OrderProfile) -> Callable[..., list[tuple[str, str]]]:
    """`given([("빨강", 1)])`: what is said of a file with those lines of X-100."""

    def run(lines: Iterable[Line]) -> list[tuple[str, str]]:
        return [(result, reason) for _, result, reason in verdicts(preview(sheet(lines), profile=profile))]

    return run


def new_line() -> tuple[str, str]:
    number = Order.objects.get().number
    return ItemResult.REFUSED, f"이미 등록한 주문 {number}에 없는 품목입니다. 주문 상세에서 확인하세요."


def stored() -> list[Any]:
    """Orders, lines and their history as they are."""
    facts = OrderEvent.objects.exclude(subject="job").count()
    return [list(Order.objects.values()), list(OrderLine.objects.order_by("pk").values()), facts]


def known() -> tuple[str, str]:
    return ItemResult.REFUSED, SAME


def test_a_new_line_is_named_and_stored_nowhere(given, stores):
    stores([("빨강", 1), ("파랑", 1)])
    before = stored()
    assert given([("초록", 2)]) == [new_line()]
    assert given([("빨강", 1), ("초록", 2), ("파랑", 1)]) == [known(), new_line(), known()]
    assert stored() == before


def test_another_quantity_and_one_line_more_of_the_same_are_new(given, stores):
    stores([("빨강", 1), ("빨강", 1), ("파랑", 3)])
    before = stored()
    assert given([("파랑", 2)]) == [new_line()]
    assert given([("빨강", 1), ("빨강", 1), ("빨강", 1)]) == [known(), known(), new_line()]
    assert stored() == before


def test_the_same_lines_in_any_order_and_a_part_of_them_change_nothing(given, stores):
    stores([("빨강", 1), ("빨강", 1), ("파랑", 3)])
    before = stored()
    assert given([("파랑", 3), ("빨강", 1), ("빨강", 1)]) == [known()] * 3
    assert given([(" 빨강 ", 1)]) == [known()]
    assert stored() == before


def test_our_own_work_on_the_lines_makes_none_of_them_new(given, stores, profile, make_variant, staff):
    stores([("빨강", 1), ("파랑", 1)])
    variant = make_variant(on_hand=5)
    connecting.connect(
        channel_id=profile.channel_id, key=("티셔츠", "빨강"), variant_id=variant.pk, actor=staff, at=NOW
    )
    Variant.objects.filter(pk=variant.pk).update(option_values=["진한 빨강"])
    Product.objects.filter(pk=variant.product_id).update(name="새 이름")
    assert given([("빨강", 1), ("파랑", 1), ("초록", 1)]) == [known(), known(), new_line()]
    progress.cancel_unpaid(order_ids=[Order.objects.get().pk], actor=staff, at=NOW, by=CanceledBy.STAFF)
    before = stored()
    assert given([("파랑", 1), ("빨강", 1)]) == [known(), known()]
    assert stored() == before


def test_line_numbers_decide_where_there_are_some(load, preview):
    """A quantity that the channel has changed since is no new line."""
    load(smartstore([smartstore_row(1)]))
    job = preview(smartstore([smartstore_row(1, 수량=1, **{"최종 상품별 총 주문금액": None})]))
    assert [reason for _, _, reason in verdicts(job)] == [SAME]
    assert OrderLine.objects.get().quantity == 2
