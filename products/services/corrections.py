"""재고 조정과 입고: changes of 실재고 that come from counting and receiving, not from an order.

Each change writes one movement with its reason and one event, from which the orders renew the verdicts of the lines
that wait. Source: reliability.md 4.1 (stock adjust).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from accounts.models import User
from accounts.roles import Role
from core.calendar import short
from core.events import record
from core.exceptions import Conflict, DomainError
from core.locks import locking
from core.people import named
from core.state import Change, Outcome, is_preview
from products.events import STOCK_CHANGED
from products.models import MovementKind, StockLevel, StockMovement
from products.services.levels import lock_levels

MOST_ON_HAND = 9_999_999
LARGE_CORRECTION = 100
"""Units above which a correction needs the owner."""

_SET_ON_HAND = """
    UPDATE products_stocklevel level
       SET on_hand = level.on_hand + change.units, version = level.version + 1
      FROM unnest(%s::bigint[], %s::bigint[]) AS change(variant_id, units)
     WHERE level.variant_id = change.variant_id
"""


class CorrectionRepeated(Conflict):
    """이미 반영한 재고 변경: the same form or file row was stored before; nothing is written again."""

    code = "already_applied"


class ReasonMissing(DomainError):
    """사유 없음: a correction says why."""

    code = "reason_required"


@dataclass(frozen=True, slots=True)
class _Step:
    level: StockLevel
    units: int


def adjust(
    *,
    changes: Mapping[int, int],
    at: datetime,
    actor: User | None,
    reason: str,
    reference: str,
    reasons: Mapping[int, str] | None = None,
    seen: Mapping[int, int] | None = None,
    batch: Any = None,
    source: str = "",
) -> Outcome:
    """재고 조정: set 실재고 to counted figures, `changes` = variant id → units on hand.

    `reason` goes to every movement, `reasons` to single variants; `seen` = variant id → StockLevel.version that the
    person saw; `reference` (at most 40 characters) makes the whole call happen once. Returns an Outcome keyed by
    variant: `refused` with Korean reasons, `changes` with the movements; `possible` are the levels that (would) change,
    a figure that is right already is in neither. Nothing is written inside previewing().
    Raises ReasonMissing, CorrectionRepeated, and LockTimeout when orders hold the levels for more than 3 s.
    """
    return _correct(
        MovementKind.ADJUST,
        wanted=lambda level: changes[level.pk],
        variant_ids=changes,
        at=at,
        actor=actor,
        reasons=dict.fromkeys(changes, reason) | dict(reasons or {}),
        reference=reference,
        seen=seen or {},
        batch=batch,
        source=source,
    )


def receive(
    *,
    units: Mapping[int, int],
    at: datetime,
    actor: User | None,
    reason: str,
    reference: str,
    is_opening: bool = False,
    batch: Any = None,
    source: str = "",
) -> Outcome:
    """입고: add units that came in to what is on hand; `is_opening` for the first figure of a new variant.

    Shapes and errors as adjust(). Source: architecture.md 3, Stock.
    """
    return _correct(
        MovementKind.OPENING if is_opening else MovementKind.RECEIVE,
        wanted=lambda level: level.on_hand + units[level.pk],
        variant_ids=units,
        at=at,
        actor=actor,
        reasons=dict.fromkeys(units, reason),
        reference=reference,
        seen={},
        batch=batch,
        source=source,
    )


def _correct(
    kind: MovementKind,
    *,
    wanted: Callable[[StockLevel], int],
    variant_ids: Mapping[int, int],
    at: datetime,
    actor: User | None,
    reasons: Mapping[int, str],
    reference: str,
    seen: Mapping[int, int],
    batch: Any,
    source: str,
) -> Outcome:
    if not all(text.strip() for text in reasons.values()):
        raise ReasonMissing("사유를 입력하세요. 재고 이력에 남습니다.")
    outcome, steps = Outcome(), []
    with locking(actor=actor):
        levels = lock_levels(variant_ids)
        for variant_id in sorted(variant_ids):
            level = levels.get(variant_id)
            refusal = _refusal(level, wanted, actor=actor, seen=seen.get(variant_id))
            if level is None or refusal:
                outcome.refused[variant_id] = refusal
            elif wanted(level) != level.on_hand:
                steps.append(_Step(level, wanted(level) - level.on_hand))
        outcome.possible = [step.level for step in steps]
        if steps and not is_preview():
            outcome.changes = _write(kind, steps, at=at, actor=actor, reasons=reasons, reference=reference)
            _announce(outcome, steps, at=at, actor=actor, batch=batch, source=source)
    return outcome


def _refusal(
    level: StockLevel | None, wanted: Callable[[StockLevel], int], *, actor: User | None, seen: int | None
) -> str:
    if level is None:
        return "품목을 찾을 수 없습니다."
    target = wanted(level)
    if seen is not None and seen != level.version:
        return _overtaken(level)
    if not 0 <= target <= MOST_ON_HAND:
        return f"실재고는 0개부터 {MOST_ON_HAND:,}개까지 입력할 수 있습니다."
    if target < level.allocated:
        return f"이미 할당한 {level.allocated:,}개보다 적게 줄일 수 없습니다. 배송준비중 주문을 먼저 확인하세요."
    if actor is not None and abs(target - level.on_hand) > LARGE_CORRECTION and actor.role != Role.OWNER:
        return f"한 번에 {LARGE_CORRECTION}개를 넘는 재고 변경은 {Role.OWNER.label}만 할 수 있습니다."
    return ""


def _overtaken(level: StockLevel) -> str:
    last = (
        StockMovement.objects.filter(variant_id=level.pk)
        .exclude(on_hand=0)
        .select_related("actor")
        .order_by("-pk")
        .first()
    )
    who = f"{named(last.actor if last else None)}이"
    when = f"{short(last.at)}에 " if last else ""
    return f"화면을 연 뒤 {when}{who} 재고를 바꿔 실재고가 {level.on_hand:,}개입니다. 다시 확인하고 입력하세요."


def _write(
    kind: MovementKind,
    steps: list[_Step],
    *,
    at: datetime,
    actor: User | None,
    reasons: Mapping[int, str],
    reference: str,
) -> list[Change]:
    movements = [
        StockMovement(
            variant_id=step.level.pk,
            at=at,
            kind=kind,
            on_hand=step.units,
            reference=f"{reference}:{step.level.pk}",
            actor=actor,
            reason=reasons[step.level.pk].strip(),
        )
        for step in steps
    ]
    if StockMovement.objects.filter(kind=kind, reference__in=[row.reference for row in movements]).exists():
        raise CorrectionRepeated("이미 반영한 재고 변경입니다. 재고 이력을 확인하세요.")
    with connection.cursor() as cursor:
        cursor.execute(_SET_ON_HAND, [[step.level.pk for step in steps], [step.units for step in steps]])
    StockMovement.objects.bulk_create(movements, batch_size=1000)
    return [
        Change(row, str(step.level.on_hand), str(step.level.on_hand + step.units), 1)
        for row, step in zip(movements, steps, strict=True)
    ]


def _announce(
    outcome: Outcome, steps: list[_Step], *, at: datetime, actor: User | None, batch: Any, source: str
) -> None:
    facts = {
        change.row.pk: {"variant": step.level.pk, "units": step.units}
        for change, step in zip(outcome.changes, steps, strict=True)
    }
    record(outcome, STOCK_CHANGED, at=at, actor=actor, batch=batch, source=source, data=facts)
