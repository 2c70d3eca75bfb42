"""Box 결제 of the order detail: what is due, what the ledger says."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest

from core.calendar import short
from core.masking import mask_name
from core.panels import Panel, register
from payments.models import LedgerEntry, Payment


@register
class PaymentPanel(Panel):
    """결제: amount due, paid and still open, and every row of the ledger with who and why."""

    key, title, template, position = "payment", "결제", "payments/panels/payment.html", 20

    def load(self, order: Any, *, request: HttpRequest, at: datetime) -> dict[str, Any] | None:
        entries = LedgerEntry.objects.filter(payment__order=order).select_related("payment", "actor").order_by("-id")
        payments = list(Payment.objects.filter(order=order).order_by("pk"))
        return {
            "method": order.get_payment_method_display(),
            "state": payments[0].get_state_display() if payments else "",
            "depositor": mask_name(order.depositor_name),
            "deposit_by": short(order.deposit_by),
            "open_amount": order.open_amount,
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
