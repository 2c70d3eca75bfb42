"""누구의 소식인가: parcels that the scans of a feed belong to, by number and by the key that we booked them under.

Couriers recycle numbers (shipping.md 0.7): the same number may stand on a parcel of last year and on one of today.
"""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Q

from core.lookups import AmongTexts
from shipping.adapters.base import FeedEvent
from shipping.models import Parcel, WaybillNumber
from shipping.services.polling.sources import KINDS
from shipping.services.tracking.voided import WATCHED
from shipping.states import Direction, ParcelState

log = logging.getLogger("oms.tracking")

BEFORE = timedelta(hours=24)
"""A scan so long before the number was given belongs to whoever had it earlier (shipping.md 3.3)."""


@dataclass(slots=True)
class Matched:
    """짝: places of events in the page by parcel, those of deleted numbers apart, and those of nobody."""

    told: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    voided: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    orphans: list[int] = field(default_factory=list)


def match(events: Sequence[FeedEvent], *, kind: str, at: datetime) -> Matched:
    """누구의 소식인가, set-wise; two queries.

    A return's scans belong to boxes of returns only. Numbers that were deleted more than a week ago belong to nobody.
    """
    by_number = _by_number({event.number for event in events}, kind=kind, at=at)
    by_key = _by_key({event.key for event in events if event.key})
    found = Matched()
    for place, event in enumerate(events):
        able = [one for one in by_number.get(event.number, ()) if _is_of(event, one)]
        parcel = _chosen(event, able, by_key.get(event.key))
        if parcel is None:
            found.orphans.append(place)
        elif parcel.state == ParcelState.VOID:
            found.voided[parcel.pk].append(place)
        else:
            found.told[parcel.pk].append(place)
    return found


def _by_number(numbers: set[str], *, kind: str, at: datetime) -> Mapping[str, list[Parcel]]:
    """Newest number first; deleted ones last."""
    parcels = Parcel.objects.filter(AmongTexts("waybill", numbers), courier__in=KINDS[kind].carriers)
    parcels = parcels.filter(~Q(state=ParcelState.VOID) | Q(voided_at__gt=at - WATCHED))
    found: dict[str, list[Parcel]] = defaultdict(list)
    for parcel in parcels.only("pk", "waybill", "state", "direction", "numbered_at").order_by("-numbered_at", "-pk"):
        found[parcel.waybill].append(parcel)
    for same in found.values():
        same.sort(key=lambda one: one.state == ParcelState.VOID)
    return found


def _by_key(keys: set[str]) -> Mapping[str, int]:
    booked = WaybillNumber.objects.filter(AmongTexts("key", keys), parcel__isnull=False)
    return dict(booked.values_list("key", "parcel_id"))


def _is_of(event: FeedEvent, parcel: Parcel) -> bool:
    return (parcel.direction == Direction.RETURN) if event.is_return else True


def _chosen(event: FeedEvent, able: Sequence[Parcel], keyed: int | None) -> Parcel | None:
    """The parcel with this number; where several had it, the one booked under the key, else the one of its time.

    A key alone proves nothing: it may name a parcel whose label was replaced by another number. So the scan goes to the
    parcel that has the number, and the key decides only between parcels that share a recycled one.
    """
    named = next((one for one in able if one.pk == keyed), None)
    if named is not None:
        return named
    if keyed is not None and able:
        data = {"number": event.number, "key": event.key, "parcel": able[0].pk, "key_of": keyed}
        log.warning("a feed's key names another parcel than its number; the number counts", extra={"data": data})
    moment = event.event.at
    if moment is not None:
        timely = [one for one in able if one.numbered_at is None or one.numbered_at - BEFORE <= moment]
        return timely[0] if timely else (able[0] if able else None)
    return able[0] if able else None
