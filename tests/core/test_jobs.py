"""Jobs: confirmed once, run in chunks, and only on rows that are what the person saw."""

import contextlib
import threading
from collections.abc import Callable, Collection
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models import F

from accounts.models import User
from accounts.roles import Role
from core.exceptions import Conflict, DomainError, NotAllowed
from core.jobs import dispatch, items, runner, start
from core.jobs.lease import claim
from core.locks import LockTimeout
from core.models import Job, JobItem, JobState
from orders.models import OrderEvent, OrderLine
from tests.fixtures.orders import NOW, reloaded
from tests.fixtures.work import (
    LineMaker,
    TestHold,
    confirmed,
    held_by,
    hold_lines,
    job_events,
    previewed,
    queued,
    tally,
    work_on,
)

LATER = NOW + timedelta(minutes=1)


# Confirmation


def test_a_small_job_runs_in_the_request(hold_act: TestHold, make_lines: LineMaker, staff: User) -> None:
    job = confirmed(previewed(hold_act, make_lines(3), actor=staff), actor=staff)
    assert (job.state, job.total, job.done, job.failed) == (JobState.DONE, 3, 3, 0)
    assert tally(job) == (0, 3, 0)
    assert job_events(job) == ["job.queued", "job.started", "job.done"]
    assert set(JobItem.objects.filter(job=job).values_list("made_version", flat=True)) == {1}
    assert job.undo_until == job.finished_at + timedelta(minutes=30)  # type: ignore[operator]
    assert job.lease_until is None


def test_more_than_two_hundred_rows_wait_for_a_worker(hold_act: TestHold, make_lines: LineMaker, staff: User) -> None:
    lines = make_lines(201, per_order=10)
    job = previewed(hold_act, lines, actor=staff)
    assert start.confirm(job_id=job.pk, actor=staff, at=job.created_at) is None
    assert (reloaded(job).state, held_by(job)) == (JobState.QUEUED, 0)
    assert dispatch.due_jobs() == [job.pk]
    assert (work_on(job).state, held_by(job)) == (JobState.DONE, 201)
    assert dispatch.due_jobs() == []


def test_a_second_confirmation_changes_nothing(hold_act: TestHold, make_lines: LineMaker, staff: User) -> None:
    job = previewed(hold_act, make_lines(2), actor=staff)
    first = confirmed(job, actor=staff)
    assert start.confirm(job_id=job.pk, actor=staff, at=job.created_at) is None
    again = reloaded(job)
    assert (again.version, again.state, held_by(job)) == (first.version, JobState.DONE, 2)


