"""포장 중지: why a shipment must not be packed now, who said so and when; asked at every scan under the row locks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from core.calendar import KST, kst_date, short
from core.events import event_model
from core.people import named
from orders.models import LineLock, OrderLine
from orders.states import CLOSED, LOCK_TEXT, LineState, LockKind, blocking
from shipping import events
from shipping.models import Parcel, Shipment
from shipping.services.refusals import not_ready

ENDED = "취소되었거나 끝난 배송건입니다. 포장하지 마세요."
SHIPPED = "이미 출고한 송장입니다."
ADDRESS = "주소가 바뀌었습니다. 송장을 다시 출력하세요."
CLAIM = "포장을 멈추세요. {when}에 취소 신청이 들어왔습니다."
OTHER = "포장을 멈추세요. {why}"


@dataclass(frozen=True, slots=True)
class Stop:
    """중지: `speech` is what the bench says aloud."""

    text: str
    who: str = ""
    when: str = ""
    reason: str = ""
    speech: str = "포장을 멈추세요"


def stop_of(shipment: Shipment, lines: Sequence[OrderLine], parcels: Sequence[Parcel], *, at: datetime) -> Stop | None:
    """중지 사유 of a locked shipment; None, without a query, when nothing speaks against packing it."""
    open_lines = [line for line in lines if line.state not in CLOSED]
    if not open_lines:
        return ended(shipment.pk)
    if any(line.state != LineState.READY for line in open_lines):
        return _shipped(shipment, parcels)
    for line in open_lines:
        if kind := blocking(line.open_locks, "ship"):
            return _locked(line, kind, at=at)
    return None


def ended(shipment_id: int) -> Stop:
    """끝난 배송건: canceled, merged into another one or gone back."""
    return Stop(not_ready([shipment_id]).get(shipment_id, ENDED), speech="취소 주문입니다")


def _shipped(shipment: Shipment, parcels: Sequence[Parcel]) -> Stop:
    told = event_model().objects.filter(
        subject="parcel", subject_id__in=[one.pk for one in parcels], kind=events.PARCEL_HANDED_OVER.code
    )
    event = told.select_related("actor").order_by("-id").first()
    who = named(event.actor) if event else ""
    when = short(event.at if event else shipment.shipped_at)
    facts = f" ({' '.join(part for part in (when, who) if part)})" if when else ""
    return Stop(f"{SHIPPED}{facts}", who=who, when=when, speech="이미 출고했습니다")


def _locked(line: OrderLine, kind: LockKind, *, at: datetime) -> Stop:
    rows = LineLock.objects.filter(line=line, kind=kind, released_at__isnull=True)
    lock = rows.select_related("placed_by").first()
    who = when = reason = ""
    if lock is not None:
        who = named(lock.placed_by)
        when, reason = clock(lock.placed_at, at=at), lock.reason
    facts = {"who": who, "when": when, "reason": reason}
    if kind == LockKind.CLAIM:
        return Stop(CLAIM.format(when=when or "방금"), speech="취소 주문입니다", **facts)
    if kind == LockKind.ADDRESS:
        return Stop(ADDRESS, speech="주소가 바뀌었습니다", **facts)
    return Stop(OTHER.format(why=LOCK_TEXT[kind].format(self=line)), speech="보류 주문입니다", **facts)


def clock(moment: datetime, *, at: datetime) -> str:
    """시각: of today by the clock alone."""
    return f"{moment.astimezone(KST):%H:%M}" if kst_date(moment) == kst_date(at) else short(moment)
