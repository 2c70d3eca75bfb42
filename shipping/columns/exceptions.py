"""Columns of the queue of 배송 예외: what it is, how long it waits, and what to do next. Names are masked."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.utils import timezone

from core import cells
from core.calendar import business_calendar, due_date, kst_date
from core.excel.columns import Kind
from core.lists import Group, ListColumn
from core.masking import mask_name
from orders.columns import order_url
from shipping.couriers import courier_name, tracking_url
from shipping.models import ShippingException
from shipping.states import ExceptionKind, ExceptionOutcome, ParcelState

K, P = ExceptionKind, ParcelState

GROUPS: tuple[tuple[str, str, Sequence[ExceptionKind]], ...] = (
    ("pickup", "미집하", (K.NO_PICKUP, K.PICKUP_FAILED, K.NOT_SHIPPED, K.CARRIER_CANCELLED)),
    ("stalled", "정체·분실", (K.STALLED, K.SUSPECTED_LOST, K.LOST)),
    ("failed", "미배달", (K.ATTEMPT_FAILED, K.UNCOLLECTED, K.REFUSED)),
    ("address", "주소 문제", (K.ADDRESS,)),
    ("accident", "사고·오배송", (K.DAMAGED, K.MISDELIVERED, K.ACCIDENT)),
    ("returned", "반송", (K.RETURNING, K.RETURNED, K.AFTER_RETURN)),
    ("number", "번호 오류", (K.NUMBER_INVALID, K.NUMBER_REUSED, K.CANCELLED_BUT_SCANNED)),
    ("check", "확인 필요", (K.DELIVERY_DISPUTED, K.TRACKING_EXPIRED, K.UNKNOWN_STATUS)),
)
NEXT = {
    K.NO_PICKUP: "택배사에 집하 요청",
    K.PICKUP_FAILED: "물건을 내놓고 택배사에 다시 집하 요청",
    K.NOT_SHIPPED: "막은 까닭을 풀고 배송중 처리, 아니면 택배사에 회수 요청",
    K.CARRIER_CANCELLED: "택배사에 다시 접수, 아니면 배송취소하고 새 송장을 등록해 다시 배송중 처리",
    K.STALLED: "택배사에 위치 확인",
    K.SUSPECTED_LOST: "택배사에 사고 조사 요청",
    K.LOST: "분실 처리한 뒤 배상 청구와 재발송",
    K.ATTEMPT_FAILED: "고객에게 받을 날짜 확인",
    K.ADDRESS: "고객에게 주소 확인",
    K.REFUSED: "고객에게 거부 사유 확인",
    K.UNCOLLECTED: "고객에게 보관 장소 안내",
    K.DAMAGED: "사진을 받아 택배사에 배상 청구",
    K.MISDELIVERED: "택배사에 회수와 재배송 요청",
    K.ACCIDENT: "택배사에 사고 내용 확인",
    K.RETURNING: "고객과 다시 보낼지 정하고 반송 도착 기다리기",
    K.RETURNED: "검수한 뒤 재발송",
    K.AFTER_RETURN: "돌아왔으면 반송 도착 확인, 고객이 받았으면 다시 배송 후 배송완료 처리",
    K.NUMBER_INVALID: "번호가 맞으면 다시 조회, 틀렸으면 송장 정정",
    K.NUMBER_REUSED: "번호가 틀렸으면 송장 정정, 맞으면 처리 완료",
    K.CANCELLED_BUT_SCANNED: "택배사에 회수 요청",
    K.DELIVERY_DISPUTED: "고객에게 받았는지 확인, 못 받았으면 배송완료 취소",
    K.TRACKING_EXPIRED: "택배사에 확인한 뒤 배송완료 또는 분실 처리",
    K.UNKNOWN_STATUS: "미분류 상태에서 뜻을 정하거나 택배사에 확인",
}
"""다음 할 일 of every kind, in words."""
AGAIN = {P.RETURNED: "검수한 뒤 재발송", P.LOST: "택배사에 배상을 청구하고 재발송"}


class ExceptionRecord(NamedTuple):
    """배송 예외 한 줄; `number` is the order's."""

    id: int
    version: int
    kind: str
    detail: str
    opened_at: datetime
    due_at: datetime
    attempts: int
    memo: str
    closed_at: datetime | None
    outcome: str
    reason: str
    courier: str
    waybill: str
    parcel_state: str
    shipment_number: str
    number: str
    recipient: str
    assignee: str | None
    who: str | None


PATHS = {
    "courier": "parcel__courier", "waybill": "parcel__waybill", "parcel_state": "parcel__state",
    "shipment_number": "shipment__number", "number": "shipment__order__number",
    "recipient": "shipment__order__recipient_name", "assignee": "assignee__display_name",
    "who": "closed_by__display_name",
}  # fmt: skip


