"""A job between people who confirm it and workers who take it up: real processes, one winner, nobody waits for long."""

import time

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from core.jobs import start
from core.jobs.lease import claim
from core.models import Job, JobState
from tests.fixtures.orders import reloaded
from tests.fixtures.work import LineMaker, TestHold, previewed, queued
from tests.infra.races import race

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]
HELD = 1.0


def test_a_worker_waits_for_a_second_confirmation_that_holds_the_job(
    hold_act: TestHold, make_lines: LineMaker, staff: User
) -> None:
    job = queued(previewed(hold_act, make_lines(1), actor=staff), actor=staff)

    def confirm_again() -> bool:
        with transaction.atomic():
            start.confirm(job_id=job.pk, actor=staff, at=timezone.now())
            time.sleep(HELD)
        return False

    def wake_up() -> bool:
        time.sleep(HELD / 4)
        return claim(job_id=job.pk, at=timezone.now()) is not None

    assert race([confirm_again, wake_up]) == [False, True]
    assert reloaded(job).state == JobState.RUNNING


def test_of_many_confirmations_and_workers_one_takes_the_job_up(
    hold_act: TestHold, make_lines: LineMaker, staff: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start, "IN_REQUEST", 0)
    job = previewed(hold_act, make_lines(3), actor=staff)

    def confirm() -> bool:
        return start.confirm(job_id=job.pk, actor=staff, at=job.created_at) is not None

    def wake_up() -> bool:
        # A worker is told once, when the job begins to wait.
        while not Job.objects.filter(pk=job.pk, state=JobState.QUEUED).exists():
            if reloaded(job).state == JobState.RUNNING:
                return False
        return claim(job_id=job.pk, at=timezone.now()) is not None

    found = race([confirm, confirm, confirm, wake_up, wake_up])
    assert (found[:3], sorted(found[3:])) == ([False] * 3, [False, True])
    assert (reloaded(job).state, reloaded(job).lease_token) == (JobState.RUNNING, 1)
