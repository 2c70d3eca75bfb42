"""고객용 배송조회: what a buyer may see of a shipment: where the boxes are, and nothing about anybody or any money."""

from datetime import datetime
from typing import Any

from core.calendar import KST
from core.masking import mask_name
from core.settings_registry import get_setting
from shipping.couriers import courier_name, tracking_url
from shipping.models import Parcel, Shipment, ShipmentStep, TrackingEvent
from shipping.services.tracking.stored import shown_events
from shipping.states import DeliveryMethod, Direction, ParcelState, TrackingStage

SHOWN = 40
WORDS = {
    DeliveryMethod.QUICK: "퀵서비스로 보냅니다. 기사님이 직접 연락드립니다.",
    DeliveryMethod.VISIT: "매장에서 직접 받으시는 상품입니다. 안내받은 장소로 오세요.",
    DeliveryMethod.DIRECT: "판매자가 직접 전해 드립니다.",
}
SENTENCES = {
    ParcelState.CREATED: "상품을 준비하고 있습니다.",
    ParcelState.NUMBERED: "상품을 준비하고 있습니다.",
    ParcelState.PRINTED: "상품을 준비하고 있습니다.",
    ParcelState.HANDED_OVER: "배송중입니다.",
    ParcelState.DELIVERED: "배송이 완료되었습니다.",
    ParcelState.RETURNING: "보낸 곳으로 돌아가고 있습니다. 판매자에게 문의하세요.",
    ParcelState.RETURNED: "보낸 곳으로 돌아왔습니다. 판매자에게 문의하세요.",
    ParcelState.LOST: "택배사가 상품을 찾고 있습니다. 판매자에게 문의하세요.",
}
# What a buyer is told of a stage; what the house has to look into first is not among the steps of the timeline.
STEPS = {
    TrackingStage.REGISTERED: "운송장 등록",
    TrackingStage.PICKED_UP: "집하",
    TrackingStage.IN_TRANSIT: "이동중",
    TrackingStage.OUT_FOR_DELIVERY: "배송출발",
    TrackingStage.ATTEMPT_FAILED: "미배달",
    TrackingStage.AVAILABLE_FOR_PICKUP: "보관중",
    TrackingStage.DELIVERED: "배송완료",
    TrackingStage.RETURNING: "반송중",
    TrackingStage.RETURNED: "반송완료",
}
NO_SCAN = "택배사가 상품을 받으면 여기에 표시됩니다."
UNKNOWN_TIME = "시간 미상"


def buyer_context(shipment: Shipment, *, at: datetime) -> dict[str, Any]:
    """고객 화면 내용: finished strings, names masked."""
    parcels = [
        parcel
        for parcel in Parcel.objects.filter(shipment=shipment).order_by("seq", "pk")
        if parcel.state != ParcelState.VOID and parcel.direction == Direction.OUT
    ]
    events = shown_events([parcel.pk for parcel in parcels], most=SHOWN, stages=STEPS.keys())
    method = DeliveryMethod(shipment.method)
    is_moving = shipment.step in {ShipmentStep.READY, ShipmentStep.SHIPPING}
    return {
        "shop": get_setting("shop_name"),
        "recipient": mask_name(shipment.recipient_name or shipment.order.recipient_name),
        "words": WORDS.get(method, ""),
        "state": "배송이 완료되었습니다." if not is_moving else "",
        "is_done": not is_moving,
        "delivered": _moment(shipment.delivered_at) if not parcels else "",
        "parcels": [_parcel(one, n, len(parcels), events.get(one.pk, [])) for n, one in enumerate(parcels, 1)],
        "as_of": _moment(at),
        "refreshes": is_moving,
    }


def _parcel(parcel: Parcel, n: int, total: int, events: list[TrackingEvent]) -> dict[str, Any]:
    state = ParcelState(parcel.state)
    if state != ParcelState.DELIVERED:
        # A delivery that does not stand (to another door, taken back, to the sender) would contradict the sentence.
        events = [row for row in events if row.stage != TrackingStage.DELIVERED]
    delivered = next((row for row in events if row.stage == TrackingStage.DELIVERED), None)
    is_guess = delivered is not None and delivered.is_time_estimated
    return {
        "title": f"상자 {n} / {total}" if total > 1 else "",
        "courier": courier_name(parcel.courier),
        "waybill": parcel.waybill,
        "url": tracking_url(parcel.courier, parcel.waybill),
        "sentence": SENTENCES[state],
        "is_done": state == ParcelState.DELIVERED,
        "delivered": _moment(parcel.delivered_at, is_guess=is_guess) if state == ParcelState.DELIVERED else "",
        "empty": NO_SCAN if state in {ParcelState.HANDED_OVER, ParcelState.NUMBERED, ParcelState.PRINTED} else "",
        "events": [
            {"step": STEPS[TrackingStage(row.stage)], "place": row.place,
             "when": _moment(row.at, is_guess=row.is_time_estimated)}
            for row in events
        ],
    }  # fmt: skip


def _moment(at: datetime | None, *, is_guess: bool = False) -> str:
    if at is None:
        return ""
    local = at.astimezone(KST)
    return f"{local:%Y-%m-%d} {UNKNOWN_TIME}" if is_guess else f"{local:%Y-%m-%d %H:%M}"
