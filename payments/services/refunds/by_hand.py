"""직접 환불: money that staff send themselves, from the shop's bank account or at the place where the buyer paid.

And what staff have found out about transfers of which a PG does not tell whether they arrived.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from core.events import record
from core.models import Job
from core.state import Outcome, explain, is_preview, missing, move
from payments import events
from payments.models import LedgerEntry, MoneyProblem, PgAccount, Refund
from payments.services.ledger import problems
from payments.services.ledger.booking import book
from payments.services.pg_accounts import pg_of
from payments.services.refunds import returning, settling
from payments.services.refunds.locking import NOT_FOUND, locked_refunds
from payments.services.refunds.settling import settle_problems
from payments.states import EntryKind, ProblemKind, RefundState, RefundWay

NOT_OPEN = "이체 결과를 직접 정할 환불이 아닙니다. PG가 결과를 알려 줄 때까지 기다리세요."
BOUNCED = "직원이 PG에서 이체 실패를 확인했습니다. 환불계좌를 확인하세요."
SPENT = "결제 내역에 남은 금액 {balance:,}원보다 환불액이 큽니다. 결제 내역을 확인하세요."


def pay_out(
    *, refund_ids: Collection[int], actor: Any, at: datetime, batch: Job | None = None, source: str = ""
) -> Outcome:
    """이체 완료: approved refunds that no PG does were paid; books each once under its number.

    Refused: not approved, done by a PG, or the payment holds less by now. `sums` tell the won that were paid.
    """
    with locked_refunds(refund_ids, actor=actor) as refunds:
        out_of = [refund for refund in refunds if refund.deposit is None]
        left = {refund.paid.pk: refund.paid.refundable for refund in out_of}
        refused, good = {}, []
        for refund in out_of:
            if explain(refund, Refund.pay_out) is not None:
                continue
            if refund.amount > left[refund.paid.pk]:
                refused[refund.pk] = SPENT.format(balance=left[refund.paid.pk])
                continue
            left[refund.paid.pk] -= refund.amount
            good.append(refund)
        rows = {} if is_preview() else _book(good, actor=actor, at=at, batch=batch)
        rows |= {refund.pk: {"entry_id": None} for refund in refunds if refund.deposit is not None}
        outcome = move(refunds, Refund.pay_out, at=at, refuse=refused, per_row=rows)
        outcome.refused |= missing(set(refund_ids), refunds, text=NOT_FOUND)
        outcome.sums["won"] = sum(refund.amount for refund in outcome.possible)
        data = {refund.pk: {"amount": refund.amount, "way": str(refund.way)} for refund in outcome.moved}
        record(outcome, events.REFUND_COMPLETED, at=at, actor=actor, batch=batch, source=source, data=data)
        returning.finish(outcome.moved, at=at, actor=actor, batch=batch)
        for refund in outcome.moved:
            if refund.payment is not None:
                settle_problems(refund.payment, at=at)
    return outcome


def confirm_payout(
    *, refund_ids: Collection[int], actor: Any, at: datetime, batch: Job | None = None, source: str = ""
) -> Outcome:
    """이체 확인: somebody has seen at the PG that the buyer has the money.

    Only for transfers that the PG leaves open: there is a REFUND_FAILED case of their payment, which this closes. And
    for those of PGs that never tell of one (NICEPAY, KG Inicis), as long as they count as on their way.
    """
    with locked_refunds(refund_ids, actor=actor) as refunds:
        outcome = move(refunds, Refund.arrive, at=at, refuse=_decided(refunds))
        outcome.refused |= missing(set(refund_ids), refunds, text=NOT_FOUND)
        data = {refund.pk: {"amount": refund.amount, "way": str(refund.way)} for refund in outcome.moved}
        record(outcome, events.REFUND_COMPLETED, at=at, actor=actor, batch=batch, source=source, data=data)
        for refund in outcome.moved:
            others = Refund.objects.filter(payment=refund.paid, state__in=[RefundState.ACCEPTED, RefundState.FAILED])
            if not others.exists():
                problems.settle(refund.paid, [ProblemKind.REFUND_FAILED], at=at)
    return outcome


def report_bounce(
    *, refund_ids: Collection[int], actor: Any, at: datetime, batch: Job | None = None, source: str = ""
) -> Outcome:
    """이체 실패: somebody has seen at the PG that the bank could not pay it out; the money is with us again.

    For the same transfers as `confirm_payout`. Source: payments.md 5.8, A74.
    """
    with locked_refunds(refund_ids, actor=actor) as refunds:
        refused = _decided(refunds)
        if not is_preview():
            for refund in refunds:
                if refund.pk not in refused:
                    settling.credit_back(refund, at=at, actor=actor)
        known = _with_case(refunds)
        outcome = move(refunds, Refund.fail, at=at, refuse=refused, error=BOUNCED)
        for refund in outcome.moved:
            if refund.paid.pk not in known:
                detail = f"환불 {refund.key}"
                problems.open_for(refund.paid, ProblemKind.REFUND_FAILED, amount=refund.amount, at=at, detail=detail)
        outcome.refused |= missing(set(refund_ids), refunds, text=NOT_FOUND)
        record(outcome, events.REFUND_FAILED, at=at, actor=actor, batch=batch, source=source, reason=BOUNCED)
    return outcome


def _decided(refunds: Collection[Refund]) -> dict[int, str]:
    """Those that are no transfer of which the PG leaves open what became of it, or of which no PG of its kind tells."""
    waiting = [one for one in refunds if one.state == RefundState.ACCEPTED and one.way == RefundWay.PG]
    accounts = PgAccount.objects.filter(pk__in={one.paid.account_id for one in waiting})
    mute = {account.pk for account in accounts if not pg_of(account).capabilities.tells_payouts}
    asked = _with_case(waiting)
    open_ones = {one.pk for one in waiting if one.payment_id in asked or one.paid.account_id in mute}
    return {one.pk: NOT_OPEN for one in refunds if one.pk not in open_ones}


def _with_case(refunds: Collection[Refund]) -> set[int]:
    """Ids of their payments of which a transfer is an open case."""
    mine = MoneyProblem.objects.filter(payment__in=[one.payment_id for one in refunds], resolved_at=None)
    return {one.payment_id for one in mine.filter(kind=ProblemKind.REFUND_FAILED) if one.payment_id is not None}


def _book(refunds: Collection[Refund], *, actor: Any, at: datetime, batch: Job | None) -> dict[int, dict[str, Any]]:
    """Ledger rows of refunds; the row of each by refund id."""
    shared = {refund.paid.pk: refund.paid for refund in refunds}
    rows = [(shared[r.paid.pk], EntryKind.PAID_OUT, f"R{r.key.hex}", -r.amount) for r in refunds]
    book(rows, at=at, actor=actor, batch=batch)
    found = LedgerEntry.objects.filter(kind=EntryKind.PAID_OUT, reference__in=[row[2] for row in rows])
    entries = dict(found.values_list("reference", "pk"))
    return {refund.pk: {"entry_id": entries[f"R{refund.key.hex}"]} for refund in refunds}
