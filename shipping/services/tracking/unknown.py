"""미분류 상태: values that no rule knows are written down once and logged once a day (shipping.md 3.2, A7)."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from core.calendar import kst_date
from core.lookups import id_array, text_array
from shipping.models import UnknownStatus
from shipping.normalise import raw_text
from shipping.projection import Projection
from shipping.states import TrackingStage

log = logging.getLogger("oms.tracking")

Key = tuple[str, str, str, str]
"""source, courier, raw code, raw text."""


@dataclass(frozen=True, slots=True)
class Seen:
    """읽은 상자: what a source told of one parcel."""

    parcel_id: int
    source: str
    courier: str
    seen: Projection


# In the order of the key, so that two writers wait for each other instead of dying. A value that is told although a
# rule was made for it is unknown again: the rule was switched off.
_NOTE = """
INSERT INTO shipping_unknownstatus
    (created_at, updated_at, source, courier, code, text, first_seen_on, last_seen_on, count, example_id)
SELECT %(at)s, %(at)s, v.source, v.courier, v.code, v.text, %(day)s, %(day)s, v.count, v.parcel_id
FROM unnest(%(sources)s::text[], %(couriers)s::text[], %(codes)s::text[], %(texts)s::text[], %(counts)s::bigint[],
            %(parcels)s::bigint[]) AS v(source, courier, code, text, count, parcel_id)
ORDER BY v.source, v.courier, v.code, v.text
ON CONFLICT (source, courier, code, text) DO UPDATE
SET count = LEAST(shipping_unknownstatus.count::bigint + EXCLUDED.count, 2147483647), updated_at = EXCLUDED.updated_at,
    last_seen_on = GREATEST(shipping_unknownstatus.last_seen_on, EXCLUDED.last_seen_on),
    example_id = EXCLUDED.example_id, rule_id = NULL
RETURNING id, logged_on
"""


def note_unknown(parcels: Iterable[Seen], *, at: datetime) -> int:
    """미분류 상태 기록: every value of these parcels that no rule knows; how many distinct ones.

    Inside the transaction that stores the events, after its other rows: the row of a common value is the last lock.
    """
    found: dict[Key, tuple[int, int]] = {}
    for one in parcels:
        for key in _unknown_of(one):
            count, _ = found.get(key, (0, 0))
            found[key] = (count + 1, one.parcel_id)
    if not found:
        return 0
    day = kst_date(at)
    values: dict[str, Any] = {
        "at": at, "day": day,
        "sources": text_array(key[0] for key in found), "couriers": text_array(key[1] for key in found),
        "codes": text_array(key[2] for key in found), "texts": text_array(key[3] for key in found),
        "counts": id_array(count for count, _ in found.values()),
        "parcels": id_array(parcel_id for _, parcel_id in found.values()),
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_NOTE, values)
        fresh = [pk for pk, logged_on in cursor.fetchall() if logged_on is None or logged_on < day]
    _log(fresh, at=at)
    return len(found)


def _unknown_of(one: Seen) -> set[Key]:
    return {
        (one.source[:20], one.courier[:12], event.raw.code[:40], raw_text(event.raw)[:300])
        for event in one.seen.events
        if event.stage == TrackingStage.UNKNOWN and (event.raw.code or raw_text(event.raw))
    }


def _log(ids: list[int], *, at: datetime) -> None:
    """Once a day for each value; the words of a courier may hold a name and stay in the table."""
    if not ids:
        return
    rows = UnknownStatus.objects.filter(pk__in=ids)
    for pk, source, courier, code in sorted(rows.values_list("pk", "source", "courier", "code")):
        data = {"id": pk, "source": source, "courier": courier, "code": code}
        log.warning("a status that no rule knows", extra={"data": data})
    rows.update(logged_on=kst_date(at))
