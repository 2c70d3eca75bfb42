"""알림 of orders: which text an event sends to the buyer, at most once per event, and only while it is still true."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone

from core.messaging import send
from core.settings_registry import get_setting
from orders.contact import is_reachable
from orders.models import Order

CORRECTION = "order_corrected"


def recipient_of(order: Order) -> str:
    """알림 받는 곳: phone or e-mail address of the buyer; empty for nobody, and where the market tells its buyers.

    A 안심번호 that has ended reaches nobody and is passed over (shipping.md 6.3).
    """
    if not order.channel.notifies_buyers:
        return ""
    at = timezone.now()
    phones = (order.buyer_phone, order.recipient_phone)
    return next((phone for phone in phones if is_reachable(order, phone, at=at)), order.buyer_email)


def notify_buyer(
    delivery: Any,
    *,
    template: str,
    order: Order,
    facts: Mapping[str, Any] | None = None,
    moment: datetime | None = None,
) -> None:
    """알림: send the text of a delivery to the buyer of its order; a correction tells that it was taken back.

    The key holds the delivery's first event, so a handler that runs twice sends once; or the `moment` that the text
    tells of, so that what is undone back to that moment is not told again. Orders without a phone or an e-mail address,
    and those of markets that tell their buyers themselves get nothing.
    """
    to = recipient_of(order)
    if not to:
        return
    text = CORRECTION if delivery.is_correction else template
    told = moment if not delivery.is_correction else None
    mark = f"{told:%Y%m%dT%H%M%S.%f}" if told else delivery.event_ids[0]
    send(
        template=text,
        to=to,
        context={"shop_name": get_setting("shop_name"), "order_number": order.number, **(facts or {})},
        key=f"{text}/{order.number}/{mark}",
        at=timezone.now(),
    )
