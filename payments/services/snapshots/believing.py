"""조회 없는 확인: deposits of accounts that staff have told not to ask back about, because their PG cannot be asked.

A notice is believed only when everything it says is what our own payment says: merchant, TID, order, account, amount.
Everything else waits for a person, who sees it at once. Source: payments.md 5.1 (rule 2b).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from orders.services.locking import locked_orders
from payments.adapters.base import Movement, PgState, Snapshot
from payments.models import LedgerEntry, Payment, PgNotice, VirtualAccount
from payments.services.ledger import problems
from payments.services.ledger.booking import payments_of
from payments.services.snapshots.applying import BUSY, Applied, Fetched
from payments.states import NoticeState, ProblemKind

CAN_BE_BELIEVED: Final = frozenset({"nicepay_form"})
"""PGs whose notices name all of it."""
UNBELIEVED: Final = Applied(NoticeState.PARKED, "not_comparable")
DETAIL: Final = "PG에 조회할 수 없어 알림만으로 확인하지 못했습니다: {what}. PG 관리자 화면에서 입금을 확인하세요."


def told(notice: PgNotice, payment: Payment, *, asked_at: datetime) -> Fetched | str:
    """알림대로의 결제, as an answer of the PG would show it; or what of the notice is not that of our payment.

    A payment is paid once by it: all deposits into one account have the same TID, so a second one is for a person.
    """
    virtual = VirtualAccount.objects.filter(payment=payment).first()
    fields: Mapping[str, Any] = notice.fields
    same = {
        "상점 아이디": (fields.get("MID"), notice.account.merchant_id),
        "TID": (notice.payment_ref, payment.payment_ref),
        "주문 참조": (notice.order_ref, payment.order_ref),
        "계좌번호": (fields.get("VbankNum"), virtual.number if virtual else ""),
        "금액": (notice.amount, payment.amount),
    }
    wrong = [name for name, (theirs, ours) in same.items() if not ours or theirs != ours]
    if wrong or not notice.is_proven:
        return ", ".join(wrong) or "보낸 곳"
    before = PgNotice.objects.filter(account=notice.account_id, order_ref=notice.order_ref, kind=notice.kind)
    if before.filter(pk__lt=notice.pk).exists() and LedgerEntry.objects.filter(payment=payment).exists():
        return "다른 입금 알림을 이미 반영함"
    deposit = Movement(reference=payment.payment_ref[:80], amount=payment.amount, at=notice.occurred_at)
    snapshot = Snapshot(
        order_ref=notice.order_ref,
        payment_ref=payment.payment_ref,
        state=PgState.PAID,
        amount=payment.amount,
        deposits=(deposit,),
        depositor=notice.depositor,
    )
    return Fetched(payment.pk, snapshot, asked_at)


def park(notice: PgNotice, *, order_id: int, payment_id: int, what: str, at: datetime) -> Applied:
    """확인 필요: money that a notice tells and nobody can confirm is shown to a person; nothing is booked."""
    with locked_orders([order_id], skip_locked=True) as (orders, _):
        for payment in payments_of(orders).values():
            if payment.pk == payment_id:
                won, detail = notice.amount or payment.amount, DETAIL.format(what=what)
                problems.open_for(payment, ProblemKind.MISMATCH_WITH_PG, amount=won, at=at, detail=detail)
                return UNBELIEVED
    return BUSY
