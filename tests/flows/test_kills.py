"""Processes that die between an answer from outside and the row about it: nothing is lost, nothing is there twice."""

import http.client
import json
import signal
import sys
import urllib.error
import urllib.request
from datetime import datetime, timedelta

import pytest
from django.conf import settings

from channels.models import IdempotencyKey
from channels.services.keys import make_key
from core.invariants import find_violations
from orders.models import Order, OrderEvent, OrderLine
from orders.states import LineState
from payments.models import LedgerEntry
from shipping.models import Parcel, TrackingAccount, TrackingEvent, TrackingPoll
from shipping.services.polling.polls import LEASE, SOURCE
from shipping.states import ParcelState
from tests.channels.conftest import order_body
from tests.fixtures.orders import NOW

pytestmark = pytest.mark.processes
LATER = NOW + timedelta(days=1)
SCANS = [("AT_PICKUP", "집화처리"), ("IN_TRANSIT", "간선상차"), ("DELIVERED", "배송완료")]
PARCELS = 5


def poll(processes, at: datetime, **env: str):
    """One run of the tracking job in a process of its own; ended."""
    code = (
        "from datetime import datetime; from shipping.services.tracking.asking import poll_due;"
        f"poll_due(at=datetime.fromisoformat({at.isoformat()!r}))"
    )
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "shell", "-c", code]
    running = processes.run(command, name="poll", env=env)
    running.process.wait(60)
    return running


def test_a_poll_killed_between_the_answers_and_their_rows_is_made_again(processes, make_sent, tracker):
    sent = make_sent(PARCELS)
    tracker.control("config", is_demo=False)
    tracker.control("clock", now=LATER.isoformat())
    TrackingAccount.objects.create(code=SOURCE, name="배송조회", base_url=tracker.base_url, is_sandbox=True)
    told = [
        {"at": (NOW + timedelta(hours=4 + n)).isoformat(), "code": code, "name": name, "place": "집배점"}
        for n, (code, name) in enumerate(SCANS)
    ]
    for shipment in sent:
        tracker.control("parcels", carrier="kr.cjlogistics", number=shipment.waybill, timeline=told)

    killed = poll(processes, LATER, OMS_FAILPOINTS="poll_asked_before_write=kill")
    assert killed.process.returncode == -signal.SIGKILL, killed.log()
    assert tracker.read("counters")["requests"] == PARCELS
    assert not TrackingEvent.objects.exists()
    assert set(OrderLine.objects.values_list("state", flat=True)) == {LineState.SHIPPING}
    assert set(TrackingPoll.objects.values_list("lease_until", "is_active")) == {(LATER + LEASE, True)}

    assert poll(processes, LATER + timedelta(minutes=1)).process.returncode == 0
    assert tracker.read("counters")["requests"] == PARCELS, "the leases of the dead still run"
    for minutes in (1, 2):
        again = poll(processes, LATER + LEASE + timedelta(minutes=minutes))
        assert again.process.returncode == 0, again.log()
    assert tracker.read("counters")["requests"] == 2 * PARCELS
    assert TrackingEvent.objects.count() == PARCELS * len(SCANS)
    assert set(Parcel.objects.values_list("state", flat=True)) == {ParcelState.DELIVERED}
    assert set(OrderLine.objects.values_list("state", flat=True)) == {LineState.DELIVERED}
    assert OrderEvent.objects.filter(kind="line.delivered").count() == PARCELS
    assert not TrackingPoll.objects.filter(is_active=True).exists()
    assert find_violations("INV-01", "INV-07", "INV-09") == []


def send_order(url: str, token: str) -> tuple[int, dict]:
    """The same order under the same key, whoever asks how often."""
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "k-1", "Content-Type": "application/json"}
    asked = urllib.request.Request(f"{url}/api/v1/orders", json.dumps(order_body()).encode(), headers)
    with urllib.request.urlopen(asked, timeout=120) as answer:
        return answer.status, json.load(answer)


def test_a_request_killed_before_its_commit_leaves_nothing_and_can_be_sent_again(processes, channel, staff):
    token = make_key(channel=channel, actor=staff, at=NOW)[1]
    doomed = processes.start("web", env={"OMS_FAILPOINTS": "idempotent_before_commit=kill"}).wait_ready()
    with pytest.raises((http.client.HTTPException, urllib.error.URLError, OSError)):
        send_order(doomed.url, token)
    doomed.stop()
    assert not Order.objects.exists()
    assert not IdempotencyKey.objects.exists()
    assert not LedgerEntry.objects.exists()

    web = processes.start("web").wait_ready()
    first, second = send_order(web.url, token), send_order(web.url, token)
    assert (first[0], first[1]["number"]) == (201, Order.objects.get().number)
    assert second == first
    assert (IdempotencyKey.objects.count(), LedgerEntry.objects.count()) == (1, 1)
    assert OrderEvent.objects.filter(kind="order.received").count() == 1
    assert find_violations() == []
