"""전달 처리 before the end: 준비 완료 알림 and its repetition, 배차 등록."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from core.models import Job
from core.state import Outcome
from shipping.services import riders
from shipping.services.riders import wrong_method
from shipping.services.shipments import lines_of_whole_shipments, locked_shipments, locked_whole, ship
from shipping.states import DeliveryMethod

NOT_FOUND = "배송건을 찾을 수 없습니다. 목록을 새로 고친 뒤 다시 시도하세요."


def make_pickup_ready(
    *, line_ids: Collection[int], actor: Any, at: datetime, batch: Job | None = None, source: str = ""
) -> Outcome:
    """준비 완료 알림: 배송중 처리 of 방문수령; the notice with place and code follows from it."""
    line_ids = lines_of_whole_shipments(line_ids)
    with locked_shipments(line_ids, actor=actor) as rows:
        refused: dict[int, str] = {}
        for pk, one in rows.shipments.items():
            if text := wrong_method(one, (DeliveryMethod.VISIT,)):
                refused |= dict.fromkeys(rows.lines_of[pk], text)
        good = [pk for pk in line_ids if pk not in refused]
        outcome = ship(line_ids=good, actor=actor, at=at, batch=batch, source=source)
        outcome.refused |= refused
    return outcome


def tell_again(
    *, shipment_ids: Collection[int], actor: Any, at: datetime, batch: Job | None = None, source: str = ""
) -> Outcome:
    """준비 완료 알림 다시: see `riders.tell_again`; about shipments."""
    with locked_whole(shipment_ids, actor=actor) as rows:
        outcome = riders.tell_again(
            shipments=list(rows.shipments.values()), actor=actor, at=at, batch=batch, source=source
        )
        outcome.refused |= dict.fromkeys(set(shipment_ids) - rows.shipments.keys(), NOT_FOUND)
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
    """배차 등록: see `riders.register_rider`; about shipments."""
    with locked_whole(shipment_ids, actor=actor) as rows:
        outcome = riders.register_rider(
            shipments=list(rows.shipments.values()),
            carried_by=carried_by,
            phone=phone,
            actor=actor,
            at=at,
            batch=batch,
            source=source,
        )
        outcome.refused |= dict.fromkeys(set(shipment_ids) - rows.shipments.keys(), NOT_FOUND)
    return outcome
