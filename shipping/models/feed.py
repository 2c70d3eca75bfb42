"""Sources that tell by themselves: how far a bulk feed has been read, what it told of strangers, and pushes."""

from django.db import models

from shipping.models.parcel import Parcel
from shipping.models.tracking import TrackingAccount


class FeedState(models.Model):
    """배송 소식 수신 of an account: one process reads at a time; everything before `since` is read and acknowledged."""

    account = models.OneToOneField(TrackingAccount, models.CASCADE, primary_key=True, related_name="feed")
    lease_until = models.DateTimeField("작업 기한", null=True, blank=True)
    lease_token = models.BigIntegerField("작업 번호", default=0)
    next_at = models.DateTimeField("다음 수신", null=True, blank=True)
    # The first day of which something may be left to read.
    since = models.DateField("읽을 날짜", null=True, blank=True)
    last_ok_at = models.DateTimeField("마지막 수신", null=True, blank=True)
    told_at = models.DateTimeField("마지막 소식", null=True, blank=True)
    waiting = models.PositiveIntegerField("밀린 알림", default=0)
    last_error = models.CharField("마지막 오류", max_length=300, blank=True)
    # While it stands the trouble was said once and is not said again.
    stuck_since = models.DateTimeField("멈춘 일시", null=True, blank=True)
    # Since then its parcels are asked about one by one.
    silent_since = models.DateTimeField("단건 조회 시작", null=True, blank=True)

    class Meta:
        verbose_name = "배송 소식 수신"

    def __str__(self) -> str:
        return str(self.account_id)


class OrphanEvent(models.Model):
    """모르는 번호의 소식: a scan of a number that no parcel of ours has; acknowledged, and kept for 30 days."""

    source = models.CharField("조회처", max_length=20)
    number = models.CharField("송장번호", max_length=30, db_collation="C")
    # What the courier says we called it.
    key = models.CharField("고객주문번호", max_length=40, blank=True)
    code = models.CharField("코드", max_length=40, blank=True)
    name = models.CharField("상태", max_length=100, blank=True)
    is_return = models.BooleanField("반품", default=False)
    at = models.DateTimeField("일시", null=True, blank=True)
    seen_at = models.DateTimeField("받은 일시")
    fingerprint = models.CharField("지문", max_length=64)

    class Meta:
        verbose_name = "모르는 번호의 소식"
        constraints = [
            # Told again after a kill it is the same row.
            models.UniqueConstraint(fields=["source", "number", "fingerprint"], name="orphan_event_once"),
        ]
        indexes = [models.Index(fields=["seen_at"], name="orphan_by_age")]

    def __str__(self) -> str:
        return f"{self.number} {self.code}"


class PushHook(models.Model):
    """배송 알림 신청 of a parcel: the source calls us until `until`; renewed while it travels."""

    parcel = models.OneToOneField(Parcel, models.CASCADE, primary_key=True, related_name="hook")
    account = models.ForeignKey(TrackingAccount, models.SET_NULL, null=True, blank=True, related_name="hooks")
    due_at = models.DateTimeField("신청 예정")
    until = models.DateTimeField("알림 기한", null=True, blank=True)
    fails = models.PositiveSmallIntegerField("실패 횟수", default=0)

    class Meta:
        verbose_name = "배송 알림 신청"
        indexes = [models.Index(fields=["due_at"], name="hook_due"), models.Index(fields=["until"], name="hook_until")]

    def __str__(self) -> str:
        return str(self.parcel_id)
