"""배송 소식 반영: scans that a source tells by itself, and stored ones read once more after a rule has changed.

A feed tells only what is new, so what it told before is read back and both are projected together. No leases: the same
locks as for answers keep two writers apart. Source: shipping.md 3.2, 3.3, 4.1.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from core.bulk import update_rows
from core.locks import LockTimeout
from shipping.adapters.base import RawEvent
from shipping.models import Parcel, TrackingEvent, TrackingPoll
from shipping.services.shipments import Locked, lines_of, locked_shipments
from shipping.services.tracking.answers import CHUNK, asks_on, seen_of
from shipping.services.tracking.stored import event_rows, fingerprint_of, told_before
from shipping.services.tracking.writing import Read, ship_scanned, write
from shipping.states import ParcelState

Told = Mapping[int, Sequence[RawEvent]]


def write_events(*, source: str, told: Told, at: datetime) -> set[int]:
    """배송 소식 저장: new events by parcel id; returns the ids that were written, so that the rest is told again.

    What is told twice counts once. Events of a source that is not the parcel's chosen one (poll.source) are kept apart
    and change nothing; a parcel that nobody asks about takes the source that tells of it. Parcels whose orders somebody
    holds for more than 3 s are left out of the answer: do not acknowledge them yet.
    """
    return _in_chunks(source, {pk: tuple(events) for pk, events in told.items()}, at=at, is_told=True)


def read_again(*, source: str, parcel_ids: Collection[int], at: datetime) -> set[int]:
    """다시 읽기: the stored events of a source by the rules of now, with every effect of a fresh answer.

    Nothing is asked, no event is added, the next question stays where it is. Returns the parcels that are done; the
    rest is held by somebody just now.
    """
    return _in_chunks(source, dict.fromkeys(parcel_ids, ()), at=at, is_told=False)


def _in_chunks(source: str, told: Told, *, at: datetime, is_told: bool) -> set[int]:
    ids, done = sorted(told), set()
    for start in range(0, len(ids), CHUNK):
        done |= _write_chunk(source, {pk: told[pk] for pk in ids[start : start + CHUNK]}, at=at, is_told=is_told)
    return done


def _write_chunk(source: str, told: Told, *, at: datetime, is_told: bool) -> set[int]:
    try:
        return _write(source, told, at=at, is_told=is_told)
    except LockTimeout:
        if len(told) == 1:
            return set()
        return set().union(*(_write_chunk(source, {pk: told[pk]}, at=at, is_told=is_told) for pk in told))


def _write(source: str, told: Told, *, at: datetime, is_told: bool) -> set[int]:
    parcels = Parcel.objects.filter(pk__in=told).exclude(state=ParcelState.VOID)
    line_ids = lines_of(set(parcels.values_list("shipment_id", flat=True)))
    with locked_shipments(line_ids) as rows:
        mine = [parcel.pk for parcel in rows.parcels if parcel.pk in told]
        before = told_before(mine, source)
        events = {pk: _joined(before.get(pk, {}), told[pk]) for pk in mine}
        reads, aside = _reads(source, events, rows, at=at, is_told=is_told)
        if ship_scanned(reads, rows, at=at):
            with locked_shipments(line_ids) as moved:
                rows = moved
                reads, aside = _reads(source, events, rows, at=at, is_told=is_told)
        write(reads, rows, at=at, is_told=is_told)
        _keep_aside(aside)
        _keep_stages([*reads, *aside])
        _keep_polls(reads, at=at, is_told=is_told)
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
    source: str, events: Mapping[int, dict[RawEvent, str]], rows: Locked, *, at: datetime, is_told: bool
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
        is_chosen = poll is None or poll.source == source or not is_told
        is_fresh = poll is None or seen.fingerprint != poll.last_hash
        (reads if is_chosen else aside).append(Read(parcel, seen, source, is_fresh, poll, events[parcel.pk]))
    return reads, aside


def _keep_aside(reads: Sequence[Read]) -> None:
    rows = (row for one in reads for row in event_rows(one.parcel, one.seen, source=one.source, marks=one.marks))
    TrackingEvent.objects.bulk_create(rows, ignore_conflicts=True, batch_size=1000)


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


def _keep_polls(reads: Sequence[Read], *, at: datetime, is_told: bool) -> None:
    """The next single question waits while the feed speaks, and ends with the journey."""
    polls = [read.poll for read in reads if read.poll is not None]
    for read in reads:
        if read.poll is not None:
            read.poll.last_hash = read.seen.fingerprint
            read.poll.last_ok_at = at if is_told else read.poll.last_ok_at
            read.poll.is_active = read.poll.is_active and asks_on(read)
    update_rows(polls, ("last_hash", "last_ok_at", "is_active"))
