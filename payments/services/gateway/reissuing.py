"""가상계좌 다시 발급: staff ask once more for the account of an unpaid order that has none.

What the PG refused gets a new reference, because a PG may repeat its refusal under the old one; what only waits is
asked for at once under the same, so that a PG which has opened it gives that one. Source: payments.md 5.4.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from core import drains
from core.events import event_model, record
from core.models import Job
from core.state import Change, Outcome, is_preview, missing
from orders.models import Order, OrderLine
from orders.services.locking import NOT_FOUND, locked_orders
from orders.states import LineState, PaymentMethod
from payments.events import VIRTUAL_ASKED
from payments.models import LedgerEntry, Payment, PgAccount, VirtualAccount
from payments.services.gateway import issuing, renewing
from payments.services.ledger.booking import payments_of
from payments.services.telling import NOT_WAITING, OVER
from payments.states import VirtualState

V = VirtualState
OTHER_METHOD = "가상계좌로 결제하는 주문이 아닙니다."
NO_PG = "가상계좌를 발급하는 PG 계정이 없습니다. 설정의 PG 계정에서 먼저 정하세요."
SWITCHED_OFF = "쓰지 않는 PG 계정의 주문입니다. 설정의 PG 계정에서 '사용'을 켜세요."
HAS_ONE = "입금할 가상계좌가 이미 있습니다."
ON_ITS_WAY = "지금 발급하고 있습니다. 잠시 뒤 다시 확인하세요."
CLOSING = "전의 가상계좌를 닫고 있습니다. 닫은 뒤 다시 발급하세요."
BY_WINDOW = (
    "고객이 PG 결제창에서 연 가상계좌라 우리가 다시 발급하지 못합니다. 고객에게 새로 주문하거나 다른 방법으로 "
    "결제하도록 안내하세요."
)
HAS_MOVED = "전의 가상계좌로 돈이 오간 주문이라 새 계좌를 발급하지 않습니다."


@dataclass(frozen=True, slots=True)
class _Asked:
    """One asking, as the history knows it: numbered for each payment."""

    event_subject: ClassVar[str] = "reissue"
    pk: int
    event_order_id: int


def may_be_asked(payment: Payment, virtual: VirtualAccount | None) -> bool:
    """다시 발급할 수 있는지, as far as the account itself tells; for the button."""
    if virtual is None:
        return payment.account_id is None
    return virtual.state == V.FAILED or (virtual.state == V.PENDING and bool(virtual.last_error))


def reissue(*, order_ids: Collection[int], actor: Any, at: datetime, batch: Job | None = None) -> Outcome:
    """다시 발급: accounts of unpaid orders are asked for again; by line, each order as a whole.

    Refused with the reason: paid, canceled or overdue orders, other methods, orders that have an account or get one
    just now, and those whose money has moved. The PG is asked by the relay, after the commit.
    """
    with locked_orders(order_ids, actor=actor) as (orders, lines):
        payments = _to_reissue(payments_of(orders))
        virtuals = {one.pk: one for one in VirtualAccount.objects.filter(payment__in=payments.values())}
        refused = _refusals(orders, lines, payments, virtuals, at=at)
        outcome = Outcome(possible=[line for line in lines if line.order_id not in refused])
        outcome.refused = {line.pk: refused[line.order_id] for line in lines if line.order_id in refused}
        outcome.refused |= missing(set(order_ids), orders, text=NOT_FOUND)
        if is_preview():
            return outcome
        good = [order for order in orders if order.pk not in refused]
        for order in good:
            _ask(order, payments[order.pk], virtuals.get(payments[order.pk].pk), at=at)
        _record([payments[order.pk] for order in good], actor=actor, at=at, batch=batch)
        drains.notify(issuing.CHANNEL)
        # The lines stay as they are; a bulk act takes a row for done by the version after the one that was seen.
        outcome.changes = [Change(line, line.state, line.state, line.version + 1) for line in outcome.possible]
    return outcome


def _to_reissue(payments: Mapping[int, Payment]) -> dict[int, Payment]:
    """The payment of each order that still wants its account; by order id."""
    found: dict[int, Payment] = {}
    for one in sorted(payments.values(), key=lambda one: (one.balance >= one.amount, one.pk)):
        found.setdefault(one.order_id, one)
    return found


def _refusals(
    orders: Sequence[Order],
    lines: Sequence[OrderLine],
    payments: dict[int, Payment],
    virtuals: dict[int, VirtualAccount],
    *,
    at: datetime,
) -> dict[int, str]:
    """거절 이유 by order id."""
    waiting = {line.order_id for line in lines if line.state == LineState.AWAITING_PAYMENT}
    has_issuer = PgAccount.objects.filter(issues_accounts=True, is_active=True).exists()
    active = set(PgAccount.objects.filter(is_active=True).values_list("pk", flat=True))
    moved = set(LedgerEntry.objects.filter(payment__in=payments.values()).values_list("payment_id", flat=True))
    found = {}
    for order in orders:
        payment = payments.get(order.pk)
        if payment is None or order.pk not in waiting or order.open_amount <= 0:
            found[order.pk] = NOT_WAITING
        elif order.payment_method != PaymentMethod.VIRTUAL_ACCOUNT:
            found[order.pk] = OTHER_METHOD
        elif order.deposit_by is not None and order.deposit_by <= at:
            found[order.pk] = OVER
        elif payment.account_id is not None and payment.account_id not in active:
            found[order.pk] = SWITCHED_OFF
        elif payment.account_id is None and not has_issuer:
            found[order.pk] = NO_PG
        elif payment.pk in moved:
            found[order.pk] = HAS_MOVED
        elif text := _standing(virtuals.get(payment.pk)):
            found[order.pk] = text
    return found


def _standing(virtual: VirtualAccount | None) -> str:
    """Why the account of an order is not asked for again; empty when it is."""
    if virtual is not None and virtual.state == V.CLOSED and virtual.is_from_window:
        return BY_WINDOW
    if virtual is None or virtual.state in {V.FAILED, V.CLOSED}:
        return ""
    if virtual.state == V.PENDING:
        return "" if virtual.last_error else ON_ITS_WAY
    return CLOSING if virtual.state == V.CLOSING else HAS_ONE


def _ask(order: Order, payment: Payment, virtual: VirtualAccount | None, *, at: datetime) -> None:
    if virtual is None:
        issuing.ask_for_accounts(orders=[order], at=at)
    elif virtual.state == V.PENDING:
        # Whoever asks just now has emptied the error.
        mine = VirtualAccount.objects.filter(pk=virtual.pk, state=V.PENDING).exclude(last_error="")
        mine.update(next_try_at=at, updated_at=at)
    else:
        renewing.ask_anew(payment, at=at)


def _record(payments: Sequence[Payment], *, actor: Any, at: datetime, batch: Job | None) -> None:
    known = event_model().objects.filter(subject=_Asked.event_subject, subject_id__in=[one.pk for one in payments])
    before = list(known.values_list("subject_id", flat=True))
    rows = [Change(_Asked(one.pk, one.order_id), "", "", before.count(one.pk) + 1) for one in payments]
    record(Outcome(changes=rows), VIRTUAL_ASKED, at=at, actor=actor, batch=batch)
