"""전달 처리 before the end: 준비 완료 알림 and its repetition, 배차 등록."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from core.bulk import update_rows
from core.lookups import Among
from core.models import Job
from core.state import Outcome, is_preview
from shipping import events
from shipping.models import Handover, Shipment, ShipmentStep
from shipping.services.refusals import NOT_FOUND
from shipping.services.riders import begin, note, wrong_method
from shipping.services.seals import new_seal
from shipping.services.shipments import Locked, lines_of_whole_shipments, locked_shipments, locked_whole, ship
from shipping.states import DeliveryMethod


def make_pickup_ready(
    *, line_ids: Collection[int], actor: Any, at: datetime, batch: Job | None = None, source: str = ""
) -> Outcome:
    """준비 완료 알림: 배송중 처리 of 방문수령; the notice with place and code follows from it."""
    line_ids = lines_of_whole_shipments(line_ids)
    with locked_shipments(line_ids, actor=actor) as rows:
        refused = wrong_lines(rows, (DeliveryMethod.VISIT,))
        good = [pk for pk in line_ids if pk not in refused]
        outcome = ship(line_ids=good, actor=actor, at=at, batch=batch, source=source)
        outcome.refused |= refused
    return outcome


def wrong_lines(rows: Locked, wanted: Collection[str]) -> dict[int, str]:
    """맞지 않는 배송방법: lines of shipments that leave in another way, and why an act does not fit them."""
    found: dict[int, str] = {}
    for pk, one in rows.shipments.items():
        if text := wrong_method(one, wanted):
            found |= dict.fromkeys(rows.lines_of[pk], text)
    return found


def tell_again(
    *, shipment_ids: Collection[int], actor: Any, at: datetime, batch: Job | None = None, source: str = ""
) -> Outcome:
    """준비 완료 알림 다시: a new pick-up code for shipments of 방문수령 in 배송중; the one before ends."""
    with locked_whole(shipment_ids, actor=actor) as rows:
        good, outcome = _fitting(shipment_ids, rows, (DeliveryMethod.VISIT,))
        for one in good:
            if one.step != ShipmentStep.SHIPPING:
                outcome.refused[one.pk] = f"배송중 배송건이 아닙니다. 지금 상태: {ShipmentStep(one.step).label}"
        good = [one for one in good if one.pk not in outcome.refused]
        outcome.possible = [*good]
        if good and not is_preview():
            begin(good, actor=actor)
            handovers = _handovers(good)
            for row in handovers:
                row.seal, row.tries, row.updated_at = new_seal(), 0, at
            update_rows(handovers, ["seal", "tries", "updated_at"])
            outcome.changes = note(good, events.SHIPMENT_PICKUP_TOLD, at=at, actor=actor, batch=batch, source=source)
    return outcome


def register_rider(
    *,
    shipment_ids: Collection[int],
    carried_by: str,
    phone: str,
    actor: Any,
    at: datetime,
    batch: Job | None = None,
    source: str = "",
) -> Outcome:
    """배차 등록: who carries shipments of 퀵 or 직접전달, from now on; a link given to somebody before ends."""
    with locked_whole(shipment_ids, actor=actor) as rows:
        good, outcome = _fitting(shipment_ids, rows, (DeliveryMethod.QUICK, DeliveryMethod.DIRECT))
        if good and not is_preview():
            begin(good, actor=actor)
            handovers = _handovers(good)
            for row in handovers:
                row.carried_by, row.phone, row.dispatched_at = carried_by, phone, at
                row.seal, row.link_used_at, row.updated_at = new_seal(), None, at
            update_rows(handovers, ["carried_by", "phone", "dispatched_at", "seal", "link_used_at", "updated_at"])
            outcome.changes = note(good, events.SHIPMENT_DISPATCHED, at=at, actor=actor, batch=batch, source=source)
    return outcome


def _fitting(shipment_ids: Collection[int], rows: Locked, wanted: Collection[str]) -> tuple[list[Shipment], Outcome]:
    refused = {pk: text for pk, one in rows.shipments.items() if (text := wrong_method(one, wanted))}
    good = [one for pk, one in rows.shipments.items() if pk not in refused]
    refused |= dict.fromkeys(set(shipment_ids) - rows.shipments.keys(), NOT_FOUND)
    return good, Outcome(possible=[*good], refused=refused)


def _handovers(shipments: Collection[Shipment]) -> list[Handover]:
    return list(Handover.objects.filter(Among("shipment_id", [one.pk for one in shipments])).order_by("pk"))
