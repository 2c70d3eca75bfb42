"""Couriers that fail, limit or refuse, asked over real sockets: one lane suffers, no parcel does (A2, A9-A13)."""

from collections import Counter
from datetime import timedelta

import pytest

from core import relay
from core.models import Message
from orders.models import OrderEvent
from shipping.couriers import COURIERS
from shipping.models import (
    Parcel,
    TrackingEvent,
    TrackingPoll,
)
from shipping.services.polling import lanes
from shipping.services.tracking import asking
from shipping.states import ParcelState, TrackingStage
from tests.fixtures.orders import NOW
from tests.flows.lane_rows import CJ, HANJIN, LATER, LOTTE, asked, copies, lane, poll
from tests.infra.races import race


def test_a2_an_unknown_number_is_no_failure_and_its_first_scan_counts(make_sent, tracker, account):
    [shipment] = make_sent(1)
    asked_at = [TrackingPoll.objects.get().next_poll_at]
    while asked_at[-1] < NOW + timedelta(hours=30):
        tracker.control("clock", now=asked_at[-1].isoformat())
        assert poll(asked_at[-1]) == 1
        asked_at.append(TrackingPoll.objects.get().next_poll_at)
    one = TrackingPoll.objects.get()
    assert (one.fail_count, one.last_error, lane("CJGLS").failed_in_a_row) == (0, "", 0)
    assert Parcel.objects.get().state == ParcelState.HANDED_OVER
    scan = {"at": (NOW + timedelta(hours=30)).isoformat(), "code": "AT_PICKUP", "name": "집화처리", "place": "서울"}
    tracker.control("parcels", carrier=CJ, number=shipment.waybill, timeline=[scan])
    tracker.control("clock", now=asked_at[-1].isoformat())
    poll(asked_at[-1])
    assert Parcel.objects.get().first_scan_at == NOW + timedelta(hours=30)
    assert len(asked_at) <= 7


def test_a9_a_rate_limit_rests_its_lane_alone_and_the_rate_comes_back_slowly(make_sent, tracker, account):
    account.per_second = 10
    account.save()
    make_sent(1)
    TrackingPoll.objects.update(is_active=False)
    copies(60, "HYUNDAI", at=LATER)
    cj = Parcel.objects.count()
    copies_of_cj = [f"8{n:011d}" for n in range(60)]
    template = Parcel.objects.order_by("pk").first()
    parcels = Parcel.objects.bulk_create(
        Parcel(shipment=template.shipment, courier="CJGLS", waybill=number, state=ParcelState.NUMBERED, numbered_at=NOW)
        for number in copies_of_cj
    )
    TrackingPoll.objects.bulk_create(
        TrackingPoll(parcel=one, source="x", courier="CJGLS", waybill=one.waybill, next_poll_at=LATER)
        for one in parcels
    )
    assert cj == 61
    tracker.control("faults", kind="http_429", retry_after=120, carrier=LOTTE)
    poll(LATER)
    limited = asked(tracker, LOTTE)
    assert 1 <= limited <= 16
    lotte = lane("HYUNDAI")
    assert (lotte.factor, lotte.wait_until) == (0.5, LATER + timedelta(seconds=120))
    before, seconds = asked(tracker, CJ), 5
    for second in range(1, 1 + seconds):
        poll(LATER + timedelta(seconds=second))
    assert asked(tracker, CJ) - before == pytest.approx(10 * seconds, rel=0.1)
    for second in (30, 60, 90, 119):
        poll(LATER + timedelta(seconds=second))
    assert asked(tracker, LOTTE) == limited, "nothing before the time that it named"
    assert set(TrackingPoll.objects.values_list("fail_count", flat=True)) == {0}

    tracker.control("faults", method="DELETE")
    healthy = lane("HYUNDAI")
    rates = []
    for minutes in range(9):
        at = lotte.wait_until + timedelta(minutes=minutes, seconds=5)
        TrackingPoll.objects.filter(courier="HYUNDAI", waybill__endswith=f"{minutes}").update(next_poll_at=at)
        poll(at)
        healthy.refresh_from_db()
        rates.append(healthy.factor)
    assert rates[0] == 0.5
    assert rates == sorted(rates)
    assert all(after - before <= 0.1001 for before, after in zip(rates, rates[1:], strict=False))
    assert rates[-1] == 1.0


def test_a10_an_outage_costs_few_questions_and_ends_without_a_stampede(make_sent, tracker, account):
    account.per_second = 10
    account.save()
    make_sent(1)
    TrackingPoll.objects.update(is_active=False)
    copies(20_000, "HANJIN", at=LATER - timedelta(minutes=1))
    tracker.control("faults", kind="http_500", carrier=HANJIN)
    events, at = OrderEvent.objects.count(), LATER
    opened_after = None
    while at < LATER + timedelta(minutes=30):
        poll(at)
        if opened_after is None and lane("HANJIN").opened_until is not None:
            opened_after = asked(tracker, HANJIN)
        at += timedelta(seconds=1 if opened_after is None else 10)
    assert opened_after is not None
    assert opened_after <= 30
    assert asked(tracker, HANJIN) <= 60
    assert lane("HANJIN").failing_since is not None

    tracker.control("faults", method="DELETE")
    while lane("HANJIN").opened_until is not None:
        at += timedelta(seconds=10)
        poll(at)
    before = asked(tracker, HANJIN)
    for second in range(1, 61):
        poll(at + timedelta(seconds=second))
    assert 20 <= asked(tracker, HANJIN) - before <= 0.2 * 10 * 60
    at += timedelta(minutes=6)
    before = asked(tracker, HANJIN)
    TrackingPoll.objects.filter(courier="HANJIN").update(next_poll_at=at)
    for second in range(1, 6):
        poll(at + timedelta(seconds=second))
    assert asked(tracker, HANJIN) - before == pytest.approx(50, rel=0.1)
    assert OrderEvent.objects.count() == events


