"""Accounts that stand in for each other: who asks, whose quota it is, and how one comes back (shipping.md 4.3)."""

from datetime import timedelta

import pytest

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
from shipping.services.polling import lanes, stretching, wanting
from shipping.states import TrackingStage
from tests.fixtures.orders import NOW
from tests.flows.lane_rows import CJ, HANJIN, LATER, asked, copies, poll
from tests.infra.tracker import RunningTracker


def test_another_account_takes_over_and_hands_back(make_sent, tracker, account, tmp_path):
    [shipment] = make_sent(1)
    with RunningTracker.running(tmp_path / "second.sqlite3", "--speed", "1", "--no-demo") as second:
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
        assert Parcel.objects.get().regressions == 0, "nobody told less than before: the other source knows less"
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


@pytest.fixture
def second(tmp_path, account):
    """Another server with an account of its own, behind the first one in the route of 한진."""
    with RunningTracker.running(tmp_path / "second.sqlite3", "--speed", "1", "--no-demo") as tracker:
        tracker.control("clock", now=LATER.isoformat())
        other = TrackingAccount.objects.create(code="own", name="자체 서버", base_url=tracker.base_url, is_sandbox=True)
        for rank, one in enumerate((account, other)):
            CourierRoute.objects.create(courier="HANJIN", rank=rank, account=one)
        yield tracker


def test_probes_of_the_first_account_put_nothing_off_that_the_second_asks_about(make_sent, tracker, account, second):
    make_sent(1)
    TrackingPoll.objects.update(is_active=False)
    copies(40, "HANJIN", at=LATER)
    tracker.control("faults", kind="refused", carrier=HANJIN)
    at, waiting = LATER, TrackingPoll.objects.filter(courier="HANJIN", last_ok_at=None, fail_count=0)
    while at < LATER + timedelta(minutes=15):
        poll(at)
        at += timedelta(seconds=20)
    assert second.read("counters")["requests"] == 0
    # What was put off comes due when the second account begins, or within the eight minutes of the last probe.
    ends = at + timedelta(minutes=9)
    while waiting.exists() and at < ends:
        poll(at)
        at += timedelta(seconds=20)
    assert not waiting.exists()
    assert set(TrackingPoll.objects.filter(fail_count=0, courier="HANJIN").values_list("source", flat=True)) == {"own"}
    later = at
    mine = TrackingPoll.objects.filter(courier="HANJIN", source="own")
    while at < later + timedelta(hours=1):
        mine.update(next_poll_at=at)
        poll(at)
        assert not mine.filter(last_ok_at__lt=at).exists()
        at += timedelta(minutes=5)


def test_the_quota_of_the_account_that_asks_now_is_planned_and_spent(make_sent, tracker, account, second):
    make_sent(1)
    TrackingPoll.objects.update(is_active=False)
    copies(30, "HANJIN", at=LATER)
    other = TrackingAccount.objects.get(code="own")
    lanes.duties(at=LATER)
    away = {"opened_at": LATER - timedelta(minutes=16), "opened_until": LATER + timedelta(minutes=10)}
    TrackingLane.objects.filter(account=account, courier="HANJIN").update(**away)
    stretching.plan(at=LATER)
    counts = dict(TrackingBudget.objects.values_list("account__code", "counts"))
    assert (counts["tracker_delivery"], sum(counts["own"]["HANJIN"].values())) == ({}, 30)
    found = wanting.poll_now(parcel_ids=list(polls_of("HANJIN")[:3]), at=LATER)
    assert len(found.parcel_ids) == 3
    assert TrackingBudget.objects.get(account=other).staff_used == 3
    assert TrackingBudget.objects.get(account=account).staff_used == 0


def polls_of(courier):
    return TrackingPoll.objects.filter(courier=courier).order_by("pk").values_list("pk", flat=True)


def test_a_source_that_wants_to_be_left_alone_for_hours_is_replaced_one_of_minutes_is_waited_for(
    make_sent, tracker, account, second
):
    make_sent(1)
    TrackingPoll.objects.update(is_active=False)
    copies(20, "HANJIN", at=LATER)
    fault = tracker.control("faults", kind="http_429", retry_after=600, carrier=HANJIN)
    poll(LATER)
    poll(LATER + timedelta(minutes=5))
    assert second.read("counters")["requests"] == 0
    tracker.control(f"faults?id={fault['id']}", method="DELETE")
    tracker.control("faults", kind="http_429", retry_after=7_200, carrier=HANJIN)
    poll(LATER + timedelta(minutes=11))
    tried = asked(tracker, HANJIN)
    poll(LATER + timedelta(minutes=12))
    assert second.read("counters")["requests"] > 0
    assert asked(tracker, HANJIN) == tried


