"""A worker that lives but consumes nothing is noticed and restarted."""

import os
import signal
from datetime import UTC, datetime, timedelta

import pytest

from core import processes
from core.models import SlotRun
from oms.supervisor import Child, Supervisor
from oms.watchdog import CANARY, worker_is_deaf

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


def canary_ran(seconds_ago: int) -> None:
    at = NOW - timedelta(seconds=seconds_ago)
    SlotRun.objects.create(job=CANARY, slot=at, claimed_at=at, finished_at=at)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("canary", "worker_age", "deaf"),
    [(60, 600, False), (179, 600, False), (181, 600, True), (181, 100, False), (None, 181, True), (None, 100, False)],
)
def test_a_worker_is_deaf_when_no_canary_ran_for_three_minutes_of_its_life(canary, worker_age, deaf, valkey):
    if canary is not None:
        canary_ran(canary)
    assert worker_is_deaf(at=NOW, worker_since=NOW - timedelta(seconds=worker_age)) is deaf


@pytest.mark.django_db
def test_without_a_broker_the_worker_is_not_to_blame(no_broker):
    canary_ran(600)
    assert not worker_is_deaf(at=NOW, worker_since=NOW - timedelta(seconds=900))


@pytest.mark.processes
def test_a_restart_ends_a_stopped_process_and_starts_a_new_one():
    def start():
        return processes.spawn(["sleep", "60"], env={"PATH": os.environ["PATH"]}, death_signal=signal.SIGKILL)

    supervisor = Supervisor(("worker",))
    supervisor.add(Child("worker", start, lambda process: processes.stop(process, grace=1)))
    try:
        before = supervisor.children[0].process.pid
        os.kill(before, signal.SIGSTOP)
        supervisor.restart("worker")
        assert not processes.is_running(before)
        assert supervisor.age("worker") == 0
        supervisor.watch()
        assert supervisor.children[0].process.pid != before
    finally:
        supervisor.stop()
    assert supervisor.age("worker") == 0
