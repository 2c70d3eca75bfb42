"""배송조회 결과: what a courier said about parcels, written in one transaction for many, under the usual locks.

Only while the lease token is still ours; only a proven delivery moves anything, once; an error moves nothing.
Source: shipping.md 3.3, 3.4, 4.3, 4.4.
"""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from core.bulk import update_rows
from core.events import record
from core.locks import LockTimeout
from core.models import Source
from core.state import move
from orders.services import progress
from orders.states import DeliveredBy, LineState
from shipping import events
from shipping.adapters.base import RawEvent, TrackOutcome, TrackResult
from shipping.models import Parcel, ParcelLine, TrackingEvent, TrackingPoll
from shipping.projection import Alert, Projection, TrackedEvent, project
from shipping.rollup import refresh_parcels
from shipping.services.shipments import Locked, lines_of, locked_shipments
from shipping.services.tracking import polling
from shipping.services.tracking.polling import Lease, Terms
from shipping.states import Direction, ParcelState, TrackingAlert, TrackingStage

log = logging.getLogger("oms.tracking")

Answer: TypeAlias = tuple[Lease, TrackResult]
CHUNK = 50
"""Answers of one transaction: the orders of so many parcels are locked for as long as it takes to write them."""
RATE_PAUSE = timedelta(seconds=60)
AUTH_PAUSE = timedelta(minutes=5)
BUSY_PAUSE = timedelta(minutes=1)
TOLD = frozenset({TrackOutcome.FOUND, TrackOutcome.NOT_FOUND})
# What ends the questions about a parcel and puts it before a person.
ENDING = {
    TrackOutcome.BAD_NUMBER: TrackingAlert.NUMBER_INVALID,
    TrackOutcome.UNKNOWN_CARRIER: TrackingAlert.CARRIER_UNKNOWN,
}
ALERTS = {
    Alert.NUMBER_REUSED: TrackingAlert.NUMBER_REUSED,
    Alert.DELIVERED_AFTER_RETURN: TrackingAlert.DELIVERED_AFTER_RETURN,
    Alert.DELIVERY_DISPUTED: TrackingAlert.DELIVERY_DISPUTED,
}


@dataclass(slots=True)
class _Read:
    """One answer that may be written: the poll, the parcel, and where the parcel stands now."""

    poll: TrackingPoll
    parcel: Parcel
    seen: Projection


def write_answers(*, answers: Sequence[Answer], at: datetime, speed: int = 1) -> int:
    """배송조회 결과 반영: store what was said and deliver the lines all of whose boxes have arrived.

    Returns how many answers were written; those whose lease was lost are not. The same answer twice writes only the
    next date. Parcels whose orders somebody holds are asked about again a minute later.
    """
    answers = sorted(answers, key=lambda answer: answer[0].parcel_id)
    written = sum(_postpone(lease, result, at=at) for lease, result in answers if not _is_news(result))
    news = [answer for answer in answers if _is_news(answer[1])]
    for start in range(0, len(news), CHUNK):
        written += _write_chunk(news[start : start + CHUNK], at=at, speed=speed)
    return written


def _is_news(result: TrackResult) -> bool:
    return result.outcome in TOLD or result.outcome in ENDING


def _postpone(lease: Lease, result: TrackResult, *, at: datetime) -> bool:
    """A failed question: only the time of the next one changes."""
    values: dict[str, Any] = {"lease_until": None, "last_error": f"{result.outcome}: {result.detail}"[:200]}
    if result.outcome == TrackOutcome.RATE_LIMITED:
        pause = timedelta(seconds=result.retry_after) if result.retry_after else RATE_PAUSE
        values |= {"next_poll_at": at + pause}
    elif result.outcome == TrackOutcome.AUTH:
        values |= {"next_poll_at": at + AUTH_PAUSE}
    else:
        fails = lease.fail_count + 1
        due = polling.back_off(fails, at=at, parcel_id=lease.parcel_id)
        values |= {"next_poll_at": due, "fail_count": min(fails, 1000)}
    mine = TrackingPoll.objects.filter(parcel_id=lease.parcel_id, lease_token=lease.token, is_active=True)
    return bool(mine.update(**values))


def _write_chunk(answers: Sequence[Answer], *, at: datetime, speed: int) -> int:
    try:
        return _write(answers, at=at, speed=speed)
    except LockTimeout:
        if len(answers) == 1:
            polling.release(leases=[answers[0][0]], at=at + BUSY_PAUSE)
            return 0
        return sum(_write_chunk([answer], at=at, speed=speed) for answer in answers)


