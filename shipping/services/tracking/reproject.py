"""다시 판정: a new rule is laid upon the events that are stored already, some parcels at a time (shipping.md 3.2, A7).

A rule that staff save is marked; the relay comes back to it once every process has read it. Only parcels with a status
that no rule knew are looked at: for all others a changed rule counts from the next answer on.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from django.db.models import F

from core import fresh
from core.lookups import Among
from shipping.models import StatusRule, TrackingEvent, TrackingPoll
from shipping.services.polling.sources import kind_of
from shipping.services.tracking.feeding import read_again
from shipping.services.tracking.rules import BOOK, rules_for
from shipping.services.tracking.stored import raw_event
from shipping.states import TrackingStage

LOOKED_AT = 500
"""Parcels of one round of the drain."""
SETTLED = timedelta(seconds=fresh.SECONDS + 1)
"""After so long no process reads by the older rules."""


def reproject(*, parcel_ids: Collection[int], at: datetime) -> set[int]:
    """다시 판정: read the stored events of parcels by the rules of now, with every effect of a fresh answer.

    Doing it twice changes nothing more. Returns the parcels that somebody else holds just now, which were left alone.
    """
    busy = set[int]()
    for source, ids in _by_source(parcel_ids).items():
        busy |= set(ids) - read_again(source=source, parcel_ids=ids, at=at)
    return busy


def _by_source(parcel_ids: Collection[int]) -> Mapping[str, list[int]]:
    """Parcels by the source that is asked about them and has told something, or by the one that told last."""
    asked = dict(TrackingPoll.objects.filter(Among("parcel_id", parcel_ids)).values_list("parcel_id", "source"))
    rows = TrackingEvent.objects.filter(Among("parcel_id", parcel_ids)).order_by("parcel_id", "at", "seq", "pk")
    found: dict[int, str] = {}
    for pk, source in rows.values_list("parcel_id", "source"):
        if found.get(pk) is None or found[pk] != asked.get(pk):
            found[pk] = source
    sources: dict[str, list[int]] = {}
    for pk, source in found.items():
        sources.setdefault(source, []).append(pk)
    return sources


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
    return rules_for(kind_of(row.source), courier).stage_of(raw_event(row)) != TrackingStage.UNKNOWN
