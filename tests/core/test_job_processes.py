"""Jobs with real worker and relay processes: killed at every point, flushed, and still everything once."""

import signal
import sys

import pytest
from django.conf import settings

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
