"""From all events of a parcel to where it stands: pure, repeatable, without a database (shipping.md 3.3, 3.6)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from shipping.adapters.base import RawEvent
from shipping.normalise import Reason, Rules, raw_text
from shipping.states import TrackingStage as Stage

SEOUL = ZoneInfo("Asia/Seoul")
REUSED_NUMBER_MARGIN = timedelta(hours=24)
"""Events older than this before the number was assigned belong to the number's former parcel."""
EARLIEST_DELIVERY_MARGIN = timedelta(hours=24)


class Alert(StrEnum):
    """예외: what the projection found that a person must look at (shipping.md 3.3)."""

    NUMBER_REUSED = "NUMBER_REUSED"
    """Every event is older than the number: the courier has given the number out again."""
    OTHER_RECIPIENT = "OTHER_RECIPIENT"
    """The source takes the parcel to somebody else: nothing that it tells counts."""
    REGRESSED = "REGRESSED"
    """The source now tells less than before; the stage is kept."""
    DELIVERY_DISPUTED = "DELIVERY_DISPUTED"
    """배송완료 was recorded and the source no longer says so; 배송완료 stays."""
    DELIVERED_AFTER_RETURN = "DELIVERED_AFTER_RETURN"
    """The delivery follows a 반송: it may be the delivery to the sender."""


@dataclass(frozen=True, kw_only=True)
class TrackedEvent:
    """배송 이력: one event in order, with its stage and the time it is taken to have happened."""

    raw: RawEvent
    stage: Stage
    reason: Reason
    at: datetime | None
    is_time_estimated: bool


@dataclass(frozen=True, kw_only=True)
class Projection:
    """배송 현황: where the parcel stands; every time is aware, the events are oldest first."""

    stage: Stage
    reason: Reason = Reason.NONE
    """Of the newest ATTEMPT_FAILED or EXCEPTION, while the parcel stands there."""
    delivered_at: datetime | None = None
    """Time of the DELIVERED event, clamped (shipping.md 3.6); only with stage DELIVERED. Set once by the caller."""
    first_scan_at: datetime | None = None
    """First physical scan, `at` when no scan has a time; None while nobody has touched the box."""
    last_event_at: datetime | None = None
    """Newest event, `at` when none has a time: the caller keeps it only of events that are new to him."""
    last_text: str = ""
    last_place: str = ""
    attempts: int = 0
    """Failed attempts so far."""
    events: tuple[TrackedEvent, ...] = ()
    """Without those of a former parcel, which nobody is shown."""
    alerts: frozenset[Alert] = frozenset()
    fingerprint: str = ""
    """Equal for equal events: the same poll twice writes nothing."""


_RANK = {
    Stage.NO_INFO: 0,
    Stage.UNKNOWN: 0,
    Stage.REGISTERED: 1,
    Stage.CANCELLED: 1,
    Stage.PICKUP_FAILED: 1,
    Stage.PICKED_UP: 2,
    Stage.IN_TRANSIT: 3,
    Stage.OUT_FOR_DELIVERY: 4,
    Stage.ATTEMPT_FAILED: 4,
    Stage.AVAILABLE_FOR_PICKUP: 5,
    Stage.EXCEPTION: 6,
    Stage.RETURNING: 7,
    Stage.RETURNED: 8,
    Stage.DELIVERED: 9,
}
_REDELIVERY = {Stage.OUT_FOR_DELIVERY, Stage.ATTEMPT_FAILED, Stage.IN_TRANSIT}
_NOTHING_YET = {None, Stage.NO_INFO, Stage.UNKNOWN}
_NOT_PHYSICAL = {Stage.NO_INFO, Stage.UNKNOWN, Stage.REGISTERED, Stage.PICKUP_FAILED, Stage.CANCELLED}
_AGAINST_DELIVERY = {Stage.PICKED_UP, Stage.RETURNING, Stage.RETURNED, Stage.ATTEMPT_FAILED}
_LOSSES = {Reason.LOST, Reason.MISDELIVERED}