def _write(answers: Sequence[Answer], *, at: datetime, speed: int) -> int:
    by_parcel = {lease.parcel_id: (lease, result) for lease, result in answers}
    shipment_ids = set(Parcel.objects.filter(pk__in=by_parcel).values_list("shipment_id", flat=True))
    with locked_shipments(lines_of(shipment_ids)) as rows:
        reads, ended = _mine(by_parcel, rows, at=at)
        fresh = [read for read in reads if read.seen.fingerprint != read.poll.last_hash]
        _store(fresh)
        changed = {read.parcel.shipment_id for read in fresh} | _flag(ended, by_parcel)
        refresh_parcels(changed)
        _tell_lines(reads, rows, at=at)
        terms = polling.terms_of({read.poll.source for read in reads})
        polls = [_next(read, at=at, speed=speed, terms=terms) for read in reads]
        for poll, _ in ended:
            poll.is_active, poll.lease_until, poll.last_error = False, None, by_parcel[poll.pk][1].detail[:200]
        update_rows([*polls, *(poll for poll, _ in ended)], _POLL_FIELDS)
    return len(reads) + len(ended)


_POLL_FIELDS = (
    "last_hash",
    "last_ok_at",
    "fail_count",
    "lease_until",
    "last_error",
    "is_active",
    "next_poll_at",
    "pace",
)


def _mine(
    by_parcel: dict[int, Answer], rows: Locked, *, at: datetime
) -> tuple[list[_Read], list[tuple[TrackingPoll, Parcel]]]:
    """Answers whose lease is still ours, read; and those that end the questions."""
    locked = TrackingPoll.objects.select_for_update(no_key=True).filter(pk__in=by_parcel, is_active=True)
    polls = {poll.pk: poll for poll in locked.order_by("pk")}
    parcels = {parcel.pk: parcel for parcel in rows.parcels}
    reads, ended = [], []
    for pk, (lease, result) in by_parcel.items():
        poll, parcel = polls.get(pk), parcels.get(pk)
        if poll is None or parcel is None or poll.lease_token != lease.token:
            continue
        if result.outcome in ENDING:
            ended.append((poll, parcel))
            continue
        seen = project(
            result.events,
            previous=TrackingStage(parcel.stage) if parcel.stage else None,
            numbered_at=parcel.numbered_at,
            at=at,
            shipped_at=parcel.handed_over_at,
        )
        reads.append(_Read(poll, parcel, seen))
    return reads, ended


def _store(reads: Sequence[_Read]) -> None:
    TrackingEvent.objects.bulk_create(
        (event for read in reads for event in _events(read.parcel, read.seen, source=read.poll.source)),
        ignore_conflicts=True,
        batch_size=1000,
    )
    for read in reads:
        parcel, seen = read.parcel, read.seen
        parcel.stage, parcel.alert = seen.stage, _alert(seen)
        parcel.first_scan_at = parcel.first_scan_at or seen.first_scan_at
        parcel.last_event_at = seen.last_event_at or parcel.last_event_at
        parcel.last_event_text = " ".join(filter(None, [seen.last_place, seen.last_text]))[:200]
    told = ("stage", "alert", "first_scan_at", "last_event_at", "last_event_text")
    update_rows([read.parcel for read in reads], told)


def _events(parcel: Parcel, seen: Projection, *, source: str) -> Iterator[TrackingEvent]:
    for seq, event in enumerate(seen.events):
        yield TrackingEvent(
            parcel=parcel,
            source=source,
            seq=seq,
            raw_code=event.raw.code[:40],
            raw_text=f"{event.raw.name} {event.raw.text}".strip()[:300],
            stage=event.stage,
            at=event.at,
            is_time_estimated=event.is_time_estimated,
            place=event.raw.place[:100],
            fingerprint=_fingerprint(event),
        )


def _fingerprint(event: TrackedEvent) -> str:
    """Equal for the same scan told again; its place in the list and our reading of it do not count."""
    raw: RawEvent = event.raw
    moment = raw.at.isoformat() if raw.at else ""
    parts = (raw.code, raw.name, raw.text, raw.place, moment, str(raw.is_date_only))
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _alert(seen: Projection) -> str:
    return next((found for alert, found in ALERTS.items() if alert in seen.alerts), "")


