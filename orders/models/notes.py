"""What staff write on an order."""

from django.conf import settings
from django.db import models

from orders.models.line import OrderLine
from orders.models.order import Order


class StaffMemo(models.Model):
    """관리자 메모: a note on an order; pinned ones warn at packing."""

    order = models.ForeignKey(Order, models.PROTECT, related_name="memos")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    text = models.TextField("내용", max_length=2000)
    is_pinned = models.BooleanField("고정", default=False)
    created_at = models.DateTimeField("작성일시", auto_now_add=True)
    deleted_at = models.DateTimeField("삭제일시", null=True, blank=True)

    class Meta:
        verbose_name = "관리자 메모"
        indexes = [models.Index(fields=["order", "-id"], name="memo_of_order")]

    def __str__(self) -> str:
        return self.text[:40]


class DelayReason(models.TextChoices):
    """발송지연 사유 (domain.md 2.3)."""

    PRODUCT_PREPARE = "PRODUCT_PREPARE", "상품 준비 중"
    CUSTOMER_REQUEST = "CUSTOMER_REQUEST", "고객 요청"
    CUSTOM_BUILD = "CUSTOM_BUILD", "주문 제작"
    RESERVED_DISPATCH = "RESERVED_DISPATCH", "예약 발송"
    OVERSEA_DELIVERY = "OVERSEA_DELIVERY", "해외 배송"
    ETC = "ETC", "기타"


class DelayNotice(models.Model):
    """발송지연 안내: once per line, with the new date and the words the buyer gets."""

    line = models.OneToOneField(OrderLine, models.PROTECT, related_name="delay_notice")
    reason = models.CharField("사유", max_length=20, choices=DelayReason.choices)
    detail = models.CharField("안내 문구", max_length=1000, blank=True)
    old_ship_by = models.DateTimeField("이전 발송기한", null=True)
    new_ship_by = models.DateTimeField("새 발송기한")
    created_at = models.DateTimeField("등록일시", auto_now_add=True)

    class Meta:
        verbose_name = "발송지연 안내"

    def __str__(self) -> str:
        return f"{self.line_id} {self.new_ship_by:%Y-%m-%d}"
