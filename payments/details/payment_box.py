"""결제 상자의 PG 쪽: each payment with its virtual account, open problems, and what the PG told us; masked."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from core import cells
from core.masking import mask_account, mask_name
from payments.banks import bank_at
from payments.columns.notices import notice_url
from payments.columns.problems import problem_url, told
from payments.columns.receipts import CSS as RECEIPT_CSS
from payments.columns.receipts import shown_url
from payments.models import CardCheck, CashReceipt, LedgerEntry, MoneyProblem, Payment, PgNotice, VirtualAccount
from payments.notice_words import CSS, kind_words, reason_words
from payments.services.gateway.closing import ORDER_CANCELED, PERHAPS_OPENED
from payments.services.gateway.issuing import NO_NUMBER
from payments.services.ledger.references import CARDS
from payments.services.pg_accounts import KEY_REFUSED, pg_of
from payments.services.watching.card_checks import NOT_THERE
from payments.states import (
    BANK_PREFIX,
    BY_HAND,
    ENDED,
    FROM_PG,
    GOING_OUT,
    NoticeState,
    PaymentState,
    ProblemKind,
    ReceiptState,
    VirtualState,
)

MOST_NOTICES = 5
OPENING = "가상계좌를 발급하고 있습니다. 잠시 뒤 다시 확인하세요."
ASKING = "고객이 결제창에서 연 가상계좌를 PG에 확인하고 있습니다. 잠시 뒤 다시 확인하세요."
SILENT = "가상계좌를 아직 발급하지 못했습니다. PG에서 응답이 없어 저절로 다시 시도합니다."
MEND_KEY = "가상계좌를 발급하지 못했습니다. {error} 설정의 PG 계정에서 키를 고치면 저절로 다시 발급합니다."
FAILED = "가상계좌를 발급하지 못했습니다. {error}"
MEND_KEY_TO_ASK = "가상계좌를 PG에 확인하지 못했습니다. {error} 설정의 PG 계정에서 키를 고치면 저절로 다시 확인합니다."
NOT_SEEN = "고객이 결제창에서 연 가상계좌를 PG에 확인하지 못했습니다. {error}"
CLOSED = "가상계좌를 닫았습니다. 더 이상 입금할 수 없습니다."
CLOSING = "가상계좌를 닫고 있습니다."
CLOSES_AT = "취소를 되돌릴 수 있는 {when}까지 열어 두고 그 뒤에 닫습니다. 그 전에 들어온 돈은 예외 입금에 남습니다."
NOT_CLOSED = "가상계좌를 아직 닫지 못했습니다. {when}에 다시 시도합니다. 그 전에 들어온 돈은 예외 입금에 남습니다."
AT_PG_NOW = "PG에 카드 결제를 확인하고 있습니다. 확인되면 저절로 상품준비중이 됩니다."
STOPPED = "PG에서 확인하지 못한 카드 결제입니다. 미확인·예외 입금과 PG 관리자 화면에서 확인하세요."
BY_HAND_ONLY = "직접 입금확인한 {won:,}원은 PG에 없는 돈입니다. PG로 환불할 수 없어 은행 이체로 돌려줍니다."


def by_card(text: str, method: str) -> str:
    """결제: the words of a deposit for what was paid by card; nobody sends a deposit there."""
    return text.replace("입금", "결제") if method in CARDS else text


def payments_for_box(order: Any) -> list[Payment]:
    """결제 of an order with account and virtual account; one query."""
    return list(Payment.objects.filter(order=order).select_related("account", "virtual", "card_check").order_by("pk"))


def pg_rows(
    payments: Sequence[Payment], *, order: Any, entries: Iterable[LedgerEntry], user: Any, at: datetime
) -> list[dict[str, Any]]:
    """PG 결제 as the template wants them, our state and what the PG has apart; nothing for payments without a PG."""
    sums: dict[tuple[int, str], int] = defaultdict(int)
    for entry in entries:
        # A PG knows nothing of what came into our own bank account.
        if not entry.reference.startswith(BANK_PREFIX):
            sums[entry.payment_id, entry.kind] += entry.amount
    return [
        {
            "pk": one.pk,
            "pg": one.account.name,
            "order_ref": one.order_ref,
            "state": by_card(one.get_state_display(), one.method),
            "virtual": virtual_row(one, order=order, at=at),
            "card_words": card_words(one),
            "may_sync": user.has_perm("payments.sync"),
            **_both_books(one, sums, at=at),
        }
        for one in payments
        if one.account is not None
    ]


def _both_books(payment: Payment, sums: Mapping[tuple[int, str], int], *, at: datetime) -> dict[str, str]:
    """What staff booked by hand, what the PG has told us, and what follows when the two differ."""
    came, out, by_hand = (
        sum(sums.get((payment.pk, kind), 0) for kind in kinds) for kinds in (FROM_PG, GOING_OUT, BY_HAND)
    )
    said = by_card(f"입금 {came:,}원" if came else "입금 없음", payment.method)
    said += f", 환불 {-out:,}원" if out else ""
    return {
        "by_hand": f"직접 입금확인 {by_hand:,}원" if by_hand else "",
        "at_pg": said if payment.asked_at or came or out else "",
        "synced": cells.short_time(payment.asked_at, at),
        "by_hand_only": BY_HAND_ONLY.format(won=by_hand) if by_hand > 0 and payment.balance else "",
    }


def card_words(payment: Payment) -> str:
    """카드 결제 확인: what is known of a card payment that its PG has not confirmed yet; empty for all others."""
    check: CardCheck | None = getattr(payment, "card_check", None)
    if check is None or payment.state != PaymentState.PENDING:
        return ""
    if not check.next_try_at:
        return STOPPED if check.last_error else ""
    return NOT_THERE if check.last_error == NOT_THERE else AT_PG_NOW


def virtual_row(payment: Payment, *, order: Any, at: datetime) -> dict[str, Any] | None:
    """가상계좌: bank, masked number, countdown while money is awaited; or the sentence why there is none."""
    virtual: VirtualAccount | None = getattr(payment, "virtual", None)
    if virtual is None or payment.account is None:
        return None
    waits = virtual.state == VirtualState.ISSUED and payment.state in {PaymentState.PENDING, PaymentState.PARTIAL}
    return {
        "bank": bank_at(payment.account.provider, virtual.bank),
        "number": mask_account(virtual.number),
        "holder": holder_shown(virtual.holder, order),
        "deadline": cells.deadline(virtual.due_at, at) if waits else "",
        "words": _words(virtual, payment, is_canceled=order.stage in ENDED, at=at),
        "is_failed": virtual.state == VirtualState.FAILED or virtual.last_error.startswith(KEY_REFUSED),
    }


def holder_shown(holder: str, order: Any) -> str:
    """예금주 of an account of a PG: its own name stands; that of the buyer, in which Toss opens accounts, is masked."""
    shown = holder
    for name in {order.buyer_name.strip(), order.depositor_name.strip()} - {""}:
        shown = shown.replace(name, mask_name(name))
    return shown


def _words(virtual: VirtualAccount, payment: Payment, *, is_canceled: bool, at: datetime) -> str:
    """지금 어떤 상태인지 in a sentence; empty for an account that money can go to."""
    when = cells.short_time(virtual.next_try_at, at)
    match VirtualState(virtual.state):
        case VirtualState.PENDING if is_canceled and not virtual.is_from_window:
            return f"{ORDER_CANCELED} {PERHAPS_OPENED}"
        case VirtualState.PENDING:
            return _opening(virtual, payment)
        case VirtualState.FAILED:
            return (NOT_SEEN if virtual.is_from_window else FAILED).format(error=virtual.last_error).strip()
        case VirtualState.CLOSED:
            return CLOSED
        case VirtualState.CLOSING if virtual.next_try_at is None or virtual.next_try_at <= at:
            return CLOSING
        case VirtualState.CLOSING:
            return (NOT_CLOSED if virtual.last_error else CLOSES_AT if not virtual.attempts else CLOSING).format(
                when=when
            )
        case _:
            return ""


def _opening(virtual: VirtualAccount, payment: Payment) -> str:
    if virtual.last_error.startswith(KEY_REFUSED):
        return (MEND_KEY_TO_ASK if virtual.is_from_window else MEND_KEY).format(error=virtual.last_error)
    is_ours = payment.account is None or pg_of(payment.account).capabilities.can_issue
    if virtual.is_from_window or not is_ours:
        return virtual.last_error or ASKING
    if virtual.last_error == NO_NUMBER:
        return NO_NUMBER
    return SILENT if virtual.last_error else OPENING


def problem_rows(order: Any, *, at: datetime) -> list[dict[str, Any]]:
    """처리하지 않은 예외 of an order; one query."""
    rows = MoneyProblem.objects.filter(order=order, resolved_at=None).order_by("found_at", "pk")
    return [
        {
            "label": ProblemKind(one.kind).label,
            "text": told(one.kind, one.detail, steps=order.steps, stage=order.stage)[0],
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
