"""Contracts with couriers that give us waybill numbers, and the ranges of numbers that came with them."""

from typing import Any

from django.contrib.postgres.constraints import ExclusionConstraint
from django.db import models
from django.db.models import F, Q

from core.models import TimeStamped
from shipping.models.keys import SealedKeys
from shipping.models.tracking import AccountState
from shipping.states import API_MODES, ContractMode


class CourierContract(SealedKeys, TimeStamped):
    """택배 계약; the environment variable OMS_<CODE>_BASE_URL overrides the address."""

    sealed_for = "courier contract"

    code = models.SlugField("코드", max_length=20, unique=True)
    courier = models.CharField("택배사", max_length=12)
    name = models.CharField("이름", max_length=40)
    mode = models.CharField("번호 받는 방법", max_length=12, choices=ContractMode.choices)
    customer_code = models.CharField("고객코드", max_length=40, blank=True)
    business_number = models.CharField("사업자등록번호", max_length=12, blank=True)
    # The values are sealed, their names are not.
    sealed_options = models.JSONField("키", default=dict, blank=True)
    base_url = models.URLField("주소", max_length=200, blank=True)
    is_sandbox = models.BooleanField("샌드박스", default=False)
    box_type = models.CharField("상자 크기 코드", max_length=20, blank=True)
    cut_off = models.TimeField("집하 마감", null=True, blank=True)
    day_limit = models.PositiveIntegerField("하루 발급 한도", null=True, blank=True)
    is_default = models.BooleanField("기본 계약", default=False)
    is_active = models.BooleanField("사용", default=True)
    state = models.CharField("상태", max_length=10, choices=AccountState.choices, default=AccountState.OK)
    blocked_at = models.DateTimeField("막힌 일시", null=True, blank=True)
    paused_until = models.DateTimeField("한도 대기", null=True, blank=True)
    last_error = models.CharField("마지막 오류", max_length=300, blank=True)
    last_ok_at = models.DateTimeField("마지막 정상 통신", null=True, blank=True)
    # Numbers that a lost answer may have cost us: the courier gave them, nobody heard them.
    leaked = models.PositiveIntegerField("잃은 번호", default=0)
    # When somebody was told that the ranges run out, once for each of the two marks.
    low_told_at = models.DateTimeField("대역 부족 알림", null=True, blank=True)
    day_told_at = models.DateTimeField("대역 하루치 알림", null=True, blank=True)

    class Meta:
        verbose_name = "택배 계약"
        constraints = [
            models.UniqueConstraint(fields=["is_default"], condition=Q(is_default=True), name="one_default_contract")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_api(self) -> bool:
        """Whether numbers are asked for at a courier, one call or more for each."""
        return self.mode in API_MODES


class _Span(models.Func):
    """The numbers of a range as one range of numerics, those of each courier in a place of their own.

    PostgreSQL compares texts in an exclusion constraint only with an extension; 52 bits of a hash need none.
    """

    output_field: Any = models.TextField()
    template = (
        "numrange("
        "(('x' || substr(md5(courier), 1, 13))::bit(52)::bigint)::numeric * 1000000000000000"
        " + (prefix || lpad(body_start::text, body_digits::int, '0'))::numeric, "
        "(('x' || substr(md5(courier), 1, 13))::bit(52)::bigint)::numeric * 1000000000000000"
        " + (prefix || lpad(body_end::text, body_digits::int, '0'))::numeric, '[]')"
    )


class WaybillRange(TimeStamped):
    """송장번호 대역: bodies without their check digit of the courier's branch; `next_body` is the next one."""

    contract = models.ForeignKey(CourierContract, models.PROTECT, related_name="ranges")
    courier = models.CharField("택배사", max_length=12)
    prefix = models.CharField("앞자리", max_length=4, blank=True)
    body_digits = models.PositiveSmallIntegerField("본번호 자릿수")
    body_start = models.BigIntegerField("시작 번호")
    body_end = models.BigIntegerField("끝 번호")
    next_body = models.BigIntegerField("다음 번호")
    order = models.PositiveSmallIntegerField("순서", default=1)
    is_active = models.BooleanField("사용", default=True)
    first_used_at = models.DateTimeField("처음 쓴 일시", null=True, blank=True)

    class Meta:
        verbose_name = "송장번호 대역"
        constraints = [
            ExclusionConstraint(name="ranges_do_not_overlap", expressions=[(_Span(), "&&")]),
            models.CheckConstraint(
                condition=Q(body_start__gte=0, body_end__gte=F("body_start"), next_body__gte=F("body_start"))
                & Q(next_body__lte=F("body_end") + 1),
                name="range_in_order",
            ),
            models.CheckConstraint(condition=Q(body_digits__gte=1, body_digits__lte=14), name="range_body_digits"),
        ]

    def __str__(self) -> str:
        return f"{self.prefix}{self.body_start:0{self.body_digits}d}~{self.prefix}{self.body_end:0{self.body_digits}d}"

    @property
    def total(self) -> int:
        """Numbers of the whole range."""
        return self.body_end - self.body_start + 1

    @property
    def left(self) -> int:
        """Numbers that nobody has taken yet."""
        return self.body_end - self.next_body + 1
