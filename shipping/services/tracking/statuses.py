"""상태 규칙 관리: staff say what a courier's words mean; presets can be switched off and are never deleted.

Words of staff are taken literally. A saved rule is laid upon the stored events by the relay (reproject.py).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from core.drains import notify
from core.exceptions import Conflict, DomainError, NotFound
from core.settings_registry import last_changed, note_change
from shipping.couriers import COURIERS, courier_name
from shipping.models import StatusRule, UnknownStatus
from shipping.normalise import event_of_value
from shipping.services.polling.sources import KINDS
from shipping.services.tracking.rules import BOOK, rules_for
from shipping.states import Reason, RuleKind, TrackingStage

CHANNEL = "oms_status_rules"
HISTORY = "status_rule."
"""Keys of the history are "status_rule.<id>"."""
SOURCES = {one.name: one.label for one in KINDS.values()}
LONGEST_WORDS, SHORTEST_WORD, MOST_WORDS = 200, 2, 10
WITH_REASON = frozenset({TrackingStage.ATTEMPT_FAILED, TrackingStage.EXCEPTION})
TAKEN = "같은 값의 규칙이 있습니다. 있는 규칙을 고치세요."


class StatusRefused(DomainError):
    """상태 규칙 오류: it cannot be stored like this."""

    code = "status_refused"
    status = 422


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """뜻: the stage that a value stands for, and why, where the words beside it do not tell."""

    stage: TrackingStage
    reason: Reason = Reason.NONE


def add_rule(
    *, source: str, courier: str, kind: RuleKind, value: str, meaning: Meaning, actor: Any, at: datetime
) -> StatusRule:
    """상태 규칙 더하기; it goes before every preset. Raises StatusRefused, Conflict when there is one of this value."""
    clean = _checked(source, courier, kind, value, meaning)
    try:
        with transaction.atomic():
            rule = StatusRule.objects.create(
                source=source, courier=courier, kind=kind, value=clean, stage=meaning.stage, reason=meaning.reason,
                created_by=actor, looked_up_to=0,
            )  # fmt: skip
            _note(rule, before=None, actor=actor, at=at)
            _mark_mapped(rule)
            notify(CHANNEL)
    except IntegrityError as error:
        raise Conflict(TAKEN) from error
    BOOK.forget()
    return rule


def change_rule(
    *, rule_id: int, seen_version: int, meaning: Meaning, is_active: bool, actor: Any, at: datetime
) -> StatusRule:
    """상태 규칙 고치기: what it means, and whether it counts; of a preset only whether it counts.

    Raises Conflict when somebody changed it since `seen_version`, StatusRefused, NotFound.
    """
    with transaction.atomic():
        rule = StatusRule.objects.select_for_update().filter(pk=rule_id).first()
        if rule is None:
            raise NotFound("상태 규칙을 찾을 수 없습니다. 화면을 새로 고치세요.")
        if rule.version != seen_version:
            changed = last_changed(key=f"{HISTORY}{rule.pk}")
            raise Conflict(f"이 규칙은 {changed} 먼저 바꿨습니다. 화면을 새로 고쳐 지금 값을 확인하세요.")
        if rule.is_preset and (rule.stage, rule.reason) != (meaning.stage, meaning.reason):
            raise StatusRefused("기본 제공 규칙의 뜻은 바꿀 수 없습니다. 끄고 같은 값의 규칙을 더하세요.")
        before = described(rule)
        rule.stage, rule.reason, rule.is_active = meaning.stage, _reason(meaning), is_active
        if described(rule) == before:
            return rule
        rule.version += 1
        rule.looked_up_to = 0 if is_active else None
        rule.save()
        _note(rule, before=before, actor=actor, at=at)
        if is_active:
            _mark_mapped(rule)
        notify(CHANNEL)
    BOOK.forget()
    return rule


def map_unknown(*, unknown_id: int, meaning: Meaning, actor: Any, at: datetime) -> StatusRule:
    """미분류 상태 지정: a rule for exactly this value of this courier; the text where there is one, else the code.

    A rule of this value that was switched off counts again with the new meaning. Raises NotFound, StatusRefused,
    Conflict when somebody mapped it already.
    """
    unknown = UnknownStatus.objects.filter(pk=unknown_id).first()
    if unknown is None:
        raise NotFound("미분류 상태를 찾을 수 없습니다. 화면을 새로 고치세요.")
    if unknown.rule_id is not None:
        raise Conflict("다른 직원이 먼저 지정했습니다. 화면을 새로 고치세요.")
    kind, value = (RuleKind.TEXT, unknown.text) if unknown.text else (RuleKind.CODE, unknown.code)
    is_generic = kind == RuleKind.CODE and rules_for(unknown.source, unknown.courier).knows_code(value)
    about: dict[str, Any] = {
        "source": unknown.source, "courier": "" if is_generic else unknown.courier, "kind": kind, "value": value,
    }  # fmt: skip
    off = StatusRule.objects.filter(**about, is_preset=False, is_active=False).first()
    if off is not None:
        return change_rule(
            rule_id=off.pk, seen_version=off.version, meaning=meaning, is_active=True, actor=actor, at=at
        )
    return add_rule(**about, meaning=meaning, actor=actor, at=at)


def described(rule: StatusRule) -> dict[str, Any]:
    """이력에 남길 내용, in words."""
    return {
        "source": SOURCES.get(rule.source, "모든 조회처"),
        "courier": courier_name(rule.courier) or "모든 택배사",
        "kind": RuleKind(rule.kind).label,
        "value": rule.value,
        "stage": TrackingStage(rule.stage).label,
        "reason": Reason(rule.reason).label if rule.reason else "",
        "is_active": "사용" if rule.is_active else "사용 안 함",
    }


def _checked(source: str, courier: str, kind: RuleKind, value: str, meaning: Meaning) -> str:
    """The value as it is compared."""
    if source and source not in SOURCES:
        raise StatusRefused("없는 조회처입니다. 다시 고르세요.")
    if courier and courier not in COURIERS:
        raise StatusRefused("없는 택배사입니다. 다시 고르세요.")
    if meaning.stage == TrackingStage.UNKNOWN:
        raise StatusRefused("어느 단계인지 고르세요.")
    _reason(meaning)
    clean = " ".join(value.split())
    if not clean:
        raise StatusRefused("값을 입력하세요.")
    if kind == RuleKind.CODE:
        if not source:
            raise StatusRefused("코드는 조회처마다 뜻이 다릅니다. 조회처를 고르세요.")
        return clean.upper()[:40]
    return _words(clean) if kind == RuleKind.PATTERN else clean[:300]


def _words(value: str) -> str:
    words = [" ".join(word.split()) for word in value.split("|") if word.strip()]
    if not words or any(len(word.replace(" ", "")) < SHORTEST_WORD for word in words):
        raise StatusRefused(f"낱말은 {SHORTEST_WORD}글자 이상이어야 합니다. 짧은 낱말은 다른 말 속에도 들어 있습니다.")
    if len(words) > MOST_WORDS or len(value) > LONGEST_WORDS:
        raise StatusRefused(f"낱말은 {MOST_WORDS}개, 모두 {LONGEST_WORDS}자까지 쓸 수 있습니다.")
    return "|".join(words)


def _reason(meaning: Meaning) -> Reason:
    if meaning.reason != Reason.NONE and meaning.stage not in WITH_REASON:
        raise StatusRefused("사유는 미배달과 배송사고에만 쓸 수 있습니다.")
    return meaning.reason


def _note(rule: StatusRule, *, before: dict[str, Any] | None, actor: Any, at: datetime) -> None:
    note_change(key=f"{HISTORY}{rule.pk}", old=before, new=described(rule), actor=actor, at=at)


def _mark_mapped(rule: StatusRule) -> None:
    """Values that are known from now on leave the page at once."""
    BOOK.forget()
    rows = UnknownStatus.objects.filter(rule=None)
    if rule.source:
        rows = rows.filter(source=rule.source)
    if rule.courier:
        rows = rows.filter(courier=rule.courier)
    known = [row.pk for row in rows if is_known(row)]
    UnknownStatus.objects.filter(pk__in=known).update(rule=rule)


def is_known(row: UnknownStatus) -> bool:
    """Whether the rules of now know the value."""
    event = event_of_value(code=row.code, text=row.text)
    return rules_for(row.source, row.courier).stage_of(event) != TrackingStage.UNKNOWN
