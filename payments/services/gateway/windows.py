"""결제창 가상계좌: the buyer opens it in the PG's own window, because there is no call to open one (payments.md 2.4).

The storefront names the payment; bank, number, holder and deadline are those of the PG's answer and nobody else's. The
same answer is applied, so that money which was faster than the order is credited with it. Source: payments.md 5.1, 5.5.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime

from core import drains
from orders.models import Order
from orders.services.locking import locked_orders
from payments.adapters.base import NotAtPg, PgProblem, Snapshot, Unavailable
from payments.models import Payment, PgAccount, VirtualAccount
from payments.models.virtual import account_due
from payments.services.ledger import problems, references
from payments.services.ledger.booking import payments_of
from payments.services.ledger.references import PgPaid
from payments.services.notices.draining import apply_each
from payments.services.notices.fetching import fetch
from payments.services.pg_accounts import Timeout
from payments.services.snapshots.applying import CHEQUE, Fetched
from payments.states import ENDED, NoticeState, ProblemKind

log = logging.getLogger("payments.windows")

UNKNOWN_TRIES = 4
"""A PG that still does not know the number of the payment then, after a minute and a half: a person looks."""
NOT_OPENED = "고객이 결제창에서 가상계좌를 아직 열지 않았습니다. 열면 저절로 확인합니다."
DIFFERS = "PG의 금액이나 통화, 주문번호가 우리 주문과 달라 가상계좌를 쓰지 않습니다. 미확인·예외 입금에서 확인하세요."
BUSY = "PG의 답을 아직 반영하지 못했습니다. 저절로 다시 확인합니다."


class Different(PgProblem):
    """다른 결제: the PG knows another payment under this reference; a case tells a person."""


def await_account(*, order: Order, account: PgAccount, paid: PgPaid, at: datetime, try_at: datetime) -> None:
    """결제창 가상계좌 기다리기: the new order's payment belongs to this account and reference; asked about at `try_at`.

    Runs in the transaction that made the order. Raises Conflict where another order was paid under the reference.
    """
    payment = references.name(order=order, account=account, paid=paid, at=at)
    VirtualAccount.objects.create(
        payment=payment, is_from_window=True, due_at=account_due(order, at=at), next_try_at=try_at
    )


def look(virtual: VirtualAccount, *, at: datetime, timeout: Timeout) -> Snapshot:
    """PG에 확인: what the PG says of the account, its money applied; outside any transaction. Raises PgProblem."""
    return learn(virtual, ask([virtual], timeout=timeout)[virtual.pk], at=at)


def ask(virtuals: Sequence[VirtualAccount], *, timeout: Timeout) -> Mapping[int, Fetched | PgProblem]:
    """PG 조회 of several, at once and outside any transaction; by payment id."""
    return fetch([one.payment for one in virtuals], timeout=timeout)


def learn(virtual: VirtualAccount, answer: Fetched | PgProblem, *, at: datetime) -> Snapshot:
    """조회 반영: what the PG says, its money and its account applied (snapshots/learning.py). Raises PgProblem."""
    if isinstance(answer, NotAtPg):
        raise _missing(virtual, at=at) from answer
    if not isinstance(answer, Fetched):
        raise answer
    verdict = apply_each([answer], at=at)[virtual.pk]
    if verdict.state == NoticeState.RETRY:
        raise Unavailable(f"the answer waits: {verdict.reason}", message=BUSY)
    if verdict.state == NoticeState.PARKED and verdict != CHEQUE:
        raise Different(verdict.reason, message=DIFFERS)
    return answer.snapshot


def _missing(virtual: VirtualAccount, *, at: datetime) -> PgProblem:
    """A number that the storefront named and the PG does not know is a case, once; else the buyer takes his time."""
    if not virtual.is_from_window or not virtual.payment.payment_ref:
        return Unavailable("the buyer has not opened an account yet", message=NOT_OPENED)
    if virtual.attempts >= UNKNOWN_TRIES:
        _open(virtual, at=at)
    return Unavailable("the PG does not know the account that was named", message=problems.UNKNOWN)


def _open(virtual: VirtualAccount, *, at: datetime) -> None:
    kind = ProblemKind.MISMATCH_WITH_PG
    with locked_orders([virtual.payment.order_id], skip_locked=True) as (orders, _):
        for payment in payments_of(orders).values():
            is_unseen = not payment.balance and payment.synced_at is None and payment.order.stage not in ENDED
            if payment.pk == virtual.pk and is_unseen:
                problems.open_once(payment, kind, amount=payment.amount, at=at, detail=problems.UNKNOWN)


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
