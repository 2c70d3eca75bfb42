"""주문 상세: what the page and the slide-over of one order show."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest

from core.actions import DANGER, MORE, PRIMARY, SECONDARY, BulkAction, actions_for
from core.cells import full_time, short_time
from core.jobs.pages import OrderRows
from core.korean import josa
from core.lists import Button
from core.panels import draw
from orders.columns import order_url, shown_state
from orders.models import Order, OrderLine
from orders.states import LineState
from orders.why import why_order

MOST_IN_BAR = 2
"""Buttons that stand in the bar beside the first; the others are under 더 보기."""
BESIDE = frozenset({"recipient", "history", "memo"})
"""Boxes in the right column of the full page."""


def find_order(number: str) -> Order:
    """주문 찾기 with its lines loaded as `detail_lines`, each carrying the order; two queries. Raises Http404."""
    order = Order.objects.select_related("channel", "parent").filter(number=number).first()
    if order is None:
        raise Http404(f"주문 {josa(number, '을/를')} 찾을 수 없습니다. 주문번호를 확인하고 다시 찾아보세요.")
    lines = list(OrderLine.objects.filter(order=order).order_by("seq"))
    for line in lines:
        line.order = order
    order.detail_lines = lines  # type: ignore[attr-defined]
    return order


def detail_context(request: HttpRequest, order: Order, *, at: datetime) -> dict[str, Any]:
    """상세 내용: head, reason, boxes and the acts that fit the order's lines."""
    lines = order.detail_lines  # type: ignore[attr-defined]
    drawn = draw(order, request=request, at=at)
    return {
        "order": order,
        "title": order.number,
        "detail_url": order_url(order.number),
        "badges": badges_of(lines),
        "ordered": short_time(order.ordered_at, at),
        "ordered_full": full_time(order.ordered_at),
        "why": next((box.why for box in drawn if box.why), None) or why_order(lines, at=at),
        "panels": drawn,
        "main_panels": [panel for panel in drawn if panel.name not in BESIDE],
        "beside_panels": [panel for panel in drawn if panel.name in BESIDE],
        "buttons": buttons_of(lines, request.user),
        "page_name": OrderRows.name,
        "rows": f"{order.pk}:{order.version}",
        "family": family_of(order),
    }


def badges_of(lines: Sequence[Any]) -> list[dict[str, str]]:
    """상태 요약: one badge for every state that lines show, the slowest first, with numbers when they differ."""
    order = [state.value for state in LineState]
    ranked = sorted((line for line in lines if line.state != LineState.MOVED), key=lambda line: order.index(line.state))
    found = Counter(shown_state(line) for line in ranked)
    return [{"css": css, "label": label if len(found) < 2 else f"{label} {n}"} for (css, label), n in found.items()]


def buttons_of(lines: Sequence[Any], user: Any) -> list[Button]:
    """처리 단추: one primary, a few beside it, the others under 더 보기, the destructive last.

    Where the usual next step does not fit (방문수령), the one that does takes its place.
    """
    acts = [act for act in actions_for(Order, {line.state for line in lines}, user) if _fits(act, lines)]
    main = None if any(act.style == PRIMARY for act in acts) else next(filter(_goes_on, acts), None)
    found, primaries, beside = [], 0, 0
    for act in acts:
        style = PRIMARY if act is main else act.style
        if style == PRIMARY:
            primaries += 1
            style = PRIMARY if primaries == 1 else SECONDARY
        if style == SECONDARY:
            beside += 1
            style = SECONDARY if beside <= MOST_IN_BAR else MORE
        found.append(Button(act.name, act.label, style, hotkey=act.hotkey if style in {PRIMARY, SECONDARY} else ""))
    return sorted(found, key=lambda button: (button.style == DANGER, button.style != PRIMARY))


def _goes_on(act: BulkAction) -> bool:
    return act.style == MORE and bool(act.becomes) and not act.is_destructive


def _fits(act: BulkAction, lines: Sequence[Any]) -> bool:
    return any(act.fits(line) for line in lines if line.state in act.states)


def family_of(order: Order) -> list[Order]:
    """나눈 주문: orders that came from the same one, without this one."""
    root_id = order.root_id or order.pk
    found = Order.objects.filter(root_id=root_id) | Order.objects.filter(pk=root_id)
    return [one for one in found.only("pk", "number").order_by("pk") if one.pk != order.pk]
