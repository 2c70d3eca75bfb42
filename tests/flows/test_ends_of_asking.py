"""When couriers are asked more seldom, or no more, and what lies uncollected (shipping.md 3.4, 3.5, 4.2, 4.3)."""

import re
from datetime import datetime, timedelta

import pytest

from core.calendar import KST
from orders.models import OrderLine
from shipping.models import Parcel, TrackingPoll
from shipping.services.exceptions import sweeping
from shipping.services.polling import polls
from shipping.states import ParcelState, TrackingStage
from tests.fixtures.orders import NOW
from tests.flows.scans import DONE, MOVING, PICKED, cases, scan

STORE = scan("점포도착", hours=20, code="AVAILABLE_FOR_PICKUP")


def test_what_lies_uncollected_for_three_days_is_a_case_until_it_is_fetched(make_sent, hear):
    [shipment] = make_sent(1)
    hear({shipment.waybill: [PICKED, STORE]}, hours=21)
    for hours, found in ((91, []), (93, ["UNCOLLECTED"])):
        at = NOW + timedelta(hours=hours)
        TrackingPoll.objects.update(last_ok_at=at)
        sweeping.sweep(at=at)
        assert cases() == found
    fetched = scan("배송완료", hours=94, code="DELIVERED")
    hear({shipment.waybill: [PICKED, STORE, fetched]}, hours=95)
    assert (cases(), OrderLine.objects.get().state) == ([], "DELIVERED")


def test_a_booking_that_the_courier_canceled_is_asked_about_no_more(make_sent, hear):
    [shipment] = make_sent(1)
    hear({shipment.waybill: [scan("접수취소", hours=4)]}, hours=5)
    assert (Parcel.objects.get().stage, cases()) == (TrackingStage.CANCELLED, ["CARRIER_CANCELLED"])
    assert not TrackingPoll.objects.get().is_active
    assert OrderLine.objects.get().state == "SHIPPING"


def test_a_delivery_after_the_return_stays_a_return(make_sent, hear):
    [shipment] = make_sent(1)
    back = scan("반송완료", hours=30)
    hear({shipment.waybill: [PICKED, MOVING, back]}, hours=31)
    TrackingPoll.objects.update(is_active=True)
    hear({shipment.waybill: [PICKED, MOVING, back, DONE]}, hours=33)
    assert (Parcel.objects.get().state, OrderLine.objects.get().state) == (ParcelState.RETURNED, "SHIPPING")
    assert "AFTER_RETURN" in cases()


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-11-26", 12), ("2026-11-28", 12), ("2026-11-29", 24), ("2026-12-25", 24)]
)
def test_on_sundays_and_holidays_a_box_is_asked_about_half_as_often(day, hours, make_sent, courier_account):
    make_sent(1)
    poll = TrackingPoll.objects.get()
    at = datetime.fromisoformat(f"{day} 08:30").replace(tzinfo=KST)
    terms = polls.terms_of({poll.source})
    polls.plan_next(poll, stage="NO_INFO", at=at, terms=terms, shipped_at=at - timedelta(days=3))
    # At 22:00 the night begins: what would come then waits for the morning.
    wait = (poll.next_poll_at - at).total_seconds() / 3600
    assert 0.9 * hours <= wait <= 1.1 * hours + 3


def test_a_new_account_of_cj_asks_about_one_box_every_three_hours_at_most(owner):
    page = owner.get("/settings/tracking/new/?kind=cj").content.decode()
    field = re.search(r'<input[^>]*name="min_minutes"[^>]*>', page)
    assert 'value="180"' in field[0]
