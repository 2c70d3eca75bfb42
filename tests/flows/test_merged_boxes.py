"""One box of two orders: a courier's word reaches the lines of both, and both find their case and their link."""

from datetime import timedelta

from accounts.roles import Role
from core.invariants import find_violations
from core.settings_registry import set_setting
from core.state import previewing
from orders.models import OrderLine
from orders.states import LineState
from shipping.models import Parcel, ShippingException, TrackingPoll
from shipping.services import links, shipments
from shipping.services.exceptions import deciding
from shipping.services.merges import merging
from shipping.services.numbers import waybills
from shipping.services.numbers.waybills import WaybillEntry
from shipping.services.polling import wanting
from shipping.services.tracking import voided
from shipping.states import ExceptionKind, ParcelState
from tests.fixtures.orders import NOW
from tests.fixtures.shipments import again, waybill_number
from tests.flows.scans import DONE, HEALTHY, PICKED, VAN, cases, scan


def sent_together(make_shipments, staff):
    """Two orders of one door in one box that has left; the first keeps the number."""
    made = make_shipments(2, address1="서울 중구 세종대로 110")
    assert merging.merge_shipments(shipment_ids=[one.pk for one in made], actor=staff, at=NOW).refused == {}
    kept, gone = again(made)
    entries = {kept.pk: WaybillEntry("CJGLS", waybill_number(0))}
    assert waybills.register_waybills(entries=entries, actor=staff, at=NOW).refused == {}
    assert shipments.ship(line_ids=shipments.lines_of([kept.pk]), actor=staff, at=NOW).refused == {}
    return again([kept, gone])


def test_a_delivery_of_the_one_box_arrives_at_both_orders(make_shipments, staff, hear):
    kept, _ = sent_together(make_shipments, staff)
    assert hear({kept.waybill: [PICKED, VAN, DONE]}, hours=33) == 1
    assert set(OrderLine.objects.values_list("state", "delivered_at")) == {
        (LineState.DELIVERED, NOW + timedelta(hours=32))
    }
    assert find_violations(*HEALTHY) == []


def test_either_order_number_finds_the_case_and_either_link_the_box(make_shipments, staff, sign_in, hear):
    set_setting(key="public_url", value="https://shop.example", actor=staff, at=NOW)
    kept, gone = sent_together(make_shipments, staff)
    hear({kept.waybill: [PICKED, scan("미배달", hours=20, text="주소불명")]}, hours=21)
    assert cases() == [ExceptionKind.ADDRESS]
    case = ShippingException.objects.get()
    assert case.shipment_id == kept.pk
    client = sign_in(Role.CS)
    for number in (kept.order.number, gone.order.number):
        page = client.get(f"/shipping/exceptions/?q={number}").content.decode()
        assert kept.waybill in page
    other = client.get("/shipping/exceptions/?q=20200101-0000001").content.decode()
    assert kept.waybill not in other
    for one in (kept, gone):
        token = links.link_of(one.pk).rstrip("/").rpartition("/")[2]
        assert links.find_shipment(token) == kept


def test_a_printed_label_of_a_deleted_number_is_listened_to_however_it_was_deleted(make_numbered, staff, hear):
    [shipment] = make_numbered(1)
    Parcel.objects.update(printed_at=NOW, printed_count=1)
    number = shipment.waybill
    ids = shipments.lines_of([shipment.pk])
    assert waybills.void_waybills(line_ids=ids, actor=staff, at=NOW, reason="다시 출력").refused == {}
    assert Parcel.objects.get().state == ParcelState.VOID
    assert voided.watch_numbers(at=NOW + timedelta(minutes=10)) == 1
    assert voided.watch_numbers(at=NOW + timedelta(minutes=20)) == 0
    hear({number: [PICKED]}, hours=25)
    assert cases() == [ExceptionKind.CANCELLED_BUT_SCANNED]


def test_to_ask_again_goes_by_the_share_of_staff(make_sent, staff, hear, courier_account):
    [shipment] = make_sent(1)
    hear({shipment.waybill: [PICKED, scan("미배달", hours=20, text="주소불명")]}, hours=21)
    case = ShippingException.objects.get()
    at = NOW + timedelta(hours=23)
    assert deciding.ask_again(exception_ids=[case.pk], actor=staff, at=at).refused == {}
    poll = TrackingPoll.objects.get()
    assert (poll.wanted_at, poll.next_poll_at <= at) == (at, True)
    again_at = at + timedelta(minutes=5)
    with previewing():
        promised = deciding.ask_again(exception_ids=[case.pk], actor=staff, at=again_at)
    refused = deciding.ask_again(exception_ids=[case.pk], actor=staff, at=again_at).refused
    assert "이미 조회를 신청했습니다" in refused[case.pk]
    assert (promised.refused, promised.possible) == (refused, [])
    courier_account.is_active = False
    courier_account.save()
    later = deciding.ask_again(exception_ids=[case.pk], actor=staff, at=at + timedelta(hours=1))
    assert later.refused == {case.pk: deciding.NOT_ASKED}
    assert timedelta(minutes=10) == wanting.EVERY
