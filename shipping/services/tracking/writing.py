"""배송조회 반영: what is known of parcels by now, written under the locks of their orders.

Shared by answers (one source asked about a parcel) and feeds (a source that tells by itself). Only a proven delivery
moves a line; a return moves the box alone; everything a person must look at becomes a case. Source: shipping.md 3.4.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from core.bulk import update_rows
from core.events import record
from core.models import Source
from core.settings_registry import get_setting
from core.state import move
from orders.services import locks, progress
from orders.states import DeliveredBy, LineState, LockKind
from shipping import events
from shipping.models import Parcel, ParcelLine, TrackingPoll
from shipping.options import SHIPS_ON_SCAN
from shipping.projection import Alert, Projection
from shipping.rollup import refresh_parcels
from shipping.services.exceptions import opening
from shipping.services.exceptions.opening import News, Opening
from shipping.services.exceptions.rules import Box, Evidence, is_coming_back
from shipping.services.notices import StageNews, tell_stages
from shipping.services.polling.sources import kind_of
from shipping.services.shipments import Fields, Locked, lines_of, ship
from shipping.services.tracking.stored import Heard, Marks, fingerprint_of, store, told_before
from shipping.services.tracking.unknown import Seen, note_unknown
from shipping.states import Direction, ExceptionKind, ParcelState, TrackingStage

WAITING = frozenset({ParcelState.NUMBERED, ParcelState.PRINTED})
DISPUTED = "택배사가 배송완료를 뒤집는 소식을 전했습니다."


@dataclass(slots=True)
class Read:
    """읽은 소식: a locked parcel, where it stands now, which source said so, and whether anything of it is new."""

    parcel: Parcel
    seen: Projection
    source: str
    is_fresh: bool
    poll: TrackingPoll | None = None
    marks: Marks = field(default_factory=dict)

    @property
    def heard(self) -> Heard:
        """What of it is stored."""
        return Heard(self.parcel.pk, self.source, self.seen, self.marks)


LOOKED_AT = Fields(lines=("id", "order_id", "state", "picked_up_at"), shipments=("id", "order_id"))
"""What is written here looks at no more of the lines and shipments of `Locked`; who moves them reads them whole."""


def write(reads: Sequence[Read], rows: Locked, *, at: datetime, is_told: bool = True) -> None:
    """소식 저장: events, stage, cases, moves of boxes and lines, in the transaction that holds `rows`.

    `is_told` is False where stored events are read once more: values that no rule knows were written down before.
    """
    fresh = [read for read in reads if read.is_fresh]
    news = [News(read.parcel, read.seen, _box(read.parcel)) for read in fresh]
    _store(fresh)
    opened = opening.follow_news(news, at=at)
    refresh_parcels({read.parcel.shipment_id for read in fresh})
    _dispute({pk for pk, kind in opened if kind == ExceptionKind.DELIVERY_DISPUTED}, rows, at=at)
    _turn_back(reads, at=at)
    _arrive(reads, rows, at=at)
    if is_told:
        _tell_buyers(fresh, at=at)
        note_unknown((Seen(one.parcel.pk, kind_of(one.source), one.parcel.courier, one.seen) for one in fresh), at=at)


def ship_scanned(reads: Sequence[Read], rows: Locked, *, at: datetime) -> bool:
    """집하 시 자동 배송중: shipments that nobody has sent and whose box the courier has scanned; whether one has left.

    What may not leave (a hold, a claim, another number typed over it) is a case: the box is on its way all the same.
    """
    scanned = [read for read in reads if read.parcel.state in WAITING and read.seen.first_scan_at is not None]
    scanned = [read for read in scanned if read.parcel.direction == Direction.OUT]
    if not scanned or not get_setting(SHIPS_ON_SCAN.key):
        return False
    outcome = ship(
        line_ids=lines_of({read.parcel.shipment_id for read in scanned}), actor=None, at=at, source=Source.COURIER
    )
    reasons = {rows.shipment_of_line[pk]: text for pk, text in outcome.refused.items() if pk in rows.shipment_of_line}
    held = [read for read in scanned if read.parcel.shipment_id in reasons]
    opening.open_cases(
        [
            Opening(
                read.parcel,
                ExceptionKind.NOT_SHIPPED,
                Evidence(read.seen.first_scan_at or at, reasons[read.parcel.shipment_id]),
            )
            for read in held
        ],
        at=at,
    )
    return bool(outcome.changes)


def _box(parcel: Parcel) -> Box:
    return Box(parcel.state, parcel.numbered_at, parcel.last_event_at, parcel.resumed_at)


def _store(reads: Sequence[Read]) -> None:
    forgot = _forgot(reads)
    store(read.heard for read in reads)
    for read in reads:
        keep_seen(read.parcel, read.seen, has_regressed=read.parcel.pk in forgot)
    update_rows([read.parcel for read in reads], TOLD)


def _forgot(reads: Sequence[Read]) -> set[int]:
    """되돌아간 상자: their source no longer tells what it told before; another source that knows less is none (4.3)."""
    by_source: dict[str, list[Read]] = {}
    for read in reads:
        if Alert.REGRESSED in read.seen.alerts:
            by_source.setdefault(read.source, []).append(read)
    found = set()
    for source, mine in by_source.items():
        before = told_before([read.parcel.pk for read in mine], source)
        for read in mine:
            now = {read.marks.get(event.raw) or fingerprint_of(event.raw) for event in read.seen.events}
            if set(before.get(read.parcel.pk, {}).values()) - now:
                found.add(read.parcel.pk)
    return found


TOLD = ("stage", "first_scan_at", "last_event_at", "last_event_text", "unknown_since", "regressions")
"""Columns of a parcel that follow the courier's words."""


