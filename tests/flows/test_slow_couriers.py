"""A real worker whose couriers do not answer: staff's jobs are not held up, and it still ends in an orderly way."""

import pytest
from django.utils import timezone

from core import processes as system
from core.jobs.dispatch import send
from core.models import JobState
from shipping.models import TrackingAccount, TrackingEvent, TrackingLane, TrackingPoll
from shipping.services.polling import lanes
from shipping.tasks import LANE
from tests.core.test_job_processes import waiting_job
from tests.fixtures.orders import reloaded
from tests.flows.lane_rows import copies

pytestmark = pytest.mark.processes
COURIERS = ("HANJIN", "HYUNDAI", "KGB", "EPOST")
PATIENCE = 90.0


def test_couriers_that_do_not_answer_hold_no_job_of_staff_up(processes, make_sent, make_lines, staff, tracker, valkey):
    now = timezone.now()
    make_sent(1)
    TrackingPoll.objects.update(is_active=False)
    for courier in COURIERS:
        copies(40, courier, at=now)
    tracker.control("config", is_demo=False)
    tracker.control("faults", kind="hang", seconds=60)
    TrackingAccount.objects.create(
        code="tracker_delivery", name="배송조회", base_url=tracker.base_url, is_sandbox=True, concurrency=4
    )
    worker = processes.start("worker", env={"OMS_WORKER_THREADS": "2"})
    for duty in lanes.wanted(at=now):
        for _ in range(5):
            send(LANE, {"lane_id": duty.lane_id})
    waits = TrackingLane.objects.filter(lease_until__gt=now)
    assert system.wait_until(lambda: waits.count() == len(COURIERS), timeout=PATIENCE), worker.log()

    job = waiting_job(make_lines, staff)
    send("core.tasks.run_job", {"job_id": job.pk})
    assert system.wait_until(lambda: reloaded(job).state != JobState.QUEUED, timeout=PATIENCE)
    assert waits.count() == len(COURIERS), "it was begun while no courier had answered"
    assert set(waits.values_list("lease_token", flat=True)) == {1}

    tracker.control("faults", method="DELETE")
    assert worker.stop() == 0, worker.log()
    assert not TrackingLane.objects.filter(lease_until__gt=timezone.now()).exists(), "it gave its lanes back"
    assert not TrackingEvent.objects.exists()
