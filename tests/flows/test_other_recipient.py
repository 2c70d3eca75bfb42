"""An answer about somebody else's parcel: a number that was mistyped or given twice (shipping.md 0.6, 9)."""

from datetime import timedelta

import pytest

from orders.models import OrderEvent, OrderLine
from shipping.models import Parcel, ShippingException, TrackingAccount, TrackingEvent, TrackingPoll
from shipping.services.exceptions import deciding
from shipping.services.polling.sources import KIND_OF
from shipping.services.tracking import asking
from shipping.states import ExceptionKind, ExceptionOutcome, ParcelState, TrackingAlert
from tests.fixtures.orders import NOW, reloaded
from tests.flows.scans import cases
from tests.flows.test_tracking_kinds import CASES, DONE, TAKEN

LATER = NOW + timedelta(days=1)


@pytest.fixture
def box(make_sent, tracker, request):
    """A box of an order to 홍길동, whose courier says that it was delivered."""
    kind = request.param
    path, options, courier, carrier, number, taken, done = CASES[kind]
    account = TrackingAccount(code=kind, kind=kind, name=kind, base_url=f"{tracker.base_url}{path}", is_sandbox=True)
    account.set_options(options)
    account.save()
    KIND_OF.forget()
    tracker.control("config", is_demo=False)
    tracker.control("clock", now=LATER.isoformat())
    timeline = [TAKEN | taken, DONE | done]
    tracker.control("parcels", carrier=carrier, number=number, timeline=timeline)
    make_sent(1, recipient_name="홍길동")
    Parcel.objects.update(courier=courier, waybill=number)
    TrackingPoll.objects.update(courier=courier, waybill=number)
    return Parcel.objects.get()


def hear(*, hours=24):
    at = NOW + timedelta(hours=hours)
    TrackingPoll.objects.filter(is_active=True).update(next_poll_at=at)
    asking.poll_due(at=at)
    return Parcel.objects.get()


@pytest.mark.parametrize("box", ["sweettracker", "epost_open"], indirect=True)
def test_the_parcel_of_another_person_moves_nothing_and_is_a_case(box, tracker, staff):
    tracker.control("faults", kind="other_recipient", operation="*")
    events = OrderEvent.objects.count()
    hear()
    found = hear(hours=48)
    assert (found.state, found.stage, found.alert) == (ParcelState.HANDED_OVER, "NO_INFO", TrackingAlert.NUMBER_REUSED)
    assert (OrderLine.objects.get().state, OrderEvent.objects.count()) == ("SHIPPING", events)
    assert (cases(), TrackingEvent.objects.count(), TrackingPoll.objects.get().is_active) == (
        ["NUMBER_REUSED"],
        0,
        True,
    )
    told = ShippingException.objects.get()
    assert told.detail.startswith("택배사가 알려 준 받는 분이 다릅니다.")
    assert "람" not in told.detail
    # A person who has looked at the label says that the number is right.
    deciding.close(
        exception_ids=[told.pk], result=ExceptionOutcome.NOTHING, reason="고객이 다른 이름으로 받음",
        actor=staff, at=NOW + timedelta(hours=49),
    )  # fmt: skip
    hear(hours=50)
    assert (Parcel.objects.get().state, OrderLine.objects.get().state) == (ParcelState.DELIVERED, "DELIVERED")
    assert (cases(), reloaded(found.shipment).tracking_failed) == ([], False)


@pytest.mark.parametrize("box", ["sweettracker"], indirect=True)
def test_once_our_own_recipient_is_told_the_case_closes_itself(box, tracker):
    tracker.control("faults", kind="other_recipient", operation="*")
    hear()
    tracker.control("faults", method="DELETE")
    assert hear(hours=48).state == ParcelState.DELIVERED
    assert (cases(), ShippingException.objects.get().kind) == ([], ExceptionKind.NUMBER_REUSED)
