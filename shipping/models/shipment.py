"""Shipments: what is sent together under one 배송번호."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from core.models import TimeStamped
from orders.models import Order, OrderLine
from orders.states import DeliveredBy, DeliveryMethod
from shipping.states import TrackingStage


class ShipmentStep(models.TextChoices):
    """배송건 단계: roll-up of the lines of a shipment, the base of the lists of steps 4 to 6."""

    READY = "READY", "배송준비중"
    SHIPPING = "SHIPPING", "배송중"
    DELIVERED = "DELIVERED", "배송완료"
    CONFIRMED = "CONFIRMED", "구매확정"
    CLOSED = "CLOSED", "종료"


class Shipment(TimeStamped):
    """배송건: lines of one order that travel together, with a summary of its lines and parcels."""

    event_subject = "shipment"

    number = models.CharField("배송번호", max_length=24, unique=True, db_collation="C")
    order = models.ForeignKey(Order, models.PROTECT, related_name="shipments", db_index=False)  # shipment_seq_once
    seq = models.PositiveSmallIntegerField("순번")
    # 합포: where the lines went; such a shipment is closed and empty until it is taken apart again.
    merged_into = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="merged",
        db_index=False,
        verbose_name="합포한 배송건",
    )
    method = models.CharField("배송방법", max_length=8, choices=DeliveryMethod.choices)
    version = models.PositiveIntegerField("버전", default=0, db_default=0)

    # Where it was sent: copied from the order by 배송중 처리; until then the order's recipient counts.
    recipient_name = models.CharField("수령자", max_length=60, blank=True)
    recipient_phone = models.CharField("수령자 연락처", max_length=20, blank=True)
    zip_code = models.CharField("우편번호", max_length=6, blank=True)
    address = models.CharField("주소", max_length=401, blank=True)
    jibun_address = models.CharField("지번주소", max_length=200, blank=True, default="", db_default="")

    step = models.CharField("단계", max_length=10, choices=ShipmentStep.choices, default=ShipmentStep.READY)
    line_count = models.PositiveSmallIntegerField("품목 수", default=0)
    has_waybill = models.BooleanField("송장 등록", default=False)
    courier = models.CharField("택배사", max_length=12, blank=True)
    waybill = models.CharField("송장번호", max_length=30, blank=True, db_collation="C")
    # What 송장 채번 is doing about it, in words for the list: a number is on its way, or why there is none.
    issuing = models.CharField("발급 진행", max_length=200, blank=True, default="", db_default="")
    parcel_count = models.PositiveSmallIntegerField("상자 수", default=0)
    is_held = models.BooleanField("보류", default=False)
    has_claim = models.BooleanField("취소 신청", default=False)
    paid_at = models.DateTimeField("결제일시", null=True, blank=True)
    ship_by = models.DateTimeField("발송기한", null=True, blank=True)
    shipped_at = models.DateTimeField("배송시작일시", null=True, blank=True)
    stage = models.CharField("추적 상태", max_length=24, choices=TrackingStage.choices, blank=True)
    first_scan_at = models.DateTimeField("집하일시", null=True, blank=True)
    last_event_at = models.DateTimeField("최근 변동", null=True, blank=True)
    last_event_text = models.CharField("최근 위치", max_length=200, blank=True)
    tracking_failed = models.BooleanField("추적 오류", default=False)
    delivered_at = models.DateTimeField("배송완료일시", null=True, blank=True)
    delivered_by = models.CharField("확인 구분", max_length=8, choices=DeliveredBy.choices, blank=True)
    confirm_by = models.DateTimeField("구매확정 예정", null=True, blank=True)

    class Meta:
        verbose_name = "배송건"
        constraints = [
            models.UniqueConstraint(fields=["order", "seq"], name="shipment_seq_once"),
            models.CheckConstraint(
                condition=Q(merged_into__isnull=True) | Q(step="CLOSED"), name="merged_shipment_is_closed"
            ),
        ]
        indexes = [
            # What is included lets the counts of tabs be read from the index alone.
            models.Index(
                fields=["ship_by", "paid_at", "id"],
                name="shipment_ready",
                condition=Q(step="READY"),
                include=["has_waybill", "has_claim", "is_held", "line_count"],
            ),
            models.Index(
                fields=["last_event_at", "id"],
                name="shipment_shipping",
                condition=Q(step="SHIPPING"),
                include=["stage", "tracking_failed", "first_scan_at", "method", "line_count"],
            ),
            models.Index(
                fields=["-delivered_at", "-id"],
                name="shipment_delivered",
                condition=Q(step="DELIVERED"),
                include=["delivered_by", "confirm_by", "tracking_failed", "line_count"],
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def event_order_id(self) -> int:
        """The order whose history shows this shipment's events."""
        return self.order_id


class ShipmentLine(models.Model):
    """배송건 품목: a line lies whole in one live shipment; rows of shipments given up stay, marked."""

    shipment = models.ForeignKey(Shipment, models.PROTECT, related_name="items")
    line = models.ForeignKey(OrderLine, models.PROTECT, related_name="shipment_items")
    is_live = models.BooleanField("유효", default=True)

    class Meta:
        verbose_name = "배송건 품목"
        constraints = [
            models.UniqueConstraint(fields=["line"], name="line_in_one_live_shipment", condition=Q(is_live=True))
        ]
        indexes = [models.Index(fields=["shipment"], name="shipment_live_items", condition=Q(is_live=True))]

    def __str__(self) -> str:
        return f"{self.shipment_id} {self.line_id}"


class WaybillDraft(models.Model):
    """임시 송장: what somebody typed into the list and did not register yet; colleagues see it."""

    shipment = models.OneToOneField(Shipment, models.CASCADE, primary_key=True, related_name="draft")
    courier = models.CharField("택배사", max_length=12)
    text = models.CharField("송장번호", max_length=40)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    saved_at = models.DateTimeField("저장일시")

    class Meta:
        verbose_name = "임시 송장"

    def __str__(self) -> str:
        return self.text
