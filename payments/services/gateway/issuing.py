"""가상계좌 발급: asked for with the order, done by the first who can: the request that made the order, or the relay.

Where the buyer opens it in the PG's own window, the same road asks what he has opened (`windows`).

The PG is asked outside any transaction. When nobody knows whether it opened the account, it is asked about the payment
before it is asked for another one. What it has opened and does not tell the number of (Inicis) nobody can pay into:
another one is asked for under the next reference, until there are three. A refusal of our key or settings is nobody's
last word: it is tried again like a PG that is silent, and at once when somebody has mended the account. What the PG
refuses for its own reason stays FAILED.
"""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from functools import partial

from django.db import connection, transaction

from core import drains
from core.failpoints import declare, failpoint
from core.sealing import seal
from orders.models import Order
from orders.services.locking import locked_orders
from orders.states import BIT, LineState, PaymentMethod
from payments.adapters.base import (
    Denied,
    IssueAsk,
    KnownAtPg,
    NotAtPg,
    PgProblem,
    PgState,
    RefusedByPg,
    Snapshot,
    Unsupported,
)
from payments.models import Payment, PgAccount, VirtualAccount
from payments.models.account import PURPOSE
from payments.models.virtual import account_due
from payments.querysets import VirtualQuerySet
from payments.services.gateway import renewing, windows
from payments.services.ledger.booking import payments_of
from payments.services.ledger.references import PgPaid, ref_of
from payments.services.notices.draining import apply_each
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
from payments.services.snapshots import learning
from payments.services.snapshots.applying import Fetched
from payments.states import ENDED, PaymentState, VirtualState

log = logging.getLogger("payments.issuing")

CHANNEL = renewing.CHANNEL
AT_ONCE = 10
LEASE = timedelta(seconds=180)
"""Longer than three patient calls for one account, or one question about each of several windows (questions.py)."""
HEAD_START = timedelta(seconds=5)
"""The request that made the order asks first: the shop waits for its answer."""
BACK_OFF = tuple(timedelta(seconds=seconds) for seconds in (5, 15, 60, 300, 900))
SLOW = timedelta(hours=6)
"""Of an order that does not wait for its money: nobody but we would ever hear of an account from a window."""
LAST = timedelta(days=7)
"""So long after the deadline nobody asks for an account any more."""
MOST_ATTEMPTS = 1000
MOST_REFERENCES = 3
"""So many accounts whose number nobody heard are asked for without a person."""
MOVED_ON = "주문이 입금을 기다리지 않습니다."
NO_NUMBER = (
    "PG의 답에 계좌번호가 없습니다. 저절로 다시 확인합니다. 계속되면 PG 관리자 화면에서 이 결제가 가상계좌인지 "
    "확인하세요."
)
UNHEARD = (
    "PG가 계좌를 열고도 계좌번호를 알려 주지 않아 더 요청하지 않습니다. PG 관리자 화면에서 이 주문의 가상계좌를 "
    "확인하고 다시 발급하세요."
)
UNHEARD_AND_MOVED = (
    "PG가 연 계좌의 번호를 알 수 없고, 이미 돈이 오간 결제라 새 계좌를 발급하지 않습니다. PG 관리자 화면에서 확인하고 "
    "다른 방법으로 받으세요."
)
HIDDEN = frozenset({PgState.WAITING, PgState.CANCELED, PgState.EXPIRED})
"""States of an account of which nobody will hear the number any more; what failed may be asked for once more."""
ISSUED = declare("virtual_issued_before_write", "the PG has opened the account; nothing of it is written")


class Unheard(PgProblem):
    """번호 없는 계좌: the PG has one under our reference and tells nobody its number.

    `found` is None where it does not even show it.
    """

    def __init__(self, found: Snapshot | None) -> None:
        super().__init__("the PG does not tell the number of the account that it has opened")
        self.found = found


class NotWanted(PgProblem):
    """필요 없는 계좌: the PG has opened none, and the order does not wait for its money any more."""


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
            due_at=account_due(wanted[payment.order_id], at=at),
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
    """발급: ask the PG for an account that is due, outside any transaction; how many were tried.

    One at a time, because a lease must not run out while another account is asked for.
    """
    claimed = _claim(at, [], is_from_window=False, most=1)
    for virtual in claimed:
        _issue(virtual, at=at, timeout=PATIENT)
    return len(claimed)


