"""The ledger: the only place that books, settles payments and writes `Order.paid_amount`.

Callers hold the orders and their lines; payments are locked here, after them (architecture.md 3).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Q

from core.events import record
from core.locks import locked_by
from core.models import Job
from core.state import move
from orders.models import Order
from payments.events import PAYMENT_SETTLED
from payments.models import LedgerEntry, Payment
from payments.states import BANK_PREFIX, PAID_BACK, EntryKind

Row = tuple[Payment, EntryKind, str, int]


def payments_of(orders: Sequence[Order]) -> dict[int, Payment]:
    """결제 of locked orders, all of them, locked, by their own id; each carries its locked order."""
    by_id = {order.pk: order for order in orders}
    found: list[Payment] = locked_by(Payment, by_id, key="order_id")
    for payment in found:
        payment.order = by_id[payment.order_id]
    return {payment.pk: payment for payment in sorted(found, key=lambda one: one.pk)}


def main_of(payments: Iterable[Payment]) -> dict[int, Payment]:
    """받을 결제 by order id: where money goes that names the order alone.

    The first that no PG tells of, if there is one, and of these the first that still wants money.
    """
    found: dict[int, Payment] = {}
    for one in sorted(payments, key=lambda one: (one.account_id is not None, one.balance >= one.amount, one.pk)):
        found.setdefault(one.order_id, one)
    return found


def book(
    rows: Sequence[Row],
    *,
    at: datetime,
    actor: Any = None,
    batch: Job | None = None,
    reason: str = "",
    source: str = "",
    came_at: Mapping[int, datetime] | None = None,
) -> list[LedgerEntry]:
    """장부 기입: write ledger rows, settle their payments and bring `Order.paid_amount` along.

    A row is (payment, kind, reference, signed won); payments are locked, carry their locked order, and may come twice.
    `came_at` says by payment id when PG or bank got the money; where it takes the place of a booking by hand, that
    moment does too. Returns the rows as they were written.
    """
    if not rows:
        return []
    entries = LedgerEntry.objects.bulk_create(
        LedgerEntry(
            payment=payment,
            kind=kind,
            reference=reference,
            amount=amount,
            at=at,
            actor=actor,
            batch=batch,
            reason=reason,
        )
        for payment, kind, reference, amount in rows
    )
    delta: dict[int, int] = defaultdict(int)
    back: dict[int, int] = defaultdict(int)
    forgiven: dict[int, int] = defaultdict(int)
    for payment, kind, _, amount in rows:
        delta[payment.pk] += amount
        back[payment.pk] -= amount if kind in PAID_BACK else 0
        forgiven[payment.pk] += amount if kind == EntryKind.SHORTFALL else 0
    payments = list({payment.pk: payment for payment, *_ in rows}.values())
    others = {payment.pk for payment, kind, *_ in rows if kind != EntryKind.SHORTFALL}
    replaced = {payment.pk for payment, kind, *_ in rows if kind == EntryKind.MANUAL_REVERSAL}
    sums = {
        one.pk: {
            "balance": one.balance + delta[one.pk],
            "refunded": one.refunded + back[one.pk],
            "forgiven": one.forgiven + forgiven[one.pk],
            "came_at": (came_at or {}).get(one.pk),
            "replaces": one.pk in replaced,
            # No money has moved: an order that ends gives up what it had been forgiven.
            "keeps_moment": one.pk not in others and delta[one.pk] < 0,
        }
        for one in payments
    }
    outcome = move(payments, Payment.settle, at=at, per_row=sums)
    record(outcome, PAYMENT_SETTLED, at=at, actor=actor, batch=batch, reason=reason, source=source)
    paid: dict[int, int] = defaultdict(int)
    for payment in payments:
        # An order has one row here, however many of its payments have moved.
        paid[payment.order_id] += delta[payment.pk]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE orders_order o SET paid_amount = o.paid_amount + v.amount"
            " FROM unnest(%s::bigint[], %s::bigint[]) AS v(id, amount) WHERE o.id = v.id",
            [list(paid), list(paid.values())],
        )
    for order in {id(payment.order): payment.order for payment in payments}.values():
        order.paid_amount += paid[order.pk]
    return entries


def forgive(payment: Payment, won: int, *, cause: str = "") -> Row:
    """차액 인정 기입: the row that counts so many won as paid which never came; negative takes it back.

    Two of a payment in one booking have causes of their own. Source: payments.md 5.7 (accept shortfall).
    """
    return payment, EntryKind.SHORTFALL, f"{payment.order.number}/{payment.version}{cause}", won


OF_BANK = Q(reference__startswith=BANK_PREFIX)
"""무통장입금 rows of a ledger: a PG neither counts them nor can pay them back."""


def standing_by_hand(payment: Payment, by_hand: int) -> int:
    """아직 있는 수동 입금확인: won booked by hand that have not gone back; `by_hand` is the sum of those rows."""
    return max(0, min(by_hand, payment.refundable))
