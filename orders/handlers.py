"""What follows an event of orders after the commit: messages to the buyer.

A handler may run twice, late, or after the opposite event; it looks at the present state first.
"""

from typing import Any

from core.calendar import due_date
from core.events import on
from orders import events
from orders.models import DelayNotice, Order, OrderEvent
from orders.notices import notify_buyer
from orders.states import CANCELED_CODE, CanceledBy, LineState

CAUSES: dict[str, str] = {
    CanceledBy.BUYER: "고객 요청",
    CanceledBy.DEADLINE: "입금기한이 지났습니다",
    CanceledBy.STAFF: "판매자 취소",
}
NOBODYS = "그 밖의 사정"
"""A paid line that was canceled by neither party's fault."""


@on(events.LINE_PAID, holds=True)
def tell_payment_confirmed(delivery: Any) -> None:
    """입금확인 알림, unless the deposit was taken back meanwhile."""
    order = Order.objects.get(pk=delivery.order_id)
    if delivery.is_correction or order.stage != LineState.AWAITING_PAYMENT:
        notify_buyer(delivery, template="payment_confirmed", order=order, moment=order.paid_at)


@on(events.LINE_CANCELED_UNPAID, holds=True)
def tell_order_canceled(delivery: Any) -> None:
    """입금전취소 알림, unless the order was revived meanwhile."""
    order = Order.objects.get(pk=delivery.order_id)
    line = order.lines.filter(state=LineState.CANCELED_UNPAID).first()
    if line is None and not delivery.is_correction:
        return
    by = CanceledBy(line.canceled_by) if line and line.canceled_by in CANCELED_CODE else CanceledBy.STAFF
    moment = line.canceled_at if line else None
    notify_buyer(delivery, template="order_canceled", order=order, facts={"reason": CAUSES[by]}, moment=moment)


@on(events.LINE_CANCELED, holds=True)
def tell_lines_canceled(delivery: Any) -> None:
    """취소 알림 of paid lines: the whole order, or the goods that were canceled now and no others."""
    order = Order.objects.get(pk=delivery.order_id)
    ids = OrderEvent.objects.filter(pk__in=delivery.event_ids, subject="line").values("subject_id")
    lines = list(order.lines.filter(pk__in=ids, state=LineState.CANCELED).order_by("seq"))
    if not lines:
        return
    reason = CAUSES.get(lines[0].canceled_by, NOBODYS)
    if order.stage == LineState.CANCELED:
        notify_buyer(delivery, template="order_canceled", order=order, facts={"reason": reason})
    else:
        goods = lines[0].product_name + (f" 외 {len(lines) - 1}건" if len(lines) > 1 else "")
        notify_buyer(delivery, template="lines_canceled", order=order, facts={"goods": goods, "reason": reason})


@on(events.LINE_DELAYED, holds=True)
def tell_delay(delivery: Any) -> None:
    """발송지연 안내: the new date and the words staff wrote."""
    order = Order.objects.get(pk=delivery.order_id)
    event = OrderEvent.objects.get(pk=delivery.event_ids[0])
    notice = DelayNotice.objects.get(line_id=event.subject_id)
    day = due_date(notice.new_ship_by)
    facts = {"ship_date": f"{day:%Y-%m-%d}", "detail": notice.detail}
    notify_buyer(delivery, template="order_delayed", order=order, facts=facts)