def project(
    events: Sequence[RawEvent],
    *,
    previous: Stage | None,
    numbered_at: datetime | None,
    at: datetime,
    rules: Rules,
    shipped_at: datetime | None = None,
    refused_at: datetime | None = None,
) -> Projection:
    """배송 현황 계산: the stage of a parcel from the events of its source (shipping.md 3.2, 3.3, 3.6).

    `events` in the source's order, all that are stored, not only the newest answer; `previous` is the stored stage;
    `numbered_at` when the number was given to this parcel; `at` the moment these events were seen; `rules` those of
    the source and courier (rules_for); `shipped_at` the moment of 배송중 처리; `refused_at` that of a delivery which
    staff took back: `delivered_at` is then of a later one, or None. Same input, same result; nothing raises.
    """
    timed = _in_order(events, rules)
    kept = [event for event in timed if not _is_of_former_parcel(event, numbered_at)]
    told = _stage_told(kept)
    stage = _without_regress(told, previous, kept)
    delivery = _delivery_that_counts(kept, refused_at) if stage == Stage.DELIVERED else None
    standing = next((event for event in reversed(kept) if event.stage == stage), None)
    # Of a list in which nothing has a time we know only that it happened before we saw it.
    scans = [event.at or at for event in kept if event.stage not in _NOT_PHYSICAL]
    last = kept[-1] if kept else None
    return Projection(
        stage=stage,
        reason=standing.reason if standing else Reason.NONE,
        delivered_at=_delivered_at(delivery, at=at, shipped_at=shipped_at) if delivery else None,
        first_scan_at=min(scans[0], at) if scans else None,
        last_event_at=min(last.at or at, at) if last else None,
        last_text=raw_text(last.raw) if last else "",
        last_place=last.raw.place if last else "",
        attempts=sum(event.stage == Stage.ATTEMPT_FAILED for event in kept),
        events=tuple(kept),
        alerts=frozenset(_alerts(told, stage, previous, kept, timed)),
        fingerprint=_fingerprint(kept),
    )


def project_other(*, previous: Stage | None) -> Projection:
    """다른 사람의 상자: what is left of an answer about somebody else's parcel: the stage stays, a person must look."""
    return Projection(
        stage=previous or Stage.NO_INFO,
        alerts=frozenset({Alert.OTHER_RECIPIENT}),
        fingerprint=Alert.OTHER_RECIPIENT.value,
    )


def _in_order(events: Sequence[RawEvent], rules: Rules) -> list[TrackedEvent]:
    """Events by time, ties and missing times by their place in the list; repeats are dropped."""
    tracked: list[TrackedEvent] = []
    before: datetime | None = None
    for raw in dict.fromkeys(events):
        at = raw.at
        if raw.at is None:
            at = before
        elif raw.is_date_only:
            midnight = datetime.combine(raw.at.astimezone(SEOUL).date(), time(), SEOUL)
            at = max(before, midnight) if before and before <= raw.at else midnight
        before = at or before
        stage = rules.stage_of(raw)
        tracked.append(
            TrackedEvent(
                raw=raw,
                stage=stage,
                reason=rules.reason_of(raw, stage),
                at=at,
                is_time_estimated=raw.at is None or raw.is_date_only,
            )
        )
    first = next((event.at for event in tracked if event.at), None)
    if first is None:
        return tracked
    # Leading events without a time have nothing to inherit: they take the first time that is known.
    dated = [event if event.at else replace(event, at=first) for event in tracked]
    return sorted(dated, key=lambda event: event.at or first)


def _is_of_former_parcel(event: TrackedEvent, numbered_at: datetime | None) -> bool:
    return bool(numbered_at and event.at and event.at < numbered_at - REUSED_NUMBER_MARGIN)


