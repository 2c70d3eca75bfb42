"""Couriers that fail, limit or refuse, asked over real sockets: one lane suffers, no parcel does (A2, A9-A13)."""

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from orders.models import OrderEvent
from shipping.couriers import COURIERS
from shipping.models import (
    AccountState,
    CourierRoute,
    Parcel,
    TrackingAccount,
    TrackingBudget,
    TrackingEvent,
    TrackingLane,
    TrackingPoll,
)
from shipping.services.tracking import asking, budgets, lanes, polling, stretching, wanting
from shipping.states import ParcelState, TrackingStage
from shipping.tasks import poll_tracking
from tests.fixtures.orders import NOW
from tests.infra.races import race
from tests.infra.tracker import running_tracker

CJ, HANJIN, LOTTE = "kr.cjlogistics", "kr.hanjin", "kr.lotte"
LATER = NOW + timedelta(days=1)


def no_sleep(seconds):
    """The clock of these tests is virtual."""


@pytest.fixture
def account(tracker, db):
    tracker.control("config", is_demo=False)
    tracker.control("clock", now=LATER.isoformat())
    return TrackingAccount.objects.create(
        code="tracker_delivery", name="배송조회", base_url=tracker.base_url, is_sandbox=True
    )


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
    assert asked(tracker, LOTTE) == limited, "nothing before the time that it named"
    assert asked(tracker, CJ) - before == pytest.approx(10 * seconds, rel=0.1)
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
    copies(3_000, "HANJIN", at=LATER - timedelta(minutes=1))
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
    found = wanting.poll_now(parcel_ids=waiting[:8], actor=None, at=LATER + timedelta(minutes=6))
    assert (len(found.parcel_ids), len(found.refused)) == (5, 3)
    poll(LATER + timedelta(minutes=6))
    assert asked(tracker, HANJIN) == 100
    assert TrackingPoll.objects.filter(pk__in=found.parcel_ids, last_ok_at=None).count() == 0
    poll(LATER + timedelta(days=1))
    assert asked(tracker, HANJIN) > 100


def test_staff_ask_for_a_parcel_at_most_every_ten_minutes(make_sent, tracker, account):
    make_sent(2)
    parcel, other = Parcel.objects.order_by("pk")
    first = wanting.poll_now(parcel_ids=[parcel.pk, 999_999], actor=None, at=NOW + timedelta(minutes=1))
    assert first.parcel_ids == {parcel.pk}
    assert first.refused == {999_999: wanting.NOT_ASKED}
    assert poll(NOW + timedelta(minutes=1)) == 1
    again = wanting.poll_now(parcel_ids=[parcel.pk], actor=None, at=NOW + timedelta(minutes=9))
    assert "이미 조회를 신청했습니다" in again.refused[parcel.pk]
    account.min_interval = 3 * 3600
    account.save()
    later = wanting.poll_now(parcel_ids=[parcel.pk, other.pk], actor=None, at=NOW + timedelta(minutes=30))
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


def test_another_account_takes_over_and_hands_back(make_sent, tracker, account, tmp_path):
    [shipment] = make_sent(1)
    with running_tracker(tmp_path / "second.sqlite3", "--speed", "1", "--no-demo") as second:
        second.control("clock", now=LATER.isoformat())
        other = TrackingAccount.objects.create(code="own", name="자체 서버", base_url=second.base_url, is_sandbox=True)
        CourierRoute.objects.create(courier="CJGLS", rank=0, account=account)
        CourierRoute.objects.create(courier="CJGLS", rank=1, account=other)
        moving = [
            {"at": (NOW + timedelta(hours=5)).isoformat(), "code": "AT_PICKUP", "name": "집화처리", "place": "서울"},
            {"at": (NOW + timedelta(hours=9)).isoformat(), "code": "IN_TRANSIT", "name": "간선상차", "place": "옥천"},
        ]
        tracker.control("parcels", carrier=CJ, number=shipment.waybill, timeline=moving)
        second.control("parcels", carrier=CJ, number=shipment.waybill, timeline=moving[:1])
        poll(LATER)
        assert Parcel.objects.get().stage == TrackingStage.IN_TRANSIT

        tracker.control("config", api_key="client:secret")
        again_at = TrackingPoll.objects.get().next_poll_at
        poll(again_at)
        account.refresh_from_db()
        assert account.state == AccountState.BLOCKED
        TrackingPoll.objects.update(next_poll_at=again_at)
        assert poll(again_at + timedelta(minutes=1)) == 1
        assert second.read("counters")["requests"] == 1
        assert TrackingPoll.objects.get().source == "own"
        assert Parcel.objects.get().stage == TrackingStage.IN_TRANSIT, "another source alone changes no status"
        assert set(TrackingEvent.objects.values_list("source", flat=True)) == {"tracker_delivery", "own"}

        account.set_options({"api_key": "client:secret"})
        account.save()
        assert poll(again_at + timedelta(minutes=7)) == 1
        account.refresh_from_db()
        assert account.state == AccountState.OK
        TrackingPoll.objects.update(next_poll_at=again_at)
        before = second.read("counters")["requests"]
        assert poll(again_at + timedelta(minutes=8)) == 1
        assert TrackingPoll.objects.get().source == "tracker_delivery"
        assert second.read("counters")["requests"] == before


def test_a_lane_that_is_open_for_a_quarter_of_an_hour_is_left_to_the_next_account(account):
    other = TrackingAccount.objects.create(code="own", name="자체 서버", base_url="http://127.0.0.1:9", is_sandbox=True)
    lanes.duties(at=LATER)
    mine = TrackingLane.objects.get(account=account, courier="CJGLS")
    mine.opened_at, mine.opened_until = LATER, LATER + timedelta(minutes=8)

    def asking_now(minutes):
        mine.save()
        duties = [duty for duty in lanes.duties(at=LATER + timedelta(minutes=minutes)) if duty.courier == "CJGLS"]
        owners = {one.pk: one.account.code for one in TrackingLane.objects.select_related("account")}
        return [(owners[duty.lane_id], duty.is_probe) for duty in duties]

    assert asking_now(5) == []
    assert asking_now(9) == [("tracker_delivery", True)]
    mine.opened_until = LATER + timedelta(minutes=30)
    assert asking_now(16) == [("own", False)]
    assert asking_now(31) == [("tracker_delivery", True), ("own", False)]
    mine.opened_at = mine.opened_until = None
    assert asking_now(32) == [("tracker_delivery", False)]
    other.delete()


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
        cursor.execute("EXPLAIN " + polling.CLAIM, values)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "poll_due_of_courier" in plan
    assert "Seq Scan" not in plan
    assert datetime.now(UTC) > polling.AT_ONCE