@pytest.mark.django_db(transaction=True)
def test_twenty_confirmations_at_once_do_it_once(hold_act: TestHold, make_lines: LineMaker, staff: User) -> None:
    lines = make_lines(2)
    job = previewed(hold_act, lines, actor=staff)
    gate, leases = threading.Barrier(20), []

    def press() -> None:
        gate.wait()
        found = start.confirm(job_id=job.pk, actor=staff, at=job.created_at)
        if found is not None:
            leases.append(found)
            runner.run(found, patient=False)
        connection.close()

    threads = [threading.Thread(target=press) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(leases) == 1
    assert (reloaded(job).state, held_by(job)) == (JobState.DONE, 2)
    assert [reloaded(line).version for line in lines] == [1, 1]


@pytest.mark.django_db(transaction=True)
def test_the_same_selection_pressed_ten_times_acts_once(hold_act: TestHold, make_lines: LineMaker, staff: User) -> None:
    lines = make_lines(3)
    jobs = [previewed(hold_act, lines, actor=staff) for _ in range(10)]
    gate = threading.Barrier(10)

    def press(job: Job) -> None:
        gate.wait()
        with contextlib.suppress(Conflict):
            confirmed(job, actor=staff)
        connection.close()

    threads = [threading.Thread(target=press, args=[job]) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert OrderEvent.objects.filter(kind="line.held").count() == 3
    assert [reloaded(line).version for line in lines] == [1, 1, 1]


def test_nothing_to_do_is_not_begun(hold_act: TestHold, make_lines: LineMaker, staff: User) -> None:
    [line] = make_lines(1)
    hold_lines([line.pk], actor=staff, at=NOW)
    job = previewed(hold_act, [line], actor=staff)
    with pytest.raises(Conflict, match="처리할 수 있는 행이 없습니다"):
        start.confirm(job_id=job.pk, actor=staff, at=job.created_at)
    assert (reloaded(job).state, reloaded(line).version) == (JobState.PREVIEW, 1)


def test_what_somebody_else_selected_is_not_ones_own(
    hold_act: TestHold, make_lines: LineMaker, staff: User, make_staff: Callable[..., User]
) -> None:
    job = previewed(hold_act, make_lines(1), actor=staff)
    with pytest.raises(NotAllowed):
        start.confirm(job_id=job.pk, actor=make_staff(Role.OWNER), at=job.created_at)
    assert (reloaded(job).state, held_by(job)) == (JobState.PREVIEW, 0)


def test_a_preview_lasts_a_day(hold_act: TestHold, make_lines: LineMaker, staff: User) -> None:
    job = previewed(hold_act, make_lines(1), actor=staff)
    with pytest.raises(Conflict, match="하루를 넘었습니다"):
        start.confirm(job_id=job.pk, actor=staff, at=job.created_at + timedelta(hours=24, seconds=1))
    assert (reloaded(job).state, held_by(job)) == (JobState.PREVIEW, 0)


def test_a_second_act_on_rows_of_a_running_job_is_refused_at_its_confirmation(
    hold_act: TestHold, make_lines: LineMaker, staff: User
) -> None:
    lines = make_lines(2)
    first, second = previewed(hold_act, lines, actor=staff), previewed(hold_act, lines[:1], actor=staff)
    queued(first, actor=staff)
    with pytest.raises(Conflict, match="아직 끝나지 않았습니다"):
        start.confirm(job_id=second.pk, actor=staff, at=second.created_at)
    assert (reloaded(second).state, held_by(second)) == (JobState.PREVIEW, 0)


# Between preview and run


def test_a_row_that_moved_after_the_preview_is_left_out(
    hold_act: TestHold, make_lines: LineMaker, staff: User, make_staff: Callable[..., User]
) -> None:
    first, second = make_lines(2)
    job = previewed(hold_act, [first, second], actor=staff)
    hold_lines([first.pk], actor=make_staff(Role.CS, display_name="이도윤"), at=LATER)
    done = confirmed(job, actor=staff)
    assert (done.state, done.done, done.failed) == (JobState.PARTIAL, 1, 1)
    assert items.reasons(job) == [("화면을 연 뒤 09-21 11:01에 이도윤 님이 내용을 바꿨습니다(배송보류).", 1)]
    assert [reloaded(line).version for line in (first, second)] == [1, 1]


@pytest.mark.django_db(transaction=True)
def test_a_row_that_a_colleague_wins_between_look_and_lock_says_who(
    hold_act: TestHold, make_lines: LineMaker, staff: User, make_staff: Callable[..., User]
) -> None:
    lines = make_lines(2)
    job, colleague = previewed(hold_act, lines, actor=staff), make_staff(Role.CS, display_name="이도윤")

    def win() -> None:
        hold_lines([lines[0].pk], actor=colleague, at=LATER)
        connection.close()

    def race(ids: Collection[int]) -> None:
        thread = threading.Thread(target=win)
        thread.start()
        thread.join()
        hold_act.before = None

    hold_act.before = race
    done = confirmed(job, actor=staff)
    assert (done.state, done.done, done.failed) == (JobState.PARTIAL, 1, 1)
    assert items.reasons(job) == [("화면을 연 뒤 09-21 11:01에 이도윤 님이 내용을 바꿨습니다(배송보류).", 1)]


@pytest.mark.django_db(transaction=True)
def test_a_row_that_moves_between_look_and_lock_is_left_out_too(
    hold_act: TestHold, make_lines: LineMaker, staff: User, make_staff: Callable[..., User]
) -> None:
    lines = make_lines(2)
    job, colleague = previewed(hold_act, lines, actor=staff), make_staff(Role.CS, display_name="이도윤")
    raced: list[int] = []

    def race(ids: Collection[int]) -> None:
        if not raced:
            raced.append(lines[0].pk)
            thread = threading.Thread(target=stamp, args=[lines[0].pk])
            thread.start()
            thread.join()

    def stamp(pk: int) -> None:
        # A colleague acknowledges: still possible to hold, but no longer the row that was looked at.
        with transaction.atomic():
            found = OrderLine.objects.filter(pk=pk)
            found.update(acknowledged_at=LATER, version=F("version") + 1)
            OrderEvent.objects.create(
                at=LATER, kind="line.acknowledged", subject="line", subject_id=pk, version=1, actor=colleague,
                source="SCREEN", from_state="PREPARING", to_state="PREPARING", order_id=lines[0].order_id,
            )  # fmt: skip
        connection.close()

    hold_act.before = race
    done = confirmed(job, actor=staff)
    assert (done.state, done.done, done.failed) == (JobState.PARTIAL, 1, 1)
    assert items.reasons(job) == [("화면을 연 뒤 09-21 11:01에 이도윤 님이 내용을 바꿨습니다(발주확인).", 1)]
    assert [reloaded(line).version for line in lines] == [1, 1]
    assert [reloaded(line).open_locks for line in lines] == [0, 2]


# The run


def test_a_job_goes_chunk_by_chunk(hold_act: TestHold, make_lines: LineMaker, staff: User, small_chunks: int) -> None:
    lines = make_lines(8, per_order=2)
    job = queued(previewed(hold_act, lines, actor=staff), actor=staff)
    hold_act.chunks.clear()
    done = work_on(job)
    ids = [line.pk for line in lines]
    assert hold_act.chunks == [ids[:4], ids[4:]]
    assert (done.state, done.done) == (JobState.DONE, 8)


def test_a_chunk_that_is_refused_as_a_whole_leaves_the_others_alone(
    hold_act: TestHold, make_lines: LineMaker, staff: User, small_chunks: int
) -> None:
    lines = make_lines(7)
    job = queued(previewed(hold_act, lines, actor=staff), actor=staff)

    def refuse_second(ids: Collection[int]) -> None:
        if lines[3].pk in ids:
            OrderLine.objects.filter(pk__in=ids).update(option_name="반쪽")
            raise DomainError("재고가 3개 부족합니다.")

    hold_act.before = refuse_second
    done = work_on(job)
    assert (done.state, done.done, done.failed) == (JobState.PARTIAL, 4, 3)
    assert items.reasons(job) == [("재고가 3개 부족합니다.", 3)]
    assert [reloaded(line).version for line in lines] == [1, 1, 1, 0, 0, 0, 1]
    assert not OrderLine.objects.filter(option_name="반쪽").exists()


def test_a_deadlock_is_tried_three_times(hold_act: TestHold, make_lines: LineMaker, staff: User) -> None:
    job = queued(previewed(hold_act, make_lines(2), actor=staff), actor=staff)
    tries = []

    def deadlock_twice(ids: Collection[int]) -> None:
        tries.append(ids)
        if len(tries) < 3:
            error = OperationalError("deadlock detected")
            error.__cause__ = type("Cause", (Exception,), {"pgcode": "40P01"})()
            raise error

    hold_act.before = deadlock_twice
    assert (work_on(job).state, len(tries), held_by(job)) == (JobState.DONE, 3, 2)


def test_a_deadlock_that_does_not_end_fails_the_job_cleanly(
    hold_act: TestHold, make_lines: LineMaker, staff: User
) -> None:
    lines = make_lines(2)
    job = queued(previewed(hold_act, lines, actor=staff), actor=staff)

    def deadlock(ids: Collection[int]) -> None:
        error = OperationalError("deadlock detected")
        error.__cause__ = type("Cause", (Exception,), {"pgcode": "40P01"})()
        raise error

    hold_act.before = deadlock
    done = work_on(job)
    assert (done.state, done.error) == (JobState.FAILED, runner.RACES_LOST)
    assert tally(job) == (2, 0, 0)
    assert [reloaded(line).version for line in lines] == [0, 0]


def test_rows_that_a_colleague_holds_are_waited_for_and_then_refused(
    hold_act: TestHold, make_lines: LineMaker, staff: User
) -> None:
    lines = make_lines(2)
    job = queued(previewed(hold_act, lines, actor=staff), actor=staff)
    tries = []

    def busy(ids: Collection[int]) -> None:
        tries.append(ids)
        raise LockTimeout("이도윤 님이 같은 주문을 처리하고 있습니다.")

    hold_act.before = busy
    done = work_on(job)
    # Three times as they come, then once more without the rows that a database lock shows as held: here none.
    assert (done.state, done.failed, len(tries)) == (JobState.PARTIAL, 2, 4)
    assert items.reasons(job) == [("이도윤 님이 같은 주문을 처리하고 있습니다.", 2)]
    assert [reloaded(line).version for line in lines] == [0, 0]


def test_a_request_does_not_wait_three_times(hold_act: TestHold, make_lines: LineMaker, staff: User) -> None:
    job = previewed(hold_act, make_lines(1), actor=staff)
    tries = []

    def busy(ids: Collection[int]) -> None:
        tries.append(ids)
        raise LockTimeout("이도윤 님이 같은 주문을 처리하고 있습니다.")

    hold_act.before = busy
    assert (confirmed(job, actor=staff).state, len(tries)) == (JobState.PARTIAL, 2)


def test_an_unexpected_error_fails_the_job_and_it_can_go_on(
    hold_act: TestHold, make_lines: LineMaker, staff: User, small_chunks: int
) -> None:
    lines = make_lines(5)
    job = queued(previewed(hold_act, lines, actor=staff), actor=staff)
    broken = [True]

    def break_second(ids: Collection[int]) -> None:
        if broken[0] and lines[4].pk in ids:
            raise ZeroDivisionError("kaputt")

    hold_act.before = break_second
    failed = work_on(job)
    assert failed.state == JobState.FAILED
    assert failed.error.startswith("처리하지 못했습니다.")
    assert "번호" in failed.error
    assert tally(job) == (2, 3, 0)
    assert claim(job_id=job.pk, at=NOW) is None, "it waits for a person"
    broken[0] = False
    start.resume(job_id=job.pk, actor=staff, at=LATER)
    done = work_on(job)
    assert (done.state, done.done, done.error) == (JobState.DONE, 5, "")
    assert [reloaded(line).version for line in lines] == [1] * 5
    assert job_events(job) == ["job.queued", "job.started", "job.failed", "job.queued", "job.started", "job.done"]


def test_an_act_that_this_version_does_not_know_fails_the_job(
    hold_act: TestHold, make_lines: LineMaker, staff: User
) -> None:
    job = queued(previewed(hold_act, make_lines(1), actor=staff), actor=staff)
    Job.objects.filter(pk=job.pk).update(act="gone")
    assert (work_on(job).state, reloaded(job).error) == (JobState.FAILED, runner.ACT_UNKNOWN)
