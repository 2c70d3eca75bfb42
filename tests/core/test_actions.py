"""Bulk acts: the registry, what a selection becomes, and the preview that tells what would happen and why not."""

from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any

import pytest
from django import forms
from django.db import transaction

from accounts.models import User
from accounts.roles import Role
from core.actions import ACTIONS, BulkAction, actions_for, get_action, register
from core.events import record
from core.exceptions import DomainError
from core.jobs import items
from core.jobs.items import NewItem, Verdict, chunks, insert_items, next_chunk, store_verdicts
from core.jobs.pages import OrderRows
from core.jobs.selection import BadSelection, Selection, StillRunning, by_filter, by_ids, open_act
from core.jobs.work import form_values
from core.models import ItemResult, Job, JobItem, JobKind, JobState
from core.state import move
from orders import events
from orders.models import Delivery, Order, OrderEvent, OrderLine
from orders.states import LineState
from tests.fixtures.orders import NOW, reloaded
from tests.fixtures.work import (
    HOLD_REASON,
    LineMaker,
    TestHold,
    confirmed,
    hold_lines,
    locked_rows,
    previewed,
    queued,
    selected,
    tally,
)

Subscribe = Callable[..., list[Any]]
LATER = NOW + timedelta(minutes=1)


def reasons_of(job: Job) -> dict[str, int]:
    return dict(items.reasons(job))


# Registry and words


def test_an_act_is_registered_once_and_found_by_name(hold_act: TestHold) -> None:
    assert get_action("test-hold") is hold_act
    assert get_action("no-such-act") is None
    with pytest.raises(ValueError, match="registered twice"):
        register(TestHold)


def test_a_page_offers_the_acts_of_its_states_and_the_persons_rights(
    hold_act: TestHold, make_staff: Callable[..., User]
) -> None:
    owner, viewer = make_staff(Role.OWNER), make_staff(Role.VIEWER)
    names = [act.name for act in actions_for(Order, {LineState.PREPARING}, owner)]
    assert "test-hold" in names
    assert "test-hold" not in [act.name for act in actions_for(Order, {LineState.CONFIRMED}, owner)]
    assert actions_for(Order, {LineState.PREPARING}, viewer) == []


def test_primary_acts_come_first_and_destructive_ones_last(make_staff: Callable[..., User]) -> None:
    rank = {"primary": 0, "secondary": 1, "more": 2, "danger": 3}
    found = [rank[act.style] for act in actions_for(Order, set(LineState), make_staff(Role.OWNER))]
    assert found == sorted(found)
    assert len(found) > 5


def test_every_registered_act_is_complete() -> None:
    for name, act in ACTIONS.items():
        assert act.name == name
        assert act.label
        assert act.style in {"primary", "secondary", "more", "danger"}
        assert act.states, name
        assert (type(act).undo is not BulkAction.undo) == act.is_undoable, name


def test_words_take_the_fitting_particle() -> None:
    ship, hold = ACTIONS["ship"], ACTIONS["hold"]
    assert (ship.will(), ship.did(), ship.did_not()) == (
        "배송중으로 바꿉니다",
        "배송중으로 바꿨습니다",
        "바꾸지 못했습니다",
    )
    assert (hold.will(), hold.did(), hold.did_not()) == ("배송보류합니다", "배송보류했습니다", "처리하지 못했습니다")


def test_what_has_no_undo_says_so() -> None:
    with pytest.raises(DomainError, match="발주확인은 되돌릴 수 없습니다"):
        ACTIONS["acknowledge"].undo([1])


# Selection


def test_ids_come_with_their_versions() -> None:
    assert by_ids("3:1, 5:0") == Selection({3: 1, 5: 0})


