"""남아야 할 돈: what an order is to hold by now, and what it holds beyond that; callers hold order and payment.

What comes in is judged by it wherever it comes from, so that no road swallows money that another one would show.
Source: payments.md 5.6, 5.7; domain.md 3.6.
"""

from collections import defaultdict
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
    """주문의 돈: won that are paid, that the order is worth by now, and that refunds under way take with them.

    All payments of an order count together; of an order that has ended each stands for itself, because it is to hold
    nothing. `own` are won of this payment alone that came and that no refund takes.
    """

    paid: int
    owed: int
    promised: int
    own: int

    @property
    def free(self) -> int:
        """쓸 수 있는 돈: what is paid and not promised to go back."""
        return self.paid - self.promised

    @property
    def surplus(self) -> int:
        """남는 돈: what nobody has decided about; negative for what is missing."""
        return self.free - self.owed


def is_cut(steps: int, stage: str) -> bool:
    """일부 취소: whether an order that goes on has lost lines that were paid, and is worth less than it was."""
    return bool(steps & BIT[LineState.CANCELED]) and stage not in ENDED


def kept_by(payments: Collection[Payment]) -> dict[int, Kept]:
    """결제별 돈 by payment id; two queries at most. A canceled order is worth nothing; one cut short, less."""
    orders = {one.order_id: one.order for one in payments}
    firm = Refund.objects.filter(FIRM, order__in=orders, state__in=REFUND_OPEN, entry=None).order_by()
    sums = firm.values("order_id", "payment_id").annotate(won=Sum("amount"))
    by_order: dict[int, int] = defaultdict(int)
    by_payment: dict[int, int] = {}
    for order_id, payment_id, won in sums.values_list("order_id", "payment_id", "won"):
        by_order[order_id] += won
        by_payment[payment_id] = won
    cut = [pk for pk, one in orders.items() if is_cut(one.steps, one.stage)]
    given: dict[int, int] = {}
    if cut:
        made = RefundCalculation.objects.filter(order__in=cut).order_by().values("order_id")
        given = dict(made.annotate(won=Sum(F("total") + F("shortfall"))).values_list("order_id", "won"))
    found = {}
    for one in payments:
        mine = by_payment.get(one.pk, 0)
        own, due = one.refundable - mine, one.order.due_amount - given.get(one.order_id, 0)
        if one.order.stage in ENDED:
            found[one.pk] = Kept(one.balance, 0, mine, own)
        else:
            found[one.pk] = Kept(one.order.paid_amount, due, by_order[one.order_id], own)
    return found


def kept(payment: Payment) -> Kept:
    """주문의 돈 as one payment of it sees it."""
    return kept_by([payment])[payment.pk]
