"""재고 원장의 바탕: locked reading and set-wise writing of stock levels and their movements.

Every writer locks the levels in the order of their variants first; nothing else may change a level.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from django.db import connection

from accounts.models import User
from core.exceptions import Conflict
from core.lookups import Among
from products.models import MovementKind, StockLevel

# Only rows of variants that exist; sorted, and before any lock is taken, so that two callers cannot wait in a circle.
_CREATE_MISSING = """
    INSERT INTO products_stocklevel (variant_id, on_hand, demand, allocated, version)
    SELECT variant.id, 0, 0, 0, 0
      FROM products_variant variant
     WHERE variant.id = ANY(%s)
       AND NOT EXISTS (SELECT 1 FROM products_stocklevel level WHERE level.variant_id = variant.id)
     ORDER BY variant.id
    ON CONFLICT DO NOTHING
"""
_CHANGE_LEVELS = """
    UPDATE products_stocklevel level
       SET on_hand = level.on_hand + change.units * %s,
           demand = level.demand + change.units * %s,
           allocated = level.allocated + change.units * %s,
           version = level.version + %s
      FROM unnest(%s::bigint[], %s::bigint[]) AS change(variant_id, units)
     WHERE level.variant_id = change.variant_id
"""
_ADD_MOVEMENTS = """
    INSERT INTO products_stockmovement (variant_id, at, kind, on_hand, demand, allocated, reference, actor_id, reason)
    SELECT line.variant_id, %s, %s, line.units * %s, line.units * %s, line.units * %s, line.reference, %s::bigint, ''
      FROM unnest(%s::bigint[], %s::int[], %s::text[]) WITH ORDINALITY AS line(variant_id, units, reference, place)
     ORDER BY line.place
"""


class StockBroken(Conflict):
    """재고 불일치: a change would make a stock figure negative or set more aside than there is; nothing is written."""

    code = "stock_broken"


class StockLine(Protocol):
    """What a line must show to move stock; order lines fit without knowing of it."""

    @property
    def pk(self) -> int: ...
    @property
    def number(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def variant_id(self) -> int | None: ...
    @property
    def quantity(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Effect:
    """재고 변동의 방향: how one unit of a line changes the three numbers."""

    kind: MovementKind
    on_hand: int = 0
    demand: int = 0
    allocated: int = 0


def mapped(lines: Collection[StockLine]) -> list[StockLine]:
    """Lines that stand for one of our variants, ids ascending."""
    return sorted((line for line in lines if line.variant_id is not None), key=lambda line: line.pk)


def lock_levels(variant_ids: Collection[int]) -> dict[int, StockLevel]:
    """재고 잠금: levels by variant, locked in the order of the ids; missing levels of known variants are created.

    Needs a transaction. A variant that does not exist is not in the answer.
    """
    ids = sorted(set(variant_ids))
    if not ids:
        return {}
    known = StockLevel.objects.filter(Among("pk", ids))
    if known.count() < len(ids):
        with connection.cursor() as cursor:
            cursor.execute(_CREATE_MISSING, [ids])
    return {level.pk: level for level in known.select_for_update(no_key=True).order_by("pk")}


def apply(lines: Collection[StockLine], effect: Effect, *, at: datetime, actor: User | None) -> None:
    """Change the levels of the lines' variants by one effect and write one movement per line in the actor's name.

    Raises StockBroken before anything is written, IntegrityError when a line did the same at the same version before.
    """
    rows = mapped(lines)
    if not rows:
        return
    units: dict[int, int] = {}
    for line in rows:
        units[_variant(line)] = units.get(_variant(line), 0) + line.quantity
    _refuse_broken(lock_levels(units), units, effect)
    _write(rows, units, effect, at=at, actor=actor)


def _variant(line: StockLine) -> int:
    if line.variant_id is None:
        raise ValueError(f"line {line.number} has no variant")
    return line.variant_id


def _refuse_broken(levels: Mapping[int, StockLevel], units: Mapping[int, int], effect: Effect) -> None:
    for variant_id, count in units.items():
        level = levels[variant_id]
        on_hand = level.on_hand + effect.on_hand * count
        allocated = level.allocated + effect.allocated * count
        if level.demand + effect.demand * count < 0 or not 0 <= allocated <= on_hand:
            raise StockBroken(
                f"재고 장부가 주문과 맞지 않아 {effect.kind.label} 처리를 하지 못했습니다. "
                f"품목 {variant_id}의 재고 이력을 확인하세요."
            )


def _write(
    rows: Sequence[StockLine], units: Mapping[int, int], effect: Effect, *, at: datetime, actor: User | None
) -> None:
    signs = [effect.on_hand, effect.demand, effect.allocated]
    with connection.cursor() as cursor:
        cursor.execute(_CHANGE_LEVELS, [*signs, abs(effect.on_hand), list(units), list(units.values())])
        cursor.execute(
            _ADD_MOVEMENTS,
            [
                at,
                effect.kind.value,
                *signs,
                actor.pk if actor is not None else None,
                [line.variant_id for line in rows],
                [line.quantity for line in rows],
                [f"{line.number}/{line.version}" for line in rows],
            ],
        )
