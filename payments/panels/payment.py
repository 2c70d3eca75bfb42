"""Box 결제 of the order detail: what is due, what the ledger says."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.http import HttpRequest

from core.actions import BulkAction, get_action
from core.calendar import short
from core.jobs.pages import OrderRows
from core.lists import Button
from core.masking import mask_name
from core.panels import Panel, register
from orders.states import CLOSED, LineState, LockKind, PaymentMethod
from orders.why import WAYS, Way
from payments.details.payment_box import notice_rows, payments_for_box, pg_rows, problem_rows, receipt_rows
from payments.models import LedgerEntry, Payment
from payments.pages.deposits import DepositPage
from payments.services.gateway.reissuing import may_be_asked
from payments.services.telling import METHODS
from payments.states import PaymentState

WAYS.add(
    Way(
        LockKind.DEPOSIT_PENDING, "입금 내역 보기", f"{DepositPage.url}?tab=all&period=all&q={{number}}",
        DepositPage.permission,
    )
)  # fmt: skip
RESEND, REISSUE = "resend-account", "reissue-account"


@register
class PaymentPanel(Panel):
    """결제: amount due, paid and still open, and every row of the ledger with who and why."""

    name, title, template, position = "payment", "결제", "payments/panels/payment.html", 20

    def load(self, order: Any, *, request: HttpRequest, at: datetime) -> dict[str, Any] | None:
        rows = LedgerEntry.objects.filter(payment__order=order).select_related("payment", "actor").order_by("-id")
        entries = list(rows)
        payments, user = payments_for_box(order), request.user
        unpaid = order.stage in CLOSED and payments and payments[0].state == PaymentState.PENDING
        return {
            "method": order.get_payment_method_display(),
            "state": PaymentState.CANCELED.label if unpaid else payments[0].get_state_display() if payments else "",
            "depositor": mask_name(order.depositor_name),
            "deposit_by": short(order.deposit_by),
            "paid_at": short(payments[0].paid_at) if payments else "",
            **sums(order, payments),
            "pgs": pg_rows(payments, order=order, entries=entries, user=user, at=at),
            "problems": problem_rows(order, at=at),
            "notices": notice_rows(payments, at=at),
            "receipts": receipt_rows(payments) if user.has_perm("payments.view_receipts") else [],  # type: ignore[union-attr]
            **_resend(order, user),
            **_reissue(order, payments, user),
            "may_see_problems": user.has_perm("payments.view_problems"),  # type: ignore[union-attr]
            "may_see_notices": user.has_perm("payments.view_notices"),  # type: ignore[union-attr]
            "may_reveal": user.has_perm("orders.reveal"),  # type: ignore[union-attr]
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


def _resend(order: Any, user: Any) -> dict[str, Any]:
    """입금 안내 재발송: the button of the list for this one order, while money is awaited."""
    act = get_action(RESEND)
    if act is None or order.stage not in act.states or not user.has_perm(act.permission):
        return {}
    if order.payment_method not in METHODS or order.open_amount <= 0:
        return {}
    return {"resend": _button(act), **_row_of(order)}


def _reissue(order: Any, payments: Sequence[Payment], user: Any) -> dict[str, Any]:
    """가상계좌 다시 발급: the same, while the order waits and has no account that money could go to."""
    act = get_action(REISSUE)
    if act is None or order.stage not in act.states or not user.has_perm(act.permission) or order.open_amount <= 0:
        return {}
    if order.payment_method != PaymentMethod.VIRTUAL_ACCOUNT or not payments:
        return {}
    if not may_be_asked(payments[0], getattr(payments[0], "virtual", None)):
        return {}
    return {"reissue": _button(act), **_row_of(order)}


def _button(act: BulkAction) -> Button:
    return Button(act.name, act.label, act.style)


def _row_of(order: Any) -> dict[str, str]:
    """The one row of an act on this order."""
    return {"rows": f"{order.pk}:{order.version}", "page_name": OrderRows.name}


def sums(order: Any, payments: Sequence[Payment]) -> dict[str, int]:
    """입금액, 환불액, what is left of them, what was forgiven, what is still to come and what is too much; won.

    Money that was sent back on purpose is not awaited again, unless the order waits for its payment; nobody waits for
    the money of an order that has ended.
    """
    refunded, forgiven = sum(one.refunded for one in payments), sum(one.forgiven for one in payments)
    gap = order.open_amount
    if order.stage != LineState.AWAITING_PAYMENT:
        gap = max(gap - refunded, 0) if gap > 0 else gap
    return {
        "came_in": order.paid_amount + refunded - forgiven,
        "refunded": refunded,
        "forgiven": forgiven,
        "left": order.paid_amount,
        "open_amount": max(gap, 0) if order.stage not in CLOSED else 0,
        "surplus": max(-gap, 0),
    }
