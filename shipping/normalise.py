"""From the words of a courier to one of the 14 stages (shipping.md 3.2): pure; the rules come from tables.

`shipping.services.tracking.rules.rules_for` has the rules of the shop.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from shipping.adapters.base import RawEvent
from shipping.states import Reason, RuleKind
from shipping.states import TrackingStage as Stage

__all__ = ["Reason", "Rule", "Rules", "event_of_value", "raw_text"]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """상태 규칙: what a code, a whole text or words in a text mean; `source` or `courier` empty: whatever it is."""

    kind: RuleKind
    value: str
    """A code; a text; or words of which any one is enough, parted by |. A space in a word may be missing."""
    stage: Stage
    source: str = ""
    courier: str = ""
    reason: Reason = Reason.NONE
    """NONE: the words beside the status tell."""
    priority: int = 100
    is_preset: bool = False


# "배송완료 예정", "배송출발 취소", "배송완료될 예정": what is announced or taken back has not happened.
_NOT_ANNOUNCED = r"(?!\W{0,3}\w{0,2}\W{0,3}(?:예정|취소))"
_NOT_TAKEN_BACK = r"(?!\W{0,3}(?:예정|취소))"

_BRANCH = r"\s?(?:동|점|지점|대리점|영업소|집배|캠프|센터|터미널)"
_MOVED = r"(?<![가-힣])이사(?:감|간|로|불명)?(?![가-힣])"
# Words that are also parts of people's names, places and other words count only where they stand for themselves.
_GUARDED: Mapping[str, str] = {
    # 반송동 is a place in Busan and Changwon, and branches bear its name.
    "반송": rf"반송(?!{_BRANCH}){_NOT_TAKEN_BACK}",
    "회송": rf"회송{_NOT_TAKEN_BACK}",
    "이사": _MOVED + _NOT_ANNOUNCED,
    "인수": rf"(?<![가-힣])인수{_NOT_ANNOUNCED}",
}
_DELIVERED_LATER = re.compile(r"(?:배송|배달)\s?완료\W{0,3}\w{0,2}\W{0,3}(?:예정|취소)")
# A completed delivery may name a place ("배송완료(무인함)"); only these outweigh it.
_STRONGER_THAN_DELIVERED = {Stage.RETURNED, Stage.RETURNING, Stage.EXCEPTION, Stage.CANCELLED}
_WITH_REASON = {Stage.ATTEMPT_FAILED, Stage.EXCEPTION}
_REASONS: tuple[tuple[re.Pattern[str], Reason], ...] = (
    (re.compile(r"수취\s?거부|수취\s?거절"), Reason.REFUSED),
    (re.compile(rf"주소\s?불명|주소\s?오류|고객\s?정보\s?오류|{_MOVED}"), Reason.ADDRESS),
    (re.compile(r"부재"), Reason.ABSENT),
    (re.compile(r"오배송|오배달"), Reason.MISDELIVERED),
    (re.compile(r"분실"), Reason.LOST),
    (re.compile(r"파손"), Reason.DAMAGED),
)
# CJ's 21 is "상품 사고(파손/분실)": one of the two, and only what the driver writes beside it says which.
_EITHER = re.compile(r"파손\s?(?:\W|또는|및)\s?분실|분실\s?(?:\W|또는|및)\s?파손")


@lru_cache(maxsize=2048)
def _pattern(value: str) -> re.Pattern[str]:
    """Any of the words; each is taken literally, so that no sentence can make the search long."""
    words = [" ".join(word.split()) for word in value.split("|")]
    return re.compile("|".join(_GUARDED.get(word) or _literal(word) for word in words if word) or "(?!)")


def _literal(word: str) -> str:
    return r"\s?".join(map(re.escape, word.split(" "))) + _NOT_ANNOUNCED


@dataclass(frozen=True, slots=True)
class _Reading:
    stage: Stage
    reason: Reason = Reason.NONE
    is_preset: bool = True


class Rules:
    """상태 규칙 of one source and courier, ready to be asked; staff's own rules go before presets."""

    def __init__(self, rules: Iterable[Rule], *, source: str, courier: str) -> None:
        mine = [rule for rule in rules if rule.source in ("", source) and rule.courier in ("", courier)]
        # The most particular first, so that setdefault keeps it.
        mine.sort(key=lambda rule: (rule.is_preset, not rule.courier, not rule.source, rule.priority))
        self._codes: dict[str, _Reading] = {}
        self._texts: dict[str, _Reading] = {}
        self._generic: dict[str, _Reading] = {}
        for rule in mine:
            if rule.kind == RuleKind.PATTERN:
                continue
            table = self._texts if rule.kind == RuleKind.TEXT else self._codes if rule.courier else self._generic
            table.setdefault(rule.value, _Reading(rule.stage, rule.reason, rule.is_preset))
        words = [rule for rule in mine if rule.kind == RuleKind.PATTERN]
        words.sort(key=lambda rule: (rule.is_preset, rule.priority))
        self._patterns = [(_pattern(rule.value), _Reading(rule.stage, rule.reason), rule.is_preset) for rule in words]
        self._delivered = [pattern for pattern, read, _ in self._patterns if read.stage == Stage.DELIVERED]
        # Couriers tell thousands of parcels in the same few words.
        self._in_words = lru_cache(maxsize=1024)(self._search)

    def stage_of(self, event: RawEvent) -> Stage:
        """배송단계 판정: the courier's code, the whole text, words in it, the source's generic code (shipping.md 3.2).

        The courier's status word speaks before the sentence beside it, which may mention anything.
        """
        return self._read(event).stage

    def reason_of(self, event: RawEvent, stage: Stage) -> Reason:
        """사유 판정: why an attempt failed or what happened to the goods; NONE for every other stage."""
        if stage not in _WITH_REASON:
            return Reason.NONE
        words = _EITHER.sub("", f"{event.name} {event.text}")
        found = next((reason for pattern, reason in _REASONS if pattern.search(words)), Reason.NONE)
        read = self._read(event)
        return read.reason if read.stage == stage and read.reason != Reason.NONE else found

    def knows_code(self, code: str) -> bool:
        """공통 코드 여부: whether it is one of the source's own codes, which say nothing about a single courier."""
        return code in self._generic

    def _read(self, event: RawEvent) -> _Reading:
        words = raw_text(event)
        exact = self._codes.get(event.code) or self._texts.get(words)
        if exact:
            return self._accident_beside(event, exact) or exact
        generic = self._generic.get(event.code) or _Reading(Stage.UNKNOWN)
        found = self._in_words(words, generic.stage)
        if found is None and generic.stage == Stage.UNKNOWN:
            found = self._in_words(event.text, generic.stage)
        return found or generic

    def _accident_beside(self, event: RawEvent, exact: _Reading) -> _Reading | None:
        """A failed attempt whose sentence tells of an accident: CJ's 84 is one with 사고 or 결재 불가 beside it."""
        if not exact.is_preset or exact.stage != Stage.ATTEMPT_FAILED:
            return None
        beside = self._in_words(event.text, exact.stage)
        return beside if beside and beside.stage == Stage.EXCEPTION else None

    def _search(self, words: str, generic: Stage) -> _Reading | None:
        first = next(((read, preset) for pattern, read, preset in self._patterns if pattern.search(words)), None)
        found, is_preset = first or (None, True)
        if generic != Stage.DELIVERED or not is_preset:
            return found
        weaker = found is None or found.stage not in _STRONGER_THAN_DELIVERED
        if weaker and any(pattern.search(words) for pattern in self._delivered):
            return _Reading(Stage.DELIVERED)
        if found is None and _DELIVERED_LATER.search(words):
            return _Reading(Stage.UNKNOWN)
        return found


def raw_text(event: RawEvent) -> str:
    """원문: the text by which staff map a value, spaces collapsed: the status word, or else the sentence."""
    return " ".join((event.name or event.text).split())


def event_of_value(*, code: str, text: str) -> RawEvent:
    """값 하나의 이력: an event that holds nothing but a code and a status, to ask rules about."""
    return RawEvent(code=code, name=text)
