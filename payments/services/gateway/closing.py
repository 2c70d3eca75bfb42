"""가상계좌 닫기: the account of a canceled order is closed at the PG, and a revived order gets a new one.

The PG is asked outside any transaction and as often as needed; money that was faster than the closing is applied.
"""

import logging
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q

from core import drains
from core.failpoints import declare, failpoint
from orders.services.locking import locked_orders
from orders.states import LineState
from payments.adapters.base import NotAtPg, PgProblem, PgState, RefusedByPg, Unsupported
from payments.models import LedgerEntry, VirtualAccount
from payments.querysets import VirtualQuerySet
from payments.services.gateway.issuing import CHANNEL, MOST_ATTEMPTS
from payments.services.gateway.renewing import ask_anew
from payments.services.ledger.booking import OF_BANK, payments_of
from payments.services.ledger.references import ref_of
from payments.services.notices.draining import apply_each
from payments.services.notices.fetching import fetch
from payments.services.notices.questions import PATIENCE
from payments.services.pg_accounts import client_of, facts_of, note_answers, pg_of, words_of
from payments.services.snapshots.applying import Fetched
from payments.states import ENDED, FROM_PG, VirtualState

log = logging.getLogger("payments.closing")

AT_ONCE = 10
LEASE = timedelta(seconds=60)
BACK_OFF = tuple(timedelta(seconds=seconds) for seconds in (10, 60, 300, 1800, 3600))
REASON = "주문 취소"
ORDER_CANCELED = "주문이 취소됐습니다."
LOOKED_FOR = "고객이 결제창에서 연 계좌가 있는지 확인하고, 있으면 PG에서 닫습니다."
PERHAPS_OPENED = "PG가 계좌를 열었는지 확인하고, 열었으면 닫습니다."
OVER_AT_PG = frozenset({PgState.CANCELED, PgState.EXPIRED, PgState.FAILED})
CLOSED = declare("virtual_closed_before_write", "the PG has closed the account; nothing of it is written")


def ask_to_close(*, order_id: int, at: datetime, hold: timedelta = timedelta()) -> None:
    """닫기 요청: the accounts of an order that stays canceled; after `hold`, while the cancel can be undone.

    Of an order that was canceled with its refund only those are closed through which nothing ever came: its money had
    been booked by hand.
    """
    came = LedgerEntry.objects.filter(payment=OuterRef("payment"), kind__in=FROM_PG).exclude(OF_BANK)
    with locked_orders([order_id]) as (orders, _):
        canceled = [order for order in orders if order.stage in ENDED]
        unpaid = Q(payment__order__stage=LineState.CANCELED_UNPAID, payment__balance=0)
        found = VirtualAccount.objects.filter(unpaid | ~Exists(came), payment__order__in=canceled)
        # By their ids: a statement that waits for an account's row reads the state of that row anew, of no other. What
        # somebody writes just now is waited for, and read as he leaves it.
        mine = VirtualAccount.objects.filter(pk__in=list(found.values_list("pk", flat=True)))
        list(mine.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))
        ours = mine.filter(is_from_window=False)
        ours.filter(attempts=0).give_up(at=at, error=ORDER_CANCELED)
        # Who has asked for one may have died, or heard no answer: the PG is asked whether it opened one. Whoever asks
        # at this moment (he has emptied the error) keeps his claim, finds the order canceled and has it closed.
        ours.exclude(last_error="").ask_soon(at=at + hold, error=f"{ORDER_CANCELED} {PERHAPS_OPENED}")
        # The buyer may have opened one that nobody has shown us yet: it is closed as soon as the PG does.
        mine.filter(is_from_window=True).ask_soon(at=at + hold, error=f"{ORDER_CANCELED} {LOOKED_FOR}")
        mine.close_after(hold, at=at)
        drains.notify(CHANNEL)


