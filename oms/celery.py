"""The Celery application and the one table of periodic jobs."""

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from celery import Celery
from celery.schedules import crontab

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "oms.settings")


@dataclass(frozen=True)
class Periodic:
    """A job that beat wakes up. The run claims its (name, slot) row first, so two beats do the work once.

    `every` is counted in KST. An interval starts anew when beat restarts: give anything rarer than hourly a crontab.
    """

    name: str
    task: str  # import path of the task
    every: crontab | timedelta


PERIODIC: tuple[Periodic, ...] = ()


def beat_schedule(jobs: tuple[Periodic, ...]) -> dict[str, dict[str, Any]]:
    """Celery's form of the table. A wake-up that nobody took within its interval (at most an hour) is dropped."""
    return {
        job.name: {"task": job.task, "schedule": job.every, "options": {"expires": _expires(job.every)}} for job in jobs
    }


def _expires(every: crontab | timedelta) -> int:
    return min(3600, max(60, int(every.total_seconds()))) if isinstance(every, timedelta) else 3600


app = Celery("oms")
app.config_from_object("django.conf:settings", namespace="CELERY")
# In memory: a schedule file would be one more thing that a kill can corrupt.
app.conf.beat_scheduler = "celery.beat:Scheduler"
app.conf.beat_schedule = beat_schedule(PERIODIC)
app.autodiscover_tasks()
