"""배송 예외 규칙: which cases the news of a parcel opens, and which of the open ones it makes moot; no database.

Source: shipping.md 3.3, 3.4; the rules of time are in sweeping.py.
"""

from dataclasses import dataclass
from datetime import datetime

from shipping.normalise import Reason
from shipping.projection import Alert, Projection, TrackedEvent
from shipping.states import ExceptionKind, ParcelState, TrackingAlert, TrackingStage

K, T, P = ExceptionKind, TrackingStage, ParcelState

TRIES = 2
"""미배달: the second failed attempt is a case; the first is a badge on the list (3.4)."""
ALERT_OF = {
    K.NUMBER_INVALID: TrackingAlert.NUMBER_INVALID,
    K.NUMBER_REUSED: TrackingAlert.NUMBER_REUSED,
    K.AFTER_RETURN: TrackingAlert.DELIVERED_AFTER_RETURN,
    K.DELIVERY_DISPUTED: TrackingAlert.DELIVERY_DISPUTED,
    K.TRACKING_EXPIRED: TrackingAlert.EXPIRED,
}
"""추적 오류: the short form of an open case on the parcel, the most pressing first; a parcel shows one of them."""
OLD_NUMBER = "택배사가 예전 배송만 알려 줍니다. 새 스캔이 나오면 저절로 닫힙니다."
OTHER_RECIPIENT = "택배사가 알려 준 받는 분이 다릅니다. 번호가 맞아 처리 완료로 닫으면 다음 조회부터 반영합니다."
_ATTEMPTS = {Reason.REFUSED: K.REFUSED, Reason.ADDRESS: K.ADDRESS}
_ACCIDENTS = {Reason.LOST: K.LOST, Reason.DAMAGED: K.DAMAGED, Reason.MISDELIVERED: K.MISDELIVERED}
BEFORE_SCAN = frozenset({K.NO_PICKUP, K.PICKUP_FAILED, K.CARRIER_CANCELLED})
SILENT = frozenset({K.STALLED, K.SUSPECTED_LOST, K.TRACKING_EXPIRED})
ON_THE_WAY = frozenset(
    {
        *BEFORE_SCAN, *SILENT, K.NOT_SHIPPED, K.ATTEMPT_FAILED, K.ADDRESS, K.REFUSED, K.UNCOLLECTED, K.LOST,
        K.MISDELIVERED, K.ACCIDENT, K.NUMBER_INVALID, K.NUMBER_REUSED, K.UNKNOWN_STATUS,
    }
)  # fmt: skip
"""Cases that are over when the box has arrived; what was damaged, came back or is in doubt stays with a person."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """근거: the courier's moment that a case is about, and what is known beside its kind."""

    at: datetime
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Box:
    """상자: what the rules look at beside the news."""

    state: str
    numbered_at: datetime | None
    last_event_before: datetime | None
    """최근 변동 as it stood before this news."""
    resumed_at: datetime | None = None
    """다시 배송: returns told of up to this moment do not count."""


def opened_by(seen: Projection, box: Box, *, at: datetime) -> dict[ExceptionKind, Evidence]:
    """여는 예외: cases that the present news of a parcel asks for, each with its evidence."""
    found: dict[ExceptionKind, Evidence] = {}
    last = {event.stage: event for event in seen.events}
    _of_stage(found, seen, last, at)
    if is_coming_back(seen, resumed_at=box.resumed_at):
        first = next((e for e in seen.events if e.stage == seen.stage), None)
        kind = K.RETURNED if seen.stage == T.RETURNED else K.RETURNING
        found[kind] = Evidence(_moment(first, at), _words(first))
    if Alert.NUMBER_REUSED in seen.alerts:
        found[K.NUMBER_REUSED] = Evidence(box.numbered_at or at, OLD_NUMBER)
    if Alert.OTHER_RECIPIENT in seen.alerts:
        found[K.NUMBER_REUSED] = Evidence(box.numbered_at or at, OTHER_RECIPIENT)
    if Alert.DELIVERY_DISPUTED in seen.alerts:
        against = next((e for e in reversed(seen.events) if e.stage != T.DELIVERED), None)
        words = _words(against) if seen.events else "택배사 조회에서 배송완료가 사라졌습니다."
        found[K.DELIVERY_DISPUTED] = Evidence(_moment(against, at), words)
    is_back = box.state in {P.RETURNING, P.RETURNED, P.LOST} and seen.stage == T.DELIVERED
    if Alert.DELIVERED_AFTER_RETURN in seen.alerts or is_back:
        found[K.AFTER_RETURN] = Evidence(_moment(last.get(T.DELIVERED), at), _words(last.get(T.DELIVERED)))
    return found


