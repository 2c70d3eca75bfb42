"""처리 이력: the list of everything that happened, newest first; append-only, so that it only grows."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, NamedTuple

import django_filters
from django.apps import apps
from django.db.models import OuterRef, Q, Subquery
from django.urls import reverse

from accounts.lists import LoggedPage
from accounts.models import User
from core import cells
from core.events import KINDS
from core.excel.columns import Kind
from core.lists import Choices, DateBasis, Group, ListColumn, ListFilterSet, ListTab, RowHead, SearchArm, Sort, lists
from core.masking import mask_text
from core.models import Source
from orders.columns import in_file, order_url
from orders.models import OrderEvent, OrderLine
from orders.search import LINE_NUMBER, ORDER_NUMBER

_SOURCE = dict(Source.choices)


class EventRecord(NamedTuple):
    """이력 한 줄: the columns of an event that the list needs."""

    id: int
    version: int
    at: datetime
    kind: str
    order_number: str | None
    subject: str
    from_state: str
    to_state: str
    actor_name: str | None
    source: str
    reason: str
    batch_uuid: Any
    batch_label: str | None


@cache
def subjects() -> Mapping[str, tuple[str, Mapping[str, str]]]:
    """대상 종류: what staff call the rows of an event, and the labels of their states."""
    found = {}
    for model in apps.get_models():
        subject = getattr(model, "event_subject", "")
        if subject:
            choices = [field.choices for field in model._meta.fields if field.name in {"state", "stage"}]
            states = choices[0] if choices and choices[0] else ()
            found[subject] = (str(model._meta.verbose_name), {str(code): str(label) for code, label in states})
    return found


def kind_label(code: str) -> str:
    """처리 이름 of a kind of event."""
    return KINDS[code].label if code in KINDS else code


def kind_choices() -> list[tuple[str, str]]:
    """처리 종류 to choose from; kinds with the same words are told apart by what they happen to."""
    labels = [kind.label for kind in KINDS.values()]

    def words(code: str, label: str) -> str:
        name = subjects().get(code.partition(".")[0], ("",))[0]
        return f"{label} ({name})" if labels.count(label) > 1 and name else label

    return sorted(((kind.code, words(kind.code, kind.label)) for kind in KINDS.values()), key=lambda pair: pair[1])


def people() -> list[tuple[str, str]]:
    """담당자 to choose from; one query."""
    rows = User.objects.order_by("display_name", "pk").values_list("pk", "display_name")
    return [(str(pk), name) for pk, name in rows]


class EventFilter(ListFilterSet):
    """이력 상세조건."""

    act = Choices(label="처리", field_name="kind", choices=kind_choices)
    actor = Choices(label="담당자", field_name="actor_id", choices=people)
    source = Choices(label="들어온 곳", field_name="source", choices=Source.choices)
    batch = django_filters.UUIDFilter(label="작업 번호", field_name="batch__uuid")


def who(row: EventRecord) -> str:
    """누가: a person, or the door through which the system acted."""
    if row.actor_name:
        return f"{row.actor_name} 님"
    return "고객" if row.source == Source.BUYER else "시스템"


def _state(row: EventRecord, code: str) -> str:
    _, states = subjects().get(row.subject, ("", {}))
    return states.get(code, code)


def moved(row: EventRecord) -> str:
    """상태 변화: `상품준비중 → 배송준비중`; empty where no state changed."""
    if row.from_state == row.to_state or not row.to_state:
        return ""
    names = [_state(row, code) for code in (row.from_state, row.to_state) if code]
    return " → ".join(names)


def fetch_lines(ids: Sequence[int]) -> Mapping[int, str]:
    """품목별 주문번호 of events about lines; one query."""
    number = OrderLine.objects.filter(pk=OuterRef("subject_id")).values("number")
    rows = OrderEvent.objects.filter(pk__in=ids, subject=OrderLine.event_subject).annotate(number=Subquery(number))
    return dict(rows.values_list("pk", "number"))


def _target_cell(group: Group, line: Any) -> str:
    row = group.record
    name = subjects().get(row.subject, (row.subject, {}))[0]
    sub = group.fetched.get("target") or (name if row.subject != "order" else "")
    if not row.order_number:
        return cells.text(name)
    return cells.opener(order_url(row.order_number), row.order_number, sub=sub)


def _batch_cell(group: Group, line: Any) -> str:
    row = group.record
    return cells.link(reverse("core:job", args=[row.batch_uuid]), row.batch_label) if row.batch_uuid else cells.EMPTY


def _source(row: EventRecord) -> str:
    return "" if row.actor_name and row.source == Source.SCREEN else str(_SOURCE.get(row.source, row.source))


AT = ListColumn(
    "at", "일시", lambda g, _: cells.text(cells.full_time(g.record.at)), lambda g, _: g.record.at,
    kind=Kind.DATETIME, css="nowrap", sort="at", width=19,
)  # fmt: skip
TARGET = ListColumn(
    "target", "대상", _target_cell, lambda g, _: g.record.order_number or "", css="nowrap", width=18, fetch=fetch_lines,
    more=(
        in_file("subject", "구분", lambda g, _: subjects().get(g.record.subject, (g.record.subject, {}))[0]),
        in_file("line", "품목별 주문번호", lambda g, _: g.fetched.get("target", ""), width=20),
    ),
)  # fmt: skip
KIND = ListColumn(
    "kind", "처리", lambda g, _: cells.text(kind_label(g.record.kind)), lambda g, _: kind_label(g.record.kind),
    css="nowrap",
)  # fmt: skip
MOVED = ListColumn("moved", "상태", lambda g, _: cells.text(moved(g.record)), lambda g, _: moved(g.record), width=26)
WHO = ListColumn(
    "who", "담당자", lambda g, _: cells.two_lines(who(g.record), _source(g.record)), lambda g, _: who(g.record),
    css="nowrap", more=(in_file("source", "들어온 곳", lambda g, _: _SOURCE.get(g.record.source, "")),),
)  # fmt: skip
REASON = ListColumn(
    "reason", "사유", lambda g, _: cells.text(mask_text(g.record.reason)), lambda g, _: g.record.reason,
    personal=True, masked=lambda g, _: mask_text(g.record.reason), css="cut", width=40,
)  # fmt: skip
BATCH = ListColumn(
    "batch", "작업", _batch_cell, lambda g, _: g.record.batch_label or "",
    more=(in_file("batch_uuid", "작업 번호", lambda g, _: str(g.record.batch_uuid or ""), width=38),),
)  # fmt: skip


def _of_order(values: Sequence[str]) -> Any:
    return OrderEvent.objects.filter(order__number__in=values).values_list("pk")


def _of_line(values: Sequence[str]) -> Any:
    lines = OrderLine.objects.filter(number__in=values).values("pk")
    return OrderEvent.objects.filter(subject=OrderLine.event_subject, subject_id__in=lines).values_list("pk")


@lists.register
class AuditPage(LoggedPage):
    """처리 이력: every event of every order, parcel and job."""

    name, title, url = "audit", "처리 이력", "/audit/"
    subtitle = "누가 언제 무엇을 왜 바꿨는지 봅니다"
    unit = "이력"
    permission = export_permission = "audit.view"
    model = OrderEvent
    record = EventRecord
    paths: ClassVar[dict[str, str]] = {
        "order_number": "order__number",
        "actor_name": "actor__display_name",
        "batch_uuid": "batch__uuid",
        "batch_label": "batch__label",
    }
    created_field = "at"
    order_path = "order_id"
    default_period = "7d"
    sorts: ClassVar[dict[str, Sort]] = {"-at": Sort("최신순", ("-at",)), "at": Sort("오래된순", ("at",))}
    bases: ClassVar[dict[str, DateBasis]] = {"at": DateBasis("처리일", "at")}
    filterset_class = EventFilter
    tabs = (
        ListTab("all", "전체"),
        ListTab("people", "운영자", Q(actor__isnull=False)),
        ListTab("system", "시스템·고객", Q(actor__isnull=True)),
    )
    arms = (
        SearchArm("order", "주문번호", ORDER_NUMBER, _of_order),
        SearchArm("line", "품목별 주문번호", LINE_NUMBER, _of_line),
    )
    columns = (AT, TARGET, KIND, MOVED, WHO, REASON, BATCH)
    empty_text = "아직 처리한 내용이 없습니다. 주문이 들어오거나 처리하면 여기에 쌓입니다."

    def head(self, group: Group) -> RowHead:
        row = group.record
        return RowHead(row.id, row.version, row.order_number or "", row.to_state)
