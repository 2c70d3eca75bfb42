"""What follows an event of shipping after the commit: 발송 알림 and 배송완료 알림, one for each order and shipment.

A handler may run twice, late, or after the opposite event; it looks at the present state first.
"""

from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from core.events import on
from core.messaging import send
from core.settings_registry import get_setting, get_settings
from orders import events
from orders.models import Order, OrderEvent
from orders.notices import CORRECTION, recipient_of
from orders.services.places import judge
from orders.states import CLOSED, LineState
from shipping import events as shipping_events
from shipping.couriers import courier_name
from shipping.models import Handover, Parcel, Shipment, ShipmentLine, ShipmentStep
from shipping.services import arrivals, links
from shipping.services.areas import judge_places
from shipping.services.printing.readdress import void_readdressed
from shipping.services.seals import pickup_code
from shipping.states import TRACKED, DeliveryMethod, ParcelState

judge(judge_places)

LEFT = frozenset({ShipmentStep.SHIPPING, ShipmentStep.DELIVERED, ShipmentStep.CONFIRMED})
NEWS = {"order_shipped_link": "order_shipped"}
"""Texts that tell the same as another one: a buyer hears of it once."""
ARRIVED = frozenset({ShipmentStep.DELIVERED, ShipmentStep.CONFIRMED})


@on(events.LINE_SHIPPED, holds=True)
def tell_shipped(delivery: Any) -> None:
    """발송 알림 with the number, or with place and code of what is to be fetched; unless it came back meanwhile."""
    for shipment in _shipments(delivery):
        if not delivery.is_correction and shipment.step not in LEFT:
            continue
        template, facts = _news_of_leaving(shipment)
        if template:
            _tell(delivery, shipment, template=template, facts=facts, moment=shipment.shipped_at)


def _news_of_leaving(shipment: Shipment) -> tuple[str, dict[str, Any]]:
    """The text of a method and what it shows; none for 배송없음, whose buyer hears of the end at once."""
    if shipment.method == DeliveryMethod.NONE:
        return "", {}
    if shipment.method == DeliveryMethod.VISIT:
        return "pickup_ready", _pickup(shipment)
    if shipment.waybill:
        facts = {"courier_name": _carrier(shipment), "waybill": shipment.waybill}
        link = links.link_of(shipment.pk)
        return ("order_shipped_link", {**facts, "tracking_link": link}) if link else ("order_shipped", facts)
    return "order_left", {"courier_name": _carrier(shipment)}


def _pickup(shipment: Shipment) -> dict[str, Any]:
    row = Handover.objects.filter(shipment=shipment).first()
    values = get_settings("sender_address", "shop_name")
    place = row.place if row else ""
    return {
        "place": place or values["sender_address"] or values["shop_name"],
        "code": pickup_code(row) if row else "",
    }


@on(shipping_events.SHIPMENT_PICKUP_TOLD)
def tell_pickup_again(delivery: Any) -> None:
    """준비 완료 알림 다시, with the code that counts now; not for what has been fetched meanwhile."""
    _tell_pickup(delivery, "pickup_ready")


@on(shipping_events.SHIPMENT_PICKUP_REMINDED)
def remind_pickup(delivery: Any) -> None:
    """수령 알림; not for what has been fetched meanwhile."""
    _tell_pickup(delivery, "pickup_reminder")


def _tell_pickup(delivery: Any, template: str) -> None:
    told = OrderEvent.objects.filter(pk__in=delivery.event_ids, subject="shipment").order_by("pk")
    moments = dict(told.values_list("subject_id", "at"))
    waiting = Shipment.objects.filter(pk__in=moments, step=ShipmentStep.SHIPPING, method=DeliveryMethod.VISIT)
    for shipment in waiting.select_related("order__channel").order_by("pk"):
        _tell(delivery, shipment, template=template, facts=_pickup(shipment), moment=moments[shipment.pk])


@on(shipping_events.SHIPMENT_BUYER_TOLD)
def tell_notice(delivery: Any) -> None:
    """고객 안내 by staff."""
    for event in OrderEvent.objects.filter(pk__in=delivery.event_ids, subject="shipment").order_by("pk"):
        shipment = Shipment.objects.filter(pk=event.subject_id).first()
        if shipment is not None:
            _send_notice(event.data or {}, shipment, shipment, mark=f"{event.at:%Y%m%dT%H%M%S.%f}")


