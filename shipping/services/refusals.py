"""송장을 등록할 수 없는 이유: what became of shipments that no longer wait for a number (ux.md 6.4)."""

from collections import defaultdict
from collections.abc import Collection

from core.calendar import short
from core.events import event_model
from orders.models import OrderLine
from orders.states import CLOSED, LineState
from shipping.models import ShipmentLine

CANCELED = frozenset({LineState.CANCELED_UNPAID, LineState.CANCELED})


def not_ready(shipment_ids: Collection[int]) -> dict[int, str]:
    """이미 취소된 주문 or 배송준비중이 아닌 주문: a sentence per shipment that still has a line to tell of."""
    if not shipment_ids:
        return {}
    items = ShipmentLine.objects.filter(shipment__in=shipment_ids).select_related("line").order_by("line__seq")
    lines: dict[int, list[OrderLine]] = defaultdict(list)
    for item in items:
        lines[item.shipment_id].append(item.line)
    # A line that still stands somewhere tells more than one that ended beside it.
    told = {pk: min(mine, key=lambda line: line.state in CLOSED) for pk, mine in lines.items()}
    who = _who_canceled([line for line in told.values() if line.state in CANCELED])
    return {pk: _sentence(line, who) for pk, line in told.items()}


def _sentence(line: OrderLine, who: dict[int, str]) -> str:
    if line.state not in CANCELED:
        return f"배송준비중 주문이 아닙니다. 지금 상태: {line.state_label}"
    when = f"{short(line.canceled_at)}에 " if line.canceled_at else ""
    return f"이미 취소된 주문입니다. {who.get(line.pk, '시스템이')} {when}취소했습니다."


def _who_canceled(lines: Collection[OrderLine]) -> dict[int, str]:
    if not lines:
        return {}
    ids = [line.pk for line in lines]
    events = event_model().objects.filter(subject="line", subject_id__in=ids, to_state__in=CANCELED)
    newest = events.order_by("subject_id", "-version").distinct("subject_id")
    rows = newest.values_list("subject_id", "actor__display_name")
    return {line_id: f"{name} 님이" if name else "시스템이" for line_id, name in rows}
