"""Conditions of the product list; names equal the query string and never change."""

from django.db.models import Exists, F, OuterRef, Q

from core.lists import Choices, Condition, ListFilterSet
from products.models import SaleState, StockLevel, Variant

_OWN = StockLevel.objects.filter(variant=OuterRef("pk"))
SHORT = Q(Exists(_OWN.filter(demand__gt=F("on_hand") - F("allocated"))))
"""수요가 가용재고보다 많은 품목: the condition of the partial index stock_short."""
NOTHING_LEFT = ~Q(Exists(_OWN.filter(on_hand__gt=0)))


class VariantFilter(ListFilterSet):
    """상품 목록 조건."""

    sale_state = Choices(field_name="product__sale_state", label="판매 상태", choices=SaleState.choices)
    active = Condition(
        label="사용", conditions={"yes": ("사용", Q(is_active=True)), "no": ("사용 안 함", Q(is_active=False))}
    )

    class Meta:
        model = Variant
        fields: list[str] = []
