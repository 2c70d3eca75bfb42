"""결제 상자의 PG 쪽: each payment with its virtual account, open problems, and what the PG told us; masked."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from core import cells
from core.masking import mask_account, mask_name
from payments.banks import bank_at
from payments.columns.notices import notice_url
from payments.columns.problems import problem_url, sentence
from payments.columns.receipts import CSS as RECEIPT_CSS
from payments.columns.receipts import shown_url
from payments.models import CashReceipt, MoneyProblem, Payment, PgNotice, VirtualAccount
from payments.notice_words import CSS, kind_words, reason_words
from payments.states import NoticeState, PaymentState, ProblemKind, ReceiptState, VirtualState

MOST_NOTICES = 5
STATES = {
    VirtualState.PENDING: "가상계좌를 발급하고 있습니다. 잠시 뒤 다시 확인하세요.",
    VirtualState.FAILED: "가상계좌를 발급하지 못했습니다.",
    VirtualState.CLOSING: "가상계좌를 닫고 있습니다.",
    VirtualState.CLOSED: "가상계좌를 닫았습니다. 더 이상 입금할 수 없습니다.",
}


def payments_for_box(order: Any) -> list[Payment]:
    """결제 of an order with account and virtual account; one query."""
    return list(Payment.objects.filter(order=order).select_related("account", "virtual").order_by("pk"))


def pg_rows(payments: Sequence[Payment], *, user: Any, at: datetime) -> list[dict[str, Any]]:
    """PG 결제 as the template wants them; nothing for payments without a PG."""
    return [
        {
            "pk": one.pk,
            "pg": one.account.name,
            "order_ref": one.order_ref,
            "state": one.get_state_display(),
            "synced": cells.short_time(one.synced_at, at),
            "virtual": virtual_row(one, at=at),
            "may_sync": user.has_perm("payments.sync"),
        }
        for one in payments
        if one.account is not None
    ]


def virtual_row(payment: Payment, *, at: datetime) -> dict[str, Any] | None:
    """가상계좌: bank, masked number, countdown while money is awaited; or the sentence why there is none."""
    virtual: VirtualAccount | None = getattr(payment, "virtual", None)
    if virtual is None or payment.account is None:
        return None
    waits = virtual.state == VirtualState.ISSUED and payment.state in {PaymentState.PENDING, PaymentState.PARTIAL}
    words = STATES.get(VirtualState(virtual.state), "")
    is_failed = virtual.state == VirtualState.FAILED
    return {
        "bank": bank_at(payment.account.provider, virtual.bank),
        "number": mask_account(virtual.number),
        "holder": mask_name(virtual.holder),
        "deadline": cells.deadline(virtual.due_at, at) if waits else "",
        "words": f"{words} {virtual.last_error}".strip() if is_failed else words,
        "is_failed": is_failed,
    }


def problem_rows(order: Any, *, at: datetime) -> list[dict[str, Any]]:
    """처리하지 않은 예외 of an order; one query."""
    rows = MoneyProblem.objects.filter(order=order, resolved_at=None).order_by("found_at", "pk")
    return [
        {
            "label": ProblemKind(one.kind).label,
            "text": sentence(one.kind),
            "amount": one.amount,
            "url": problem_url(one.pk),
            "when": cells.short_time(one.found_at, at),
        }
        for one in rows
    ]


def receipt_rows(payments: Sequence[Payment]) -> list[dict[str, Any]]:
    """현금영수증 of the payments of an order; one query, none for payments without a PG, which alone issues them."""
    through_pg = [one for one in payments if one.account_id is not None]
    if not through_pg:
        return []
    rows = CashReceipt.objects.filter(payment__in=through_pg).order_by("found_at", "pk")
    return [
        {
            "purpose": one.get_purpose_display(),
            "number": one.masked_number,
            "reference": one.reference,
            "amount": one.amount,
            "css": RECEIPT_CSS[ReceiptState(one.state)],
            "label": one.get_state_display(),
            "url": shown_url(one.url),
        }
        for one in rows
    ]


def notice_rows(payments: Sequence[Payment], *, at: datetime) -> list[dict[str, Any]]:
    """최근 알림 of the payments of an order; one query, none for payments without a PG."""
    refs = {(one.account_id, one.order_ref) for one in payments if one.account_id is not None}
    if not refs:
        return []
    rows = PgNotice.objects.filter(
        order_ref__in=[ref for _, ref in refs], account__in=[account for account, _ in refs]
    ).order_by("-received_at", "-pk")
    return [
        {
            "url": notice_url(one.pk),
            "kind": kind_words(one.kind),
            "when": cells.short_time(one.received_at, at),
            "css": CSS[NoticeState(one.state)],
            "label": NoticeState(one.state).label,
            "reason": reason_words(one.reason),
            "amount": one.amount,
        }
        for one in rows[:MOST_NOTICES]
        if (one.account_id, one.order_ref) in refs
    ]
