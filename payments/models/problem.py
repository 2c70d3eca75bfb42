"""미확인·예외 입금: money that does not fit; a person decides."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from core.models import TimeStamped
from orders.models import Order
from payments.models.notice import PgNotice
from payments.models.payment import Payment
from payments.querysets import Resolved
from payments.states import ProblemKind, Resolution


class MoneyProblem(TimeStamped):
    """예외 입금: open until somebody resolved it, or until the money fits again by itself."""

    event_subject = "problem"

    kind = models.CharField("종류", max_length=24, choices=ProblemKind.choices)
    payment = models.ForeignKey(Payment, models.PROTECT, null=True, related_name="problems")
    order = models.ForeignKey(Order, models.PROTECT, null=True, related_name="money_problems")
    notice = models.ForeignKey(PgNotice, models.PROTECT, null=True, related_name="problems")
    amount = models.BigIntegerField("금액")
    detail = models.CharField("설명", max_length=300, blank=True)
    found_at = models.DateTimeField("발견일시")
    resolution = models.CharField("처리", max_length=16, choices=Resolution.choices, blank=True)
    memo = models.CharField("메모", max_length=300, blank=True)
    resolved_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    resolved_at = models.DateTimeField("처리일시", null=True)
    # 차액 인정 needs two people: who asked for it, when, for which sum, and how often it was asked.
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    asked_at = models.DateTimeField("인정 신청일시", null=True)
    asked_amount = models.BigIntegerField("인정 신청액", null=True)
    asks = models.PositiveSmallIntegerField("인정 신청 횟수", default=0, db_default=0)
    objects = Resolved()

    class Meta:
        verbose_name = "예외 입금"
        constraints = [
            models.UniqueConstraint(
                fields=["payment", "kind"], condition=Q(resolved_at=None), name="problem_open_once"
            ),
            models.CheckConstraint(
                condition=Q(resolved_at=None, resolution="") | (Q(resolved_at__isnull=False) & ~Q(resolution="")),
                name="problem_resolved_whole",
            ),
            models.CheckConstraint(
                condition=~Q(resolution=Resolution.ACCEPTED)
                | Q(asked_by=None)
                | Q(resolved_by=None)
                | ~Q(resolved_by=F("asked_by"))
                | ~Q(asked_amount=F("amount")),
                name="problem_two_people",
            ),
        ]
        indexes = [models.Index(fields=["-found_at", "-id"], name="problem_open", condition=Q(resolved_at=None))]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount:,}원"

    @property
    def event_order_id(self) -> int | None:
        """Order whose history tells of the decision."""
        return self.order_id
