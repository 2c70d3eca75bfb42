"""배송 예외 상세: one case, finished for the template."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from core import cells
from core.actions import PRIMARY, actions_for
from core.calendar import due_date
from core.exceptions import NotFound
from core.lists import Button
from core.masking import mask_name
from orders.columns import order_url
from orders.contact import end_of_order
from shipping.columns.exceptions import business_age, exception_url, next_act
from shipping.couriers import courier_name, tracking_url
from shipping.models import ShippingException
from shipping.models.parcel import CORRECTABLE
from shipping.services.exceptions.deciding import NOT_FOUND
from shipping.services.tracking.stored import shown_events
from shipping.states import ExceptionKind, ExceptionOutcome, ExceptionStage, ParcelState, TrackingStage

P = ParcelState
SHOWN = 30
ONLY_FROM = {
    "correct-case": frozenset(CORRECTABLE),
    "lose-parcel": frozenset({P.HANDED_OVER, P.RETURNING}),
    "come-back": frozenset({P.HANDED_OVER, P.RETURNING}),
    "resume-parcel": frozenset({P.RETURNING, P.LOST}),
    "resend": frozenset({P.RETURNED, P.LOST}),
    "tell-case": frozenset({P.HANDED_OVER, P.RETURNING, P.RETURNED, P.LOST}),
}
"""States of the box from which an act can be done; the others fit every state."""
NEXT_ACT: Mapping[ExceptionKind, tuple[str, ...]] = {
    ExceptionKind.LOST: ("resend", "lose-parcel"),
    ExceptionKind.RETURNED: ("resend",),
    ExceptionKind.RETURNING: ("come-back",),
    ExceptionKind.AFTER_RETURN: ("come-back",),
    ExceptionKind.NUMBER_INVALID: ("correct-case", "ask-courier-again"),
    ExceptionKind.NUMBER_REUSED: ("correct-case",),
    **dict.fromkeys(
        (ExceptionKind.ADDRESS, ExceptionKind.ATTEMPT_FAILED, ExceptionKind.REFUSED, ExceptionKind.UNCOLLECTED),
        ("tell-case",),
    ),
    **dict.fromkeys(
        (
            ExceptionKind.NO_PICKUP, ExceptionKind.STALLED, ExceptionKind.SUSPECTED_LOST, ExceptionKind.MISDELIVERED,
            ExceptionKind.ACCIDENT, ExceptionKind.CANCELLED_BUT_SCANNED,
        ),
        ("inquire-exception",),
    ),
}  # fmt: skip
"""다음 할 일 as an act: the first of these that fits the box is the button that stands out."""
NO_CLAIMS = (
    "배송중인 품목의 취소와 환불은 아직 이 프로그램에서 할 수 없습니다. 클레임 기능이 생길 때까지 예외를 열어 두세요."
)


def find_exception(pk: int) -> ShippingException:
    """예외 찾기. Raises NotFound."""
    rows = ShippingException.objects.select_related("parcel", "shipment__order", "assignee", "closed_by")
    found = rows.filter(pk=pk).first()
    if found is None:
        raise NotFound(NOT_FOUND)
    return found


def exception_context(case: ShippingException, *, user: Any, at: datetime) -> dict[str, Any]:
    """예외 내용: what happened, where the box is, who looks after it, and what can be done."""
    parcel, order, is_open = case.parcel, case.shipment.order, case.closed_at is None
    state = ParcelState(parcel.state)
    ends = end_of_order(order, at=at, shipped_at=case.shipment.shipped_at) if is_open else None
    who = f"{case.closed_by.display_name} 님" if case.closed_by else "시스템"
    return {
        "title": ExceptionKind(case.kind).label,
        "thing": "예외",
        "subtitle": parcel.waybill,
        "case": case,
        "detail_url": exception_url(case.pk),
        "badge": {"css": "s-awaiting", "label": "처리 전"}
        if is_open
        else {"css": "s-confirmed", "label": ExceptionOutcome(case.outcome).label},
        "next": next_act(case.kind, parcel.state) if is_open else "",
        "age": business_age(case.evidence_at, at),
        "opened": cells.full_time(case.opened_at),
        "due": f"{due_date(case.due_at):%Y-%m-%d}까지" if is_open else "",
        "courier": courier_name(parcel.courier),
        "waybill_url": tracking_url(parcel.courier, parcel.waybill),
        "state": {"css": state.css, "label": state.label},
        "order": order,
        "order_url": order_url(order.number),
        "recipient": mask_name(order.recipient_name),
        "contact": ends.sentence if ends else "",
        "shipped": cells.full_time(parcel.handed_over_at),
        "scanned": cells.full_time(parcel.first_scan_at),
        "decided": "" if is_open else f"{who} · {cells.full_time(case.closed_at)}",
        "is_in_house": state in ONLY_FROM["resend"] and is_open,
        "no_claims": NO_CLAIMS,
        "events": _events(case),
        "buttons": _buttons(case, user),
        "rows": f"{case.pk}:{case.version}",
        "page_name": "exceptions",
    }


def _events(case: ShippingException) -> list[dict[str, str]]:
    rows = shown_events([case.parcel_id], most=SHOWN).get(case.parcel_id, [])
    return [
        {
            "when": cells.full_time(row.at) + (" (시간 미상)" if row.is_time_estimated else ""),
            "place": row.place,
            "text": row.raw_text,
            "stage": TrackingStage(row.stage).label,
        }
        for row in rows
    ]


def _buttons(case: ShippingException, user: Any) -> list[Button]:
    """Acts that fit the box; the one that the next step names stands first."""
    stage = ExceptionStage.DONE if case.closed_at else ExceptionStage.OPEN
    found = [
        Button(one.name, one.label, one.style)
        for one in actions_for(ShippingException, {stage.value}, user)
        if case.parcel.state in ONLY_FROM.get(one.name, {case.parcel.state})
    ]
    names = [one.name for one in found]
    leads = [name for name in NEXT_ACT.get(ExceptionKind(case.kind), ()) if name in names]
    if case.closed_at is not None or not leads:
        return found
    first = found.pop(names.index(leads[0]))
    return [first._replace(style=PRIMARY), *found]
