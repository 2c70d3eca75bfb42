"""One order's day through the services alone: what every screen and file builds on."""

from datetime import timedelta

import pytest

from core import relay
from core.models import Source
from core.state import previewing
from orders.models import OrderEvent, OrderLine
from orders.services import locks, progress
from orders.states import ConfirmedBy, LineState, LockKind
from payments.models import LedgerEntry, Payment
from payments.services.manual import confirm_manually, revert_manual
from payments.services.watching.overdue import cancel_overdue
from payments.states import PaymentState
from products.models import StockLevel
from shipping.models import Parcel, Shipment, ShipmentStep
from shipping.services import shipments
from shipping.services.numbers import waybills
from shipping.services.numbers.waybills import WaybillEntry
from shipping.states import ParcelState
from tests.fixtures.orders import NOW, reloaded

WAYBILL = "680000000011"


@pytest.fixture
def ready(make_order, lines_of, staff):
    """An order in 배송준비중 with its shipment."""
    order = make_order(paid=True)
    ids = [line.pk for line in lines_of(order)]
    outcome = shipments.make_ready(line_ids=ids, actor=staff, at=NOW)
    assert outcome.refused == {}
    return order


def test_an_order_goes_from_deposit_to_purchase_confirmation(make_order, make_variant, lines_of, staff):
    variant = make_variant(on_hand=5)
    order = make_order(lines=[(variant, 2)])
    assert (order.stage, order.due_amount, order.paid_amount) == (LineState.AWAITING_PAYMENT, 20_000, 0)

    paid = confirm_manually(order_ids=[order.pk], actor=staff, at=NOW)
    assert [line.state for line in paid.moved] == [LineState.PREPARING]
    order = reloaded(order)
    assert (order.paid_amount, order.stage) == (20_000, LineState.PREPARING)
    assert Payment.objects.get(order=order).state == PaymentState.PAID

    [line] = lines_of(order)
    assert line.stock_verdict == "ALL"
    shipments.make_ready(line_ids=[line.pk], actor=staff, at=NOW)
    shipment = Shipment.objects.get(order=order)
    assert shipment.number == f"D-{order.number}-00"
    level = StockLevel.objects.get(variant=variant)
    assert (level.on_hand, level.demand, level.allocated) == (5, 0, 2)

    done = waybills.register_waybills(entries={shipment.pk: WaybillEntry("CJGLS", WAYBILL)}, actor=staff, at=NOW)
    assert (done.possible, done.refused) == ([shipment.pk], {})
    assert reloaded(shipment).has_waybill

    shipped = shipments.ship(line_ids=[line.pk], actor=staff, at=NOW + timedelta(hours=1))
    assert shipped.refused == {}
    level.refresh_from_db()
    assert (level.on_hand, level.demand, level.allocated) == (3, 0, 0)
    assert Parcel.objects.get(shipment=shipment).state == ParcelState.HANDED_OVER
    assert reloaded(shipment).step == ShipmentStep.SHIPPING
    assert reloaded(shipment).recipient_name == "김수령"

    shipments.deliver_by_hand(line_ids=[line.pk], actor=staff, at=NOW + timedelta(days=1), reason="전화 확인")
    assert reloaded(shipment).step == ShipmentStep.DELIVERED
    progress.confirm_purchase(line_ids=[line.pk], by=ConfirmedBy.BUYER, actor=None, at=NOW + timedelta(days=2))
    order = reloaded(order)
    assert order.stage == LineState.CONFIRMED

    history = list(
        OrderEvent.objects.filter(order=order, subject="line").order_by("id").values_list("version", "to_state")
    )
    assert [version for version, _ in history] == list(range(1, lines_of(order)[0].version + 1))
    assert history[-1][1] == LineState.CONFIRMED
    relay.run_once(at=NOW + timedelta(days=3))


def test_a_preview_tells_the_same_and_writes_nothing(make_order, lines_of, staff):
    order = make_order()
    with previewing():
        outcome = confirm_manually(order_ids=[order.pk], actor=staff, at=NOW)
    assert [line.order_id for line in outcome.possible] == [order.pk]
    assert outcome.moved == []
    assert reloaded(order).paid_amount == 0
    assert not LedgerEntry.objects.exists()
    assert lines_of(order)[0].state == LineState.AWAITING_PAYMENT


