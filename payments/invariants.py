"""What must be true of money (reliability.md 5.3)."""

from collections.abc import Iterable

from django.db import connection

from core.invariants import Violation, invariant
from payments.states import ENDED, PAID_BACK, REFUND_OPEN, RefundState

MOST = 20
SURE = 95
"""Score of the amount with the name, or with the order number (domain.md 1.2)."""


def _texts(codes: Iterable[str]) -> str:
    return ", ".join(f"'{code}'" for code in sorted(codes))


_BALANCES = f"""
SELECT p.id, p.balance, COALESCE(e.total, 0), p.state, p.amount, p.refunded, COALESCE(e.back, 0), p.forgiven,
       COALESCE(e.never_came, 0)
FROM payments_payment p
LEFT JOIN (SELECT payment_id, sum(amount) AS total,
           -sum(amount) FILTER (WHERE kind IN ({_texts(PAID_BACK)})) AS back,
           sum(amount) FILTER (WHERE kind = 'SHORTFALL') AS never_came
           FROM payments_ledgerentry GROUP BY payment_id) e ON e.payment_id = p.id
WHERE p.balance <> COALESCE(e.total, 0) OR p.refunded <> COALESCE(e.back, 0)
   OR p.forgiven <> COALESCE(e.never_came, 0)
   OR (p.state = 'PAID' AND p.balance <> p.amount)
   OR (p.state IN ('PENDING', 'REFUNDED') AND (p.balance <> 0 OR (p.state = 'REFUNDED') <> (p.refunded > 0)))
   OR (p.state = 'PART_REFUNDED' AND (p.refunded = 0 OR p.balance NOT BETWEEN 1 AND p.amount - 1))
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
        for pk, balance, total, state, amount, refunded, back, forgiven, never_came in cursor.fetchall():
            text = f"{state} {balance} of {amount}, refunded {refunded}, ledger says {total} and {back}"
            text += f", forgiven {forgiven} of {never_came}" if forgiven != never_came else ""
            yield Violation("INV-03", f"payment {pk}", text)
        cursor.execute(_ORDERS)
        for number, paid, total in cursor.fetchall():
            yield Violation("INV-03", str(number), f"paid {paid}, payments say {total}")


_REFUNDS = f"""
SELECT r.id, r.state, r.amount, e.kind, e.amount FROM payments_refund r
LEFT JOIN payments_ledgerentry e ON e.id = r.entry_id
WHERE r.state IN ('ACCEPTED', 'COMPLETED') AND r.deposit_id IS NULL
  AND (e.id IS NULL OR e.payment_id <> r.payment_id OR e.amount <> -r.amount OR e.kind NOT IN ('REFUND', 'PAID_OUT'))
LIMIT {MOST}
"""
_RETURNS = f"""
SELECT d.id, d.state, d.amount, r.state, r.amount FROM payments_bankdeposit d
FULL JOIN (SELECT * FROM payments_refund WHERE deposit_id IS NOT NULL AND state <> 'WITHDRAWN') r ON r.deposit_id = d.id
WHERE (d.state IN ('RETURNING', 'REFUNDED') OR r.id IS NOT NULL)
  AND (r.id IS NULL OR r.amount <> d.amount
       OR d.state <> CASE WHEN r.state = 'COMPLETED' THEN 'REFUNDED' ELSE 'RETURNING' END)
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
        cursor.execute(_RETURNS)
        for pk, state, amount, refund, sent in cursor.fetchall():
            yield Violation("INV-03", f"deposit {pk}", f"{state} {amount}, its return is {refund} {sent}")
        cursor.execute(_UNEXPLAINED)
        for pk, amount in cursor.fetchall():
            yield Violation("INV-03", f"ledger row {pk}", f"{amount} sent by staff without a refund")


