"""자동입금확인: deposits that certainly belong to one order pay it; the others wait for a person, with candidates.

The orders are compared without locks; what was decided is checked again under them, in the order orders, lines,
payments, deposits. A deposit whose orders somebody holds comes again a moment later. Source: payments.md 5.10, F47.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from core.chunks import batched, by_two
from core.events import record
from core.failpoints import declare, failpoint
from core.locks import locked
from core.lookups import Among
from core.loops import going_first
from core.models import Source
from core.state import move
from orders.models import Order, OrderLine
from orders.services import progress
from orders.services.locking import locked_orders
from orders.states import BIT, LineState
from payments import events
from payments.matching import Verdict, decide, holds
from payments.models import BankDeposit, DepositAllocation, DepositCandidate, Payment, Refund
from payments.services.deposits import bank
from payments.services.deposits.deposit_locks import keep_in_step
from payments.services.deposits.pool import pool_of, rows_of
from payments.services.ledger import problems
from payments.services.ledger.booking import book, main_of, payments_of
from payments.states import REFUND_OPEN, DepositReason, DepositState, EntryKind, ProblemKind

AT_ONCE = 10_000
"""Deposits that share one reading of the open orders."""
TOGETHER = 500
"""Deposits of one transaction, of which two are on their way at a time."""
STALE_AT_ONCE = 200
GIVEN_UP = timedelta(days=30)
WAITING = (DepositState.NEW, DepositState.QUEUED)
BOOKED = declare("deposit_booked", "ledger and orders of a chunk of deposits are written, nothing is committed")


@dataclass(slots=True)
class Matched:
    """자동입금확인 결과: deposit ids that were confirmed, that wait for a person, and that come again."""

    confirmed: list[int] = field(default_factory=list)
    queued: list[int] = field(default_factory=list)
    again: list[int] = field(default_factory=list)


def drain(*, at: datetime) -> int:
    """새 입금 확인: rows that came in and rows whose candidates are no longer unpaid; how many were settled."""
    found = match_deposits(deposit_ids=bank.waiting_ids(limit=AT_ONCE), at=at)
    if not found.confirmed and not found.queued:
        found = match_deposits(deposit_ids=stale_ids(at=at), at=at)
    return len(found.confirmed) + len(found.queued)


def settle_new(*, at: datetime) -> bool:
    """새 입금 먼저 보기: compare what came in and nobody has looked at; whether none of it is left.

    A deposit whose order somebody holds just now is left; what it pays is not known then.
    """
    while ids := bank.waiting_ids(limit=AT_ONCE):
        found = match_deposits(deposit_ids=ids, at=at)
        if not found.confirmed and not found.queued:
            return False
    return True


def look_again(*, order_ids: Collection[int], at: datetime) -> bool:
    """다시 비교: waiting deposits that found these orders paid, canceled or unlikely; whether none of them is left.

    An order that wants money again may be the one that they are for (domain.md T4, T24).
    """
    waiting = DepositCandidate.objects.filter(Among("order_id", order_ids), holds=False)
    still = waiting.filter(order__steps__bit=BIT[LineState.AWAITING_PAYMENT], deposit__state=DepositState.QUEUED)
    ids = still.exclude(deposit__reason=DepositReason.UNDONE).values_list("deposit_id", flat=True).distinct()
    return not match_deposits(deposit_ids=list(ids), at=at).again


def stale_ids(*, at: datetime) -> list[int]:
    """다시 볼 입금: waiting deposits one of whose orders was paid or canceled by somebody else meanwhile."""
    waiting = DepositCandidate.objects.filter(deposit__state=DepositState.QUEUED, deposit__at__gt=at - GIVEN_UP)
    gone = waiting.filter(holds=True).exclude(order__steps__bit=BIT[LineState.AWAITING_PAYMENT])
    ids = gone.exclude(deposit__reason=DepositReason.UNDONE).order_by("deposit_id").distinct()
    return list(ids.values_list("deposit_id", flat=True)[:STALE_AT_ONCE])


def match_deposits(*, deposit_ids: Collection[int], at: datetime, actor: Any = None) -> Matched:
    """자동입금확인: compare new and waiting deposits with the orders, confirm what is certain, queue the rest."""
    rows = BankDeposit.objects.filter(Among("pk", deposit_ids), state__in=WAITING).order_by("at", "pk")
    deposits, result = list(rows), Matched()
    with going_first():
        compared = rows_of(deposits)
        pool = pool_of(compared)
        verdicts = {one.id: decide(one, pool) for one in compared}
        chunks = [[one.pk for one in chunk] for chunk in batched(deposits, TOGETHER)]
        by_two(chunks, lambda ids: _settle(ids, verdicts, result, at=at, actor=actor))
    return result


def _settle(ids: Sequence[int], verdicts: Mapping[int, Verdict], result: Matched, *, at: datetime, actor: Any) -> None:
    before = _held(ids)
    needed = {pk: before[pk] | _orders_of(verdicts[pk]) for pk in ids}
    with locked_orders(set[int]().union(*needed.values()), actor=actor, skip_locked=True) as (orders, lines):
        got, unpaid = {order.pk: order for order in orders}, _unpaid(lines)
        paying = {pk: order_id for pk in ids if (order_id := verdicts[pk].order_id) is not None}
        payments = main_of(payments_of([got[pk] for pk in sorted(set(paying.values()) & got.keys())]).values())
        deposits = [one for one in _free(ids) if one.state in WAITING]
        unpaid -= _being_refunded([got[pk] for pk in unpaid & got.keys()])
        fresh = [one for one in deposits if needed[one.pk] <= got.keys() and _still(one, verdicts[one.pk], got, unpaid)]
        sure = [one for one in fresh if one.pk in paying]
        unsure = [one for one in fresh if one.pk not in paying]
        _remember(fresh, verdicts)
        _pay(sure, {one.pk: payments[paying[one.pk]] for one in sure}, verdicts, held=lines, at=at)
        _queue(unsure, verdicts, at=at, actor=actor)
        touched = {order_id for one in fresh for order_id in needed[one.pk]}
        keep_in_step(order_ids=touched, actor=actor, at=at)
        failpoint(BOOKED)
    done = {one.pk for one in fresh}
    result.confirmed += [one.pk for one in sure]
    result.queued += [one.pk for one in unsure]
    result.again += [pk for pk in ids if pk not in done]


def _free(ids: Sequence[int]) -> list[BankDeposit]:
    rows = BankDeposit.objects.filter(Among("pk", ids))
    return locked(rows, skip_locked=True)


def _held(ids: Sequence[int]) -> dict[int, set[int]]:
    """Orders that the deposits hold until now."""
    found: dict[int, set[int]] = defaultdict(set)
    rows = DepositCandidate.objects.filter(Among("deposit_id", ids), holds=True)
    for deposit_id, order_id in rows.values_list("deposit_id", "order_id"):
        found[deposit_id].add(order_id)
    return found


def _orders_of(verdict: Verdict) -> set[int]:
    if verdict.order_id is not None:
        return {verdict.order_id}
    return {one.order.id for one in verdict.candidates if holds(verdict, one)}


def _unpaid(lines: Sequence[OrderLine]) -> set[int]:
    return {line.order_id for line in lines if line.state == LineState.AWAITING_PAYMENT}


def _being_refunded(orders: Sequence[Order]) -> set[int]:
    """Partly paid orders whose money is on its way back: what comes in beside it pays nothing."""
    ids = [order.pk for order in orders if order.paid_amount]
    rows = Refund.objects.filter(order__in=ids, state__in=REFUND_OPEN, entry=None) if ids else Refund.objects.none()
    return set(rows.values_list("order_id", flat=True))


def _still(deposit: BankDeposit, verdict: Verdict, orders: Mapping[int, Order], unpaid: set[int]) -> bool:
    """Whether what was decided without locks still holds."""
    mine = _orders_of(verdict)
    if not mine <= unpaid:
        return False
    wanted = {one.order.id: one.order.amount for one in verdict.candidates}
    return all(orders[pk].open_amount == wanted[pk] for pk in mine)


def _remember(deposits: Sequence[BankDeposit], verdicts: Mapping[int, Verdict]) -> None:
    """Candidates of the deposits that wait, as they are now; what was confirmed keeps its words only."""
    seen = [one.pk for one in deposits if one.state != DepositState.NEW]
    DepositCandidate.objects.filter(Among("deposit_id", seen)).delete()
    rows = [
        (deposit.pk, rank, one, verdicts[deposit.pk])
        for deposit in deposits
        if verdicts[deposit.pk].order_id is None
        for rank, one in enumerate(verdicts[deposit.pk].candidates, start=1)
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO payments_depositcandidate (deposit_id, order_id, rank, score, grade, words, holds, is_summand)"
            " SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::int[], %s::int[], %s::text[], %s::text[],"
            " %s::bool[], %s::bool[])",
            [
                [pk for pk, *_ in rows],
                [one.order.id for _, _, one, _ in rows],
                [rank for _, rank, *_ in rows],
                [one.score for _, _, one, _ in rows],
                [str(one.grade) for _, _, one, _ in rows],
                [one.words[:200] for _, _, one, _ in rows],
                [holds(verdict, one) for _, _, one, verdict in rows],
                [one.is_summand for _, _, one, _ in rows],
            ],
        )


def _pay(
    deposits: Sequence[BankDeposit],
    payments: Mapping[int, Payment],
    verdicts: Mapping[int, Verdict],
    *,
    held: Sequence[OrderLine],
    at: datetime,
) -> None:
    if not deposits:
        return
    references = references_of(deposits)
    pairs = [(one, payments[one.pk], references[one.pk]) for one in deposits]
    rows = [(payment, EntryKind.DEPOSIT, ref, one.amount) for one, payment, ref in pairs]
    book(rows, at=at, source=Source.TASK, came_at={payment.pk: one.at for one, payment, _ in pairs})
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO payments_depositallocation (deposit_id, payment_id, amount, reference, at, replaced_amount)"
            " SELECT v.*, %s, 0 FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[]) AS v",
            [
                at,
                [one.pk for one in deposits],
                [payment.pk for _, payment, _ in pairs],
                [one.amount for one in deposits],
                [ref for *_, ref in pairs],
            ],
        )
    explained = {one.pk: {"explained": verdicts[one.pk].explained[:200]} for one in deposits}
    record(move(deposits, BankDeposit.match, at=at, per_row=explained), events.DEPOSIT_MATCHED, at=at)
    paid = [payment.order_id for _, payment, _ in pairs]
    told = {payment.order_id: one.at for one, payment, _ in pairs}
    outcome = progress.confirm_payment(
        order_ids=paid,
        actor=None,
        at=at,
        source=Source.TASK,
        reason=events.DEPOSIT_MATCHED.label,
        held=held,
        paid_at=told,
    )
    if outcome.refused:
        raise RuntimeError(f"orders with their money were refused: {outcome.refused}")
    problems.settle_all([payment for _, payment, _ in pairs], [ProblemKind.UNDERPAID], at=at)


def references_of(deposits: Sequence[BankDeposit]) -> dict[int, str]:
    """거래 번호 for the ledger by deposit id: the fingerprint, numbered when the deposit was connected before."""
    times: dict[int, int] = defaultdict(int)
    earlier = DepositAllocation.objects.filter(Among("deposit_id", [one.pk for one in deposits]))
    for pk in earlier.values_list("deposit_id", flat=True):
        times[pk] += 1
    return {one.pk: f"bank-{one.fingerprint}" + (f"/{times[one.pk] + 1}" if times[one.pk] else "") for one in deposits}


def _queue(deposits: Sequence[BankDeposit], verdicts: Mapping[int, Verdict], *, at: datetime, actor: Any) -> None:
    # A waiting deposit about which nothing changed keeps its version: nobody's open dialog is refused for nothing.
    facts = {
        one.pk: {"reason": verdicts[one.pk].reason, "explained": verdicts[one.pk].explained[:200]} for one in deposits
    }
    changed = [
        one
        for one in deposits
        if one.state == DepositState.NEW or {"reason": one.reason, "explained": one.explained} != facts[one.pk]
    ]
    outcome = move(changed, BankDeposit.queue, at=at, per_row=facts)
    record(outcome, events.DEPOSIT_QUEUED, at=at, actor=actor)
