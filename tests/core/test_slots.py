"""Periodic jobs: once per slot however many beats there are, and once when slots were missed."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery import current_app
from celery.schedules import crontab
from django.db import connection
from django.utils.module_loading import import_string

from core import slots, tasks
from core.calendar import KST
from core.models import SlotRun
from core.slots import claim_slot, forget_old, latest_slot, overdue, run_slot

NOW = datetime(2026, 9, 21, 11, 7, 30, tzinfo=KST)
HALF_HOUR = timedelta(minutes=30)
ran: list[datetime] = []
broken = [False]


def work(*, at: datetime) -> None:
    if broken[0]:
        raise RuntimeError("kaputt")
    ran.append(at)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    """One half-hourly and one daily job in place of the real table."""
    ran.clear()
    broken[0] = False
    here = f"{__name__}.work"
    monkeypatch.setattr(
        slots,
        "schedule",
        lambda: {
            "often": {"schedule": HALF_HOUR, "kwargs": {"job": "often", "work": here}},
            "daily": {"schedule": crontab(minute="0", hour="3"), "kwargs": {"job": "daily", "work": here}},
        },
    )


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        (timedelta(minutes=30), datetime(2026, 9, 21, 2, 0, tzinfo=UTC)),
        (timedelta(seconds=30), datetime(2026, 9, 21, 2, 7, 30, tzinfo=UTC)),
        (crontab(minute="0", hour="3"), datetime(2026, 9, 21, 3, 0, tzinfo=KST)),
        (crontab(minute="0", hour="12"), datetime(2026, 9, 20, 12, 0, tzinfo=KST)),
        (crontab(minute="*/5"), datetime(2026, 9, 21, 11, 5, tzinfo=KST)),
        (crontab(minute="7", hour="11"), datetime(2026, 9, 21, 11, 7, tzinfo=KST)),
        (crontab(minute="0", hour="4", day_of_week="0"), datetime(2026, 9, 20, 4, 0, tzinfo=KST)),
        (crontab(minute="0", hour="4", day_of_month="1"), datetime(2026, 9, 1, 4, 0, tzinfo=KST)),
    ],
)
def test_the_newest_slot_of_a_schedule(every: Any, expected: datetime) -> None:
    assert latest_slot(every, NOW) == expected


def test_a_schedule_that_does_not_come_every_year_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="not due within a year"):
        latest_slot(crontab(minute="0", hour="0", day_of_month="29", month_of_year="2"), NOW)


def test_a_slot_is_claimed_once(db: None) -> None:
    assert claim_slot(job="x", slot=NOW, at=NOW)
    assert not claim_slot(job="x", slot=NOW, at=NOW)
    assert claim_slot(job="y", slot=NOW, at=NOW)
    assert claim_slot(job="x", slot=NOW + HALF_HOUR, at=NOW)


@pytest.mark.django_db(transaction=True)
def test_three_beats_at_once_work_once() -> None:
    gate, won = threading.Barrier(3), []

    def beat() -> None:
        gate.wait()
        won.append(claim_slot(job="x", slot=NOW, at=NOW))
        connection.close()

    threads = [threading.Thread(target=beat) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False, False, True]


def test_a_run_is_noted_with_its_end(table: None) -> None:
    assert run_slot(job="often", at=NOW)
    assert not run_slot(job="often", at=NOW + timedelta(minutes=1))
    row = SlotRun.objects.get()
    assert (row.job, row.slot, row.finished_at, row.error) == ("often", latest_slot(HALF_HOUR, NOW), NOW, "")
    assert ran == [NOW]


def test_missed_slots_become_one_run(table: None) -> None:
    run_slot(job="often", at=NOW)
    after_an_outage = NOW + timedelta(hours=5)
    assert overdue(after_an_outage) == ["often", "daily"]
    assert run_slot(job="often", at=after_an_outage)
    assert ran == [NOW, after_an_outage]
    assert overdue(after_an_outage) == ["daily"]


def test_a_slot_that_just_began_is_left_to_beat(table: None) -> None:
    run_slot(job="often", at=NOW)
    run_slot(job="daily", at=NOW)
    begun = latest_slot(HALF_HOUR, NOW) + HALF_HOUR
    assert overdue(begun + timedelta(seconds=59)) == []
    assert overdue(begun + timedelta(seconds=61)) == ["often"]


def test_a_failed_run_is_tried_again_after_a_quarter_of_an_hour(table: None) -> None:
    broken[0] = True
    assert run_slot(job="daily", at=NOW)
    row = SlotRun.objects.get()
    assert (row.finished_at, row.error) == (None, "RuntimeError: kaputt")
    broken[0] = False
    assert not run_slot(job="daily", at=NOW + timedelta(minutes=14))
    late = NOW + timedelta(minutes=16)
    assert "daily" in overdue(late)
    assert run_slot(job="daily", at=late)
    assert (ran, SlotRun.objects.get().finished_at, SlotRun.objects.get().error) == ([late], late, "")
    assert not run_slot(job="daily", at=late + timedelta(hours=1))


def test_a_run_whose_process_died_is_taken_up_again(table: None) -> None:
    claim_slot(job="daily", slot=latest_slot(crontab(minute="0", hour="3"), NOW), at=NOW)
    run_slot(job="often", at=NOW)
    assert overdue(NOW + timedelta(minutes=14)) == []
    assert overdue(NOW + timedelta(minutes=16)) == ["daily"]


def test_an_unknown_job_is_a_mistake(table: None) -> None:
    with pytest.raises(LookupError, match="not in the table"):
        run_slot(job="nothing", at=NOW)


def test_old_rows_are_forgotten_but_the_newest_stays(table: None) -> None:
    for days in (9, 5, 4):
        claim_slot(job="daily", slot=NOW - timedelta(days=days), at=NOW)
    assert forget_old(at=NOW) == 2
    assert SlotRun.objects.get().slot == NOW - timedelta(days=4)


# The real table


def test_every_periodic_job_is_woken_through_run_slot_and_exists() -> None:
    table = current_app.conf.beat_schedule
    assert {"sweep", "relay", "canary"} <= set(table)
    for name, entry in table.items():
        assert entry["task"] == "core.tasks.run_slot"
        assert entry["kwargs"]["job"] == name
        assert callable(import_string(entry["kwargs"]["work"])), name


@pytest.mark.parametrize("name", ["sweep", "relay", "canary"])
def test_the_periodic_jobs_of_core_run(name: str, db: None) -> None:
    tasks.run_slot(job=name, work="ignored: the table decides")
    row = SlotRun.objects.get(job=name)
    assert row.error == ""
    assert row.finished_at is not None
