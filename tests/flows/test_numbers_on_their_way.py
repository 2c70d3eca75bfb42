"""A number that a courier is being asked for, and people who change the shipment meanwhile: nothing is booked wrong."""

from datetime import timedelta

import pytest
from django.db import connections

from core.invariants import find_violations
from orders.models import Order
from orders.services.changes import Recipient, change_recipient
from shipping.adapters.issuing import Issued, IssueOutcome
from shipping.drains import issue_cj, route_boxes
from shipping.models import Parcel, ParcelLine, Shipment, WaybillNumber
from shipping.services import methods, shipments
from shipping.services.issuing.extra import add_box
from shipping.services.issuing.issue import issue_waybills
from shipping.services.numbers import pool, waybills
from shipping.services.numbers.waybills import WaybillEntry
from shipping.states import CancelState, DeliveryMethod, NumberState
from tests.fixtures.orders import NOW
from tests.fixtures.shipments import again, waybill_number
from tests.infra.courier_stub import StubIssuer
from tests.infra.queues import held

pytestmark = pytest.mark.django_db(transaction=True)
MINUTE = timedelta(minutes=1)
ELSEWHERE = "제주특별자치도 제주시 첨단로 242"


def ask(made, contract, staff):
    return issue_waybills(shipment_ids=[made.pk], contract_id=contract.pk, actor=staff, at=NOW)


def readdress(made, staff):
    order = Order.objects.get(pk=made.order_id)
    facts = {name: getattr(order, name) for name in Recipient.__slots__}
    wanted = Recipient(**facts | {"zip_code": "63309", "address1": ELSEWHERE})
    change_recipient(order_id=order.pk, recipient=wanted, expected_version=order.version, actor=staff, at=NOW)


def is_canceled_and_asked_anew(made, contract, courier, staff):
    issue_cj(at=NOW + 10 * MINUTE)
    issue_cj(at=NOW + 10 * MINUTE)
    [number] = WaybillNumber.objects.all()
    assert (number.state, number.cancel) == (NumberState.VOID, CancelState.DONE)
    assert (courier.bookings, courier.canceled) == ({}, [number.key])
    assert not Parcel.objects.exists()
    assert "배송지가 바뀌어" in again([made])[0].issuing
    ask(made, contract, staff)
    issue_cj(at=NOW + 10 * MINUTE)
    [key] = courier.bookings
    assert (courier.addresses[key], again([made])[0].waybill) == (ELSEWHERE, courier.bookings[key])


def test_an_address_that_changes_during_the_booking_never_gets_the_number_of_the_old_one(
    make_shipments, staff, contract, courier
):
    [made] = make_shipments(1)
    ask(made, contract, staff)

    def meanwhile(call, body):
        if call == "register":
            courier.before = None
            readdress(made, staff)
            connections.close_all()

    courier.before = meanwhile
    issue_cj(at=NOW)
    is_canceled_and_asked_anew(made, contract, courier, staff)


def test_nor_does_one_that_changes_before_a_dead_process_is_made_up_for(
    make_shipments, staff, contract, courier, monkeypatch
):
    [made] = make_shipments(1)
    ask(made, contract, staff)
    monkeypatch.setenv("OMS_FAILPOINTS", "waybill_before_parcel=raise")
    with pytest.raises(Exception, match="waybill_before_parcel"):
        issue_cj(at=NOW)
    monkeypatch.delenv("OMS_FAILPOINTS")
    assert WaybillNumber.objects.get().state == NumberState.REGISTERED
    readdress(made, staff)
    is_canceled_and_asked_anew(made, contract, courier, staff)


def test_another_way_out_takes_back_the_number_that_its_courier_is_asked_for(make_shipments, staff, contract, courier):
    doubtful, fresh = make_shipments(2)
    courier.faults = [("register", "lost")]
    ask(doubtful, contract, staff)
    issue_cj(at=NOW)
    ask(fresh, contract, staff)
    done = methods.change_method(
        shipment_ids=[doubtful.pk, fresh.pk], method=DeliveryMethod.REGISTERED, actor=staff, at=NOW
    )
    assert done.refused == {}
    issue_cj(at=NOW + MINUTE)
    assert (courier.bookings, len(courier.canceled)) == ({}, 1)
    assert set(WaybillNumber.objects.values_list("state", flat=True)) == {NumberState.VOID}
    assert {one.issuing for one in again([doubtful, fresh])} == {""}
    entries = {fresh.pk: WaybillEntry("REGISTPOST", "6800000000001")}
    assert waybills.register_waybills(entries=entries, actor=staff, at=NOW).refused == {}