def _of_stage(
    found: dict[ExceptionKind, Evidence], seen: Projection, last: dict[TrackingStage, TrackedEvent], at: datetime
) -> None:
    event = last.get(seen.stage)
    evidence = Evidence(_moment(event, at), _words(event))
    match seen.stage:
        case T.PICKUP_FAILED:
            found[K.PICKUP_FAILED] = evidence
        case T.CANCELLED:
            found[K.CARRIER_CANCELLED] = evidence
        case T.ATTEMPT_FAILED if seen.reason in _ATTEMPTS:
            found[_ATTEMPTS[seen.reason]] = evidence
        case T.ATTEMPT_FAILED if seen.attempts >= TRIES:
            found[K.ATTEMPT_FAILED] = Evidence(evidence.at, f"{seen.attempts}번째 미배달. {evidence.detail}")
        case T.EXCEPTION:
            found[_ACCIDENTS.get(seen.reason, K.ACCIDENT)] = evidence


def is_coming_back(seen: Projection, *, resumed_at: datetime | None) -> bool:
    """반송 여부: whether the news tells of a return that no person has overruled by 다시 배송."""
    if seen.stage not in {T.RETURNING, T.RETURNED}:
        return False
    newest = max((e.at for e in seen.events if e.at and e.stage == seen.stage), default=None)
    return resumed_at is None or (newest is not None and newest > resumed_at)


def is_over(kind: ExceptionKind, seen: Projection, box: Box) -> bool:
    """닫는 예외: whether the news makes an open case of a kind moot; those it asks for again are not asked about."""
    is_new = seen.last_event_at is not None and seen.last_event_at != box.last_event_before
    if kind in BEFORE_SCAN:
        return seen.first_scan_at is not None or (kind == K.CARRIER_CANCELLED and seen.stage != T.CANCELLED)
    if kind in SILENT:
        return is_new
    match kind:
        case K.UNCOLLECTED:
            return seen.stage != T.AVAILABLE_FOR_PICKUP
        case K.UNKNOWN_STATUS:
            return is_new and seen.events[-1].stage != T.UNKNOWN
        case K.NUMBER_REUSED | K.DELIVERY_DISPUTED | K.AFTER_RETURN:
            return bool(seen.events)
        case K.NUMBER_INVALID:
            return True
        case K.ATTEMPT_FAILED | K.ADDRESS | K.REFUSED:
            return seen.stage in {T.RETURNING, T.RETURNED}
        case K.RETURNING:
            return seen.stage in {T.RETURNED, T.DELIVERED}
        case K.NOT_SHIPPED:
            return box.state not in {P.NUMBERED, P.PRINTED}
    return False


def ended_by(state: str) -> frozenset[ExceptionKind]:
    """상자 이동으로 닫는 예외: cases that are over once a parcel stands in a state, whoever moved it."""
    match state:
        case P.DELIVERED:
            return ON_THE_WAY | {K.RETURNING, K.RETURNED, K.AFTER_RETURN}
        case P.VOID:
            return frozenset(K) - {K.CANCELLED_BUT_SCANNED}
        case P.NUMBERED:
            return frozenset(K) - {K.NUMBER_INVALID, K.NUMBER_REUSED, K.DAMAGED}
        case P.HANDED_OVER:
            return frozenset({K.NOT_SHIPPED, K.RETURNING, K.AFTER_RETURN, K.DELIVERY_DISPUTED, K.LOST})
        case P.RETURNED:
            return ON_THE_WAY - {K.LOST} | {K.RETURNING, K.AFTER_RETURN}
        case P.LOST:
            return ON_THE_WAY - {K.LOST} | {K.RETURNING, K.AFTER_RETURN}
    return frozenset()


def _moment(event: TrackedEvent | None, at: datetime) -> datetime:
    return event.at if event is not None and event.at else at


def _words(event: TrackedEvent | None) -> str:
    if event is None:
        return ""
    return " ".join(filter(None, [event.raw.place, event.raw.name, event.raw.text]))[:300]
