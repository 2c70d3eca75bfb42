"""배송 소식 반영: scans that a source tells by itself, and stored ones read once more after a rule has changed.

A feed tells only what is new, so what it told before is read back and both are projected together. No leases: the same
locks as for answers keep two writers apart. Source: shipping.md 3.2, 3.3, 4.1.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from core.bulk import update_rows
from core.locks import LockTimeout
from shipping.adapters.base import RawEvent
from shipping.models import Parcel, TrackingEvent, TrackingPoll
from shipping.services.polling import polls
from shipping.services.polling.planning import Pace
from shipping.services.shipments import Locked, locked_whole
from shipping.services.tracking.answers import CHUNK, asks_on, seen_of
from shipping.services.tracking.stored import fingerprint_of, store, told_before
from shipping.services.tracking.writing import LOOKED_AT, Read, ship_scanned, write
from shipping.states import ParcelState

Told = Mapping[int, Sequence[RawEvent]]


@dataclass(frozen=True, slots=True)
class Way:
    """어떻게 들었나: news or stored events read again; whether a feed told them, and how fast it lives."""

    is_told: bool = True
    is_feed: bool = False
    speed: int = 1


AGAIN = Way(is_told=False)


def write_events(*, source: str, told: Told, at: datetime, is_feed: bool = False, speed: int = 1) -> set[int]:
    """배송 소식 저장: new events by parcel id; returns the ids that were written, so that the rest is told again.

    What is told twice counts once. Events of a source that is not the parcel's chosen one (poll.source) are kept apart
    and change nothing; a parcel that nobody asks about takes the source that tells of it. The feed of a contract
    (`is_feed`) becomes the chosen source, and its parcels are asked about once a day from then on (shipping.md 4.1).
    Parcels whose orders somebody holds for more than 3 s are left out of the answer: do not acknowledge them yet.
    """
    way = Way(is_feed=is_feed, speed=speed)
    return _in_chunks(source, {pk: tuple(events) for pk, events in told.items()}, way, at=at)


def read_again(*, source: str, parcel_ids: Collection[int], at: datetime) -> set[int]:
    """다시 읽기: the stored events of a source by the rules of now, with every effect of a fresh answer.

    Nothing is asked, no event is added, the next question stays where it is. Returns the parcels that are done; the
    rest is held by somebody just now.
    """
    return _in_chunks(source, dict.fromkeys(parcel_ids, ()), AGAIN, at=at)


def _in_chunks(source: str, told: Told, way: Way, *, at: datetime) -> set[int]:
    ids, done = sorted(told), set()
    for start in range(0, len(ids), CHUNK):
        done |= _write_chunk(source, {pk: told[pk] for pk in ids[start : start + CHUNK]}, way, at=at)
    return done


def _write_chunk(source: str, told: Told, way: Way, *, at: datetime) -> set[int]:
    try:
        return _write(source, told, way, at=at)
    except LockTimeout:
        if len(told) == 1:
            return set()
        return set().union(*(_write_chunk(source, {pk: told[pk]}, way, at=at) for pk in told))


def _write(source: str, told: Told, way: Way, *, at: datetime) -> set[int]:
    parcels = Parcel.objects.filter(pk__in=told).exclude(state=ParcelState.VOID)
    shipment_ids = set(parcels.values_list("shipment_id", flat=True))
    with locked_whole(shipment_ids, fields=LOOKED_AT) as rows:
        mine = [parcel.pk for parcel in rows.parcels if parcel.pk in told]
        before = told_before(mine, source)
        events = {pk: _joined(before.get(pk, {}), told[pk]) for pk in mine}
        reads, aside = _reads(source, events, rows, way, at=at)
        if ship_scanned(reads, rows, at=at):
            with locked_whole(shipment_ids, fields=LOOKED_AT) as moved:
                rows = moved
                reads, aside = _reads(source, events, rows, way, at=at)
        write(reads, rows, at=at, is_told=way.is_told)
        store(read.heard for read in aside)
        _keep_stages([*reads, *aside])
        _keep_polls(reads, way, at=at)
    return {read.parcel.pk for read in [*reads, *aside]} | _unknown(told, rows)


def _unknown(told: Told, rows: Locked) -> set[int]:
    """Parcels that no shipment waits for any more: nothing to write, and no use in telling it again."""
    return set(told) - {parcel.pk for parcel in rows.parcels}


def _joined(before: Mapping[RawEvent, str], new: Sequence[RawEvent]) -> dict[RawEvent, str]:
    """Events with their fingerprints, those that were told before first."""
    known = set(before.values())
    fresh = {raw: mark for raw in new if (mark := fingerprint_of(raw)) not in known}
    return {**before, **fresh}


def _reads(
    source: str, events: Mapping[int, dict[RawEvent, str]], rows: Locked, way: Way, *, at: datetime
) -> tuple[list[Read], list[Read]]:
    """News of the chosen source, and of others, which is only kept; who reads again has chosen himself."""
    locked = TrackingPoll.objects.select_for_update(no_key=True).filter(pk__in=events).order_by("pk")
    polls = {poll.pk: poll for poll in locked}
    reads: list[Read] = []
    aside: list[Read] = []
    for parcel in rows.parcels:
        if parcel.pk not in events:
            continue
        poll, seen = polls.get(parcel.pk), seen_of(parcel, list(events[parcel.pk]), source=source, at=at)
        is_chosen = poll is None or poll.source == source or way.is_feed or not way.is_told
        is_fresh = poll is None or seen.fingerprint != poll.last_hash
        (reads if is_chosen else aside).append(Read(parcel, seen, source, is_fresh, poll, events[parcel.pk]))
    return reads, aside


def _keep_stages(reads: Sequence[Read]) -> None:
    """Events that were stored under another reading show the present one."""
    stages = {
        (one.parcel.pk, one.marks.get(event.raw) or fingerprint_of(event.raw)): event.stage
        for one in reads
        for event in one.seen.events
    }
    stored = TrackingEvent.objects.filter(parcel__in=[read.parcel.pk for read in reads])
    changed = []
    for row in stored.only("pk", "parcel_id", "fingerprint", "stage"):
        stage = stages.get((row.parcel_id, row.fingerprint))
        if stage is not None and stage != row.stage:
            row.stage = stage
            changed.append(row)
    update_rows(changed, ["stage"])


def _keep_polls(reads: Sequence[Read], way: Way, *, at: datetime) -> None:
    """The next single question waits while the feed speaks, and ends with the journey."""
    polls = [read.poll for read in reads if read.poll is not None]
    for read in reads:
        if read.poll is not None:
            read.poll.last_hash = read.seen.fingerprint
            read.poll.last_ok_at = at if way.is_told else read.poll.last_ok_at
            read.poll.is_active = read.poll.is_active and asks_on(read)
    fields: tuple[str, ...] = ("last_hash", "last_ok_at", "is_active")
    if way.is_feed and polls:
        _follow_feed(reads, way, at=at)
        fields += ("source", "told_by", "next_poll_at", "pace", "lease_until", "lease_token", "fail_count")
    update_rows(polls, fields)


def _follow_feed(reads: Sequence[Read], way: Way, *, at: datetime) -> None:
    """The feed is the parcel's source from now on; a question that is on its way to another one is not written.

    The daily question stays where it is once it is set: scans that come every few hours must not put it off for ever.
    """
    terms = polls.terms_of({read.source for read in reads})
    terms = polls.Terms(terms.calendar, terms.accounts, terms.tellers | {read.source for read in reads})
    for read in reads:
        poll = read.poll
        if poll is None:
            continue
        if poll.source != read.source:
            poll.source, poll.lease_until, poll.lease_token = read.source, None, poll.lease_token + 1
        if poll.told_by != read.source or poll.pace != Pace.TOLD:
            poll.told_by, poll.fail_count = read.source, 0
            left_at = read.parcel.handed_over_at or read.parcel.numbered_at
            polls.plan_next(poll, stage=read.seen.stage, at=at, terms=terms, speed=way.speed, shipped_at=left_at)
