"""저장한 이력: what sources told of parcels as rows, and as the events that were told, in both directions.

The only place that knows which columns an event was laid into, so that a stored one reads as it was told.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import F

from core.bulk import insert_new
from core.lookups import Among
from shipping.adapters.base import RawEvent
from shipping.models import TrackingEvent
from shipping.projection import Projection
from shipping.states import TrackingStage

Marks = Mapping[RawEvent, str]
"""Fingerprints of events that were read back: a long text was cut when it was stored."""


@dataclass(frozen=True, slots=True)
class Heard:
    """들은 것: what one source told of a parcel, to be stored."""

    parcel_id: int
    source: str
    seen: Projection
    marks: Marks = field(default_factory=dict)


_COLUMNS = (
    "parcel_id", "source", "seq", "raw_code", "raw_name", "raw_text", "raw_at", "is_date_only", "stage", "at",
    "is_time_estimated", "place", "fingerprint",
)  # fmt: skip


def store(heard: Iterable[Heard]) -> None:
    """배송 이력 저장: by one statement; what a source told before is left as it is."""
    insert_new(TrackingEvent, _COLUMNS, [row for one in heard for row in _rows(one)])


def _rows(heard: Heard) -> Iterator[tuple[Any, ...]]:
    for seq, event in enumerate(heard.seen.events):
        raw = event.raw
        yield (
            heard.parcel_id,
            heard.source,
            min(seq, 32_000),
            raw.code[:40],
            raw.name[:100],
            f"{raw.name} {raw.text}".strip()[:300],
            raw.at,
            raw.is_date_only,
            event.stage,
            event.at,
            event.is_time_estimated,
            raw.place[:100],
            heard.marks.get(raw) or fingerprint_of(raw),
        )


def fingerprint_of(raw: RawEvent) -> str:
    """지문: equal for the same scan told again; its place in the list and our reading of it do not count."""
    moment = raw.at.isoformat() if raw.at else ""
    parts = (raw.code, raw.name, raw.text, raw.place, moment, str(raw.is_date_only))
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def raw_event(row: TrackingEvent) -> RawEvent:
    """저장한 이력 as the source told it; of rows from before (no raw_name), as near to it as what they hold."""
    name = row.raw_name or ""
    is_old = row.raw_name is None
    return RawEvent(
        code=row.raw_code,
        name=name,
        text=row.raw_text.removeprefix(name).strip(),
        place=row.place,
        at=row.at if is_old else row.raw_at,
        is_date_only=row.is_time_estimated if is_old else bool(row.is_date_only),
    )


def told_before(parcel_ids: Collection[int], source: str) -> dict[int, dict[RawEvent, str]]:
    """전에 들은 것: events as one source told them, with their fingerprints, by parcel, oldest first; one query."""
    found: dict[int, dict[RawEvent, str]] = {}
    rows = TrackingEvent.objects.filter(Among("parcel_id", parcel_ids), source=source)
    for row in rows.order_by("parcel_id", "at", "seq", "pk"):
        found.setdefault(row.parcel_id, {})[raw_event(row)] = row.fingerprint
    return found


def shown_events(
    parcel_ids: Collection[int], *, most: int, stages: Collection[TrackingStage] = tuple(TrackingStage)
) -> dict[int, list[TrackingEvent]]:
    """보여 줄 이력: newest first and at most so many for each parcel, of one source; one query.

    Every source tells the same scans in its own words. The one that is asked now counts, or, as long as it has told
    nothing of the parcel (a fail-over has just begun), the one that told last.
    """
    rows = TrackingEvent.objects.filter(Among("parcel_id", parcel_ids)).annotate(asked=F("parcel__poll__source"))
    told: dict[int, list[TrackingEvent]] = {}
    for row in rows.order_by("parcel_id", "-at", "-seq", "-pk"):
        told.setdefault(row.parcel_id, []).append(row)
    found = {}
    for pk, mine in told.items():
        asked = getattr(mine[0], "asked", None)
        source = asked if any(row.source == asked for row in mine) else mine[0].source
        found[pk] = [row for row in mine if row.source == source and row.stage in stages][:most]
    return found