def reopen(*, order_id: int, at: datetime) -> None:
    """다시 발급: a revived order that still wants money keeps its account, or asks for another one (T24)."""
    with locked_orders([order_id]) as (orders, lines):
        if not any(line.state == LineState.AWAITING_PAYMENT for line in lines):
            return
        for payment in payments_of(orders).values():
            if payment.order.open_amount <= 0:
                continue
            mine = VirtualAccount.objects.filter(payment=payment)
            # Who asks for one of ours just now goes on: a second asker beside him might open another.
            asked = mine.filter(Q(is_from_window=True) | ~Q(last_error="")).ask_soon(at=at)
            # One that is being closed just now is followed by a new one when it is closed.
            if mine.close_soon(at=at) or asked:
                drains.notify(CHANNEL)
            if not mine.filter(due_at__gt=at).unasked().leave_open(at=at) and mine.over().exists():
                ask_anew(payment, at=at)


def close_due(*, at: datetime) -> int:
    """닫기: tell the PGs to close the accounts that are due, outside any transaction; how many were tried."""
    claimed = _claim(at)
    for virtual in claimed:
        _close(virtual, at=at)
    return len(claimed)


def _claim(at: datetime) -> list[VirtualAccount]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "WITH due AS ("
            "  SELECT payment_id FROM payments_virtualaccount WHERE state = 'CLOSING' AND next_try_at <= %s"
            "  ORDER BY next_try_at LIMIT %s FOR UPDATE SKIP LOCKED)"
            " UPDATE payments_virtualaccount v SET next_try_at = %s, attempts = least(attempts + 1, %s)"
            " FROM due WHERE v.payment_id = due.payment_id RETURNING v.payment_id",
            [at, AT_ONCE, at + LEASE, MOST_ATTEMPTS],
        )
        ids = [pk for (pk,) in cursor.fetchall()]
    return list(VirtualAccount.objects.filter(pk__in=ids).select_related("payment__account").order_by("pk"))


def _close(virtual: VirtualAccount, *, at: datetime) -> None:
    payment = virtual.payment
    account = payment.account
    if account is None:
        raise ValueError(f"payment {payment.pk} has no PG account")
    try:
        pg_of(account).close(client_of(account), account=facts_of(account), ref=ref_of(payment), reason=REASON)
        failpoint(CLOSED)
    except Unsupported as problem:
        _row(virtual).leave_open(at=at, error=words_of(problem))
    except (RefusedByPg, NotAtPg) as problem:
        # A PG that has opened an account and does not know it has no word about its money.
        _look(virtual, problem, at=at)
    except PgProblem as problem:
        _later(virtual, problem, at=at)
    else:
        note_answers([account], at=at)
        _closed(virtual, at=at)


def _look(virtual: VirtualAccount, refusal: PgProblem, *, at: datetime) -> None:
    """The PG will not close it: money came in, or it is over already.

    PortOne and Inicis go on calling an account open whose 입금기한 has passed: nothing can come to it any more.
    """
    answer = fetch([virtual.payment], patience=PATIENCE)[virtual.pk]
    is_past = virtual.due_at <= at
    if not isinstance(answer, Fetched):
        if isinstance(answer, NotAtPg) and is_past:
            _closed(virtual, at=at)
        else:
            _later(virtual, refusal, at=at)
        return
    apply_each([answer], at=at)
    if answer.snapshot.deposits and answer.snapshot.state not in OVER_AT_PG:
        _row(virtual).leave_open(at=at, error=words_of(refusal))
    elif answer.snapshot.state in OVER_AT_PG or is_past:
        _closed(virtual, at=at)
    else:
        _later(virtual, refusal, at=at)


def _closed(virtual: VirtualAccount, *, at: datetime) -> None:
    if _row(virtual).close(at=at):
        reopen(order_id=virtual.payment.order_id, at=at)


def _later(virtual: VirtualAccount, problem: PgProblem, *, at: datetime) -> None:
    wait = BACK_OFF[min(virtual.attempts, len(BACK_OFF)) - 1]
    log.warning("the account of payment %s is not closed: %s", virtual.pk, problem)
    closing = _row(virtual).filter(state=VirtualState.CLOSING)
    closing.update(next_try_at=at + wait, last_error=words_of(problem), updated_at=at)


def _row(virtual: VirtualAccount) -> VirtualQuerySet:
    return VirtualAccount.objects.filter(pk=virtual.pk)
