"""What must be true of money (reliability.md 5.3)."""

from collections.abc import Iterable

from django.db import connection

from core.invariants import Violation, invariant

MOST = 20

_BALANCES = f"""
SELECT p.id, p.balance, COALESCE(e.total, 0), p.state, p.amount FROM payments_payment p
LEFT JOIN (SELECT payment_id, sum(amount) AS total FROM payments_ledgerentry GROUP BY payment_id) e
       ON e.payment_id = p.id
WHERE p.balance <> COALESCE(e.total, 0)
   OR (p.state = 'PAID' AND p.balance <> p.amount) OR (p.state = 'PENDING' AND p.balance <> 0)
LIMIT {MOST}
"""
_ORDERS = f"""
SELECT o.number, o.paid_amount, COALESCE(p.total, 0) FROM orders_order o
LEFT JOIN (SELECT order_id, sum(balance) AS total FROM payments_payment GROUP BY order_id) p ON p.order_id = o.id
WHERE o.paid_amount <> COALESCE(p.total, 0)
LIMIT {MOST}
"""


@invariant("INV-03", "A balance is the sum of its ledger rows; what an order calls paid is the sum of its balances.")
def check_ledger() -> Iterable[Violation]:
    """원장 검사: payments against ledger rows, orders against payments."""
    with connection.cursor() as cursor:
        cursor.execute(_BALANCES)
        for pk, balance, total, state, amount in cursor.fetchall():
            yield Violation("INV-03", f"payment {pk}", f"{state} {balance} of {amount}, ledger says {total}")
        cursor.execute(_ORDERS)
        for number, paid, total in cursor.fetchall():
            yield Violation("INV-03", str(number), f"paid {paid}, payments say {total}")


_REFUNDS = f"""
SELECT r.id, r.state, r.amount, e.kind, e.amount FROM payments_refund r
LEFT JOIN payments_ledgerentry e ON e.id = r.entry_id
WHERE r.state IN ('ACCEPTED', 'COMPLETED')
  AND (e.id IS NULL OR e.payment_id <> r.payment_id OR e.amount <> -r.amount OR e.kind NOT IN ('REFUND', 'PAID_OUT'))
LIMIT {MOST}
"""
_UNEXPLAINED = f"""
SELECT e.id, e.amount FROM payments_ledgerentry e
WHERE e.kind = 'PAID_OUT' AND NOT EXISTS (SELECT 1 FROM payments_refund r WHERE r.entry_id = e.id)
LIMIT {MOST}
"""
_ALONE = f"""
SELECT id, amount FROM payments_refund
WHERE needs_second AND state IN ('APPROVED', 'SENDING', 'UNKNOWN', 'ACCEPTED', 'COMPLETED')
  AND (approved_by_id IS NULL OR approved_by_id = requested_by_id)
LIMIT {MOST}
"""


@invariant("INV-03", "A refund that is done is one ledger row of its sum; money that staff sent has its refund.")
def check_refunds() -> Iterable[Violation]:
    """환불 검사: done refunds against their ledger rows, transfers by hand against refunds."""
    with connection.cursor() as cursor:
        cursor.execute(_REFUNDS)
        for pk, state, amount, kind, booked in cursor.fetchall():
            yield Violation("INV-03", f"refund {pk}", f"{state} of {amount}, ledger says {kind} {booked}")
        cursor.execute(_UNEXPLAINED)
        for pk, amount in cursor.fetchall():
            yield Violation("INV-03", f"ledger row {pk}", f"{amount} sent by staff without a refund")


@invariant("INV-16", "A refund that needs two people was approved by another one than asked for it.")
def check_two_people() -> Iterable[Violation]:
    """두 사람 검사."""
    with connection.cursor() as cursor:
        cursor.execute(_ALONE)
        for pk, amount in cursor.fetchall():
            yield Violation("INV-16", f"refund {pk}", f"{amount} approved by who asked for it, or by nobody")
