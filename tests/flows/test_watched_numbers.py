"""집하 시 자동 배송중: numbers that nobody has sent yet, and printed ones that were deleted, are asked about too."""

from collections import Counter
from datetime import timedelta

from core import relay
from core.invariants import find_violations
from core.models import Message
from core.settings_registry import set_setting
from orders.models import OrderLine
from orders.services import locks
from orders.states import LineState
from shipping.models import Parcel, ShippingException, TrackingPoll
from shipping.services import shipments
from shipping.services.numbers import waybills
from shipping.services.polling import polls
from shipping.services.tracking import voided
from shipping.states import ExceptionKind
from tests.fixtures.orders import NOW
from tests.flows.scans import HEALTHY, HOUR, PICKED, cases, scan

K = ExceptionKind


def test_the_first_scan_sends_a_shipment_that_nobody_has_sent(make_numbered, hear):
    [shipment] = make_numbered(1)
    assert voided.watch_numbers(at=NOW) == 1
    assert voided.watch_numbers(at=NOW) == 0
    hear({shipment.waybill: [PICKED]}, hours=5)
    line = OrderLine.objects.get()
    assert (line.state, line.shipped_at, line.picked_up_at) == (
        LineState.SHIPPING, NOW + timedelta(hours=5), NOW + timedelta(hours=5),
    )  # fmt: skip
    parcel = Parcel.objects.get()
    assert (parcel.state, parcel.first_scan_at, parcel.stage) == ("HANDED_OVER", NOW + 4 * HOUR, "PICKED_UP")
    assert TrackingPoll.objects.get().is_active
    relay.run_once(at=NOW + timedelta(hours=6))
    assert Message.objects.filter(template="order_shipped").count() == 1
    assert find_violations(*HEALTHY) == []


def test_a_scan_of_what_is_held_is_a_case_and_nothing_leaves(make_numbered, hear, staff):
    [shipment] = make_numbered(1)
    voided.watch_numbers(at=NOW)
    ids = shipments.lines_of([shipment.pk])
    locks.hold(line_ids=ids, actor=staff, at=NOW, reason="고객 확인 중")
    hear({shipment.waybill: [PICKED]}, hours=5)
    assert (OrderLine.objects.get().state, Parcel.objects.get().state) == ("READY", "NUMBERED")
    [case] = ShippingException.objects.all()
    assert (case.kind, case.detail) == (K.NOT_SHIPPED, "배송보류 중입니다. 사유: 고객 확인 중")
    locks.release_hold(line_ids=ids, actor=staff, at=NOW)
    shipments.ship(line_ids=ids, actor=staff, at=NOW + timedelta(hours=6))
    assert cases() == []


def test_without_the_setting_no_scan_sends_anything(make_numbered, hear, staff):
    set_setting(key="ships_on_scan", value=False, actor=staff, at=NOW)
    [shipment] = make_numbered(1)
    assert voided.watch_numbers(at=NOW) == 0
    polls.start(parcels=[Parcel.objects.get()], at=NOW)
    hear({shipment.waybill: [PICKED]}, hours=5)
    assert (OrderLine.objects.get().state, cases()) == ("READY", [])


def test_a_deleted_number_that_was_printed_is_watched_for_a_week(make_numbered, hear, staff):
    scanned, quiet, unprinted = make_numbered(3)
    Parcel.objects.filter(shipment__in=[scanned, quiet]).update(printed_at=NOW, printed_count=1)
    ids = shipments.lines_of([scanned.pk, quiet.pk, unprinted.pk])
    waybills.void_waybills(line_ids=ids, actor=staff, at=NOW, reason="주문 취소")
    assert voided.watch_numbers(at=NOW + HOUR) == 2
    hear(hours=30)
    assert TrackingPoll.objects.filter(is_active=True).count() == 2
    hear({scanned.waybill: [scan("집화처리", hours=40, code="AT_PICKUP")]}, hours=54)
    assert cases() == [K.CANCELLED_BUT_SCANNED]
    assert {p.state for p in Parcel.objects.all()} == {"VOID"}
    assert Counter(OrderLine.objects.values_list("state", flat=True)) == {"READY": 3}
    hear(hours=24 * 8)
    assert not TrackingPoll.objects.filter(is_active=True).exists()
    assert voided.watch_numbers(at=NOW + timedelta(days=8)) == 0
