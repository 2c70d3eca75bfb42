"""Jobs: stopped, resumed, taken over from silent holders, and told to workers again and again."""

import threading
from collections.abc import Collection
from datetime import timedelta
from queue import Queue
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, connection, transaction

from accounts.models import User
from accounts.roles import Role
from core import loops
from core.exceptions import Conflict
from core.jobs import dispatch, lease, runner, start, sweep
from core.jobs.lease import LeaseLost, claim, renew, take
from core.jobs.lifecycle import CHANNEL, lock_job
from core.models import ItemResult, Job, JobItem, JobKind, JobState
from oms.celery import PERIODIC
from tests.fixtures.orders import NOW, reloaded
from tests.fixtures.work import (
    LineMaker,
    TestHold,
    confirmed,
    expire,
    held_by,
    hold_lines,
    previewed,
    queued,
    tally,
    work_on,
)

LATER = NOW + timedelta(minutes=1)


# Stop, resume, people


def test_a_running_job_stops_before_its_next_chunk(
    hold_act: TestHold, make_lines: LineMaker, staff: User, small_chunks: int
) -> None:
    lines = make_lines(7)
    job = queued(previewed(hold_act, lines, actor=staff), actor=staff)
    hold_act.before = lambda ids: start.cancel(job_id=job.pk, actor=staff, at=LATER)
    stopped = work_on(job)
    assert (stopped.state, tally(job)) == (JobState.CANCELED, (4, 3, 0))
    hold_act.before = lambda ids: None
    start.resume(job_id=job.pk, actor=staff, at=LATER)
    assert (work_on(job).state, tally(job)) == (JobState.DONE, (0, 7, 0))
    assert [reloaded(line).version for line in lines] == [1] * 7


def test_a_waiting_job_stops_at_once_and_can_go_on(hold_act: TestHold, make_lines: LineMaker, staff: User) -> None:
    job = queued(previewed(hold_act, make_lines(2), actor=staff), actor=staff)
    start.cancel(job_id=job.pk, actor=staff, at=LATER)
    assert (reloaded(job).state, dispatch.due_jobs()) == (JobState.CANCELED, [])
    start.resume(job_id=job.pk, actor=staff, at=LATER)
    assert (work_on(job).state, held_by(job)) == (JobState.DONE, 2)


def test_a_preview_that_is_thrown_away_stays_away(hold_act: TestHold, make_lines: LineMaker, staff: User) -> None:
    job = previewed(hold_act, make_lines(2), actor=staff)
    start.cancel(job_id=job.pk, actor=staff, at=LATER)
    with pytest.raises(Conflict, match="이어서 처리할 행이 없습니다"):
        start.resume(job_id=job.pk, actor=staff, at=LATER)
    assert (reloaded(job).state, tally(job)) == (JobState.CANCELED, (0, 0, 0))


def test_a_finished_job_neither_stops_nor_goes_on(hold_act: TestHold, make_lines: LineMaker, staff: User) -> None:
    job = confirmed(previewed(hold_act, make_lines(1), actor=staff), actor=staff)
    start.cancel(job_id=job.pk, actor=staff, at=LATER)
    with pytest.raises(Conflict):
        start.resume(job_id=job.pk, actor=staff, at=LATER)
    assert (reloaded(job).state, reloaded(job).version) == (JobState.DONE, job.version)


def test_a_job_stops_when_its_person_is_disabled(
    hold_act: TestHold, make_lines: LineMaker, staff: User, small_chunks: int
) -> None:
    job = queued(previewed(hold_act, make_lines(5), actor=staff), actor=staff)
    hold_act.before = lambda ids: User.objects.filter(pk=staff.pk).update(is_active=False) and None
    stopped = work_on(job)
    assert (stopped.state, stopped.error, tally(job)) == (JobState.FAILED, runner.STAFF_DISABLED, (2, 3, 0))


def test_a_job_stops_when_its_person_loses_the_right(
    hold_act: TestHold, make_lines: LineMaker, staff: User, small_chunks: int
) -> None:
    job = queued(previewed(hold_act, make_lines(5), actor=staff), actor=staff)
    hold_act.before = lambda ids: User.objects.filter(pk=staff.pk).update(role=Role.VIEWER) and None
    stopped = work_on(job)
    assert (stopped.state, stopped.error, tally(job)) == (JobState.FAILED, runner.RIGHT_LOST, (2, 3, 0))


# Leases


def test_a_lease_is_given_once(hold_act: TestHold, make_lines: LineMaker, staff: User) -> None:
    job = queued(previewed(hold_act, make_lines(1), actor=staff), actor=staff)
    first = claim(job_id=job.pk, at=NOW)
    assert first is not None
    assert claim(job_id=job.pk, at=NOW) is None
    assert (reloaded(job).state, reloaded(job).attempts) == (JobState.RUNNING, 1)


