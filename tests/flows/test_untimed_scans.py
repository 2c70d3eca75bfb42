"""Scans whose time nobody can read are scans all the same (shipping.md 0.3, 3.3.2, 3.5)."""

from datetime import timedelta

import pytest

from shipping.models import Parcel, TrackingPoll
from shipping.services.exceptions import sweeping
from shipping.services.polling import polls
from shipping.states import ParcelState, TrackingStage
from tests.fixtures.orders import NOW
from tests.flows.scans import HOUR, MOVING, PICKED, cases, scan

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _without_times(tracker):
    tracker.control("faults", kind="times_null")


def sweep(at):
    TrackingPoll.objects.update(last_ok_at=at)
    sweeping.sweep(at=at)


def test_a_box_that_moves_is_picked_up_and_later_stands_still(make_sent, hear):
    [shipment] = make_sent(1)
    hear({shipment.waybill: [PICKED, MOVING]}, hours=8)
    box = Parcel.objects.get()
    assert (box.stage, box.first_scan_at, box.last_event_at) == (
        TrackingStage.IN_TRANSIT, NOW + 8 * HOUR, NOW + 8 * HOUR
    )  # fmt: skip
    # The same list again is no news.
    hear(hours=30)
    assert Parcel.objects.get().last_event_at == NOW + 8 * HOUR
    sweep(NOW + 4 * DAY)
    assert cases() == ["STALLED"]
    sweep(NOW + 9 * DAY)
    assert cases() == ["SUSPECTED_LOST"]


def test_a_box_that_nobody_sent_leaves_with_its_scan(make_numbered, tracker, courier_account, hear):
    [shipment] = make_numbered(1)
    polls.start(parcels=list(Parcel.objects.all()), at=NOW)
    hear({shipment.waybill: [PICKED]}, hours=8)
    assert Parcel.objects.get().state == ParcelState.HANDED_OVER


def test_a_word_that_nobody_knows_is_a_case_after_a_day(make_sent, hear):
    [shipment] = make_sent(1)
    hear({shipment.waybill: [scan("경비실 위탁", hours=4)]}, hours=5)
    sweep(NOW + 28 * HOUR)
    assert cases() == []
    sweep(NOW + 30 * HOUR)
    assert cases() == ["UNKNOWN_STATUS"]
