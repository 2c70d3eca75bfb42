"""알림 of orders: which text an event sends to the buyer, at most once per event, and only while it is still true."""

from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from core.messaging import send
from core.settings_registry import get_setting
from orders.models import Order

CORRECTION = "order_corrected"


def notify_buyer(delivery: Any, *, template: str, order: Order, facts: Mapping[str, Any] | None = None) -> None:
    """알림: send the text of a delivery to the buyer of its order; a correction tells that it was taken back.

    The key holds the delivery's first event, so a handler that runs twice sends once. Orders without a phone or an
    e-mail address get nothing.
    """
    to = order.buyer_phone or order.recipient_phone or order.buyer_email
    if not to:
        return
    text = CORRECTION if delivery.is_correction else template
    send(
        template=text,
        to=to,
        context={"shop_name": get_setting("shop_name"), "order_number": order.number, **(facts or {})},
        key=f"{text}/{order.number}/{delivery.event_ids[0]}",
        at=timezone.now(),
    )