def test_a_courier_down_for_six_hours_is_caught_up_without_a_stampede(make_sent, tracker, account):
    account.per_second = 20
    account.save()
    make_sent(1)
    TrackingPoll.objects.update(is_active=False)
    copies(150, "HANJIN", at=LATER)
    tracker.control("faults", kind="refused", carrier=HANJIN)
    at = LATER
    while at < LATER + timedelta(hours=6):
        poll(at)
        at += timedelta(minutes=5)
    tried = tracker.read("counters")["requests"]
    assert tried <= 2 * (20 + 30), "twenty, and a probe each quarter of an hour; a lost connection is tried twice"
    tracker.control("faults", method="DELETE")
    # Its rows were put off behind the breaker: the next probe closes it, and then the first minute is counted.
    while lane("HANJIN").opened_until is not None:
        at += timedelta(minutes=1)
        poll(at)
    before = tracker.read("counters")["requests"]
    for second in range(1, 61):
        poll(at + timedelta(seconds=second))
    first_minute = tracker.read("counters")["requests"] - before
    assert first_minute <= 0.2 * 20 * 60
    # Those few that the probes asked for in vain wait as long as any failed question.
    waiting = TrackingPoll.objects.filter(courier="HANJIN", last_ok_at=None, fail_count=0)
    ends = at + timedelta(minutes=40)
    while waiting.exists() and at < ends:
        at += timedelta(seconds=20)
        poll(at)
    assert not waiting.exists(), "all are caught up soon"


KINDS = ("truncated", "html_200", "shape_list", "events_null")


def test_a11_bodies_that_nobody_can_read_are_kept_masked_and_hurt_nobody_else(make_sent, tracker, account):
    sent = make_sent(8)
    told = [{"at": (NOW + timedelta(hours=5)).isoformat(), "code": "AT_PICKUP", "name": "집화처리", "place": "서울"}]
    for shipment in sent:
        tracker.control("parcels", carrier=CJ, number=shipment.waybill, timeline=told)
    for kind, shipment in zip(KINDS, sent, strict=False):
        tracker.control("faults", kind=kind, number=shipment.waybill)
    assert poll(LATER) == 8
    fails = Counter(TrackingPoll.objects.values_list("fail_count", flat=True))
    assert fails == {1: len(KINDS), 0: 8 - len(KINDS)}
    assert Parcel.objects.filter(stage=TrackingStage.PICKED_UP).count() == 8 - len(KINDS)
    for one in TrackingPoll.objects.filter(fail_count=1):
        assert timedelta(minutes=4) < one.next_poll_at - LATER < timedelta(minutes=6)
    found = lane("CJGLS")
    assert found.sample_body
    assert len(found.sample_body) <= 4200
    first = found.sample_at
    TrackingPoll.objects.update(next_poll_at=LATER)
    poll(LATER + timedelta(minutes=30))
    assert lane("CJGLS").sample_at == first, "one an hour"


def test_a12_a_carrier_that_the_source_does_not_know_stops_its_lane_once(make_sent, tracker, account, caplog):
    make_sent(1)
    TrackingPoll.objects.update(is_active=False)
    copies(50, "HANJIN", at=LATER)
    tracker.control("faults", kind="carrier_not_found", carrier=HANJIN)
    with caplog.at_level("ERROR", logger="oms.tracking"):
        for minute in range(30):
            poll(LATER + timedelta(minutes=minute))
    told = asked(tracker, HANJIN)
    assert told <= 20
    assert [record.getMessage() for record in caplog.records] == ["a courier code was refused"]
    assert COURIERS["HANJIN"].refused == {"tracker_delivery"}
    mine = TrackingPoll.objects.filter(courier="HANJIN")
    assert set(mine.values_list("is_active", "fail_count")) == {(True, 0)}
    assert not Parcel.objects.exclude(alert="").exists()
    tracker.control("faults", method="DELETE")
    lanes.reset(account, at=LATER)
    assert poll(LATER + timedelta(hours=1)) > 0


@pytest.mark.django_db(transaction=True)
def test_a13_two_workers_with_the_same_message_ask_once(make_sent, tracker, account):
    sent = make_sent(12)
    told = [
        {"at": (NOW + timedelta(hours=4 + n)).isoformat(), "code": code, "name": name, "place": "서울"}
        for n, (code, name) in enumerate([("AT_PICKUP", "집화처리"), ("DELIVERED", "배송완료")])
    ]
    for shipment in sent:
        tracker.control("parcels", carrier=CJ, number=shipment.waybill, timeline=told)
    [mine] = [duty for duty in lanes.duties(at=LATER) if duty.courier == "CJGLS"]
    written = race([lambda: asking.poll_lane(lane_id=mine.lane_id, at=LATER).written for _ in range(4)])
    assert sum(written) == 12
    assert asked(tracker, CJ) == 12
    assert TrackingEvent.objects.count() == 24
    assert OrderEvent.objects.filter(kind="line.delivered").count() == 12
    assert asking.poll_lane(lane_id=mine.lane_id, at=LATER).written == 0
    relay.run_once(at=LATER)
    assert Message.objects.filter(template="order_delivered").count() == 12
