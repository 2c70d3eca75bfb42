"""미확인·예외 입금: opened where money does not fit, settled by themselves when it fits again."""

from collections.abc import Collection, Iterable
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Q

from core.events import record
from core.lookups import Among
from core.models import Job
from core.state import Change, Outcome
from payments import events
from payments.models import MoneyProblem, Payment
from payments.states import OF_ORDER, ProblemKind, ProblemStage, Resolution

UNKNOWN = "자사몰이 알린 가상계좌를 PG가 모릅니다. PG 관리자 화면에서 거래번호를 확인하세요."
LOST = "PG가 전에 알던 결제를 모른다고 답합니다. PG 관리자 화면에서 입금을 확인하세요. 그때까지 자동취소하지 않습니다."
UNSEEN = "직접 확인한 입금 {by_hand:,}원 가운데 {seen:,}원만 PG에 있습니다."
NOT_KNOWN = (UNKNOWN, LOST)
"""What a case says as long as its PG does not know the payment."""


def open_for(payment: Payment, kind: ProblemKind, *, amount: int, at: datetime, detail: str = "") -> None:
    """예외 등록: one open row for a payment, or its order (OF_ORDER), and kind; a repeat brings the amount up to date.

    Orders and payments are locked.
    """
    mine = MoneyProblem.objects.filter(_about([payment], [kind]), resolved_at=None)
    if not mine.exists():
        MoneyProblem.objects.bulk_create(
            [
                MoneyProblem(
                    kind=kind, payment=payment, order_id=payment.order_id, amount=amount, found_at=at,
                    detail=detail[:300],
                )
            ],
            ignore_conflicts=True,
        )  # fmt: skip
    mine.exclude(amount=amount).update(amount=amount, detail=detail[:300], updated_at=at)


def open_once(payment: Payment, kind: ProblemKind, *, amount: int, at: datetime, detail: str) -> None:
    """예외 등록, unless a person has closed one that said the same: what is found again and again is told once."""
    same = MoneyProblem.objects.filter(payment=payment, kind=kind, amount=amount, detail=detail[:300])
    if not same.exclude(resolution__in=["", Resolution.FITS]).exists():
        open_for(payment, kind, amount=amount, at=at, detail=detail)


def know_again(payment_ids: Iterable[int], *, at: datetime) -> None:
    """저절로 해결: the PG knows these payments by now."""
    if mine := list(payment_ids):
        kind = ProblemKind.MISMATCH_WITH_PG
        MoneyProblem.objects.filter(Among("payment_id", mine), kind=kind, detail__in=NOT_KNOWN).fit(at=at)


def forget_unseen(payment: Payment, *, at: datetime) -> None:
    """저절로 해결: all money of this payment has gone back, so nobody looks any more for what the PG does not show."""
    if payment.refundable <= 0:
        said = MoneyProblem.objects.filter(payment=payment, kind=ProblemKind.MISMATCH_WITH_PG)
        said.filter(detail__startswith=UNSEEN.partition("{")[0]).fit(at=at)


def amend(payment: Payment, kinds: Collection[ProblemKind], *, amount: int, at: datetime) -> bool:
    """예외 금액 고치기: the open row of these kinds stands for so many won by now; whether there is one."""
    mine = MoneyProblem.objects.filter(_about([payment], kinds), resolved_at=None)
    mine.exclude(amount=amount).update(amount=amount, updated_at=at)
    return bool(mine.exists())


def open_one(payment: Payment, kinds: Collection[ProblemKind], *, amount: int, at: datetime, detail: str = "") -> None:
    """예외 하나로 등록: money under the first of these kinds, unless it is a case under one of them already."""
    if not amend(payment, kinds, amount=amount, at=at):
        open_for(payment, next(iter(kinds)), amount=amount, at=at, detail=detail)


def settle(payment: Payment, kinds: Collection[ProblemKind], *, at: datetime) -> None:
    """저절로 해결: the money fits again."""
    settle_all([payment], kinds, at=at)


def settle_all(payments: Collection[Payment], kinds: Collection[ProblemKind], *, at: datetime) -> None:
    """저절로 해결 of several payments at once."""
    if payments:
        MoneyProblem.objects.filter(_about(payments, kinds)).fit(at=at)


def _about(payments: Collection[Payment], kinds: Collection[ProblemKind]) -> Q:
    """Cases of these kinds: those of an order are found whichever of its payments they hang on."""
    of_order, own = OF_ORDER.intersection(kinds), set(kinds) - OF_ORDER
    parts = []
    if of_order:
        parts.append(Q(Among("order_id", [one.order_id for one in payments]), kind__in=sorted(of_order)))
    if own:
        parts.append(Q(Among("payment_id", [one.pk for one in payments]), kind__in=sorted(own)))
    return reduce(or_, parts)


def decide(
    outcome: Outcome, resolution: Resolution, *, actor: Any, at: datetime, reason: str, batch: Job | None = None
) -> None:
    """예외 결정: the possible problems of an outcome end as a person said, with an event for each; callers lock them.

    An act may have settled some of them by itself: the decision stands over it.
    """
    MoneyProblem.objects.filter(pk__in=[one.pk for one in outcome.possible]).update(
        resolution=resolution, memo=reason[:300], resolved_by=actor, resolved_at=at, updated_at=at
    )
    outcome.changes = [Change(one, ProblemStage.OPEN, resolution, one.asks + 1) for one in outcome.possible]
    data = {one.pk: {"kind": one.kind, "amount": one.amount} for one in outcome.possible}
    record(outcome, events.PROBLEM_RESOLVED, at=at, actor=actor, batch=batch, reason=reason, data=data)
