"""Messages to buyers."""

from django.db import models

from core.models.base import TimeStamped


class MessageStatus(models.TextChoices):
    """알림 상태: waiting, gone out, or refused by the gateway."""

    QUEUED = "QUEUED", "발송 대기"
    SENT = "SENT", "발송함"
    FAILED = "FAILED", "발송 실패"


class Message(TimeStamped):
    """알림: one text to one receiver; its key makes a second sending of the same news impossible."""

    key = models.CharField("중복 방지 키", max_length=200, unique=True)
    template = models.CharField("양식", max_length=60)
    to = models.CharField("받는 곳", max_length=120)
    body = models.TextField("내용")
    # What the text shows, by name: 알림톡 fills its approved template with it (core/gateways/solapi.py).
    variables = models.JSONField("내용의 값", default=dict, db_default=models.Value({}, models.JSONField()))
    status = models.CharField("상태", max_length=6, choices=MessageStatus.choices, default=MessageStatus.QUEUED)
    attempts = models.PositiveSmallIntegerField("시도 횟수", default=0)
    # Set before the gateway is called: a process that dies in between leaves a row that is not sent a second time.
    claimed_at = models.DateTimeField("발송 시작", null=True, blank=True)
    # None: there is nothing left to do.
    next_try_at = models.DateTimeField("다음 발송", null=True, blank=True)
    sent_at = models.DateTimeField("발송일시", null=True, blank=True)
    reference = models.CharField("발송사 번호", max_length=120, blank=True, default="")
    error = models.CharField("실패 사유", max_length=300, blank=True, default="")

    class Meta:
        verbose_name = "알림"
        constraints = [
            models.CheckConstraint(condition=models.Q(status__in=MessageStatus.values), name="message_status_known"),
            models.CheckConstraint(
                condition=models.Q(sent_at__isnull=False) | ~models.Q(status=MessageStatus.SENT),
                name="message_sent_has_time",
            ),
        ]
        indexes = [
            models.Index(fields=["created_at"], name="message_unsent", condition=~models.Q(status=MessageStatus.SENT)),
            models.Index(fields=["next_try_at"], name="message_due", condition=models.Q(next_try_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.template} {self.status}"