def look_due(*, at: datetime) -> int:
    """결제창 확인: ask the PGs about accounts from windows that are due, all at once; how many were asked about."""
    claimed = _claim(at, [], is_from_window=True, most=AT_ONCE)
    answers = windows.ask(claimed, timeout=PATIENT) if claimed else {}
    for virtual in claimed:
        _take(virtual, partial(windows.learn, virtual, answers[virtual.pk], at=at), at=at)
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


def _claim(
    at: datetime, only: Sequence[int], *, is_from_window: bool | None = None, most: int = AT_ONCE
) -> list[VirtualAccount]:
    """Rows that are ours until `next_try_at`, which names the claim (`_claimed`); `is_from_window` None means both."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "WITH due AS ("
            "  SELECT payment_id FROM payments_virtualaccount WHERE state = 'PENDING'"
            "  AND is_from_window = COALESCE(%s::bool, is_from_window)"
            "  AND CASE WHEN %s::bigint[] = '{}' THEN next_try_at <= %s"
            "      ELSE payment_id = ANY(%s::bigint[]) AND (attempts = 0 OR next_try_at <= %s) END"
            "  ORDER BY next_try_at LIMIT %s FOR UPDATE SKIP LOCKED)"
            " UPDATE payments_virtualaccount v"
            " SET next_try_at = %s, attempts = least(attempts + 1, %s), last_error = ''"
            " FROM due WHERE v.payment_id = due.payment_id RETURNING v.payment_id",
            [is_from_window, list(only), at, list(only), at, most, at + LEASE, MOST_ATTEMPTS],
        )
        ids = [pk for (pk,) in cursor.fetchall()]
    rows = VirtualAccount.objects.filter(pk__in=ids).select_related("payment__account", "payment__order")
    return list(rows.order_by("pk"))


def _claimed(virtual: VirtualAccount) -> VirtualQuerySet:
    """The row while the claim is ours: one that ran out belongs to somebody else."""
    return VirtualAccount.objects.filter(pk=virtual.pk, next_try_at=virtual.next_try_at)


def _is_wanted(virtual: VirtualAccount) -> bool:
    """Whether the order waited for money that may come by this account, when it was claimed."""
    return _wants(virtual.payment.order)


def _wants(order: Order) -> bool:
    return bool(order.steps & BIT[LineState.AWAITING_PAYMENT]) and order.open_amount > 0


def _issue(virtual: VirtualAccount, *, at: datetime, timeout: Timeout) -> None:
    """What an earlier attempt may have opened is looked for though the order has moved on since, and closed."""
    if virtual.is_from_window or virtual.attempts > 1 or _is_wanted(virtual):
        _take(virtual, partial(_ask, virtual, at=at, timeout=timeout), at=at)
    else:
        _claimed(virtual).give_up(at=at, error=MOVED_ON)


def _take(virtual: VirtualAccount, ask: Callable[[], Snapshot], *, at: datetime) -> None:
    """Write down what `ask` finds out, or why it found nothing."""
    try:
        snapshot = ask()
        failpoint(ISSUED)
    except RefusedByPg as problem:
        log.error("no account for payment %s: %s", virtual.pk, problem)
        _claimed(virtual).give_up(at=at, error=words_of(problem))
    except (Denied, Unsupported) as problem:
        log.error("no account for payment %s before its PG account is mended: %s", virtual.pk, problem)
        text = f"{KEY_REFUSED} {problem.message}".strip()
        note_refusal(virtual.payment.account, text)
        _later(virtual, text, at=at)
    except windows.Different as problem:
        # Its case tells a person; staff may have it asked about again.
        _later(virtual, words_of(problem), at=at, is_tried_again=False)
    except NotWanted:
        _claimed(virtual).give_up(at=at, error=MOVED_ON)
    except Unheard as problem:
        _replace(virtual, problem.found, at=at)
    except PgProblem as problem:
        _later(virtual, words_of(problem), at=at)
    else:
        note_answers([virtual.payment.account], at=at)
        if virtual.is_from_window:
            # What was applied has opened or closed it; if not, it is asked about again.
            _later(virtual, "" if snapshot.account else NO_NUMBER, at=at)
        else:
            _keep(virtual, snapshot, at=at)


def _ask(virtual: VirtualAccount, *, at: datetime, timeout: Timeout) -> Snapshot:
    payment = virtual.payment
    account, order = payment.account, payment.order
    if account is None or payment.order_ref is None:
        raise ValueError(f"payment {payment.pk} has no PG account")
    pg = pg_of(account)
    if not pg.capabilities.can_issue:
        return windows.look(virtual, at=at, timeout=timeout)
    if virtual.attempts > 1 and (found := _opened_before(virtual, account, timeout, at=at)) is not None:
        return found
    if not _is_wanted(virtual):
        raise NotWanted("nothing was opened")
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
    try:
        return pg.issue(client_of(account, timeout), account=facts_of(account), ask=ask)
    except KnownAtPg:
        if virtual.attempts <= 1:
            raise
        # What was opened before shows only now, or not at all.
        found = _opened_before(virtual, account, timeout, at=at)
        if found is None:
            raise Unheard(None) from None
        return found


def _opened_before(virtual: VirtualAccount, account: PgAccount, timeout: Timeout, *, at: datetime) -> Snapshot | None:
    """먼저 연 계좌: somebody may have got through and died before writing it down, or heard no answer.

    None where the PG may be asked to open one. Money is applied at once, whatever the number is. Raises Unheard.
    """
    ref = ref_of(virtual.payment)
    try:
        found = pg_of(account).fetch(client_of(account, timeout), account=facts_of(account), ref=ref)
    except NotAtPg:
        return None
    if found.account is not None:
        return found
    if found.deposits:
        apply_each([Fetched(virtual.pk, found, at)], at=at)
        return found
    if found.state in HIDDEN:
        raise Unheard(found)
    return None


def _replace(virtual: VirtualAccount, found: Snapshot | None, *, at: datetime) -> None:
    """다른 계좌로: nobody can pay into this one, so another is asked for under the next reference, and it is closed."""
    old = virtual.payment
    with locked_orders([old.order_id], skip_locked=True) as (orders, _):
        payment = payments_of(orders).get(virtual.pk)
        if payment is None or payment.account is None:
            _later(virtual, NO_NUMBER, at=at)
            return
        if payment.order_ref != old.order_ref:
            return
        # Whoever opened it may have told us meanwhile: then the claim is not ours any more.
        mine = _claimed(virtual).filter(state=VirtualState.PENDING)
        if why_not := _why_no_other(payment):
            # That of an order which still waits stays open: staff may find its number at the PG.
            is_over = bool(mine.give_up(at=at, error=why_not)) and why_not == MOVED_ON
        else:
            due_at = account_due(payment.order, at=at)
            is_over = bool(mine.replace(at=at, bank=payment.account.bank, due_at=due_at))
            if is_over:
                log.warning("payment %s gets another account: nobody heard the number of %s", old.pk, old.order_ref)
                renewing.take_next_ref(payment, at=at)
    if is_over and found is not None and found.state == PgState.WAITING:
        renewing.shut(old, found.payment_ref)


def _why_no_other(payment: Payment) -> str:
    """Why no other account is asked for; empty when it is."""
    if not _wants(payment.order):
        return MOVED_ON
    if renewing.has_moved(payment):
        return UNHEARD_AND_MOVED
    return UNHEARD if renewing.place_of(payment.order_ref or "") >= MOST_REFERENCES else ""


def _keep(virtual: VirtualAccount, snapshot: Snapshot, *, at: datetime) -> None:
    """Where the order was canceled while the PG was opening its account, that is closed again."""
    if snapshot.account is None:
        _later(virtual, NO_NUMBER, at=at)
        return
    with transaction.atomic():
        payment = Payment.objects.select_for_update(no_key=True, of=("self",)).get(pk=virtual.pk)
        # Its order may have given it up meanwhile, with its reference (ledger/references.py).
        mine = VirtualAccount.objects.select_for_update(no_key=True).filter(pk=virtual.pk).first()
        if mine is None or payment.order_ref != virtual.payment.order_ref or mine.state not in learning.UNOPENED:
            return
        # FAILED is no cancel by itself: another relay may have been refused what this one was given.
        is_canceled = Order.objects.filter(pk=payment.order_id, stage__in=ENDED).exists()
        learning.write(payment, mine, snapshot, is_wanted=_is_wanted(virtual) and not is_canceled, at=at)
        Payment.objects.filter(pk=virtual.pk).update(
            payment_ref=snapshot.payment_ref, sealed_secret=seal(snapshot.secret, purpose=PURPOSE)
        )


def _later(virtual: VirtualAccount, error: str, *, at: datetime, is_tried_again: bool = True) -> None:
    mine = _claimed(virtual).filter(state=VirtualState.PENDING)
    deadline = virtual.payment.order.deposit_by or virtual.due_at
    if at > max(virtual.due_at, deadline) + LAST:
        mine.give_up(at=at, error=error)
        return
    wait = BACK_OFF[min(virtual.attempts, len(BACK_OFF)) - 1] if _is_wanted(virtual) else SLOW
    mine.update(next_try_at=at + wait if is_tried_again else None, last_error=error[:300], updated_at=at)