@pytest.mark.parametrize("text", ["", "3", "3:x", "3:1:2", "-3:1", "3:1;4:1", "9" * 19 + ":1", "³:1", "3:1\x00"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(BadSelection):
        by_ids(text)


def test_more_than_two_thousand_ids_are_refused() -> None:
    assert len(by_ids(",".join(f"{n}:0" for n in range(1, 2001))).rows) == 2000
    with pytest.raises(BadSelection, match="2,000건까지"):
        by_ids(",".join(f"{n}:0" for n in range(1, 2002)))


class FilterPage(OrderRows):
    """A list of every order, with its number as the search text."""

    name, url = "test-list", "/test-list/"

    def selection(self, query: str, as_of: Any, user: Any) -> list[tuple[int, int]]:
        rows = Order.objects.filter(number__contains=query, created_at__lte=as_of)
        return list(rows.values_list("pk", "version"))


def test_a_filter_selects_what_the_list_finds(make_lines: LineMaker, staff: User) -> None:
    lines = make_lines(3)
    found = by_filter(
        FilterPage(), query="0000002", as_of=lines[2].created_at + timedelta(days=9), expected=1, user=staff
    )
    assert (set(found.rows), found.is_filter, found.expected) == ({lines[1].order_id}, True, 1)
    with pytest.raises(BadSelection, match="맞는 행이 없습니다"):
        by_filter(FilterPage(), query="X", as_of=NOW, expected=None, user=staff)


def test_too_many_rows_are_refused(monkeypatch: pytest.MonkeyPatch, make_lines: LineMaker, staff: User) -> None:
    lines = make_lines(3)
    monkeypatch.setattr("core.jobs.selection.MAX_ROWS", 2)
    with pytest.raises(BadSelection, match="지금은 3건입니다"):
        by_filter(FilterPage(), query="", as_of=lines[2].created_at + timedelta(days=9), expected=3, user=staff)


# Preview


def test_a_preview_counts_and_changes_nothing(hold_act: TestHold, make_lines: LineMaker, staff: User) -> None:
    free, held, waiting = make_lines(1) + make_lines(1) + make_lines(1, state=LineState.AWAITING_PAYMENT)
    hold_lines([held.pk], actor=staff, at=NOW)
    job = previewed(hold_act, [free, held, waiting], actor=staff)
    assert (job.state, job.kind, job.act, job.total) == (JobState.PREVIEW, JobKind.ACT, "test-hold", 3)
    assert tally(job) == (1, 0, 2)
    assert reasons_of(job) == {
        f"이미 배송보류 중입니다. 사유: {HOLD_REASON}": 1,
        "지금은 할 수 없는 상태입니다: 시험 보류": 1,
    }
    assert (reloaded(free).version, reloaded(held).version) == (0, 1)
    assert OrderEvent.objects.exclude(subject="job").count() == 1
    item = JobItem.objects.get(job=job, result=ItemResult.PENDING)
    assert (item.target_id, item.group_id, item.seen_version) == (free.pk, free.order_id, 0)


def test_lines_of_one_order_are_judged_together(hold_act: TestHold, make_lines: LineMaker, staff: User) -> None:
    lines = make_lines(4, per_order=2)
    job = previewed(hold_act, lines, actor=staff)
    assert tally(job) == (4, 0, 0)
    assert set(JobItem.objects.filter(job=job).values_list("group_id", flat=True)) == {line.order_id for line in lines}
    assert items.group_count(job) == 2


def test_an_order_that_changed_since_the_screen_names_when_who_and_what(
    hold_act: TestHold, make_lines: LineMaker, make_staff: Callable[..., User], staff: User
) -> None:
    first, second = make_lines(2)
    seen = selected([first, second])
    colleague = make_staff(Role.CS, display_name="이도윤")
    hold_lines([first.pk], actor=colleague, at=NOW)
    job = open_act(action=hold_act, page=OrderRows(), selection=seen, actor=staff, at=LATER)
    assert tally(job) == (1, 0, 1)
    assert reasons_of(job) == {"화면을 연 뒤 09-21 11:00에 이도윤 님이 내용을 바꿨습니다(배송보류).": 1}
    assert reloaded(first).version == 1


def test_a_change_of_state_is_told_as_the_new_state(hold_act: TestHold, make_lines: LineMaker, staff: User) -> None:
    [line] = make_lines(1, state=LineState.PREPARING)
    seen = selected([line])
    with transaction.atomic():
        outcome = move(locked_rows([line.pk]), OrderLine.revert_payment, at=NOW)
        record(outcome, events.LINE_PAYMENT_REVERTED, at=NOW)
    job = open_act(action=hold_act, page=OrderRows(), selection=seen, actor=staff, at=LATER)
    assert reasons_of(job) == {"화면을 연 뒤 09-21 11:00에 시스템이 입금대기로 바꿨습니다.": 1}


def test_a_row_that_is_gone_is_refused(hold_act: TestHold, make_lines: LineMaker, staff: User) -> None:
    [line] = make_lines(1)
    job = open_act(
        action=hold_act,
        page=OrderRows(),
        selection=Selection({line.order_id: line.order.version, 999_999: 0}),
        actor=staff,
        at=NOW,
    )
    assert tally(job) == (1, 0, 1)
    assert reasons_of(job) == {"목록에서 사라진 행입니다. 목록을 새로 고치세요.": 1}


def test_single_lines_can_be_named(hold_act: TestHold, make_lines: LineMaker, staff: User) -> None:
    first, second = make_lines(2, per_order=2)
    selection = by_ids("", f"{second.pk}:0")
    job = open_act(action=hold_act, page=OrderRows(), selection=selection, actor=staff, at=NOW)
    item = JobItem.objects.get(job=job)
    assert (item.target_id, item.group_id, item.result) == (second.pk, second.order_id, ItemResult.PENDING)
    hold_lines([first.pk], actor=staff, at=NOW)
    stale = open_act(
        action=hold_act,
        page=OrderRows(),
        selection=by_ids("", f"{first.pk}:0,77777:1"),
        actor=staff,
        at=NOW,
    )
    assert tally(stale) == (0, 0, 2)


def test_messages_are_counted_by_order_and_sender(
    hold_act: TestHold, make_lines: LineMaker, staff: User, subscribe: Subscribe
) -> None:
    subscribe(events.LINE_HELD, holds=True)
    subscribe(events.LINE_HELD)
    subscribe(events.LINE_SHIPPED, holds=True)
    lines = make_lines(5, per_order=2)
    hold_lines([lines[4].pk], actor=staff, at=NOW)
    job = previewed(hold_act, lines, actor=staff)
    assert job.params["messages"] == 2
    assert not Delivery.objects.filter(batch=job).exists()


def test_a_service_that_refuses_the_whole_chunk_refuses_its_rows(
    hold_act: TestHold, make_lines: LineMaker, staff: User
) -> None:
    def closed(ids: Collection[int]) -> None:
        raise DomainError("지금은 출고 마감 시간입니다.")

    hold_act.before = closed
    job = previewed(hold_act, make_lines(2), actor=staff)
    assert tally(job) == (0, 0, 2)
    assert reasons_of(job) == {"지금은 출고 마감 시간입니다.": 2}


def test_rows_of_ones_own_running_job_are_refused(hold_act: TestHold, make_lines: LineMaker, staff: User) -> None:
    lines = make_lines(2)
    first = previewed(hold_act, lines[:1], actor=staff)
    queued(first, actor=first.actor)
    with pytest.raises(StillRunning, match="시험 보류"):
        previewed(hold_act, lines, actor=staff)
    assert tally(previewed(hold_act, lines[1:], actor=staff)) == (1, 0, 0), "other rows are free"


def test_a_colleagues_running_job_does_not_stop_the_preview(
    hold_act: TestHold, make_lines: LineMaker, staff: User, make_staff: Callable[..., User]
) -> None:
    lines = make_lines(1)
    first = previewed(hold_act, lines, actor=make_staff(Role.CS))
    queued(first, actor=first.actor)
    assert tally(previewed(hold_act, lines, actor=staff)) == (1, 0, 0)


class ReasonForm(forms.Form):
    reason = forms.CharField(max_length=20)
    days = forms.IntegerField(initial=3)


class WithForm(TestHold):
    """An act that asks for something."""

    form_class = ReasonForm
    preview_data = {"reason": "확인 전"}


def test_a_form_is_cleaned_again_from_what_was_posted() -> None:
    act = WithForm()
    assert form_values(act, {"reason": ["고객 요청"], "days": ["5"]}) == {"reason": "고객 요청", "days": 5}
    assert form_values(act, None) == {"reason": "확인 전", "days": 3}
    assert form_values(TestHold(), {"reason": ["x"]}) == {}


# Items


def test_chunks_keep_the_lines_of_an_order_together(monkeypatch: pytest.MonkeyPatch, staff: User) -> None:
    monkeypatch.setattr(items, "CHUNK", 3)
    new = [NewItem(target, group, 0) for target, group in [(1, 1), (2, 1), (3, 2), (4, 2), (5, 2), (6, 3)]]
    assert [[item.target_id for item in chunk] for chunk in chunks(new)] == [[1, 2, 3, 4, 5], [6]]
    job = Job.objects.create(kind=JobKind.ACT, act="x", label="x", actor=staff)
    insert_items(job, reversed(new))
    first = next_chunk(job)
    assert [item.target_id for item in first] == [1, 2, 3, 4, 5]
    store_verdicts({item.pk: Verdict(made_version=7) for item in first})
    assert [item.target_id for item in next_chunk(job)] == [6]


def test_verdicts_are_stored_with_reason_version_and_target(staff: User) -> None:
    job = Job.objects.create(kind=JobKind.UPLOAD, act="x", label="x", actor=staff)
    insert_items(job, [NewItem(1, 1, 0), NewItem(None, 2, None), NewItem(3, 3, 0, "나중에")])
    first, second = next_chunk(job)
    store_verdicts({first.pk: Verdict("안 됩니다."), second.pk: Verdict(made_version=4, target_id=22)})
    found = list(JobItem.objects.order_by("pk").values_list("target_id", "result", "reason", "made_version"))
    assert found == [(1, "REFUSED", "안 됩니다.", None), (22, "OK", "", 4), (3, "REFUSED", "나중에", None)]
    assert items.reasons(job) == [("나중에", 1), ("안 됩니다.", 1)]


def test_rare_reasons_are_counted_together(staff: User) -> None:
    job = Job.objects.create(kind=JobKind.ACT, act="x", label="x", actor=staff)
    insert_items(job, [NewItem(n, n, 0, f"사유 {min(n, 7)}") for n in range(1, 10)])
    assert items.reasons(job)[0] == ("사유 7", 3)
    assert items.reasons(job)[-1] == ("그 밖의 이유", 2)
    assert sum(n for _, n in items.reasons(job)) == 9


def test_reasons_that_differ_in_a_number_only_are_one(staff: User) -> None:
    job = Job.objects.create(kind=JobKind.ACT, act="x", label="x", actor=staff)
    taken = [NewItem(n, n, 0, f"이미 발급됨: 68000000{n:04}") for n in range(1, 8)]
    used = [NewItem(n, n, 0, f"다른 주문 20261123-{n:07}에서 쓰고 있는 송장번호입니다.") for n in range(8, 11)]
    insert_items(job, [*taken, *used, NewItem(11, 11, 0, "화면을 연 뒤 09-21 11:01에 바꿨습니다. 20261123-0000011")])
    assert items.reasons(job) == [
        ("이미 발급됨", 7),
        ("다른 주문 …에서 쓰고 있는 송장번호입니다.", 3),
        ("화면을 연 뒤 09-21 11:01에 바꿨습니다. 20261123-0000011", 1),
    ]


def test_a_confirmed_act_does_what_the_preview_said(hold_act: TestHold, make_lines: LineMaker, staff: User) -> None:
    lines = make_lines(3)
    hold_lines([lines[0].pk], actor=staff, at=NOW)
    job = confirmed(previewed(hold_act, lines, actor=staff), actor=staff)
    assert (job.state, job.done, job.failed) == (JobState.PARTIAL, 2, 1)
    assert [reloaded(line).version for line in lines] == [1, 1, 1]
    assert OrderEvent.objects.filter(batch=job, kind="line.held").count() == 2
