"""The order: one purchase with its people, amounts and the summary of its lines."""

from datetime import datetime

from django.db import models
from django.db.models import F, Q

from core.models import TimeStamped
from orders.models.channel import SalesChannel
from orders.querysets import OrderQuerySet
from orders.states import BIT, ENDED_BITS, DeliveryMethod, LineState, PaymentMethod, RemoteZone


class Order(TimeStamped):
    """주문: container of lines; its stage, badges and steps are computed from them in the same transaction."""

    event_subject = "order"

    number = models.CharField("주문번호", max_length=16, unique=True, db_collation="C")
    channel = models.ForeignKey(SalesChannel, models.PROTECT, related_name="orders")
    channel_number = models.CharField("채널 주문번호", max_length=60, db_collation="C")
    root = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="family")
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")
    ordered_at = models.DateTimeField("주문일시")
    paid_at = models.DateTimeField("결제일시", null=True, blank=True)

    buyer_name = models.CharField("주문자", max_length=60)
    buyer_phone = models.CharField("주문자 연락처", max_length=20, blank=True)
    buyer_email = models.EmailField("주문자 이메일", blank=True)
    recipient_name = models.CharField("수령자", max_length=60)
    recipient_phone = models.CharField("수령자 연락처", max_length=20, blank=True)
    recipient_phone2 = models.CharField("수령자 연락처2", max_length=20, blank=True)
    zip_code = models.CharField("우편번호", max_length=6, blank=True)
    # 도로명주소 where the channel tells it, else the only form it told: what couriers, labels and files get.
    address1 = models.CharField("주소", max_length=200)
    address2 = models.CharField("상세주소", max_length=200, blank=True)
    # The second form, only where the channel told both; nobody makes one form of the other (shipping.md 6.3).
    jibun_address = models.CharField("지번주소", max_length=200, blank=True, default="", db_default="")
    # The last day on which the recipient's 050 numbers work; empty where nobody told.
    safe_number_end_date = models.DateField("안심번호 만료일", null=True, blank=True)
    delivery_note = models.CharField("배송메시지", max_length=500, blank=True)
    delivery_method = models.CharField(
        "배송방법", max_length=8, choices=DeliveryMethod.choices, default=DeliveryMethod.PARCEL
    )

    # Judged when the order came in or its address changed, and then kept; empty: from before there were zones.
    remote_zone = models.SmallIntegerField("권역", choices=RemoteZone.choices, null=True, blank=True)
    remote_surcharge_amount = models.IntegerField("도서산간 추가 배송비", null=True, blank=True)

    payment_method = models.CharField("결제수단", max_length=16, choices=PaymentMethod.choices)
    depositor_name = models.CharField("입금자명", max_length=60, blank=True)
    deposit_by = models.DateTimeField("입금기한", null=True, blank=True)

    # Won. due = goods - discount - coupon - points + shipping fee (domain.md 3.5).
    goods_amount = models.PositiveBigIntegerField("상품금액", default=0)
    discount_amount = models.PositiveBigIntegerField("할인금액", default=0)
    coupon_amount = models.PositiveBigIntegerField("쿠폰 할인", default=0)
    points_amount = models.PositiveBigIntegerField("적립금 사용", default=0)
    shipping_fee_amount = models.PositiveBigIntegerField("배송비", default=0)
    due_amount = models.PositiveBigIntegerField("결제예정액", default=0)
    paid_amount = models.BigIntegerField("입금액", default=0)

    version = models.PositiveIntegerField("버전", default=0, db_default=0)
    stage = models.CharField("상태", max_length=24, choices=LineState.choices, default=LineState.AWAITING_PAYMENT)
    steps = models.PositiveIntegerField("단계 비트", default=0)
    line_count = models.PositiveSmallIntegerField("품목 수", default=0)
    next_due_at = models.DateTimeField("발송기한", null=True, blank=True)
    confirmed_at = models.DateTimeField("구매확정일시", null=True, blank=True)
    has_memo = models.BooleanField("메모 있음", default=False)

    objects = OrderQuerySet.as_manager()

    class Meta:
        verbose_name = "주문"
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "channel_number"], name="order_once_per_channel", condition=Q(parent__isnull=True)
            ),
            models.CheckConstraint(
                condition=Q(
                    due_amount=F("goods_amount")
                    - F("discount_amount")
                    - F("coupon_amount")
                    - F("points_amount")
                    + F("shipping_fee_amount")
                ),
                name="order_due_adds_up",
            ),
            models.CheckConstraint(condition=Q(paid_amount__gte=0), name="order_paid_not_negative"),
        ]
        indexes = [
            # What is included lets the counts of tabs be read from the index alone.
            models.Index(fields=["-ordered_at", "-id"], name="order_newest", include=["steps", "line_count"]),
            models.Index(
                F("paid_at").desc(), F("id").desc(), name="order_paid_newest", condition=Q(paid_at__isnull=False)
            ),
            models.Index(
                F("ordered_at").desc(), F("id").desc(), name="order_ended_newest", condition=Q(steps__bit=ENDED_BITS)
            ),
            models.Index(
                fields=["deposit_by", "id"],
                name="order_step_awaiting",
                condition=Q(steps__bit=BIT[LineState.AWAITING_PAYMENT]),
                include=["steps", "line_count", "ordered_at", "payment_method", "paid_amount", "due_amount"],
            ),
            models.Index(
                fields=["next_due_at", "id"],
                name="order_step_preparing",
                condition=Q(steps__bit=BIT[LineState.PREPARING]),
                include=["steps", "paid_at", "ordered_at"],
            ),
            *(
                models.Index(*keys, name=f"order_step_{name}", condition=Q(steps__bit=BIT[state]))
                for name, state, keys in (
                    ("preparing_oldest", LineState.PREPARING, (F("ordered_at").asc(), F("id").asc())),
                    ("ready", LineState.READY, (F("next_due_at").asc(), F("id").asc())),
                    ("shipping", LineState.SHIPPING, (F("ordered_at").desc(), F("id").desc())),
                    ("delivered", LineState.DELIVERED, (F("ordered_at").desc(), F("id").desc())),
                    ("confirmed", LineState.CONFIRMED, (F("confirmed_at").desc(), F("id").desc())),
                )
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def event_order_id(self) -> int:
        """The order's own history shows its events."""
        return self.pk

    @property
    def open_amount(self) -> int:
        """Won that are still to be paid; negative when too much came in."""
        return self.due_amount - self.paid_amount

    def paid_moment(self, told: datetime | None, *, at: datetime) -> datetime:
        """결제일시: as PG or bank tell it, some of them by the minute; neither in the future nor before the order."""
        return min(max(told, self.ordered_at.replace(second=0, microsecond=0)), at) if told else at


class StepDelta(models.Model):
    """단계 증감: append-only changes of the number of orders (and lines) in closed steps; their sum is the count."""

    step = models.PositiveIntegerField("단계 비트")
    orders = models.IntegerField("주문 증감")

    class Meta:
        verbose_name = "단계 증감"
        indexes = [models.Index(fields=["step"], include=["orders"], name="step_delta_sum")]

    def __str__(self) -> str:
        return f"{self.step}: {self.orders:+d}"
