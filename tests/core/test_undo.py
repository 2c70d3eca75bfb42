"""Undo of a batch: with a preview, within 30 minutes, only what still is what the batch made of it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from accounts.models import User
from accounts.roles import Role
from core import relay
from core.exceptions import Conflict
from core.jobs import items, start, undo
from core.jobs.undo import open_undo
from core.models import Job, JobKind, JobState
from core.models.events import DeliveryState
from core.state import move
from orders import events
from orders.models import Delivery, OrderEvent, OrderLine
from tests.fixtures.orders import NOW, reloaded
from tests.fixtures.work import (
    LineMaker,
    TestHold,
    confirmed,
    hold_lines,
    job_events,
    locked_rows,
    previewed,
    queued,
    release_lines,
    tally,
    work_on,
)

Subscribe = Callable[..., list[Any]]


def held_batch(act: TestHold, lines: list[OrderLine], *, actor: User) -> Job:
    return confirmed(previewed(act, lines, actor=actor), actor=actor)


def soon(job: Job) -> Any:
    assert job.finished_at is not None
    return job.finished_at + timedelta(minutes=2)


def locks(lines: list[OrderLine]) -> list[int]:
    return [reloaded(line).open_locks for line in lines]


def test_a_batch_is_undone_as_a_whole(hold_act: TestHold, make_lines: LineMaker, staff: User) -> None:
    lines = make_lines(3)
    batch = held_batch(hold_act, lines, actor=staff)
    taken_back = open_undo(job=batch, actor=staff, at=soon(batch))
    assert (taken_back.kind, taken_back.state, tally(taken_back)) == (JobKind.UNDO, JobState.PREVIEW, (3, 0, 0))
    assert locks(lines) == [2, 2, 2], "the preview changed nothing"
    done = confirmed(taken_back, actor=staff)
    assert (done.state, done.done) == (JobState.DONE, 3)
    assert (reloaded(batch).state, reloaded(batch).undo_until) == (JobState.UNDONE, None)
    assert locks(lines) == [0, 0, 0]
    assert [reloaded(line).version for line in lines] == [2, 2, 2]
    kinds = OrderEvent.objects.filter(batch=done).values_list("kind", flat=True)
    assert list(kinds) == ["line.hold_released"] * 3
    assert job_events(batch)[-1] == "job.undone"


def test_what_somebody_changed_since_is_left_alone_and_named(
    hold_act: TestHold, make_lines: LineMaker, staff: User, make_staff: Callable[..., User]
) -> None:
    lines = make_lines(2)
    batch = held_batch(hold_act, lines, actor=staff)
    release_lines([lines[0].pk], actor=make_staff(Role.CS, display_name="이도윤"), at=NOW)
    taken_back = open_undo(job=batch, actor=staff, at=soon(batch))
    assert items.reasons(taken_back) == [("처리한 뒤 09-21 11:00에 이도윤 님이 내용을 바꿨습니다(보류 해제).", 1)]
    done = confirmed(taken_back, actor=staff)
    assert (done.state, done.done, done.failed) == (JobState.PARTIAL, 1, 1)
    assert [reloaded(line).version for line in lines] == [2, 2]
    assert reloaded(batch).state == JobState.UNDONE


def test_a_row_that_moves_between_preview_and_undo_is_left_alone(
    hold_act: TestHold, make_lines: LineMaker, staff: User
) -> None:
    lines = make_lines(2)
    batch = held_batch(hold_act, lines, actor=staff)
    taken_back = open_undo(job=batch, actor=staff, at=soon(batch))
    with transaction.atomic():
        move(locked_rows([lines[0].pk]), OrderLine.acknowledge, at=NOW)
    done = confirmed(taken_back, actor=staff)
    assert (done.done, done.failed) == (1, 1)
    assert locks(lines) == [2, 0]


def test_rows_the_batch_refused_are_no_part_of_its_undo(hold_act: TestHold, make_lines: LineMaker, staff: User) -> None:
    lines = make_lines(2)
    hold_lines([lines[0].pk], actor=staff, at=NOW)
    batch = held_batch(hold_act, lines, actor=staff)
    assert batch.state == JobState.PARTIAL
    taken_back = open_undo(job=batch, actor=staff, at=soon(batch))
    assert tally(taken_back) == (1, 0, 0)
    confirmed(taken_back, actor=staff)
    assert locks(lines) == [2, 0]


def test_there_are_thirty_minutes(hold_act: TestHold, make_lines: LineMaker, staff: User) -> None:
    lines = make_lines(1)
    batch = held_batch(hold_act, lines, actor=staff)
    assert batch.undo_until is not None
    assert undo.refusal(batch, at=batch.undo_until) is None
    with pytest.raises(Conflict, match="30분이 지나"):
        open_undo(job=batch, actor=staff, at=batch.undo_until + timedelta(seconds=1))
    assert locks(lines) == [2]
    assert not Job.objects.filter(kind=JobKind.UNDO).exists()


def test_an_undone_batch_is_not_undone_again(hold_act: TestHold, make_lines: LineMaker, staff: User) -> None:
    lines = make_lines(1)
    batch = held_batch(hold_act, lines, actor=staff)
    first = open_undo(job=batch, actor=staff, at=soon(batch))
    second = open_undo(job=batch, actor=staff, at=soon(batch))
    confirmed(first, actor=staff)
    with pytest.raises(Conflict, match="이미 되돌린"):
        start.confirm(job_id=second.pk, actor=staff, at=second.created_at)
    with pytest.raises(Conflict, match="이미 되돌린"):
        open_undo(job=reloaded(batch), actor=staff, at=soon(batch))
    assert [reloaded(line).version for line in lines] == [2]


def test_two_undos_do_not_run_beside_each_other(hold_act: TestHold, make_lines: LineMaker, staff: User) -> None:
    batch = held_batch(hold_act, make_lines(1), actor=staff)
    first = open_undo(job=batch, actor=staff, at=soon(batch))
    second = open_undo(job=batch, actor=staff, at=soon(batch))
    queued(first, actor=staff)
    with pytest.raises(Conflict, match="이미 되돌린"):
        start.confirm(job_id=second.pk, actor=staff, at=second.created_at)
    assert work_on(first).state == JobState.DONE
    assert reloaded(second).state == JobState.PREVIEW


def test_an_undo_has_no_undo(hold_act: TestHold, make_lines: LineMaker, staff: User) -> None:
    batch = held_batch(hold_act, make_lines(1), actor=staff)
    done = confirmed(open_undo(job=batch, actor=staff, at=soon(batch)), actor=staff)
    assert done.undo_until is None
    with pytest.raises(Conflict, match="되돌릴 수 없는"):
        open_undo(job=done, actor=staff, at=soon(done))


def test_what_has_no_opposite_has_no_undo(
    hold_act: TestHold, make_lines: LineMaker, staff: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TestHold, "is_undoable", False)
    batch = held_batch(hold_act, make_lines(1), actor=staff)
    assert batch.undo_until is None
    with pytest.raises(Conflict, match="되돌릴 수 없는"):
        open_undo(job=batch, actor=staff, at=soon(batch))


def test_an_unfinished_batch_waits(hold_act: TestHold, make_lines: LineMaker, staff: User) -> None:
    job = queued(previewed(hold_act, make_lines(1), actor=staff), actor=staff)
    with pytest.raises(Conflict, match="아직 끝나지 않은"):
        open_undo(job=job, actor=staff, at=NOW)


def test_messages_that_were_not_sent_are_withdrawn(
    hold_act: TestHold, make_lines: LineMaker, staff: User, subscribe: Subscribe
) -> None:
    heard = subscribe(events.LINE_HELD, holds=True)
    batch = held_batch(hold_act, make_lines(2), actor=staff)
    assert set(Delivery.objects.values_list("state", flat=True)) == {DeliveryState.PENDING}
    confirmed(open_undo(job=batch, actor=staff, at=soon(batch)), actor=staff)
    assert set(Delivery.objects.values_list("state", flat=True)) == {DeliveryState.WITHDRAWN}
    relay.run_once(at=soon(batch) + timedelta(hours=1))
    assert heard == []


def test_messages_that_were_sent_are_corrected_once(
    hold_act: TestHold, make_lines: LineMaker, staff: User, subscribe: Subscribe
) -> None:
    heard = subscribe(events.LINE_HELD, holds=True)
    lines = make_lines(2, per_order=2)
    batch = held_batch(hold_act, lines, actor=staff)
    relay.run_once(at=soon(batch) + timedelta(minutes=5))
    done = confirmed(open_undo(job=batch, actor=staff, at=soon(batch)), actor=staff)
    relay.run_once(at=soon(batch) + timedelta(hours=1))
    corrections = [delivery for delivery in heard if delivery.is_correction]
    assert [(one.order_id, one.batch_id) for one in corrections] == [(lines[0].order_id, done.pk)]
    assert len(corrections[0].event_ids) == 2


def test_a_large_undo_goes_through_a_worker(
    hold_act: TestHold, make_lines: LineMaker, staff: User, small_chunks: int
) -> None:
    lines = make_lines(7)
    batch = held_batch(hold_act, lines, actor=staff)
    taken_back = queued(open_undo(job=batch, actor=staff, at=soon(batch)), actor=staff)
    assert reloaded(batch).state == JobState.DONE, "until it is done, the batch stands"
    assert work_on(taken_back).state == JobState.DONE
    assert reloaded(batch).state == JobState.UNDONE
    assert locks(lines) == [0] * 7


def test_the_last_batch_of_a_person_is_theirs_undoable_and_not_older_than_half_an_hour(
    hold_act: TestHold, make_lines: LineMaker, staff: User, make_staff: Callable[..., User]
) -> None:
    lines = make_lines(3)
    first, second = held_batch(hold_act, lines[:1], actor=staff), held_batch(hold_act, lines[1:2], actor=staff)
    colleague = make_staff(Role.CS)
    held_batch(hold_act, lines[2:], actor=colleague)
    assert undo.last_undoable(actor=staff, at=soon(second)) == second
    confirmed(open_undo(job=second, actor=staff, at=soon(second)), actor=staff)
    assert undo.last_undoable(actor=staff, at=soon(first)) == first
    assert first.finished_at is not None
    with pytest.raises(Conflict) as caught:
        undo.last_undoable(actor=staff, at=first.finished_at + timedelta(minutes=31))
    assert caught.value.message == undo.NOTHING_TO_UNDO
    assert locks(lines) == [2, 0, 2]
