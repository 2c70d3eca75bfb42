"""The abstract history row and the abstract delivery; the concrete tables belong to the app named in the settings."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models


class Source(models.TextChoices):
    """어디서: the door through which a change came in."""

    SCREEN = "SCREEN", "화면"
    UPLOAD = "UPLOAD", "파일"
    API = "API", "API"
    TASK = "TASK", "자동 처리"
    PG = "PG", "PG 입금 통보"
    COURIER = "COURIER", "택배사 조회"
    BUYER = "BUYER", "고객"
    RIDER = "RIDER", "기사 링크"


class AbstractEvent(models.Model):
    """처리 이력: who did what to which row, when, from where to where and why; never changed, never deleted."""

    at = models.DateTimeField("일시")
    kind = models.CharField("종류", max_length=40)
    subject = models.CharField("대상", max_length=12)
    subject_id = models.BigIntegerField("대상 번호")
    version = models.PositiveIntegerField("버전")
    from_state = models.CharField("이전 상태", max_length=24, blank=True)
    to_state = models.CharField("다음 상태", max_length=24, blank=True)
    # The tables are written by the thousand: no index on a key that begins a longer one (see the concrete models).
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    source = models.CharField("어디서", max_length=8, choices=Source.choices)
    reason = models.TextField("사유", blank=True)
    data = models.JSONField("내용", null=True, blank=True)
    batch = models.ForeignKey("core.Job", models.PROTECT, null=True, blank=True, related_name="+", db_index=False)

    class Meta:
        abstract = True


class DeliveryState(models.TextChoices):
    """전달 상태 of one delivery."""

    PENDING = "PENDING", "대기"
    DONE = "DONE", "완료"
    DEAD = "DEAD", "실패"
    WITHDRAWN = "WITHDRAWN", "거둠"


class AbstractDelivery(models.Model):
    """전달: the events of one order and one batch on their way to one subscriber, after the commit that made them."""

    subscriber = models.CharField("받는 곳", max_length=100)
    batch = models.ForeignKey("core.Job", models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    event_ids = ArrayField(models.BigIntegerField(), verbose_name="이력 번호")
    state = models.CharField("상태", max_length=10, choices=DeliveryState.choices, default=DeliveryState.PENDING)
    due_at = models.DateTimeField("보낼 시각")
    attempts = models.PositiveSmallIntegerField("시도", default=0)
    last_error = models.TextField("마지막 오류", blank=True)
    is_correction = models.BooleanField("정정", default=False)
    created_at = models.DateTimeField("등록일시", auto_now_add=True)
    finished_at = models.DateTimeField("완료일시", null=True, blank=True)

    class Meta:
        abstract = True
