"""묶음 수신: the feed of CJ's contract over a socket, from page to parcel (shipping.md 1.3, 4.1, 8.7, 11)."""

import logging
import signal
import sys
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from django.conf import settings
from django.db import connection

from core.invariants import find_violations
from orders.models import OrderLine
from orders.states import LineState
from shipping.adapters.cj_tracking import PAGE_SIZE
from shipping.models import (
    AccountState,
    FeedState,
    OrphanEvent,
    Parcel,
    TrackingAccount,
    TrackingEvent,
    TrackingPoll,
    UnknownStatus,
)
from shipping.services import cj_tokens
from shipping.services.polling import silence
from shipping.services.polling.planning import Pace
from shipping.services.tracking import feeds
from shipping.states import ParcelState, TrackingStage
from tests.fixtures.orders import NOW, reloaded
from tests.fixtures.shipments import waybill_number
from tests.infra.cj import CUSTOMER

CJ = "kr.cjlogistics"
LATER = NOW + timedelta(days=1)
HOUR = timedelta(hours=1)
HEALTHY = ("INV-01", "INV-06", "INV-07", "INV-08", "INV-09")


pytestmark = pytest.mark.django_db


@pytest.fixture
def contract(tracker, monkeypatch):
    """An account of CJ with its feed, on the twin's clock."""
    monkeypatch.setattr(cj_tokens, "_stores", {})
    tracker.control("config", is_demo=False)
    tracker.control("service", name="cj", token_gap=0)
    at(tracker, LATER)
    account = TrackingAccount.objects.create(
        code="cj", kind="cj", name="CJ대한통운", base_url=f"{tracker.base_url}/cj", is_sandbox=True,
        min_interval=3 * 3600, is_active=True,
    )  # fmt: skip
    account.set_options({"customer": CUSTOMER, "business": "123-45-67890"})
    account.save()
    return account


def kst(text):
    return datetime.fromisoformat(f"{text}:00+09:00")


def at(tracker, moment):
    tracker.control("clock", now=moment.isoformat())


def scan(hours, name, **facts):
    return {"at": (NOW + timedelta(hours=hours)).isoformat(), "name": name, "place": "서울중구", **facts}


PICKED, OUT, DELIVERED = scan(4, "집화처리"), scan(20, "배송출발"), scan(23, "배송완료")


def lives(tracker, number, *timeline):
    tracker.control("parcels", carrier=CJ, number=number, timeline=list(timeline))


def pull(account, moment=LATER, **facts):
    return feeds.pull(account_id=account.pk, at=moment, **facts)


def state():
    return FeedState.objects.get()


def ready(account, moment=LATER):
    assert feeds.due(at=moment) == [account.pk]


def asked(tracker, operation):
    return tracker.read("counters").get(f"operation:{operation}", 0)


@contextmanager
def held(order_id):
    """Somebody works on the order."""
    somebody = connection.copy()
    somebody.set_autocommit(False)
    try:
        with somebody.cursor() as cursor:
            cursor.execute("SELECT 1 FROM orders_order WHERE id = %s FOR UPDATE", [order_id])
        yield
    finally:
        somebody.rollback()
        somebody.close()


def errors(caplog):
    return [row.getMessage() for row in caplog.records if row.levelno >= logging.ERROR]


def test_scans_are_stored_then_acknowledged_and_deliver(contract, tracker, make_sent):
    make_sent(2)
    lives(tracker, waybill_number(0), PICKED, DELIVERED)
    lives(tracker, waybill_number(1), PICKED, scan(20, "미배송", cj_reason="02"))
    ready(contract)
    assert pull(contract) == feeds.Done(acknowledged=4)
    first, second = Parcel.objects.order_by("pk")
    assert (first.state, first.delivered_at) == (ParcelState.DELIVERED, NOW + 23 * HOUR)
    assert second.stage == TrackingStage.ATTEMPT_FAILED
    assert TrackingEvent.objects.filter(source="cj").count() == 4
    assert OrderLine.objects.filter(state=LineState.DELIVERED).count() == 1
    before = asked(tracker, "RcvMssGdsTrcCnfrm")
    assert pull(contract, LATER + HOUR) == feeds.Done()
    assert asked(tracker, "RcvMssGdsTrcCnfrm") == before
    assert (state().waiting, state().last_error, state().since) == (0, "", (LATER + HOUR).date())
    assert find_violations(*HEALTHY) == []


