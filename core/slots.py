"""Periodic jobs: each run claims its (job, slot) row, so two beats work once and a missed slot is caught up once.

Beat only wakes a worker up with `core.tasks.run_slot`. The worker computes the newest slot of the job's schedule and
claims it in the database; several missed slots therefore become one run. The schedule is the table of oms/celery.py,
read here out of the Celery configuration. Source: reliability.md 1.4, F33.
"""

import logging
from datetime import UTC, datetime, time, timedelta
from typing import Any, TypeAlias

from celery import current_app
from celery.schedules import crontab
from django.db import connection
from django.db.models import Max
from django.utils.module_loading import import_string

from core.calendar import KST
from core.models import SlotRun

log = logging.getLogger("core.slots")

GRACE = timedelta(seconds=60)
"""How late a slot may be before it counts as missed."""
RETRY_AFTER = timedelta(minutes=15)
"""A run that was claimed and never finished (its process died, or it failed) may be claimed again."""
KEEP = timedelta(days=3)
LONGEST_WAIT_DAYS = 366

Every: TypeAlias = "crontab | timedelta"


def latest_slot(every: Every, at: datetime) -> datetime:
    """회차: the newest moment at or before `at` in which the schedule was due.

    Intervals are counted from the epoch, a crontab in KST.
    Raises ValueError for a crontab that was not due within a year.
    """
    if isinstance(every, timedelta):
        step = every.total_seconds()
        return datetime.fromtimestamp(at.timestamp() // step * step, UTC)
    local = at.astimezone(KST)
    hours, minutes = sorted(every.hour, reverse=True), sorted(every.minute, reverse=True)
    clocks = [time(hour, minute) for hour in hours for minute in minutes]
    for days in range(LONGEST_WAIT_DAYS):
        day = local.date() - timedelta(days=days)
        if day.day not in every.day_of_month or day.month not in every.month_of_year:
            continue
        if day.isoweekday() % 7 not in every.day_of_week:
            continue
        for clock in clocks:
            slot = datetime.combine(day, clock, KST)
            if slot <= local:
                return slot
    raise ValueError(f"{every} was not due within a year")


def claim_slot(*, job: str, slot: datetime, at: datetime) -> bool:
    """회차 맡기: True for exactly one caller per slot; again only for a run that never finished."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO core_slotrun AS s (job, slot, claimed_at, error) VALUES (%s, %s, %s, '')"
            " ON CONFLICT (job, slot) DO UPDATE SET claimed_at = EXCLUDED.claimed_at"
            " WHERE s.finished_at IS NULL AND s.claimed_at < %s RETURNING id",
            [job, slot, at, at - RETRY_AFTER],
        )
        return cursor.fetchone() is not None


def run_slot(*, job: str, at: datetime) -> bool:
    """회차 처리: do a periodic job for its newest slot unless somebody did; True when it ran here.

    A failure is kept on the row and tried again after 15 minutes or at the next slot. Raises LookupError for a name
    that the table does not have.
    """
    every, work = _entry(job)
    slot = latest_slot(every, at)
    if not claim_slot(job=job, slot=slot, at=at):
        return False
    row = SlotRun.objects.filter(job=job, slot=slot)
    try:
        import_string(work)(at=at)
    except Exception as error:
        # A job is any code of any app: its failure stands on the row and is tried again, the worker goes on.
        log.exception("periodic job %s failed", job)
        row.update(error=f"{type(error).__name__}: {error}"[:2000])
    else:
        row.update(finished_at=at, error="")
    return True


def overdue(at: datetime) -> list[str]:
    """밀린 작업: jobs whose slot of a minute ago nobody ran, or whose newest run died on the way."""
    newest = dict(SlotRun.objects.values_list("job").annotate(Max("slot")))
    died = set(
        SlotRun.objects.filter(finished_at=None, claimed_at__lt=at - RETRY_AFTER, slot__in=newest.values()).values_list(
            "job", "slot"
        )
    )
    late = []
    for job in schedule():
        every, _ = _entry(job)
        last = newest.get(job)
        current = latest_slot(every, at)
        if last is None or last < latest_slot(every, at - GRACE) or (job, current) in died:
            late.append(job)
    return late


def forget_old(*, at: datetime) -> int:
    """오래된 회차 지우기: rows older than three days, except the newest of each job."""
    newest = SlotRun.objects.values("job").annotate(last=Max("slot")).values_list("last", flat=True)
    deleted, _ = SlotRun.objects.filter(slot__lt=at - KEEP).exclude(slot__in=list(newest)).delete()
    return deleted


def schedule() -> dict[str, dict[str, Any]]:
    """정기 작업표: name to entry, as beat has it."""
    table: dict[str, dict[str, Any]] = current_app.conf.beat_schedule
    return table


def _entry(job: str) -> tuple[Every, str]:
    try:
        entry = schedule()[job]
    except KeyError:
        raise LookupError(f"periodic job {job!r} is not in the table") from None
    return entry["schedule"], entry["kwargs"]["work"]
