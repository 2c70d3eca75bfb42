"""A row that somebody else moved: its new state in words beside who did it, in the place of the smaller line."""

from types import SimpleNamespace

import pytest

from core.cells import moved, opener
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
