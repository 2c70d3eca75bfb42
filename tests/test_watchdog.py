"""A worker that lives but consumes nothing is noticed and restarted."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings

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


# The signal comes while Python runs its own hooks after the fork, where an exception is dropped.
STOPPED_IN_A_FORK = """
import os, signal, sys
from core import processes
from oms.supervisor import StopRequested, stop_on_signals

os.register_at_fork(after_in_parent=lambda: (os.kill(os.getpid(), signal.SIGTERM), None)[1])
with stop_on_signals() as stopping:
    child = processes.spawn(["sleep", "60"], env=dict(os.environ), death_signal=signal.SIGTERM)
    try:
        stopping.check()
    except StopRequested:
        print("stopped", child.pid)
"""


@pytest.mark.processes
def test_a_stop_in_the_middle_of_a_fork_is_not_lost():
    done = subprocess.run(
        [sys.executable, "-c", STOPPED_IN_A_FORK], cwd=settings.BASE_DIR, capture_output=True, text=True, check=False
    )
    assert "Exception ignored" in done.stderr
    word, _, pid = done.stdout.strip().partition(" ")
    assert word == "stopped", done.stderr
    assert processes.wait_until(lambda: not processes.is_running(int(pid)), timeout=10)
