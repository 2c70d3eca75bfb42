"""처리할 수 없는 이유: what became of shipments that no longer wait for a number, or are not there (ux.md 6.4)."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Any

from core.calendar import short
from core.events import KINDS, event_model
from core.jobs.history import since_the_screen, who_did
from orders.models import OrderLine
from orders.states import CLOSED, LineState
from shipping.models import Parcel, Shipment, ShipmentLine

NOT_FOUND = "배송건을 찾을 수 없습니다. 목록을 새로 고친 뒤 다시 시도하세요."
NOT_SENT = "배송중이 아닌 배송건입니다. 목록을 새로 고치세요."
NUMBERED = "송장번호가 등록되어 있습니다. 송장을 먼저 삭제하세요."
MERGED = "배송번호 {}에 합포장한 배송건입니다. 그 배송번호로 처리하세요."
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
    merged = Shipment.objects.filter(pk__in=list(lines), merged_into__isnull=False)
    moved = {pk: MERGED.format(number) for pk, number in merged.values_list("pk", "merged_into__number")}
    told = {pk: min(mine, key=lambda line: line.state in CLOSED) for pk, mine in lines.items()}
    who = _who_canceled([line for line in told.values() if line.state in CANCELED])
    return {pk: _sentence(line, who) for pk, line in told.items()} | moved


def parcel_news(shipment_ids: Collection[int], *, since: datetime | None = None, but: Any = None) -> dict[int, str]:
    """그 사이의 송장 처리: who last did what to a parcel of each shipment, and when; two queries.

    `since` leaves out what is older, `but` what that member of staff did.
    """
    owner = dict(Parcel.objects.filter(shipment__in=list(shipment_ids)).values_list("pk", "shipment_id"))
    if not owner:
        return {}
    events = event_model().objects.filter(subject=Parcel.event_subject, subject_id__in=list(owner))
    if since is not None:
        events = events.filter(at__gt=since)
    if but is not None:
        events = events.exclude(actor_id=but.pk)
    newest = {owner[event.subject_id]: event for event in events.select_related("actor").order_by("id")}
    return {pk: _parcel_words(event) for pk, event in newest.items()}


def _parcel_words(event: Any) -> str:
    known = KINDS.get(event.kind)
    did = f"먼저 처리했습니다({known.label})" if known else "먼저 처리했습니다"
    return since_the_screen(f"{short(event.at)}에 {who_did(event)}", did)


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
