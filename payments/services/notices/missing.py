"""PG가 모르는 알림: its PG has told us of a payment, provably, and answers that it does not know it.

The answer may be too early, or our question wrong: the notice is tried again like after any failure, and money that it
tells is shown to a person meanwhile. Source: payments.md 5.1 (rule 6), 5.7.
"""

from collections.abc import Iterable
from datetime import datetime

from orders.services.locking import locked_orders
from payments.models import MoneyProblem, Payment, PgNotice
from payments.services.ledger import problems
from payments.services.ledger.booking import payments_of
from payments.services.notices.unknown import MONEY_IN, TRIES
from payments.services.snapshots.applying import Applied
from payments.states import NoticeState, ProblemKind

REASON = "not_at_pg"
UNPROVEN = Applied(NoticeState.REJECTED, REASON)
AGAIN = Applied(NoticeState.RETRY, REASON)
TOLD = "PG가 입금을 알렸지만 조회하면 모르는 결제라고 답합니다. PG 관리자 화면에서 입금을 확인하세요."


def judge(notice: PgNotice, payment: Payment | None, *, at: datetime) -> Applied:
    """판정: anybody can send what nothing proves; what the PG itself has told is not dropped."""
    if not notice.is_proven:
        return UNPROVEN
    if notice.kind in MONEY_IN and notice.attempts > TRIES and payment is not None:
        _open(notice, payment, at=at)
    return AGAIN


def _open(notice: PgNotice, payment: Payment, *, at: datetime) -> None:
    """A case, once; one that a person has closed stays closed."""
    kind = ProblemKind.MISMATCH_WITH_PG
    with locked_orders([payment.order_id], skip_locked=True) as (orders, _):
        for one in payments_of(orders).values():
            if one.pk == payment.pk and not MoneyProblem.objects.filter(payment=one, kind=kind, detail=TOLD).exists():
                problems.open_for(one, kind, amount=notice.amount or one.amount, at=at, detail=TOLD)


def found(notices: Iterable[PgNotice], *, payment_ids: Iterable[int], at: datetime) -> None:
    """PG가 보여 줌: the cases of these payments are over, if any notice was tried again for such an answer."""
    if any(one.reason == REASON for one in notices):
        MoneyProblem.objects.filter(payment__in=list(payment_ids), detail=TOLD).fit(at=at)
