"""미확인·예외 입금: opened where money does not fit, settled by themselves when it fits again."""

from collections.abc import Collection
from datetime import datetime

from core.lookups import Among
from payments.models import MoneyProblem, Payment
from payments.states import ProblemKind, Resolution


def open_for(payment: Payment, kind: ProblemKind, *, amount: int, at: datetime, detail: str = "") -> None:
    """예외 등록: one open row for a payment and kind; a repeat brings the amount up to date. Payments are locked."""
    MoneyProblem.objects.bulk_create(
        [
            MoneyProblem(
                kind=kind, payment=payment, order_id=payment.order_id, amount=amount, found_at=at, detail=detail[:300]
            )
        ],
        update_conflicts=False,
        ignore_conflicts=True,
    )
    MoneyProblem.objects.filter(payment=payment, kind=kind, resolved_at=None).exclude(amount=amount).update(
        amount=amount, detail=detail[:300], updated_at=at
    )


def settle(payment: Payment, kinds: Collection[ProblemKind], *, at: datetime) -> None:
    """저절로 해결: the money fits again."""
    settle_all([payment], kinds, at=at)


def settle_all(payments: Collection[Payment], kinds: Collection[ProblemKind], *, at: datetime) -> None:
    """저절로 해결 of several payments at once."""
    if payments:
        mine = Among("payment_id", [payment.pk for payment in payments])
        MoneyProblem.objects.filter(mine, kind__in=list(kinds), resolved_at=None).update(
            resolution=Resolution.FITS, resolved_at=at, updated_at=at
        )
