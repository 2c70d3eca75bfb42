"""배송 알림: sources that are asked to call us, and what their calls, true or forged, bring about (8.5, 11)."""

import json
import time
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from core.http import Client
from core.settings_registry import set_setting
from shipping.adapters.base import TrackOutcome
from shipping.adapters.tracker_delivery import TrackerDelivery
from shipping.models import (
    AccountState,
    OrphanEvent,
    Parcel,
    PushHook,
    TrackingAccount,
    TrackingBudget,
    TrackingEvent,
    TrackingPoll,
)
from shipping.services.polling import polls, pushes
from shipping.services.polling.planning import Pace
from shipping.services.tracking.asking import poll_due
from tests.fixtures.orders import NOW
from tests.fixtures.shipments import waybill_number

pytestmark = pytest.mark.django_db
CJ = "kr.cjlogistics"
LATER = NOW + timedelta(days=1)
HOUR = timedelta(hours=1)


def no_sleep(seconds):
    """The clock of these tests is virtual."""


def account_at(tracker, **facts):
    values = {"code": "tracker_delivery", "name": "배송조회", "base_url": tracker.base_url, "is_sandbox": True}
    return TrackingAccount.objects.create(**values, hook_token=pushes.new_token(), **facts)


@pytest.fixture
def account(tracker, make_staff):
    """An account that is to call us, at a shop that has an address."""
    tracker.control("config", is_demo=False)
    tracker.control("clock", now=NOW.isoformat())
    set_setting(key="public_url", value="http://127.0.0.1:9", actor=make_staff(), at=NOW)
    return account_at(tracker)


def hooks(tracker):
    status, body = tracker.request("GET", "/__control/record?service=tracker&kind=hook")
    assert status == 200
    return list(json.loads(body).values())


def address(one):
    return f"/hooks/tracking/{one.hook_token}/"


def call(client, one, number, carrier=CJ):
    body = {"carrierId": carrier, "trackingNumber": number}
    return client.post(address(one), json.dumps(body), content_type="application/json")


@contextmanager
def held(one):
    """Somebody holds the quota of the account."""
    somebody = connection.copy()
    somebody.set_autocommit(False)
    try:
        with somebody.cursor() as cursor:
            cursor.execute("SELECT 1 FROM shipping_trackingbudget WHERE account_id = %s FOR UPDATE", [one.pk])
        yield
    finally:
        somebody.rollback()
        somebody.close()


# ---- asking to be called ----


def test_the_sample_of_8_5_is_registered_until_then(tracker):
    push = TrackerDelivery(Client(tracker.base_url, allow_loopback=True))
    until = datetime.fromisoformat("2026-11-24T18:00:00+09:00")
    tracker.control("clock", now="2026-11-22T18:00:00+09:00")
    url = "https://oms.example/hooks/tracking/x/"
    given = {"carrier": CJ, "number": "680000000011", "address": url, "until": until}
    assert push.subscribe(**given).outcome == TrackOutcome.FOUND
    assert push.subscribe(**given).outcome == TrackOutcome.FOUND
    [row] = hooks(tracker)
    assert (row["carrier"], row["number"], row["until"], row["times"]) == (CJ, "680000000011", until.timestamp(), 2)
    assert push.subscribe(**given | {"carrier": "kr.nobody"}).outcome == TrackOutcome.UNKNOWN_CARRIER
    assert push.subscribe(**given | {"address": "no address"}).outcome == TrackOutcome.BAD_NUMBER
    assert push.subscribe(**given | {"number": "직접수령"}).outcome == TrackOutcome.BAD_NUMBER
    tracker.control("service", name="tracker", profile="oss")
    refused = push.subscribe(**given)
    assert (refused.outcome, refused.is_supported) == (TrackOutcome.UNAVAILABLE, False)
    tracker.control("faults", kind="http_500", operation="registerTrackWebhook")
    tracker.control("service", name="tracker", profile="cloud")
    assert push.subscribe(**given).is_supported
    assert len(hooks(tracker)) == 1


def test_parcels_that_leave_are_registered_renewed_and_forgotten_after_the_delivery(account, tracker, make_sent):
    make_sent(3)
    assert set(PushHook.objects.values_list("due_at", flat=True)) == {NOW}
    assert pushes.register_due(at=NOW, sleep=no_sleep) == 3
    assert {row["number"] for row in hooks(tracker)} == {waybill_number(n) for n in range(3)}
    assert {row["address"] for row in hooks(tracker)} == {f"http://127.0.0.1:9{address(account)}"}
    until = NOW + timedelta(hours=48)
    assert set(PushHook.objects.values_list("until", "due_at")) == {(until, until - 8 * HOUR)}
    assert set(TrackingPoll.objects.values_list("told_by", "pace")) == {("tracker_delivery", Pace.NEW)}
    assert pushes.register_due(at=NOW + 39 * HOUR, sleep=no_sleep) == 0
    polls.stop(parcels=list(Parcel.objects.order_by("pk")[:1]))
    tracker.control("clock", now=(NOW + 40 * HOUR).isoformat())
    assert pushes.register_due(at=NOW + 40 * HOUR, sleep=no_sleep) == 3
    assert sorted(row["times"] for row in hooks(tracker)) == [1, 2, 2]
    assert PushHook.objects.filter(until=NOW + timedelta(hours=88)).count() == PushHook.objects.count() == 2


