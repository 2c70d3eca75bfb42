"""가상계좌 발급: asked for with the order, done by the first who can: the request that made the order, or the relay.

Where the buyer opens it in the PG's own window, the same road asks what he has opened (`windows`).

The PG is asked outside any transaction. When nobody knows whether it opened the account, it is asked about the payment
before it is asked for another one. A refusal of our key or settings is nobody's last word: it is tried again like a PG
that is silent, and at once when somebody has mended the account. What the PG refuses for its own reason stays FAILED.
"""

import logging
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from django.db import connection, transaction

from core import drains
from core.events import record
from core.failpoints import declare, failpoint
from core.models import Source
from core.sealing import seal
from core.state import Change, Outcome
from orders.models import Order
from orders.services.locking import locked_orders
from orders.states import PaymentMethod
from payments.adapters.base import (
    Denied,
    IssueAsk,
    NotAtPg,
    PgProblem,
    RefusedByPg,
    Snapshot,
    Unsupported,
)
from payments.events import VIRTUAL_ISSUED
from payments.models import Payment, PgAccount, VirtualAccount
from payments.models.account import PURPOSE
from payments.services.gateway import windows
from payments.services.ledger.references import PgPaid, ref_of
from payments.services.pg_accounts import (
    HURRIED,
    KEY_REFUSED,
    PATIENT,
    Timeout,
    client_of,
    facts_of,
    note_answers,
    note_refusal,
    pg_of,
    words_of,
)
from payments.states import PaymentState, VirtualState

log = logging.getLogger("payments.issuing")

CHANNEL = "oms_virtual_accounts"
AT_ONCE = 10
LEASE = timedelta(seconds=60)
HEAD_START = timedelta(seconds=5)
"""The request that made the order asks first: the shop waits for its answer."""
BACK_OFF = tuple(timedelta(seconds=seconds) for seconds in (5, 15, 60, 300, 900))
NO_NUMBER = (
    "PG의 답에 계좌번호가 없습니다. 저절로 다시 확인합니다. 계속되면 PG 관리자 화면에서 이 결제가 가상계좌인지 "
    "확인하세요."
)
ISSUED = declare("virtual_issued_before_write", "the PG has opened the account; nothing of it is written")


def ask_for_accounts(*, orders: Collection[Order], at: datetime) -> list[int]:
    """발급 요청: virtual accounts for new orders of our own mall, in the transaction that made them; payment ids.

    Nothing is asked for while no PG account is set to open them.
    """
    wanted = {order.pk: order for order in orders if order.payment_method == PaymentMethod.VIRTUAL_ACCOUNT}
    account = PgAccount.objects.filter(issues_accounts=True, is_active=True).first() if wanted else None
    if account is None:
        return []
    unasked = Payment.objects.filter(order__in=wanted, state=PaymentState.PENDING, account=None, amount__gt=0)
    payments = list(unasked.order_by("pk"))
    places: Counter[int] = Counter()
    for payment in payments:
        places[payment.order_id] += 1
        payment.account = account
        payment.order_ref = f"{wanted[payment.order_id].number}-{places[payment.order_id]}"
    Payment.objects.bulk_update(payments, ["account", "order_ref"])
    VirtualAccount.objects.bulk_create(
        VirtualAccount(
            payment=payment,
            bank=account.bank,
            due_at=wanted[payment.order_id].deposit_by or at + timedelta(days=7),
            next_try_at=at + HEAD_START,
        )
        for payment in payments
    )
    return [payment.pk for payment in payments]


def await_window(*, order: Order, account: PgAccount, paid: PgPaid, at: datetime) -> None:
    """결제창 가상계좌 요청: like `ask_for_accounts`, of an account that the storefront names. Raises Conflict."""
    windows.await_account(order=order, account=account, paid=paid, at=at, try_at=at + HEAD_START)
    drains.notify(CHANNEL)


def issue_due(*, at: datetime) -> int:
    """발급: ask the PG for accounts that are due, outside any transaction; how many were tried."""
    claimed = _claim(at, [])
    for virtual in claimed:
        _issue(virtual, at=at, timeout=PATIENT)
    return len(claimed)


def issue_now(*, order: Order, at: datetime) -> None:
    """바로 발급: for a request that waits; a PG that is slow or down leaves the account to the relay."""
    payments = list(
        Payment.objects.filter(order=order, virtual__state=VirtualState.PENDING).values_list("pk", flat=True)
    )
    for virtual in _claim(at, payments) if payments else []:
        _issue(virtual, at=at, timeout=HURRIED)


def wake(*, account_id: int, at: datetime) -> int:
    """발급 재개: what waits because the PG refused our key or settings is due at once; how many accounts.

    Called when somebody has mended the PG account. One that is being asked for just now is left alone.
    """
    waiting = VirtualAccount.objects.filter(
        payment__account=account_id,
        state=VirtualState.PENDING,
        last_error__startswith=KEY_REFUSED,
        next_try_at__gt=at,
    )
    woken = waiting.update(next_try_at=at, updated_at=at)
    if woken:
        drains.notify(CHANNEL)
    return woken


def account_of(order: Order) -> VirtualAccount | None:
    """가상계좌 of an order; None where it is paid in another way. One query at most."""
    if order.payment_method != PaymentMethod.VIRTUAL_ACCOUNT:
        return None
    of_order = VirtualAccount.objects.filter(payment__order=order).select_related("payment__account")
    return of_order.order_by("-pk").first()


