"""Counting and receiving stock."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import pytest
from django.db import InternalError, connection, transaction

from accounts.models import User
from core.calendar import short
from core.locks import LockTimeout
from core.models.events import Source
from core.state import previewing
from orders.models import OrderEvent
from products.events import STOCK_CHANGED
from products.models import StockLevel, StockMovement
from products.services import stock
from tests.fixtures.products import STOCK_DAY, figures

pytestmark = pytest.mark.django_db


@pytest.fixture
def logistics(db):
    return User.objects.create_user("packer", display_name="박물류", role="LOGISTICS")


@pytest.fixture
def owner(db):
    return User.objects.create_user("boss", display_name="김대표", role="OWNER")


def correct(variant, on_hand, *, actor, reference="count-1", **more):
    return stock.adjust(
        changes={variant.pk: on_hand}, at=STOCK_DAY, actor=actor, reason="실사", reference=reference, **more
    )


@contextmanager
def held_elsewhere(variant) -> Iterator[None]:
    """Another connection keeps the level locked meanwhile."""
    taken, done = Event(), Event()

    def hold():
        with transaction.atomic():
            StockLevel.objects.select_for_update().get(pk=variant.pk)
            taken.set()
            done.wait(20)
        connection.close()

    thread = Thread(target=hold)
    thread.start()
    assert taken.wait(10)
    try:
        yield
    finally:
        done.set()
        thread.join()


def snapshot():
    return (
        list(StockLevel.objects.order_by("pk").values_list()),
        list(StockMovement.objects.order_by("pk").values_list()),
        OrderEvent.objects.count(),
    )


def test_a_count_sets_the_level_and_says_who_why_and_by_how_much(make_variant, logistics):
    variant = make_variant(on_hand=10)
    outcome = correct(variant, 7, actor=logistics)
    assert figures(variant) == (7, 0, 0)
    movement = StockMovement.objects.get(kind="ADJUST")
    assert outcome.moved == [movement]
    assert (movement.on_hand, movement.reason, movement.actor, movement.at) == (-3, "실사", logistics, STOCK_DAY)
    event = OrderEvent.objects.get(kind=STOCK_CHANGED.code, subject_id=movement.pk)
    assert (event.subject, event.version, event.from_state, event.to_state) == ("stock", 1, "10", "7")
    assert (event.order_id, event.actor, event.source) == (None, logistics, Source.SCREEN)
    assert event.data == {"variant": variant.pk, "units": -3}


def test_received_units_are_added_to_what_is_there_now(make_variant, logistics):
    variant = make_variant(on_hand=10)
    stock.receive(units={variant.pk: 40}, at=STOCK_DAY, actor=logistics, reason="9월 2차 입고", reference="in-1")
    assert figures(variant) == (50, 0, 0)
    assert StockMovement.objects.filter(kind="RECEIVE").values_list("on_hand", "reason").get() == (40, "9월 2차 입고")


def test_a_right_figure_writes_nothing(make_variant, logistics):
    variant = make_variant(on_hand=10)
    before = snapshot()
    outcome = correct(variant, 10, actor=logistics)
    assert (outcome.possible, outcome.refused, outcome.changes) == ([], {}, [])
    assert snapshot() == before


@pytest.mark.parametrize(
    ("on_hand", "reason"),
    [
        (3, "이미 할당한 4개보다 적게 줄일 수 없습니다. 배송준비중 주문을 먼저 확인하세요."),
        (-1, "실재고는 0개부터 9,999,999개까지 입력할 수 있습니다."),
        (10_000_000, "실재고는 0개부터 9,999,999개까지 입력할 수 있습니다."),
        (111, "한 번에 100개를 넘는 재고 변경은 대표만 할 수 있습니다."),
    ],
)
def test_a_bad_figure_is_refused_with_its_reason_and_changes_nothing(
    make_variant, make_line, logistics, on_hand, reason
):
    variant = make_variant(on_hand=10)
    line = make_line(variant, 4)
    stock.add_demand([line], at=STOCK_DAY)
    stock.allocate([line.later()], at=STOCK_DAY)
    before = snapshot()
    outcome = correct(variant, on_hand, actor=logistics)
    assert (outcome.refused, outcome.moved) == ({variant.pk: reason}, [])
    assert snapshot() == before


def test_a_hundred_units_need_no_owner_and_a_hundred_and_one_do(make_variant, logistics, owner):
    variant = make_variant(on_hand=10)
    assert correct(variant, 110, actor=logistics).refused == {}
    before = snapshot()
    received = stock.receive(units={variant.pk: 101}, at=STOCK_DAY, actor=logistics, reason="입고", reference="in-1")
    assert received.refused == {variant.pk: "한 번에 100개를 넘는 재고 변경은 대표만 할 수 있습니다."}
    assert snapshot() == before
    assert correct(variant, 5_000, actor=owner, reference="count-2").refused == {}
    assert figures(variant) == (5_000, 0, 0)


def test_a_figure_seen_before_somebody_else_changed_it_is_refused(make_variant, make_line, logistics):
    variant = make_variant(on_hand=10)
    seen = StockLevel.objects.get(pk=variant.pk).version
    stock.add_demand([make_line(variant, 1)], at=STOCK_DAY)
    assert correct(variant, 9, actor=logistics, seen={variant.pk: seen}).refused == {}
    before = snapshot()
    outcome = correct(variant, 8, actor=logistics, seen={variant.pk: seen}, reference="count-2")
    assert outcome.refused == {
        variant.pk: f"화면을 연 뒤 {short(STOCK_DAY)}에 {logistics.display_name} 님이 재고를 바꿔 실재고가 9개입니다."
        " 다시 확인하고 입력하세요."
    }
    assert snapshot() == before


def test_the_same_correction_is_not_stored_twice(make_variant, logistics):
    variant = make_variant(on_hand=10)
    correct(variant, 9, actor=logistics)
    before = snapshot()
    with pytest.raises(stock.CorrectionRepeated, match="이미 반영한 재고 변경입니다"):
        correct(variant, 8, actor=logistics)
    assert snapshot() == before


def test_a_correction_without_a_reason_is_refused(make_variant, logistics):
    variant = make_variant(on_hand=10)
    before = snapshot()
    with pytest.raises(stock.ReasonMissing, match="사유를 입력하세요"):
        stock.adjust(changes={variant.pk: 3}, at=STOCK_DAY, actor=logistics, reason=" ", reference="count-1")
    assert snapshot() == before


def test_an_unknown_variant_is_refused_beside_the_others(make_variant, logistics):
    variant = make_variant(on_hand=10)
    outcome = stock.adjust(
        changes={variant.pk: 9, 999_999: 5},
        at=STOCK_DAY,
        actor=logistics,
        reason="실사",
        reasons={variant.pk: "파손"},
        reference="count-1",
    )
    assert outcome.refused == {999_999: "품목을 찾을 수 없습니다."}
    assert StockMovement.objects.get(kind="ADJUST").reason == "파손"


def test_a_preview_names_what_would_change_and_writes_nothing(make_variant, logistics):
    changed, short = make_variant(on_hand=10), make_variant()
    before = snapshot()
    with previewing():
        outcome = stock.adjust(
            changes={changed.pk: 12, short.pk: -1}, at=STOCK_DAY, actor=logistics, reason="실사", reference="c"
        )
    assert [level.pk for level in outcome.possible] == [changed.pk]
    assert list(outcome.refused) == [short.pk]
    assert outcome.moved == []
    assert snapshot() == before


@pytest.mark.parametrize("rewrite", [lambda rows: rows.update(on_hand=999), lambda rows: rows.delete()])
def test_movements_may_not_be_rewritten(make_variant, rewrite):
    make_variant(on_hand=10)
    before = snapshot()
    with pytest.raises(InternalError, match="Cannot update or delete"), transaction.atomic():
        rewrite(StockMovement.objects.all())
    assert snapshot() == before


def test_a_level_that_orders_hold_is_not_waited_for_forever(make_variant, logistics, transactional_db):
    variant = make_variant(on_hand=10)
    before = snapshot()
    with held_elsewhere(variant), pytest.raises(LockTimeout, match="처리하고 있습니다"):
        correct(variant, 9, actor=logistics)
    assert snapshot() == before
