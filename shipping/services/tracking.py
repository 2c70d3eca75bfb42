"""배송조회: ask the tracking source about leased parcels and write down what it says.

The call runs outside any transaction. The answer is written in one transaction under the usual locks, only while the
lease token is still ours; only DELIVERED moves anything, once; an error moves nothing. Source: shipping.md 3.3, 3.4,
4.3, 4.4.
"""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from core.events import record
from core.models import Source
from core.state import move
from orders.models import OrderLine
from orders.services import progress
from orders.states import DeliveredBy, LineState
from shipping import events
from shipping.adapters.base import RawEvent, TrackingSource, TrackOutcome, TrackResult
from shipping.models import AccountState, Parcel, ParcelLine, TrackingAccount, TrackingEvent, TrackingPoll
from shipping.projection import Projection, project
from shipping.rollup import roll_up_shipments
from shipping.services import polling
from shipping.services.polling import Lease
from shipping.services.shipments import Locked, lines_of, locked_shipments
from shipping.services.sources import open_source
from shipping.states import ParcelState, TrackingStage

log = logging.getLogger("oms.tracking")

IN_FLIGHT = 16
RATE_PAUSE = timedelta(seconds=60)
PROBE = timedelta(minutes=5)


def poll_due(*, at: datetime, limit: int = 200) -> int:
    """Ask about the parcels that are due; returns how many answers were written. A blocked account is only probed."""
    account = TrackingAccount.objects.filter(code=polling.SOURCE, is_active=True).first()
    if account is None or _waits(account, at):
        return 0
    leases = polling.claim(at=at, limit=1 if account.state == AccountState.BLOCKED else limit)
    if not leases:
        return 0
    with open_source(account) as source, ThreadPoolExecutor(min(IN_FLIGHT, len(leases))) as pool:
        results = list(pool.map(lambda lease: _ask(source, lease), leases))
    _note_account(account, results, at=at)
    speed = account.speed
    return sum(_write(lease, result, at=at, speed=speed) for lease, result in zip(leases, results, strict=True))


def _waits(account: TrackingAccount, at: datetime) -> bool:
    blocked = account.state == AccountState.BLOCKED and account.blocked_at is not None
    return bool(blocked and account.blocked_at and at < account.blocked_at + PROBE)


def _ask(source: TrackingSource, lease: Lease) -> TrackResult:
    return source.track(courier=lease.courier, number=lease.waybill)


def _note_account(account: TrackingAccount, results: Sequence[TrackResult], *, at: datetime) -> None:
    """One alert per account, not per parcel: refused keys block it, any good answer frees it."""
    outcomes = {result.outcome for result in results}
    if TrackOutcome.AUTH in outcomes:
        account.state, account.blocked_at = AccountState.BLOCKED, at
        account.last_error = "인증이 거절되었습니다. 키를 확인하세요."
        log.error("tracking account %s was refused", account.code)
    elif outcomes & {TrackOutcome.FOUND, TrackOutcome.NOT_FOUND}:
        account.state, account.blocked_at, account.last_error, account.last_ok_at = AccountState.OK, None, "", at
    elif outcomes:
        account.last_error = f"{sorted(outcomes)[0]}: {results[0].detail}"[:300]
    account.save(update_fields=["state", "blocked_at", "last_error", "last_ok_at"])


def _write(lease: Lease, result: TrackResult, *, at: datetime, speed: int) -> bool:
    if result.outcome in {TrackOutcome.FOUND, TrackOutcome.NOT_FOUND}:
        return record_tracking(lease=lease, events=result.events, at=at, speed=speed)
    mine = TrackingPoll.objects.filter(parcel_id=lease.parcel_id, lease_token=lease.token, is_active=True)
    values = {"lease_until": None, "last_error": f"{result.outcome}: {result.detail}"[:200]}
    if result.outcome in {TrackOutcome.BAD_NUMBER, TrackOutcome.UNKNOWN_CARRIER}:
        values |= {"is_active": False}
    elif result.outcome == TrackOutcome.RATE_LIMITED:
        pause = timedelta(seconds=result.retry_after) if result.retry_after else RATE_PAUSE
        values |= {"next_poll_at": at + pause}
    elif result.outcome == TrackOutcome.AUTH:
        values |= {"next_poll_at": at + PROBE}
    else:
        fails = lease.fail_count + 1
        values |= {"next_poll_at": polling.back_off(fails, at=at), "fail_count": fails}
    written = bool(mine.update(**values))
    if written and result.outcome == TrackOutcome.BAD_NUMBER:
        _flag(lease.parcel_id)
    return written