def test_no_second_holds_more_registrations_than_half_of_the_quota(account, make_sent):
    TrackingAccount.objects.update(per_second=10)
    make_sent(12)
    assert pushes.register_due(at=NOW, sleep=no_sleep) == 5
    assert PushHook.objects.filter(until__isnull=False).count() == 5
    assert TrackingBudget.objects.get().used == 5
    pushes.register_due(at=NOW + timedelta(seconds=1), sleep=no_sleep)
    pushes.register_due(at=NOW + timedelta(seconds=2), sleep=no_sleep)
    assert PushHook.objects.filter(until__isnull=False).count() == 12


def test_a_server_of_ones_own_is_asked_once_and_said_so(account, tracker, make_sent, caplog):
    tracker.control("service", name="tracker", profile="oss")
    make_sent(2)
    pushes.register_due(at=NOW, sleep=no_sleep)
    account.refresh_from_db()
    assert (account.hook_error, account.state) == (pushes.NOT_SUPPORTED, AccountState.OK)
    before = tracker.read("counters")["requests"]
    assert pushes.register_due(at=LATER, sleep=no_sleep) == 0
    assert tracker.read("counters")["requests"] == before
    assert set(TrackingPoll.objects.values_list("told_by", flat=True)) == {""}
    assert [row.getMessage() for row in caplog.records if row.levelname == "ERROR"] == [
        "tracking account tracker_delivery cannot call us"
    ]


def test_pushed_parcels_are_asked_about_once_a_day_and_as_usual_when_nobody_calls_any_more(account, tracker, make_sent):
    make_sent(1)
    number = waybill_number(0)
    picked = {"at": (NOW + 2 * HOUR).isoformat(), "code": "AT_PICKUP", "name": "집화처리", "place": "서울"}
    tracker.control("parcels", carrier=CJ, number=number, timeline=[picked])
    pushes.register_due(at=NOW, sleep=no_sleep)
    tracker.control("clock", now=LATER.isoformat())
    poll_due(at=LATER, sleep=no_sleep)
    poll = TrackingPoll.objects.get()
    assert poll.pace == Pace.TOLD
    assert poll.next_poll_at - LATER > 20 * HOUR
    pushes.tend(at=LATER)
    assert TrackingPoll.objects.get().told_by == "tracker_delivery"
    # Renewals fail until the registration has lapsed.
    lapsed = NOW + timedelta(hours=49)
    pushes.tend(at=lapsed)
    poll.refresh_from_db()
    assert (poll.told_by, poll.next_poll_at <= lapsed + 4 * HOUR) == ("", True)


def test_parcels_from_before_the_account_was_told_to_call_get_their_hook(tracker, make_sent, account):
    TrackingAccount.objects.update(hook_token="")
    make_sent(2)
    assert not PushHook.objects.exists()
    TrackingAccount.objects.update(hook_token=account.hook_token)
    assert pushes.tend(at=LATER) == 2
    assert pushes.register_due(at=LATER, sleep=no_sleep) == 2
    assert pushes.tend(at=LATER) == 0


# ---- being called ----


def test_a_call_puts_its_parcel_first_and_changes_nothing_else(account, client, make_sent):
    make_sent(2)
    TrackingPoll.objects.update(next_poll_at=timezone.now() + 20 * HOUR)
    parcels = list(Parcel.objects.values())
    assert call(client, account, waybill_number(1)).status_code == 202
    first, second = TrackingPoll.objects.order_by("pk")
    assert first.next_poll_at > timezone.now() + 19 * HOUR
    assert second.next_poll_at <= timezone.now()
    assert (list(Parcel.objects.values()), TrackingEvent.objects.count()) == (parcels, 0)
    assert call(client, account, waybill_number(1)).status_code == 202
    assert TrackingBudget.objects.get().hint_used == 1


