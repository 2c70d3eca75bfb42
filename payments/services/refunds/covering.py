"""환불할 돈: what refunds are to pay back has to be there; where a bank or a PG has taken it, they are held.

Callers hold orders and payments. Source: payments.md 5.8 (open and done refunds never exceed the ledger).
"""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime

from core.events import record
from core.locks import locked
from core.models import Source
from core.state import move
from payments import events
from payments.models import Payment, Refund
from payments.services.ledger import problems
from payments.states import REFUND_OPEN, ProblemKind, RefundState, RefundWay

GONE = "환불하기로 한 돈이 나갔습니다. 환불을 철회하거나, 돈이 다시 들어온 뒤 보류를 해제하세요."
NOT_COVERED = "결제 내역에 남은 금액이 환불액보다 적어 보류를 해제할 수 없습니다."
TO_MOVE = [state for state in REFUND_OPEN if state != RefundState.HELD]
"""States from which the money of a refund goes out without anybody looking at it again."""


def uncovered(payments: Collection[Payment]) -> dict[int, int]:
    """모자라는 돈: won by payment id that refunds on their way take beyond what came and stands."""
    found = {}
    asked: dict[int, int] = defaultdict(int)
    rows = Refund.objects.filter(payment__in=payments, state__in=TO_MOVE, entry=None)
    for payment_id, amount in rows.values_list("payment_id", "amount"):
        asked[payment_id or 0] += amount
    for one in payments:
        if (more := asked[one.pk] - one.refundable) > 0:
            found[one.pk] = more
    return found


def hold(payments: Collection[Payment], *, at: datetime) -> None:
    """환불보류 of what is not covered any more, the newest first, with a case for a person.

    A refund that its PG would do is left to it: before it is sent its sum is compared with what the PG still holds.
    """
    short = uncovered(payments)
    if not short:
        return
    able = Refund.objects.filter(payment__in=short, state__in=[RefundState.DRAFT, RefundState.APPROVED], entry=None)
    by_id, stopped = {one.pk: one for one in payments}, list[Refund]()
    for refund in reversed(locked(able)):
        goes_by_itself = refund.state == RefundState.APPROVED and refund.way == RefundWay.PG
        if short[refund.payment_id] > 0 and not goes_by_itself:
            short[refund.payment_id] -= refund.amount
            refund.payment = by_id[refund.payment_id]
            stopped.append(refund)
    outcome = move(stopped, Refund.hold, at=at)
    record(outcome, events.REFUND_HELD, at=at, source=Source.PG, reason=GONE)
    for payment in {one.payment_id: one.paid for one in outcome.moved}.values():
        won = sum(one.amount for one in outcome.moved if one.payment_id == payment.pk)
        problems.open_for(payment, ProblemKind.REFUND_UNCOVERED, amount=won, at=at, detail=GONE)
