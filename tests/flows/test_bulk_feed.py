"""묶음 수신: the feed of CJ's contract over a socket, from page to parcel (shipping.md 1.3, 4.1, 8.7, 11)."""

import logging
import signal
import sys
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection, transaction

from core.invariants import find_violations
from orders.models import Order, OrderLine
from orders.states import LineState
from shipping.adapters.cj_tracking import PAGE_SIZE
from shipping.models import (
    AccountState,
    FeedState,
    OrphanEvent,
    Parcel,
    ShippingException,
    TrackingAccount,
    TrackingEvent,
    TrackingPoll,
    UnknownStatus,
)
from shipping.services.tracking import feeds, silence
from shipping.services.tracking.planning import Pace
from shipping.states import ExceptionKind, ParcelState, TrackingStage
from tests.fixtures.orders import NOW, reloaded
from tests.fixtures.shipments import waybill_number
from tests.infra.cj import CUSTOMER

CJ = "kr.cjlogistics"
LATER = NOW + timedelta(days=1)
HOUR = timedelta(hours=1)
HEALTHY = ("INV-01", "INV-06", "INV-07", "INV-08", "INV-09")


@pytest.fixture
def contract(tracker):
    """An account of CJ with its feed, on the twin's clock."""
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
    assert (poll.source, poll.told_by, poll.pace, poll.lease_token, poll.lease_until) == ("cj", "cj", Pace.TOLD, 8, None)
    assert 20 * HOUR < poll.next_poll_at - LATER < 35 * HOUR
    assert poll.last_ok_at is not None and poll.last_ok_at >= LATER
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
def test_a_parcel_that_somebody_holds_stays_unacknowledged_and_comes_again(contract, tracker, make_sent, hold_order):
    one, two = make_sent(2)
    lives(tracker, waybill_number(0), PICKED)
    lives(tracker, waybill_number(1), PICKED)
    ready(contract)
    with hold_order(one.order_id):
        assert pull(contract).acknowledged == 1
    assert (state().waiting, state().last_error, state().since) == (1, "", NOW.date())
    stages = dict(Parcel.objects.values_list("shipment_id", "stage"))
    assert stages == {one.pk: "", two.pk: TrackingStage.PICKED_UP}
    assert pull(contract, LATER + HOUR).acknowledged == 1
    assert (state().waiting, Parcel.objects.filter(stage=TrackingStage.PICKED_UP).count()) == (0, 2)
