"""Locked refunds with their locked payments and orders: the door through which every refund service reads."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from django.db.models import Q, Sum

from core.locks import locked
from orders.services.locking import locked_orders
from payments.models import BankDeposit, LedgerEntry, Payment, Refund
from payments.services.ledger.booking import OF_BANK, payments_of
from payments.states import REFUND_OPEN, EntryKind, RefundWay

NOT_FOUND = "환불 건을 찾을 수 없습니다. 목록을 새로 고친 뒤 다시 시도하세요."
AT_PG = (EntryKind.DEPOSIT, EntryKind.REVERSAL, EntryKind.REFUND, EntryKind.REFUND_UNDONE)

BESIDE_PG = (
    EntryKind.MANUAL,
    EntryKind.MANUAL_REVERSAL,
    EntryKind.PREPAID,
    EntryKind.REFUND_FAILED,
    EntryKind.PAID_OUT,
)


@contextmanager
def locked_refunds(
    refund_ids: Collection[int], *, actor: Any = None, skip_locked: bool = False
) -> Iterator[list[Refund]]:
    """환불 by id, locked after orders, lines and payments; each carries its locked payment, that its locked order, or
    its locked deposit.

    Raises LockTimeout, or leaves out refunds of orders that somebody holds, like `locked_orders`.
    """
    rows = Refund.objects.filter(pk__in=refund_ids, order__isnull=False)
    order_ids = {pk for pk in rows.values_list("order_id", flat=True) if pk is not None}
    with locked_orders(order_ids, actor=actor, skip_locked=skip_locked) as (orders, _):
        payments = payments_of(orders)
        mine = Q(payment__in=payments) | Q(deposit__isnull=False)
        refunds: list[Refund] = locked(Refund.objects.filter(mine, pk__in=refund_ids))
        deposit_ids = [refund.deposit_id for refund in refunds if refund.deposit_id is not None]
        deposits = {one.pk: one for one in locked(BankDeposit.objects.filter(pk__in=deposit_ids))}
        for refund in refunds:
            if refund.payment_id is not None:
                refund.payment = payments[refund.payment_id]
            elif refund.deposit_id is not None:
                refund.deposit = deposits[refund.deposit_id]
        yield refunds


def promised(payments: Collection[Payment]) -> dict[int, int]:
    """약속한 환불: won of refunds that are open and not in the ledger, by payment id."""
    rows = Refund.objects.filter(payment__in=payments, state__in=REFUND_OPEN, entry=None).order_by()
    return dict(rows.values("payment_id").annotate(total=Sum("amount")).values_list("payment_id", "total"))


def balances_at_pg(payments: Collection[Payment]) -> dict[int, int]:
    """PG 잔액: won that a PG can still pay back, by payment id; it knows nothing of what staff booked by hand, nor of
    what came into our own bank account.
    """
    rows = LedgerEntry.objects.filter(payment__in=payments, kind__in=AT_PG).exclude(OF_BANK).order_by()
    found = dict(rows.values("payment_id").annotate(total=Sum("amount")).values_list("payment_id", "total"))
    return {payment.pk: found.get(payment.pk, 0) for payment in payments}


def beside_pg(payment: Payment) -> int:
    """PG 밖의 돈: won of a payment that came in and are with the shop, not with its PG."""
    found = LedgerEntry.objects.filter(payment=payment, kind__in=BESIDE_PG).aggregate(total=Sum("amount"))
    return int(found["total"] or 0)


def rests_at_pg(payments: Collection[Payment]) -> dict[int, int]:
    """PG에 남은 돈: the same less what open refunds will take there."""
    rows = Refund.objects.filter(payment__in=payments, state__in=REFUND_OPEN, entry=None, way=RefundWay.PG).order_by()
    asked = dict(rows.values("payment_id").annotate(total=Sum("amount")).values_list("payment_id", "total"))
    return {pk: won - asked.get(pk, 0) for pk, won in balances_at_pg(payments).items()}
