"""What is remembered of selling channels: file layouts, which product is which, keys of the storefront API."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from core.models import SenderLayout, TimeStamped
from orders.models import SalesChannel
from products.models import Variant


class ProfileKind(models.TextChoices):
    """양식 종류: the three layouts that are known by their column names, and whatever staff map themselves."""

    SMARTSTORE = "SMARTSTORE", "스마트스토어 발주발송관리"
    CAFE24 = "CAFE24", "카페24 주문"
    SABANGNET = "SABANGNET", "사방넷 주문"
    CUSTOM = "CUSTOM", "직접 맞춘 양식"


class OrderProfile(SenderLayout):
    """주문 파일 양식: how the columns of one sender's files become our fields.

    `mapping` holds rules by field name (channels.adapters.layouts.Rule as JSON); for the known kinds only what differs
    from the layout. `fingerprint` is the remembered set of column names, so that the sender's next file needs no hands.
    """

    name = models.CharField("이름", max_length=60, unique=True)
    kind = models.CharField("종류", max_length=12, choices=ProfileKind.choices, default=ProfileKind.CUSTOM)
    channel = models.ForeignKey(SalesChannel, models.PROTECT, related_name="profiles", verbose_name="판매채널")
    # What the file cannot say: {"is_prepaid": bool, "creates_products": bool}.
    defaults = models.JSONField("기본값", default=dict, blank=True)
    is_default = models.BooleanField("판매채널의 기본 양식", default=False)

    class Meta:
        verbose_name = "주문 파일 양식"
        constraints = [
            models.UniqueConstraint(fields=["fingerprint"], name="profile_sender_once", condition=~Q(fingerprint="")),
            models.UniqueConstraint(fields=["channel"], name="profile_default_once", condition=Q(is_default=True)),
            models.CheckConstraint(condition=Q(kind__in=ProfileKind.values), name="profile_kind_known"),
        ]

    def __str__(self) -> str:
        return self.name


class ChannelListing(TimeStamped):
    """품목 연결: which variant a channel means by a product and an option; asked once, then remembered."""

    event_subject: ClassVar[str] = "listing"
    event_order_id: ClassVar[None] = None
    state: ClassVar[str] = ""

    channel = models.ForeignKey(SalesChannel, models.PROTECT, related_name="listings", verbose_name="판매채널")
    product = models.CharField("채널 상품번호", max_length=100, db_collation="C")
    option = models.CharField("채널 옵션", max_length=200, blank=True, db_collation="C")
    product_name = models.CharField("채널 상품명", max_length=200, blank=True)
    option_name = models.CharField("채널 옵션명", max_length=200, blank=True)
    variant = models.ForeignKey(Variant, models.PROTECT, related_name="listings", verbose_name="품목")
    use_count = models.PositiveIntegerField("쓰인 횟수", default=0)
    version = models.PositiveIntegerField("버전", default=0)

    class Meta:
        verbose_name = "품목 연결"
        constraints = [models.UniqueConstraint(fields=["channel", "product", "option"], name="listing_once")]

    def __str__(self) -> str:
        return f"{self.product} {self.option}".strip()


class ApiKey(models.Model):
    """API 키: lets one channel's storefront speak to /api/v1/; only a hash of it is kept."""

    event_subject: ClassVar[str] = "api_key"
    event_order_id: ClassVar[None] = None

    channel = models.ForeignKey(SalesChannel, models.PROTECT, related_name="api_keys", verbose_name="판매채널")
    # The public beginning of the key: finds the row, and tells staff which key it is.
    prefix = models.CharField("앞자리", max_length=12, unique=True, db_collation="C")
    digest = models.CharField("해시", max_length=64)
    created_at = models.DateTimeField("발급일시")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    last_used_at = models.DateTimeField("마지막 사용", null=True, blank=True)
    revoked_at = models.DateTimeField("폐기일시", null=True, blank=True)
    revoked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name = "API 키"

    def __str__(self) -> str:
        return self.prefix


class IdempotencyKey(models.Model):
    """중복 방지 키: what was answered to a request, so that its repetition gets the same answer for 72 hours.

    Belongs to the channel of an API key or to a member of staff. The row is written in the transaction of the work
    itself: an answer is stored if and only if the work is.
    """

    channel = models.ForeignKey(SalesChannel, models.CASCADE, null=True, blank=True, related_name="+")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="+")
    key = models.CharField("키", max_length=200, db_collation="C")
    request_hash = models.CharField("요청 해시", max_length=64)
    status = models.PositiveSmallIntegerField("응답 상태", default=0)
    body: Any = models.JSONField("응답", default=dict)
    created_at = models.DateTimeField("등록일시")

    class Meta:
        verbose_name = "중복 방지 키"
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "key"], name="idempotency_of_channel", condition=Q(channel__isnull=False)
            ),
            models.UniqueConstraint(
                fields=["actor", "key"], name="idempotency_of_actor", condition=Q(actor__isnull=False)
            ),
            models.CheckConstraint(
                condition=Q(channel__isnull=True, actor__isnull=False) | Q(channel__isnull=False, actor__isnull=True),
                name="idempotency_one_owner",
            ),
        ]
        indexes = [models.Index(fields=["created_at"], name="idempotency_age")]

    def __str__(self) -> str:
        return self.key
