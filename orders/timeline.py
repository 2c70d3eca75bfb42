"""처리 이력 as staff read it: events of an order, several lines that moved together told as one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from core.calendar import short
from core.cells import full_time
from core.events import KINDS
from core.models import Source
from orders.models import Order, OrderEvent, OrderLine
from orders.states import BenefitAct

TOLD_BY_LINES = ("payment", "parcel")
"""Rows whose events say again what the events of the lines say."""
MOST = 1_000
"""Events that one order shows; an order of a hundred lines needs a hundred for every move."""


@dataclass(frozen=True, slots=True)
class Entry:
    """이력 한 줄: finished words for the timeline."""

    label: str
    who: str
    when: str
    when_full: str
    what: str
    reason: str
    job_uuid: str
    job_label: str


def timeline(order: Order, lines: Iterable[OrderLine]) -> list[Entry]:
    """처리 이력 of one order with its lines, newest first; one query."""
    events = (
        OrderEvent.objects.filter(order=order)
        .exclude(subject__in=TOLD_BY_LINES)
        .select_related("actor", "batch")
        .order_by("-id")[:MOST]
    )
    numbers = {line.pk: line.seq for line in lines}
    return [_entry(list(group), numbers) for _, group in groupby(events, key=_together)]


def who_did(event: Any) -> str:
    """누가: the member of staff, or the door through which the system acted."""
    if event.actor is not None:
        return f"{event.actor.display_name} 님"
    if event.source == Source.BUYER:
        return "고객"
    return f"시스템 · {Source(event.source).label}"


def _together(event: Any) -> tuple[Any, ...]:
    return event.kind, event.at, event.actor_id, event.to_state, event.reason, event.batch_id


def _entry(events: list[Any], numbers: dict[int, int]) -> Entry:
    first = events[0]
    kind = KINDS.get(first.kind)
    return Entry(
        label=kind.label if kind else first.kind,
        who=who_did(first),
        when=short(first.at),
        when_full=full_time(first.at),
        what=_what(events, numbers),
        reason=first.reason,
        job_uuid=str(first.batch.uuid) if first.batch else "",
        job_label=f"선택 처리 {first.batch.total:,}건" if first.batch and first.batch.total > 1 else "작업 보기",
    )


def _what(events: Sequence[Any], numbers: dict[int, int]) -> str:
    seqs = sorted(numbers[e.subject_id] for e in events if e.subject == "line" and e.subject_id in numbers)
    facts = next((e.data for e in events if e.data), None) or {}
    words = [f"품목 {', '.join(f'{n:02d}' for n in seqs)}"] if seqs and len(seqs) < len(numbers) else []
    if facts.get("waybill"):
        was = f"{facts['was']} → " if facts.get("was") else ""
        words.append(f"송장 {was}{facts['waybill']}")
    if told := _benefits(events):
        words.append(told)
    if facts.get("fields"):
        labels = {field.name: str(field.verbose_name) for field in Order._meta.fields}
        words.append(", ".join(labels.get(name, name) for name in facts["fields"]))
    return " · ".join(words)


def _benefits(events: Sequence[Any]) -> str:
    """쿠폰과 적립금: the shares of lines that moved together, added up; "" where there are none."""
    told = [event.data["benefits"] for event in events if event.data and "benefits" in event.data]
    sums = [(label, sum(one[key] for one in told)) for key, label in (("coupon", "쿠폰"), ("points", "적립금"))]
    said = ", ".join(f"{label} {amount:,}원" for label, amount in sums if amount)
    if not said:
        return ""
    return f"{said}을 {'돌려주었습니다' if told[0]['act'] == BenefitAct.RESTORED else '다시 사용했습니다'}"
