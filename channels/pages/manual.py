"""화면에 보일 것 of 주문 등록."""

from collections.abc import Collection
from typing import Any

from core.money import won
from products.models import Variant


def line_names(variant_ids: Collection[int | None]) -> dict[int | None, str]:
    """품목 이름 of the lines of the form; one query."""
    wanted = [pk for pk in variant_ids if pk is not None]
    variants = Variant.objects.select_related("product").filter(pk__in=wanted)
    return {one.pk: f"{one.product.name} {one.option_text} ({one.sku})".replace("  ", " ") for one in variants}


def total_text(lines: Any, form: Any) -> str:
    """결제예정액 of what is typed in so far; empty while something cannot be read."""
    try:
        goods = sum(int(line["quantity"].value()) * _won(line["unit_price"].value()) for line in lines)
        total = goods - _won(form["discount_amount"].value()) + _won(form["shipping_fee_amount"].value())
    except (TypeError, ValueError):
        return ""
    return won(total) if lines.forms and 0 <= total < 10**15 else ""


def _won(typed: Any) -> int:
    return int(str(typed or 0).replace(",", "").strip() or 0)
