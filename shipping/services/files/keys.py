"""배송건 찾기: from the number that a file or a person wrote, ours or the selling channel's, to shipments."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from django.db.models.functions import Coalesce

from core.calendar import short
from core.lookups import AmongTexts
from orders.models import Order, OrderLine
from orders.states import CLOSED, LineState
from shipping.models import Shipment, ShipmentLine, ShipmentStep

UNKNOWN = "주문번호를 찾을 수 없습니다."
_SHIPMENT = re.compile(r"D-20\d{6}-\d{7}-\d{2,3}")
_LINE = re.compile(r"20\d{6}-\d{7}-\d{2,3}")
_ORDER = re.compile(r"20\d{6}-\d{7}")


@dataclass(slots=True)
class Resolved:
    """찾은 배송건: key -> shipment id, or key -> the Korean reason why there is none."""

    shipments: dict[str, int] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


def resolve(keys: Iterable[str]) -> Resolved:
    """배송건 찾기: every key once, set-wise. A shipment that waits is preferred to one that is gone or closed."""
    wanted = {key: normal(key) for key in keys}
    found: dict[str, list[tuple[bool, int]]] = defaultdict(list)
    for number, pk, step in _by_shipment(_of(_SHIPMENT, wanted.values())):
        found[number].append((step == ShipmentStep.READY, pk))
    for number, pk, step in _by_line(_of(_LINE, wanted.values())):
        found[number].append((step == ShipmentStep.READY, pk))
    for number, pk, step in _by_order(_of(_ORDER, wanted.values())):
        found[number].append((step == ShipmentStep.READY, pk))
    foreign = {key.strip(): number for key, number in wanted.items() if number not in found}
    for key, pk in _by_channel(foreign.keys()):
        found[foreign[key]].append((True, pk))
    result = Resolved()
    missing: dict[str, str] = {}
    for key, number in wanted.items():
        ready = {pk for is_ready, pk in found.get(number, []) if is_ready}
        if len(ready) > 1:
            result.refused[key] = f"이 주문에 배송건이 {len(ready)}개 있습니다. 배송번호로 올려 주세요."
        elif ready or number in found:
            result.shipments[key] = ready.pop() if ready else max(pk for _, pk in found[number])
        else:
            missing[key] = number
    reasons = _without_shipment(set(missing.values()))
    result.refused |= {key: reasons.get(number, UNKNOWN) for key, number in missing.items()}
    return result


def normal(key: str) -> str:
    """번호 다듬기: half-width capitals without spaces around."""
    return unicodedata.normalize("NFKC", key).strip().upper()[:80]


def is_ours(key: str) -> bool:
    """배송번호인지: a text that only we write."""
    return _SHIPMENT.fullmatch(normal(key)) is not None


def _of(pattern: re.Pattern[str], numbers: Iterable[str]) -> list[str]:
    return [number for number in numbers if pattern.fullmatch(number)]


# A number whose lines were merged into another shipment means that one.
_STANDS = (Coalesce("merged_into_id", "pk"), Coalesce("merged_into__step", "step"))


def _by_shipment(numbers: Collection[str]) -> Iterable[tuple[str, int, str]]:
    found = Shipment.objects.filter(AmongTexts("number", numbers))
    return found.values_list("number", *_STANDS) if numbers else []


def _by_line(numbers: Collection[str]) -> Iterable[tuple[str, int, str]]:
    items = ShipmentLine.objects.filter(AmongTexts("line__number", numbers))
    return items.values_list("line__number", "shipment_id", "shipment__step") if numbers else []


def _by_order(numbers: Collection[str]) -> Iterable[tuple[str, int, str]]:
    rows = Shipment.objects.filter(AmongTexts("order__number", numbers))
    return rows.values_list("order__number", *_STANDS) if numbers else []


def _by_channel(numbers: Collection[str]) -> list[tuple[str, int]]:
    """Numbers of the selling channel, looked for among shipments that wait: those are few, whatever the table holds."""
    if not numbers:
        return []
    items = ShipmentLine.objects.filter(shipment__step=ShipmentStep.READY, is_live=True)
    of_lines = items.filter(line__channel_number__in=numbers).values_list("line__channel_number", "shipment_id")
    ready = Shipment.objects.filter(step=ShipmentStep.READY, order__channel_number__in=numbers)
    return [*of_lines, *ready.values_list("order__channel_number", "pk")]


def _without_shipment(numbers: Collection[str]) -> dict[str, str]:
    """Orders that never had a shipment: where they stand instead."""
    reasons: dict[str, str] = {}
    for number, stage in Order.objects.filter(number__in=_of(_ORDER, numbers)).values_list("number", "stage"):
        reasons[number] = standing(LineState(stage))
    rows = OrderLine.objects.filter(number__in=_of(_LINE, numbers)).values_list("number", "state", "canceled_at")
    for number, state, canceled_at in rows:
        when = f" {short(canceled_at)}에" if canceled_at else ""
        is_canceled = state in CLOSED and canceled_at
        reasons[number] = f"이미 취소된 주문입니다.{when} 취소했습니다." if is_canceled else standing(LineState(state))
    return reasons


def standing(state: LineState) -> str:
    """배송준비중이 아닌 주문 (ux.md 6.4)."""
    if state in {LineState.CANCELED_UNPAID, LineState.CANCELED}:
        return "이미 취소된 주문입니다."
    return f"배송준비중 주문이 아닙니다. 지금 상태: {state.label}"
