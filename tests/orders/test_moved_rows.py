"""A row that somebody else moved: its new state in words beside who did it, in the place of the smaller line."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.utils import timezone

from accounts.roles import Role
from core.cells import moved, opener
from core.models import Source
from orders.models import Order, OrderEvent, OrderLine
from orders.pages import moved_badge
from orders.states import LineState

S = LineState


def group(*states):
    return SimpleNamespace(lines=[SimpleNamespace(state=one, open_locks=0, standby_at=None) for one in states])


@pytest.mark.parametrize(
    ("states", "step", "words"),
    [
        ((S.READY,), S.PREPARING, "배송준비중"),
        ((S.CONFIRMED, S.PREPARING, S.READY), S.PREPARING, "배송준비중 외 2"),
        ((S.PREPARING, S.PREPARING), S.PREPARING, "상품준비중"),
        ((S.PREPARING, S.CANCELED), S.PREPARING, "취소완료 외 1"),
        ((S.AWAITING_PAYMENT,), S.PREPARING, "입금대기"),
        ((), S.PREPARING, ""),
        ((S.SHIPPING, S.DELIVERED), None, "배송중 외 1"),
    ],
)
def test_one_state_is_told_the_nearest_behind_the_step(states, step, words):
    cell = moved(
        opener("/orders/1/", "1", sub="11-21 14:20"), "방금 이도윤 님이 처리", moved_badge(group(*states), step=step)
    )
    said = " · ".join(filter(None, (words, "방금 이도윤 님이 처리")))
    assert f'<span class="sub said" title="{said}">' in cell
    assert cell.count('class="badge') == bool(words)
    assert "11-21 14:20" not in cell


def test_the_poll_is_silent_about_what_the_list_had_read_already(sign_in, some_orders, make_staff):
    """An act of some seconds ago is on the screen, unless it was committed after the list had been read."""
    colleague = make_staff(Role.CS, display_name="이도윤")
    order = Order.objects.in_step(S.PREPARING).order_by("pk")[0]
    line = OrderLine.objects.filter(order=order).first()
    OrderEvent.objects.create(
        at=timezone.now() - timedelta(seconds=3), kind="line.ready", order=order, subject="line", subject_id=line.pk,
        actor=colleague, version=line.version, from_state="PREPARING", to_state="READY", source=Source.SCREEN,
    )  # fmt: skip
    browser = sign_in(Role.CS)
    view = browser.get("/orders/preparing/?period=all").context["page"]
    url = f"/orders/preparing/poll/?since={view.since}&ids={order.pk}"
    assert browser.get(f"{url}:{order.version}").status_code == 204
    late = browser.get(f"{url}:{order.version + 1}")
    assert late.status_code == 200
    assert "방금 이도윤 님이 처리" in late.content.decode()
    assert browser.get(url).status_code == 200
    assert browser.get(f"{url}:x").status_code == 400
