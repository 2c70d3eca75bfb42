"""배송 예외: what a courier told, or did not tell, that a person must look at."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from core.models import TimeStamped
from shipping.models.parcel import Parcel
from shipping.models.shipment import Shipment
from shipping.states import ExceptionKind, ExceptionOutcome, ExceptionStage


class ShippingException(TimeStamped):
    """배송 예외: open until somebody decided it, or until the courier's news made it moot."""

    event_subject = "exception"

    kind = models.CharField("종류", max_length=24, choices=ExceptionKind.choices)
    parcel = models.ForeignKey(Parcel, models.PROTECT, related_name="exceptions", db_index=False)  # exception_of_parcel
    shipment = models.ForeignKey(Shipment, models.PROTECT, related_name="exceptions")
    detail = models.CharField("설명", max_length=300, blank=True)
    opened_at = models.DateTimeField("발생일시")
    # The moment of the courier's time that it is about: the same news does not open a case again that a person closed.
    evidence_at = models.DateTimeField("근거일시")
    due_at = models.DateTimeField("처리기한")
    assignee = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_index=False)
    memo = models.CharField("메모", max_length=300, blank=True)
    attempts = models.PositiveSmallIntegerField("문의 횟수", default=0, db_default=0)
    closed_at = models.DateTimeField("처리일시", null=True)
    closed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_index=False)
    outcome = models.CharField("결과", max_length=12, choices=ExceptionOutcome.choices, blank=True)
    reason = models.CharField("처리 사유", max_length=200, blank=True)
    version = models.PositiveIntegerField("버전", default=0, db_default=0)

    class Meta:
        verbose_name = "배송 예외"
        constraints = [
            models.UniqueConstraint(fields=["parcel", "kind"], condition=Q(closed_at=None), name="exception_open_once"),
            models.CheckConstraint(
                condition=Q(closed_at=None, outcome="") | (Q(closed_at__isnull=False) & ~Q(outcome="")),
                name="exception_closed_whole",
            ),
        ]
        indexes = [
            models.Index(fields=["due_at", "id"], name="exception_due", condition=Q(closed_at=None), include=["kind"]),
            models.Index(fields=["due_at", "id"], name="exception_closed", condition=Q(closed_at__isnull=False)),
            models.Index(fields=["parcel", "kind"], name="exception_of_parcel"),
            models.Index(fields=["-opened_at", "-id"], name="exception_opened"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.parcel}"

    @property
    def event_order_id(self) -> int:
        """Order whose history tells of the case."""
        return self.shipment.order_id

    @property
    def stage(self) -> ExceptionStage:
        """처리 전 or 처리 완료."""
        return ExceptionStage.DONE if self.closed_at else ExceptionStage.OPEN