@on(shipping_events.PARCEL_NEWS_TOLD)
def tell_news(delivery: Any) -> None:
    """배송 소식 알림 of a box that is still on its way."""
    for event in OrderEvent.objects.filter(pk__in=delivery.event_ids, subject="parcel").order_by("pk"):
        box = Parcel.objects.filter(pk=event.subject_id).select_related("shipment").first()
        if box is not None and box.state == ParcelState.HANDED_OVER:
            said = event.data or {}
            _send_notice(said, box.shipment, box, mark=f"{said['notice']}/{box.pk}")


def _send_notice(said: Mapping[str, Any], shipment: Shipment, numbered: Parcel | Shipment, *, mark: str) -> None:
    """What was said, with the number of the box or shipment; nothing of a delivery that has ended meanwhile."""
    if shipment.step != ShipmentStep.SHIPPING:
        return
    courier = courier_name(numbered.courier)
    facts = {"notice": said["text"], "courier_name": courier, "waybill": numbered.waybill}
    for order in _orders_in(shipment):
        if to := recipient_of(order):
            context = {"shop_name": get_setting("shop_name"), "order_number": order.number, **facts}
            key = f"delivery_notice/{shipment.number}/{order.number}/{mark}"[:200]
            send(template="delivery_notice", to=to, context=context, key=key, at=timezone.now())


def _orders_in(shipment: Shipment) -> list[Order]:
    """Orders whose open lines lie in the shipment: 합포 holds several, and each hears by its own number."""
    lines = ShipmentLine.objects.filter(shipment=shipment, is_live=True).exclude(line__state__in=CLOSED)
    return list(Order.objects.filter(pk__in=lines.values("line__order_id")).select_related("channel").order_by("pk"))


@on(events.LINE_DELIVERED, holds=True)
def tell_delivered(delivery: Any) -> None:
    """배송완료 알림, unless the delivery was taken back meanwhile."""
    for shipment in _shipments(delivery):
        if delivery.is_correction or shipment.step in ARRIVED:
            text = "order_delivered" if shipment.method in TRACKED else "order_handed"
            _tell(delivery, shipment, template=text, facts={}, moment=shipment.delivered_at)


@on(events.LINE_CONFIRMATION_REVOKED)
def deliver_arrived(delivery: Any) -> None:
    """배송완료 again after 구매확정 철회, when the boxes of the line arrived while it was confirmed."""
    told = OrderEvent.objects.filter(pk__in=delivery.event_ids, subject="line", to_state=LineState.SHIPPING)
    ids = set(told.values_list("subject_id", flat=True))
    if ids:
        arrivals.deliver_arrived(line_ids=ids, at=timezone.now())


@on(events.RECIPIENT_CHANGED)
def void_old_labels(delivery: Any) -> None:
    """송장 삭제: numbers and labels with the address that the order had before."""
    void_readdressed(order_id=delivery.order_id, actor=None, at=timezone.now())


def _shipments(delivery: Any) -> list[Shipment]:
    """The shipments of the lines that the delivery tells of, as they stand now."""
    lines = OrderEvent.objects.filter(pk__in=delivery.event_ids, subject="line").values("subject_id")
    items = ShipmentLine.objects.filter(line__in=lines, is_live=True).values("shipment_id")
    return list(Shipment.objects.filter(pk__in=items).select_related("order__channel").order_by("pk"))


def _carrier(shipment: Shipment) -> str:
    return courier_name(shipment.courier) if shipment.courier else DeliveryMethod(shipment.method).label


def _tell(delivery: Any, shipment: Shipment, *, template: str, facts: Mapping[str, Any], moment: Any) -> None:
    """알림: once for a shipment and the moment it left or arrived, whichever text tells it; later lines add none.

    A correction goes out once for what it takes back.
    """
    # A shipment may hold lines of several orders: each order hears of it once, by its own number.
    order: Order = shipment.order if delivery.order_id in {None, shipment.order_id} else delivery.order
    to = recipient_of(order)
    if not to:
        return
    text = CORRECTION if delivery.is_correction else template
    name = NEWS.get(text, text)
    mark = f"undo-{delivery.pk}" if delivery.is_correction else f"{moment:%Y%m%dT%H%M%S.%f}" if moment else ""
    send(
        template=text,
        to=to,
        context={"shop_name": get_setting("shop_name"), "order_number": order.number, **facts},
        key=f"{name}/{shipment.number}/{mark}{'' if order.pk == shipment.order_id else f'/{order.number}'}"[:200],
        at=timezone.now(),
    )
