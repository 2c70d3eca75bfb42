"""상품 상세: variants with their stock and the ledger of one of them, as finished strings."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import F, QuerySet

from core.cells import full_time
from products.models import MovementKind, Product, StockMovement, Variant
from products.services.lookup import available

LEDGER_PAGE = 50


@dataclass(frozen=True, slots=True)
class VariantRow:
    """품목 한 줄 of the product page."""

    pk: int
    sku: str
    option: str
    barcode: str
    price: int
    weight: str
    location: str
    on_hand: int
    demand: int
    allocated: int
    available: int
    is_short: bool
    is_active: bool


def find_product(code: str) -> Product | None:
    """상품 찾기 by its code; a code that no product can have finds nothing."""
    return None if "\x00" in code else Product.objects.filter(code=code).first()


def variants_of(product: Product) -> QuerySet[Variant]:
    """품목 of a product in the order they were made, with their stock."""
    return Variant.objects.filter(product=product).select_related("stock").order_by("pk")


def variant_rows(product: Product) -> list[VariantRow]:
    """품목 목록 of the product page. One query."""
    return [_variant_row(variant) for variant in variants_of(product)]


def _variant_row(variant: Variant) -> VariantRow:
    level = variant.stock if hasattr(variant, "stock") else None
    free = available(variant)
    return VariantRow(
        pk=variant.pk,
        sku=variant.sku,
        option=variant.option_text or "단일 품목",
        barcode=variant.barcode,
        price=variant.price,
        weight=f"{variant.weight_grams:,}g" if variant.weight_grams is not None else "",
        location=variant.location,
        on_hand=level.on_hand if level else 0,
        demand=level.demand if level else 0,
        allocated=level.allocated if level else 0,
        available=free,
        is_short=level is not None and level.demand > free,
        is_active=variant.is_active,
    )


@dataclass(frozen=True, slots=True)
class MovementRow:
    """재고 변동 한 줄; `left` is what was on hand afterwards."""

    pk: int
    at: str
    kind: str
    on_hand: str
    demand: str
    allocated: str
    left: int
    reference: str
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Ledger:
    """재고 이력 한 쪽, newest first; `older` is the cursor of the next page, "" at the end."""

    rows: Sequence[MovementRow]
    older: str


def ledger(variant_id: int, *, cursor: str = "") -> Ledger:
    """재고 이력: movements of a variant, newest first, 50 a page. One query.

    The cursor names the last movement of the page before and what was on hand before it, so that a deep page costs what
    the first one does. Raises ValueError for a cursor that is none of ours.
    """
    rows = StockMovement.objects.filter(variant_id=variant_id).select_related("actor")
    left = None
    if cursor:
        last, left = _read_cursor(cursor)
        rows = rows.filter(pk__lt=last)
    found = list(rows.annotate(level=F("variant__stock__on_hand")).order_by("-pk")[: LEDGER_PAGE + 1])
    if left is None:
        left = int(found[0].level or 0) if found else 0
    shown = []
    for movement in found[:LEDGER_PAGE]:
        shown.append(_movement_row(movement, left))
        left -= movement.on_hand
    return Ledger(shown, f"{shown[-1].pk}.{left}" if len(found) > LEDGER_PAGE else "")


def _read_cursor(cursor: str) -> tuple[int, int]:
    match = re.fullmatch(r"([1-9][0-9]{0,17})\.(-?[0-9]{1,18})", cursor)
    if match is None:
        raise ValueError("not a place in the ledger")
    return int(match[1]), int(match[2])


def _movement_row(movement: StockMovement, left: int) -> MovementRow:
    return MovementRow(
        pk=movement.pk,
        at=full_time(movement.at),
        kind=MovementKind(movement.kind).label,
        on_hand=_signed(movement.on_hand),
        demand=_signed(movement.demand),
        allocated=_signed(movement.allocated),
        left=left,
        reference=_reference(movement),
        actor=movement.actor.display_name if movement.actor else "시스템",
        reason=movement.reason,
    )


def _signed(number: int) -> str:
    return f"{number:+,}" if number else ""


def _reference(movement: StockMovement) -> str:
    """The line number of a movement that a line made; corrections are named by their reason."""
    number, slash, _ = movement.reference.rpartition("/")
    return number if slash else ""
