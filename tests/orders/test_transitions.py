"""The graph of the line: what is legal, what is not, and that code and database agree about it."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from core.state import StateGuard
from orders.models import OrderEvent, OrderLine
from orders.services import locks, progress
from orders.states import (
    BIT_UNACKNOWLEDGED,
    FIRST_STATES,
    LINE_MOVES,
    CanceledBy,
    ConfirmedBy,
    DeliveredBy,
    LineState,
    LockKind,
)
from payments.services.manual import confirm_manually
from products.models import StockLevel
from shipping.services import shipments
from tests.fixtures.orders import NOW, reloaded

S = LineState


def declared_moves() -> set[tuple[str, str]]:
    found = set()
    for one in OrderLine._meta.get_field("state").get_all_transitions(OrderLine):
        if one.target is not None:
            found.add((str(one.source), str(one.target)))
    return found


def test_the_trigger_knows_the_same_moves_as_the_transitions():
    assert declared_moves() == {(str(a), str(b)) for a, b in LINE_MOVES}


def test_every_transition_has_a_korean_label():
    labels = [t.custom.get("label", "") for t in OrderLine._meta.get_field("state").get_all_transitions(OrderLine)]
    assert all(any("가" <= letter <= "힣" for letter in label) for label in labels)


def test_every_state_of_the_way_is_reachable():
    reached, grown = set(FIRST_STATES), True
    while grown:
        more = {b for a, b in LINE_MOVES if a in reached} - reached
        reached, grown = reached | more, bool(more)
    assert reached == {*S} - {S.RETURNED, S.EXCHANGED, S.MOVED}


@pytest.mark.parametrize("source", list(S))
@pytest.mark.parametrize("target", list(S))
def test_the_database_refuses_every_other_jump(make_order, lines_of, source, target):
    [line] = lines_of(make_order())
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE orders_orderline SET state = %s WHERE id = %s", [source, line.pk])
        cursor.execute("SET LOCAL session_replication_role = origin")
    legal = (source, target) in LINE_MOVES
    sql = "UPDATE orders_orderline SET state = %s, version = version + 1 WHERE id = %s"
    if source == target or legal:
        # Taken back again: a legal move without its event would be refused at the commit (tests/core/test_told.py).
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql, [target, line.pk])
            assert reloaded(line).state == target
            transaction.set_rollback(True)
    else:
        with pytest.raises(IntegrityError, match="illegal move"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql, [target, line.pk])
        assert reloaded(line).state == source


def test_a_move_without_a_version_is_refused_by_the_database(make_order, lines_of):
    [line] = lines_of(make_order())
    with pytest.raises(IntegrityError, match="without its version"), transaction.atomic():
        OrderLine.objects.filter(pk=line.pk).update(state=S.PREPARING)
    assert reloaded(line).state == S.AWAITING_PAYMENT


def test_a_line_may_not_begin_on_its_way(make_order, lines_of):
    [line] = lines_of(make_order())
    with pytest.raises(IntegrityError, match="may not begin"), transaction.atomic():
        OrderLine.objects.create(
            order=line.order, number="X-99", seq=99, product_name="x", quantity=1, unit_price=1, state=S.SHIPPING
        )


def test_history_is_neither_edited_nor_deleted(make_order):
    make_order()
    event = OrderEvent.objects.get(subject="order")
    with pytest.raises(Exception, match="append_only"), transaction.atomic():
        OrderEvent.objects.filter(pk=event.pk).update(reason="nothing happened")
    with pytest.raises(Exception, match="append_only"), transaction.atomic():
        event.delete()
    assert OrderEvent.objects.get(pk=event.pk).reason == ""


# Forbidden moves of domain.md 3.3, through the services: (name, how to get there, act, part of the sentence).
def _ready(order, staff, ids):
    shipments.make_ready(line_ids=ids, actor=staff, at=NOW)


def _ship(staff, ids):
    return shipments.ship(line_ids=ids, actor=staff, at=NOW)


def assert_refused(outcome, line, sentence):
    before = OrderEvent.objects.filter(subject="line", subject_id=line.pk).count()
    assert outcome.moved == []
    assert sentence in outcome.refused[line.pk]
    after = reloaded(line)
    assert (after.state, after.version) == (line.state, line.version)
    assert OrderEvent.objects.filter(subject="line", subject_id=line.pk).count() == before


def test_an_unpaid_line_is_neither_prepared_nor_sent(make_order, lines_of, staff):
    [line] = lines_of(make_order())
    assert_refused(shipments.make_ready(line_ids=[line.pk], actor=staff, at=NOW), line, "입금대기")
    assert_refused(progress.ship(line_ids=[line.pk], actor=staff, at=NOW), line, "입금대기")


def test_a_paid_line_does_not_skip_packing(make_order, lines_of, staff):
    [line] = lines_of(make_order(paid=True))
    assert_refused(progress.ship(line_ids=[line.pk], actor=staff, at=NOW), line, "상품준비중")


def test_a_line_without_a_waybill_does_not_leave_the_house(make_order, lines_of, staff):
    [line] = lines_of(make_order(paid=True))
    _ready(None, staff, [line.pk])
    line = reloaded(line)
    assert_refused(_ship(staff, [line.pk]), line, "송장번호가 없습니다.")
    assert StockLevel.objects.get(variant=line.variant_id).allocated == 1


@pytest.mark.parametrize("pressed", [False, True])
def test_taking_배송준비중_back_leaves_발주확인_as_it_was(make_order, lines_of, staff, pressed):
    order = make_order(paid=True)
    ids = [line.pk for line in lines_of(order)]
    if pressed:
        progress.acknowledge(line_ids=ids, actor=staff, at=NOW)
    before = [line.acknowledged_at for line in lines_of(order)]
    assert before == [NOW if pressed else None] * len(ids)
    later = NOW + timedelta(minutes=5)
    shipments.make_ready(line_ids=ids, actor=staff, at=later)
    assert [line.acknowledged_at for line in lines_of(order)] == [NOW if pressed else later] * len(ids)
    outcome = shipments.return_to_preparing(line_ids=ids, actor=staff, at=later + timedelta(minutes=1))
    assert len(outcome.moved) == len(ids)
    assert [line.acknowledged_at for line in lines_of(order)] == before
    assert bool(reloaded(order).steps & BIT_UNACKNOWLEDGED) is not pressed


def test_short_stock_keeps_a_line_in_preparing(make_order, make_variant, lines_of, staff):
    [line] = lines_of(make_order(lines=[(make_variant(on_hand=1), 3)], paid=True))
    assert_refused(shipments.make_ready(line_ids=[line.pk], actor=staff, at=NOW), line, "재고가 2개 부족합니다.")
    assert StockLevel.objects.get(variant=line.variant_id).allocated == 0


def test_an_unmapped_line_is_not_packed(make_order, lines_of, staff):
    [line] = lines_of(make_order(lines=[(None, 1)], paid=True))
    assert_refused(shipments.make_ready(line_ids=[line.pk], actor=staff, at=NOW), line, "연결되지 않은 상품입니다.")


# Written out from domain.md 3.3 (guards of T4, T6, T7, T9, T11, T15), 3.4 (parcel lock) and architecture.md 3, not read
# from the table under test. T19 by hand waits for a claim that is open, and for money that the PG may have taken back.
TO_CONFIRMED = {"confirm_purchase", "confirm_after_days"}
BLOCKED = {
    LockKind.CLAIM: {"acknowledge", "make_ready", "register_waybill", "ship", "cancel", "resend", *TO_CONFIRMED},
    LockKind.HOLD: {"make_ready", "register_waybill", "ship"},
    LockKind.PAYMENT: {"make_ready", "register_waybill", "ship", "confirm_after_days", "cancel", "resend"},
    LockKind.MAPPING: {"make_ready"},
    LockKind.ADDRESS: {"ship"},
    LockKind.DEPOSIT_PENDING: {"cancel_unpaid"},
    LockKind.DELIVERY: {"confirm_after_days"},
}


@pytest.mark.parametrize(("kind", "blocked"), BLOCKED.items())
def test_each_lock_blocks_exactly_the_transitions_that_the_rules_name(make_order, lines_of, kind, blocked):
    [line] = lines_of(make_order(paid=True))
    locks.place_lock(line_ids=[line.pk], kind=kind, actor=None, at=NOW, reason="시험")
    [line] = lines_of(line.order)
    guarded = {
        one.name
        for one in OrderLine._meta.get_field("state").get_all_transitions(OrderLine)
        for guard in one.conditions
        if getattr(guard, "transition_name", "") and not guard(line)
    }
    assert guarded == blocked


def test_the_rules_name_every_kind_of_lock():
    assert set(BLOCKED) == set(LockKind)


def test_a_cancel_request_stops_발주확인_until_it_is_settled(make_order, lines_of, staff):
    """T6 with an open cancel request (domain.md 3.3)."""
    [line] = lines_of(make_order(paid=True))
    locks.place_lock(line_ids=[line.pk], kind=LockKind.CLAIM, actor=staff, at=NOW, reason="취소 신청")
    line = reloaded(line)
    outcome = progress.acknowledge(line_ids=[line.pk], actor=staff, at=NOW)
    assert_refused(outcome, line, "취소·반품·교환 신청이 있어 처리할 수 없습니다.")
    assert reloaded(line).acknowledged_at is None
    assert reloaded(line.order).steps & BIT_UNACKNOWLEDGED
    locks.release_lock(line_ids=[line.pk], kind=LockKind.CLAIM, actor=staff, at=NOW)
    progress.acknowledge(line_ids=[line.pk], actor=staff, at=NOW)
    assert reloaded(line).acknowledged_at == NOW


def test_a_cancel_request_stops_the_shipping_of_a_numbered_line_and_of_its_whole_shipment(make_numbered, staff):
    """T11 with an open cancel request (domain.md 3.3, "Not allowed"; A12)."""
    [shipment] = make_numbered(1, lines=2)
    first, second = OrderLine.objects.filter(order=shipment.order_id).order_by("seq")
    locks.place_lock(line_ids=[first.pk], kind=LockKind.CLAIM, actor=staff, at=NOW, reason="취소 신청")
    first, stock = reloaded(first), list(StockLevel.objects.order_by("pk").values())
    outcome = _ship(staff, [first.pk, second.pk])
    sentence = "취소·반품·교환 신청이 있어 처리할 수 없습니다."
    for line in (first, second):
        assert_refused(outcome, line, sentence)
        assert line.shipped_at is None
    assert list(StockLevel.objects.order_by("pk").values()) == stock
    assert not OrderEvent.objects.filter(kind__in=["line.shipped", "parcel.handed_over"]).exists()
    locks.release_lock(line_ids=[first.pk], kind=LockKind.CLAIM, actor=staff, at=NOW)
    assert {line.state for line in _ship(staff, [first.pk, second.pk]).moved} == {S.SHIPPING}


def test_a_canceled_line_is_final_for_everything_but_revival(make_order, lines_of, staff):
    order = make_order()
    progress.cancel_unpaid(order_ids=[order.pk], actor=staff, at=NOW, by=CanceledBy.BUYER)
    [line] = lines_of(order)
    assert_refused(confirm_manually(order_ids=[order.pk], actor=staff, at=NOW), line, "이미 취소된 주문입니다.")
    assert_refused(shipments.make_ready(line_ids=[line.pk], actor=staff, at=NOW), line, "이미 취소된 주문입니다.")
    assert_refused(locks.hold(line_ids=[line.pk], actor=staff, at=NOW, reason="x"), line, "이미 취소된 주문입니다.")
    revived = progress.revive(order_ids=[order.pk], actor=staff, at=NOW, reason="늦은 입금")
    assert [one.state for one in revived.moved] == [S.AWAITING_PAYMENT]
    assert StockLevel.objects.get(variant=line.variant_id).demand == 1


def test_a_claim_stops_confirmation_by_anybody(make_order, lines_of, staff):
    [line] = lines_of(make_order(paid=True))
    _ready(None, staff, [line.pk])
    with transaction.atomic():
        progress.register_waybill(line_ids=[line.pk], actor=staff, at=NOW)
    progress.ship(line_ids=[line.pk], actor=staff, at=NOW)
    progress.deliver(delivered_at={line.pk: NOW}, by=DeliveredBy.TRACKER, actor=None, at=NOW)
    locks.place_lock(line_ids=[line.pk], kind=LockKind.CLAIM, actor=staff, at=NOW, reason="반품 신청")
    [line] = lines_of(line.order)
    assert_refused(
        progress.confirm_purchase(line_ids=[line.pk], by=ConfirmedBy.BUYER, actor=None, at=NOW), line, "신청이 있어"
    )
    assert_refused(progress.confirm_after_days(line_ids=[line.pk], at=line.confirm_by), line, "신청이 있어")


def test_a_delivery_counted_by_days_is_not_confirmed_by_itself(make_order, lines_of, staff):
    [line] = lines_of(make_order(paid=True))
    _ready(None, staff, [line.pk])
    progress.register_waybill(line_ids=[line.pk], actor=staff, at=NOW)
    progress.ship(line_ids=[line.pk], actor=staff, at=NOW)
    progress.deliver(delivered_at={line.pk: NOW}, by=DeliveredBy.DAYS, actor=None, at=NOW)
    [line] = lines_of(line.order)
    assert_refused(progress.confirm_after_days(line_ids=[line.pk], at=line.confirm_by), line, "확인하지 않은 배송완료")


def test_every_machine_of_the_shop_guards_its_state():
    machines = [model for model in StateGuard.__subclasses__() if not model._meta.abstract]
    assert {model._meta.label for model in machines} >= {"orders.OrderLine", "payments.Payment", "shipping.Parcel"}
    for model in machines:
        assert {"legal_move", "first_state"} <= {trigger.name for trigger in model._meta.triggers}
