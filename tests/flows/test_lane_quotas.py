"""Quotas of accounts, shares of staff and pushes, fail-over and wake-ups of lanes (shipping.md 4.1 to 4.5)."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from shipping.models import (
    Parcel,
    TrackingAccount,
    TrackingBudget,
    TrackingLane,
    TrackingPoll,
)
from shipping.services.polling import budgets, lanes, polls, stretching, wanting
from shipping.services.tracking import asking
from shipping.tasks import poll_tracking
from tests.fixtures.orders import NOW
from tests.flows.lane_rows import CJ, HANJIN, LATER, asked, copies, no_sleep, poll


@pytest.mark.django_db(transaction=True)
def test_eight_workers_never_take_more_places_than_a_second_has(account):
    account.per_second = 20
    account.save()
    places, lock = [], threading.Lock()

    def take(n):
        try:
            for step in range(40):
                at = LATER + timedelta(seconds=step * 0.1)
                found = budgets.take(account, wanted=7, at=at, rate=20)
                moments = [at.timestamp() + found.first + found.apart * k for k in range(found.count)]
                with lock:
                    places.extend(moments)
        finally:
            connection.close()

    threads = [threading.Thread(target=take, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    places.sort()
    assert len(places) >= 80
    for moment in places:
        assert sum(moment <= other < moment + 1 for other in places) <= 21
    assert TrackingBudget.objects.get().used == len(places)


def test_a_day_has_its_quota_and_staff_have_their_share_of_it(make_sent, tracker, account):
    account.per_day = 100
    account.save()
    make_sent(1)
    TrackingPoll.objects.update(is_active=False)
    copies(200, "HANJIN", at=LATER)
    for minute in range(5):
        poll(LATER + timedelta(minutes=minute))
    assert asked(tracker, HANJIN) == 95
    waiting = list(TrackingPoll.objects.filter(courier="HANJIN", last_ok_at=None).values_list("pk", flat=True))
    found = wanting.poll_now(parcel_ids=waiting[:8], at=LATER + timedelta(minutes=6))
    assert (len(found.parcel_ids), len(found.refused)) == (5, 3)
    poll(LATER + timedelta(minutes=6))
    assert asked(tracker, HANJIN) == 100
    assert TrackingPoll.objects.filter(pk__in=found.parcel_ids, last_ok_at=None).count() == 0
    poll(LATER + timedelta(days=1))
    assert asked(tracker, HANJIN) > 100


def test_staff_ask_for_a_parcel_at_most_every_ten_minutes(make_sent, tracker, account):
    make_sent(2)
    parcel, other = Parcel.objects.order_by("pk")
    first = wanting.poll_now(parcel_ids=[parcel.pk, 999_999], at=NOW + timedelta(minutes=1))
    assert first.parcel_ids == {parcel.pk}
    assert first.refused == {999_999: wanting.NOT_ASKED}
    assert poll(NOW + timedelta(minutes=1)) == 1
    again = wanting.poll_now(parcel_ids=[parcel.pk], at=NOW + timedelta(minutes=9))
    assert "이미 조회를 신청했습니다" in again.refused[parcel.pk]
    account.min_interval = 3 * 3600
    account.save()
    later = wanting.poll_now(parcel_ids=[parcel.pk, other.pk], at=NOW + timedelta(minutes=30))
    assert "180분에 한 번만" in later.refused[parcel.pk]
    assert later.parcel_ids == {other.pk}


def test_a_hint_makes_a_known_parcel_due_and_never_too_soon(make_sent, tracker, account):
    [shipment] = make_sent(1)
    at = NOW + timedelta(hours=1)
    facts = {"source": "tracker_delivery", "carrier": CJ, "at": at}
    assert wanting.hint(number=shipment.waybill, **facts)
    assert TrackingPoll.objects.get().next_poll_at == at
    assert not wanting.hint(number="000000000000", **facts)
    assert not wanting.hint(number=shipment.waybill, **(facts | {"carrier": ""}))
    account.min_interval, account.per_second = 3 * 3600, 1
    account.save()
    TrackingPoll.objects.update(last_ok_at=at, next_poll_at=at + timedelta(hours=9))
    assert wanting.hint(number=shipment.waybill, **facts)
    assert TrackingPoll.objects.get().next_poll_at == at + timedelta(hours=3)
    for _ in range(10):
        TrackingPoll.objects.update(next_poll_at=at + timedelta(hours=9))
        wanting.hint(number=shipment.waybill, **facts)
    assert TrackingBudget.objects.get().hint_used <= 5, "30 % of a question a second, ten seconds at one stroke"


def test_places_that_were_not_used_are_not_counted_against_the_day(make_sent, tracker, account):
    account.per_day = 1_000
    account.save()
    make_sent(1)
    TrackingPoll.objects.update(is_active=False)
    copies(200, "HANJIN", at=LATER)
    tracker.control("faults", kind="http_500", carrier=HANJIN)
    poll(LATER)
    assert asked(tracker, HANJIN) <= 30
    assert TrackingBudget.objects.get().used == asked(tracker, HANJIN)


def test_a_slow_source_is_left_after_a_while_and_the_rest_stays_due(make_sent, tracker, account, monkeypatch):
    monkeypatch.setattr(asking, "SLOW", 0.3)
    account.concurrency, account.per_day = 2, 1_000
    account.save()
    make_sent(1)
    TrackingPoll.objects.update(is_active=False)
    copies(30, "HANJIN", at=LATER)
    tracker.control("faults", kind="delay", seconds=0.2, carrier=HANJIN)
    written = poll(LATER)
    assert 2 <= written <= 10
    assert TrackingBudget.objects.get().used == written == asked(tracker, HANJIN)
    waiting = TrackingPoll.objects.filter(courier="HANJIN", last_ok_at=None)
    assert set(waiting.values_list("next_poll_at", "lease_until")) == {(LATER, None)}
    assert waiting.count() == 30 - written


@pytest.mark.parametrize("terms", [{"per_day": 20}, {"per_second": 0.01}])
def test_a_lane_without_a_place_for_long_leaves_its_thread_at_once(terms, make_sent, tracker, account):
    TrackingAccount.objects.update(**terms)
    make_sent(1)
    TrackingPoll.objects.update(is_active=False)
    copies(40, "HANJIN", at=LATER)
    [duty] = [duty for duty in lanes.duties(at=LATER) if duty.courier == "HANJIN"]
    while asking.poll_lane(lane_id=duty.lane_id, at=LATER, seconds=0, sleep=no_sleep).written:
        pass
    naps = []
    found = asking.poll_lane(lane_id=duty.lane_id, at=LATER + timedelta(seconds=1), sleep=naps.append)
    assert (found, naps) == (asking.Done(), [])
    assert polls.count_due(courier="HANJIN", at=LATER, limit=1) == 1


def test_a_short_quota_stretches_the_intervals_of_what_is_asked_next(make_sent, tracker, account):
    make_sent(1)
    account.per_day = 50
    account.save()
    copies(200, "HANJIN", at=LATER + timedelta(days=9))
    stretching.plan(at=LATER)
    factors = TrackingBudget.objects.get().stretch
    assert factors["waiting"] > 1
    assert poll(LATER) == 1
    wait = TrackingPoll.objects.get(courier="CJGLS").next_poll_at - LATER
    assert wait >= timedelta(hours=12 * 0.9 * factors["waiting"])


def test_the_tick_wakes_a_worker_for_each_lane_with_work(make_sent, account, monkeypatch):
    make_sent(1)
    sent = []
    monkeypatch.setattr("shipping.tasks.send", lambda task, kwargs: sent.append((task, kwargs)))
    assert poll_tracking(at=NOW) == 0
    assert poll_tracking(at=LATER) == 1
    [(task, kwargs)] = sent
    assert (task, TrackingLane.objects.get(pk=kwargs["lane_id"]).courier) == ("shipping.tasks.poll_lane", "CJGLS")


def test_a_dead_worker_holds_its_lane_up_for_minutes_only(make_sent, tracker, account):
    make_sent(1)
    [mine] = [duty for duty in lanes.duties(at=LATER) if duty.courier == "CJGLS"]
    assert lanes.enter(mine.lane_id, at=LATER) is not None
    assert poll(LATER + timedelta(minutes=1)) == 0
    assert poll(LATER + timedelta(minutes=6)) == 1


def test_the_claim_goes_by_the_index_of_the_courier(make_sent, account):
    make_sent(1)
    copies(3_000, "HANJIN", at=LATER)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE shipping_trackingpoll")
        values = {"courier": "CJGLS", "source": "x", "due": LATER, "until": LATER, "limit": 200}
        cursor.execute("EXPLAIN " + polls.CLAIM, values)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "poll_due_of_courier" in plan
    assert "Seq Scan" not in plan
    assert datetime.now(UTC) > polls.AT_ONCE
