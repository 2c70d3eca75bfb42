"""환불 다시 신청: what a PG or a bank did not do is asked for anew, and what waited too long for its approval."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from core.events import record
from core.models import Job
from core.state import Outcome, is_preview, missing, move
from payments import events
from payments.models import Refund, RefundAccount
from payments.models.refund import sealed
from payments.services.refunds.locking import NOT_FOUND, locked_refunds, promised, rests_at_pg
from payments.services.refunds.requesting import OVER_AT_PG, TOO_MUCH, account_refusal, approve_own, needs_account
from payments.services.refunds.second_person import Watch, is_expired
from payments.states import RefundState, RefundWay

NOT_EXPIRED = "승인을 기다리는 환불입니다. 승인하거나 철회하세요."
NOT_OF_A_PG = "PG로 결제하지 않은 주문입니다. 다른 방법을 고르세요."


def _way_left(refund: Refund, at_pg: Mapping[int, int]) -> RefundWay:
    """다시 보낼 방법: as before; by bank transfer where the PG counts the money as paid back and a bank returned it."""
    is_gone = refund.way == RefundWay.PG and refund.amount > at_pg[refund.paid.pk]
    return RefundWay.BANK if is_gone else RefundWay(refund.way)


def retry(
    *,
    refund_ids: Collection[int],
    actor: Any,
    at: datetime,
    way: RefundWay | None = None,
    account: RefundAccount | None = None,
    batch: Job | None = None,
    source: str = "",
) -> Outcome:
    """환불 다시 신청: a failed refund under a new key, with another account or way where one is given.

    Or one that waited too long for its approval, by the rules of today.

    Needs its approval anew. Refused when its money was paid back otherwise meanwhile.
    """
    with locked_refunds(refund_ids, actor=actor) as refunds:
        payments = [refund.payment for refund in refunds if refund.payment is not None]
        taken, at_pg = promised(payments), rests_at_pg(payments)
        watch, refused, rows = Watch(actor, at), {}, {}
        old = [refund for refund in refunds if refund.state == RefundState.DRAFT]
        for refund in refunds:
            if refund in old or refund.payment is None or refund.payment_id is None:
                continue
            used, given = way or _way_left(refund, at_pg), account or refund.account
            rest = refund.payment.refundable - taken.get(refund.payment_id, 0)
            if refund.amount > rest:
                refused[refund.pk] = TOO_MUCH.format(rest=max(0, rest))
            elif used is RefundWay.PG and refund.payment.account_id is None:
                refused[refund.pk] = NOT_OF_A_PG
            elif used is RefundWay.PG and refund.amount > at_pg[refund.payment_id]:
                refused[refund.pk] = OVER_AT_PG.format(rest=max(0, at_pg[refund.payment_id]))
            elif (reason := account_refusal(refund.payment, given, used)) and not (is_preview() and given is None):
                refused[refund.pk] = reason
            elif refund.state == RefundState.FAILED:
                taken[refund.payment_id] = taken.get(refund.payment_id, 0) + refund.amount
                at_pg[refund.payment_id] -= refund.amount if used is RefundWay.PG else 0
                needed = given if needs_account(refund.payment, used) else None
                rows[refund.pk] = {
                    "way": used,
                    "sealed_account": sealed(needed),
                    "by_id": actor.pk if actor else None,
                    "needs_second": watch.needs_second(refund.payment, refund.amount, needed),
                }
        data = {refund.pk: {"key": str(refund.key), "error": refund.last_error} for refund in refunds}
        failed = [refund for refund in refunds if refund not in old]
        outcome = move(failed, Refund.reopen, at=at, refuse=refused, per_row=rows)
        outcome.refused |= missing(set(refund_ids), refunds, text=NOT_FOUND)
        facts: dict[str, Any] = {"at": at, "actor": actor, "batch": batch, "source": source}
        record(outcome, events.REFUND_REOPENED, data=data, **facts)
        outcome.merge(_renew(old, account, watch=watch, taken=taken, **facts))
        approve_own(outcome.moved, **facts)
    return outcome


def _renew(
    refunds: Sequence[Refund],
    account: RefundAccount | None,
    *,
    watch: Watch,
    taken: Mapping[int, int],
    at: datetime,
    actor: Any,
    **facts: Any,
) -> Outcome:
    """오래된 신청 다시: the same won, the way it was to go. They are drafts, locked; what they ask for is promised."""
    refused, rows = {}, {}
    for refund in refunds:
        given = account or refund.account
        if refund.deposit is not None:
            needs_second = watch.is_two_peoples(refund.deposit.depositor, refund.amount, given)
        else:
            way, payment = RefundWay(refund.way), refund.paid
            given = given if needs_account(payment, way) else None
            rest = payment.refundable - taken.get(payment.pk, 0) + refund.amount
            needs_second = watch.needs_second(payment, refund.amount, given)
            if refund.amount > rest:
                refused[refund.pk] = TOO_MUCH.format(rest=max(0, rest))
            elif text := account_refusal(payment, given, way):
                refused[refund.pk] = text
        if not is_expired(refund, at=at):
            refused[refund.pk] = NOT_EXPIRED
        rows[refund.pk] = {
            "by_id": actor.pk if actor else None,
            "sealed_account": sealed(given),
            "needs_second": needs_second,
            "reason": refund.reason,
        }
    outcome = move(list(refunds), Refund.ask, at=at, refuse=refused, per_row=rows)
    data = {refund.pk: {"amount": refund.amount, "way": str(refund.way)} for refund in refunds}
    record(outcome, events.REFUND_REQUESTED, at=at, actor=actor, data=data, **facts)
    return outcome
