"""환불 기장: what a PG did with a refund goes into the ledger exactly once, whoever hears of it first.

That is the answer to our own call, or a re-query that shows a refund which we have under way. Both find the other's
row by its reference. The caller holds order, payment and refund.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from core.events import record
from core.locks import locked
from core.models import Source
from core.state import move
from orders.states import LineState
from payments import events
from payments.models import LedgerEntry, Payment, Refund
from payments.services.ledger import problems
from payments.services.ledger.booking import Row, book
from payments.services.ledger.keeping import kept
from payments.states import ENDED, LATE_MONEY, SURPLUS, EntryKind, ProblemKind, RefundState

CHECK_AFTER = timedelta(hours=1)
TAKEN_BACK = "신청한 환불을 철회했습니다."
UNTOLD = "환불 {key}: PG가 이체 결과를 알려 주지 않습니다. PG 관리자 화면에서 확인하고 환불 관리에서 정하세요."
IN_FLIGHT = (RefundState.SENDING, RefundState.UNKNOWN)


def settle(refund: Refund, *, reference: str, is_final: bool, answered_at: datetime, at: datetime) -> None:
    """환불 응답 기장: the PG took it. Books unless a re-query has booked it meanwhile.

    A re-query that began before `answered_at` may not know of the refund and must not be applied after this. That is
    no question of ours: what else the PG has done meanwhile is still to be asked for.
    """
    Payment.objects.filter(Q(synced_at=None) | Q(synced_at__lt=answered_at), pk=refund.paid.pk).update(
        synced_at=answered_at
    )
    if refund.state not in IN_FLIGHT:
        if refund.state == RefundState.ACCEPTED and refund.reference not in {"", reference}:
            # A refund of the same sum was taken for this one: the next check makes the ledger that of the PG.
            Refund.objects.filter(pk=refund.pk).update(reference=reference, due_at=at)
        elif refund.state == RefundState.ACCEPTED and is_final:
            arrive(refund, at=at)
        return
    used = reference[:80] or f"R{refund.key.hex}"
    entry = LedgerEntry.objects.filter(payment=refund.paid, kind=EntryKind.REFUND, reference=used).first()
    if entry is None:
        book([(refund.paid, EntryKind.REFUND, used, -refund.amount)], at=at, reason=refund.reason)
        entry = LedgerEntry.objects.get(payment=refund.paid, kind=EntryKind.REFUND, reference=used)
    _done(refund, entry=entry, reference=reference, is_final=is_final, at=at)


def recognise(rows: Sequence[Row], *, at: datetime) -> dict[int, int]:
    """우리 환불 알아보기: ledger rows that a re-query has just booked and that our own refunds explain.

    Returns the won that went out by payment id, negative for what came back of a failed refund; the order need not be
    looked at because of them. Payments are locked.
    """
    mine = [row for row in rows if row[1] in {EntryKind.REFUND, EntryKind.REFUND_UNDONE}]
    if not mine:
        return {}
    payments = {payment.pk: payment for payment, *_ in mine}
    states = [*IN_FLIGHT, RefundState.ACCEPTED]
    open_refunds: dict[int, list[Refund]] = defaultdict(list)
    for refund in locked(Refund.objects.filter(payment__in=payments, state__in=states)):
        refund.payment = payments[refund.paid.pk]
        open_refunds[refund.paid.pk].append(refund)
    explained: dict[int, int] = defaultdict(int)
    for payment, kind, reference, amount in mine:
        found = _match(open_refunds[payment.pk], kind, reference, abs(amount))
        if found is None:
            continue
        open_refunds[payment.pk].remove(found)
        if kind == EntryKind.REFUND_UNDONE:
            fail(found, error="PG에서 환불이 취소되었습니다.", at=at)
            explained[payment.pk] -= found.amount
            continue
        entry = LedgerEntry.objects.get(payment=payment, kind=kind, reference=reference)
        _done(found, entry=entry, reference=reference, is_final=not found.sealed_account, at=at)
        explained[payment.pk] += found.amount
    return explained


def _match(refunds: Sequence[Refund], kind: EntryKind, reference: str, amount: int) -> Refund | None:
    wanted = [RefundState.ACCEPTED] if kind == EntryKind.REFUND_UNDONE else IN_FLIGHT
    fitting = [refund for refund in refunds if refund.state in wanted and refund.amount == amount]
    return next((refund for refund in fitting if refund.reference == reference), fitting[0] if fitting else None)


def arrive(refund: Refund, *, at: datetime) -> None:
    """환불완료: the bank has paid it out."""
    _tell(refund, Refund.arrive, events.REFUND_COMPLETED, at=at, data={"amount": refund.amount})


def bounce(refund: Refund, *, at: datetime) -> None:
    """환불 실패 기장: the bank could not pay out what the PG had taken; the money is with us again (A74)."""
    credit_back(refund, at=at)
    fail(refund, error="은행이 환불금을 입금하지 못했습니다. 환불계좌를 확인하세요.", at=at)


def credit_back(refund: Refund, *, at: datetime, actor: Any = None) -> None:
    """환불금 되돌림: the ledger row of a transfer that came back; the PG goes on counting it as refunded."""
    reference = refund.entry.reference if refund.entry is not None else f"R{refund.key.hex}"
    row = (refund.paid, EntryKind.REFUND_FAILED, reference, refund.amount)
    book([row], at=at, actor=actor, reason=refund.reason)


def ask_person(refund: Refund, *, at: datetime) -> None:
    """예외 등록: the PG does not tell what became of this transfer; nothing is booked until somebody has found out."""
    detail = UNTOLD.format(key=refund.key)
    problems.open_for(refund.paid, ProblemKind.REFUND_FAILED, amount=refund.amount, at=at, detail=detail)


def fail(refund: Refund, *, error: str, at: datetime) -> None:
    """환불 실패: with the reason for staff; one that had been accepted opens a money problem."""
    was_accepted = refund.state == RefundState.ACCEPTED
    _tell(refund, Refund.fail, events.REFUND_FAILED, at=at, reason=error, error=error[:300])
    if was_accepted:
        problems.open_for(
            refund.paid, ProblemKind.REFUND_FAILED, amount=refund.amount, at=at, detail=f"환불 {refund.key}"
        )


def _done(refund: Refund, *, entry: LedgerEntry, reference: str, is_final: bool, at: datetime) -> None:
    data = {"amount": refund.amount, "reference": reference}
    facts: dict[str, Any] = {"entry_id": entry.pk, "reference": reference[:80]}
    if is_final:
        _tell(refund, Refund.complete, events.REFUND_COMPLETED, at=at, data=data, **facts)
    else:
        _tell(refund, Refund.accept, events.REFUND_ACCEPTED, at=at, data=data, due_at=at + CHECK_AFTER, **facts)
    settle_problems(refund.paid, at=at)


def settle_problems(payment: Payment, *, at: datetime) -> None:
    """예외 해결: what was too much has gone back, or all that was too little."""
    order, won = payment.order, kept(payment)
    if won.surplus <= 0:
        problems.settle(payment, [ProblemKind.OVERPAID, ProblemKind.DUPLICATE_DEPOSIT], at=at)
    if not order.paid_amount:
        problems.settle(payment, [ProblemKind.UNDERPAID], at=at)
    if order.stage in ENDED and won.surplus <= 0:
        problems.settle(payment, LATE_MONEY, at=at)
    if not Refund.objects.filter(payment=payment, state=RefundState.HELD).exists():
        problems.settle(payment, [ProblemKind.REFUND_UNCOVERED], at=at)
    # Nothing that a bank has sent back, or may yet, is left to be paid.
    if not Refund.objects.filter(payment=payment, state__in=[RefundState.FAILED, RefundState.ACCEPTED]).exists():
        problems.settle(payment, [ProblemKind.REFUND_FAILED], at=at)
    problems.forget_unseen(payment, at=at)


def ask_again(payment: Payment, *, at: datetime, detail: str = TAKEN_BACK) -> None:
    """예외 다시 등록: money about which nobody has decided any more waits for a decision again."""
    if found := undecided(payment):
        kinds, won = found
        problems.open_one(payment, kinds, amount=won, at=at, detail=detail)


def undecided(payment: Payment) -> tuple[tuple[ProblemKind, ...], int] | None:
    """정하지 않은 돈: the kinds of case that it may be, a new one's first, and won; None if all is decided."""
    stage, won = payment.order.stage, kept(payment)
    if won.surplus > 0:
        late = (ProblemKind.LATE_AFTER_CANCEL, ProblemKind.LATE_AFTER_EXPIRE)
        return late if stage in ENDED else SURPLUS, won.surplus
    if stage == LineState.AWAITING_PAYMENT and won.surplus < 0 < won.free:
        return (ProblemKind.UNDERPAID,), -won.surplus
    return None


def _tell(
    refund: Refund, transition: Any, kind: Any, *, at: datetime, reason: str = "", data: Any = None, **facts: Any
) -> None:
    outcome = move([refund], transition, at=at, **facts)
    if outcome.refused:
        raise RuntimeError(f"refund {refund.pk} was refused: {outcome.refused}")
    record(outcome, kind, at=at, source=Source.TASK, reason=reason[:200], data={refund.pk: data} if data else None)
