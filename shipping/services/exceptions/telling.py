"""예외의 고객 안내: the buyer of a box in the queue is told something about it, and the case says so."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db.models import Case, F, Value, When

from core.models import Job
from core.state import Outcome
from shipping import events
from shipping.services import notices
from shipping.services.exceptions.deciding import locked_cases, sort_out, still_open, write
from shipping.states import ExceptionStage, NoticeKind

TOLD = "고객 안내: {notice}"


def tell_buyers(
    *, exception_ids: Collection[int], notice: NoticeKind | None, text: str = "", actor: Any, at: datetime,
    batch: Job | None = None,
) -> Outcome:  # fmt: skip
    """고객 안내 of open cases, as `notices.tell_buyers` of their shipments; refused for what it refuses.

    A case without a memo gets one, so that the colleague who opens the queue next sees that the buyer knows.
    """
    facts: dict[str, Any] = {"actor": actor, "at": at, "batch": batch}
    with locked_cases(exception_ids, actor=actor) as cases:
        outcome, good = sort_out(cases, exception_ids, still_open)
        done = notices.tell_buyers(
            shipment_ids={one.case.shipment_id for one in good}, notice=notice, text=text, **facts
        )
        owners = {one.case.pk: one.case.shipment_id for one in good}
        outcome.refused |= {pk: done.refused[shipment] for pk, shipment in owners.items() if shipment in done.refused}
        good = [one for one in good if one.case.pk not in outcome.refused]
        outcome.possible = [one.case for one in good]
        outcome.sums = done.sums
        if notice is None:
            return outcome
        said = TOLD.format(notice=notice.label)
        memo = Case(When(memo="", then=Value(said)), default=F("memo"))
        return write(
            outcome, good, events.EXCEPTION_NOTED, {"memo": memo}, to=ExceptionStage.OPEN, reason=said, **facts
        )