def _stage_told(events: Sequence[TrackedEvent]) -> Stage:
    """The stage these events alone tell, without regard to what was stored."""
    if not events:
        return Stage.NO_INFO
    if _standing_delivery(events):
        return Stage.DELIVERED
    stages = [event.stage for event in events]
    for stage in (Stage.RETURNED, Stage.RETURNING):
        if stage in stages:
            return stage
    return next((stage for stage in reversed(stages) if stage != Stage.UNKNOWN), Stage.UNKNOWN)


def _standing_delivery(events: Sequence[TrackedEvent]) -> TrackedEvent | None:
    """The first delivery after which nothing speaks against it; scans of the way may well come later."""
    delivery = None
    for event in events:
        if event.stage in _AGAINST_DELIVERY or event.reason in _LOSSES:
            delivery = None
        elif event.stage == Stage.DELIVERED and delivery is None:
            delivery = event
    return delivery


def _delivery_that_counts(events: Sequence[TrackedEvent], refused_at: datetime | None) -> TrackedEvent | None:
    """The standing delivery; where staff took one back, the first one after it: the box went out again."""
    first = _standing_delivery(events)
    if first is None or refused_at is None:
        return first
    told = (event for event in events[events.index(first) :] if event.stage == Stage.DELIVERED)
    return next((event for event in told if event.at and event.at > refused_at), None)


def _without_regress(told: Stage, previous: Stage | None, events: Sequence[TrackedEvent]) -> Stage:
    """What to store: a parcel does not go back, except where real parcels do (shipping.md 3.3.5)."""
    if previous is None:
        return told
    if told in _NOTHING_YET or previous in {Stage.DELIVERED, Stage.RETURNED}:
        return previous
    if previous == Stage.EXCEPTION or _RANK[told] >= _RANK[previous]:
        return told
    # A second round is told together with the first; a list that merely lost its end is not one.
    is_second_round = {told, previous} <= _REDELIVERY and any(event.stage == previous for event in events)
    return told if is_second_round else previous


def _alerts(
    told: Stage,
    stage: Stage,
    previous: Stage | None,
    kept: Sequence[TrackedEvent],
    timed: Sequence[TrackedEvent],
) -> list[Alert]:
    alerts = []
    if timed and not kept:
        alerts.append(Alert.NUMBER_REUSED)
    if (previous == Stage.DELIVERED and told != Stage.DELIVERED) or _has_accident_after_delivery(kept):
        alerts.append(Alert.DELIVERY_DISPUTED)
    elif stage != told and previous not in _NOTHING_YET and told != Stage.UNKNOWN:
        alerts.append(Alert.REGRESSED)
    has_returned = any(event.stage in {Stage.RETURNING, Stage.RETURNED} for event in kept)
    if told == Stage.DELIVERED and has_returned:
        alerts.append(Alert.DELIVERED_AFTER_RETURN)
    return alerts


def _has_accident_after_delivery(events: Sequence[TrackedEvent]) -> bool:
    delivery = _standing_delivery(events)
    return delivery is not None and any(event.stage == Stage.EXCEPTION for event in events[events.index(delivery) :])


def _delivered_at(delivery: TrackedEvent, *, at: datetime, shipped_at: datetime | None) -> datetime:
    """Not later than we first saw it, not earlier than a day before 배송중; a date alone counts to its last second."""
    known = delivery.at or at
    if delivery.raw.is_date_only and delivery.raw.at:
        known = datetime.combine(delivery.raw.at.astimezone(SEOUL).date(), time(23, 59, 59), SEOUL)
    if shipped_at:
        known = max(known, shipped_at - EARLIEST_DELIVERY_MARGIN)
    return min(known, at)


def _fingerprint(events: Sequence[TrackedEvent]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for event in events:
        moment = event.raw.at.timestamp() if event.raw.at else ""
        parts = (event.stage, event.raw.code, event.raw.name, event.raw.text, event.raw.place, moment)
        digest.update("\x1f".join(map(str, parts)).encode("utf-8", "surrogatepass") + b"\x1e")
    return digest.hexdigest()
