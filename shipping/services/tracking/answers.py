"""배송조회 결과: what a courier said about parcels, written in one transaction for many, under the usual locks.

Only while the lease token is still ours; only a proven delivery moves anything, once; an error moves nothing.
Source: shipping.md 3.3, 3.4, 4.3, 4.4.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from core.bulk import update_rows
from core.locks import LockTimeout, locked_by, locking
from core.lookups import Among
from core.masking import may_be
from shipping.adapters.base import RawEvent, TrackOutcome, TrackResult
from shipping.models import Parcel, TrackingPoll
from shipping.projection import Alert, Projection, project, project_other
from shipping.rollup import refresh_parcels
from shipping.services.exceptions import opening
from shipping.services.exceptions.opening import Opening
from shipping.services.exceptions.rules import Evidence
from shipping.services.polling import polls
from shipping.services.polling.lanes import FAIL_OVER
from shipping.services.polling.polls import Lease, Terms
from shipping.services.polling.sources import kind_of
from shipping.services.shipments import Locked, locked_whole
from shipping.services.tracking import voided
from shipping.services.tracking.rules import rules_for
from shipping.services.tracking.writing import LOOKED_AT, Read, ship_scanned, write
from shipping.states import Direction, ExceptionKind, ParcelState, TrackingStage

log = logging.getLogger("oms.tracking")

Answer: TypeAlias = tuple[Lease, TrackResult]
CHUNK = 50
"""Answers of one transaction: the orders of so many parcels are locked for as long as it takes to write them."""
RATE_PAUSE = timedelta(seconds=60)
AUTH_PAUSE = timedelta(minutes=5)
BUSY_PAUSE = timedelta(minutes=1)
TOLD = frozenset({TrackOutcome.FOUND, TrackOutcome.NOT_FOUND})
# What ends the questions about a parcel and puts it before a person.
ENDING = frozenset({TrackOutcome.BAD_NUMBER})
_DOUBTS = frozenset({Alert.NUMBER_REUSED, Alert.DELIVERED_AFTER_RETURN, Alert.DELIVERY_DISPUTED})


def write_answers(*, answers: Sequence[Answer], at: datetime, speed: int = 1) -> int:
    """배송조회 결과 반영: store what was said and deliver the lines all of whose boxes have arrived.

    Returns how many answers were written; those whose lease was lost are not. The same answer twice writes only the
    next date. Parcels whose orders somebody holds are asked about again a minute later.
    """
    answers = sorted(answers, key=lambda answer: answer[0].parcel_id)
    written = sum(_postpone(lease, result, at=at) for lease, result in answers if not _is_news(result))
    news = [answer for answer in answers if _is_news(answer[1])]
    if news:
        terms = polls.terms_of({lease.source for lease, _ in news})
        for start in range(0, len(news), CHUNK):
            written += _write_chunk(news[start : start + CHUNK], at=at, speed=speed, terms=terms)
    return written


def _is_news(result: TrackResult) -> bool:
    return result.outcome in TOLD or result.outcome in ENDING


def _postpone(lease: Lease, result: TrackResult, *, at: datetime) -> bool:
    """A failed question: only the time of the next one changes."""
    values: dict[str, Any] = {"lease_until": None, "last_error": f"{result.outcome}: {result.detail}"[:200]}
    if result.outcome == TrackOutcome.RATE_LIMITED:
        pause = timedelta(seconds=result.retry_after) if result.retry_after else RATE_PAUSE
        # The lane rests as long as it was told; after a quarter of an hour another account may ask about the parcel.
        pause = min(pause, FAIL_OVER)
        values |= {"next_poll_at": at + pause}
    elif result.outcome == TrackOutcome.AUTH:
        values |= {"next_poll_at": at + AUTH_PAUSE}
    else:
        fails = lease.fail_count + 1
        due = polls.back_off(fails, at=at, parcel_id=lease.parcel_id)
        values |= {"next_poll_at": due, "fail_count": min(fails, 1000)}
    mine = TrackingPoll.objects.filter(parcel_id=lease.parcel_id, lease_token=lease.token, is_active=True)
    return bool(mine.update(**values))


def _write_chunk(answers: Sequence[Answer], *, at: datetime, speed: int, terms: Terms) -> int:
    try:
        return _write(answers, at=at, speed=speed, terms=terms)
    except LockTimeout:
        if len(answers) == 1:
            polls.release(leases=[answers[0][0]], at=at + BUSY_PAUSE)
            return 0
        return sum(_write_chunk([answer], at=at, speed=speed, terms=terms) for answer in answers)


def _write(answers: Sequence[Answer], *, at: datetime, speed: int, terms: Terms) -> int:
    by_parcel = {lease.parcel_id: (lease, result) for lease, result in answers}
    standing = list(Parcel.objects.filter(Among("pk", by_parcel)).values_list("shipment_id", "state"))
    shipment_ids, written = {pk for pk, _ in standing}, 0
    if any(state == ParcelState.VOID for _, state in standing):
        with locking():
            written = voided.write_voided(by_parcel, at=at)
    with locked_whole(shipment_ids, fields=LOOKED_AT) as rows:
        reads, ended = _mine(by_parcel, rows, at=at)
        if ship_scanned(reads, rows, at=at):
            with locked_whole(shipment_ids, fields=LOOKED_AT) as moved:
                # The leases ended with the shipping: these answers were ours when we looked.
                reads, rows = _read_again(reads, moved, by_parcel, at=at), moved
        write(reads, rows, at=at)
        _flag([parcel for _, parcel in ended], at=at)
        asked = [_next(read, at=at, speed=speed, terms=terms) for read in reads]
        _give_up([read for read in reads if not read.poll.is_active], at=at)  # type: ignore[union-attr]
        for poll, _ in ended:
            poll.is_active, poll.lease_until, poll.last_error = False, None, by_parcel[poll.pk][1].detail[:200]
        update_rows([*asked, *(poll for poll, _ in ended)], _POLL_FIELDS)
    return written + len(reads) + len(ended)


_POLL_FIELDS = (
    "last_hash", "last_ok_at", "fail_count", "lease_until", "last_error", "is_active", "next_poll_at", "pace",
)  # fmt: skip


def _mine(
    by_parcel: dict[int, Answer], rows: Locked, *, at: datetime
) -> tuple[list[Read], list[tuple[TrackingPoll, Parcel]]]:
    """Answers whose lease is still ours, read; and those that end the questions."""
    polls = {poll.pk: poll for poll in locked_by(TrackingPoll, by_parcel, key="parcel_id", only="is_active")}
    parcels = {parcel.pk: parcel for parcel in rows.parcels}
    reads, ended = [], []
    others = _others(by_parcel, parcels)
    for pk, (lease, result) in by_parcel.items():
        poll, parcel = polls.get(pk), parcels.get(pk)
        if poll is None or parcel is None or poll.lease_token != lease.token:
            continue
        if result.outcome in ENDING:
            ended.append((poll, parcel))
        else:
            reads.append(_read(poll, parcel, result, at=at, is_other=pk in others))
    return reads, ended


def _others(by_parcel: dict[int, Answer], parcels: dict[int, Parcel]) -> set[int]:
    """다른 사람의 상자: ids whose source names another recipient than ours, unless a person has said that it is right.

    A check digit misses three typing errors of ten, and a number may be another parcel's (shipping.md 0.6).
    """
    named = [
        pk for pk, (_, result) in by_parcel.items()
        if result.recipient and pk in parcels and parcels[pk].direction == Direction.OUT
    ]  # fmt: skip
    if not named:
        return set()
    rows = Parcel.objects.filter(Among("pk", named)).values_list("pk", "shipment__order__recipient_name")
    others = {pk for pk, name in rows if not may_be(by_parcel[pk][1].recipient, name)}
    return others - opening.held_right(parcels[pk] for pk in others)


def _read(poll: TrackingPoll, parcel: Parcel, result: TrackResult, *, at: datetime, is_other: bool) -> Read:
    if is_other:
        seen = project_other(previous=TrackingStage(parcel.stage) if parcel.stage else None)
    else:
        seen = seen_of(parcel, result.events, source=poll.source, at=at)
    return Read(parcel, seen, poll.source, seen.fingerprint != poll.last_hash, poll)


def seen_of(parcel: Parcel, events: Sequence[RawEvent], *, source: str, at: datetime) -> Projection:
    """배송 현황 of a parcel by all events of a source."""
    return project(
        events,
        previous=TrackingStage(parcel.stage) if parcel.stage else None,
        numbered_at=parcel.numbered_at,
        at=at,
        rules=rules_for(kind_of(source), parcel.courier),
        shipped_at=parcel.handed_over_at,
        refused_at=parcel.refused_delivery_at,
    )


def _read_again(reads: Sequence[Read], rows: Locked, by_parcel: dict[int, Answer], *, at: datetime) -> list[Read]:
    """The same answers on rows that have moved since they were read."""
    parcels = {parcel.pk: parcel for parcel in rows.parcels}
    known = {read.parcel.pk: Alert.OTHER_RECIPIENT in read.seen.alerts for read in reads if read.parcel.pk in parcels}
    polls = TrackingPoll.objects.in_bulk(known)
    return [_read(polls[pk], parcels[pk], by_parcel[pk][1], at=at, is_other=is_other) for pk, is_other in known.items()]


def _flag(parcels: Sequence[Parcel], *, at: datetime) -> None:
    """Numbers that the courier calls wrong are cases; nothing moves."""
    if not parcels:
        return
    opening.open_cases([Opening(parcel, ExceptionKind.NUMBER_INVALID, Evidence(at)) for parcel in parcels], at=at)
    opening.refresh_alerts(parcel.pk for parcel in parcels)
    refresh_parcels({parcel.shipment_id for parcel in parcels})


def _next(read: Read, *, at: datetime, speed: int, terms: Terms) -> TrackingPoll:
    poll, parcel, seen = read.poll, read.parcel, read.seen
    assert poll is not None
    poll.last_hash, poll.last_ok_at, poll.fail_count = seen.fingerprint, at, 0
    poll.lease_until, poll.last_error = None, ""
    left_at = parcel.handed_over_at or parcel.numbered_at
    poll.is_active = asks_on(read)
    if poll.is_active and polls.is_expired(shipped_at=left_at, at=at):
        poll.is_active = False
    polls.plan_next(poll, stage=seen.stage, at=at, terms=terms, speed=speed, shipped_at=left_at)
    return poll


def asks_on(read: Read) -> bool:
    """더 물을 것: nothing comes after the end of a journey, except after a delivery that staff took back."""
    parcel, seen = read.parcel, read.seen
    is_disputed = seen.stage == TrackingStage.DELIVERED and parcel.refused_delivery_at is not None
    waits = parcel.state == ParcelState.HANDED_OVER and is_disputed and not _DOUBTS & seen.alerts
    return waits or seen.stage not in polls.FINISHED


def _give_up(reads: Sequence[Read], *, at: datetime) -> None:
    """조회 종료: boxes that were not delivered within 30 days are cases; numbers that never left are only forgotten."""
    expired = [
        read.parcel
        for read in reads
        if read.seen.stage not in polls.FINISHED and read.parcel.state == ParcelState.HANDED_OVER
    ]
    if expired:
        opening.open_cases([Opening(one, ExceptionKind.TRACKING_EXPIRED, Evidence(at)) for one in expired], at=at)
        refresh_parcels(opening.refresh_alerts(one.pk for one in expired))
