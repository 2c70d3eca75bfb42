"""Couriers as rows that staff keep, and what their words mean; shipping.couriers and services read them."""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from core.models import TimeStamped
from shipping.couriers import CheckLevel, CheckRule
from shipping.models.parcel import Parcel
from shipping.states import Reason, RuleKind, TrackingStage


class Courier(TimeStamped):
    """택배사: name, number rule and page for the buyer of one carrier; read through shipping.couriers.COURIERS."""

    slug = models.CharField("코드", max_length=12, primary_key=True)
    name = models.CharField("이름", max_length=40, unique=True)
    aliases = ArrayField(models.CharField(max_length=40), verbose_name="별칭", default=list, blank=True)
    digits = ArrayField(models.PositiveSmallIntegerField(), verbose_name="자릿수", default=list, blank=True)
    rare_digits = ArrayField(models.PositiveSmallIntegerField(), verbose_name="드문 자릿수", default=list, blank=True)
    shortest = models.PositiveSmallIntegerField("최소 자릿수", default=9, validators=[MinValueValidator(1)])
    check_rule = models.CharField("검증 규칙", max_length=12, choices=CheckRule.choices, default=CheckRule.NONE)
    level = models.CharField("검증 수준", max_length=5, choices=CheckLevel.choices, default=CheckLevel.WARN)
    has_letters = models.BooleanField("영문자 사용", default=False)
    link = models.CharField("배송조회 주소", max_length=200, blank=True)
    is_active = models.BooleanField("사용", default=True)
    position = models.PositiveSmallIntegerField("순서", default=1000)
    version = models.PositiveIntegerField("버전", default=0)

    class Meta:
        verbose_name = "택배사"

    def __str__(self) -> str:
        return self.name


class CourierCode(TimeStamped):
    """택배사 코드: what another system calls a courier; codes of some malls differ from mall to mall."""

    courier = models.ForeignKey(Courier, models.CASCADE, related_name="system_codes")
    system = models.CharField("시스템", max_length=20)
    mall = models.CharField("쇼핑몰", max_length=40, blank=True)
    code = models.CharField("코드", max_length=40)
    source = models.CharField("출처", max_length=60, blank=True)
    verified_at = models.DateTimeField("확인일시", null=True, blank=True)
    # The system says that it has no such courier: nobody is asked by this code until staff mend it.
    refused_at = models.DateTimeField("거절일시", null=True, blank=True)

    class Meta:
        verbose_name = "택배사 코드"
        constraints = [models.UniqueConstraint(fields=["system", "mall", "courier"], name="courier_code_once")]
        indexes = [models.Index(fields=["system", "mall", "code"], name="courier_of_code")]

    def __str__(self) -> str:
        return f"{self.system} {self.code}"


class StatusRule(TimeStamped):
    """상태 규칙: which stage a code, a text or a word of a courier means (shipping.md 3.2).

    An empty source means every source, an empty courier every courier of the source. A word is plain text: no
    pattern language of staff ever meets a courier's sentence.
    """

    source = models.CharField("조회처", max_length=20, blank=True)
    courier = models.CharField("택배사", max_length=12, blank=True)
    kind = models.CharField("종류", max_length=8, choices=RuleKind.choices)
    value = models.CharField("값", max_length=300)
    stage = models.CharField("추적 상태", max_length=24, choices=TrackingStage.choices)
    reason = models.CharField("사유", max_length=16, choices=Reason.choices, blank=True)
    priority = models.PositiveSmallIntegerField("순서", default=100)
    is_active = models.BooleanField("사용", default=True)
    is_preset = models.BooleanField("기본 제공", default=False)
    version = models.PositiveIntegerField("버전", default=0)
    created_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, blank=True, related_name="+")
    # Where the second look at parcels with an unknown status stands: the last parcel looked at, empty when done.
    looked_up_to = models.BigIntegerField("다시 판정한 상자", null=True, blank=True)

    class Meta:
        verbose_name = "상태 규칙"
        constraints = [
            models.UniqueConstraint(
                fields=["source", "courier", "kind", "value", "is_preset"], name="status_rule_once"
            ),
            models.CheckConstraint(condition=Q(stage__in=TrackingStage.values), name="status_rule_stage_known"),
        ]
        indexes = [
            models.Index(fields=["updated_at"], name="rule_to_apply", condition=Q(looked_up_to__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.value} → {self.stage}"


class UnknownStatus(TimeStamped):
    """미분류 상태: a value that no rule knows, once, however often it was told."""

    source = models.CharField("조회처", max_length=20)
    courier = models.CharField("택배사", max_length=12)
    code = models.CharField("원본 코드", max_length=40, blank=True)
    text = models.CharField("원본 문구", max_length=300, blank=True)
    first_seen_on = models.DateField("처음 본 날")
    last_seen_on = models.DateField("마지막으로 본 날")
    logged_on = models.DateField("기록한 날", null=True, blank=True)
    count = models.PositiveIntegerField("횟수", default=0)
    example = models.ForeignKey(Parcel, models.SET_NULL, null=True, blank=True, related_name="+", db_index=False)
    rule = models.ForeignKey(StatusRule, models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name = "미분류 상태"
        constraints = [
            models.UniqueConstraint(fields=["source", "courier", "code", "text"], name="unknown_status_once"),
        ]
        indexes = [models.Index(fields=["-last_seen_on", "-count"], name="unknown_to_map", condition=Q(rule=None))]

    def __str__(self) -> str:
        return f"{self.courier} {self.code} {self.text}"
