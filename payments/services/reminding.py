"""입금기한 알림: one day before an unpaid order ends, once for each deadline."""

from datetime import datetime, timedelta

from core.calendar import KST
from core.messaging import send
from core.models import Message
from core.settings_registry import get_setting
from orders.models import Order
from orders.notices import recipient_of
from orders.states import PREPAID_METHODS, LineState

BEFORE = timedelta(days=1)
AT_ONCE = 500
TEMPLATE = "deposit_due"


def remind_due(*, at: datetime) -> int:
    """입금기한 알림: buyers of unpaid orders that end within a day; how many were told. Running again tells nobody.

    Who ordered within the last day knows it still, and is told when the day is over; orders without a phone or an
    e-mail address get nothing, and neither do buyers who have paid by card, of which only the PG has not told yet.
    """
    told, after = 0, 0
    while orders := _ending(at, after):
        after = orders[-1].pk
        keys = {order.pk: f"{TEMPLATE}/{order.number}/{order.deposit_by:%Y%m%d%H%M}" for order in orders}
        known = set(Message.objects.filter(key__in=keys.values()).values_list("key", flat=True))
        for order in orders:
            if keys[order.pk] not in known and order.deposit_by is not None:
                told += _remind(order, order.deposit_by, keys[order.pk], at=at)
    return told


def _ending(at: datetime, after: int) -> list[Order]:
    waiting = Order.objects.in_step(LineState.AWAITING_PAYMENT)
    soon = waiting.filter(deposit_by__gt=at, deposit_by__lte=at + BEFORE, ordered_at__lte=at - BEFORE, pk__gt=after)
    soon = soon.exclude(payment_method__in=PREPAID_METHODS)
    return list(soon.filter(channel__notifies_buyers=True).select_related("channel").order_by("pk")[:AT_ONCE])


def _remind(order: Order, deposit_by: datetime, key: str, *, at: datetime) -> int:
    to = recipient_of(order)
    if not to or order.open_amount <= 0:
        return 0
    facts = {
        "shop_name": get_setting("shop_name"),
        "order_number": order.number,
        "due": f"{deposit_by.astimezone(KST):%Y-%m-%d %H:%M}",
        "amount": f"{order.open_amount:,}",
    }
    send(template=TEMPLATE, to=to, context=facts, key=key, at=at)
    return 1