_OVERDRAWN = f"""
SELECT payment_id, sum(amount) FILTER (WHERE kind IN ({_texts(PAID_BACK)})),
       sum(amount) FILTER (WHERE kind NOT IN ({_texts([*PAID_BACK, "SHORTFALL"])}))
FROM payments_ledgerentry
WHERE payment_id IN (SELECT payment_id FROM payments_ledgerentry WHERE kind IN ({_texts(PAID_BACK)}))
GROUP BY payment_id HAVING sum(amount) FILTER (WHERE kind <> 'SHORTFALL') < 0
LIMIT {MOST}
"""
# What stood is all that was booked before the deposits that a booking by hand gave way to.
_SWALLOWED = f"""
SELECT r.id, -r.amount, s.stood FROM payments_ledgerentry r CROSS JOIN LATERAL (
    SELECT COALESCE(sum(e.amount), 0) AS stood FROM payments_ledgerentry e
    WHERE e.payment_id = r.payment_id AND e.kind <> 'SHORTFALL' AND e.id <= (
        SELECT max(o.id) FROM payments_ledgerentry o
        WHERE o.payment_id = r.payment_id AND o.id < r.id AND o.kind NOT IN ('DEPOSIT', 'SHORTFALL'))) s
WHERE r.kind = 'MANUAL_REVERSAL' AND -r.amount > s.stood
LIMIT {MOST}
"""


@invariant("INV-03", "No more goes back than came, and a deposit takes the place only of a booking that still stood.")
def check_what_came() -> Iterable[Violation]:
    """들어온 돈 검사: what was forgiven is not among it."""
    with connection.cursor() as cursor:
        cursor.execute(_OVERDRAWN)
        for pk, back, came in cursor.fetchall():
            yield Violation("INV-03", f"payment {pk}", f"{-back} went back of {came or 0} that came")
        cursor.execute(_SWALLOWED)
        for pk, taken, stood in cursor.fetchall():
            yield Violation("INV-03", f"ledger row {pk}", f"{taken} booked by hand are taken back, {stood} stood")


# Whatever its PG will do is compared with what that holds before it is sent.
_UNCOVERED = f"""
SELECT p.id, p.balance - p.forgiven, sum(r.amount) FROM payments_payment p
JOIN payments_refund r ON r.payment_id = p.id
     AND r.state IN ({_texts(state for state in REFUND_OPEN if state != RefundState.HELD)}) AND r.entry_id IS NULL
GROUP BY p.id HAVING sum(r.amount) > p.balance - p.forgiven
       AND bool_or(r.state = 'DRAFT' OR r.state = 'APPROVED' AND r.way <> 'PG')
LIMIT {MOST}
"""


@invariant("INV-03", "Refunds that may still go out take no more than came and stands.")
def check_covered() -> Iterable[Violation]:
    """환불할 돈 검사: open refunds against what can be paid back."""
    with connection.cursor() as cursor:
        cursor.execute(_UNCOVERED)
        for pk, held, asked in cursor.fetchall():
            yield Violation("INV-03", f"payment {pk}", f"{asked} are to go back of {held} that stand")


_FORGOTTEN = f"""
SELECT o.number, o.paid_amount FROM orders_order o
JOIN LATERAL (SELECT max(e.at) AS at FROM payments_ledgerentry e JOIN payments_payment p ON p.id = e.payment_id
              WHERE p.order_id = o.id AND e.amount > 0) came ON true
WHERE o.stage IN ({_texts(ENDED)}) AND o.paid_amount > 0
  AND NOT EXISTS (SELECT 1 FROM payments_moneyproblem m WHERE m.order_id = o.id
                  AND (m.resolved_at IS NULL OR m.resolved_by_id IS NOT NULL AND m.resolved_at >= came.at))
  AND NOT EXISTS (SELECT 1 FROM payments_refund r WHERE r.order_id = o.id
                  AND r.state IN ({_texts([*REFUND_OPEN, RefundState.FAILED])}))
  AND NOT EXISTS (SELECT 1 FROM orders_orderevent v JOIN payments_refund r ON r.id = v.subject_id
                  WHERE v.order_id = o.id AND v.kind = 'refund.withdrawn' AND v.actor_id IS NOT NULL AND v.at >= came.at
                  AND r.requested_by_id IS NOT NULL)
LIMIT {MOST}
"""


