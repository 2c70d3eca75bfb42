"""송장을 지운 상자: a label that was printed may travel all the same, so its number is asked about for a week more.

Nothing moves: a scan is a case for a person, who calls the courier (shipping.md 3.4, CANCELLED_BUT_SCANNED).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

from django.db import connection
from django.db.models import F, Q

from core.bulk import update_rows
from core.locks import LockTimeout, locking
from core.lookups import Among
from core.settings_registry import get_setting
from shipping.adapters.base import RawEvent, TrackOutcome, TrackResult
from shipping.models import Parcel, TrackingPoll
from shipping.options import SHIPS_ON_SCAN
from shipping.projection import Projection, project
from shipping.services.exceptions import opening
from shipping.services.exceptions.opening import Opening
from shipping.services.exceptions.rules import Evidence
from shipping.services.polling import polls
from shipping.services.polling.polls import Lease
from shipping.services.polling.sources import kind_of
from shipping.services.tracking.rules import rules_for
from shipping.services.tracking.stored import Heard, store
from shipping.states import ExceptionKind, ParcelState

WATCHED, EVERY = timedelta(days=7), timedelta(days=1)
WAITS = timedelta(days=30)
"""A number that neither left nor was scanned for so long is asked about no more."""
MOST = 1000
_DUE = """
SELECT p.id FROM shipping_parcel p LEFT JOIN shipping_trackingpoll t ON t.parcel_id = p.id
WHERE {condition} AND p.alert = '' AND p.direction = 'OUT' AND p.stage <> 'CANCELLED' AND p.first_scan_at IS NULL
  AND p.courier = ANY(%(couriers)s::text[]) AND (t.parcel_id IS NULL OR (NOT t.is_active AND ({again})))
LIMIT %(most)s
"""
_WAITING = _DUE.format(condition="p.state IN ('NUMBERED', 'PRINTED') AND p.numbered_at > %(since)s", again="true")
_VOIDED = _DUE.format(
    condition="p.state = 'VOID' AND p.voided_at > %(since)s AND (p.printed_at IS NOT NULL OR p.printed_count > 0)",
    again="t.last_ok_at IS NULL OR t.last_ok_at < p.voided_at",
)


def watch_numbers(*, at: datetime) -> int:
    """번호 살피기: begin to ask about numbers whose box may leave unnoticed; how many were begun.

    Boxes that are not handed over yet (setting 집하 시 자동 배송중), and printed ones whose number was deleted within
    the last week. Whoever gave the number out need not know of it.
    """
    begun = 0
    if get_setting(SHIPS_ON_SCAN.key):
        waiting = _parcels(_WAITING, since=at - WAITS)
        polls.start(parcels=waiting, at=at)
        begun += len(waiting)
    gone = _parcels(_VOIDED, since=at - WATCHED)
    if gone:
        polls.start(parcels=gone, at=at)
        TrackingPoll.objects.filter(parcel__in=[one.pk for one in gone]).update(next_poll_at=at + EVERY)
    return begun + len(gone)


def _parcels(sql: str, *, since: datetime) -> list[Parcel]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"since": since, "most": MOST, "couriers": polls.asked_couriers()})
        ids = [pk for (pk,) in cursor.fetchall()]
    return list(Parcel.objects.filter(pk__in=ids).order_by("pk"))


def write_voided(by_parcel: Mapping[int, tuple[Lease, TrackResult]], *, at: datetime) -> int:
    """지운 송장의 조회 결과: in the transaction that the caller opened; how many answers were written."""
    void = Parcel.objects.filter(Among("pk", by_parcel), state=ParcelState.VOID)
    parcels = {one.pk: one for one in void.select_for_update(no_key=True).order_by("pk")}
    polls = TrackingPoll.objects.select_for_update(no_key=True).filter(pk__in=parcels, is_active=True).order_by("pk")
    mine = [poll for poll in polls if poll.lease_token == by_parcel[poll.pk][0].token]
    scanned: list[Scanned] = []
    for poll in mine:
        parcel, result = parcels[poll.pk], by_parcel[poll.pk][1]
        seen = _seen(parcel, result.events, source=poll.source, at=at)
        poll.lease_until, poll.last_error, poll.fail_count, poll.last_ok_at = None, "", 0, at
        is_over = at >= (parcel.voided_at or at) + WATCHED or result.outcome not in _TOLD
        was_printed = parcel.printed_at is not None or parcel.printed_count > 0
        poll.is_active = was_printed and not is_over and seen.first_scan_at is None
        poll.next_poll_at = at + EVERY
        if seen.first_scan_at is not None:
            scanned.append((parcel, seen, poll.source))
    _open_scanned(scanned, at=at)
    update_rows(mine, ("last_ok_at", "fail_count", "lease_until", "last_error", "is_active", "next_poll_at"))
    return len(mine)


def tell_voided(*, source: str, told: Mapping[int, Sequence[RawEvent]], at: datetime) -> set[int]:
    """지운 송장의 소식: what a feed tells of deleted numbers; returns those that were written, like `write_events`.

    Told twice it opens nothing twice.
    """
    try:
        with locking():
            parcels = Parcel.objects.filter(pk__in=told, state=ParcelState.VOID)
            # A number that was a slip belongs to somebody else's box, unless a label of ours bears it.
            parcels = parcels.filter(Q(handed_over_at=None) | Q(printed_count__gt=0))
            found = list(parcels.select_for_update(no_key=True).order_by("pk"))
            reads = [(parcel, _seen(parcel, told[parcel.pk], source=source, at=at), source) for parcel in found]
            scanned = [read for read in reads if read[1].first_scan_at is not None]
            _open_scanned(scanned, at=at)
            over = TrackingPoll.objects.filter(parcel__in=[parcel.pk for parcel, _, _ in scanned])
            over.update(is_active=False, lease_until=None, lease_token=F("lease_token") + 1)
    except LockTimeout:
        return set()
    return set(told)


Scanned: TypeAlias = tuple[Parcel, Projection, str]
"""A deleted number, what was told of it, and the code of who told."""


def _seen(parcel: Parcel, events: Sequence[RawEvent], *, source: str, at: datetime) -> Projection:
    rules = rules_for(kind_of(source), parcel.courier)
    return project(events, previous=None, numbered_at=parcel.numbered_at, at=at, rules=rules)


def _open_scanned(scanned: Sequence[Scanned], *, at: datetime) -> None:
    """A label that was deleted travels: a case for a person, who calls the courier."""
    store(Heard(parcel.pk, source, seen) for parcel, seen, source in scanned)
    cases = []
    for parcel, seen, _ in scanned:
        first = seen.first_scan_at or at
        parcel.first_scan_at = parcel.first_scan_at or first
        text = " ".join(filter(None, [seen.last_place, seen.last_text]))
        cases.append(Opening(parcel, ExceptionKind.CANCELLED_BUT_SCANNED, Evidence(first, text[:300])))
    update_rows([one.parcel for one in cases], ["first_scan_at"])
    opening.open_cases(cases, at=at)


_TOLD = frozenset({TrackOutcome.FOUND, TrackOutcome.NOT_FOUND})
