"""The table of periodic jobs and what beat makes of it."""

from datetime import timedelta

import pytest
from celery.schedules import crontab
from django.utils import timezone
from django.utils.module_loading import import_string

from core.models import SlotRun
from core.slots import run_slot
from oms.celery import PERIODIC, Periodic, app, beat_schedule


def test_beat_wakes_one_generic_task_with_the_name_and_the_work_of_the_job():
    daily = Periodic("confirm-purchases", "orders.tasks.confirm", crontab(hour=4, minute=10))
    often = Periodic("sweep", "core.sweep.run", timedelta(seconds=30))
    table = beat_schedule((daily, often))
    assert {entry["task"] for entry in table.values()} == {"core.tasks.run_slot"}
    assert table["sweep"]["kwargs"] == {"job": "sweep", "work": "core.sweep.run"}
    assert table["confirm-purchases"]["schedule"] == crontab(hour=4, minute=10)
    assert (table["confirm-purchases"]["options"], table["sweep"]["options"]) == ({"expires": 3600}, {"expires": 60})


def test_every_job_of_the_table_has_its_own_name_and_work_that_exists():
    assert len({job.name for job in PERIODIC}) == len(PERIODIC)
    for job in PERIODIC:
        assert callable(import_string(job.work))


@pytest.mark.parametrize("job", PERIODIC, ids=lambda job: job.name)
def test_every_job_of_the_table_runs_in_an_empty_shop(db, job):
    assert run_slot(job=job.name, at=timezone.now())
    run = SlotRun.objects.get(job=job.name)
    assert (run.error, run.finished_at is None) == ("", False)


def test_the_table_holds_the_work_of_the_shop():
    every = {job.name: job.every for job in PERIODIC}
    assert every["cancel-unpaid"] == timedelta(minutes=1)
    assert every["confirm-purchase"] == crontab(hour=3, minute=10)
    assert every["forget-keys"] == crontab(hour=4, minute=50)
    assert every["stock-verdicts"] == timedelta(minutes=1)


def test_the_application_knows_the_generic_task():
    app.loader.import_default_modules()
    assert "core.tasks.run_slot" in app.tasks
