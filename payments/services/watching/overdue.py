"""자동취소: what nobody paid in time; where a PG takes the money, only after it said that nobody did."""

import logging
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from core.state import Outcome
from orders.models import Order
from orders.services import progress
from orders.services.locking import locked_orders
from orders.states import LOCK_BIT, CanceledBy, LineState, LockKind, PaymentMethod
from payments.adapters.base import NotAtPg, Unavailable
from payments.models import Payment
from payments.services.notices.draining import apply_each
from payments.services.notices.fetching import fetch
from payments.services.notices.questions import PATIENCE
from payments.services.snapshots.applying import Fetched
from payments.services.watching import lost
from payments.states import NoticeState

log = logging.getLogger("payments.overdue")

AT_ONCE = 16
EVERY_RUN = timedelta(minutes=10)
"""So long after its deadline an order is asked about in every run; then ever more seldom, but once an hour."""
SELDOM = timedelta(hours=1)


def cancel_overdue(*, order_ids: Collection[int], at: datetime) -> Outcome:
    """자동취소 (C48): unpaid orders whose 입금기한 has passed at `at`, to the minute; a waiting deposit protects them.

    Orders that are not due at `at`, or that somebody is working on, are left for the next run; refused with a reason:
    partly paid, DEPOSIT_PENDING lock. Source: domain.md T4, A05.
    """
    with locked_orders(order_ids, skip_locked=True) as (orders, _):
        due = [order.pk for order in orders if order.deposit_by is not None and order.deposit_by <= at]
        return progress.cancel_unpaid(
            order_ids=due, actor=None, at=at, by=CanceledBy.DEADLINE, reason="입금기한이 지났습니다."
        )


def ask_first(*, order_ids: Collection[int], at: datetime, silent: set[int] | None = None) -> set[int]:
    """취소 전 조회: ask the PGs about overdue orders, outside any transaction; ids of those that must not be canceled.

    Money that is found is applied. An order of which the PG says nothing certain is left for the next run; a PG that
    does not answer joins `silent` (ids of accounts) and is asked no further in this run. What was asked about in vain
    comes again ever more seldom. Source: payments.md 5.6.
    """
    deaf = set() if silent is None else silent
    mine = Payment.objects.filter(order__in=order_ids, account__isnull=False, balance=0, order__paid_amount=0)
    # Only the lock of a waiting deposit keeps an order from being canceled; whoever is not protected is asked about.
    kept_anyway = Q(order__lines__open_locks__bit=LOCK_BIT[LockKind.DEPOSIT_PENDING])
    found = list(mine.exclude(kept_anyway).select_related("account", "order").order_by("pk").distinct())
    # An order of several payments waits for all of them.
    kept = {one.order_id for one in found if not _is_due(one, at=at)}
    payments = [one for one in found if one.order_id not in kept]
    for start in range(0, len(payments), AT_ONCE):
        some = payments[start : start + AT_ONCE]
        kept |= {one.order_id for one in some if one.account_id in deaf}
        asked = [one for one in some if one.account_id not in deaf]
        kept |= _ask(asked, deaf, at=at)
        _put_off([one.pk for one in asked if one.order_id in kept], at=at)
    return kept


def _is_due(payment: Payment, *, at: datetime) -> bool:
    """Whether it is asked about in this run."""
    late = at - (payment.order.deposit_by or at)
    return late <= EVERY_RUN or payment.updated_at <= at - min(late / 10, SELDOM)


def _put_off(payment_ids: Collection[int], *, at: datetime) -> None:
    """Note that they were asked about in vain; a row that somebody holds is moving anyway."""
    with transaction.atomic():
        mine = Payment.objects.filter(pk__in=payment_ids).order_by("pk")
        free = mine.select_for_update(skip_locked=True, no_key=True).values_list("pk", flat=True)
        Payment.objects.filter(pk__in=list(free)).update(updated_at=at)


def _ask(payments: Collection[Payment], deaf: set[int], *, at: datetime) -> set[int]:
    if not payments:
        return set()
    answers = fetch(list(payments), patience=PATIENCE)
    verdicts = apply_each([one for one in answers.values() if isinstance(one, Fetched)], at=at)
    denied = [one for one in payments if isinstance(answers[one.pk], NotAtPg)]
    forgotten, kept = lost.tell(denied, at=at), set()
    for payment in payments:
        answer = answers[payment.pk]
        if isinstance(answer, Fetched):
            is_certain = verdicts[payment.pk].state in {NoticeState.PROCESSED, NoticeState.IGNORED}
            if not is_certain or _holds_money(answer):
                kept.add(payment.order_id)
        elif not isinstance(answer, NotAtPg) or payment.pk in forgotten:
            log.warning("order %s is not canceled: its PG gives no answer: %s", payment.order_id, answer)
            kept.add(payment.order_id)
    deaf |= _without_answer(payments, {pk for pk, one in answers.items() if isinstance(one, Unavailable)})
    return kept


def _holds_money(answer: Fetched) -> bool:
    came_in = sum(one.amount for one in answer.snapshot.deposits)
    return came_in > sum(one.amount for one in answer.snapshot.refunds)


def _without_answer(payments: Iterable[Payment], unanswered: set[int]) -> set[int]:
    """Accounts that left every question open."""
    asked = {one.account_id: True for one in payments if one.account_id is not None}
    for one in payments:
        if one.account_id is not None:
            asked[one.account_id] &= one.pk in unanswered
    return {account_id for account_id, is_silent in asked.items() if is_silent}


def transfer_orders(*, order_ids: Collection[int]) -> set[int]:
    """무통장 주문 among these."""
    mine = Order.objects.filter(pk__in=order_ids, payment_method=PaymentMethod.BANK_TRANSFER)
    return set(mine.values_list("pk", flat=True))


def overdue_orders(*, at: datetime, after: int = 0, limit: int = 1000) -> list[int]:
    """Ids of orders with unpaid lines whose 입금기한 is over, ascending after `after`."""
    return list(
        Order.objects.in_step(LineState.AWAITING_PAYMENT)
        .filter(deposit_by__lte=at, pk__gt=after)
        .order_by("pk")
        .values_list("pk", flat=True)[:limit]
    )
