"""Events: one row per change, one delivery per subscriber, order and batch, and nobody rewrites either."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from accounts.models import User
from core import events as core_events
from core.events import kind, record
from core.models import Job, JobKind, Source
from core.models.events import DeliveryState
from core.settings_registry import set_setting
from core.state import Outcome, previewing
from orders import events
from orders.models import Delivery, OrderEvent
from tests.fixtures.orders import NOW
from tests.fixtures.work import HOLD_REASON, LineMaker, hold_lines

Subscribe = Callable[..., list[Any]]
KIND = events.LINE_HELD


def batch_of(actor: User, **fields: Any) -> Job:
    return Job.objects.create(kind=JobKind.ACT, act="test", label="시험", actor=actor, **fields)


def facts(event: OrderEvent) -> dict[str, Any]:
    names = (
        "kind",
        "subject",
        "subject_id",
        "version",
        "from_state",
        "to_state",
        "order_id",
        "actor_id",
        "source",
        "at",
    )
    return {name: getattr(event, name) for name in names}


def test_each_change_becomes_one_event(make_lines: LineMaker, staff: User) -> None:
    lines = make_lines(2)
    hold_lines([line.pk for line in lines], actor=staff, at=NOW)
    found = [facts(event) for event in OrderEvent.objects.order_by("subject_id")]
    assert found == [
        {
            "kind": "line.held",
            "subject": "line",
            "subject_id": line.pk,
            "version": 1,
            "from_state": "PREPARING",
            "to_state": "PREPARING",
            "order_id": line.order_id,
            "actor_id": staff.pk,
            "source": Source.SCREEN,
            "at": NOW,
        }
        for line in lines
    ]


def test_what_is_refused_leaves_no_event(make_lines: LineMaker, staff: User) -> None:
    lines = make_lines(2)
    ids = [line.pk for line in lines]
    hold_lines(ids[:1], actor=staff, at=NOW)
    outcome = hold_lines(ids, actor=staff, at=NOW)
    assert outcome.refused == {ids[0]: f"이미 배송보류 중입니다. 사유: {HOLD_REASON}"}
    assert sorted(OrderEvent.objects.values_list("subject_id", "version")) == [(ids[0], 1), (ids[1], 1)]


def test_a_preview_records_nothing(make_lines: LineMaker, staff: User, subscribe: Subscribe) -> None:
    subscribe(KIND)
    [line] = make_lines(1)
    with previewing():
        outcome = hold_lines([line.pk], actor=staff, at=NOW)
    assert [row.pk for row in outcome.possible] == [line.pk]
    assert not OrderEvent.objects.exists()
    assert not Delivery.objects.exists()


def test_nothing_done_is_nothing_recorded() -> None:
    assert record(Outcome(refused={1: "x"}), KIND, at=NOW) == []


def test_the_system_is_an_empty_actor_with_its_source(make_lines: LineMaker) -> None:
    [line] = make_lines(1)
    hold_lines([line.pk], actor=None, at=NOW)
    event = OrderEvent.objects.get()
    assert (event.actor, event.source) == (None, Source.TASK)


def test_facts_and_reason_are_kept_with_their_row(make_lines: LineMaker, staff: User) -> None:
    first, second = make_lines(2)
    outcome = hold_lines([first.pk, second.pk], actor=staff, at=NOW)
    for change in outcome.changes:
        change.row.version += 1
    later = Outcome(changes=[type(c)(c.row, c.from_state, c.to_state, c.version + 1) for c in outcome.changes])
    stored = record(
        later, KIND, at=NOW, actor=staff, reason="고객 요청", source=Source.API, data={first.pk: {"won": 500}}
    )
    kept = [OrderEvent.objects.get(pk=pk) for pk in stored]
    assert [(event.data, event.reason, event.source) for event in kept] == [
        ({"won": 500}, "고객 요청", "API"),
        (None, "고객 요청", "API"),
    ]


def test_a_version_is_recorded_once(make_lines: LineMaker, staff: User) -> None:
    [line] = make_lines(1)
    outcome = hold_lines([line.pk], actor=staff, at=NOW)
    with pytest.raises(IntegrityError, match="event_once_per_version"), transaction.atomic():
        record(outcome, KIND, at=NOW)
    assert OrderEvent.objects.count() == 1


def test_history_can_be_neither_changed_nor_deleted(make_lines: LineMaker, staff: User) -> None:
    [line] = make_lines(1)
    hold_lines([line.pk], actor=staff, at=NOW)
    with pytest.raises(DatabaseError, match="Cannot update or delete"), transaction.atomic():
        OrderEvent.objects.update(reason="다른 말")
    with pytest.raises(DatabaseError, match="Cannot update or delete"), transaction.atomic():
        OrderEvent.objects.all().delete()
    assert OrderEvent.objects.get().reason == ""


def test_a_delivery_holds_the_events_of_one_order(make_lines: LineMaker, staff: User, subscribe: Subscribe) -> None:
    subscribe(KIND)
    lines = make_lines(4, per_order=2)
    hold_lines([line.pk for line in lines], actor=staff, at=NOW)
    events_of = {order: [] for order in {line.order_id for line in lines}}
    for event in OrderEvent.objects.order_by("pk"):
        events_of[event.order_id].append(event.pk)
    found = {row.order_id: row.event_ids for row in Delivery.objects.all()}
    assert found == events_of
    assert {len(ids) for ids in found.values()} == {2}
    assert set(Delivery.objects.values_list("state", "due_at", "batch")) == {(DeliveryState.PENDING, NOW, None)}


def test_each_subscriber_has_its_own_delivery(make_lines: LineMaker, staff: User, subscribe: Subscribe) -> None:
    subscribe(KIND)
    subscribe(KIND)
    subscribe(events.LINE_SHIPPED)
    hold_lines([make_lines(1)[0].pk], actor=staff, at=NOW)
    assert Delivery.objects.count() == 2
    assert Delivery.objects.values("subscriber").distinct().count() == 2


def test_messages_of_an_undoable_batch_wait_five_minutes(
    make_lines: LineMaker, staff: User, subscribe: Subscribe
) -> None:
    subscribe(KIND, holds=True)
    subscribe(KIND)
    hold_lines([make_lines(1)[0].pk], actor=staff, at=NOW, batch=batch_of(staff))
    found = sorted(Delivery.objects.values_list("due_at", flat=True))
    assert found == [NOW, NOW + timedelta(minutes=5)]


def test_how_long_messages_wait_is_a_setting(make_lines: LineMaker, staff: User, subscribe: Subscribe) -> None:
    subscribe(KIND, holds=True)
    set_setting(key="undo_hold_minutes", value=0, actor=staff, at=NOW)
    hold_lines([make_lines(1)[0].pk], actor=staff, at=NOW, batch=batch_of(staff))
    assert Delivery.objects.get().due_at == NOW


def test_messages_of_a_single_act_go_at_once(make_lines: LineMaker, staff: User, subscribe: Subscribe) -> None:
    subscribe(KIND, holds=True)
    hold_lines([make_lines(1)[0].pk], actor=staff, at=NOW)
    assert Delivery.objects.get().due_at == NOW


def test_a_quiet_batch_sends_no_messages_but_everything_else(
    make_lines: LineMaker, staff: User, subscribe: Subscribe
) -> None:
    subscribe(KIND, holds=True)
    hold_lines([make_lines(1)[0].pk], actor=staff, at=NOW, batch=batch_of(staff, is_quiet=True))
    assert not Delivery.objects.exists()
    subscribe(KIND)
    hold_lines([make_lines(1)[0].pk], actor=staff, at=NOW, batch=batch_of(staff, is_quiet=True))
    assert Delivery.objects.count() == 1
    assert OrderEvent.objects.count() == 2


def test_an_event_without_subscribers_makes_no_delivery(make_lines: LineMaker, staff: User) -> None:
    hold_lines([make_lines(1)[0].pk], actor=staff, at=NOW)
    assert not Delivery.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_was_never_recorded(make_lines: LineMaker, staff: User, subscribe: Subscribe) -> None:
    subscribe(KIND)
    lines = make_lines(1)
    with transaction.atomic():
        hold_lines([lines[0].pk], actor=staff, at=NOW)
        transaction.set_rollback(True)
    assert not OrderEvent.objects.exists()
    assert not Delivery.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_relay_is_woken_when_the_delivery_is_committed(
    make_lines: LineMaker, staff: User, subscribe: Subscribe
) -> None:
    subscribe(KIND)
    lines = make_lines(1)
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {core_events.CHANNEL}")
    hold_lines([lines[0].pk], actor=staff, at=NOW)
    raw = connection.connection
    raw.poll()
    assert [note.channel for note in raw.notifies] == [core_events.CHANNEL]


def test_a_kind_is_declared_once() -> None:
    with pytest.raises(ValueError, match="declared twice"):
        kind("line.held", "다시")
    assert core_events.KINDS["line.held"] is KIND
    assert str(KIND) == "line.held"
