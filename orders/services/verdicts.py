"""재고 판정: whether today's stock covers a line that waits in 상품준비중, stored on the line for tabs and counts.

A verdict is a hint that any stock change may renew, not a state: it is written without a version or an event.
배송준비중 처리 itself asks the stock again, under lock.
"""

from collections.abc import Sequence

from django.db import connection

from core.chunks import batched
from orders.models import OrderLine
from orders.rollup import roll_up
from orders.services.locking import locked_lines
from orders.states import LineState
from products.services import stock

CHUNK = 200


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
    roll_up({line.order_id for line in changed}, is_news=False)


def rejudge_stale(*, limit: int = 2000) -> int:
    """Renew verdicts that no longer fit the stock, whatever changed it; returns how many lines were read."""
    with connection.cursor() as cursor:
        cursor.execute(_STALE, [limit])
        return _rejudge([pk for (pk,) in cursor.fetchall()])


_STALE = """
    SELECT l.id FROM orders_orderline l JOIN products_stocklevel s ON s.variant_id = l.variant_id
    WHERE l.state = 'PREPARING' AND l.stock_verdict <> CASE
        WHEN s.on_hand - s.allocated >= l.quantity THEN 'ALL'
        WHEN s.on_hand - s.allocated > 0 THEN 'PARTLY' ELSE 'NONE' END
    ORDER BY l.order_id LIMIT %s
"""


def _rejudge(line_ids: list[int]) -> int:
    """A few orders a transaction, and never waiting for staff: what is locked just now is judged by the next run."""
    for ids in batched(line_ids, CHUNK):
        with locked_lines(ids, skip_locked=True) as lines:
            judge_stock(lines)
    return len(line_ids)
