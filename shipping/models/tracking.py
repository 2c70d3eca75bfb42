"""Tracking: accounts at tracking sources, the narrow poll table, and what couriers told us."""

from django.db import models
from django.db.models import Q

from core.models import TimeStamped
from core.rows import QuickRow
from shipping.models.keys import SealedKeys
from shipping.models.parcel import Parcel
from shipping.states import TrackingStage


class AccountState(models.TextChoices):
    """계정 상태."""

    OK = "OK", "정상"
    BLOCKED = "BLOCKED", "인증 실패"


class TrackingAccount(SealedKeys, TimeStamped):
    """추적 계정: where and how we ask; the environment variable OMS_<CODE>_BASE_URL overrides the address."""

    sealed_for = "tracking account"

    code = models.SlugField("코드", max_length=20, unique=True)
    name = models.CharField("이름", max_length=40)
    # The protocol it speaks: a name of services/polling/sources.py.
    kind = models.CharField("방식", max_length=20, default="tracker_delivery", db_default="tracker_delivery")
    base_url = models.URLField("주소", max_length=200)
    # By the names of its kind; the values are sealed, their names are not.
    sealed_options = models.JSONField("키", default=dict, db_default=models.Value({}, models.JSONField()), blank=True)
    # What the source allows; empty means no limit (a server of one's own, a sandbox).
    per_second = models.FloatField("초당 조회", null=True, blank=True)
    per_day = models.PositiveIntegerField("하루 조회", null=True, blank=True)
    min_interval = models.PositiveIntegerField("같은 상자 조회 간격(초)", default=0, db_default=0)
    concurrency = models.PositiveSmallIntegerField("동시 조회", default=16, db_default=16)
    is_sandbox = models.BooleanField("샌드박스", default=False)
    # Divides the intervals between polls: a sandbox delivers in minutes what a courier delivers in days.
    speed = models.PositiveSmallIntegerField("속도", default=1)
    is_active = models.BooleanField("사용", default=True)
    state = models.CharField("상태", max_length=10, choices=AccountState.choices, default=AccountState.OK)
    blocked_at = models.DateTimeField("막힌 일시", null=True, blank=True)
    last_error = models.CharField("마지막 오류", max_length=300, blank=True)
    last_ok_at = models.DateTimeField("마지막 정상", null=True, blank=True)
    # While it is blocked, one parcel is asked about then, to find out whether the key is taken again.
    retry_at = models.DateTimeField("다시 시도", null=True, blank=True)
    # The random end of the address that the source calls; empty while it is not to call us.
    hook_token = models.CharField("알림 주소", max_length=60, blank=True, default="", db_default="")
    hook_error = models.CharField("알림 오류", max_length=300, blank=True, default="", db_default="")

    class Meta:
        verbose_name = "추적 계정"
        constraints = [
            models.CheckConstraint(condition=Q(per_second=None) | Q(per_second__gt=0), name="account_rate_positive"),
            models.CheckConstraint(condition=Q(concurrency__gte=1), name="account_asks_something"),
        ]

    def __str__(self) -> str:
        return self.name


class TrackingPoll(QuickRow):
    """조회 예약: the hot row of one parcel, apart from the parcel itself."""

    parcel = models.OneToOneField(Parcel, models.CASCADE, primary_key=True, related_name="poll")
    # Code of the account that asked last, or will ask first: which one asks next is decided by the courier's route.
    source = models.CharField("조회처", max_length=20)
    courier = models.CharField("택배사", max_length=12)
    waybill = models.CharField("송장번호", max_length=30)
    pace = models.CharField("조회 속도", max_length=10, default="NEW", db_default="NEW")
    next_poll_at = models.DateTimeField("다음 조회")
    lease_until = models.DateTimeField("임대 기한", null=True, blank=True)
    lease_token = models.BigIntegerField("임대 번호", default=0)
    fail_count = models.PositiveSmallIntegerField("실패 횟수", default=0)
    last_ok_at = models.DateTimeField("마지막 정상", null=True, blank=True)
    last_hash = models.CharField("마지막 지문", max_length=64, blank=True)
    last_error = models.CharField("마지막 오류", max_length=200, blank=True)
    is_active = models.BooleanField("사용", default=True)
    # When staff asked for a fresh answer: at most every ten minutes.
    wanted_at = models.DateTimeField("직접 조회", null=True, blank=True)
    # Code of the account that tells of it by itself, a feed or by pushes; then one question a day is enough.
    told_by = models.CharField("알려 주는 곳", max_length=20, blank=True, default="", db_default="")

    class Meta:
        verbose_name = "조회 예약"
        indexes = [
            models.Index(fields=["courier", "next_poll_at"], name="poll_due_of_courier", condition=Q(is_active=True))
        ]

    def __str__(self) -> str:
        return f"{self.courier} {self.waybill}"


class TrackingEvent(models.Model):
    """추적 이력: one event as the courier told it, with the stage we read in it."""

    parcel = models.ForeignKey(Parcel, models.CASCADE, related_name="tracking_events")
    source = models.CharField("조회처", max_length=20)
    seq = models.PositiveSmallIntegerField("순서")
    raw_code = models.CharField("원본 코드", max_length=40, blank=True)
    raw_text = models.CharField("원본 문구", max_length=300, blank=True)
    # What reading the event again needs besides; empty in rows of before.
    raw_name = models.CharField("원본 상태", max_length=100, null=True, blank=True)  # noqa: DJ001
    raw_at = models.DateTimeField("원본 일시", null=True, blank=True)
    is_date_only = models.BooleanField("날짜만", null=True, blank=True)
    stage = models.CharField("추적 상태", max_length=24, choices=TrackingStage.choices)
    at = models.DateTimeField("일시", null=True)
    is_time_estimated = models.BooleanField("시간 추정", default=False)
    place = models.CharField("위치", max_length=100, blank=True)
    fingerprint = models.CharField("지문", max_length=64)

    class Meta:
        verbose_name = "추적 이력"
        constraints = [models.UniqueConstraint(fields=["parcel", "source", "fingerprint"], name="tracking_event_once")]
        indexes = [
            models.Index(fields=["parcel", "at"], name="tracking_of_parcel"),
            models.Index(fields=["parcel"], name="tracking_unknown", condition=Q(stage=TrackingStage.UNKNOWN)),
        ]

    def __str__(self) -> str:
        return f"{self.parcel_id} {self.stage}"
