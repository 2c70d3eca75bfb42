"""송장 확인: what a scanned code stands for, and whether the box may leave with it (domain.md 5.13, A12)."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from core.calendar import short
from core.events import event_model
from core.people import named
from orders.models import OrderLine
from orders.states import CLOSED, LOCK_BIT, LOCK_TEXT, LockKind, blocking
from shipping import events
from shipping.couriers import courier_name
from shipping.models import Parcel, Shipment, ShipmentLine, ShipmentStep
from shipping.states import Direction, ParcelState

_SHIPMENT = re.compile(r"D-20\d{6}-\d{7}-\d{2,3}")
_ORDER = re.compile(r"20\d{6}-\d{7}")
_DIGITS_BETWEEN = re.compile(r"[\s-]")
LONGEST = 60
ENDED = {
    ParcelState.RETURNING: "반송 중인 송장입니다.",
    ParcelState.RETURNED: "반송된 송장입니다.",
    ParcelState.LOST: "분실 처리한 송장입니다.",
}


class LabelVerdict(StrEnum):
    """송장 판정: everything but OK and NO_LABEL stops the packer."""

    OK = "OK"
    NO_LABEL = "NO_LABEL"
    """The shipment may be packed; it has no number yet."""
    VOID = "VOID"
    REPLACED = "REPLACED"
    """Void, and the shipment has another number now."""
    ADDRESS = "ADDRESS"
    CLAIM = "CLAIM"
    HELD = "HELD"
    SHIPPED = "SHIPPED"
    CLOSED = "CLOSED"
    AMBIGUOUS = "AMBIGUOUS"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class LabelFound:
    """찾은 송장: ids of what the code stands for; `text` says in Korean what to do, `who` and `when` did it."""

    code: str
    verdict: LabelVerdict
    text: str = ""
    parcel_id: int | None = None
    shipment_id: int | None = None
    order_id: int | None = None
    shipment_number: str = ""
    order_number: str = ""
    courier: str = ""
    waybill: str = ""
    headline: str = ""
    """`text` without who, when and why, where it names them."""
    reason: str = ""
    who: str = ""
    when: datetime | None = None

    @property
    def is_alarm(self) -> bool:
        """멈춤: the box must not leave with this label."""
        return self.verdict not in {LabelVerdict.OK, LabelVerdict.NO_LABEL}


def find_label(code: str) -> LabelFound:
    """송장 확인: a waybill number, 배송번호 or 주문번호 as a scanner types it; live parcels before void ones."""
    # A scanner in Korean mode types ㅇ for the D of a 배송번호; its digits are digits.
    text = unicodedata.normalize("NFKC", code.replace("\x00", "").replace("ㅇ-", "D-")).strip().upper()[:LONGEST]
    if _SHIPMENT.fullmatch(text):
        return _by_shipments(text, list(Shipment.objects.filter(number=text).select_related("order")))
    if _ORDER.fullmatch(text):
        rows = Shipment.objects.filter(order__number=text).select_related("order").order_by("seq")
        live = [one for one in rows if one.step != ShipmentStep.CLOSED]
        return _by_shipments(text, live or list(rows))
    return _by_waybill(_DIGITS_BETWEEN.sub("", text))


def _by_waybill(number: str) -> LabelFound:
    parcels = Parcel.objects.filter(waybill=number, direction=Direction.OUT) if number else Parcel.objects.none()
    rows = list(parcels.select_related("shipment__order").order_by("-pk"))
    live = [one for one in rows if one.state != ParcelState.VOID]
    if len({one.shipment_id for one in live if one.state not in {ParcelState.DELIVERED, *ENDED}}) > 1:
        return LabelFound(number, LabelVerdict.AMBIGUOUS, "같은 송장번호가 두 택배사에 있습니다. 배송번호를 찍으세요.")
    if live:
        # A courier gives numbers out again after a while: the box that has not left yet is meant.
        waiting = [one for one in live if one.state in {ParcelState.NUMBERED, ParcelState.PRINTED}]
        return _judged(number, (waiting or live)[0])
    if rows:
        return _void(number, rows[0])
    return LabelFound(number, LabelVerdict.UNKNOWN, "등록되지 않은 송장번호입니다. 번호를 다시 확인하세요.")


def _by_shipments(code: str, rows: list[Shipment]) -> LabelFound:
    if not rows:
        return LabelFound(code, LabelVerdict.UNKNOWN, "찾을 수 없는 번호입니다. 번호를 다시 확인하세요.")
    ready = [one for one in rows if one.step == ShipmentStep.READY]
    if len(ready) > 1:
        text = f"이 주문에 배송건이 {len(ready)}개 있습니다. 송장이나 배송번호를 찍으세요."
        return LabelFound(code, LabelVerdict.AMBIGUOUS, text, order_id=rows[0].order_id)
    shipment = (ready or rows)[0]
    parcels = list(Parcel.objects.filter(shipment=shipment, direction=Direction.OUT).order_by("pk"))
    live = [one for one in parcels if one.state != ParcelState.VOID]
    if live:
        parcel = live[0]
        parcel.shipment = shipment
        return _judged(code, parcel)
    return _stopped(code, shipment, None) or _found(code, LabelVerdict.NO_LABEL, "송장번호가 없습니다.", shipment)


def _judged(code: str, parcel: Parcel) -> LabelFound:
    shipment = parcel.shipment
    if parcel.state in ENDED:
        return _found(code, LabelVerdict.CLOSED, ENDED[ParcelState(parcel.state)], shipment, parcel)
    if parcel.state not in {ParcelState.NUMBERED, ParcelState.PRINTED}:
        return _told(code, LabelVerdict.SHIPPED, "이미 출고한 송장입니다.", parcel, events.PARCEL_HANDED_OVER.code)
    return _stopped(code, shipment, parcel) or _found(
        code, LabelVerdict.OK, "출고할 수 있는 송장입니다.", shipment, parcel
    )


def _stopped(code: str, shipment: Shipment, parcel: Parcel | None) -> LabelFound | None:
    items = ShipmentLine.objects.filter(shipment=shipment, is_live=True).exclude(line__state__in=CLOSED)
    lines = [item.line for item in items.select_related("line").order_by("line__seq")]
    if not lines:
        text = "취소되었거나 끝난 배송건입니다. 포장하지 마세요."
        return _found(code, LabelVerdict.CLOSED, text, shipment, parcel)
    for line in lines:
        if stop := _lock(line):
            return _found(code, stop[0], stop[1], shipment, parcel)
    return None


def _lock(line: OrderLine) -> tuple[LabelVerdict, str] | None:
    if line.open_locks & LOCK_BIT[LockKind.ADDRESS]:
        return LabelVerdict.ADDRESS, "주소가 바뀌었습니다. 송장을 다시 출력하세요."
    kind = blocking(line.open_locks, "ship")
    if kind is None:
        return None
    verdict = LabelVerdict.CLAIM if kind == LockKind.CLAIM else LabelVerdict.HELD
    return verdict, f"포장을 멈추세요. {LOCK_TEXT[kind].format(self=line)}"


def _void(code: str, parcel: Parcel) -> LabelFound:
    live = Parcel.objects.filter(shipment=parcel.shipment, direction=Direction.OUT).exclude(state=ParcelState.VOID)
    other = live.order_by("pk").values_list("waybill", flat=True).first()
    verdict = LabelVerdict.REPLACED if other else LabelVerdict.VOID
    todo = f"새 송장번호 {other}의 송장을 붙이세요." if other else "새 송장을 출력해 붙이세요."
    return _told(code, verdict, f"삭제된 송장입니다. {todo}", parcel, events.PARCEL_VOIDED.code)


def _told(code: str, verdict: LabelVerdict, text: str, parcel: Parcel, kind: str) -> LabelFound:
    """With who did it, when and why, out of the history."""
    rows = event_model().objects.filter(subject="parcel", subject_id=parcel.pk, kind=kind)
    event = rows.select_related("actor").order_by("-version").first()
    if event is None:
        return _found(code, verdict, text, parcel.shipment, parcel)
    who = named(event.actor)
    facts = f"{short(event.at)} {who}" + (f", 사유: {event.reason}" if event.reason else "")
    found = {"headline": text, "reason": event.reason, "who": who, "when": event.at}
    return _found(code, verdict, f"{text} ({facts})", parcel.shipment, parcel, **found)


def _found(
    code: str, verdict: LabelVerdict, text: str, shipment: Shipment, parcel: Parcel | None = None, **more: object
) -> LabelFound:
    values: dict[str, object] = {
        "parcel_id": parcel.pk if parcel else None,
        "shipment_id": shipment.pk,
        "order_id": shipment.order_id,
        "shipment_number": shipment.number,
        "order_number": shipment.order.number,
        "courier": courier_name(parcel.courier) if parcel else "",
        "waybill": parcel.waybill if parcel else "",
    }
    return LabelFound(code, verdict, text, **values, **more)  # type: ignore[arg-type]
