"""Jobs with real worker and relay processes: killed at every point, flushed, and still everything once."""

import signal
import sys
import time
import urllib.request
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from accounts.models import User
from core import processes as system
from core.actions import ACTIONS
from core.broker import Valkey, redis_client
from core.jobs import dispatch, items, start
from core.jobs.lease import is_silent
from core.models import Job, JobState, Message, SlotRun
from core.models.events import DeliveryState
from orders.models import Delivery, Order, OrderEvent, OrderLine
from tests.fixtures.orders import NOW, reloaded
from tests.fixtures.work import LineMaker, expire, previewed, tally
from tests.infra.processes import Processes, Running

pytestmark = pytest.mark.processes
ROWS = 1200
PATIENCE = 90.0
LONGEST_ANSWER = 5.0
"""Seconds: the broker's own timeouts are shorter, and no request waits for more than one of them."""
STOPPED = 8.0


def waiting_job(make_lines: LineMaker, staff: User, *, rows: int = ROWS) -> Job:
    """배송보류 of many lines, confirmed and left to a worker."""
    job = previewed(ACTIONS["hold"], make_lines(rows, per_order=4), actor=staff, at=NOW)
    assert start.confirm(job_id=job.pk, actor=staff, at=job.created_at, form={"reason": ["고객 부재"]}) is None
    return reloaded(job)


def command(processes: Processes, *words: str, **env: str) -> Running:
    manage = str(settings.BASE_DIR / "manage.py")
    running = processes.run([sys.executable, manage, *words], name=words[0], env=env)
    running.process.wait(60)
    return running


def is_done(job: Job) -> bool:
    return bool(reloaded(job).state == JobState.DONE)


def everything_once(job: Job) -> None:
    assert tally(job) == (0, ROWS, 0)
    assert (reloaded(job).state, reloaded(job).done) == (JobState.DONE, ROWS)
    assert set(OrderLine.objects.values_list("version", "open_locks")) == {(1, 2)}
    held = OrderEvent.objects.filter(batch=job, kind="line.held")
    assert (held.count(), held.values("subject_id").distinct().count()) == (ROWS, ROWS)


@pytest.mark.parametrize(
    ("point", "done_before"),
    [("job_before_chunk", 0), ("job_after_apply_before_commit", 0), ("job_after_commit", items.CHUNK)],
)
def test_a_killed_worker_is_followed_by_another(
    processes: Processes, make_lines: LineMaker, staff: User, point: str, done_before: int
) -> None:
    job = waiting_job(make_lines, staff)
    doomed = processes.start("worker", env={"OMS_FAILPOINTS": f"{point}=kill"})
    command(processes, "oms_sweep", "--once")
    assert system.wait_until(lambda: not doomed.is_alive, timeout=PATIENCE), doomed.log()
    died = reloaded(job)
    assert (died.state, tally(job)) == (JobState.RUNNING, (ROWS - done_before, done_before, 0))
    assert not is_silent(job)
    assert dispatch.due_jobs() == [], "its lease still runs"
    expire(job)
    processes.start("worker")
    command(processes, "oms_sweep", "--once")
    assert system.wait_until(lambda: is_done(job), timeout=PATIENCE), reloaded(job).state
    everything_once(job)


def test_a_flushed_broker_loses_nothing(
    processes: Processes, make_lines: LineMaker, staff: User, valkey: Valkey
) -> None:
    broker = redis_client(valkey.url, timeout=2)
    job = waiting_job(make_lines, staff)
    processes.start("relay")
    assert system.wait_until(lambda: broker.llen("celery") > 0, timeout=PATIENCE)
    broker.flushall()
    assert not is_done(job)
    processes.start("worker")
    assert system.wait_until(lambda: is_done(job), timeout=60), "told again within a minute"
    everything_once(job)
    assert set(SlotRun.objects.values_list("job", flat=True)) >= {"sweep", "relay", "canary"}, "missed slots too"


def test_without_a_broker_jobs_wait_and_can_be_run_by_hand(
    processes: Processes, make_lines: LineMaker, staff: User
) -> None:
    job = waiting_job(make_lines, staff)
    nowhere = {"REDIS_URL": "redis://127.0.0.1:9/0"}
    told = command(processes, "oms_sweep", "--once", **nowhere)
    assert told.process.returncode == 0
    assert "the broker does not answer" in told.log()
    assert reloaded(job).state == JobState.QUEUED
    ran = command(processes, "oms_sweep", "--once", "--run", **nowhere)
    assert "1 jobs run" in ran.log()
    everything_once(job)


def test_open_jobs_are_listed_for_machines(processes: Processes, make_lines: LineMaker, staff: User) -> None:
    job = waiting_job(make_lines, staff)
    found = command(processes, "oms_jobs", "--json").log()
    assert f'"id": "{job.uuid}"' in found
    assert '"due": 1' in found


def test_a_relay_that_dies_in_a_delivery_is_followed_by_another(processes: Processes, make_lines: LineMaker) -> None:
    [line] = make_lines(1)
    Order.objects.update(buyer_phone="01012345678")
    delivery = Delivery.objects.create(
        subscriber="orders.handlers.tell_payment_confirmed", order=line.order, event_ids=[1], due_at=NOW
    )
    doomed = command(processes, "oms_relay", "--once", OMS_FAILPOINTS="relay_before_done=kill")
    assert doomed.process.returncode == -signal.SIGKILL
    found = reloaded(delivery)
    assert (found.state, found.attempts) == (DeliveryState.PENDING, 1), "counted, although nobody could say so"
    assert not Message.objects.exists(), "what the handler wrote went with it"
    assert command(processes, "oms_relay", "--once").process.returncode == 0
    assert (reloaded(delivery).state, Message.objects.count()) == (DeliveryState.DONE, 1)


def asked(url: str, session: str, **fields: str) -> int:
    """Status of a request of a logged-in person to a real web process; a POST when there are fields."""
    token = "a" * 32
    headers = {"Cookie": f"sessionid={session}; csrftoken={token}", "X-CSRFToken": token, "HX-Request": "true"}
    data = urlencode(fields).encode() if fields else None
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=LONGEST_ANSWER) as answer:
        return int(answer.status)


def test_a_broker_that_hangs_holds_no_request_up_and_loses_nothing(
    processes: Processes, valkey: Valkey, make_lines: LineMaker, staff: User, sign_in: Callable[..., Client]
) -> None:
    job = previewed(ACTIONS["hold"], make_lines(ROWS, per_order=4), actor=staff, at=timezone.now())
    session = sign_in(staff).cookies["sessionid"].value
    web = processes.start("web").wait_ready()
    processes.start("relay")
    processes.start("worker")
    runs = SlotRun.objects.filter(finished_at__isnull=False)
    assert system.wait_until(runs.exists, timeout=PATIENCE), "worker and relay have found the broker"
    broker = valkey.process
    assert broker is not None
    broker.send_signal(signal.SIGSTOP)
    try:
        assert asked(f"{web.url}/acts/{job.uuid}/apply/", session, reason="고객 부재") == 200
        assert reloaded(job).state in {JobState.QUEUED, JobState.RUNNING}
        stopped_until = time.monotonic() + STOPPED
        while time.monotonic() < stopped_until:
            assert asked(f"{web.url}/orders/{Order.objects.first().number}/poll/", session) == 200
            assert asked(f"{web.url}/jobs/{job.uuid}/strip/", session) == 200
            time.sleep(1)
    finally:
        broker.send_signal(signal.SIGCONT)
    assert system.wait_until(lambda: is_done(job), timeout=PATIENCE), reloaded(job).state
    everything_once(job)
