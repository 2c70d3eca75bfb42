"""상태 화면의 내용: values that nobody has mapped yet, and the rules."""

from dataclasses import dataclass
from typing import Any

from shipping.couriers import courier_name
from shipping.models import StatusRule, UnknownStatus
from shipping.services.tracking.statuses import SOURCES
from shipping.states import Reason, RuleKind, TrackingStage

MOST = 200
"""Values of one page, the newest first: mapping those brings the next ones up."""
_STEPS = (RuleKind.CODE, RuleKind.TEXT, RuleKind.PATTERN)
STAGE = {stage.value: stage for stage in TrackingStage}


@dataclass(frozen=True, slots=True)
class UnknownRow:
    """미분류 상태 한 줄; `example` the number of an order one of whose boxes shows it."""

    pk: int
    source: str
    courier: str
    code: str
    text: str
    first_seen: str
    last_seen: str
    count: int
    example: str


@dataclass(frozen=True, slots=True)
class RuleRow:
    """상태 규칙 한 줄."""

    pk: int
    source: str
    courier: str
    kind: str
    value: str
    stage: str
    css: str
    reason: str
    by: str
    is_active: bool
    is_preset: bool
    version: int


def unknown_rows() -> list[UnknownRow]:
    """미분류 상태, the newest first; one query."""
    rows = UnknownStatus.objects.filter(rule=None).select_related("example__shipment__order")
    return [
        UnknownRow(
            one.pk,
            SOURCES.get(one.source, one.source),
            courier_name(one.courier),
            one.code,
            one.text,
            str(one.first_seen_on),
            str(one.last_seen_on),
            one.count,
            one.example.shipment.order.number if one.example else "",
        )
        for one in rows.order_by("-last_seen_on", "-count", "pk")[:MOST]
    ]


def rule_rows() -> list[RuleRow]:
    """상태 규칙 in the order in which they are tried, at each step staff's own first; one query."""
    rows = sorted(StatusRule.objects.select_related("created_by"), key=_turn)
    return [
        RuleRow(
            one.pk,
            SOURCES.get(one.source, one.source) or "모든 조회처",
            courier_name(one.courier) if one.courier else "모든 택배사",
            RuleKind(one.kind).label,
            one.value.replace("|", ", ") if one.kind == RuleKind.PATTERN else one.value,
            STAGE[one.stage].label,
            STAGE[one.stage].css,
            Reason(one.reason).label if one.reason else "",
            "기본 제공" if one.is_preset else one.created_by.display_name if one.created_by else "",
            one.is_active,
            one.is_preset,
            one.version,
        )
        for one in rows
    ]


def _turn(rule: StatusRule) -> tuple[Any, ...]:
    """As `normalise.Rules` asks them: what names the courier and the source goes before what does not."""
    is_generic = rule.kind == RuleKind.CODE and not rule.courier
    step = len(_STEPS) if is_generic else _STEPS.index(RuleKind(rule.kind))
    # Words are tried in their own order, whatever they name.
    names = () if rule.kind == RuleKind.PATTERN else (not rule.courier, not rule.source, rule.source, rule.courier)
    return step, rule.is_preset, *names, rule.priority, rule.value, rule.pk


def rule_words(rule: StatusRule) -> str:
    """무엇을 보는 규칙인지: how it compares, at which source and of which courier."""
    source = SOURCES.get(rule.source, rule.source) or "모든 조회처"
    courier = courier_name(rule.courier) if rule.courier else "모든 택배사"
    return f"{RuleKind(rule.kind).label} · {source} · {courier}"
