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
