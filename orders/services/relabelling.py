"""송장 정정: lines on their way go on under another number; what the wrong one had told of them is taken back."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from core.events import record
from core.models import Job
from core.state import Outcome, missing, move
from orders import events
from orders.models import OrderLine
from orders.services import before
from orders.services.locking import NOT_FOUND, locked_lines


def correct_waybill(
    *,
    picked_up_at: Mapping[int, datetime | None],
    actor: Any,
    at: datetime,
    reason: str,
    data: Mapping[int, before.Facts],
    batch: Job | None = None,
    held: Mapping[int, OrderLine] | None = None,
) -> Outcome:
    """송장 정정: shipping tells, by line id, when the courier first scanned what is left of its right boxes.

    `data` holds the numbers for the history; `held` as in `locked_lines`.
    """
    with locked_lines(picked_up_at.keys(), actor=actor, held=held) as lines:
        per_row = {pk: {"picked_up_at": moment} for pk, moment in picked_up_at.items()}
        outcome = move(lines, OrderLine.correct_waybill, at=at, per_row=per_row)
        outcome.refused |= missing(set(picked_up_at), lines, text=NOT_FOUND)
        record(outcome, events.LINE_WAYBILL_CORRECTED, at=at, actor=actor, batch=batch, reason=reason, data=data)
    return outcome