def test_parcels_that_met_a_long_limit_themselves_wait_a_quarter_of_an_hour_for_the_other_account(
    make_sent, tracker, account, second
):
    make_sent(1)
    TrackingPoll.objects.update(is_active=False)
    copies(20, "HANJIN", at=LATER)
    tracker.control("faults", kind="http_429", retry_after=86_400, carrier=HANJIN)
    poll(LATER)
    assert TrackingPoll.objects.filter(courier="HANJIN", next_poll_at__lte=LATER).count() == 0, "all were in one batch"
    tried = asked(tracker, HANJIN)
    poll(LATER + timedelta(minutes=14))
    assert asked(second, HANJIN) == 0
    poll(LATER + timedelta(minutes=15))
    assert (asked(second, HANJIN), asked(tracker, HANJIN)) == (20, tried)
    assert set(TrackingPoll.objects.filter(courier="HANJIN").values_list("source", "fail_count")) == {("own", 0)}


def test_an_account_shares_its_second_only_among_couriers_that_it_asks(make_sent, tracker, account, second):
    """한진 is asked by another account: what is due there leaves this one's places alone."""
    CourierRoute.objects.filter(courier="HANJIN", rank=0).delete()
    account.per_second = 10
    account.save()
    make_sent(1)
    TrackingPoll.objects.update(is_active=False)
    copies(40, "HANJIN", at=LATER)
    [template] = Parcel.objects.filter(courier="CJGLS")
    mine = Parcel.objects.bulk_create(
        Parcel(shipment=template.shipment, courier="CJGLS", waybill=f"8{n:011d}", state="NUMBERED", numbered_at=NOW)
        for n in range(20)
    )
    TrackingPoll.objects.bulk_create(
        TrackingPoll(parcel=one, source="x", courier="CJGLS", waybill=one.waybill, next_poll_at=LATER) for one in mine
    )
    lanes.duties(at=LATER)
    assert lanes.sharing(account, at=LATER) == 1
    poll(LATER)
    assert asked(tracker, CJ) == 10


def test_what_came_due_while_a_key_was_refused_is_asked_about_slowly_at_first(make_sent, tracker, account):
    account.per_second = 20
    account.save()
    make_sent(1)
    TrackingPoll.objects.update(is_active=False)
    copies(300, "HANJIN", at=LATER)
    tracker.control("config", api_key="client:secret")
    at = LATER
    while at < LATER + timedelta(hours=1):
        poll(at)
        at += timedelta(minutes=1)
    account.refresh_from_db()
    assert account.state == AccountState.BLOCKED
    tracker.control("config", api_key=None)
    while TrackingAccount.objects.get(pk=account.pk).state == AccountState.BLOCKED:
        at += timedelta(minutes=1)
        poll(at)
    before = tracker.read("counters")["requests"]
    TrackingPoll.objects.filter(courier="HANJIN", last_ok_at=None).update(next_poll_at=at)
    for second in range(1, 31):
        poll(at + timedelta(seconds=second))
    assert 20 <= tracker.read("counters")["requests"] - before <= 0.25 * 20 * 30


def test_a_probe_that_meets_a_rate_limit_comes_back_when_the_source_said(make_sent, tracker, account):
    make_sent(1)
    TrackingPoll.objects.update(is_active=False)
    copies(60, "HANJIN", at=LATER)
    fault = tracker.control("faults", kind="http_500", carrier=HANJIN)
    poll(LATER)
    mine = TrackingLane.objects.get(courier="HANJIN")
    assert mine.opened_until is not None
    tracker.control(f"faults?id={fault['id']}", method="DELETE")
    tracker.control("faults", kind="http_429", retry_after=600, carrier=HANJIN)
    at = mine.opened_until + timedelta(seconds=1)
    poll(at)
    told = asked(tracker, HANJIN)
    for seconds in (10, 60, 300, 599):
        poll(at + timedelta(seconds=seconds))
    assert asked(tracker, HANJIN) == told, "nothing before the time that it named"
    tracker.control("faults", method="DELETE")
    poll(at + timedelta(seconds=601))
    mine.refresh_from_db()
    assert (asked(tracker, HANJIN), mine.opened_until) == (told + 1, None)
