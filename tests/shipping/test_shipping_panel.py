"""The box 배송 of an order, and the checks that prove its summaries."""

import pytest
from django.test import RequestFactory

from accounts.roles import Role
from core.invariants import find_violations
from shipping.models import Parcel, Shipment, TrackingEvent, TrackingPoll
from shipping.panels import ShippingPanel
from shipping.services import shipments
from shipping.services.numbers import waybills
from shipping.services.numbers.waybills import WaybillEntry
from tests.fixtures.orders import NOW
from tests.fixtures.shipments import waybill_number


def load(order):
    return ShippingPanel().load(order, request=RequestFactory().get("/"), at=NOW)


def test_an_order_without_a_shipment_has_no_box(make_order):
    assert load(make_order(paid=True)) is None


def test_the_box_shows_void_and_live_numbers(make_numbered, staff):
    [shipment] = make_numbered(1)
    entries = {shipment.pk: WaybillEntry("HYUNDAI", "240000000015", replaces=True)}
    waybills.register_waybills(entries=entries, actor=staff, at=NOW)
    shipments.ship(line_ids=shipments.lines_of([shipment.pk]), actor=staff, at=NOW)
    [shown] = load(shipment.order)["shipments"]
    old, new = shown["parcels"]
    assert (shown["number"], shown["step"]) == (shipment.number, "배송중")
    assert (old["waybill"], old["is_void"]) == (waybill_number(0), True)
    assert (new["waybill"], new["state"]) == ("240000000015", "출고")
    assert new["url"].startswith("https://www.lotteglogis.com/")


def test_a_stage_that_says_what_the_state_says_is_told_once(make_sent, staff):
    [shipment] = make_sent(1)

    def badges(stage):
        Parcel.objects.filter(shipment=shipment).update(stage=stage)
        [parcel] = load(shipment.order)["shipments"][0]["parcels"]
        return parcel["state"], parcel["stage"]

    assert [badges(stage) for stage in ("", "IN_TRANSIT", "DELIVERED")] == [
        ("출고", ""), ("출고", "이동중"), ("출고", "배송완료"),
    ]  # fmt: skip
    shipments.deliver_by_hand(line_ids=shipments.lines_of([shipment.pk]), actor=staff, at=NOW, reason="직접 확인")
    assert badges("DELIVERED") == ("배송완료", "")


def test_scans_are_those_of_one_source_and_a_guessed_time_says_so(make_sent, staff):
    [shipment] = make_sent(1)
    parcel = Parcel.objects.get()
    for source, text in (("tracker_delivery", "배송완료"), ("sweettracker", "배달완료")):
        TrackingEvent.objects.create(
            parcel=parcel, source=source, seq=0, stage="DELIVERED", at=NOW, raw_text=text, fingerprint=text,
            is_time_estimated=True,
        )  # fmt: skip
    shipments.deliver_by_hand(line_ids=shipments.lines_of([shipment.pk]), actor=staff, at=NOW, reason="직접 확인")
    for source, text in (("sweettracker", "배달완료"), ("tracker_delivery", "배송완료")):
        TrackingPoll.objects.update(source=source)
        [shown] = load(shipment.order)["shipments"][0]["parcels"]
        assert [event["text"] for event in shown["events"]] == [text]
        assert shown["delivered"].endswith(" (시간 미상)")


def test_the_box_is_on_the_page_of_the_order(make_sent, sign_in):
    [shipment] = make_sent(1)
    html = sign_in(Role.LOGISTICS).get(f"/orders/{shipment.order.number}/").content.decode()
    assert f'data-shipment="{shipment.number}"' in html
    assert shipment.waybill in html


@pytest.mark.parametrize("change", [{"waybill": "x"}, {"step": "READY"}, {"line_count": 7}, {"tracking_failed": True}])
def test_a_summary_that_does_not_fit_is_found(change, make_sent):
    [shipment] = make_sent(1)
    assert find_violations("INV-09") == []
    Shipment.objects.filter(pk=shipment.pk).update(**change)
    assert [one.subject for one in find_violations("INV-09")] == [shipment.number]