def keep_seen(parcel: Parcel, seen: Projection, *, has_regressed: bool) -> None:
    """배송 현황 of a parcel in memory; a source that tells nothing leaves what was known."""
    parcel.stage = seen.stage
    parcel.first_scan_at = parcel.first_scan_at or seen.first_scan_at
    if seen.events:
        parcel.last_event_at = seen.last_event_at
        parcel.last_event_text = " ".join(filter(None, [seen.last_place, seen.last_text]))[:200]
        is_unknown = seen.events[-1].stage == TrackingStage.UNKNOWN
        parcel.unknown_since = seen.last_event_at if is_unknown else None
    if has_regressed:
        parcel.regressions = min(parcel.regressions + 1, 30_000)


def _dispute(parcel_ids: set[int], rows: Locked, *, at: datetime) -> None:
    """배송 확인 잠금: lines of a delivery in doubt do not confirm by themselves (reliability.md F18)."""
    boxes = boxes_of(rows) if parcel_ids else {}
    doubted = [
        pk for pk, line in rows.lines.items() if line.state == LineState.DELIVERED and boxes.get(pk, set()) & parcel_ids
    ]
    if doubted:
        locks.place_lock(line_ids=doubted, kind=LockKind.DELIVERY, actor=None, at=at, reason=DISPUTED)


def _turn_back(reads: Sequence[Read], *, at: datetime) -> None:
    """반송: the box follows the courier; its lines stay 배송중 until a person decides."""
    back = [
        read
        for read in reads
        if read.parcel.direction == Direction.OUT and is_coming_back(read.seen, resumed_at=read.parcel.resumed_at)
    ]
    turning = [r.parcel for r in back if r.seen.stage == TrackingStage.RETURNING]
    turned = move([p for p in turning if p.state == ParcelState.HANDED_OVER], Parcel.turn_back, at=at)
    record(turned, events.PARCEL_TURNED_BACK, at=at, source=Source.COURIER)
    ended = [r.parcel for r in back if r.seen.stage == TrackingStage.RETURNED]
    out = {ParcelState.HANDED_OVER, ParcelState.RETURNING}
    came = move([p for p in ended if p.state in out], Parcel.come_back, at=at)
    record(came, events.PARCEL_CAME_BACK, at=at, source=Source.COURIER)


