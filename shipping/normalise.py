"""From the words of a courier to one of the 14 stages (shipping.md 3.2)."""

import re
from collections.abc import Mapping
from enum import StrEnum

from shipping.adapters.base import RawEvent
from shipping.states import TrackingStage as Stage


class Reason(StrEnum):
    """사유: what an attempt failed on, or what happened to the goods."""

    NONE = ""
    ABSENT = "ABSENT"
    REFUSED = "REFUSED"
    ADDRESS = "ADDRESS"
    LOST = "LOST"
    DAMAGED = "DAMAGED"
    MISDELIVERED = "MISDELIVERED"


# "배송완료 예정", "배송출발 취소", "배송완료될 예정": what is announced or taken back has not happened.
_NOT_ANNOUNCED = r"(?!\W{0,3}\w{0,2}\W{0,3}(?:예정|취소))"


_BRANCH = r"\s?(?:동|점|지점|대리점|영업소|집배|캠프|센터|터미널)"
# Words that are also parts of people's names and of other words stand alone or with one ending.
_MOVED = r"(?<![가-힣])이사(?:감|간|로|불명)?(?![가-힣])"
_WRONG_ADDRESS = r"주소\s?불명|주소\s?오류|고객\s?정보\s?오류"
_TAKEN_OVER = r"(?<![가-힣])인수|[상물]품\s?인수"


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(f"(?:{pattern}){_NOT_ANNOUNCED}")


# In this order, because later words are parts of earlier ones.
_PATTERNS: tuple[tuple[re.Pattern[str], Stage], ...] = (
    (_words(r"반송\s?완료"), Stage.RETURNED),
    # 반송동 is a place in Busan and Changwon, and branches bear its name.
    (re.compile(rf"(?:반송(?!{_BRANCH})|회송)(?!\W{{0,3}}(?:예정|취소))"), Stage.RETURNING),
    (_words(r"분실|파손|사고|오배송|오배달"), Stage.EXCEPTION),
    (_words(r"수취\s?거부|수취\s?거절"), Stage.ATTEMPT_FAILED),
    (_words(rf"{_WRONG_ADDRESS}|{_MOVED}"), Stage.ATTEMPT_FAILED),
    (_words(r"접수\s?취소|신청\s?취소|예약\s?취소|반품\s?취소"), Stage.CANCELLED),
    (_words(r"미집화|미집하"), Stage.PICKUP_FAILED),
    (_words(r"미배달|미배송|배달\s?불가|배송\s?불가|부재"), Stage.ATTEMPT_FAILED),
    (_words(r"보관|점포\s?도착|무인함"), Stage.AVAILABLE_FOR_PICKUP),
    (_words(r"배송\s?완료|배달\s?완료|인수자\s?등록|고객\s?전달"), Stage.DELIVERED),
    (_words(r"배송\s?출발|배달\s?준비|배송\s?출고"), Stage.OUT_FOR_DELIVERY),
    (_words(r"집[하화]\s?(?:지시|요청|접수|대기)"), Stage.REGISTERED),
    (_words(rf"집하|집화|{_TAKEN_OVER}"), Stage.PICKED_UP),
)
_DELIVERED = next(pattern for pattern, stage in _PATTERNS if stage == Stage.DELIVERED)
_DELIVERED_LATER = re.compile(r"(?:배송|배달)\s?완료\W{0,3}\w{0,2}\W{0,3}(?:예정|취소)")
# A completed delivery may name a place ("배송완료(무인함)"); only these outweigh it.
_STRONGER_THAN_DELIVERED = {Stage.RETURNED, Stage.RETURNING, Stage.EXCEPTION, Stage.CANCELLED}

_REASONS: tuple[tuple[re.Pattern[str], Reason], ...] = (
    (re.compile(r"수취\s?거부|수취\s?거절"), Reason.REFUSED),
    (re.compile(rf"{_WRONG_ADDRESS}|{_MOVED}"), Reason.ADDRESS),
    (re.compile(r"부재"), Reason.ABSENT),
    (re.compile(r"오배송|오배달"), Reason.MISDELIVERED),
    (re.compile(r"분실"), Reason.LOST),
    (re.compile(r"파손"), Reason.DAMAGED),
)

# Generic codes of tracker.delivery (shipping.md 1.1); a source with codes of its own translates them in its adapter.
_GENERIC: Mapping[str, Stage] = {
    "INFORMATION_RECEIVED": Stage.REGISTERED,
    "AT_PICKUP": Stage.PICKED_UP,
    "IN_TRANSIT": Stage.IN_TRANSIT,
    "OUT_FOR_DELIVERY": Stage.OUT_FOR_DELIVERY,
    "ATTEMPT_FAIL": Stage.ATTEMPT_FAILED,
    "DELIVERED": Stage.DELIVERED,
    "AVAILABLE_FOR_PICKUP": Stage.AVAILABLE_FOR_PICKUP,
    "EXCEPTION": Stage.EXCEPTION,
}


def stage_of(event: RawEvent, *, mapped: Mapping[str, Stage] | None = None) -> Stage:
    """배송단계 판정: staff's own mapping of the raw text, then words, then the source's code (shipping.md 3.2).

    The courier's status word speaks before the sentence beside it, which may mention anything.
    """
    raw = raw_text(event)
    if mapped and raw in mapped:
        return mapped[raw]
    generic = _GENERIC.get(event.code, Stage.UNKNOWN)
    found = _stage_of_words(raw, generic)
    if found is None and generic == Stage.UNKNOWN:
        found = _stage_of_words(event.text, generic)
    return found or generic


def _stage_of_words(words: str, generic: Stage) -> Stage | None:
    found = next((stage for pattern, stage in _PATTERNS if pattern.search(words)), None)
    if generic != Stage.DELIVERED:
        return found
    if found not in _STRONGER_THAN_DELIVERED and _DELIVERED.search(words):
        return Stage.DELIVERED
    if found is None and _DELIVERED_LATER.search(words):
        return Stage.UNKNOWN
    return found


def raw_text(event: RawEvent) -> str:
    """원문: the text by which staff map a value, spaces collapsed: the status word, or else the sentence."""
    return " ".join((event.name or event.text).split())


def reason_of(event: RawEvent, stage: Stage) -> Reason:
    """사유 판정: why an attempt failed or what happened to the goods; NONE for every other stage."""
    if stage not in {Stage.ATTEMPT_FAILED, Stage.EXCEPTION}:
        return Reason.NONE
    words = f"{event.name} {event.text}"
    return next((reason for pattern, reason in _REASONS if pattern.search(words)), Reason.NONE)
