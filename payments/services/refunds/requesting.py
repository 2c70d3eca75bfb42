"""환불: asked for, approved, held, taken back, tried again; the money itself moves elsewhere.

Sending is the work of refund_sending, bank transfers by staff that of refund_by_hand. Every service takes a set, locks
orders, lines, payments, refunds in this order and reports each row. Source: payments.md 5.8, reliability.md 4.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from core import drains
from core.events import record
from core.models import Job
from core.state import Change, Outcome, is_preview, missing, move
from orders.services.locking import locked_orders
from orders.states import PaymentMethod
from payments import events
from payments.models import MoneyProblem, Payment, Refund, RefundAccount, RefundCalculation
from payments.models.refund import sealed
from payments.services.ledger import problems
from payments.services.ledger.booking import payments_of
from payments.services.refunds import returning, settling
from payments.services.refunds.covering import NOT_COVERED, TO_MOVE
from payments.services.refunds.listing import listings
from payments.services.refunds.locking import NOT_FOUND, beside_pg, locked_refunds, promised, rests_at_pg
from payments.services.refunds.second_person import APPROVE, SECOND_PERSON, Watch, is_expired, is_own
from payments.states import RefundState, RefundWay, Resolution

CHANNEL = "oms_refunds"
NO_PAYMENT = "결제를 찾을 수 없습니다. 화면을 새로 고치세요."
NO_AMOUNT = "환불할 금액을 1원 이상으로 입력하세요."
TOO_MUCH = "환불 가능 금액을 초과했습니다. 지금 환불할 수 있는 금액은 {rest:,}원입니다."
OVER_AT_PG = "PG에 남은 {rest:,}원보다 많은 환불입니다. 환불 방법에서 '은행 이체'를 고르세요."
NO_ACCOUNT = "환불계좌를 입력하세요. 계좌로 받은 돈은 계좌로 돌려줍니다."
NO_ACCOUNT_TO_BANK = "환불계좌를 입력하세요. 은행 이체로 돌려주려면 계좌가 필요합니다."
BAD_ACCOUNT = "환불계좌의 계좌번호는 숫자 6~20자리로 입력하고 예금주를 함께 적어 주세요."
EXPIRED = "신청한 지 72시간이 지난 환불입니다. '환불 다시 신청'으로 다시 신청하세요."
ASK_THERE = "다른 사람의 승인이 필요한 환불입니다. 예외 입금에서 먼저 신청하세요."
ACCOUNT_THERE = "환불계좌가 없는 환불입니다. 예외 입금에서 환불계좌를 입력하고 신청하세요."
BANK_METHODS = frozenset({PaymentMethod.BANK_TRANSFER, PaymentMethod.VIRTUAL_ACCOUNT})


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """환불 신청 한 건: won out of one payment, and the account where the buyer gets it by transfer."""

    payment_id: int
    amount: int
    account: RefundAccount | None = None
    calculation: RefundCalculation | None = None
    problem: MoneyProblem | None = None


@dataclass(slots=True)
class Requested:
    """신청 결과: the new refunds, and for each other ask (by its place) the Korean reason."""

    refunds: list[Refund] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)


def ways_of(payment: Payment, won: int, *, at_pg: int) -> list[tuple[RefundWay, int]]:
    """환불 나누기: money goes back the way it came; (way, won), the PG first.

    A PG pays back what it holds (`at_pg`, won) and nothing else: what staff booked by hand, or what a bank could not
    pay out, goes back by bank transfer. Money that no PG of ours took goes back by transfer or where the buyer paid.
    """
    if payment.account_id is None:
        return [(RefundWay.BANK if payment.method in BANK_METHODS else RefundWay.PROVIDER, won)]
    through = max(0, min(won, at_pg))
    return [(way, part) for way, part in ((RefundWay.PG, through), (RefundWay.BANK, won - through)) if part]


def way_of(payment: Payment) -> RefundWay:
    """환불 방법 of all that is left of a payment in one refund: through its PG only when that holds all of it."""
    if payment.account_id is None:
        return ways_of(payment, 1, at_pg=0)[0][0]
    is_at_pg = beside_pg(payment) <= 0 and rests_at_pg([payment])[payment.pk] > 0
    return RefundWay.PG if is_at_pg else RefundWay.BANK


def needs_account(payment: Payment, way: RefundWay | None = None) -> bool:
    """환불계좌 여부: money that came into an account cannot go back the way it came."""
    if payment.method == PaymentMethod.VIRTUAL_ACCOUNT and way is not RefundWay.PROVIDER:
        return True
    return (way or way_of(payment)) is RefundWay.BANK


def request(
    *,
    asks: Collection[Ask],
    reason: str,
    actor: Any,
    at: datetime,
    batch: Job | None = None,
    source: str = "",
) -> Requested:
    """환불 신청: one refund for each ask that its payment can bear; several of one payment are taken in their order.

    Where the money came in two ways, an ask becomes two refunds, one for each way (`ways_of`).
    Approved at once where the person may approve and no second one is needed; the rest waits as 승인 대기.
    """
    result, asked = Requested(), list(asks)
    order_ids = Payment.objects.filter(pk__in={ask.payment_id for ask in asked}).values_list("order_id", flat=True)
    with locked_orders(set(order_ids), actor=actor) as (orders, _):
        payments = payments_of(orders)
        taken, at_pg = promised(payments.values()), rests_at_pg(payments.values())
        watch = Watch(actor, at)
        for place, ask in enumerate(asked):
            payment = payments.get(ask.payment_id)
            ways = ways_of(payment, ask.amount, at_pg=at_pg[payment.pk]) if payment is not None else []
            refusal = refusal_of(payment, ask, taken.get(ask.payment_id, 0), [way for way, _ in ways])
            if refusal is not None or payment is None:
                result.refused[place] = refusal or NO_PAYMENT
                continue
            taken[payment.pk] = taken.get(payment.pk, 0) + ask.amount
            at_pg[payment.pk] -= dict(ways).get(RefundWay.PG, 0)
            result.refunds += _drafts(payment, ask, ways, reason=reason, actor=actor, watch=watch)
        if is_preview():
            return result
        for refund in result.refunds:
            refund.save(force_insert=True)
        opened = Outcome(changes=[Change(refund, "", RefundState.DRAFT, 0) for refund in result.refunds])
        data = {refund.pk: {"amount": refund.amount, "way": str(refund.way)} for refund in result.refunds}
        facts: dict[str, Any] = {"at": at, "actor": actor, "batch": batch, "source": source}
        record(opened, events.REFUND_REQUESTED, reason=reason, data=data, **facts)
        approve_own(result.refunds, **facts)
    return result


def refusal_of(payment: Payment | None, ask: Ask, taken: int, ways: Collection[RefundWay]) -> str | None:
    """거절 이유 of one ask against its locked payment; `taken` are won already promised out of it."""
    if payment is None:
        return NO_PAYMENT
    if ask.amount < 1:
        return NO_AMOUNT
    rest = payment.refundable - taken
    if ask.amount > rest:
        return TOO_MUCH.format(rest=max(0, rest))
    return next((text for way in ways if (text := account_refusal(payment, ask.account, way))), None)


def account_refusal(payment: Payment, account: RefundAccount | None, way: RefundWay | None = None) -> str | None:
    """환불계좌가 없거나 틀린 이유."""
    if not needs_account(payment, way):
        return None
    if account is None:
        return NO_ACCOUNT if needs_account(payment) else NO_ACCOUNT_TO_BANK
    return None if is_good_account(account) else BAD_ACCOUNT


def is_good_account(account: RefundAccount) -> bool:
    """환불계좌로 쓸 수 있는지: digits, a bank and a holder."""
    good = account.number.isascii() and account.number.isdigit() and 6 <= len(account.number) <= 20
    return good and bool(account.bank) and bool(account.holder.strip())


def _drafts(
    payment: Payment, ask: Ask, ways: Sequence[tuple[RefundWay, int]], *, reason: str, actor: Any, watch: Watch
) -> list[Refund]:
    """The refunds of one ask. Whether it takes two people is decided of the whole, whatever its parts are."""
    accounts = [ask.account if needs_account(payment, way) else None for way, _ in ways]
    needs_second = watch.needs_second(payment, ask.amount, next(filter(None, accounts), None))
    return [
        Refund(
            payment=payment,
            order=payment.order,
            calculation=ask.calculation,
            # A problem has one refund that stands; the other part is known by its payment.
            problem=None if place else ask.problem,
            way=way,
            amount=won,
            reason=reason[:200],
            sealed_account=sealed(accounts[place]),
            needs_second=needs_second,
            requested_by=actor,
            requested_at=watch.at,
        )
        for place, (way, won) in enumerate(ways)
    ]


def approve_own(refunds: Collection[Refund], *, actor: Any, at: datetime, **facts: Any) -> None:
    """바로 승인: what needs no second person is approved by who asked for it, when that person may."""
    free = [refund for refund in refunds if not refund.needs_second]
    if actor is not None and free and actor.has_perm(APPROVE):
        outcome = move(free, Refund.approve, at=at, by_id=actor.pk)
        record(outcome, events.REFUND_APPROVED, at=at, actor=actor, **facts)
        drains.notify(CHANNEL)


def adopt(
    drafts: Collection[Refund],
    *,
    actor: Any,
    at: datetime,
    reason: str = "",
    account: RefundAccount | None = None,
    alone: bool = False,
    batch: Job | None = None,
    source: str = "",
) -> Outcome:
    """환불 초안 신청: a person asks for what was prepared; what is refused stays as it was prepared. They are locked.

    `alone` refuses what one person may not both ask for and approve. Source: payments.md 5.6, reliability.md D8.
    """
    if not drafts:
        return Outcome()
    watch, refused, rows = Watch(actor, at), {}, {}
    for draft in drafts:
        way = RefundWay(draft.way)
        given = account if needs_account(draft.paid, way) else None
        needs_second = watch.needs_second(draft.paid, draft.amount, given)
        if text := account_refusal(draft.paid, given, way):
            refused[draft.pk] = ACCOUNT_THERE if alone else text
        elif alone and needs_second:
            refused[draft.pk] = ASK_THERE
        rows[draft.pk] = {
            "by_id": actor.pk,
            "sealed_account": sealed(given),
            "needs_second": needs_second,
            "reason": reason[:200] or draft.reason,
        }
    outcome = move(list(drafts), Refund.ask, at=at, refuse=refused, per_row=rows)
    data = {draft.pk: {"amount": draft.amount, "way": str(draft.way)} for draft in drafts}
    record(outcome, events.REFUND_REQUESTED, at=at, actor=actor, batch=batch, source=source, reason=reason, data=data)
    return outcome


def approve(
    *, refund_ids: Collection[int], actor: Any, at: datetime, batch: Job | None = None, source: str = ""
) -> Outcome:
    """환불 승인: from now on the money moves by itself.

    Refused where another person than the requester must say so, and where it was asked for too long ago.

    Who approves a prepared refund has asked for it as well, and decided about its late money; where that takes two
    people or an account, it is asked for there first. `sums` of the outcome tell the won that were approved.
    """
    with locked_refunds(refund_ids, actor=actor) as refunds:
        own = {one.pk: SECOND_PERSON for one in refunds if is_own(one, actor)}
        own |= {one.pk: EXPIRED for one in refunds if one.state == RefundState.DRAFT and is_expired(one, at=at)}
        prepared = [refund for refund in refunds if refund.is_prepared]
        asked = adopt(prepared, alone=True, actor=actor, at=at, batch=batch, source=source)
        own |= asked.refused
        outcome = move(refunds, Refund.approve, at=at, refuse=own, by_id=actor.pk)
        outcome.sums["won"] = sum(refund.amount for refund in outcome.possible)
        outcome.refused |= missing(set(refund_ids), refunds, text=NOT_FOUND)
        record(outcome, events.REFUND_APPROVED, at=at, actor=actor, batch=batch, source=source)
        if outcome.moved:
            drains.notify(CHANNEL)
            ids = {refund.problem_id for refund in prepared} & {refund.problem_id for refund in outcome.moved}
            late = Outcome(possible=list(MoneyProblem.objects.filter(pk__in=ids, resolved_at=None).order_by("pk")))
            problems.decide(late, Resolution.REFUNDED, actor=actor, at=at, reason="", batch=batch)
        # A prepared refund moved twice: whoever looks at the versions finds both.
        outcome.changes[:0] = asked.changes
    return outcome


def hold(
    *, refund_ids: Collection[int], actor: Any, at: datetime, reason: str, batch: Job | None = None, source: str = ""
) -> Outcome:
    """환불보류: nothing is sent until somebody releases it. `sums` tell how many stand in a list for the bank."""
    with locked_refunds(refund_ids, actor=actor) as refunds:
        outcome = move(refunds, Refund.hold, at=at)
        outcome.sums["listed"] = len(listings([one.pk for one in outcome.possible]))
        outcome.refused |= missing(set(refund_ids), refunds, text=NOT_FOUND)
        record(outcome, events.REFUND_HELD, at=at, actor=actor, batch=batch, source=source, reason=reason)
    return outcome


def release(
    *, refund_ids: Collection[int], actor: Any, at: datetime, batch: Job | None = None, source: str = ""
) -> Outcome:
    """환불보류 해제: back to where it was held; an approved one is sent. Refused where its money has gone meanwhile."""
    with locked_refunds(refund_ids, actor=actor) as refunds:
        outcome = move(refunds, Refund.release, at=at, refuse=_uncovered_by(refunds))
        outcome.refused |= missing(set(refund_ids), refunds, text=NOT_FOUND)
        record(outcome, events.REFUND_RELEASED, at=at, actor=actor, batch=batch, source=source)
        for payment in [refund.payment for refund in outcome.moved if refund.payment is not None]:
            settling.settle_problems(payment, at=at)
        if outcome.moved:
            drains.notify(CHANNEL)
    return outcome


def _uncovered_by(refunds: Collection[Refund]) -> dict[int, str]:
    """Held refunds that would take more than stands, one after the other."""
    payments = {one.payment.pk: one.payment for one in refunds if one.payment is not None}
    rows = Refund.objects.filter(payment__in=payments, state__in=TO_MOVE, entry=None)
    left = {pk: one.refundable for pk, one in payments.items()}
    for payment_id, amount in rows.values_list("payment_id", "amount"):
        left[payment_id or 0] -= amount
    refused = {}
    for one in refunds:
        if one.payment is None or one.state != RefundState.HELD:
            continue
        if one.amount > left[one.payment.pk]:
            refused[one.pk] = NOT_COVERED
        else:
            left[one.payment.pk] -= one.amount
    return refused


def withdraw(
    *, refund_ids: Collection[int], actor: Any, at: datetime, reason: str, batch: Job | None = None, source: str = ""
) -> Outcome:
    """환불 철회: before anything was sent, or after it has failed for certain; the money stays with us.

    `sums` tell how many stand in a list that somebody has taken to the bank.
    """
    with locked_refunds(refund_ids, actor=actor) as refunds:
        outcome = move(refunds, Refund.withdraw, at=at)
        outcome.sums["listed"] = len(listings([one.pk for one in outcome.possible]))
        outcome.refused |= missing(set(refund_ids), refunds, text=NOT_FOUND)
        record(outcome, events.REFUND_WITHDRAWN, at=at, actor=actor, batch=batch, source=source, reason=reason)
        returning.keep(outcome.moved, at=at, actor=actor, batch=batch, reason=reason)
        for payment in [refund.payment for refund in outcome.moved if refund.payment is not None]:
            settling.settle_problems(payment, at=at)
            settling.ask_again(payment, at=at)
    return outcome
