"""Who asks which courier: routes, the lane of each account and courier with its breaker, the quota of each account.

All of it are rows: the broker may be emptied at any moment, and then no limit may be forgotten (docs/adr/0015).
"""

from django.db import models

from shipping.models.tracking import TrackingAccount


class CourierRoute(models.Model):
    """조회 경로: the accounts that may ask a courier, the best first; a courier without rows asks every account."""

    courier = models.CharField("택배사", max_length=12)
    rank = models.PositiveSmallIntegerField("순서", default=0)
    account = models.ForeignKey(TrackingAccount, models.CASCADE, related_name="routes")

    class Meta:
        verbose_name = "조회 경로"
        constraints = [models.UniqueConstraint(fields=["courier", "account"], name="account_once_in_a_route")]

    def __str__(self) -> str:
        return f"{self.courier} {self.rank}"


class TrackingLane(models.Model):
    """조회 차선: one account asking one courier; a fault in one lane holds up no other."""

    account = models.ForeignKey(TrackingAccount, models.CASCADE, related_name="lanes")
    courier = models.CharField("택배사", max_length=12)
    # One process works on a lane at a time; a dead one is replaced when its lease has run out.
    lease_until = models.DateTimeField("작업 기한", null=True, blank=True)
    lease_token = models.BigIntegerField("작업 번호", default=0)
    # The breaker (shipping.md 4.4): what was asked and failed in the last minute, as [second, asked, failed].
    samples = models.JSONField("최근 조회", default=list, blank=True)
    failed_in_a_row = models.PositiveIntegerField("연속 실패", default=0)
    first_failed_at = models.DateTimeField("첫 실패", null=True, blank=True)
    opened_at = models.DateTimeField("멈춘 일시", null=True, blank=True)
    opened_until = models.DateTimeField("다시 시도", null=True, blank=True)
    opened_seconds = models.PositiveIntegerField("멈춘 시간", default=0)
    failing_since = models.DateTimeField("지연 시작", null=True, blank=True)
    ramp_from = models.DateTimeField("다시 늘리기 시작", null=True, blank=True)
    # After a 429: nothing before `wait_until`, then a part of the rate that grows with every clean minute.
    wait_until = models.DateTimeField("한도 대기", null=True, blank=True)
    factor = models.FloatField("속도 배율", default=1.0)
    clean_from = models.DateTimeField("한도 초과 없음", null=True, blank=True)
    next_slot_at = models.DateTimeField("다음 자리", null=True, blank=True)
    last_ok_at = models.DateTimeField("마지막 정상", null=True, blank=True)
    last_error = models.CharField("마지막 오류", max_length=300, blank=True)
    # A body that nobody could read, masked; one an hour.
    sample_body = models.TextField("읽지 못한 응답", blank=True)
    sample_at = models.DateTimeField("읽지 못한 일시", null=True, blank=True)

    class Meta:
        verbose_name = "조회 차선"
        constraints = [models.UniqueConstraint(fields=["account", "courier"], name="one_lane_of_account_and_courier")]

    def __str__(self) -> str:
        return f"{self.account_id} {self.courier}"


class TrackingBudget(models.Model):
    """조회 한도 of an account: when its next question may go out, what was asked today, and how far it is stretched."""

    account = models.OneToOneField(TrackingAccount, models.CASCADE, primary_key=True, related_name="budget")
    next_slot_at = models.DateTimeField("다음 자리", null=True, blank=True)
    staff_slot_at = models.DateTimeField("직원 다음 자리", null=True, blank=True)
    hint_slot_at = models.DateTimeField("알림 다음 자리", null=True, blank=True)
    day = models.DateField("날짜", null=True, blank=True)
    used = models.PositiveIntegerField("오늘 조회", default=0)
    staff_used = models.PositiveIntegerField("오늘 직원 조회", default=0)
    hint_used = models.PositiveIntegerField("오늘 알림 조회", default=0)
    # By group of planning.py; and what it was computed from: active parcels by courier and pace.
    stretch = models.JSONField("늘림", default=dict, blank=True)
    counts = models.JSONField("조회 중인 상자", default=dict, blank=True)
    planned_at = models.DateTimeField("계산한 일시", null=True, blank=True)

    class Meta:
        verbose_name = "조회 한도"

    def __str__(self) -> str:
        return f"{self.account_id} {self.used}"