def exception_url(pk: int) -> str:
    """배송 예외 상세 주소."""
    return f"/shipping/exceptions/{pk}/"


def next_act(kind: str, parcel_state: str) -> str:
    """다음 할 일: by kind, and by where the box is by now."""
    if kind in {K.LOST, K.RETURNED} and parcel_state in AGAIN:
        return AGAIN[ParcelState(parcel_state)]
    return NEXT[ExceptionKind(kind)]


def business_age(evidence_at: datetime, at: datetime, *, calendar: Any = None) -> str:
    """경과 in business days since the moment that the case is about."""
    days = (calendar or business_calendar()).between(kst_date(evidence_at), kst_date(at))
    return f"{days}영업일" if days else "오늘"


def _ages(ids: Sequence[int]) -> Mapping[int, str]:
    calendar, now = business_calendar(), timezone.now()
    rows = ShippingException.objects.filter(pk__in=list(ids)).values_list("pk", "evidence_at")
    return {pk: business_age(moment, now, calendar=calendar) for pk, moment in rows}


def _parcel(group: Group, _: object) -> str:
    row = group.record
    url = tracking_url(row.courier, row.waybill)
    if not url:
        return cells.two_lines(row.waybill, courier_name(row.courier))
    return cells.link(url, row.waybill, sub=courier_name(row.courier), css="number")


def _due(group: Group, _: object) -> str:
    row = group.record
    if row.closed_at is not None:
        return cells.EMPTY
    days = (due_date(row.due_at) - kst_date(group.now)).days
    text = f"{-days}일 지남" if days < 0 else "오늘" if days == 0 else f"{days}일 남음"
    return cells.two_lines(
        cells.tags([cells.Tag(text, "t-late" if days < 0 else "t-today")]) if days <= 0 else text,
        f"문의 {row.attempts}회" if row.attempts else "",
    )


def _state(group: Group, _: object) -> str:
    row = group.record
    if row.closed_at is None:
        return cells.two_lines(f"{row.assignee} 님" if row.assignee else "담당 없음", row.memo, title=row.memo)
    badge = cells.badge("s-confirmed", ExceptionOutcome(row.outcome).label)
    who = " · ".join(filter(None, (f"{row.who} 님" if row.who else "시스템", row.reason)))
    return cells.two_lines(badge, who, title=who)


def _next(group: Group, _: object) -> str:
    row = group.record
    return cells.two_lines("" if row.closed_at else next_act(row.kind, row.parcel_state), row.detail, title=row.detail)


COLUMNS = (
    ListColumn(
        "kind", "종류", lambda g, _: cells.opener(exception_url(g.record.id), ExceptionKind(g.record.kind).label),
        lambda g, _: ExceptionKind(g.record.kind).label, css="nowrap", width=16,
    ),
    ListColumn(
        "parcel", "송장", _parcel, lambda g, _: g.record.waybill, css="nowrap", width=18,
        more=(ListColumn("courier", "택배사", lambda g, _: "", lambda g, _: courier_name(g.record.courier), width=12),),
    ),
    ListColumn(
        "order", "주문", lambda g, _: cells.link(order_url(g.record.number), g.record.number, css="number"),
        lambda g, _: g.record.number, css="nowrap", width=18,
    ),
    ListColumn(
        "recipient", "수령자", lambda g, _: cells.text(mask_name(g.record.recipient)),
        lambda g, _: mask_name(g.record.recipient), css="who", width=10,
    ),
    ListColumn(
        "age", "경과",
        lambda g, _: cells.two_lines(g.fetched.get("age", ""), cells.short_time(g.record.opened_at, g.now)),
        lambda g, _: g.fetched.get("age", ""), css="nowrap", width=12, fetch=_ages,
    ),
    ListColumn(
        "next", "다음 할 일", _next,
        lambda g, _: "" if g.record.closed_at else next_act(g.record.kind, g.record.parcel_state), width=40,
        more=(ListColumn("detail", "택배사의 말", lambda g, _: "", lambda g, _: g.record.detail, width=40),),
    ),
    ListColumn(
        "state", "담당", _state, lambda g, _: g.record.assignee or "", width=24,
        more=(
            ListColumn("memo", "메모", lambda g, _: "", lambda g, _: g.record.memo, width=30),
            ListColumn(
                "outcome", "결과", lambda g, _: "",
                lambda g, _: ExceptionOutcome(g.record.outcome).label if g.record.outcome else "", width=12,
            ),
        ),
    ),
    ListColumn(
        "due", "기한", _due, lambda g, _: g.record.due_at, kind=Kind.DATETIME, css="nowrap", sort="due_at", width=19,
    ),
)  # fmt: skip
