"""Every fault of a source against real orders: nothing moves while it lasts, everything once when it is over."""

from collections import Counter
from datetime import timedelta
from functools import partial

import pytest

from core import relay
from core.http import Client
from core.invariants import find_violations
from core.models import Message
from orders.models import OrderEvent, OrderLine
from orders.states import LineState
from shipping.models import Parcel, ShippingException, TrackingEvent, TrackingLane, TrackingPoll
from shipping.services.exceptions import sweeping
from shipping.services.polling import sources
from shipping.states import ParcelState
from tests.fixtures.orders import NOW
from tests.flows.lane_rows import CJ, LATER, lane, poll

PARCELS = 3
CODES = (
    ("AT_PICKUP", "집화처리"),
    ("IN_TRANSIT", "간선상차"),
    ("OUT_FOR_DELIVERY", "배송출발"),
    ("DELIVERED", "배송완료"),
)


@pytest.fixture
def account(account, monkeypatch):
    """An account whose source has a second to answer, so that its silence need not be waited for in full."""
    monkeypatch.setattr(sources, "Client", partial(Client, timeout=(1, 1)))
    return account


def tell(tracker, sent, *, hours=4):
    """Each parcel is picked up so many hours after it left, and delivered three hours later."""
    story = [
        {"at": (NOW + timedelta(hours=hours + n)).isoformat(), "code": code, "name": name, "place": "서울"}
        for n, (code, name) in enumerate(CODES)
    ]
    rows = [{"carrier": CJ, "number": one.waybill, "timeline": story} for one in sent]
    tracker.control("parcels", parcels=rows)


def told(at):
    """Messages about deliveries, after everything that waits was handed over."""
    relay.run_once(at=at)
    return Message.objects.filter(template="order_delivered").count()


def lines():
    return Counter(OrderLine.objects.values_list("state", flat=True))


# What a parcel keeps of it: failures counted, and minutes until it is asked about again (a tenth less or more).
SILENCES = [
    ("hang", {"seconds": 3}, 1, 5),
    ("refused", {}, 1, 5),
    ("http_500", {}, 1, 5),
    ("http_500", {"status": 503}, 1, 5),
    ("html_200", {}, 1, 5),
    ("bad_utf8", {}, 1, 5),
    ("huge", {}, 1, 5),
    ("http_429", {}, 0, 1),
    ("http_429", {"retry_after": 240}, 0, 4),
    ("http_429", {"retry_after": 240, "is_http_date": True}, 0, 4),
    ("forbidden_rate", {}, 0, 1),
]


@pytest.mark.parametrize(("kind", "facts", "fails", "minutes"), SILENCES)
def test_a_fault_moves_nothing_and_everything_is_told_once_afterwards(
    kind, facts, fails, minutes, make_sent, tracker, account
):
    sent = make_sent(PARCELS)
    tell(tracker, sent)
    fault = tracker.control("faults", kind=kind, **facts)
    events = OrderEvent.objects.count()
    assert 1 <= poll(LATER) <= PARCELS, "a limit that one has met spares the others"
    assert {one["hits"] for one in tracker.read("faults")} != {0}, fault
    assert (OrderEvent.objects.count(), TrackingEvent.objects.count(), told(LATER)) == (events, 0, 0)
    assert lines() == {LineState.SHIPPING: PARCELS}
    assert set(Parcel.objects.values_list("state", "stage", "alert")) == {(ParcelState.HANDED_OVER, "", "")}
    polls = TrackingPoll.objects.all()
    assert {one.fail_count for one in polls} == {fails}
    for one in polls:
        assert one.is_active
        assert timedelta(minutes=minutes * 0.89) < one.next_poll_at - LATER < timedelta(minutes=minutes * 1.11)
    assert TrackingLane.objects.get(courier="CJGLS").last_error != ""

    tracker.control("faults", method="DELETE")
    for minutes_later in (6, 7, 30):
        poll(LATER + timedelta(minutes=minutes_later))
    assert lines() == {LineState.DELIVERED: PARCELS}
    assert set(Parcel.objects.values_list("delivered_at", flat=True)) == {NOW + timedelta(hours=7)}
    assert OrderEvent.objects.filter(kind="line.delivered").count() == PARCELS
    assert told(LATER + timedelta(hours=1)) == told(LATER + timedelta(hours=2)) == PARCELS
    assert find_violations("INV-01", "INV-07", "INV-08", "INV-09") == []


def test_an_answer_in_the_old_korean_charset_is_read_like_any_other(make_sent, tracker, account):
    [shipment] = make_sent(1)
    tell(tracker, [shipment])
    tracker.control("faults", kind="euc_kr")
    assert poll(LATER) == 1
    assert tracker.read("faults")[0]["hits"] == 1
    assert list(TrackingEvent.objects.order_by("seq").values_list("raw_text", flat=True)) == [name for _, name in CODES]
    assert lines() == {LineState.DELIVERED: 1}


def test_a_source_that_is_down_for_six_hours_tells_each_buyer_once(make_sent, tracker, account):
    """Half of the parcels were seen on their way before; all of them arrive while nobody answers."""
    account.per_second = 10
    account.save()
    sent = make_sent(20)
    tell(tracker, sent, hours=26)
    before = NOW + timedelta(hours=27, minutes=30)
    tracker.control("clock", now=before.isoformat())
    half = [one.pk for one in sent[:10]]
    TrackingPoll.objects.exclude(parcel__shipment__in=half).update(next_poll_at=before + timedelta(minutes=5))
    for second in range(5):
        poll(before + timedelta(seconds=second))
    assert Parcel.objects.filter(stage="IN_TRANSIT").count() == 10

    tracker.control("faults", kind="refused")
    events, at = OrderEvent.objects.count(), before
    TrackingPoll.objects.update(next_poll_at=at)
    while at < before + timedelta(hours=6):
        tracker.control("clock", now=at.isoformat())
        poll(at)
        at += timedelta(minutes=5)
    sweeping.sweep(at=at)
    assert OrderEvent.objects.count() == events
    assert (told(at), ShippingException.objects.count()) == (0, 0)
    assert Counter(Parcel.objects.values_list("stage", flat=True)) == {"IN_TRANSIT": 10, "": 10}
    assert lane("CJGLS").failing_since is not None

    tracker.control("faults", method="DELETE")
    ends = at + timedelta(hours=14)
    while OrderLine.objects.exclude(state=LineState.DELIVERED).exists() and at < ends:
        at += timedelta(minutes=2)
        poll(at)
    assert lines() == {LineState.DELIVERED: 20}
    assert set(Parcel.objects.values_list("delivered_at", "regressions")) == {(NOW + timedelta(hours=29), 0)}
    assert OrderEvent.objects.filter(kind="line.delivered").count() == 20
    assert told(at + timedelta(hours=1)) == 20
    assert lane("CJGLS").failing_since is None
    assert find_violations("INV-01", "INV-07", "INV-08", "INV-09") == []
