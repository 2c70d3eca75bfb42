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
    `work` is called with `at` alone, from core/slots.py, and may run again after a failure.
    """

    name: str
    work: str  # import path of a function or task that takes `at`
    every: crontab | timedelta


PERIODIC: tuple[Periodic, ...] = (
    Periodic("sweep", "core.jobs.sweep.sweep", timedelta(seconds=30)),
    Periodic("relay", "core.relay.run_once", timedelta(seconds=60)),
    Periodic("canary", "core.tasks.canary", timedelta(seconds=60)),
    Periodic("cancel-unpaid", "payments.tasks.cancel_unpaid_overdue", timedelta(seconds=60)),
    Periodic("pg-notices", "payments.tasks.process_notices", timedelta(seconds=30)),
    Periodic("watch-money", "payments.tasks.watch_money", timedelta(minutes=5)),
    Periodic("reconcile-soon", "payments.tasks.reconcile_soon", timedelta(minutes=30)),
    Periodic("reconcile-week", "payments.tasks.reconcile_week", crontab(hour=3, minute=40)),
    Periodic("retain-requests", "payments.tasks.retain_requests", crontab(hour=4, minute=30)),
    Periodic("remind-deposit", "payments.tasks.remind_due", crontab(hour="9-20", minute=5)),
    Periodic("confirm-purchase", "orders.tasks.confirm_after_days", crontab(hour=3, minute=10)),
    Periodic("stock-verdicts", "orders.tasks.renew_stock_verdicts", timedelta(seconds=60)),
    Periodic("fold-counts", "orders.tasks.fold_step_counts", crontab(hour=4, minute=20)),
    Periodic("forget-keys", "channels.services.idempotency.forget_old_keys", crontab(hour=4, minute=50)),
    Periodic("forget-searches", "core.lists.searches.forget_old", crontab(hour=4, minute=55)),
    Periodic("forget-inputs", "core.jobs.inputs.forget_old", crontab(hour=4, minute=58)),
    Periodic("close-handovers", "shipping.services.handover.timers.run", crontab(minute=25)),
    Periodic("poll-tracking", "shipping.tasks.poll_tracking", timedelta(seconds=10)),
    Periodic("watch-numbers", "shipping.tasks.watch_numbers", timedelta(minutes=10)),
    Periodic("exception-sweep", "shipping.tasks.sweep_exceptions", timedelta(minutes=30)),
    Periodic("pull-feeds", "shipping.tasks.pull_feeds", timedelta(seconds=10)),
    Periodic("tend-hooks", "shipping.tasks.tend_hooks", crontab(minute=35)),
    Periodic("forget-orphans", "shipping.tasks.forget_orphans", crontab(hour=4, minute=40)),
    Periodic("plan-tracking", "shipping.tasks.plan_tracking", timedelta(minutes=5)),
)


def beat_schedule(jobs: tuple[Periodic, ...]) -> dict[str, dict[str, Any]]:
    """Celery's form of the table. A wake-up that nobody took within its interval (at most an hour) is dropped."""
    return {
        job.name: {
            "task": "core.tasks.run_slot",
            "kwargs": {"job": job.name, "work": job.work},
            "schedule": job.every,
            "options": {"expires": _expires(job.every)},
        }
        for job in jobs
    }


def _expires(every: crontab | timedelta) -> int:
    return min(3600, max(60, int(every.total_seconds()))) if isinstance(every, timedelta) else 3600


app = Celery("oms")
app.config_from_object("django.conf:settings", namespace="CELERY")
# In memory: a schedule file would be one more thing that a kill can corrupt.
app.conf.beat_scheduler = "celery.beat:Scheduler"
app.conf.beat_schedule = beat_schedule(PERIODIC)
app.autodiscover_tasks()
