"""Wake workers up for jobs that are due and for periodic jobs that were missed.

Part of the relay role, in a thread of its own: a broker that hangs must not hold deliveries up. A job that begins to
wait says so by NOTIFY; once a second the table is looked at anyway. What a worker was told and did not take within half
a minute (the broker was emptied, the worker died) is told again. Source: F28 to F31, F33.
"""

import time
from collections.abc import Callable, Collection
from datetime import datetime

from celery import current_app
from django.utils import timezone

from core import slots
from core.jobs.lease import DUE
from core.jobs.lifecycle import CHANNEL
from core.loops import Loop
from core.models import Job

REPEAT_AFTER = 30.0
"""Seconds after which an unanswered wake-up is sent again."""
MISSED_EVERY = 30.0

Send = Callable[[str, dict[str, object]], None]


def due_jobs() -> list[int]:
    """할 작업: ids of jobs that wait for a worker, oldest first."""
    return list(Job.objects.filter(DUE).order_by("pk").values_list("pk", flat=True))


def send(task: str, kwargs: dict[str, object]) -> None:
    """깨우기: publish one message, without retries of its own; raises when the broker does not take it."""
    current_app.send_task(task, kwargs=kwargs, retry=False, ignore_result=True)


class Dispatcher:
    """배차: tells workers what is due, each thing once per half minute."""

    def __init__(self, send: Send = send) -> None:
        self._send = send
        self._told: dict[str, float] = {}
        self._looked_for_missed = 0.0

    def tell(self, *, at: datetime) -> int:
        """할 일 알리기: one round; returns how many messages went out. Raises what the broker's client raises."""
        due: dict[str, tuple[str, dict[str, object]]] = {
            f"job {pk}": ("core.tasks.run_job", {"job_id": pk}) for pk in due_jobs()
        }
        now = time.monotonic()
        if now - self._looked_for_missed >= MISSED_EVERY or not self._looked_for_missed:
            self._looked_for_missed = now
            due |= {f"slot {name}": ("core.tasks.run_slot", {"job": name}) for name in slots.overdue(at)}
        self._told = {key: told for key, told in self._told.items() if now - told < REPEAT_AFTER and _waits(key, due)}
        fresh = [key for key in due if key not in self._told]
        for key in fresh:
            self._send(*due[key])
            self._told[key] = now
        return len(fresh)


def _waits(key: str, due: Collection[str]) -> bool:
    """A job that was taken up meanwhile is news when it waits again; missed slots are looked for only now and then."""
    return key in due or not key.startswith("job ")


def loop(send: Send = send) -> Loop:
    """배차 계속: at every NOTIFY and once a second; longer pauses while the broker or the database is away."""
    dispatcher = Dispatcher(send)
    return Loop("dispatch", CHANNEL, lambda: dispatcher.tell(at=timezone.now()), names_error_only=True)
