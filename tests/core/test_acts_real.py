"""The buttons of the shop through the one bulk view: done, undone, and every version accounted for."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from core.actions import ACTIONS
from core.models import Job, JobKind, JobState
from orders.models import Order, OrderEvent, OrderLine
from orders.states import LineState
from tests.fixtures.orders import reloaded

S = LineState
FORMS = {"hold": {"reason": "고객 부재"}, "cancel-unpaid": {"reason": "품절"}}
# act, how the order is made, state before, state after; those with an undo come back to the state before
CASES = [
    ("confirm-payment", {"paid": False}, S.AWAITING_PAYMENT, S.PREPARING),
    ("cancel-unpaid", {"paid": False}, S.AWAITING_PAYMENT, S.CANCELED_UNPAID),
    ("acknowledge", {"paid": True}, S.PREPARING, S.PREPARING),
    ("make-ready", {"paid": True}, S.PREPARING, S.READY),
    ("hold", {"paid": True}, S.PREPARING, S.PREPARING),
]


@pytest.fixture
def client(sign_in: Callable[..., Client], staff: User) -> Client:
    return sign_in(staff, headers={"HX-Request": "true"})


def act_on(client: Client, name: str, order: Order) -> Job:
    """Press a button on one order and confirm whatever it asks."""
    order.refresh_from_db()
    answer = client.post(f"/acts/{name}/", {"page": "orders", "mode": "ids", "rows": f"{order.pk}:{order.version}"})
    assert answer.status_code == 200, answer.content.decode()
    job = Job.objects.filter(act=name, kind=JobKind.ACT).latest("pk")
    if "data-dialog" in answer.content.decode():
        answer = client.post(f"/acts/{job.uuid}/apply/", FORMS.get(name, {}))
        assert answer.status_code == 200, re.sub(r"<[^>]+>", " ", answer.content.decode())
    return reloaded(job)


def line_of(order: Order) -> OrderLine:
    return OrderLine.objects.get(order=order)


@pytest.mark.parametrize(("name", "made", "before", "after"), CASES)
def test_a_button_does_and_undoes(
    make_order: Callable[..., Order],
    client: Client,
    name: str,
    made: dict[str, Any],
    before: LineState,
    after: LineState,
) -> None:
    order = make_order(**made)
    assert line_of(order).state == before
    job = act_on(client, name, order)
    assert (job.state, job.done) == (JobState.DONE, 1), job.error
    assert line_of(order).state == after
    assert OrderEvent.objects.filter(batch=job, subject="line").exists()
    if not ACTIONS[name].is_undoable:
        assert job.undo_until is None
        return
    changed = line_of(order).version
    assert "data-dialog" in client.post(f"/jobs/{job.uuid}/undo/").content.decode()
    client.post(f"/jobs/{job.uuid}/undo/apply/")
    line = line_of(order)
    assert (reloaded(job).state, line.state, line.open_locks) == (JobState.UNDONE, before, 0)
    assert line.version > changed


def test_a_button_that_does_not_fit_leaves_everything_as_it_is(
    make_order: Callable[..., Order], client: Client
) -> None:
    order = make_order(paid=False)
    answer = client.post("/acts/make-ready/", {"page": "orders", "mode": "ids", "rows": f"{order.pk}:{order.version}"})
    assert "지금은 할 수 없는 상태입니다: 배송준비중 처리" in answer.content.decode()
    assert (line_of(order).state, line_of(order).version) == (S.AWAITING_PAYMENT, 0)


@pytest.mark.parametrize(("name", "page"), [("acknowledge", "products"), ("confirm-payment", "preparing")])
@pytest.mark.parametrize("mode", ["ids", "filter"])
def test_an_act_on_a_list_that_does_not_offer_it_is_refused(
    make_order: Callable[..., Order],
    sign_in: Callable[..., Client],
    staff: User,
    name: str,
    page: str,
    mode: str,
) -> None:
    line = line_of(make_order(paid=name == "acknowledge"))
    fields = {"page": page, "mode": mode, "rows": "1:1", "query": "", "as_of": "2026-11-21T00:00:00+09:00"}
    answer = sign_in(staff).post(f"/acts/{name}/", fields)
    assert answer.status_code == 404
    assert f"할 수 없는 처리입니다: {ACTIONS[name].label}." in answer.content.decode()
    assert not Job.objects.exists()
    assert reloaded(line).version == line.version