def _arrive(reads: Sequence[Read], rows: Locked, *, at: datetime) -> None:
    """Note first scans and deliver what has arrived; decided by states, so that an answer told before still counts."""
    scanned = {read.parcel.pk for read in reads if read.seen.first_scan_at is not None}
    arriving = {read.parcel.pk: read.seen.delivered_at for read in reads if _has_arrived(read)}
    waiting = [pk for pk, line in rows.lines.items() if line.state == LineState.SHIPPING and line.picked_up_at is None]
    if not arriving and not (scanned and waiting):
        return
    boxes = boxes_of(rows)
    fresh = [pk for pk in waiting if scanned & boxes.get(pk, set())]
    if fresh:
        progress.pick_up(line_ids=fresh, at=at, source=Source.COURIER)
    if not arriving:
        return
    parcels = [read.parcel for read in reads if read.parcel.pk in arriving]
    per_row = {pk: {"delivered_at": moment} for pk, moment in arriving.items()}
    arrived = move(parcels, Parcel.deliver, at=at, per_row=per_row)
    record(arrived, events.PARCEL_DELIVERED, at=at, source=Source.COURIER)
    complete = _complete(rows, boxes, set(arriving))
    if complete:
        progress.deliver(delivered_at=complete, by=DeliveredBy.TRACKER, actor=None, at=at, source=Source.COURIER)


def _tell_buyers(reads: Sequence[Read], *, at: datetime) -> None:
    """배송 소식 알림 of boxes on their way, where the settings want it."""
    on_way = (ParcelState.HANDED_OVER, Direction.OUT)
    out = [one for one in reads if one.seen.events and (one.parcel.state, one.parcel.direction) == on_way]
    moments = {one.parcel.pk: max((e.at for e in one.seen.events if e.at), default=None) for one in out}
    tell_stages((StageNews(one.parcel, one.seen.stage, moments[one.parcel.pk]) for one in out), at=at)


def _has_arrived(read: Read) -> bool:
    """배송완료 판정: proven, not on the way back to us, and not the delivery that staff took back.

    A box of a return arrives in our house: its box is done, no line is (boxes_of knows those on the way out alone).
    """
    parcel, seen = read.parcel, read.seen
    if seen.stage != TrackingStage.DELIVERED or seen.delivered_at is None or parcel.state != ParcelState.HANDED_OVER:
        return False
    if Alert.DELIVERED_AFTER_RETURN in seen.alerts:
        return False
    return parcel.refused_delivery_at is None or seen.delivered_at > parcel.refused_delivery_at


def boxes_of(rows: Locked) -> dict[int, set[int]]:
    """상자: parcels on their way to the buyer that carry each line; those that came back or were lost count."""
    out = [parcel.pk for parcel in rows.parcels if parcel.direction == Direction.OUT]
    found: dict[int, set[int]] = {}
    for line_id, parcel_id in ParcelLine.objects.filter(parcel__in=out).values_list("line_id", "parcel_id"):
        found.setdefault(line_id, set()).add(parcel_id)
    return found


def _complete(rows: Locked, boxes: Mapping[int, set[int]], arrived: set[int]) -> dict[int, datetime]:
    """Lines on the way all of whose boxes are there, with the time of the last one."""
    at_buyer = {p.pk: p.delivered_at for p in rows.parcels if p.state == ParcelState.DELIVERED and p.delivered_at}
    found = {}
    for pk, line in rows.lines.items():
        mine = boxes.get(pk, set())
        if line.state == LineState.SHIPPING and mine & arrived and mine <= at_buyer.keys():
            found[pk] = max(at_buyer[box] for box in mine)
    return found


__all__ = [
    "LOOKED_AT", "TOLD", "WAITING", "Read", "boxes_of", "keep_seen", "ship_scanned", "write",
]  # fmt: skip
