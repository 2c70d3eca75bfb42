"""입금확인 by hand and its opposite.

Every service locks orders, lines, payments in this order, books the ledger, writes `Order.paid_amount` and then lets
the orders app move its lines; all in one transaction. Source: domain.md 1.2, T2 to T5, T24; architecture.md 3.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from core.lookups import Among
from core.models import Job
from core.state import Outcome
from orders.models import Order, OrderLine
from orders.services import progress
from orders.services.before import Facts
from orders.services.locking import locked_orders
from orders.states import LineState
from payments.adapters.base import NotAtPg, PgProblem
from payments.models import LedgerEntry, Payment
from payments.services.ledger.booking import book, payments_of
from payments.services.notices.fetching import fetch
from payments.services.pg_accounts import HURRIED
from payments.services.refunds.locking import promised
from payments.services.snapshots.applying import Fetched
from payments.states import EntryKind

BEFORE_PG = "payments.confirm_virtual"
MOST_ASKED = 8
BEING_REFUNDED = "들어온 돈의 환불을 신청한 주문입니다. 환불을 마치거나 철회한 뒤 확인하세요."
TOLD_BY_PG = "PG가 입금을 알려 주는 주문입니다. '다시 조회'로 PG에 먼저 물어보거나 재무 담당자에게 요청하세요."
PAID_AT_PG = "PG에 입금이 있는 주문입니다. 직접 입금확인하지 말고 주문의 결제에서 '다시 조회'를 누르세요."
PAID_ALREADY = "이미 입금확인한 주문입니다."
NOTHING_DUE = "입금할 금액이 없던 주문입니다. 쿠폰과 적립금으로 모두 결제되어 취소할 입금확인이 없습니다."
REFUND_ASKED = "환불을 신청한 돈이 있는 주문입니다. 환불을 마치거나 철회한 뒤 입금확인을 취소하세요."
NOT_MANUAL = "직접 입금확인한 주문이 아닙니다. 결제 내역에서 환불로 처리하세요."


class AtPg(StrEnum):
    """PG에 있는 돈 of an unpaid order: none, some, or nobody knows."""

    NOTHING = "nothing"
    PAID = "paid"
    SILENT = "silent"


WEIGHT = (AtPg.NOTHING, AtPg.SILENT, AtPg.PAID)


def confirm_manually(
    *,
    order_ids: Collection[int],
    actor: Any,
    at: datetime,
    batch: Job | None = None,
    reason: str = "",
    put_back: Mapping[int, Facts] | None = None,
    at_pg: Mapping[int, AtPg] | None = None,
) -> Outcome:
    """입금확인: book the open amount as MANUAL and move the order's lines to 상품준비중.

    Refused (per line of the order): already confirmed, canceled meanwhile, the ledger holds another sum than nothing
    (then the difference is named), or a PG tells of its money and the person may not speak before it. `put_back` as in
    `progress.confirm_payment`; `at_pg` as from `look_at_pg`, by order: what a PG has is not booked by hand, and `sums`
    of the outcome count the rest. Source: domain.md 1.2, A02.
    """
    with locked_orders(order_ids, actor=actor) as (orders, lines):
        payments = _by_order(payments_of(orders).values())
        refused = {order.pk: text for order in orders if (text := _unpayable(order, lines))}
        partly = [one for o in orders if o.paid_amount and o.pk not in refused for one in payments[o.pk]]
        taken, said = promised(partly), at_pg or {}
        refused |= {one.order_id: BEING_REFUNDED for one in partly if taken.get(one.pk)}
        for order in orders:
            texts = [_told_by_pg(one, actor, said.get(order.pk)) for one in payments[order.pk]]
            if order.pk not in refused and (text := next(filter(None, texts), None)):
                refused[order.pk] = text
        payable = [order for order in orders if order.pk not in refused]
        book(
            [
                (payment, EntryKind.MANUAL, f"{order.number}/{order.version}", won)
                for order in payable
                for payment, won in _filling(payments[order.pk], order.open_amount)
            ],
            at=at,
            actor=actor,
            batch=batch,
            reason=reason,
        )
        outcome = progress.confirm_payment(
            order_ids=[order.pk for order in payable],
            actor=actor,
            at=at,
            batch=batch,
            reason=reason,
            put_back=put_back,
        )
        if outcome.refused:
            raise RuntimeError(f"booked orders were refused: {outcome.refused}")
        outcome.refused = {line.pk: refused[line.order_id] for line in lines if line.order_id in refused}
        outcome.sums.update(str(said[order.pk]) for order in payable if order.pk in said)
    return outcome


def look_at_pg(*, order_ids: Collection[int]) -> dict[int, AtPg]:
    """PG 확인: what the PGs of unpaid orders know of their money just now, by order; outside any transaction.

    Only the first MOST_ASKED are asked, and not for long, because a person waits; of the others nobody knows.
    """
    unpaid = Payment.objects.filter(Among("order_id", order_ids), order__stage=LineState.AWAITING_PAYMENT)
    payments = list(unpaid.filter(account__isnull=False).select_related("account").order_by("pk"))
    answers = fetch(payments[:MOST_ASKED], timeout=HURRIED) if payments else {}
    found: dict[int, AtPg] = {}
    for one in payments:
        # Of several payments of an order the one that says most counts.
        said = _said(one, answers.get(one.pk))
        found[one.order_id] = max(said, found.get(one.order_id, AtPg.NOTHING), key=WEIGHT.index)
    return found


def _said(payment: Payment, answer: Fetched | PgProblem | None) -> AtPg:
    if isinstance(answer, Fetched) and answer.snapshot.order_ref not in {"", payment.order_ref}:
        # Another order's money says nothing of this one's.
        return AtPg.SILENT
    if isinstance(answer, Fetched):
        return AtPg.PAID if answer.snapshot.deposits else AtPg.NOTHING
    return AtPg.NOTHING if isinstance(answer, NotAtPg) else AtPg.SILENT


def _told_by_pg(payment: Payment, actor: Any, said: AtPg | None) -> str | None:
    """Why money of which a PG tells may not be confirmed by hand; by the system it may."""
    if payment.account_id is None:
        return None
    if said is AtPg.PAID:
        return PAID_AT_PG
    return None if actor is None or actor.has_perm(BEFORE_PG) else TOLD_BY_PG


def _unpayable(order: Order, lines: Sequence[OrderLine]) -> str | None:
    mine = [line for line in lines if line.order_id == order.pk]
    if not any(line.state == LineState.AWAITING_PAYMENT for line in mine):
        canceled = any(line.state == LineState.CANCELED_UNPAID for line in mine)
        return mine[0].wrong_state_reason([LineState.AWAITING_PAYMENT]) if canceled else PAID_ALREADY
    if order.paid_amount not in {0, order.due_amount}:
        return f"입금액이 주문 금액과 {abs(order.open_amount):,}원 다릅니다."
    return None


def revert_manual(
    *, order_ids: Collection[int], actor: Any, at: datetime, reason: str, batch: Job | None = None
) -> Outcome:
    """입금확인 취소: take a MANUAL booking back; refused once a provider captured money or a line has gone further.

    Refused too when there is no booking because nothing was due, and while a refund takes money of it: the bank list
    would go on paying out what nobody has. Source: domain.md T2, T5; payments.md 5.8.
    """
    with locked_orders(order_ids, actor=actor) as (orders, lines):
        payments = payments_of(orders)
        booked, taken = _manual_balances(payments.values()), promised(payments.values())
        refused = {one.order_id: REFUND_ASKED for one in payments.values() if taken.get(one.pk)}
        refused |= {one.order_id: NOT_MANUAL for one in payments.values() if booked.get(one.pk, 0) != one.balance}
        refused |= {order.pk: NOTHING_DUE for order in orders if not order.due_amount and not order.paid_amount}
        good = [order for order in orders if order.pk not in refused and order.paid_amount]
        outcome = progress.revert_payment(
            order_ids=[order.pk for order in good], actor=actor, at=at, batch=batch, reason=reason
        )
        reverted = {line.order_id for line in outcome.possible}
        book(
            [
                (one, EntryKind.MANUAL_REVERSAL, f"{one.order.number}/{one.order.version}", -one.balance)
                for one in payments.values()
                if one.balance and one.order_id in reverted
            ],
            at=at,
            actor=actor,
            batch=batch,
            reason=reason,
        )
        outcome.refused |= {line.pk: refused[line.order_id] for line in lines if line.order_id in refused}
    return outcome


def _manual_balances(payments: Collection[Payment]) -> dict[int, int]:
    """Won booked by hand per payment; the caller compares it with all that was paid."""
    totals: dict[int, int] = {}
    rows = LedgerEntry.objects.filter(payment__in=payments).values_list("payment_id", "kind", "amount")
    for payment_id, kind, amount in rows:
        if kind in {EntryKind.MANUAL, EntryKind.MANUAL_REVERSAL}:
            totals[payment_id] = totals.get(payment_id, 0) + amount
    return totals


def _by_order(payments: Collection[Payment]) -> dict[int, list[Payment]]:
    found: dict[int, list[Payment]] = defaultdict(list)
    for payment in payments:
        found[payment.order_id].append(payment)
    return found


def _filling(payments: Sequence[Payment], won: int) -> list[tuple[Payment, int]]:
    """What each payment of an order still wants of so many won, the first ones first; the last one takes the rest."""
    shares, left = [], won
    for payment in payments:
        is_last = payment is payments[-1]
        share = left if is_last else max(0, min(left, payment.amount - payment.balance))
        left -= share
        if share:
            shares.append((payment, share))
    return shares
