"""State machines: what move() writes, what it refuses, and what nobody gets past it."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django_fsm import ConcurrentTransition, TransitionNotAllowed

from accounts.models import User
from core.events import record
from core.jobs.lifecycle import JOB_QUEUED
from core.locks import locked_by
from core.models import Job, JobKind, JobState
from core.state import Change, Condition, Outcome, explain, is_preview, missing, move, previewing
from orders import events
from orders.models import Order, OrderLine
from orders.states import LINE_MOVES, LOCK_BIT, LineState, LockKind
from tests.fixtures.orders import NOW, reloaded
from tests.fixtures.work import LineMaker, lines_now, locked_rows

LATER = NOW + timedelta(hours=1)
S = LineState


def moved(ids: list[int], method: Any, **facts: Any) -> Outcome:
    with transaction.atomic():
        return move(locked_rows(ids), method, at=NOW, **facts)


def put_ready(line: OrderLine) -> None:
    """A line in 배송준비중 without stock and shipment, with the event that the database asks for."""
    OrderLine.objects.filter(pk=line.pk).update(state="READY", version=F("version") + 1)
    record(Outcome(changes=[Change(line, S.PREPARING, S.READY, 1)]), events.LINE_READY, at=NOW)


def test_a_move_writes_state_timestamp_and_version(make_lines: LineMaker) -> None:
    [line] = make_lines(1, state=S.PREPARING)
    put_ready(line)
    outcome = moved([line.pk], OrderLine.return_to_preparing)
    record(outcome, events.LINE_BACK_TO_PREPARING, at=NOW)
    found = reloaded(line)
    assert [(c.from_state, c.to_state, c.version) for c in outcome.changes] == [("READY", "PREPARING", 2)]
    assert (found.state, found.version, found.ready_at) == ("PREPARING", 2, None)
    assert outcome.moved_ids == [line.pk]


def test_a_stamp_keeps_the_state_and_raises_the_version(make_lines: LineMaker) -> None:
    [line] = make_lines(1)
    outcome = moved([line.pk], OrderLine.acknowledge)
    found = reloaded(line)
    assert (found.state, found.version, found.acknowledged_at) == ("PREPARING", 1, NOW)
    assert outcome.changes[0].from_state == outcome.changes[0].to_state == "PREPARING"


def test_a_move_of_many_rows_costs_the_queries_of_one(make_lines: LineMaker) -> None:
    one, many = make_lines(1), make_lines(50)
    asked = []
    for lines in (one, many):
        with transaction.atomic():
            rows = locked_rows([line.pk for line in lines])
            with CaptureQueriesContext(connection) as queries:
                assert len(move(rows, OrderLine.acknowledge, at=NOW).moved) == len(lines)
        asked.append([query["sql"].split()[0] for query in queries])
    assert asked[0] == asked[1]
    assert asked[0][0] == "UPDATE"
    assert set(OrderLine.objects.values_list("version", "acknowledged_at")) == {(1, NOW)}


def test_facts_that_differ_by_row_are_written_to_their_rows(make_lines: LineMaker) -> None:
    lines = make_lines(3)
    dates = {line.pk: {"ship_by": NOW + timedelta(days=n)} for n, line in enumerate(lines, 1)}
    moved([line.pk for line in lines], OrderLine.notify_delay, per_row=dates)
    assert [line.ship_by for line in lines_now(dates)] == [one["ship_by"] for one in dates.values()]


def test_a_value_that_one_row_clears_and_another_sets_goes_to_each(make_lines: LineMaker) -> None:
    first, second = make_lines(2)
    OrderLine.objects.filter(pk=first.pk).update(ship_by=NOW)
    moved(
        [first.pk, second.pk],
        OrderLine.notify_delay,
        per_row={first.pk: {"ship_by": None}, second.pk: {"ship_by": NOW}},
    )
    assert [line.ship_by for line in lines_now([first.pk, second.pk])] == [None, NOW]


def test_rows_in_different_states_move_together(make_lines: LineMaker) -> None:
    preparing, ready = make_lines(2)
    put_ready(ready)
    outcome = moved([preparing.pk, ready.pk], OrderLine.hold, reason="고객 부재")
    assert {c.row.pk: (c.from_state, c.version) for c in outcome.changes} == {
        preparing.pk: ("PREPARING", 1),
        ready.pk: ("READY", 2),
    }
    assert set(OrderLine.objects.values_list("hold_reason", "open_locks")) == {("고객 부재", LOCK_BIT[LockKind.HOLD])}


def test_a_row_in_the_wrong_state_is_refused_and_unchanged(make_lines: LineMaker) -> None:
    waiting, paid = make_lines(1, state=S.AWAITING_PAYMENT) + make_lines(1)
    outcome = moved([waiting.pk, paid.pk], OrderLine.acknowledge)
    assert outcome.refused == {waiting.pk: "상품준비중 상태가 아닙니다. 지금 상태: 입금대기"}
    assert outcome.moved_ids == [paid.pk]
    assert (reloaded(waiting).version, reloaded(waiting).acknowledged_at) == (0, None)


def test_a_condition_says_its_fact(make_lines: LineMaker) -> None:
    [line] = make_lines(1)
    moved([line.pk], OrderLine.hold, reason="고객 부재")
    outcome = moved([line.pk], OrderLine.make_ready)
    assert outcome.refused == {line.pk: "배송보류 중입니다. 사유: 고객 부재"}
    assert reloaded(line).state == "PREPARING"
    assert reloaded(line).version == 1


def test_what_the_service_rules_out_is_refused_with_its_words(make_lines: LineMaker) -> None:
    first, second = make_lines(2)
    outcome = moved([first.pk, second.pk], OrderLine.acknowledge, refuse={first.pk: "재고가 3개 부족합니다."})
    assert outcome.refused == {first.pk: "재고가 3개 부족합니다."}
    assert reloaded(first).version == 0
    assert outcome.moved_ids == [second.pk]


def test_missing_ids_are_refused() -> None:
    assert missing({1, 2}, [], text="없습니다.") == {1: "없습니다.", 2: "없습니다."}


def test_a_condition_that_asks_the_database_is_a_mistake(make_lines: LineMaker) -> None:
    [line] = make_lines(1)
    unloaded = OrderLine.objects.get(pk=line.pk)  # its order is not loaded
    Order.objects.filter(pk=line.order_id).update(paid_amount=1)
    unloaded_waiting = make_lines(1, state=S.AWAITING_PAYMENT)[0]
    with transaction.atomic(), pytest.raises(RuntimeError, match="ran a query"):
        move([OrderLine.objects.get(pk=unloaded_waiting.pk)], OrderLine.confirm_payment, at=NOW, ship_by=NOW)
    assert reloaded(unloaded).version == 0
    assert reloaded(unloaded_waiting).state == "AWAITING_PAYMENT"


@pytest.mark.django_db(transaction=True)
def test_a_move_needs_a_transaction(make_lines: LineMaker) -> None:
    lines = make_lines(1)
    with pytest.raises(RuntimeError, match="needs a transaction"):
        move(lines, OrderLine.acknowledge, at=NOW)
    assert reloaded(lines[0]).version == 0


def test_a_row_that_changed_under_us_rolls_everything_back(make_lines: LineMaker) -> None:
    first, second = make_lines(2)
    OrderLine.objects.filter(pk=second.pk).update(version=7)
    with pytest.raises(ConcurrentTransition), transaction.atomic():
        move([first, second], OrderLine.acknowledge, at=NOW)
    assert reloaded(first).acknowledged_at is None
    assert reloaded(first).version == 0


def test_the_roll_up_follows_in_the_same_transaction(make_lines: LineMaker) -> None:
    [line] = make_lines(1)
    before = line.order.version
    moved([line.pk], OrderLine.hold, reason="사유")
    order = Order.objects.get(pk=line.order_id)
    assert order.version == before + 1
    assert order.steps & (1 << 11)


def test_a_preview_decides_like_the_move_and_writes_nothing(make_lines: LineMaker) -> None:
    held, free = make_lines(2)
    moved([held.pk], OrderLine.hold, reason="사유")
    order_versions = list(Order.objects.order_by("pk").values_list("version", flat=True))
    with previewing():
        assert is_preview()
        outcome = move(locked_rows([held.pk, free.pk]), OrderLine.make_ready, at=NOW)
    assert not is_preview()
    assert set(outcome.refused) == {held.pk, free.pk}  # free has no variant
    with previewing():
        stamped = move(locked_rows([held.pk, free.pk]), OrderLine.acknowledge, at=NOW)
    assert [row.pk for row in stamped.possible] == [held.pk, free.pk]
    assert stamped.moved == []
    assert set(OrderLine.objects.values_list("acknowledged_at", flat=True)) == {None}
    assert list(Order.objects.order_by("pk").values_list("version", flat=True)) == order_versions


def test_whatever_a_service_writes_in_a_preview_is_rolled_back(make_lines: LineMaker) -> None:
    [line] = make_lines(1)
    with previewing():
        OrderLine.objects.filter(pk=line.pk).update(product_name="다른 이름")
    assert reloaded(line).product_name == "기본 티셔츠"


def test_a_preview_that_fails_leaves_no_preview_behind(make_lines: LineMaker) -> None:
    make_lines(1)
    with pytest.raises(ValueError, match="kaputt"), previewing():
        raise ValueError("kaputt")
    assert not is_preview()


def test_outcomes_of_groups_add_up() -> None:
    first, second = Outcome(possible=["a"], refused={1: "x"}), Outcome(possible=["b"], refused={2: "y"})
    assert first.merge(second) is first
    assert (first.possible, first.refused) == (["a", "b"], {1: "x", 2: "y"})


def test_explain_says_nothing_when_the_move_is_open(make_lines: LineMaker) -> None:
    [line] = make_lines(1)
    assert explain(line, OrderLine.acknowledge) is None
    assert (
        explain(line, OrderLine.make_ready) == "연결되지 않은 상품입니다. 품목 연결 화면에서 우리 품목을 골라 주세요."
    )
    assert explain(line, OrderLine.ship) == "배송준비중 상태가 아닙니다. 지금 상태: 상품준비중"


def test_every_condition_of_a_transition_gives_a_reason() -> None:
    for name in dir(OrderLine):
        meta = getattr(getattr(OrderLine, name), "_django_fsm", None)
        for transition in meta.transitions.values() if meta else []:
            assert all(isinstance(guard, Condition) for guard in transition.conditions), name
            assert transition.custom["label"], name


def test_the_table_of_moves_is_the_set_of_transitions() -> None:
    found = set()
    for name in dir(OrderLine):
        meta = getattr(getattr(OrderLine, name), "_django_fsm", None)
        for source, transition in (meta.transitions if meta else {}).items():
            if transition.target is not None:
                found.add((str(source), str(transition.target)))
    assert found == {(str(a), str(b)) for a, b in LINE_MOVES}


# What nobody gets past the guard


def test_a_state_cannot_be_assigned(make_lines: LineMaker) -> None:
    [line] = make_lines(1)
    with pytest.raises(AttributeError, match="not allowed"):
        line.state = LineState.SHIPPING
    assert line.state == "PREPARING"


def test_a_state_slipped_into_memory_is_not_saved(make_lines: LineMaker) -> None:
    [line] = make_lines(1)
    line.__dict__["state"] = "SHIPPING"
    with pytest.raises(ConcurrentTransition, match=r"core\.state\.move"), transaction.atomic():
        line.save()
    assert reloaded(line).state == "PREPARING"


def test_a_version_slipped_into_memory_is_not_saved(make_lines: LineMaker) -> None:
    [line] = make_lines(1)
    line.version = 9
    with pytest.raises(ConcurrentTransition), transaction.atomic():
        line.save(update_fields=["version"])
    assert reloaded(line).version == 0


def test_a_transition_outside_move_reaches_no_row(make_lines: LineMaker) -> None:
    [line] = make_lines(1)
    line.acknowledge(at=NOW)  # a stamp: in memory only
    with pytest.raises(TransitionNotAllowed):
        line.ship(at=NOW)
    assert reloaded(line).acknowledged_at is None


def test_saving_other_fields_needs_the_version_that_was_read(make_lines: LineMaker) -> None:
    [line] = make_lines(1)
    moved([line.pk], OrderLine.acknowledge)
    line.product_name = "다른 이름"
    with pytest.raises(ConcurrentTransition, match="changed since"), transaction.atomic():
        line.save(update_fields=["product_name"])
    assert reloaded(line).product_name == "기본 티셔츠"
    fresh = reloaded(line)
    fresh.product_name = "새 이름"
    fresh.save(update_fields=["product_name"])
    assert reloaded(line).product_name == "새 이름"


def test_a_refreshed_row_can_be_saved_again(make_lines: LineMaker) -> None:
    [line] = make_lines(1)
    moved([line.pk], OrderLine.acknowledge)
    line.refresh_from_db()
    assert (line.version, line.acknowledged_at) == (1, NOW)
    line.product_name = "새 이름"
    line.save()
    assert reloaded(line).product_name == "새 이름"
    with pytest.raises(AttributeError):
        line.state = LineState.READY


def test_a_row_without_its_state_loaded_can_be_saved(make_lines: LineMaker) -> None:
    [line] = make_lines(1)
    partial = OrderLine.objects.only("product_name").get(pk=line.pk)
    partial.product_name = "새 이름"
    partial.save(update_fields=["product_name"])
    assert (reloaded(line).product_name, reloaded(line).state) == ("새 이름", "PREPARING")


def test_a_stored_state_of_a_new_row_is_guarded_too() -> None:
    job = Job(kind=JobKind.ACT, act="x", label="x")
    assert job.state == JobState.PREVIEW
    with pytest.raises(AttributeError):
        job.state = JobState.DONE


@pytest.mark.parametrize(("source", "target"), [("PREPARING", "SHIPPING"), ("PREPARING", "CONFIRMED")])
def test_the_database_refuses_an_illegal_jump(make_lines: LineMaker, source: str, target: str) -> None:
    [line] = make_lines(1)
    with pytest.raises(IntegrityError, match="illegal move"), transaction.atomic():
        OrderLine.objects.filter(pk=line.pk, state=source).update(state=target, version=F("version") + 1)
    assert reloaded(line).state == "PREPARING"


def test_the_database_refuses_a_move_without_its_version(make_lines: LineMaker) -> None:
    [line] = make_lines(1)
    with pytest.raises(IntegrityError, match="without its version"), transaction.atomic():
        OrderLine.objects.filter(pk=line.pk).update(state="READY")
    assert reloaded(line).state == "PREPARING"


def test_the_database_refuses_a_row_that_begins_in_the_middle(make_lines: LineMaker) -> None:
    with pytest.raises(IntegrityError, match="may not begin as"), transaction.atomic():
        make_lines(1, state=S.DELIVERED)
    assert not OrderLine.objects.exists()


def test_a_finished_row_may_be_loaded_in_a_transaction_that_says_so(make_lines: LineMaker) -> None:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('oms.bulk_load', 'on', true)")
        make_lines(1, state=S.DELIVERED)
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('oms.bulk_load', '', true)")
    assert OrderLine.objects.get().state == "DELIVERED"


def test_a_job_moves_through_its_states_only(staff: User) -> None:
    job = Job.objects.create(kind=JobKind.ACT, act="x", label="x", actor=staff)
    with transaction.atomic():
        refused = move([job], Job.start, at=NOW).refused
        assert refused == {job.pk: "대기 상태가 아닙니다. 지금 상태: 확인 전"}
        outcome = move([job], Job.enqueue, at=LATER)
        record(outcome, JOB_QUEUED, at=LATER)
    assert outcome.moved == [job]
    assert (reloaded(job).state, reloaded(job).version) == ("QUEUED", 1)
    with pytest.raises(DatabaseError, match="illegal move"), transaction.atomic():
        Job.objects.filter(pk=job.pk).update(state="DONE", version=2)


def test_a_transition_that_sets_a_column_nobody_read_is_refused_and_nothing_is_written(make_lines: LineMaker) -> None:
    [line] = make_lines(1)
    with transaction.atomic():
        [row] = locked_by(OrderLine, [line.pk], fields=("id", "version", "order_id", "state", "delay_notified_at"))
        with pytest.raises(RuntimeError, match="was not read"):
            move([row], OrderLine.notify_delay, at=NOW, ship_by=LATER)
    found = reloaded(line)
    assert (found.version, found.delay_notified_at, found.ship_by) == (0, None, None)


def test_a_row_of_few_columns_moves_like_a_whole_one(make_lines: LineMaker) -> None:
    [line] = make_lines(1)
    with transaction.atomic():
        looked_at = ("id", "version", "order_id", "state", "acknowledged_at", "open_locks")
        [row] = locked_by(OrderLine, [line.pk], fields=looked_at)
        outcome = move([row], OrderLine.acknowledge, at=NOW)
    found = reloaded(line)
    assert (found.version, found.acknowledged_at, found.product_name) == (1, NOW, "기본 티셔츠")
    assert outcome.moved_ids == [line.pk]
