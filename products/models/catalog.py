"""Products and the variants (품목) that are bought, stored and packed."""

from typing import ClassVar

from django.db import models

from core.models import TimeStamped


class SaleState(models.TextChoices):
    """판매 상태."""

    ON_SALE = "ON_SALE", "판매중"
    SOLD_OUT = "SOLD_OUT", "품절"
    STOPPED = "STOPPED", "판매중지"


class Product(TimeStamped):
    """상품: what the shop offers; its variants carry price and stock."""

    # What core.events.record() asks of a row: products stand outside any one order.
    event_subject: ClassVar[str] = "product"
    event_order_id: ClassVar[None] = None

    code = models.CharField("상품코드", max_length=40, unique=True, db_collation="C")
    name = models.CharField("상품명", max_length=200)
    # Names of the options in order, e.g. ["색상", "사이즈"].
    option_names = models.JSONField("옵션 이름", default=list, blank=True)
    sale_state = models.CharField("판매 상태", max_length=10, choices=SaleState.choices, default=SaleState.ON_SALE)
    # Counts the edits of the product and of its variants; each has an event.
    version = models.PositiveIntegerField("버전", default=0)

    class Meta:
        verbose_name = "상품"
        constraints = [
            models.CheckConstraint(condition=models.Q(sale_state__in=SaleState.values), name="product_sale_state_known")
        ]

    def __str__(self) -> str:
        return self.name


class Variant(TimeStamped):
    """품목: one combination of options of a product, the unit of price and stock."""

    product = models.ForeignKey(Product, models.PROTECT, related_name="variants")
    sku = models.CharField("품목코드", max_length=60, unique=True, db_collation="C")
    barcode = models.CharField("바코드", max_length=40, blank=True, db_collation="C", db_index=True)
    option_values = models.JSONField("옵션 값", default=list, blank=True)
    price = models.PositiveBigIntegerField("판매가", default=0)
    weight_grams = models.PositiveIntegerField("무게(g)", null=True, blank=True)
    location = models.CharField("보관 위치", max_length=40, blank=True)
    is_active = models.BooleanField("사용", default=True)

    class Meta:
        verbose_name = "품목"
        constraints = [models.UniqueConstraint(fields=["product", "option_values"], name="variant_options_once")]

    def __str__(self) -> str:
        return self.sku

    @property
    def option_text(self) -> str:
        """Option values as staff read them: "화이트 / M"."""
        return " / ".join(str(value) for value in self.option_values)
