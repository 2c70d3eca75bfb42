"""다시 판정: a new rule is laid upon the events that are stored already, some parcels at a time (shipping.md 3.2, A7).

A rule that staff save is marked; the relay comes back to it once every process has read it. Only parcels with a status
that no rule knew are looked at: for all others a changed rule counts from the next answer on.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from django.db import transaction
from django.db.models import F

from core import fresh
from core.bulk import update_rows
from core.locks import LockTimeout
from core.lookups import Among
from shipping.adapters.base import RawEvent
from shipping.models import StatusRule, TrackingEvent, TrackingPoll
from shipping.services.tracking.answers import CHUNK, write_again
from shipping.services.tracking.rules import BOOK, rules_for
from shipping.states import TrackingStage

LOOKED_AT = 500
"""Parcels of one round of the drain."""
SETTLED = timedelta(seconds=fresh.SECONDS + 1)
"""After so long no process reads by the older rules."""

Stored = tuple[TrackingEvent, RawEvent]


def reproject(*, parcel_ids: Collection[int], at: datetime) -> set[int]:
    """다시 판정: read the stored events of parcels by the rules of now, with every effect of a fresh answer.

    Doing it twice changes nothing more. Returns the parcels that somebody else holds just now, which were left alone.
    """
    ids, busy = sorted(parcel_ids), set[int]()
    for start in range(0, len(ids), CHUNK):
        busy |= _reread(ids[start : start + CHUNK], at=at)
    return busy


def _reread(ids: Sequence[int], *, at: datetime) -> set[int]:
    try:
        with transaction.atomic():
            _write(ids, at=at)
    except LockTimeout:
        return set(ids) if len(ids) == 1 else {pk for one in ids for pk in _reread([one], at=at)}
    return set()


def _write(ids: Sequence[int], *, at: datetime) -> None:
    stored = _stored(ids)
    told = {pk: (events[0][0].source, [raw for _, raw in events]) for pk, events in stored.items()}
    changed = []
    for pk, seen in write_again(told=told, at=at).items():
        stages = {event.raw: event.stage for event in seen.events}
        for row, raw in stored[pk]:
            if stages.get(raw, row.stage) != row.stage:
                row.stage = stages[raw]
                changed.append(row)
    update_rows(changed, ["stage"])


def _stored(ids: Sequence[int]) -> Mapping[int, list[Stored]]:
    """Events of each parcel in order, of the source that is asked about it, or of the one that told last."""
    rows = list(TrackingEvent.objects.filter(Among("parcel_id", ids)).order_by("parcel_id", "at", "seq", "pk"))
    asked = dict(TrackingPoll.objects.filter(Among("parcel_id", ids)).values_list("parcel_id", "source"))
    found = {}
    for pk, group in groupby(rows, key=lambda row: row.parcel_id):
        mine = list(group)
        sources = {row.source for row in mine}
        source = asked[pk] if asked.get(pk) in sources else mine[-1].source
        found[pk] = [(row, raw_event(row)) for row in mine if row.source == source]
    return found


def raw_event(row: TrackingEvent) -> RawEvent:
    """저장한 이력 as the source told it; of rows from before, as near to it as what they hold."""
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


def apply_rules(*, at: datetime) -> int:
    """새 규칙 적용: one round of parcels for the rule that waits longest; how many were looked at, 0 when none waits.

    Two relays may do the same round: the second finds nothing to change. Parcels that somebody holds wait a second.
    """
    waiting = StatusRule.objects.filter(looked_up_to__isnull=False, updated_at__lte=at - SETTLED)
    rule = waiting.order_by("updated_at", "pk").first()
    if rule is None or rule.looked_up_to is None:
        return 0
    BOOK.forget()
    begun = rule.looked_up_to
    unknown = TrackingEvent.objects.filter(stage=TrackingStage.UNKNOWN)
    after = unknown.filter(parcel_id__gt=begun).order_by("parcel_id").values_list("parcel_id", flat=True)
    ids = list(after.distinct()[:LOOKED_AT])
    events = unknown.filter(Among("parcel_id", ids)).annotate(courier=F("parcel__courier"))
    affected = {row.parcel_id for row in events if _is_known(row, row.courier)}
    busy = reproject(parcel_ids=affected, at=at)
    done: int | None = min(busy) - 1 if busy else ids[-1] if len(ids) == LOOKED_AT else None
    mine = StatusRule.objects.filter(pk=rule.pk, version=rule.version, looked_up_to=begun)
    mine.update(looked_up_to=done)
    return 0 if busy else len(ids)


def _is_known(row: TrackingEvent, courier: str) -> bool:
    return rules_for(row.source, courier).stage_of(raw_event(row)) != TrackingStage.UNKNOWN