def _claim(at: datetime, only: Sequence[int]) -> list[VirtualAccount]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE payments_virtualaccount v SET next_try_at = %s, attempts = attempts + 1, last_error = '' FROM ("
            "  SELECT payment_id FROM payments_virtualaccount WHERE state = 'PENDING'"
            "  AND CASE WHEN %s::bigint[] = '{}' THEN next_try_at <= %s"
            "      ELSE payment_id = ANY(%s::bigint[]) AND (attempts = 0 OR next_try_at <= %s) END"
            "  ORDER BY next_try_at LIMIT %s FOR UPDATE SKIP LOCKED) AS due"
            " WHERE v.payment_id = due.payment_id RETURNING v.payment_id",
            [at + LEASE, list(only), at, list(only), at, AT_ONCE],
        )
        ids = [pk for (pk,) in cursor.fetchall()]
    rows = VirtualAccount.objects.filter(pk__in=ids).select_related("payment__account", "payment__order")
    return list(rows.order_by("pk"))


def _issue(virtual: VirtualAccount, *, at: datetime, timeout: Timeout) -> None:
    try:
        snapshot = _ask(virtual, at=at, timeout=timeout)
        failpoint(ISSUED)
    except RefusedByPg as problem:
        log.error("no account for payment %s: %s", virtual.pk, problem)
        VirtualAccount.objects.filter(pk=virtual.pk).give_up(at=at, error=words_of(problem))
    except (Denied, Unsupported) as problem:
        log.error("no account for payment %s before its PG account is mended: %s", virtual.pk, problem)
        text = f"{KEY_REFUSED} {problem.message}".strip()
        note_refusal(virtual.payment.account, text)
        _later(virtual, text, at=at)
    except windows.Different as problem:
        # Its case tells a person; staff may have it asked about again.
        _later(virtual, words_of(problem), at=at, is_tried_again=False)
    except PgProblem as problem:
        _later(virtual, words_of(problem), at=at)
    else:
        note_answers([virtual.payment.account], at=at)
        _keep_with_order(virtual, snapshot, at=at)


def _ask(virtual: VirtualAccount, *, at: datetime, timeout: Timeout) -> Snapshot:
    payment = virtual.payment
    account, order = payment.account, payment.order
    if account is None or payment.order_ref is None:
        raise ValueError(f"payment {payment.pk} has no PG account")
    pg = pg_of(account)
    if not pg.capabilities.can_issue:
        return windows.look(virtual, at=at, timeout=timeout)
    client, facts = client_of(account, timeout), facts_of(account)
    if virtual.attempts > 1:
        # Somebody may have got through and died before writing it down.
        with suppress(NotAtPg):
            found = pg.fetch(client, account=facts, ref=ref_of(payment))
            if found.account is not None:
                return found
    ask = IssueAsk(
        order_ref=payment.order_ref,
        amount=payment.amount,
        title=f"주문 {order.number}",
        buyer=order.buyer_name,
        bank=virtual.bank,
        due_at=virtual.due_at,
        buyer_phone=order.buyer_phone,
        buyer_email=order.buyer_email,
    )
    return pg.issue(client, account=facts, ask=ask)


def _keep_with_order(virtual: VirtualAccount, snapshot: Snapshot, *, at: datetime) -> None:
    """An account that we have not opened ourselves ends when the PG says, and its order with it."""
    if not virtual.is_from_window:
        _keep(virtual, snapshot, at=at)
        return
    with locked_orders([virtual.payment.order_id], skip_locked=True) as (orders, _):
        if not orders:
            _later(virtual, windows.BUSY, at=at)
        for order in orders:
            if _keep(virtual, snapshot, at=at):
                windows.take_deadline(order, snapshot)


def _keep(virtual: VirtualAccount, snapshot: Snapshot, *, at: datetime) -> bool:
    """Whether the account is open for the order from now on."""
    given = snapshot.account
    if given is None:
        _later(virtual, NO_NUMBER, at=at)
        return False
    with transaction.atomic():
        payment = Payment.objects.select_for_update(no_key=True, of=("self",)).get(pk=virtual.pk)
        mine = VirtualAccount.objects.select_for_update(no_key=True).get(pk=virtual.pk)
        if payment.order_ref != virtual.payment.order_ref or mine.state not in {
            VirtualState.PENDING,
            VirtualState.FAILED,
        }:
            return False
        # FAILED: the order was canceled while the PG was opening it.
        rows, is_wanted = VirtualAccount.objects.filter(pk=virtual.pk), mine.state == VirtualState.PENDING
        (rows.open if is_wanted else rows.open_in_vain)(
            at=at,
            bank=given.bank,
            number=given.number,
            holder=given.holder,
            due_at=snapshot.due_at or virtual.due_at,
        )
        Payment.objects.filter(pk=virtual.pk).update(
            payment_ref=snapshot.payment_ref, sealed_secret=seal(snapshot.secret, purpose=PURPOSE)
        )
        if is_wanted:
            _tell(virtual, payment, at=at)
    return is_wanted


def _tell(virtual: VirtualAccount, payment: Payment, *, at: datetime) -> None:
    """The history and the buyer hear of it; every attempt is a version of its own, and a window has one."""
    attempt = 1 if virtual.is_from_window else int((payment.order_ref or "-1").rpartition("-")[2])
    change = Change(virtual, VirtualState.PENDING, VirtualState.ISSUED, attempt)
    record(Outcome(changes=[change]), VIRTUAL_ISSUED, at=at, source=Source.PG)


def _later(virtual: VirtualAccount, error: str, *, at: datetime, is_tried_again: bool = True) -> None:
    wait = BACK_OFF[min(virtual.attempts, len(BACK_OFF)) - 1]
    VirtualAccount.objects.filter(pk=virtual.pk, state=VirtualState.PENDING).update(
        next_try_at=at + wait if is_tried_again else None, last_error=error[:300], updated_at=at
    )