def test_unknown_numbers_are_answered_alike_and_leave_no_trace(account, client, make_sent):
    make_sent(1)
    TrackingPoll.objects.update(next_poll_at=timezone.now() + 20 * HOUR)
    before = list(TrackingPoll.objects.values()), list(PushHook.objects.values())
    for carrier, number in [(CJ, "699999999999"), ("kr.nobody", waybill_number(0)), (CJ, "직접수령"), (CJ, "\x00" * 8),
                            (CJ, "9" * 500)]:  # fmt: skip
        answer = call(client, account, number, carrier)
        assert (answer.status_code, answer.content) == (202, b"")
    assert (list(TrackingPoll.objects.values()), list(PushHook.objects.values())) == before
    assert not TrackingBudget.objects.exists()
    assert not OrphanEvent.objects.exists()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400), (b"{", 400), (b"[]", 400), (b'"x"', 400), (b"null", 400), (b'{"carrierId": "kr.cjlogistics"}', 400),
        (b'{"carrierId": 1, "trackingNumber": 2}', 400), (b'{"carrierId": "", "trackingNumber": ""}', 400),
        (b"[" * 4000, 400), (b"\xff\xfe", 400), (b'{"carrierId": "a", "trackingNumber": "' + b"9" * 5000 + b'"}', 413),
    ],
)  # fmt: skip
def test_what_has_another_form_is_refused(body, status, account, client, make_sent):
    make_sent(1)
    before = list(TrackingPoll.objects.values())
    assert client.post(address(account), body, content_type="application/json").status_code == status
    assert list(TrackingPoll.objects.values()) == before


def test_only_the_address_of_an_account_in_use_is_one(account, client, make_sent, settings):
    make_sent(1)
    before = list(TrackingPoll.objects.values())
    right = address(account)
    wrong = ["/hooks/tracking/x/", f"/hooks/tracking/{account.hook_token[:-1]}/", "/hooks/tracking/%EA%B0%80/"]
    for url in wrong:
        body = json.dumps({"carrierId": CJ, "trackingNumber": waybill_number(0)})
        assert client.post(url, body, content_type="application/json").status_code == 404
    assert client.get(right).status_code == 405
    TrackingAccount.objects.update(is_active=False)
    assert call(client, account, waybill_number(0)).status_code == 404
    assert list(TrackingPoll.objects.values()) == before


def test_forged_calls_cost_at_most_their_share_of_the_quota(account, client, make_sent):
    TrackingAccount.objects.update(per_day=100)
    make_sent(40)
    TrackingPoll.objects.update(next_poll_at=timezone.now() + 20 * HOUR)
    parcels = list(Parcel.objects.values())
    for n in range(40):
        assert call(client, account, waybill_number(n)).status_code == 202
    assert TrackingPoll.objects.filter(next_poll_at__lte=timezone.now()).count() == 30
    assert (TrackingBudget.objects.get().hint_used, list(Parcel.objects.values())) == (30, parcels)


@pytest.mark.django_db(transaction=True)
def test_a_call_is_answered_within_a_second_while_the_budget_is_held(account, client, make_sent):
    make_sent(1)
    TrackingPoll.objects.update(next_poll_at=timezone.now() + 20 * HOUR)
    TrackingBudget.objects.create(account=account)
    with held(account):
        began = time.monotonic()
        assert call(client, account, waybill_number(0)).status_code == 202
        assert time.monotonic() - began < 1
    assert not TrackingPoll.objects.filter(next_poll_at__lte=timezone.now()).exists()


@pytest.mark.django_db(transaction=True)
def test_the_twin_calls_us_over_a_socket_twice_out_of_order_and_late(tracker, make_sent, make_staff, live_server):
    tracker.control("config", is_demo=False)
    tracker.control("service", name="tracker", duplicates=1, is_shuffled=True, forged=3)
    now = timezone.now()
    address = live_server.url.replace("localhost", "127.0.0.1")
    set_setting(key="public_url", value=address, actor=make_staff(), at=now)
    account = account_at(tracker)
    make_sent(3, at=now)
    told = {"code": "AT_PICKUP", "name": "집화처리", "place": "서울"}
    for n in range(3):
        tracker.control("parcels", carrier=CJ, number=waybill_number(n), timeline=[])
    assert pushes.register_due(at=now) == 3
    TrackingPoll.objects.update(next_poll_at=now + 20 * HOUR)
    for n in range(2):
        at = (timezone.now() - timedelta(minutes=1)).isoformat()
        tracker.control("parcels", carrier=CJ, number=waybill_number(n), timeline=[told | {"at": at}])
    assert waited(lambda: TrackingPoll.objects.filter(next_poll_at__lte=timezone.now()).count() == 2)
    assert waited(lambda: [row["told"] for row in hooks(tracker)].count(1) == 2)
    assert TrackingBudget.objects.get(account=account).hint_used == 2
    assert poll_due(at=timezone.now(), sleep=no_sleep) == 2
    assert sorted(Parcel.objects.values_list("stage", flat=True)) == ["", "PICKED_UP", "PICKED_UP"]
    assert (TrackingPoll.objects.count(), OrphanEvent.objects.count()) == (3, 0)


def waited(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False
