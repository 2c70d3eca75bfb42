"""품목 찾기: by the codes on files and labels, and by what staff type."""

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from products.models import Variant
from products.services.drafts import clean_text

MOST_CHOICES = 20
LONGEST_SEARCH = 100


@dataclass(frozen=True, slots=True)
class VariantChoice:
    """고를 품목: one variant with what tells it from the others."""

    pk: int
    sku: str
    name: str
    option_text: str
    available: int


def variants_by_sku(skus: Collection[str]) -> dict[str, int]:
    """품목코드로 찾기: {sku: variant id}; codes are compared exactly."""
    return dict(Variant.objects.filter(sku__in=set(skus)).values_list("sku", "pk"))


def matching(variants: QuerySet[Variant], text: str) -> QuerySet[Variant]:
    """품목 검색: variants whose codes begin with the text, or whose product is called so, word by word."""
    text = clean_text(text, LONGEST_SEARCH)
    by_name = Q()
    for word in text.split():
        by_name &= Q(product__name__icontains=word)
    by_code = Q(sku__startswith=text) | Q(barcode=text) | Q(product__code__startswith=text)
    return variants.filter(by_code | by_name) if text else variants


def search_variants(text: str, *, most: int = MOST_CHOICES) -> list[VariantChoice]:
    """품목 고르기: active variants that match the text, exact codes first, at most `most`; none for an empty text."""
    text = clean_text(text, LONGEST_SEARCH)
    if not text:
        return []
    variants = matching(Variant.objects.filter(is_active=True), text).select_related("product", "stock")
    rows = sorted(variants.order_by("product__name", "pk")[:most], key=lambda row: text not in {row.sku, row.barcode})
    return [VariantChoice(row.pk, row.sku, row.product.name, row.option_text, available(row)) for row in rows]


def available(variant: Variant) -> int:
    """가용재고 of a variant whose level came along by select_related; 0 when it has none yet."""
    return variant.stock.available if hasattr(variant, "stock") else 0
