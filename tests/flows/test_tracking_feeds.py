"""배송 소식: scans that a source tells by itself, other sources beside it, doubts about a delivery, reading again."""

from collections import Counter
from datetime import timedelta

import pytest

from core.invariants import find_violations
from core.lists import lists
from orders.models import OrderLine
from orders.services import progress
from orders.states import LineState
from shipping.adapters.base import RawEvent
from shipping.columns.shipments import shipment_tags
from shipping.models import Parcel, ShippingException, TrackingEvent, TrackingPoll
from shipping.services import shipments
from shipping.services.exceptions import deciding
from shipping.services.tracking.feeding import write_events
from shipping.services.tracking.reproject import reproject
from shipping.states import ExceptionKind, ExceptionOutcome, ParcelState, TrackingStage
from tests.fixtures.orders import NOW, reloaded

K = ExceptionKind
HOUR = timedelta(hours=1)
HEALTHY = ("INV-01", "INV-06", "INV-07", "INV-08", "INV-09")
SOURCE = "tracker_delivery"


def raw(name, *, hours, code="UNKNOWN", text=""):
    return RawEvent(code=code, name=name, text=text, place="강남", at=NOW + timedelta(hours=hours))


PICKED = raw("집화처리", hours=4, code="AT_PICKUP")
HAPPY = [PICKED, raw("간선상차", hours=6, code="IN_TRANSIT"), raw("배송완료", hours=32, code="DELIVERED")]


def cases():
    return list(ShippingException.objects.filter(closed_at=None).order_by("pk").values_list("kind", flat=True))


@pytest.fixture
def delivered(make_sent):
    """A shipment that the courier has delivered."""
    [shipment] = make_sent(1)
    write_events(source=SOURCE, told={Parcel.objects.get().pk: HAPPY}, at=NOW + timedelta(hours=33))
    return shipment


def test_f18_a_return_after_the_delivery_locks_the_confirmation_and_keeps_the_delivery(delivered, staff):
    shipment = delivered
    parcel, line = Parcel.objects.get(), OrderLine.objects.get()
    at = NOW + timedelta(hours=60)
    assert write_events(source=SOURCE, told={parcel.pk: [raw("반송", hours=50)]}, at=at) == {parcel.pk}
    assert (cases(), reloaded(line).state, reloaded(parcel).state) == (
        [K.DELIVERY_DISPUTED], LineState.DELIVERED, ParcelState.DELIVERED,
    )  # fmt: skip
    assert reloaded(shipment).tracking_failed

    def doubted():
        found = lists.page("delivered").query("tab=disputed&period=all", user=None, at=at).rows()
        return [(group.record.waybill, [tag.label for tag in shipment_tags(group)]) for group in found]

    assert doubted() == [(shipment.waybill, ["배송 확인"])]
    late = line.confirm_by + timedelta(days=1)
    refused = progress.confirm_after_days(line_ids=[line.pk], at=late)
    assert (refused.moved, reloaded(line).state) == ([], LineState.DELIVERED)
    [case] = ShippingException.objects.filter(closed_at=None)
    deciding.close(exception_ids=[case.pk], result=ExceptionOutcome.AGREED, actor=staff, at=at, reason="고객이 받음")
    assert doubted() == []
    assert find_violations(*HEALTHY) == []
    assert progress.confirm_after_days(line_ids=[line.pk], at=late).moved_ids == [line.pk]


def test_a_delivery_taken_back_by_staff_ends_its_doubt(delivered, staff):
    shipment = delivered
    parcel, line = Parcel.objects.get(), OrderLine.objects.get()
    at = NOW + timedelta(hours=60)
    write_events(source=SOURCE, told={parcel.pk: [raw("반송", hours=50)]}, at=at)
    ids = shipments.lines_of([shipment.pk])
    assert shipments.undeliver(line_ids=ids, actor=staff, at=at, reason="반송됨").refused == {}
    assert (cases(), reloaded(line).open_locks, reloaded(line).state) == ([], 0, LineState.SHIPPING)
    assert find_violations(*HEALTHY) == []


def test_a_feed_tells_only_what_is_new_and_both_are_read_together(make_sent):
    [shipment] = make_sent(1)
    parcel = Parcel.objects.get()
    TrackingPoll.objects.update(source="cj")
    first = [raw("집화처리", hours=4, code="AT_PICKUP"), raw("간선상차", hours=6, code="IN_TRANSIT")]
    assert write_events(source="cj", told={parcel.pk: first}, at=NOW + timedelta(hours=7)) == {parcel.pk}
    write_events(source="cj", told={parcel.pk: first[1:]}, at=NOW + timedelta(hours=8))
    write_events(
        source="cj", told={parcel.pk: [raw("배송완료", hours=30, code="DELIVERED")]}, at=NOW + timedelta(hours=31)
    )
    assert OrderLine.objects.get().delivered_at == NOW + timedelta(hours=30)
    assert list(TrackingEvent.objects.order_by("seq").values_list("raw_name", flat=True)) == [
        "집화처리", "간선상차", "배송완료",
    ]  # fmt: skip
    assert reloaded(parcel).first_scan_at == NOW + 4 * HOUR
    assert find_violations(*HEALTHY) == []


def test_another_source_than_the_chosen_one_is_kept_apart_and_moves_nothing(make_sent):
    [shipment] = make_sent(1)
    parcel = Parcel.objects.get()
    write_events(source=SOURCE, told={parcel.pk: [PICKED]}, at=NOW + 5 * HOUR)
    told = {parcel.pk: [raw("배송완료", hours=20, code="DELIVERED")]}
    assert write_events(source="sweettracker", told=told, at=NOW + timedelta(hours=21)) == {parcel.pk}
    assert (OrderLine.objects.get().state, reloaded(parcel).stage) == ("SHIPPING", TrackingStage.PICKED_UP)
    assert Counter(TrackingEvent.objects.values_list("source", flat=True)) == {"tracker_delivery": 1, "sweettracker": 1}


def test_stored_events_are_read_again_without_being_doubled(make_sent):
    [shipment] = make_sent(1)
    long = raw("간선상차", hours=6, code="IN_TRANSIT", text="가" * 400)
    parcel = Parcel.objects.get()
    write_events(source=SOURCE, told={parcel.pk: [PICKED, long]}, at=NOW + 7 * HOUR)
    assert reproject(parcel_ids=[parcel.pk], at=NOW + timedelta(hours=8)) == set()
    assert TrackingEvent.objects.count() == 2
    assert reloaded(parcel).stage == TrackingStage.IN_TRANSIT
