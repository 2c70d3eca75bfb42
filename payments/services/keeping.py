"""남아야 할 돈: what an order is to hold by now, and what it holds beyond that; callers hold order and payment.

What comes in is judged by it wherever it comes from, so that no road swallows money that another one would show.
Source: payments.md 5.6, 5.7; domain.md 3.6.
"""

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import F, Q, Sum

from orders.states import BIT, LineState
from payments.models import Payment, Refund, RefundCalculation
from payments.states import ENDED, REFUND_OPEN

# A prepared refund is what is proposed for the surplus, so it takes nothing of it away.
FIRM = Q(problem=None) | Q(requested_by__isnull=False)


@dataclass(frozen=True, slots=True)
class Kept:
    """결제의 돈: won that are paid, that the order is worth by now, and that refunds under way take with them."""

    paid: int
    owed: int
    promised: int

    @property
    def free(self) -> int:
        """쓸 수 있는 돈: what is paid and not promised to go back."""
        return self.paid - self.promised

    @property
    def surplus(self) -> int:
        """남는 돈: what nobody has decided about; negative for what is missing."""
        return self.free - self.owed


def kept_by(payments: Collection[Payment]) -> dict[int, Kept]:
    """결제별 돈 by payment id; two queries at most. A canceled order is worth nothing; one cut short, less."""
    firm = Refund.objects.filter(FIRM, payment__in=payments, state__in=REFUND_OPEN, entry=None).order_by()
    promised = dict(firm.values("payment_id").annotate(won=Sum("amount")).values_list("payment_id", "won"))
    cut = [
        one.order_id for one in payments if one.order.steps & BIT[LineState.CANCELED] and one.order.stage not in ENDED
    ]
    given: dict[int, int] = {}
    if cut:
        rows = RefundCalculation.objects.filter(order__in=cut).order_by().values("order_id")
        given = dict(rows.annotate(won=Sum(F("total") + F("shortfall"))).values_list("order_id", "won"))
    return {
        one.pk: Kept(
            paid=one.order.paid_amount,
            owed=0 if one.order.stage in ENDED else one.order.due_amount - given.get(one.order_id, 0),
            promised=promised.get(one.pk, 0),
        )
        for one in payments
    }


def kept(payment: Payment) -> Kept:
    """결제의 돈 of one payment."""
    return kept_by([payment])[payment.pk]
