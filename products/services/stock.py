"""재고: demand, allocation and shipping of order lines, and the corrections that staff make.

Set-wise: one UPDATE of the levels and one INSERT of the movements per call. A movement's reference is the line's number
and version, unique per kind, so that doing the same move twice fails in the database; its actor is the person who made
the line move, None for what nobody pressed. Source: architecture.md 3, Stock.
"""

from collections.abc import Collection
from datetime import datetime

from accounts.models import User
from core.state import preview_notes
from products.models import MovementKind, StockLevel
from products.services.corrections import CorrectionRepeated, ReasonMissing, adjust, receive
from products.services.levels import Effect, StockBroken, StockLine, apply, lock_levels, mapped

__all__ = [
    "CorrectionRepeated",
    "ReasonMissing",
    "StockBroken",
    "StockLine",
    "add_demand",
    "adjust",
    "allocate",
    "drop_demand",
    "receive",
    "release",
    "ship_out",
    "shortages",
    "take_back",
    "verdicts",
]

_ADD_DEMAND = Effect(MovementKind.DEMAND, demand=1)
_DROP_DEMAND = Effect(MovementKind.DEMAND_BACK, demand=-1)
_ALLOCATE = Effect(MovementKind.ALLOCATE, demand=-1, allocated=1)
_RELEASE = Effect(MovementKind.RELEASE, demand=1, allocated=-1)
_SHIP = Effect(MovementKind.SHIP, on_hand=-1, allocated=-1)
_UNSHIP = Effect(MovementKind.UNSHIP, on_hand=1, allocated=1)

ALL, PARTLY, NONE = "ALL", "PARTLY", "NONE"


def add_demand(lines: Collection[StockLine], *, at: datetime, actor: User | None = None) -> None:
    """수요 추가: orders ask for the units; may exceed what is on hand. Lines without a variant are passed over."""
    apply(lines, _ADD_DEMAND, at=at, actor=actor)


def drop_demand(lines: Collection[StockLine], *, at: datetime, actor: User | None = None) -> None:
    """수요 취소: the units are no longer asked for (canceled before they were allocated)."""
    apply(lines, _DROP_DEMAND, at=at, actor=actor)


def allocate(lines: Collection[StockLine], *, at: datetime, actor: User | None = None) -> None:
    """할당: demand becomes allocated stock. Ask shortages() in the same transaction first.

    Raises StockBroken, with nothing written, when less is free than the lines need.
    """
    apply(lines, _ALLOCATE, at=at, actor=actor)


def release(lines: Collection[StockLine], *, at: datetime, actor: User | None = None) -> None:
    """할당 해제: allocated stock becomes demand again (상품준비중으로)."""
    apply(lines, _RELEASE, at=at, actor=actor)


def ship_out(lines: Collection[StockLine], *, at: datetime, actor: User | None = None) -> None:
    """출고: allocated units leave the house."""
    apply(lines, _SHIP, at=at, actor=actor)


def take_back(lines: Collection[StockLine], *, at: datetime, actor: User | None = None) -> None:
    """출고 취소: units that had left are on hand and allocated again."""
    apply(lines, _UNSHIP, at=at, actor=actor)


def shortages(lines: Collection[StockLine]) -> dict[int, str]:
    """재고 부족: Korean refusal for each line that free stock does not cover; locks the levels until the commit.

    Lines of one variant are served in the given order; a line that is short takes nothing. Source: ux.md 6.4.
    """
    levels = lock_levels([line.variant_id for line in lines if line.variant_id is not None])
    promised = preview_notes()
    free = {pk: level.available - promised.get(("stock", pk), 0) for pk, level in levels.items()}
    refused = {}
    for line in lines:
        if line.variant_id is None:
            continue
        left = free.get(line.variant_id, 0)
        if line.quantity > left:
            refused[line.pk] = f"재고가 {line.quantity - left:,}개 부족합니다."
        else:
            free[line.variant_id] = left - line.quantity
            promised["stock", line.variant_id] = promised.get(("stock", line.variant_id), 0) + line.quantity
    return refused


def verdicts(lines: Collection[StockLine]) -> dict[int, str]:
    """재고 판정: ALL, PARTLY or NONE for each mapped line against the stock that is free just now; locks nothing.

    Each line is judged by itself, as if it were the only one that wants the variant.
    """
    rows = mapped(lines)
    levels = StockLevel.objects.filter(pk__in={line.variant_id for line in rows})
    free = {level.pk: level.available for level in levels}
    return {line.pk: _verdict(line.quantity, free.get(line.variant_id or 0, 0)) for line in rows}


def _verdict(quantity: int, free: int) -> str:
    if free >= quantity:
        return ALL
    return PARTLY if free > 0 else NONE
