"""결제창 가상계좌: the buyer opens it in the PG's own window, because there is no call to open one (payments.md 2.4).

The storefront names the payment; bank, number, holder and deadline are those of the PG's answer and nobody else's. The
same answer is applied, so that money which was faster than the order is credited with it. Source: payments.md 5.1, 5.5.
"""

import logging
from datetime import datetime, timedelta

from core import drains
from orders.deadlines import take_deposit_by
from orders.models import Order
from orders.services.locking import locked_orders
from orders.states import LineState
from payments.adapters.base import NotAtPg, PgProblem, Snapshot, Unavailable
from payments.models import MoneyProblem, Payment, PgAccount, VirtualAccount
from payments.services.ledger import problems, references
from payments.services.ledger.booking import payments_of
from payments.services.ledger.references import PgPaid
from payments.services.notices.draining import apply_each, fetch
from payments.services.pg_accounts import Timeout
from payments.services.snapshots.applying import CHEQUE, Fetched
from payments.states import NoticeState, ProblemKind

log = logging.getLogger("payments.windows")

UNKNOWN_TRIES = 4
"""A PG that still does not know the number of the payment then, after a minute and a half: a person looks."""
NOT_OPENED = "고객이 결제창에서 가상계좌를 아직 열지 않았습니다. 열면 저절로 확인합니다."
UNKNOWN = "자사몰이 알린 가상계좌를 PG가 모릅니다. PG 관리자 화면에서 거래번호를 확인하세요."
DIFFERS = "PG의 금액이나 주문번호가 우리 주문과 달라 가상계좌를 쓰지 않습니다. 미확인·예외 입금에서 확인하세요."
BUSY = "PG의 답을 아직 반영하지 못했습니다. 저절로 다시 확인합니다."


class Different(PgProblem):
    """다른 결제: the PG knows another payment under this reference; a case tells a person."""


def await_account(*, order: Order, account: PgAccount, paid: PgPaid, at: datetime, try_at: datetime) -> None:
    """결제창 가상계좌 기다리기: the new order's payment belongs to this account and reference; asked about at `try_at`.

    Runs in the transaction that made the order. Raises Conflict where another order was paid under the reference.
    """
    payment = references.name(order=order, account=account, paid=paid, at=at)
    VirtualAccount.objects.create(
        payment=payment, is_from_window=True, due_at=order.deposit_by or at + timedelta(days=7), next_try_at=try_at
    )


def look(virtual: VirtualAccount, *, at: datetime, timeout: Timeout) -> Snapshot:
    """PG에 확인: what the PG says of the account, its money applied; outside any transaction. Raises PgProblem."""
    answer = fetch([virtual.payment], timeout=timeout)[virtual.pk]
    if isinstance(answer, NotAtPg):
        raise _missing(virtual, at=at) from answer
    if not isinstance(answer, Fetched):
        raise answer
    verdict = apply_each([answer], at=at)[virtual.pk]
    if verdict.state == NoticeState.RETRY:
        raise Unavailable(f"the answer waits: {verdict.reason}", message=BUSY)
    if verdict.state == NoticeState.PARKED and verdict != CHEQUE:
        raise Different(verdict.reason, message=DIFFERS)
    MoneyProblem.objects.filter(payment=virtual.pk, detail=UNKNOWN).fit(at=at)
    return answer.snapshot


def _missing(virtual: VirtualAccount, *, at: datetime) -> PgProblem:
    """A number that the storefront named and the PG does not know is a case, once; else the buyer takes his time."""
    if not virtual.is_from_window or not virtual.payment.payment_ref:
        return Unavailable("the buyer has not opened an account yet", message=NOT_OPENED)
    if virtual.attempts >= UNKNOWN_TRIES:
        _open(virtual, at=at)
    return Unavailable("the PG does not know the account that was named", message=UNKNOWN)


def _open(virtual: VirtualAccount, *, at: datetime) -> None:
    kind = ProblemKind.MISMATCH_WITH_PG
    with locked_orders([virtual.payment.order_id], skip_locked=True) as (orders, _):
        for payment in payments_of(orders).values():
            told = MoneyProblem.objects.filter(payment=payment, kind=kind, detail=UNKNOWN)
            if payment.pk == virtual.pk and not payment.balance and payment.synced_at is None and not told.exists():
                problems.open_for(payment, kind, amount=payment.amount, at=at, detail=UNKNOWN)


def take_deadline(order: Order, snapshot: Snapshot) -> None:
    """입금기한 of the PG: the buyer was told that one, so it is the order's too while it waits; its row is locked."""
    if snapshot.due_at is not None and order.stage == LineState.AWAITING_PAYMENT:
        take_deposit_by(order, due_at=snapshot.due_at)


def ask_again(payment: Payment, *, at: datetime, channel: str) -> bool:
    """다시 확인: an account that nobody has shown us yet is asked about again; one that was closed stays closed.

    Its reference is the storefront's: no other account can be opened under it, or under one of ours.
    """
    woken = VirtualAccount.objects.filter(payment=payment, is_from_window=True).look_again(at=at)
    if woken:
        drains.notify(channel)
    else:
        log.warning("payment %s gets no new account: its buyer opened the old one in a window of the PG", payment.pk)
    return bool(woken)
