"""PG가 잊은 결제: what a PG once knew and now denies is a case for a person; what it never knew says nothing."""

from collections.abc import Collection
from datetime import datetime

from core.lookups import Among
from orders.services.locking import locked_orders
from payments.models import Payment, PgNotice, VirtualAccount
from payments.services.ledger import problems
from payments.services.ledger.booking import payments_of
from payments.states import ProblemKind


def once_known(payments: Collection[Payment]) -> set[int]:
    """PG가 알던 결제 by id: it has answered about them, opened their account or told about them, provably."""
    found = {one.pk for one in payments if one.payment_ref or one.synced_at}
    rest = [one for one in payments if one.pk not in found]
    if rest:
        issued = VirtualAccount.objects.filter(Among("payment_id", [one.pk for one in rest]), issued_at__isnull=False)
        found |= set(issued.values_list("payment_id", flat=True))
        refs = [one.order_ref for one in rest if one.order_ref]
        told = set(PgNotice.objects.filter(order_ref__in=refs, is_proven=True).values_list("account_id", "order_ref"))
        found |= {one.pk for one in rest if (one.account_id, one.order_ref) in told}
    return found


def tell(payments: Collection[Payment], *, at: datetime) -> set[int]:
    """잊은 결제 알리기: a case for each of these that its PG does not know any more, told once; their ids.

    Of an order that somebody holds just now the next look tells.
    """
    lost = once_known(payments)
    with locked_orders({one.order_id for one in payments if one.pk in lost}, skip_locked=True) as (orders, _):
        for payment in payments_of(orders).values():
            if payment.pk in lost:
                kind = ProblemKind.MISMATCH_WITH_PG
                problems.open_once(payment, kind, amount=payment.amount, at=at, detail=problems.LOST)
    return lost