def test_the_feed_becomes_the_source_and_one_question_a_day_is_left(contract, tracker, make_sent):
    make_sent(1)
    poll = TrackingPoll.objects.get()
    TrackingPoll.objects.update(source="tracker_delivery", lease_until=LATER + HOUR, lease_token=7)
    lives(tracker, waybill_number(0), PICKED, OUT)
    ready(contract)
    pull(contract)
    poll.refresh_from_db()
    assert (poll.source, poll.told_by, poll.pace, poll.lease_token, poll.lease_until) == (
        "cj",
        "cj",
        Pace.TOLD,
        8,
        None,
    )
    assert 20 * HOUR < poll.next_poll_at - LATER < 35 * HOUR
    assert LATER <= poll.last_ok_at < LATER + HOUR
    again = poll.next_poll_at
    lives(tracker, waybill_number(0), PICKED, OUT, scan(25, "미배송", cj_reason="02"))
    at(tracker, LATER + 2 * HOUR)
    pull(contract, LATER + 2 * HOUR)
    poll.refresh_from_db()
    assert (poll.next_poll_at, reloaded(Parcel.objects.get()).stage) == (again, TrackingStage.ATTEMPT_FAILED)


def test_two_workers_do_not_read_at_once(contract):
    ready(contract)
    FeedState.objects.update(lease_until=LATER + timedelta(minutes=1))
    assert pull(contract) == feeds.Done()
    assert (state().last_ok_at, feeds.due(at=LATER)) == (None, [])


def test_unknown_numbers_go_to_the_orphans_and_are_acknowledged(contract, tracker, make_sent):
    make_sent(1)
    lives(tracker, waybill_number(5), PICKED, OUT)
    ready(contract)
    assert pull(contract).acknowledged == 2
    rows = OrphanEvent.objects.order_by("at").values_list("source", "number", "code", "seen_at__date")
    assert list(rows) == [("cj", waybill_number(5), code, LATER.date()) for code in ("11", "82")]
    assert not TrackingEvent.objects.exists()
    pull(contract, LATER + HOUR)
    assert OrphanEvent.objects.count() == 2
    assert feeds.forget_orphans(at=LATER + timedelta(days=29)) == 0
    assert feeds.forget_orphans(at=LATER + timedelta(days=31)) == 2


def test_unknown_codes_are_stored_as_unknown_and_acknowledged(contract, tracker, make_sent):
    make_sent(1)
    lives(tracker, waybill_number(0), PICKED, scan(20, "무지개", cj="77"))
    ready(contract)
    assert pull(contract).acknowledged == 2
    assert TrackingEvent.objects.filter(raw_code="77", stage=TrackingStage.UNKNOWN).count() == 1
    assert UnknownStatus.objects.get().code == "77"
    assert Parcel.objects.get().stage == TrackingStage.PICKED_UP


@pytest.mark.django_db(transaction=True)
def test_a_parcel_that_somebody_holds_stays_unacknowledged_and_comes_again(tracker, make_sent, contract):
    one, two = make_sent(2)
    lives(tracker, waybill_number(0), PICKED)
    lives(tracker, waybill_number(1), PICKED)
    ready(contract)
    with held(one.order_id):
        assert pull(contract).acknowledged == 1
    assert (state().waiting, state().last_error, state().since) == (1, "", NOW.date())
    stages = dict(Parcel.objects.values_list("shipment_id", "stage"))
    assert stages == {one.pk: "", two.pk: TrackingStage.PICKED_UP}
    assert pull(contract, LATER + HOUR).acknowledged == 1
    assert (state().waiting, Parcel.objects.filter(stage=TrackingStage.PICKED_UP).count()) == (0, 2)


