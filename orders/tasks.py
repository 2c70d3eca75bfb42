"""Periodic work of orders: 자동 구매확정 and stock verdicts; each function is called with `at` by core/slots.py."""

import logging
from datetime import datetime
from typing import Any

from core.chunks import CHUNK
from orders.models import OrderLine
from orders.rollup import fold_counts
from orders.services import progress
from orders.services.verdicts import rejudge_stale
from orders.states import DeliveredBy, LineState

log = logging.getLogger("orders.tasks")


def confirm_after_days(*, at: datetime, **kwargs: Any) -> int:
    """자동 구매확정: lines whose 구매확정 예정 is over and whose delivery is proven; running again adds nothing.

    Lines with an open claim or a delivery counted by days are left where they are. Source: domain.md T15, A18.
    """
    confirmed, after = 0, 0
    while True:
        due = OrderLine.objects.filter(state=LineState.DELIVERED, confirm_by__lte=at, pk__gt=after)
        ids = list(due.exclude(delivered_by=DeliveredBy.DAYS).order_by("pk").values_list("pk", flat=True)[:CHUNK])
        if not ids:
            return confirmed
        outcome = progress.confirm_after_days(line_ids=ids, at=at)
        confirmed += len(outcome.moved)
        after = ids[-1]
        if outcome.refused:
            log.info("%s delivered lines stay unconfirmed", len(outcome.refused))


def fold_step_counts(*, at: datetime, **kwargs: Any) -> None:
    """단계 증감 접기: keeps the counts of closed steps cheap to read."""
    fold_counts()


def renew_stock_verdicts(*, at: datetime, **kwargs: Any) -> int:
    """재고 판정: verdicts that no longer fit are renewed, a bounded number a run."""
    return rejudge_stale()
