"""재고 이력 names the person who made a line move stock, and the system only for what nobody pressed."""

from datetime import timedelta

import pytest
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from orders.models import OrderLine
from orders.services import progress
from orders.services.mapping import map_lines
from orders.states import CanceledBy
from products.models import StockMovement
from products.pages.product import ledger
from tests.fixtures.orders import NOW


@pytest.fixture
def worker(make_staff) -> User:
    return make_staff(Role.CS, display_name="박처리")


def movers(variant_id: int) -> list[tuple[str, str]]:
    """(kind, who) of every movement that a line made, oldest first, as the page shows them."""
    return [(row.kind, row.actor) for row in reversed(ledger(variant_id).rows) if row.kind != "기초"]


def test_every_move_of_a_person_is_in_the_persons_name(make_order, lines_of, worker):
    [line] = lines_of(make_order(paid=True))
    ids = [line.pk]
    progress.make_ready(line_ids=ids, actor=worker, at=NOW)
    progress.return_to_preparing(line_ids=ids, actor=worker, at=NOW)
    progress.make_ready(line_ids=ids, actor=worker, at=NOW)
    progress.register_waybill(line_ids=ids, actor=worker, at=NOW)
    progress.ship(line_ids=ids, actor=worker, at=NOW)
    progress.unship(line_ids=ids, actor=worker, at=NOW, reason="오출고")
    assert movers(line.variant_id) == [
        ("수요", "시스템"),
        ("할당", "박처리"),
        ("할당 해제", "박처리"),
        ("할당", "박처리"),
        ("출고", "박처리"),
        ("출고 취소", "박처리"),
    ]


def test_cancel_and_revival_name_who_pressed_and_an_automatic_cancel_nobody(make_order, lines_of, worker):
    order = make_order()
    [line] = lines_of(order)
    progress.cancel_unpaid(order_ids=[order.pk], actor=worker, at=NOW, by=CanceledBy.STAFF)
    progress.revive(order_ids=[order.pk], actor=worker, at=NOW, reason="늦은 입금")
    progress.cancel_unpaid(order_ids=[order.pk], actor=None, at=NOW + timedelta(days=9), by=CanceledBy.DEADLINE)
    assert movers(line.variant_id) == [
        ("수요", "시스템"),
        ("수요 취소", "박처리"),
        ("수요", "박처리"),
        ("수요 취소", "시스템"),
    ]


def test_demand_that_품목_연결_brings_is_in_the_name_of_who_connected(make_order, make_variant, worker):
    line = OrderLine.objects.get(order=make_order(lines=[(None, 2)], paid=True))
    variant = make_variant(on_hand=5)
    map_lines(variants={line.pk: variant.pk}, actor=worker, at=NOW)
    assert movers(variant.pk) == [("수요", "박처리")]


def test_a_refused_move_writes_no_movement(make_order, lines_of, worker):
    [line] = lines_of(make_order())
    before = list(StockMovement.objects.order_by("pk").values())
    assert progress.make_ready(line_ids=[line.pk], actor=worker, at=NOW).moved == []
    assert list(StockMovement.objects.order_by("pk").values()) == before


def test_the_product_page_names_the_person(make_order, lines_of, worker, sign_in):
    line = lines_of(make_order(paid=True))[0]
    progress.make_ready(line_ids=[line.pk], actor=worker, at=NOW)
    client: Client = sign_in(Role.LOGISTICS)
    text = client.get(f"/products/{line.variant.product.code}/").content.decode()
    assert "박처리" in text
