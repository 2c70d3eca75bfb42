"""현금영수증: what PGs issued by themselves, kept once per payment and number of approval."""

from collections.abc import Sequence
from datetime import datetime

from payments.adapters.base import CashReceiptFacts, Snapshot
from payments.models import CashReceipt, Payment
from payments.states import ReceiptPurpose, ReceiptState

SHOWN = 4
"""Digits of a number that stay readable."""


def keep_receipts(told: Sequence[tuple[Payment, Snapshot]], *, at: datetime) -> None:
    """현금영수증 기록: new ones are added, changed amounts follow, those that the PG no longer names are canceled.

    Payments are locked. A payment of which the PG names none, and of which we know none, costs nothing.
    """
    named = {payment.pk: {one.reference: one for one in snapshot.receipts} for payment, snapshot in told}
    CashReceipt.objects.bulk_create(
        [_row(pk, one, at=at) for pk, mine in named.items() for one in mine.values() if one.reference],
        update_conflicts=True,
        unique_fields=["payment", "reference"],
        update_fields=["amount", "url", "state"],
    )
    known = CashReceipt.objects.filter(payment__in=list(named), state=ReceiptState.ISSUED)
    gone = [
        pk for pk, payment_id, ref in known.values_list("pk", "payment_id", "reference") if ref not in named[payment_id]
    ]
    CashReceipt.objects.filter(pk__in=gone).update(state=ReceiptState.CANCELED, updated_at=at)


def _row(payment_id: int, facts: CashReceiptFacts, *, at: datetime) -> CashReceipt:
    return CashReceipt(
        payment_id=payment_id,
        reference=facts.reference[:80],
        purpose=ReceiptPurpose.EXPENSE if facts.purpose == "expense" else ReceiptPurpose.INCOME,
        masked_number=masked(facts.number),
        amount=facts.amount,
        url=facts.url[:500],
        found_at=at,
    )


def masked(number: str) -> str:
    """가린 번호: all but the last four characters are stars."""
    return ("*" * max(0, len(number) - SHOWN) + number[-SHOWN:])[:40]
