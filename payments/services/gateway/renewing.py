"""새 계좌: another account under the next reference, where the old one is over or nobody can be told its number.

Money that still comes under a reference that was given up is a case for a person (notices/unknown.py).
"""

import logging
from contextlib import suppress
from datetime import datetime

from core import drains
from orders.models import Order
from payments.adapters.base import PgProblem, Ref
from payments.models import LedgerEntry, Payment, VirtualAccount
from payments.models.virtual import account_due
from payments.services.gateway import windows
from payments.services.pg_accounts import HURRIED, client_of, facts_of, pg_of

log = logging.getLogger("payments.renewing")

CHANNEL = "oms_virtual_accounts"
REASON = "쓰지 않는 가상계좌"


def ask_anew(payment: Payment, *, at: datetime) -> None:
    """새 계좌 under a new reference; where money has moved under the old one, that one stays the only one."""
    if payment.account is None or payment.order_ref is None:
        return
    if VirtualAccount.objects.filter(payment=payment, is_from_window=True).exists():
        windows.ask_again(payment, at=at, channel=CHANNEL)
        return
    if has_moved(payment):
        log.warning("payment %s gets no new account: money has moved through the old one", payment.pk)
        return
    mine = VirtualAccount.objects.filter(pk=payment.pk)
    if mine.start_over(at=at, bank=payment.account.bank, due_at=account_due(payment.order, at=at)):
        take_next_ref(payment, at=at)


def has_moved(payment: Payment) -> bool:
    """Whether anything is booked under the payment's reference."""
    return LedgerEntry.objects.filter(payment=payment).exists()


def take_next_ref(payment: Payment, *, at: datetime) -> None:
    """다음 참조: what the PG told under the old one is forgotten; payment and order are locked."""
    Payment.objects.filter(pk=payment.pk).update(
        order_ref=_next_ref(payment.order_ref or "", payment.order),
        payment_ref="",
        sealed_secret="",
        synced_at=None,
        asked_at=None,
        updated_at=at,
    )
    drains.notify(CHANNEL)


def place_of(order_ref: str) -> int:
    """몇 번째 참조: references of an order that we make count from 1."""
    last = order_ref.rpartition("-")[2]
    return int(last) if last.isdecimal() else 0


def shut(payment: Payment, payment_ref: str) -> None:
    """닫기 of an account that nobody can pay into, as well as may be: should the PG not do it, nothing is lost.

    `payment` still carries the reference that was given up.
    """
    account = payment.account
    if account is None:
        return
    ref = Ref(order_ref=payment.order_ref or "", payment_ref=payment_ref, at=payment.created_at)
    with suppress(PgProblem):
        pg_of(account).close(client_of(account, HURRIED), account=facts_of(account), ref=ref, reason=REASON)


def _next_ref(order_ref: str, order: Order) -> str:
    """The reference after the last one that any payment of the order has."""
    number, _, _ = order_ref.rpartition("-")
    used = Payment.objects.filter(order=order, order_ref__startswith=f"{number}-").values_list("order_ref", flat=True)
    return f"{number}-{max((place_of(str(ref)) for ref in used), default=0) + 1}"