def _flag(parcel_id: int) -> None:
    """A number that the courier calls wrong goes to the tab 추적 오류; nothing moves."""
    shipment_id = Parcel.objects.values_list("shipment_id", flat=True).get(pk=parcel_id)
    with locked_shipments(lines_of([shipment_id])) as rows:
        for shipment in rows.shipments.values():
            shipment.tracking_failed = True
            shipment.save(update_fields=["tracking_failed"])


def record_tracking(*, lease: Lease, events: Sequence[RawEvent], at: datetime, speed: int = 1) -> bool:
    """Store what the courier says about one parcel and deliver its lines when every box of theirs has arrived.

    Returns False when the lease was lost: then nothing is written. The same answer twice writes only the next date.
    """
    shipment_id = Parcel.objects.values_list("shipment_id", flat=True).get(pk=lease.parcel_id)
    with locked_shipments(lines_of([shipment_id])) as rows:
        poll = TrackingPoll.objects.select_for_update(no_key=True).get(pk=lease.parcel_id)
        parcel = next((p for p in rows.parcels if p.pk == lease.parcel_id), None)
        if poll.lease_token != lease.token or not poll.is_active or parcel is None:
            return False
        seen = project(
            events,
            previous=TrackingStage(parcel.stage) if parcel.stage else None,
            numbered_at=parcel.numbered_at,
            at=at,
            shipped_at=parcel.handed_over_at,
        )
        if seen.fingerprint != poll.last_hash:
            _store(parcel, seen)
            _tell_lines(parcel, seen, rows, at=at)
            roll_up_shipments([shipment_id])
        poll.last_hash, poll.last_ok_at, poll.fail_count = seen.fingerprint, at, 0
        poll.lease_until, poll.last_error = None, ""
        poll.is_active = seen.stage not in polling.FINISHED
        poll.next_poll_at = polling.next_poll(parcel_id=parcel.pk, stage=seen.stage, at=at, speed=speed)
        poll.save()
    return True


def _store(parcel: Parcel, seen: Projection) -> None:
    TrackingEvent.objects.bulk_create(
        [
            TrackingEvent(
                parcel=parcel,
                source=polling.SOURCE,
                seq=seq,
                raw_code=event.raw.code[:40],
                raw_text=f"{event.raw.name} {event.raw.text}".strip()[:300],
                stage=event.stage,
                at=event.at,
                is_time_estimated=event.is_time_estimated,
                place=event.raw.place[:100],
                fingerprint=f"{event.stage}|{event.at.isoformat() if event.at else seq}|{event.raw.name}"[:64],
            )
            for seq, event in enumerate(seen.events)
        ],
        ignore_conflicts=True,
    )
    parcel.stage = seen.stage
    parcel.first_scan_at = parcel.first_scan_at or seen.first_scan_at
    parcel.last_event_at = seen.last_event_at or parcel.last_event_at
    parcel.last_event_text = " ".join(filter(None, [seen.last_place, seen.last_text]))[:200]
    parcel.save(update_fields=["stage", "first_scan_at", "last_event_at", "last_event_text"])


def _tell_lines(parcel: Parcel, seen: Projection, rows: Locked, *, at: datetime) -> None:
    carried = set(ParcelLine.objects.filter(parcel=parcel).values_list("line_id", flat=True))
    mine = [line for pk, line in sorted(rows.lines.items()) if pk in carried]
    if seen.first_scan_at is not None:
        fresh = [line.pk for line in mine if line.state == LineState.SHIPPING and line.picked_up_at is None]
        if fresh:
            progress.pick_up(line_ids=fresh, at=at, source=Source.COURIER)
    if seen.stage != TrackingStage.DELIVERED or parcel.state != ParcelState.HANDED_OVER or seen.delivered_at is None:
        return
    arrived = move([parcel], Parcel.deliver, at=at, delivered_at=seen.delivered_at)
    record(arrived, events.PARCEL_DELIVERED, at=at, source=Source.COURIER)
    complete = _complete(mine, rows)
    if complete:
        progress.deliver(
            delivered_at=dict.fromkeys(complete, seen.delivered_at),
            by=DeliveredBy.TRACKER,
            actor=None,
            at=at,
            source=Source.COURIER,
        )


def _complete(lines: Sequence[OrderLine], rows: Locked) -> list[int]:
    """Lines on the way of which no box is still out."""
    out = [p.pk for p in rows.parcels if p.state != ParcelState.DELIVERED]
    waiting = set(ParcelLine.objects.filter(parcel__in=out, line__in=lines).values_list("line_id", flat=True))
    return [line.pk for line in lines if line.state == LineState.SHIPPING and line.pk not in waiting]
