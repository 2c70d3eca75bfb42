"""Due rows in plenty, and what a lane has asked about them, for the tests of lanes and of their quotas."""

from datetime import timedelta

from shipping.models import (
    Parcel,
    TrackingLane,
    TrackingPoll,
)
from shipping.services.tracking import asking
from shipping.states import ParcelState
from tests.fixtures.orders import NOW

CJ, HANJIN, LOTTE = "kr.cjlogistics", "kr.hanjin", "kr.lotte"
LATER = NOW + timedelta(days=1)


def no_sleep(seconds):
    """The clock of these tests is virtual."""


def due(courier, shipments, *, at=LATER):
    """These parcels travel with a courier and are due."""
    polls = TrackingPoll.objects.filter(parcel__shipment__in=[one.pk for one in shipments])
    polls.update(courier=courier, next_poll_at=at - timedelta(minutes=1))


def asked(tracker, carrier):
    return tracker.read("counters").get(f"carrier:{carrier}", 0)


def poll(at):
    return asking.poll_due(at=at, sleep=no_sleep)


def lane(courier):
    return TrackingLane.objects.get(courier=courier)


def copies(count, courier, *, at):
    """Poll rows of a courier in plenty: parcels like the first one, without orders of their own."""
    template = Parcel.objects.order_by("pk").first()
    parcels = Parcel.objects.bulk_create(
        Parcel(shipment=template.shipment, courier=courier, waybill=f"9{n:011d}", state=ParcelState.NUMBERED,
               numbered_at=NOW, seq=1) for n in range(count)
    )  # fmt: skip
    TrackingPoll.objects.bulk_create(
        TrackingPoll(parcel=one, source="tracker_delivery", courier=courier, waybill=one.waybill, next_poll_at=at)
        for one in parcels
    )
