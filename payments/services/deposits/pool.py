"""후보 주문 모으기: the orders that deposits are compared with; four queries for any number of deposits."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.db import connection

from core.lookups import AmongTexts, id_array, text_array
from orders.models import Order
from orders.states import BIT, ENDED_BITS, LineState, PaymentMethod
from payments.matching import Book, Row, Standing, Wanted
from payments.models import BankDeposit
from payments.names import NOT_PLAIN, digit_runs, name_key, order_numbers
from payments.services.deposits.bank import NO_TIME, SAME_DAY
from payments.states import ENDED, REFUND_OPEN

CANCELED_FOR = timedelta(days=60)
"""Orders that were placed this long before a deposit and canceled are still offered to be revived."""
CONFIRMED_FOR = timedelta(days=14)
"""Bookings by hand this long before a deposit may stand for the same money."""
_key = lru_cache(maxsize=200_000)(name_key)

_COLUMNS = "o.id, o.number, {amount}, o.depositor_name, o.buyer_name, o.buyer_phone, o.ordered_at, o.deposit_by"
_REFUNDING = ", ".join(f"'{state}'" for state in REFUND_OPEN)
# An order whose money is on its way back is not paid by what comes in beside it.
# Orders of another amount count by their name or number only. A plain name is its own key, so the database can compare
# it; every other spelling is read and compared here. The first part of a statement does not cost what the whole costs.
_OPEN = f"""
SELECT {_COLUMNS.format(amount="o.due_amount - o.paid_amount")} FROM orders_order o
WHERE (o.steps & {BIT[LineState.AWAITING_PAYMENT]}) <> 0 AND o.payment_method = '{PaymentMethod.BANK_TRANSFER}'
AND o.due_amount > o.paid_amount
AND (o.paid_amount = 0 OR NOT EXISTS (SELECT 1 FROM payments_refund r WHERE r.order_id = o.id AND r.entry_id IS NULL
     AND r.state IN ({_REFUNDING})))
AND (o.due_amount - o.paid_amount = ANY(%(amounts)s::bigint[]) OR o.depositor_name = ANY(%(names)s::text[])
     OR o.buyer_name = ANY(%(names)s::text[]) OR right(o.number, 5) = ANY(%(tails)s::text[])
     OR {NOT_PLAIN.format(name="o.depositor_name")}
     OR {NOT_PLAIN.format(name="o.buyer_name")})
ORDER BY o.ordered_at, o.id
"""
_CANCELED = f"""
SELECT {_COLUMNS.format(amount="o.due_amount - o.paid_amount")} FROM orders_order o
WHERE (o.steps & {ENDED_BITS}) <> 0 AND (o.steps & {sum(BIT[stage] for stage in ENDED)}) <> 0
AND o.stage IN ({", ".join(f"'{stage}'" for stage in sorted(ENDED))})
AND o.payment_method = '{PaymentMethod.BANK_TRANSFER}' AND o.ordered_at >= %(from)s
AND o.due_amount - o.paid_amount = ANY(%(amounts)s::bigint[]) ORDER BY o.ordered_at, o.id
"""
# By hand, or because a service that watches the account said so without showing the row.
_CONFIRMED = f"""
SELECT {_COLUMNS.format(amount="c.total")} FROM (
  SELECT p.order_id, sum(e.amount) AS total FROM payments_ledgerentry e JOIN payments_payment p ON p.id = e.payment_id
  WHERE p.method = '{PaymentMethod.BANK_TRANSFER}' AND e.kind IN ('MANUAL', 'MANUAL_REVERSAL') AND e.payment_id IN (
    SELECT payment_id FROM payments_ledgerentry
    WHERE kind = 'MANUAL' AND amount = ANY(%(amounts)s::bigint[]) AND at >= %(from)s)
  GROUP BY p.order_id
  UNION ALL
  SELECT p.order_id, a.amount FROM payments_bankdeposit d JOIN payments_depositallocation a ON a.deposit_id = d.id
  JOIN payments_payment p ON p.id = a.payment_id
  WHERE d.source = 'FEED' AND d.balance IS NULL AND a.voided_at IS NULL AND d.amount = ANY(%(amounts)s::bigint[])
  AND d.at >= %(from)s AND d.id <> ALL(%(mine)s::bigint[])
) c JOIN orders_order o ON o.id = c.order_id WHERE c.total > 0 AND o.paid_amount > 0 ORDER BY o.ordered_at, o.id
"""

# A row without a time or a balance may be the money that another file tells with them; nobody but a person knows.
_TOLD = f"""
SELECT v.id FROM payments_bankdeposit v WHERE v.id = ANY(%(mine)s::bigint[]) AND v.source = 'FILE' AND EXISTS (
  SELECT 1 FROM payments_bankdeposit d WHERE d.account_id = v.account_id AND d.amount = v.amount AND d.id < v.id
  AND d.source = 'FILE' AND d.batch_id IS DISTINCT FROM v.batch_id AND d.name_key = v.name_key
  AND {SAME_DAY} AND (d.balance IS NULL OR v.balance IS NULL)
  AND (date_trunc('minute', d.at) = date_trunc('minute', v.at) OR {NO_TIME}))
"""


def rows_of(deposits: Sequence[BankDeposit]) -> list[Row]:
    """입금들 as they are compared; a query more where whole order numbers stand in them."""
    told = {one.pk: order_numbers(one.depositor, one.memo) for one in deposits}
    wanted = {f"{digits[:8]}-{digits[8:]}" for numbers in told.values() for digits in numbers}
    found = Order.objects.filter(AmongTexts("number", wanted)).values_list("number", flat=True) if wanted else ()
    known = frozenset(number.replace("-", "") for number in found)
    return [
        Row(
            one.pk,
            one.at,
            one.amount,
            one.name_key,
            digit_runs(one.depositor, one.memo),
            known.intersection(told[one.pk]),
        )
        for one in deposits
    ]


def pool_of(rows: Sequence[Row]) -> Book:
    """후보 주문: open ones whole, canceled and confirmed ones with an amount of the deposits."""
    if not rows:
        return Book()
    first = min(row.at for row in rows)
    facts: dict[str, Any] = {
        # As numbers of another width, or without a type, they would be compared one by one instead of by a hash.
        "amounts": id_array({row.amount for row in rows}),
        "names": text_array({row.name for row in rows if row.name}),
        "tails": text_array({run[-5:] for row in rows for run in row.runs}),
        "mine": id_array(row.id for row in rows),
    }
    # Open ones first: an order that ends in between is then seen twice, and looked at again, but never missed.
    book = Book.of(rows, _orders(_OPEN, facts, Standing.OPEN))
    for order in _orders(_CONFIRMED, facts | {"from": first - CONFIRMED_FOR}, Standing.CONFIRMED):
        book.add(order)
    for order in _orders(_CANCELED, facts | {"from": first - CANCELED_FOR}, Standing.CANCELED):
        book.add(order)
    with connection.cursor() as cursor:
        cursor.execute(_TOLD, facts)
        book.told = {pk for (pk,) in cursor.fetchall()}
    return book


def _orders(sql: str, facts: dict[str, Any], standing: Standing) -> Iterable[Wanted]:
    with connection.cursor() as cursor:
        cursor.execute(sql, facts)
        rows: list[tuple[int, str, int, str, str, str, datetime, datetime | None]] = cursor.fetchall()
    for pk, number, amount, depositor, buyer, phone, ordered_at, deposit_by in rows:
        yield Wanted(
            pk, number.replace("-", ""), int(amount), _key(depositor), ordered_at, deposit_by, _key(buyer), phone,
            standing,
        )  # fmt: skip
