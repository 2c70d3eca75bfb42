"""Box 결제 of the order detail: what is due, what the ledger says."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.http import HttpRequest

from core.actions import BulkAction, get_action
from core.calendar import short
from core.jobs.pages import OrderRows
from core.lists import Button
from core.masking import mask_name
from core.panels import Panel, register
from core.people import named
from orders.states import CLOSED, LOCK_BIT, LineState, LockKind, PaymentMethod
from orders.why import Why, why_order
from payments.details.payment_box import (
    by_card,
    card_words,
    notice_rows,
    payments_for_box,
    pg_rows,
    problem_rows,
    receipt_rows,
)
from payments.models import LedgerEntry, Payment
from payments.pages.deposits import DepositPage
from payments.services.gateway.reissuing import may_be_asked
from payments.services.ledger.references import CARDS
from payments.services.telling import METHODS
from payments.states import FROM_PG, PaymentState

RESEND, REISSUE = "resend-account", "reissue-account"
BY_DEPOSIT = {"amount": "입금액", "when": "입금일시"}
BY_CARD = {"amount": "결제금액", "when": "결제일시"}
AT_PG = "{won} {method} 결제를 PG가 확인하기를 기다립니다. 확인되면 저절로 상품준비중이 됩니다."
UNCONFIRMED = "{won} {method} 결제를 PG에서 확인하지 못했습니다. 미확인·예외 입금과 PG 관리자 화면에서 확인하세요."


@register
class PaymentPanel(Panel):
    """결제: amount due, paid and still open, and every row of the ledger with who and why."""

    name, title, template, position = "payment", "결제", "payments/panels/payment.html", 20

    def load(self, order: Any, *, request: HttpRequest, at: datetime) -> dict[str, Any] | None:
        rows = LedgerEntry.objects.filter(payment__order=order).select_related("payment", "actor").order_by("-id")
        entries = list(rows)
        payments, user = payments_for_box(order), request.user
        problems = problem_rows(order, at=at)
        unpaid = order.stage in CLOSED and payments and payments[0].state == PaymentState.PENDING
        return {
            "method": order.get_payment_method_display(),
            "state": PaymentState.CANCELED.label if unpaid else _state_of(payments),
            "words": BY_CARD if order.payment_method in CARDS else BY_DEPOSIT,
            "depositor": mask_name(order.depositor_name),
            "deposit_by": short(order.deposit_by),
            "paid_at": short(payments[0].paid_at) if payments else "",
            **sums(order, payments),
            "pgs": pg_rows(payments, order=order, entries=entries, user=user, at=at),
            "problems": problems,
            "why": _why(order, payments, has_case=bool(problems)) or _why_held(order, user, at=at),
            "notices": notice_rows(payments, at=at),
            "receipts": receipt_rows(payments) if user.has_perm("payments.view_receipts") else [],  # type: ignore[union-attr]
            **_resend(order, user),
            **_reissue(order, payments, user),
            "may_see_problems": user.has_perm("payments.view_problems"),  # type: ignore[union-attr]
            "may_see_notices": user.has_perm("payments.view_notices"),  # type: ignore[union-attr]
            "may_reveal": user.has_perm("orders.reveal"),  # type: ignore[union-attr]
            "entries": [
                {
                    "kind": _kind_of(entry),
                    "amount": entry.amount,
                    "when": short(entry.at),
                    "who": named(entry.actor),
                    "reason": entry.reason,
                }
                for entry in entries
            ],
        }


def _state_of(payments: Sequence[Payment]) -> str:
    return by_card(payments[0].get_state_display(), payments[0].method) if payments else ""


def _kind_of(entry: LedgerEntry) -> str:
    label: str = entry.get_kind_display()
    return by_card(label, entry.payment.method) if entry.kind in FROM_PG else label


def _why(order: Any, payments: Sequence[Payment], *, has_case: bool) -> Why | None:
    """A card payment that the storefront named waits for its PG, or for a person: no deadline cancels its order."""
    waiting = [one for one in payments if card_words(one)]
    if not waiting or order.stage != LineState.AWAITING_PAYMENT:
        return None
    won, method = f"{order.open_amount:,}원의", order.get_payment_method_display()
    is_stopped = has_case or not waiting[0].card_check.next_try_at
    text = (UNCONFIRMED if is_stopped else AT_PG).format(won=won, method=method)
    return Why(text, is_stopped=is_stopped, line=order.detail_lines[0])


def _why_held(order: Any, user: Any, *, at: datetime) -> Why | None:
    """A deposit that waits holds the order: the way to it, for those who may see it."""
    held = any(line.open_locks & LOCK_BIT[LockKind.DEPOSIT_PENDING] for line in order.detail_lines)
    found = why_order(order.detail_lines, at=at) if held and user.has_perm(DepositPage.permission) else None
    way = {"url": f"{DepositPage.url}?tab=all&period=all&q={order.number}", "label": "입금 내역 보기"}
    return replace(found, way=way) if found else None


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