def test_undoing_a_deposit_takes_the_money_back_and_only_before_packing(make_order, lines_of, staff):
    order = make_order()
    confirm_manually(order_ids=[order.pk], actor=staff, at=NOW)
    revert_manual(order_ids=[order.pk], actor=staff, at=NOW, reason="잘못 눌렀음")
    assert (reloaded(order).paid_amount, lines_of(order)[0].state) == (0, LineState.AWAITING_PAYMENT)

    confirm_manually(order_ids=[order.pk], actor=staff, at=NOW)
    shipments.make_ready(line_ids=[lines_of(order)[0].pk], actor=staff, at=NOW)
    refused = revert_manual(order_ids=[order.pk], actor=staff, at=NOW, reason="늦음")
    assert refused.moved == []
    assert reloaded(order).paid_amount == 10_000


def test_a_held_line_is_neither_packed_nor_numbered_nor_sent(ready, lines_of, staff):
    [line] = lines_of(ready)
    locks.hold(line_ids=[line.pk], actor=staff, at=NOW, reason="고객 부재")
    shipment = Shipment.objects.get(order=ready)
    assert shipment.is_held
    done = waybills.register_waybills(entries={shipment.pk: WaybillEntry("CJGLS", WAYBILL)}, actor=staff, at=NOW)
    assert done.refused == {shipment.pk: "배송보류 중입니다. 사유: 고객 부재"}
    assert not Parcel.objects.exists()
    locks.release_hold(line_ids=[line.pk], actor=staff, at=NOW)
    assert not reloaded(shipment).is_held


def test_a_number_on_a_live_parcel_is_refused_for_another_order(make_order, lines_of, staff):
    orders = [make_order(paid=True) for _ in range(2)]
    shipments.make_ready(line_ids=[lines_of(o)[0].pk for o in orders], actor=staff, at=NOW)
    first, second = (Shipment.objects.get(order=o) for o in orders)
    waybills.register_waybills(entries={first.pk: WaybillEntry("CJGLS", WAYBILL)}, actor=staff, at=NOW)
    done = waybills.register_waybills(entries={second.pk: WaybillEntry("CJGLS", WAYBILL)}, actor=staff, at=NOW)
    assert done.refused == {second.pk: f"다른 주문 {orders[0].number}에서 쓰고 있는 송장번호입니다."}
    again = waybills.register_waybills(entries={first.pk: WaybillEntry("CJGLS", WAYBILL)}, actor=staff, at=NOW)
    assert (again.unchanged, again.possible) == ([first.pk], [])


def test_overdue_orders_are_canceled_to_the_minute_unless_a_deposit_waits(make_order, lines_of, staff):
    due, waiting = make_order(), make_order()
    locks.place_lock(
        line_ids=[lines_of(waiting)[0].pk], kind=LockKind.DEPOSIT_PENDING, actor=None, at=NOW, reason="수동매칭"
    )
    early = cancel_overdue(order_ids=[due.pk], at=due.deposit_by - timedelta(minutes=1))
    assert early.moved == []
    outcome = cancel_overdue(order_ids=[due.pk, waiting.pk], at=due.deposit_by)
    assert [line.order_id for line in outcome.moved] == [due.pk]
    assert list(outcome.refused.values()) == ["확인을 기다리는 입금이 있습니다. 입금 내역을 먼저 확인하세요."]
    assert StockLevel.objects.get(variant=lines_of(due)[0].variant_id).demand == 0


def test_every_event_of_a_machine_row_has_its_version(ready, lines_of):
    for line in OrderLine.objects.all():
        versions = OrderEvent.objects.filter(subject="line", subject_id=line.pk).order_by("version")
        assert list(versions.values_list("version", flat=True)) == list(range(1, line.version + 1))
    assert OrderEvent.objects.filter(subject="order", source=Source.API).count() == 1