def test_a_silent_holder_is_replaced_and_fenced_off(hold_act: TestHold, make_lines: LineMaker, staff: User) -> None:
    lines = make_lines(2)
    job = queued(previewed(hold_act, lines, actor=staff), actor=staff)
    silent = claim(job_id=job.pk, at=NOW)
    assert silent is not None
    expire(job)
    assert dispatch.due_jobs() == [job.pk]
    other = claim(job_id=job.pk, at=NOW)
    assert other is not None
    assert other.token == silent.token + 1
    runner.run(silent)
    assert (held_by(job), reloaded(job).state) == (0, JobState.RUNNING), "the late one wrote nothing"
    with pytest.raises(LeaseLost), transaction.atomic():
        renew(silent)
    runner.run(other)
    assert (held_by(job), reloaded(job).state) == (2, JobState.DONE)
    runner.run(silent)
    assert [reloaded(line).version for line in lines] == [1, 1]


def test_a_job_that_kills_its_process_is_given_up_after_five_attempts(
    hold_act: TestHold, make_lines: LineMaker, staff: User
) -> None:
    job = queued(previewed(hold_act, make_lines(1), actor=staff), actor=staff)
    for attempt in range(1, 6):
        assert claim(job_id=job.pk, at=NOW) is not None, attempt
        expire(job)
    assert claim(job_id=job.pk, at=NOW) is None
    assert (reloaded(job).state, reloaded(job).error) == (JobState.FAILED, lease.DIED_TOO_OFTEN)
    start.resume(job_id=job.pk, actor=staff, at=LATER)
    assert reloaded(job).attempts == 0
    assert (work_on(job).state, held_by(job)) == (JobState.DONE, 1)


def test_progress_forgives_earlier_attempts(
    hold_act: TestHold, make_lines: LineMaker, staff: User, small_chunks: int
) -> None:
    job = queued(previewed(hold_act, make_lines(4), actor=staff), actor=staff)
    Job.objects.filter(pk=job.pk).update(attempts=4)
    assert (work_on(job).attempts, reloaded(job).state) == (0, JobState.DONE)


def test_a_stopped_holder_makes_room_for_the_person_who_stops_the_job(
    hold_act: TestHold, make_lines: LineMaker, staff: User
) -> None:
    job = queued(previewed(hold_act, make_lines(1), actor=staff), actor=staff)
    assert claim(job_id=job.pk, at=NOW) is not None
    expire(job)
    start.cancel(job_id=job.pk, actor=staff, at=LATER)
    assert reloaded(job).state == JobState.CANCELED


def test_a_lease_can_be_taken_by_whoever_locked_the_job(hold_act: TestHold, make_lines: LineMaker, staff: User) -> None:
    job = queued(previewed(hold_act, make_lines(1), actor=staff), actor=staff)
    with transaction.atomic():
        locked = lock_job(job.pk)
        assert locked is not None
        given = take(locked, at=NOW)
    assert (given.token, reloaded(job).state) == (1, JobState.RUNNING)


@pytest.mark.django_db(transaction=True)
def test_a_locked_job_is_left_to_whoever_holds_it(hold_act: TestHold, make_lines: LineMaker, staff: User) -> None:
    job = queued(previewed(hold_act, make_lines(1), actor=staff), actor=staff)
    answers = []

    def try_it() -> None:
        answers.append(claim(job_id=job.pk, at=NOW))
        connection.close()

    with transaction.atomic():
        lock_job(job.pk)
        thread = threading.Thread(target=try_it)
        thread.start()
        thread.join()
    assert answers == [None]
    assert claim(job_id=job.pk, at=NOW) is not None


@pytest.mark.django_db(transaction=True)
def test_a_lost_database_connection_leaves_the_chunk_to_the_next_holder(
    hold_act: TestHold, make_lines: LineMaker, staff: User
) -> None:
    lines = make_lines(2)
    job = queued(previewed(hold_act, lines, actor=staff), actor=staff)

    def cut(ids: Collection[int]) -> None:
        hold_act.before = lambda ids: None
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    hold_act.before = cut
    found = claim(job_id=job.pk, at=NOW)
    assert found is not None
    with pytest.raises((OperationalError, InterfaceError)):
        runner.run(found)
    assert (reloaded(job).state, tally(job)) == (JobState.RUNNING, (2, 0, 0))
    assert [reloaded(line).version for line in lines] == [0, 0]
    expire(job)
    assert (work_on(job).state, held_by(job)) == (JobState.DONE, 2)


# Dispatch and sweep