def test_the_sample_of_8_7_is_an_attempt_that_failed_because_nobody_was_there(contract, tracker, make_sent):
    make_sent(1)
    lives(tracker, "680000000011", {"at": "2026-09-22T10:20:04+09:00", "name": "미배송", "place": "서울중구"})
    ready(contract)
    assert pull(contract).acknowledged == 1
    event = TrackingEvent.objects.get()
    assert (event.raw_code, event.stage, event.place, event.raw_text) == (
        "84", TrackingStage.ATTEMPT_FAILED, "서울중구", "미배송 고객 부재",
    )  # fmt: skip


def test_pages_of_500_are_read_until_none_is_left(contract, tracker, make_sent):
    make_sent(1)
    for n in range(60):
        lives(tracker, waybill_number(n), *(scan(4 + step / 10, "간선상차") for step in range(20)))
    ready(contract)
    found = pull(contract)
    while found.is_more:
        found = pull(contract)
    assert (OrphanEvent.objects.count(), TrackingEvent.objects.count()) == (59 * 20, 20)
    assert asked(tracker, "RcvMssGdsTrcCnfrm") == -(-60 * 20 // PAGE_SIZE)
    assert pull(contract, LATER + HOUR).acknowledged == 0


def test_a_feed_that_takes_no_acknowledgement_is_said_once_and_ends(contract, tracker, make_sent, caplog):
    make_sent(1)
    lives(tracker, waybill_number(0), PICKED, DELIVERED)
    tracker.control("service", name="cj", is_deaf=True)
    ready(contract)
    with caplog.at_level(logging.ERROR, "oms.tracking"):
        pull(contract)
        pull(contract, LATER + HOUR)
    assert errors(caplog) == ["the feed of tracking account cj stopped"]
    assert asked(tracker, "RcvMssGdsTrcCnfrm") == 2 * 2 * 2
    assert (state().last_error, state().since) == (feeds.NO_PROGRESS, NOW.date())
    assert Parcel.objects.get().state == ParcelState.DELIVERED
    tracker.control("service", name="cj", is_deaf=False)
    pull(contract, LATER + 2 * HOUR)
    assert (state().last_error, state().stuck_since, TrackingEvent.objects.count()) == ("", None, 2)


def test_entries_that_cannot_be_read_do_not_hold_up_the_others(contract, tracker, make_sent, caplog):
    make_sent(1)
    lives(tracker, waybill_number(0), PICKED, OUT)
    tracker.control("faults", kind="data_junk", operation="ReqMssGdsTrc")
    ready(contract)
    with caplog.at_level(logging.ERROR, "oms.tracking"):
        assert pull(contract).acknowledged == 2
    assert Parcel.objects.get().stage == TrackingStage.OUT_FOR_DELIVERY
    assert (state().last_ok_at is not None, len(errors(caplog))) == (True, 1)
    assert state().last_error.startswith("읽을 수 없는 소식")


# ---- silence ----


def test_a_silent_feed_leaves_its_parcels_to_single_questions_until_it_is_back(contract, tracker, make_sent, caplog):
    make_sent(2)
    lives(tracker, waybill_number(0), PICKED)
    lives(tracker, waybill_number(1), PICKED, OUT)
    ready(contract)
    pull(contract)
    tracker.control("faults", kind="http_500", operation="ReqMssGdsTrc")
    with caplog.at_level(logging.ERROR, "oms.tracking"):
        now = LATER + timedelta(minutes=10)
        assert pull(contract, now) == feeds.Done()
        feeds.due(at=now + timedelta(minutes=4))
        assert set(TrackingPoll.objects.values_list("pace", flat=True)) == {Pace.TOLD}
        quiet = LATER + timedelta(minutes=16)
        feeds.due(at=quiet)
        feeds.due(at=quiet + timedelta(minutes=1))
    assert errors(caplog)[-1:] == ["the feed of tracking account cj is silent"]
    assert errors(caplog).count("the feed of tracking account cj is silent") == 1
    polls = TrackingPoll.objects.order_by("pk")
    assert [poll.pace for poll in polls] == [Pace.MOVING, Pace.OUT]
    # CJ wants three hours between two questions about a number.
    assert all(LATER + 3 * HOUR <= poll.next_poll_at <= quiet + 4 * HOUR for poll in polls)
    tracker.control("faults", method="DELETE")
    pull(contract, LATER + HOUR)
    assert state().silent_since is None
    assert set(TrackingPoll.objects.values_list("pace", flat=True)) == {Pace.TOLD}
    assert all(poll.next_poll_at > LATER + 20 * HOUR for poll in TrackingPoll.objects.all())


def test_a_refused_key_blocks_the_account_once_and_the_feed_frees_it(contract, tracker, caplog):
    ready(contract)
    pull(contract)
    contract.set_options({"business": "999-99-99999"})
    contract.base_url = contract.base_url.replace("127.0.0.1", "localhost")  # another token store
    contract.save()
    with caplog.at_level(logging.ERROR, "oms.tracking"):
        pull(contract, LATER + HOUR)
        pull(contract, LATER + 2 * HOUR)
    assert reloaded(contract).state == AccountState.BLOCKED
    assert errors(caplog) == ["tracking account cj was refused"]
    contract.set_options({"business": "123-45-67890"})
    contract.save(update_fields=["sealed_options"])
    cj_tokens._stores.clear()
    pull(contract, LATER + 3 * HOUR)
    assert (reloaded(contract).state, state().last_error) == (AccountState.OK, "")


@pytest.mark.parametrize(
    ("since", "until", "minutes"),
    [
        ("2026-09-22T12:00", "2026-09-22T12:16", 16),
        ("2026-09-22T22:55", "2026-09-23T07:05", 10),
        ("2026-09-22T23:30", "2026-09-23T06:30", 0),
        ("2026-09-21T22:59", "2026-09-23T07:00", 961),
    ],
)
def test_only_the_hours_of_the_feed_count_as_silence(since, until, minutes):
    found = silence.open_time(kst(since), kst(until), speed=1)
    assert found == timedelta(minutes=minutes)


def test_the_feed_rests_at_night_and_reads_the_days_since_its_last_success(contract):
    night = kst("2026-09-22T23:10")
    assert feeds.due(at=night) == []
    ready(contract, kst("2026-09-23T07:00"))
    row = FeedState.objects.get()
    today = kst("2026-09-23T12:00")
    assert [day.day for day in feeds.days_to_read(row, at=today)] == [21, 22, 23]
    row.since = today.date()
    assert [day.day for day in feeds.days_to_read(row, at=today)] == [23]
    assert [day.day for day in feeds.days_to_read(row, at=kst("2026-09-23T07:10"))] == [22, 23]
    row.since = kst("2026-09-10T12:00").date()
    assert [day.day for day in feeds.days_to_read(row, at=today)] == [21, 22, 23]


# ---- a kill ----


@pytest.mark.processes
def test_a_kill_between_storing_and_acknowledging_is_told_again_and_changes_nothing_twice(
    processes, make_sent, tracker, contract
):
    make_sent(2)
    lives(tracker, waybill_number(0), PICKED, DELIVERED)
    lives(tracker, waybill_number(5), PICKED)
    ready(contract)
    code = (
        "from datetime import datetime; from shipping.services.tracking.feeds import pull;"
        f"pull(account_id={contract.pk}, at=datetime.fromisoformat({LATER.isoformat()!r}))"
    )
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "shell", "-c", code]
    env = {"OMS_FAILPOINTS": "feed_written_before_acknowledged=kill"}
    killed = processes.run(command, name="pull", env=env)
    killed.process.wait(60)
    assert killed.process.returncode == -signal.SIGKILL, killed.log()
    assert asked(tracker, "RcvMssGdsTrcCnfrm") == 0
    stored = TrackingEvent.objects.count(), OrphanEvent.objects.count()
    later = LATER + timedelta(minutes=10)
    assert feeds.due(at=later) == [contract.pk]
    found = pull(contract, later)
    assert found.acknowledged == 3
    assert (TrackingEvent.objects.count(), OrphanEvent.objects.count()) == (2, 1) >= stored
    assert OrderLine.objects.filter(state=LineState.DELIVERED).count() == 1
    assert find_violations(*HEALTHY) == []
