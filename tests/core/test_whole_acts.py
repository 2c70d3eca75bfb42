"""Acts that concern whole orders: what is left out is not moved, an undo keeps its limits, previews add up."""

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from accounts.roles import Role
from core.actions import get_action
from core.exceptions import Conflict, NotAllowed
from core.jobs import items, runner, selection, start
from core.jobs.undo import open_undo
from core.jobs.work import WITH_ITS_GROUP
from core.lists import get_page
from core.models import ItemResult, Job, JobItem, JobState
from orders.models import Order
from orders.services import progress
from orders.states import LineState
from tests.fixtures.orders import NOW, reloaded
from tests.fixtures.work import hold_lines, previewed, release_lines
from tests.infra.races import race

S = LineState


@pytest.fixture
def act(staff):
    """`act(name, orders)`: preview of a bulk act on these orders, confirmed and run."""

    def run(name, orders, *, actor=staff, at=None):
        moment = at or timezone.now()
        job = preview(name, orders, actor=actor, at=moment)
        return confirmed(job, actor=actor, at=moment)

    return run


def preview(name, orders, *, actor, at):
    rows = ",".join(f"{order.pk}:{reloaded(order).version}" for order in orders)
    page = get_page("orders")
    return selection.open_act(action=get_action(name), page=page, selection=selection.by_ids(rows), actor=actor, at=at)


def confirmed(job, *, actor, at):
    lease = start.confirm(job_id=job.pk, actor=actor, at=at)
    if lease is not None:
        runner.run(lease, patient=False)
    return Job.objects.get(pk=job.pk)


def verdicts(job):
    return dict(JobItem.objects.filter(job=job).values_list("target_id", "result"))


def test_undo_leaves_an_order_alone_whose_other_line_was_touched(act, make_order, make_variant, lines_of, staff):
    order = make_order(lines=[(make_variant(on_hand=5), 1), (make_variant(on_hand=5), 1)])
    untouched = make_order()
    done = act("confirm-payment", [order, untouched])
    first, second = lines_of(order)
    progress.acknowledge(line_ids=[second.pk], actor=staff, at=timezone.now())
    undo = confirmed(open_undo(job=done, actor=staff, at=timezone.now()), actor=staff, at=timezone.now())
    result = verdicts(undo)
    assert (result[first.pk], result[second.pk]) == (ItemResult.REFUSED, ItemResult.REFUSED)
    assert {line.state for line in lines_of(order)} == {S.PREPARING}
    assert reloaded(order).paid_amount == order.due_amount
    assert reloaded(untouched).stage == S.AWAITING_PAYMENT


def test_an_undo_prepared_in_time_is_refused_after_thirty_minutes(act, make_order, staff):
    order = make_order()
    done = act("confirm-payment", [order])
    undo = open_undo(job=done, actor=staff, at=timezone.now())
    with pytest.raises(Conflict, match="30분"):
        start.confirm(job_id=undo.pk, actor=staff, at=timezone.now() + timedelta(minutes=31))
    assert reloaded(order).stage == S.PREPARING


def test_undo_of_somebody_elses_batch_needs_the_opposite_right(act, make_order, make_staff, staff):
    cs = make_staff(Role.CS)
    order = make_order()
    by_finance = act("confirm-payment", [order], actor=staff)
    with pytest.raises(NotAllowed):
        open_undo(job=by_finance, actor=cs, at=timezone.now())
    own = act("confirm-payment", [other := make_order()], actor=cs)
    confirmed(open_undo(job=own, actor=cs, at=timezone.now()), actor=cs, at=timezone.now())
    assert reloaded(other).stage == S.AWAITING_PAYMENT
    assert reloaded(order).stage == S.PREPARING


def test_a_preview_over_several_chunks_promises_stock_once(act, make_order, make_variant, staff, monkeypatch):
    monkeypatch.setattr(items, "CHUNK", 2)
    variant = make_variant(on_hand=3)
    orders = [make_order(lines=[(variant, 1)], paid=True) for _ in range(6)]
    job = preview("make-ready", orders, actor=staff, at=timezone.now())
    promised = JobItem.objects.filter(job=job, result=ItemResult.PENDING).count()
    done = confirmed(job, actor=staff, at=timezone.now())
    assert (promised, done.done) == (3, 3)


@pytest.mark.parametrize("is_whole", [False, True])
def test_a_preview_is_made_anew_without_what_somebody_changed_before_its_lock(
    hold_act, make_lines, staff, make_staff, monkeypatch, is_whole
):
    """Its sums and promises are of the rows that it offers; a whole order is offered as one or not at all."""
    lines, colleague = make_lines(4, per_order=2), make_staff(Role.CS, display_name="이도윤")

    def meanwhile(ids, *, at):
        hold_lines([lines[0].pk], actor=colleague, at=NOW)
        release_lines([lines[0].pk], actor=colleague, at=NOW)
        return {}

    monkeypatch.setattr(hold_act, "ask_first", meanwhile)
    monkeypatch.setattr(hold_act, "is_whole", is_whole, raising=False)
    job = previewed(hold_act, lines, actor=staff)
    left = [line.pk for line in (lines[2:] if is_whole else lines[1:])]
    assert hold_act.chunks == [[line.pk for line in lines], left]
    offered = JobItem.objects.filter(job=job, result=ItemResult.PENDING).order_by("pk")
    assert list(offered.values_list("target_id", flat=True)) == left
    changed = "화면을 연 뒤 09-21 11:00에 이도윤 님이 내용을 바꿨습니다(보류 해제)."
    assert dict(items.reasons(job)) == {changed: 1} | ({WITH_ITS_GROUP: 1} if is_whole else {})


@pytest.mark.django_db(transaction=True)
def test_one_busy_order_does_not_refuse_the_others(make_order, staff):
    orders = [make_order() for _ in range(4)]
    job = preview("confirm-payment", orders, actor=staff, at=timezone.now())

    def keep():
        with transaction.atomic(), connection.cursor() as cursor:
            Order.objects.select_for_update().get(pk=orders[2].pk)
            cursor.execute("SELECT pg_sleep(5)")

    def run():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.5)")
        return confirmed(job, actor=staff, at=timezone.now()).done

    assert race([keep, run])[1] == 3
    assert reloaded(orders[2]).stage == S.AWAITING_PAYMENT
    assert Job.objects.get(pk=job.pk).state == JobState.PARTIAL
