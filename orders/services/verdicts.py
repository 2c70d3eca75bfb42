"""재고 판정: whether today's stock covers a line that waits in 상품준비중, stored on the line for tabs and counts.

A verdict is a hint that any stock change may renew, not a state: it is written without a version or an event.
배송준비중 처리 itself asks the stock again, under lock.
"""

from collections.abc import Collection, Sequence

from django.db import connection

from orders.models import OrderLine
from orders.rollup import roll_up
from orders.states import LineState
from products.services import stock


def judge_stock(lines: Sequence[OrderLine]) -> None:
    """Give the waiting ones among these lines their verdict and roll up the orders that change by it."""
    waiting = [line for line in lines if line.state == LineState.PREPARING and line.variant_id is not None]
    found = stock.verdicts(waiting)
    changed = [line for line in waiting if found.get(line.pk, "") != line.stock_verdict]
    if not changed:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE orders_orderline l SET stock_verdict = v.verdict"
            " FROM unnest(%s::bigint[], %s::text[]) AS v(id, verdict) WHERE l.id = v.id",
            [[line.pk for line in changed], [found[line.pk] for line in changed]],
        )
    roll_up({line.order_id for line in changed})


def rejudge_variants(*, variant_ids: Collection[int], limit: int = 5000) -> int:
    """Renew the verdicts of waiting lines of these variants after their stock changed; returns how many were read."""
    lines = list(
        OrderLine.objects.in_state(LineState.PREPARING)
        .filter(variant_id__in=variant_ids)
        .order_by("order_id", "pk")
        .only("pk", "order_id", "state", "stock_verdict", "variant_id", "quantity", "number", "version")[:limit]
    )
    judge_stock(lines)
    return len(lines)
