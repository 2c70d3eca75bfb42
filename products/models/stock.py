"""The stock ledger: one level per variant, one append-only movement per change."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from core.rows import QuickRow
from core.triggers import append_only
from products.models.catalog import Variant


class StockLevel(QuickRow):
    """재고: units on hand, units that orders ask for, units set aside for 배송준비중."""

    variant = models.OneToOneField(Variant, models.PROTECT, primary_key=True, related_name="stock")
    on_hand = models.BigIntegerField("실재고", default=0)
    demand = models.BigIntegerField("수요", default=0)
    allocated = models.BigIntegerField("할당", default=0)
    # Counts the changes of on_hand only, so that a coming order does not make a counted figure stale.
    version = models.PositiveIntegerField("버전", default=0)

    class Meta:
        verbose_name = "재고"
        constraints = [
            models.CheckConstraint(condition=Q(on_hand__gte=0), name="stock_on_hand_not_negative"),
            models.CheckConstraint(condition=Q(demand__gte=0), name="stock_demand_not_negative"),
            models.CheckConstraint(
                condition=Q(allocated__gte=0) & Q(allocated__lte=F("on_hand")), name="stock_allocated_within_on_hand"
            ),
        ]
        indexes = [
            models.Index(fields=["variant"], name="stock_short", condition=Q(demand__gt=F("on_hand") - F("allocated")))
        ]

    def __str__(self) -> str:
        return f"{self.variant_id}: {self.on_hand}"

    @property
    def available(self) -> int:
        """가용재고: units that may still be allocated."""
        return self.on_hand - self.allocated


class MovementKind(models.TextChoices):
    """재고 변동 종류."""

    OPENING = "OPENING", "기초"
    ADJUST = "ADJUST", "조정"
    RECEIVE = "RECEIVE", "입고"
    DEMAND = "DEMAND", "수요"
    DEMAND_BACK = "DEMAND_BACK", "수요 취소"
    ALLOCATE = "ALLOCATE", "할당"
    RELEASE = "RELEASE", "할당 해제"
    SHIP = "SHIP", "출고"
    UNSHIP = "UNSHIP", "출고 취소"
    RETURN = "RETURN", "반품 입고"


class StockMovement(models.Model):
    """재고 변동: signed changes of the three numbers with the text that names their cause; never edited."""

    # What core.events.record() asks of a row: movements stand outside any one order.
    event_subject: ClassVar[str] = "stock"
    event_order_id: ClassVar[None] = None

    # Found by movement_of_variant.
    variant = models.ForeignKey(Variant, models.PROTECT, related_name="movements", db_index=False)
    at = models.DateTimeField("일시")
    kind = models.CharField("종류", max_length=12, choices=MovementKind.choices)
    on_hand = models.IntegerField("실재고 증감", default=0)
    demand = models.IntegerField("수요 증감", default=0)
    allocated = models.IntegerField("할당 증감", default=0)
    reference = models.CharField("참조", max_length=60, db_collation="C")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    reason = models.CharField("사유", max_length=200, blank=True)

    class Meta:
        verbose_name = "재고 변동"
        triggers = append_only()
        constraints = [
            # Also finds the movements of one line by the beginning of their reference.
            models.UniqueConstraint(fields=["reference", "kind"], name="stock_movement_once"),
            models.CheckConstraint(condition=Q(kind__in=MovementKind.values), name="stock_movement_kind_known"),
        ]
        indexes = [models.Index(fields=["variant", "-id"], name="movement_of_variant")]

    def __str__(self) -> str:
        return f"{self.kind} {self.reference}"