def test_a_number_that_replaces_the_first_box_takes_the_place_of_one_that_waits(
    make_shipments, staff, contract, courier
):
    [made] = make_shipments(1, quantities=(3,))
    entry = {made.pk: WaybillEntry("CJGLS", waybill_number(0))}
    waybills.register_waybills(entries=entry, actor=staff, at=NOW)
    [line] = shipments.lines_of([made.pk])
    add_box(shipment_id=made.pk, contents={line: 1}, contract_id=contract.pk, actor=staff, at=NOW)
    entry = {made.pk: WaybillEntry("CJGLS", waybill_number(1), replaces=True)}
    assert waybills.register_waybills(entries=entry, actor=staff, at=NOW).refused == {}
    issue_cj(at=NOW)
    [box] = Parcel.objects.filter(shipment=made).exclude(state="VOID")
    assert (box.waybill, ParcelLine.objects.get(parcel=box).quantity) == (waybill_number(1), 3)
    assert courier.bookings == {}
    assert again([made])[0].issuing == ""
    assert shipments.ship(line_ids=[line], actor=staff, at=NOW).refused == {}


def test_a_number_that_the_courier_has_not_booked_is_nobody_s_to_type(
    make_shipments, staff, contract, courier, monkeypatch
):
    made, other = make_shipments(2)
    ask(made, contract, staff)
    monkeypatch.setenv("OMS_FAILPOINTS", "waybill_number_stored=raise")
    with pytest.raises(Exception, match="waybill_number_stored"):
        issue_cj(at=NOW)
    monkeypatch.delenv("OMS_FAILPOINTS")
    number = WaybillNumber.objects.get().number

    def typed(one):
        entries = {one.pk: WaybillEntry("CJGLS", number)}
        return waybills.register_waybills(entries=entries, actor=staff, at=NOW).refused

    assert (typed(made), typed(other)) == ({made.pk: pool.NOT_BOOKED}, {other.pk: pool.FOR_ANOTHER})
    assert (WaybillNumber.objects.get().state, Parcel.objects.count()) == (NumberState.RESERVED, 0)
    issue_cj(at=NOW + 10 * MINUTE)
    assert (again([made])[0].waybill, list(courier.bookings.values())) == (number, [number])
    assert (typed(made), typed(other).keys()) == ({}, {other.pk})


def test_a_number_that_the_courier_gives_twice_is_never_booked_for_the_second_box(
    make_shipments, staff, contract, courier, monkeypatch
):
    # As 한진 books: by the number alone, and who sends it again is told that it is booked (shipping.md 1.5, 9).
    def book(body):
        is_known = body["number"] in courier.bookings.values()
        courier.bookings |= {} if is_known else {body["key"]: body["number"]}
        return {"outcome": "ALREADY" if is_known else "OK", "number": body["number"], "sort_code": "5D32"}

    monkeypatch.setattr(courier, "_register", book)
    one, other, late = make_shipments(3)
    with monkeypatch.context() as stuck:
        same = {"outcome": "OK", "number": waybill_number(7)}
        stuck.setattr(courier, "_allocate", lambda body: [same] * len(body["keys"]))
        ask(one, contract, staff)
        ask(other, contract, staff)
        issue_cj(at=NOW)
        ask(late, contract, staff)
        issue_cj(at=NOW + MINUTE)
        assert [row.waybill for row in again([one, other, late])] == [waybill_number(7), "", ""]
        assert all("다시 주었습니다" in row.issuing for row in again([other, late]))
    issue_cj(at=NOW + 20 * MINUTE)
    assert courier.bookings == {f"{row.number}-1": row.waybill for row in again([one, other, late])}
    assert len(set(courier.bookings.values())) == 3
    assert list(find_violations()) == []


def test_an_order_somebody_works_on_is_held_all_the_same_when_its_place_is_not_served(
    make_shipments, staff, contract, courier
):
    [far] = make_shipments(1)
    ask(far, contract, staff)
    courier.faults = [("register", "UNDELIVERABLE")] * 2
    with held(far.order_id):
        issue_cj(at=NOW)
    assert WaybillNumber.objects.get().state == NumberState.RESERVED
    issue_cj(at=NOW + MINUTE)
    [after] = again([far])
    assert (after.is_held, WaybillNumber.objects.get().state) == (True, NumberState.VOID)
    assert "배송불가 지역" in after.issuing


def test_nor_is_the_hold_lost_when_only_the_sort_code_is_asked_for(
    make_numbered, staff, contract, courier, monkeypatch
):
    far, near = make_numbered(2)
    said = {far.order.address1: Issued(outcome=IssueOutcome.UNDELIVERABLE, message="구간 없음")}
    Order.objects.filter(pk=near.order_id).update(address1=ELSEWHERE)
    refine = StubIssuer.refine
    monkeypatch.setattr(
        StubIssuer, "refine",
        lambda self, *, recipient: said.get(recipient.address1) or refine(self, recipient=recipient),
    )  # fmt: skip
    Parcel.objects.update(route_at=NOW)
    with held(far.order_id):
        route_boxes(at=NOW)
    assert Parcel.objects.get(shipment=near).routing["sort_code"] == "5D32"
    assert Parcel.objects.get(shipment=far).routing is None
    route_boxes(at=NOW + 10 * MINUTE)
    assert "구간 없음" in Parcel.objects.get(shipment=far).routing["error"]
    assert list(Shipment.objects.order_by("pk").values_list("is_held", flat=True)) == [True, False]
    assert list(find_violations()) == []
