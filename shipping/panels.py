"""Box 배송 of the order detail: shipments, their parcels and what couriers told."""

from collections import defaultdict
from datetime import datetime
from typing import Any

from django.http import HttpRequest

from core.calendar import short
from core.lists import lists
from core.panels import Panel, register
from shipping.columns.exceptions import exception_url, next_act
from shipping.couriers import courier_name, tracking_url
from shipping.details.handover import handovers, rider_links
from shipping.models import Parcel, Shipment, ShipmentLine, ShipmentStep, ShippingException, TrackingEvent
from shipping.services.links import links_of
from shipping.services.packing.board import packings_of
from shipping.services.printing.readdress import TOLD, readdressed
from shipping.services.tracking.stored import shown_events
from shipping.states import TRACKED, DeliveryMethod, ExceptionKind, ParcelState, TrackingAlert, TrackingStage

SHOWN_EVENTS = 20
WAITING = frozenset({ParcelState.NUMBERED, ParcelState.PRINTED})
UNKNOWN_TIME = " (시간 미상)"
_LISTS = {ShipmentStep.READY: "ready", ShipmentStep.SHIPPING: "shipping", ShipmentStep.DELIVERED: "delivered"}


@register
class ShippingPanel(Panel):
    """배송: every 배송번호 of the order with its boxes; void numbers stay visible, greyed."""

    name, title, template, position = "shipping", "배송", "shipping/panels/shipping.html", 40

    def load(self, order: Any, *, request: HttpRequest, at: datetime) -> dict[str, Any] | None:
        own = list(Shipment.objects.filter(order=order).select_related("merged_into").order_by("seq"))
        holders = {one.merged_into.pk: one.merged_into for one in own if one.merged_into is not None}
        shipments = [*own, *holders.values()]
        if not shipments:
            return None
        parcels: dict[int, list[Parcel]] = defaultdict(list)
        for parcel in Parcel.objects.filter(shipment__in=shipments).order_by("seq", "pk"):
            parcels[parcel.shipment_id].append(parcel)
        boxes = [parcel for mine in parcels.values() for parcel in mine]
        others = _others(shipments, order)
        old_address = readdressed([one.pk for one in shipments if one.step == ShipmentStep.READY])
        user = getattr(request, "user", None)
        events = shown_events([parcel.pk for parcel in boxes], most=SHOWN_EVENTS)
        links = links_of(shipments)
        cases = _cases(boxes, user=user)
        handed, riders = handovers(shipments), rider_links(shipments, request=request)
        packings = packings_of([one.pk for one in shipments])
        return {
            "shipments": [
                {
                    "number": shipment.number,
                    "step": ShipmentStep(shipment.step).label,
                    "method": DeliveryMethod(shipment.method).label,
                    "packing": packings.get(shipment.pk, ""),
                    "warning": TOLD if shipment.pk in old_address else "",
                    "is_closed": shipment.step == ShipmentStep.CLOSED,
                    "into": shipment.merged_into.number if shipment.merged_into_id and shipment.merged_into else "",
                    "handover": handed.get(shipment.pk, []),
                    "rider_link": riders.get(shipment.pk, ""),
                    "list_url": _list_url(shipment),
                    "is_tracked": shipment.method in TRACKED,
                    "others": others.get(shipment.pk, []),
                    "link": links.get(shipment.pk, ""),
                    "parcels": [
                        _parcel(parcel, events.get(parcel.pk, [])) | {"cases": cases.get(parcel.pk, [])}
                        for parcel in parcels[shipment.pk]
                    ],
                }
                for shipment in shipments
            ]
        }


def _list_url(shipment: Shipment) -> str:
    """목록 주소 on which the shipment stands alone, with every act on it; empty when no list shows it."""
    page = _LISTS.get(ShipmentStep(shipment.step))
    return f"{lists.page(page).url}?period=all&q={shipment.number}" if page else ""


def _others(shipments: list[Shipment], order: Any) -> dict[int, list[str]]:
    """함께 담은 주문: numbers of the other orders whose lines lie in these shipments."""
    live = ShipmentLine.objects.filter(shipment__in=shipments, is_live=True).exclude(line__order=order)
    found: dict[int, list[str]] = defaultdict(list)
    rows = live.order_by("line__order_id").values_list("shipment_id", "line__order__number").distinct()
    for pk, number in rows:
        found[pk].append(number)
    return found


def _event(row: TrackingEvent) -> dict[str, str]:
    stage = TrackingStage(row.stage)
    when = short(row.at) + (UNKNOWN_TIME if row.is_time_estimated else "")
    return {"when": when, "place": row.place, "text": row.raw_text, "stage": stage.label, "css": stage.css}


def _cases(parcels: list[Parcel], *, user: Any) -> dict[int, list[dict[str, str]]]:
    """열린 배송 예외 of parcels, for people who may see them."""
    found: dict[int, list[dict[str, str]]] = defaultdict(list)
    if user is not None and user.has_perm("shipping.view_exceptions"):
        for case in ShippingException.objects.filter(parcel__in=parcels, closed_at=None).order_by("opened_at", "pk"):
            act = next_act(case.kind, next(one.state for one in parcels if one.pk == case.parcel_id))
            label = ExceptionKind(case.kind).label
            found[case.parcel_id].append({"label": label, "next": act, "url": exception_url(case.pk)})
    return found


def _stage(parcel: Parcel, *, beside: str) -> dict[str, str]:
    """배송단계 as the courier tells it, unless the badge beside it says the same word."""
    stage = TrackingStage(parcel.stage) if parcel.stage else None
    if stage is None or stage.label == beside:
        return {"stage": "", "stage_css": ""}
    return {"stage": stage.label, "stage_css": stage.css}


def _remark(parcel: Parcel) -> str:
    """택배사의 말 about the address: why there is no sort code, or that the delivery may be late."""
    told = parcel.routing or {}
    if error := told.get("error"):
        return f"분류코드 없음: {error}"
    return f"택배사 안내: {told['remark']}" if told.get("remark") else ""


def _parcel(parcel: Parcel, events: list[TrackingEvent]) -> dict[str, Any]:
    state = ParcelState(parcel.state)
    is_guess = any(row.stage == TrackingStage.DELIVERED and row.is_time_estimated for row in events)
    return {
        "courier": courier_name(parcel.courier),
        "waybill": parcel.waybill,
        "url": tracking_url(parcel.courier, parcel.waybill),
        "state": "송장 정정" if parcel.is_corrected else state.label,
        "css": state.css,
        "is_void": state == ParcelState.VOID,
        **_stage(parcel, beside=state.label),
        "alert": TrackingAlert(parcel.alert).label if parcel.alert else "",
        "remark": _remark(parcel) if state in WAITING else "",
        "printed": f"출력 {parcel.printed_count}회" if parcel.printed_count else "",
        "handed_over": short(parcel.handed_over_at),
        "scanned": short(parcel.first_scan_at),
        "delivered": short(parcel.delivered_at) + (UNKNOWN_TIME if parcel.delivered_at and is_guess else ""),
        "events": [_event(row) for row in events],
    }