@invariant("INV-03", "Money of a canceled order waits for a person, is on its way back, or somebody has decided.")
def check_ended() -> Iterable[Violation]:
    """취소 주문 검사: no won of an order that has ended lies about."""
    with connection.cursor() as cursor:
        cursor.execute(_FORGOTTEN)
        for number, paid in cursor.fetchall():
            yield Violation("INV-03", str(number), f"holds {paid} after its end and nobody is asked")


@invariant("INV-16", "A refund that needs two people was approved by another one than asked for it.")
def check_two_people() -> Iterable[Violation]:
    """두 사람 검사."""
    with connection.cursor() as cursor:
        cursor.execute(_ALONE)
        for pk, amount in cursor.fetchall():
            yield Violation("INV-16", f"refund {pk}", f"{amount} approved by who asked for it, or by nobody")


_DRAFTS = f"""
SELECT r.id, r.amount, m.resolution, o.stage FROM payments_refund r
JOIN payments_moneyproblem m ON m.id = r.problem_id JOIN orders_order o ON o.id = r.order_id
WHERE r.requested_by_id IS NULL AND r.state IN ('DRAFT', 'HELD')
  AND (m.resolved_at IS NOT NULL OR o.stage NOT IN ({_texts(ENDED)}))
LIMIT {MOST}
"""


@invariant("INV-03", "A refund that was prepared for late money lives no longer than its case.")
def check_drafts() -> Iterable[Violation]:
    """환불 초안 검사: drafts that nobody asked for against their exceptional money and its order."""
    with connection.cursor() as cursor:
        cursor.execute(_DRAFTS)
        for pk, amount, resolution, stage in cursor.fetchall():
            yield Violation("INV-03", f"refund {pk}", f"draft of {amount}, its case is {resolution or 'open'}, {stage}")


_DEPOSITS = f"""
SELECT d.id, d.state, d.amount, d.allocated_amount, COALESCE(a.total, 0) FROM payments_bankdeposit d
LEFT JOIN (SELECT deposit_id, sum(amount) AS total FROM payments_depositallocation WHERE voided_at IS NULL
           GROUP BY deposit_id) a ON a.deposit_id = d.id
WHERE d.allocated_amount <> COALESCE(a.total, 0)
   OR (d.state IN ('MATCHED', 'ALLOCATED')) <> (d.allocated_amount = d.amount)
   OR (d.state NOT IN ('MATCHED', 'ALLOCATED') AND d.allocated_amount <> 0)
LIMIT {MOST}
"""
_ALLOCATIONS = f"""
SELECT a.id, a.amount, COALESCE(e.total, 0), a.voided_at FROM payments_depositallocation a
LEFT JOIN (SELECT payment_id, reference, sum(amount) AS total FROM payments_ledgerentry
           WHERE kind IN ('DEPOSIT', 'REVERSAL') AND reference LIKE 'bank-%' GROUP BY payment_id, reference) e
       ON e.payment_id = a.payment_id AND e.reference = a.reference
WHERE COALESCE(e.total, 0) <> CASE WHEN a.voided_at IS NULL THEN a.amount ELSE 0 END
LIMIT {MOST}
"""


@invariant("INV-03", "A bank deposit is connected whole or not at all, and every connection is in the ledger once.")
def check_deposits() -> Iterable[Violation]:
    """입금 연결 검사: deposits against their connections, connections against ledger rows."""
    with connection.cursor() as cursor:
        cursor.execute(_DEPOSITS)
        for pk, state, amount, stored, total in cursor.fetchall():
            yield Violation("INV-03", f"deposit {pk}", f"{state} {stored} of {amount}, connections say {total}")
        cursor.execute(_ALLOCATIONS)
        for pk, amount, total, voided in cursor.fetchall():
            yield Violation("INV-03", f"allocation {pk}", f"{amount}, voided {voided}, ledger says {total}")


_LEFT = f"""
SELECT id, state, reason, due_at FROM payments_pgnotice
WHERE (state IN ('RECEIVED', 'RETRY')) <> (finished_at IS NULL)
   OR (state IN ('RECEIVED', 'RETRY') AND due_at < now() - interval '10 minutes')
LIMIT {MOST}
"""
_UNREAD = f"""
SELECT id, at FROM payments_pgrequest WHERE status IS NULL AND at < now() - interval '10 minutes' LIMIT {MOST}
"""


