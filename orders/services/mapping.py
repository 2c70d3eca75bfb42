"""품목 연결: lines of unknown products get their variant; stock demand follows."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from core.events import record
from core.models import Job
from core.state import Outcome, move
from orders import events
from orders.models import LineLock, OrderLine
from orders.services.locking import locked_lines
from orders.services.verdicts import judge_stock
from orders.states import LockKind
from products.services import stock


def map_lines(
    *, variants: Mapping[int, int], actor: Any, at: datetime, batch: Job | None = None, source: str = ""
) -> Outcome:
    """품목 연결: `variants` maps line ids to variant ids; opens the MAPPING lock and asks the stock for the units."""
    with locked_lines(variants.keys(), actor=actor) as lines:
        mapped = {line.pk: "이미 연결된 품목입니다." for line in lines if line.variant_id is not None}
        outcome = move(
            lines,
            OrderLine.map_variant,
            at=at,
            refuse=mapped,
            per_row={pk: {"variant_id": variant} for pk, variant in variants.items()},
        )
        LineLock.objects.filter(line__in=outcome.moved, kind=LockKind.MAPPING, released_at__isnull=True).update(
            released_at=at, released_by=actor
        )
        stock.add_demand(outcome.moved, at=at, actor=actor)
        record(outcome, events.LINE_MAPPED, at=at, actor=actor, batch=batch, source=source)
        judge_stock(outcome.moved)
    return outcome
