"""되돌린 뒤의 값: what an act that goes back erased, kept in its events, so that its undo puts exactly that back."""

from collections.abc import Collection, Mapping
from typing import Any

from django.db.models import DateTimeField, Model
from django.utils.dateparse import parse_datetime

from core.events import EventKind
from core.models import Job
from orders.models import OrderEvent

Facts = Mapping[str, Any]


def kept(rows: Collection[Any], *names: str) -> dict[int, dict[str, Any]]:
    """이력 내용: by row id, the fields named as they stand now; for `record(data=…)`, taken before the move."""
    return {row.pk: {"before": {name: _plain(getattr(row, name)) for name in names}} for row in rows}


def of_undone(batch: Job | None, kind: EventKind, *, model: type[Model], ids: Collection[int]) -> dict[int, Facts]:
    """되돌릴 값: by row id, the fields that the undone batch kept; empty when `batch` is no undo. One query."""
    if batch is None or batch.undoes_id is None:
        return {}
    subject = getattr(model, "event_subject", "")
    events = OrderEvent.objects.filter(
        batch=batch.undoes_id, subject=subject, kind=kind.code, subject_id__in=list(ids), data__has_key="before"
    )
    return {
        pk: {name: _typed(model, name, value) for name, value in known.items()}
        for pk, known in events.values_list("subject_id", "data__before")
    }


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


def _typed(model: type[Model], name: str, value: Any) -> Any:
    return parse_datetime(value) if value and isinstance(model._meta.get_field(name), DateTimeField) else value
