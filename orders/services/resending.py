"""재발송: lines whose boxes came back or were lost go to 배송준비중 again, to leave once more under another number.

Beside T12, which ends with the first scan. What came back is on hand and set aside again; what was lost has to be set
aside anew from what is free. Source: shipping.md 3.4.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from core.events import record
from core.models import Job
from core.state import Outcome, explain, missing, move
from orders import events
from orders.models import OrderLine
from orders.services import before
from orders.services.locking import NOT_FOUND, locked_lines
from products.services import stock


def resend(
    *,
    came_back: Collection[int],
    lost: Collection[int],
    actor: Any,
    at: datetime,
    reason: str,
    batch: Job | None = None,
) -> Outcome:
    """재발송: by ids of lines; `lost` ones are refused when free stock does not cover them, with the missing number.

    The caller (shipping) knows of each line whether all its boxes came back or all were lost.
    """
    asked = {*came_back, *lost}
    with locked_lines(asked, actor=actor) as lines:
        gone = [line for line in lines if line.pk in set(lost) and explain(line, OrderLine.resend) is None]
        short = {pk: f"{text} 재고를 채운 뒤 재발송하세요." for pk, text in stock.shortages(gone).items()}
        facts = before.kept(lines, "shipped_at", "picked_up_at")
        outcome = move(lines, OrderLine.resend, at=at, refuse=short)
        outcome.refused |= missing(asked, lines, text=NOT_FOUND)
        again = [line for line in outcome.moved if line.pk in set(lost)]
        stock.take_back([line for line in outcome.moved if line.pk not in set(lost)], at=at, actor=actor)
        stock.add_demand(again, at=at, actor=actor)
        stock.allocate(again, at=at, actor=actor)
        record(outcome, events.LINE_RESENT, at=at, actor=actor, batch=batch, reason=reason, data=facts)
    return outcome