@invariant("INV-10", "Every request of a PG is read, and every notice has its end or its next try, within ten minutes.")
def check_notices() -> Iterable[Violation]:
    """알림 검사: nothing that a PG told us lies about."""
    with connection.cursor() as cursor:
        cursor.execute(_LEFT)
        for pk, state, reason, due in cursor.fetchall():
            yield Violation("INV-10", f"notice {pk}", f"{state} {reason}, due {due:%Y-%m-%d %H:%M}")
        cursor.execute(_UNREAD)
        for pk, at in cursor.fetchall():
            yield Violation("INV-10", f"request {pk}", f"not read since {at:%Y-%m-%d %H:%M}")


_UNASKED = f"""
SELECT payment_id, next_try_at FROM payments_cardcheck WHERE next_try_at < now() - interval '10 minutes' LIMIT {MOST}
"""


@invariant("INV-10", "A card payment that waits for its PG is asked about when its time has come.")
def check_cards() -> Iterable[Violation]:
    """카드 결제 확인 검사."""
    with connection.cursor() as cursor:
        cursor.execute(_UNASKED)
        for pk, due in cursor.fetchall():
            yield Violation("INV-10", f"card payment {pk}", f"to be asked about since {due:%Y-%m-%d %H:%M}")


_CANCELED_PAID = f"""
SELECT l.number, l.canceled_at, e.won FROM orders_orderline l
JOIN LATERAL (SELECT sum(e.amount) AS won FROM payments_ledgerentry e JOIN payments_payment p ON p.id = e.payment_id
              WHERE p.order_id = l.order_id AND e.at <= l.canceled_at) e ON e.won > 0
WHERE l.state = 'CANCELED_UNPAID' AND l.canceled_by = 'DEADLINE'
LIMIT {MOST}
"""


# Their news had come before the end, whenever they were booked; each is wanted by the order or was given to it.
_CANCELED_BESIDE = f"""
SELECT DISTINCT l.number, l.canceled_at, d.amount FROM orders_orderline l
JOIN orders_order o ON o.id = l.order_id
JOIN payments_bankdeposit d ON d.at <= o.deposit_by AND d.created_at <= l.canceled_at AND d.amount = o.due_amount
WHERE l.state = 'CANCELED_UNPAID' AND l.canceled_by = 'DEADLINE' AND (
  EXISTS (SELECT 1 FROM payments_depositallocation a JOIN payments_payment p ON p.id = a.payment_id
          WHERE a.deposit_id = d.id AND a.voided_at IS NULL AND p.order_id = o.id)
  OR (d.state = 'QUEUED' AND d.reason = 'LATE_AFTER_CANCEL' AND EXISTS (
      SELECT 1 FROM payments_depositcandidate c WHERE c.deposit_id = d.id AND c.order_id = o.id
      AND c.score >= {SURE})))
LIMIT {MOST}
"""


@invariant(
    "INV-17", "No order was canceled by its deadline beside a deposit of its sum that we had and that was in time."
)
def check_deposits_in_time() -> Iterable[Violation]:
    """자동취소와 입금일시: canceled lines against the time of the bank's rows, not of their booking."""
    with connection.cursor() as cursor:
        cursor.execute(_CANCELED_BESIDE)
        for number, at, won in cursor.fetchall():
            yield Violation("INV-17", str(number), f"canceled {at:%Y-%m-%d %H:%M}, {won} won were there in time")


@invariant("INV-17", "No order was canceled by its deadline while the ledger held money for it.")
def check_deadline() -> Iterable[Violation]:
    """자동취소 검사: canceled lines against the ledger of that moment."""
    with connection.cursor() as cursor:
        cursor.execute(_CANCELED_PAID)
        for number, at, won in cursor.fetchall():
            yield Violation("INV-17", str(number), f"canceled {at:%Y-%m-%d %H:%M} with {won} won in the ledger")
