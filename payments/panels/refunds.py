"""Box 환불 of the order detail."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest

from core.calendar import short
from core.panels import Panel, register
from core.people import named
from orders.states import BIT, LineState
from payments.details.refund_account import REVEAL, account_row
from payments.models import Refund, RefundCalculation
from payments.states import RefundState


@register
class RefundPanel(Panel):
    """환불: what goes back, how far it is, and how it was computed; empty for an order without any."""

    name, title, template, position = "refund", "환불", "payments/panels/refund.html", 21

    def load(self, order: Any, *, request: HttpRequest, at: datetime) -> dict[str, Any] | None:
        refunds = list(Refund.objects.filter(order=order).select_related("requested_by").order_by("-id"))
        # An order that never lost a line needs no second query.
        is_cut = bool(refunds) or order.steps & BIT[LineState.CANCELED]
        calculations = RefundCalculation.objects.filter(order=order).order_by("-id") if is_cut else ()
        found: dict[str, Any] = {
            "refunds": [
                {
                    "amount": refund.amount,
                    "state": refund.get_state_display(),
                    "way": refund.get_way_display(),
                    "when": short(refund.completed_at or refund.requested_at),
                    "who": named(refund.requested_by),
                    "reason": refund.reason,
                    "error": refund.last_error if refund.state in {RefundState.FAILED, RefundState.UNKNOWN} else "",
                }
                for refund in refunds
            ],
            "accounts": [row for refund in refunds if (row := account_row(refund))],
            "calculations": [
                {"when": short(one.at), "fault": one.get_fault_display(), "total": one.total, "parts": _parts(one)}
                for one in calculations
            ],
        }
        if not any(found.values()):
            return None
        return found | {"may_reveal_account": request.user.has_perm(REVEAL)}  # type: ignore[union-attr]


def _parts(one: RefundCalculation) -> list[tuple[str, int]]:
    """환불 내역: label and signed won of every amount that is not 0."""
    rows = (
        ("상품금액", one.goods),
        ("할인", -one.discount),
        ("쿠폰", -one.coupon),
        ("적립금(적립금으로 복원)", -one.points),
        ("배송비 환불", one.shipping_back),
        ("무료배송 취소", -one.clawback),
        ("반품배송비", -one.return_fee),
        ("쿠폰 회수", -one.forfeit),
        ("받지 않은 차액", -one.shortfall),
    )
    return [(label, won) for label, won in rows if won]
