"""PG가 모르는 알림: what a PG has told us, provably, its own answer to our question does not show.

Where it knows no such payment, the answer may be too early or our question wrong: the notice is tried again like after
any failure, and money that it tells is shown to a person meanwhile. Money of another payment under our order reference
is shown to a person at once. Source: payments.md 5.1 (rule 6), 5.7.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from orders.services.locking import locked_orders
from payments.adapters.base import Snapshot
from payments.models import MoneyProblem, Payment, PgNotice
from payments.services.ledger import problems
from payments.services.ledger.booking import payments_of
from payments.services.notices.unknown import MONEY_IN, TRIES
from payments.services.pg_accounts import pg_of
from payments.services.snapshots.applying import BUSY, Applied
from payments.states import NoticeState, ProblemKind

REASON = "not_at_pg"
UNPROVEN = Applied(NoticeState.REJECTED, REASON)
AGAIN = Applied(NoticeState.RETRY, REASON)
SHOWN = Applied(NoticeState.PARKED, "mismatch_with_pg")
TOLD = "PG가 입금을 알렸지만 조회하면 모르는 결제라고 답합니다. PG 관리자 화면에서 입금을 확인하세요."
OTHER = "PG가 같은 주문번호의 다른 거래에 입금됐다고 알렸습니다: {number}. PG 관리자 화면에서 입금을 확인하세요."


def judge(notice: PgNotice, payment: Payment | None, *, at: datetime) -> Applied:
    """판정: anybody can send what nothing proves; what the PG itself has told is not dropped."""
    if not notice.is_proven:
        return UNPROVEN
    if notice.kind in MONEY_IN and notice.attempts > TRIES and payment is not None:
        _open(notice, payment, TOLD, at=at)
    return AGAIN


def of_another(
    notices: Sequence[PgNotice], snapshot: Snapshot, payment: Payment | None, *, at: datetime
) -> dict[int, Applied]:
    """다른 거래의 입금 by notice id: the buyer may have opened two accounts for an order; we follow one of them."""
    known = {"", snapshot.payment_ref, *(one.reference for one in snapshot.deposits)}
    mine = [one for one in notices if one.is_proven and one.kind in MONEY_IN and one.payment_ref not in known]
    if payment is None or payment.account is None or not pg_of(payment.account).capabilities.shares_references:
        return {}
    return {one.pk: SHOWN if _open(one, payment, OTHER.format(number=one.payment_ref), at=at) else BUSY for one in mine}


def _open(notice: PgNotice, payment: Payment, detail: str, *, at: datetime) -> bool:
    """A case, once; one that a person has closed stays closed. False while somebody holds the order."""
    kind = ProblemKind.MISMATCH_WITH_PG
    with locked_orders([payment.order_id], skip_locked=True) as (orders, _):
        for one in payments_of(orders).values():
            if one.pk == payment.pk and not MoneyProblem.objects.filter(payment=one, kind=kind, detail=detail).exists():
                problems.open_for(one, kind, amount=notice.amount or one.amount, at=at, detail=detail)
    return bool(orders)


def found(notices: Iterable[PgNotice], *, payment_ids: Iterable[int], at: datetime) -> None:
    """PG가 보여 줌: the cases of these payments are over, if any notice was tried again for such an answer."""
    if any(one.reason == REASON for one in notices):
        MoneyProblem.objects.filter(payment__in=list(payment_ids), detail=TOLD).fit(at=at)
