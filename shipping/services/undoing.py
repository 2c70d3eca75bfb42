"""송장 파일 되돌리기: what a file did to its shipments goes back: numbers, boxes, delivery methods and holds."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import transaction

from core.events import event_model
from core.models import Job
from core.state import Outcome, is_preview
from orders import events as orders_events
from shipping.models import Shipment, ShipmentLine
from shipping.services import methods
from shipping.services.merges import merging
from shipping.services.numbers import waybills


def undo_upload(*, shipment_ids: Collection[int], actor: Any, at: datetime, batch: Job, reason: str) -> Outcome:
    """되돌리기 of the rows of a file, by shipment: each goes back the way it came.

    A box goes back whole: first its number, then the merge. Raises LockTimeout like the services behind it.
    """
    facts: dict[str, Any] = {"actor": actor, "at": at, "batch": batch}
    asked = set(shipment_ids)
    with transaction.atomic():
        boxes = merging.merged_by(batch, asked)
        changed = _touched(batch, orders_events.LINE_METHOD_CHANGED, asked)
        held = _touched(batch, orders_events.LINE_HELD, asked) - changed
        outcome = Outcome()
        if changed:
            outcome.merge(methods.change_back(shipment_ids=changed, reason=reason, **facts))
        if held:
            outcome.merge(methods.release_shipments(shipment_ids=held, **facts))
        numbered = asked - changed - held - boxes.keys()
        if numbered:
            outcome.merge(waybills.undo_registration(shipment_ids=numbered, reason=reason, **facts))
        if boxes:
            _take_apart(outcome, boxes, asked, **facts)
    return outcome


def _touched(batch: Job, kind: Any, shipment_ids: set[int]) -> set[int]:
    """Shipments whose lines the undone batch changed in this way."""
    lines = event_model().objects.filter(batch_id=batch.undoes_id, kind=kind.code, subject="line").values("subject_id")
    items = ShipmentLine.objects.filter(line__in=lines, is_live=True, shipment__in=shipment_ids)
    return set(items.values_list("shipment_id", flat=True))


def _take_apart(outcome: Outcome, boxes: dict[int, int], asked: set[int], **facts: Any) -> None:
    """The merged shipments of boxes whose number is gone again get apart."""
    kept = {first for first in boxes.values() if first in outcome.refused}
    outcome.refused |= {pk: outcome.refused[first] for pk, first in boxes.items() if first in kept and pk in asked}
    free = {pk: first for pk, first in boxes.items() if first not in kept}
    if is_preview():
        outcome.possible += list(Shipment.objects.filter(pk__in=free.keys() & asked))
        return
    members = (free.keys() | set(free.values())) & asked
    done = merging.undo_merge(shipment_ids=members, **facts)
    known = {one.pk for one in outcome.possible}
    outcome.refused |= done.refused
    outcome.possible += [one for one in done.possible if one.pk not in known]
    outcome.changes += done.changes
