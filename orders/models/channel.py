"""Where orders come from, and until when they must be sent."""

from django.db import models

from core.models import TimeStamped


class SalesChannel(TimeStamped):
    """판매채널: one shop or market that orders come from."""

    code = models.SlugField("코드", max_length=20, unique=True)
    name = models.CharField("이름", max_length=40)
    is_active = models.BooleanField("사용", default=True)
    # Markets tell their buyers themselves; whoever has paid there must not hear of us twice.
    notifies_buyers = models.BooleanField("구매자에게 알림", default=True, db_default=True)
    creates_products = models.BooleanField("모르는 상품을 새로 등록", default=False)

    class Meta:
        verbose_name = "판매채널"

    def __str__(self) -> str:
        return self.name


class DeadlineKind(models.TextChoices):
    """기한 종류."""

    SHIP = "SHIP", "발송기한"
    DEPOSIT = "DEPOSIT", "입금기한"


class DeadlineRule(TimeStamped):
    """기한 규칙: days a channel grants from a date on; the newest valid rule of the channel, else of all, counts."""

    channel = models.ForeignKey(SalesChannel, models.CASCADE, null=True, blank=True, related_name="deadline_rules")
    kind = models.CharField("종류", max_length=8, choices=DeadlineKind.choices)
    days = models.PositiveSmallIntegerField("일수")
    valid_from = models.DateField("적용 시작일")

    class Meta:
        verbose_name = "기한 규칙"
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "kind", "valid_from"], name="deadline_rule_once", nulls_distinct=False
            ),
            models.CheckConstraint(condition=models.Q(days__range=(1, 90)), name="deadline_rule_days"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.days}일"
