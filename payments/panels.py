"""Box 결제 of the order detail: what is due, what the ledger says."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest

from core.calendar import short
from core.masking import mask_name
from core.panels import Panel, register
from orders.states import CLOSED
from payments.models import LedgerEntry, Payment
from payments.states import PaymentState


@register
class PaymentPanel(Panel):
    """결제: amount due, paid and still open, and every row of the ledger with who and why."""

    key, title, template, position = "payment", "결제", "payments/panels/payment.html", 20

    def load(self, order: Any, *, request: HttpRequest, at: datetime) -> dict[str, Any] | None:
        entries = LedgerEntry.objects.filter(payment__order=order).select_related("payment", "actor").order_by("-id")
        payments = list(Payment.objects.filter(order=order).order_by("pk"))
        is_over = order.stage in CLOSED
        unpaid = is_over and payments and payments[0].state == PaymentState.PENDING
        return {
            "method": order.get_payment_method_display(),
            "state": PaymentState.CANCELED.label if unpaid else payments[0].get_state_display() if payments else "",
            "depositor": mask_name(order.depositor_name),
            "deposit_by": short(order.deposit_by),
            # Nobody waits for the money of an order that has ended.
            "open_amount": 0 if is_over else order.open_amount,
            "entries": [
                {
                    "kind": entry.get_kind_display(),
                    "amount": entry.amount,
                    "when": short(entry.at),
                    "who": f"{entry.actor.display_name} 님" if entry.actor else "시스템",
                    "reason": entry.reason,
                }
                for entry in entries
            ],
        }
