"""The relay: in order, again after failures, five times at most, and taken back by an undo."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from accounts.models import User
from core import relay
from core.models import Job, JobKind
from core.models.events import DeliveryState
from orders import events
from orders.models import Delivery, OrderEvent, OrderLine
from tests.fixtures.orders import NOW
from tests.fixtures.work import LineMaker, hold_lines, release_lines

Subscribe = Callable[..., list[Any]]
HELD, RELEASED = events.LINE_HELD, events.LINE_HOLD_RELEASED
P, DONE, DEAD, WITHDRAWN = DeliveryState.PENDING, DeliveryState.DONE, DeliveryState.DEAD, DeliveryState.WITHDRAWN


@pytest.fixture
def batch(staff: User) -> Job:
    return Job.objects.create(kind=JobKind.ACT, act="test", label="시험", actor=staff)


@pytest.fixture
def undo(staff: User, batch: Job) -> Job:
    return Job.objects.create(kind=JobKind.UNDO, act="test", label="시험 되돌리기", actor=staff, undoes=batch)


def states() -> list[str]:
    return list(Delivery.objects.order_by("pk").values_list("state", flat=True))


def fail(delivery: Any) -> None:
    raise RuntimeError("발송사가 받지 않습니다")


def test_a_due_delivery_is_handed_over_once(make_lines: LineMaker, subscribe: Subscribe) -> None:
    heard = subscribe(HELD)
    [line] = make_lines(1)
    hold_lines([line.pk], actor=None, at=NOW)
    assert relay.run_once(at=NOW) == 1
    assert [delivery.order_id for delivery in heard] == [line.order_id]
    assert (Delivery.objects.get().state, Delivery.objects.get().finished_at) == (DONE, NOW)
    assert relay.run_once(at=NOW) == 0
    assert len(heard) == 1


def test_what_is_not_due_waits(make_lines: LineMaker, subscribe: Subscribe, batch: Job) -> None:
    heard = subscribe(HELD, holds=True)
    hold_lines([make_lines(1)[0].pk], actor=None, at=NOW, batch=batch)
    assert relay.run_once(at=NOW + timedelta(minutes=4)) == 0
    assert heard == []
    assert relay.run_once(at=NOW + timedelta(minutes=5)) == 1
    assert len(heard) == 1


def test_news_of_one_order_arrive_in_their_order(make_lines: LineMaker, subscribe: Subscribe) -> None:
    heard = subscribe(HELD, RELEASED)
    [line] = make_lines(1)
    for step in (hold_lines, release_lines, hold_lines):
        step([line.pk], actor=None, at=NOW)
    relay.run_once(at=NOW)
    kinds = [OrderEvent.objects.get(pk=delivery.event_ids[0]).kind for delivery in heard]
    assert kinds == ["line.held", "line.hold_released", "line.held"]


def test_later_news_wait_for_earlier_ones_that_are_held(
    make_lines: LineMaker, subscribe: Subscribe, batch: Job
) -> None:
    heard = subscribe(HELD, RELEASED, holds=True)
    [line] = make_lines(1)
    hold_lines([line.pk], actor=None, at=NOW, batch=batch)
    release_lines([line.pk], actor=None, at=NOW)
    assert relay.run_once(at=NOW) == 0
    assert relay.run_once(at=NOW + timedelta(minutes=5)) == 2
    assert [delivery.batch_id for delivery in heard] == [batch.pk, None]


def test_a_failure_is_tried_again_later_and_holds_up_only_its_order(
    make_lines: LineMaker, subscribe: Subscribe, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = make_lines(2)
    broken = [True]

    def sometimes(delivery: Any) -> None:
        if broken[0] and delivery.order_id == first.order_id:
            fail(delivery)

    heard = subscribe(HELD, fails=sometimes)
    hold_lines([first.pk], actor=None, at=NOW)
    hold_lines([second.pk], actor=None, at=NOW)
    relay.run_once(at=NOW)
    assert [delivery.order_id for delivery in heard] == [second.order_id]
    row = Delivery.objects.get(order=first.order_id)
    assert (row.state, row.attempts, row.due_at) == (P, 1, NOW + timedelta(seconds=1))
    assert row.last_error == "RuntimeError: 발송사가 받지 않습니다"
    assert f"delivery {row.pk} failed" in caplog.text
    assert "in fail\n" in caplog.text, "the log leads to the line that failed"
    broken[0] = False
    assert relay.run_once(at=NOW + timedelta(seconds=1)) == 1
    assert Delivery.objects.get(order=first.order_id).state == DONE


def test_what_a_failing_handler_wrote_is_rolled_back(make_lines: LineMaker, subscribe: Subscribe) -> None:
    [line] = make_lines(1)

    def write_and_fail(delivery: Any) -> None:
        OrderLine.objects.filter(pk=line.pk).update(product_name="반쪽")
        fail(delivery)

    subscribe(HELD, fails=write_and_fail)
    hold_lines([line.pk], actor=None, at=NOW)
    relay.run_once(at=NOW)
    assert OrderLine.objects.get(pk=line.pk).product_name == "기본 티셔츠"
    assert Delivery.objects.get().attempts == 1


def test_five_failures_make_a_dead_letter(make_lines: LineMaker, subscribe: Subscribe) -> None:
    subscribe(HELD, RELEASED, fails=fail)
    [line] = make_lines(1)
    hold_lines([line.pk], actor=None, at=NOW)
    release_lines([line.pk], actor=None, at=NOW)
    for attempt in range(1, 6):
        assert relay.run_once(at=NOW + timedelta(hours=attempt)) == 1
    assert states() == [DEAD, P]
    assert Delivery.objects.first().attempts == 5  # type: ignore[union-attr]
    assert relay.run_once(at=NOW + timedelta(hours=9)) == 0, "what comes after it for the same order waits"


def test_a_dead_letter_that_is_retried_goes_first(make_lines: LineMaker, subscribe: Subscribe) -> None:
    broken = [True]
    heard = subscribe(HELD, RELEASED, fails=lambda delivery: fail(delivery) if broken[0] else None)
    [line] = make_lines(1)
    hold_lines([line.pk], actor=None, at=NOW)
    release_lines([line.pk], actor=None, at=NOW)
    for hour in range(5):
        relay.run_once(at=NOW + timedelta(hours=hour))
    dead = Delivery.objects.get(state=DEAD)
    broken[0] = False
    assert relay.retry_dead(ids=[dead.pk, dead.pk + 1], at=NOW + timedelta(hours=6)) == 1
    assert relay.run_once(at=NOW + timedelta(hours=6)) == 2
    assert [delivery.pk for delivery in heard] == [dead.pk, dead.pk + 1]
    assert states() == [DONE, DONE]


def test_a_subscriber_that_no_longer_exists_ends_as_a_dead_letter(make_lines: LineMaker, subscribe: Subscribe) -> None:
    subscribe(HELD)
    hold_lines([make_lines(1)[0].pk], actor=None, at=NOW)
    Delivery.objects.update(subscriber="gone.handler")
    for hour in range(5):
        relay.run_once(at=NOW + timedelta(hours=hour))
    row = Delivery.objects.get()
    assert (row.state, row.last_error) == (DEAD, "KeyError: 'gone.handler'")


def test_attempts_are_counted_before_they_are_made(make_lines: LineMaker, subscribe: Subscribe) -> None:
    counted: list[int] = []

    def look(delivery: Any) -> None:
        counted.append(Delivery.objects.get(pk=delivery.pk).attempts)

    subscribe(HELD, fails=look)
    hold_lines([make_lines(1)[0].pk], actor=None, at=NOW)
    relay.run_once(at=NOW)
    assert counted == [1]


def test_a_handler_that_kills_its_process_five_times_is_given_up(make_lines: LineMaker, subscribe: Subscribe) -> None:
    heard = subscribe(HELD)
    hold_lines([make_lines(1)[0].pk], actor=None, at=NOW)
    Delivery.objects.update(attempts=5)  # five processes began it and died
    assert relay.run_once(at=NOW) == 0
    row = Delivery.objects.get()
    assert (row.state, row.last_error) == (DEAD, relay.PROCESS_DIED)
    assert heard == []


def test_the_limit_stops_a_long_queue(make_lines: LineMaker, subscribe: Subscribe) -> None:
    heard = subscribe(HELD)
    for line in make_lines(3):
        hold_lines([line.pk], actor=None, at=NOW)
    assert relay.run_once(at=NOW, limit=1) == 3, "one batch is finished before the limit is looked at"
    assert len(heard) == 3


@pytest.mark.django_db(transaction=True)
def test_two_relays_hand_each_delivery_over_once(make_lines: LineMaker, subscribe: Subscribe) -> None:
    heard = subscribe(HELD)
    for line in make_lines(30):
        hold_lines([line.pk], actor=None, at=NOW)
    gate = threading.Barrier(2)

    def drain() -> None:
        gate.wait()
        relay.run_once(at=NOW)
        connection.close()

    threads = [threading.Thread(target=drain) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    relay.run_once(at=NOW)
    assert sorted(delivery.pk for delivery in heard) == sorted(Delivery.objects.values_list("pk", flat=True))
    assert set(states()) == {DONE}


# Undo


def undone(lines: list[OrderLine], *, batch: Job, undo: Job) -> tuple[int, int]:
    with transaction.atomic():
        relay.lock_unsent(batch=batch, subject="line", ids=[line.pk for line in lines])
        outcome = release_lines([line.pk for line in lines], actor=None, at=NOW, batch=undo)
        return relay.withdraw(batch=batch, undone_by=undo, changes=outcome.changes, at=NOW)


def test_unsent_news_of_a_batch_are_withdrawn(
    make_lines: LineMaker, subscribe: Subscribe, batch: Job, undo: Job
) -> None:
    heard = subscribe(HELD, holds=True)
    lines = make_lines(2)
    hold_lines([line.pk for line in lines], actor=None, at=NOW, batch=batch)
    assert undone(lines, batch=batch, undo=undo) == (2, 0)
    assert states() == [WITHDRAWN, WITHDRAWN]
    relay.run_once(at=NOW + timedelta(hours=1))
    assert heard == []


def test_sent_news_get_one_correction_each(make_lines: LineMaker, subscribe: Subscribe, batch: Job, undo: Job) -> None:
    heard = subscribe(HELD, holds=True)
    lines = make_lines(2)
    hold_lines([line.pk for line in lines], actor=None, at=NOW, batch=batch)
    relay.run_once(at=NOW + timedelta(minutes=5))
    assert undone(lines[:1], batch=batch, undo=undo) == (0, 1)
    relay.run_once(at=NOW + timedelta(minutes=6))
    [correction] = [delivery for delivery in heard if delivery.is_correction]
    assert (correction.order_id, correction.batch_id) == (lines[0].order_id, undo.pk)
    assert OrderEvent.objects.get(pk=correction.event_ids[0]).subject_id == lines[0].pk


def test_news_of_an_order_that_is_undone_in_part_lose_just_that_part(
    make_lines: LineMaker, subscribe: Subscribe, batch: Job, undo: Job
) -> None:
    heard = subscribe(HELD, holds=True)
    first, second = make_lines(2, per_order=2)
    hold_lines([first.pk, second.pk], actor=None, at=NOW, batch=batch)
    assert undone([first], batch=batch, undo=undo) == (1, 0)
    relay.run_once(at=NOW + timedelta(minutes=5))
    [delivery] = heard
    assert list(OrderEvent.objects.filter(pk__in=delivery.event_ids).values_list("subject_id", flat=True)) == [
        second.pk
    ]


def test_a_dead_letter_of_an_undone_batch_is_withdrawn(
    make_lines: LineMaker, subscribe: Subscribe, batch: Job, undo: Job
) -> None:
    subscribe(HELD, holds=True, fails=fail)
    lines = make_lines(1)
    hold_lines([lines[0].pk], actor=None, at=NOW, batch=batch)
    for hour in range(1, 6):
        relay.run_once(at=NOW + timedelta(hours=hour))
    assert states() == [DEAD]
    assert undone(lines, batch=batch, undo=undo) == (1, 0)
    assert states() == [WITHDRAWN]


def test_only_messages_are_taken_back(make_lines: LineMaker, subscribe: Subscribe, batch: Job, undo: Job) -> None:
    heard = subscribe(HELD)
    lines = make_lines(1)
    hold_lines([lines[0].pk], actor=None, at=NOW, batch=batch)
    assert undone(lines, batch=batch, undo=undo) == (0, 0)
    relay.run_once(at=NOW)
    assert len(heard) == 1


def test_news_of_other_batches_stay(make_lines: LineMaker, subscribe: Subscribe, batch: Job, undo: Job) -> None:
    subscribe(HELD, holds=True)
    first, second = make_lines(2)
    other = Job.objects.create(kind=JobKind.ACT, act="test", label="다른 작업")
    hold_lines([first.pk], actor=None, at=NOW, batch=batch)
    hold_lines([second.pk], actor=None, at=NOW, batch=other)
    undone([first], batch=batch, undo=undo)
    assert states() == [WITHDRAWN, P]


@pytest.mark.django_db(transaction=True)
def test_an_undo_waits_for_the_handler_that_is_sending(
    make_lines: LineMaker, subscribe: Subscribe, batch: Job, undo: Job
) -> None:
    sending, go_on = threading.Event(), threading.Event()

    def slow(delivery: Any) -> None:
        if not delivery.is_correction:
            sending.set()
            go_on.wait(2)
            OrderLine.objects.filter(pk=line.pk).update(option_name="handler was here")

    subscribe(HELD, holds=True, fails=slow)
    [line] = make_lines(1)
    hold_lines([line.pk], actor=None, at=NOW, batch=batch)

    def send() -> None:
        relay.run_once(at=NOW + timedelta(minutes=5))
        connection.close()

    sender = threading.Thread(target=send)
    sender.start()
    assert sending.wait(5)
    threading.Timer(0.3, go_on.set).start()
    assert undone([line], batch=batch, undo=undo) == (0, 1), "it was sent in the meantime: a correction follows"
    sender.join()
    assert OrderLine.objects.get(pk=line.pk).option_name == "handler was here"
    assert [row.is_correction for row in Delivery.objects.order_by("pk")] == [False, True]