def _flag(ended: Sequence[tuple[TrackingPoll, Parcel]], by_parcel: dict[int, Answer]) -> set[int]:
    """Numbers and couriers that the source calls wrong go to the tab 추적 오류; nothing moves."""
    for _, parcel in ended:
        parcel.alert = ENDING[by_parcel[parcel.pk][1].outcome]
    update_rows([parcel for _, parcel in ended], ["alert"])
    return {parcel.shipment_id for _, parcel in ended}


def _tell_lines(reads: Sequence[_Read], rows: Locked, *, at: datetime) -> None:
    """Note first scans and deliver what has arrived; decided by states, so that an answer told before still counts."""
    out = [read for read in reads if read.parcel.direction == Direction.OUT]
    scanned = {read.parcel.pk for read in out if read.seen.first_scan_at is not None}
    arriving = {read.parcel.pk: read.seen.delivered_at for read in out if _has_arrived(read)}
    if not scanned and not arriving:
        return
    boxes = _boxes(rows)
    fresh = [
        pk
        for pk, line in rows.lines.items()
        if line.state == LineState.SHIPPING and line.picked_up_at is None and scanned & boxes.get(pk, set())
    ]
    if fresh:
        progress.pick_up(line_ids=fresh, at=at, source=Source.COURIER)
    if not arriving:
        return
    parcels = [read.parcel for read in out if read.parcel.pk in arriving]
    per_row = {pk: {"delivered_at": moment} for pk, moment in arriving.items()}
    arrived = move(parcels, Parcel.deliver, at=at, per_row=per_row)
    record(arrived, events.PARCEL_DELIVERED, at=at, source=Source.COURIER)
    complete = _complete(rows, boxes, set(arriving))
    if complete:
        progress.deliver(delivered_at=complete, by=DeliveredBy.TRACKER, actor=None, at=at, source=Source.COURIER)


def _has_arrived(read: _Read) -> bool:
    """배송완료 판정: proven, not on the way back to us, and not the delivery that staff took back."""
    parcel, seen = read.parcel, read.seen
    if seen.stage != TrackingStage.DELIVERED or seen.delivered_at is None or parcel.state != ParcelState.HANDED_OVER:
        return False
    if Alert.DELIVERED_AFTER_RETURN in seen.alerts:
        return False
    return parcel.refused_delivery_at is None or seen.delivered_at > parcel.refused_delivery_at


def _boxes(rows: Locked) -> dict[int, set[int]]:
    """Parcels on their way to the buyer that carry each line."""
    out = [parcel.pk for parcel in rows.parcels if parcel.direction == Direction.OUT]
    found: dict[int, set[int]] = {}
    for line_id, parcel_id in ParcelLine.objects.filter(parcel__in=out).values_list("line_id", "parcel_id"):
        found.setdefault(line_id, set()).add(parcel_id)
    return found


def _complete(rows: Locked, boxes: dict[int, set[int]], arrived: set[int]) -> dict[int, datetime]:
    """Lines on the way all of whose boxes are there, with the time of the last one."""
    at_buyer = {p.pk: p.delivered_at for p in rows.parcels if p.state == ParcelState.DELIVERED and p.delivered_at}
    found = {}
    for pk, line in rows.lines.items():
        mine = boxes.get(pk, set())
        if line.state == LineState.SHIPPING and mine & arrived and mine <= at_buyer.keys():
            found[pk] = max(at_buyer[box] for box in mine)
    return found


def _next(read: _Read, *, at: datetime, speed: int, terms: Terms) -> TrackingPoll:
    poll, parcel, seen = read.poll, read.parcel, read.seen
    poll.last_hash, poll.last_ok_at, poll.fail_count = seen.fingerprint, at, 0
    poll.lease_until, poll.last_error = None, ""
    is_disputed = seen.stage == TrackingStage.DELIVERED and parcel.refused_delivery_at is not None
    waits = parcel.state == ParcelState.HANDED_OVER and is_disputed and _alert(seen) == ""
    poll.is_active = waits or seen.stage not in polling.FINISHED
    if poll.is_active and polling.is_expired(shipped_at=parcel.handed_over_at, at=at):
        poll.is_active = False
        Parcel.objects.filter(pk=parcel.pk).update(alert=TrackingAlert.EXPIRED)
        refresh_parcels({parcel.shipment_id})
    polling.plan_next(poll, stage=seen.stage, at=at, terms=terms, speed=speed, shipped_at=parcel.handed_over_at)
    return poll