def test_what_is_due_is_told_once_in_half_a_minute(hold_act: TestHold, make_lines: LineMaker, staff: User) -> None:
    job = queued(previewed(hold_act, make_lines(1), actor=staff), actor=staff)
    told: list[Any] = []
    dispatcher = dispatch.Dispatcher(lambda task, kwargs: told.append((task, kwargs)))
    dispatcher.tell(at=NOW)
    dispatcher.tell(at=NOW)
    assert [one for one in told if one[0] == "core.tasks.run_job"] == [("core.tasks.run_job", {"job_id": job.pk})]
    later = dispatch.Dispatcher(lambda task, kwargs: told.append((task, kwargs)))
    later.tell(at=NOW)
    assert len([one for one in told if one[0] == "core.tasks.run_job"]) == 2


def test_a_broker_that_is_away_is_no_loss(hold_act: TestHold, make_lines: LineMaker, staff: User) -> None:
    job = queued(previewed(hold_act, make_lines(1), actor=staff), actor=staff)
    told: list[Any] = []
    away = [True]

    def send(task: str, kwargs: dict[str, object]) -> None:
        if away[0]:
            raise ConnectionError("no broker")
        told.append(kwargs)

    dispatcher = dispatch.Dispatcher(send)
    with pytest.raises(ConnectionError):
        dispatcher.tell(at=NOW)
    away[0] = False
    dispatcher.tell(at=NOW)
    assert {"job_id": job.pk} in told


def test_due_jobs_can_be_run_without_any_worker(hold_act: TestHold, make_lines: LineMaker, staff: User) -> None:
    job = queued(previewed(hold_act, make_lines(2), actor=staff), actor=staff)
    assert sweep.run_due(at=NOW) == 1
    assert (reloaded(job).state, held_by(job)) == (JobState.DONE, 2)
    assert sweep.run_due(at=NOW) == 0


def test_old_previews_are_thrown_away(hold_act: TestHold, make_lines: LineMaker, staff: User) -> None:
    job = previewed(hold_act, make_lines(1), actor=staff)
    assert sweep.sweep(at=job.created_at + timedelta(hours=23)).previews == 0
    assert sweep.sweep(at=job.created_at + timedelta(hours=25)).previews == 1
    assert (reloaded(job).state, tally(job)) == (JobState.CANCELED, (0, 0, 0))


def test_results_of_items_add_up_to_the_job(
    hold_act: TestHold, make_lines: LineMaker, staff: User, small_chunks: int
) -> None:
    lines = make_lines(10, per_order=3)
    hold_lines([lines[2].pk], actor=staff, at=NOW)
    job = work_on(queued(previewed(hold_act, lines, actor=staff), actor=staff))
    by_result = {
        result: JobItem.objects.filter(job=job, result=result).count() for result in (ItemResult.OK, ItemResult.REFUSED)
    }
    assert (job.done, job.failed, job.total) == (by_result[ItemResult.OK], by_result[ItemResult.REFUSED], 10)
    assert job.kind == JobKind.ACT


def test_a_job_that_waits_again_is_told_again_at_once(hold_act: TestHold, make_lines: LineMaker, staff: User) -> None:
    job = queued(previewed(hold_act, make_lines(1), actor=staff), actor=staff)
    told: list[Any] = []
    dispatcher = dispatch.Dispatcher(lambda task, kwargs: told.append(kwargs))
    dispatcher.tell(at=NOW)
    start.cancel(job_id=job.pk, actor=staff, at=NOW)
    dispatcher.tell(at=NOW)
    start.resume(job_id=job.pk, actor=staff, at=NOW)
    dispatcher.tell(at=NOW)
    assert [one for one in told if one == {"job_id": job.pk}] == [{"job_id": job.pk}] * 2


@pytest.mark.django_db(transaction=True)
def test_a_job_is_told_when_it_is_queued_and_not_when_somebody_looks(
    hold_act: TestHold, make_lines: LineMaker, staff: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loops, "EVERY", 600.0)
    told: Queue[dict[str, object]] = Queue()
    ending = threading.Event()
    thread = dispatch.loop(lambda task, kwargs: told.put(kwargs)).start(stop=ending)
    try:
        # Every periodic job was missed: the first look is over when the last of them was told.
        assert "job" in [told.get(timeout=120) for _ in PERIODIC][-1]
        jobs, found = [], []
        for _ in range(2):
            jobs.append(queued(previewed(hold_act, make_lines(1), actor=staff), actor=staff))
            found.append(told.get(timeout=120))
    finally:
        ending.set()
        with connection.cursor() as cursor:
            cursor.execute(f"NOTIFY {CHANNEL}")
        thread.join(timeout=120)
    assert found == [{"job_id": job.pk} for job in jobs]
