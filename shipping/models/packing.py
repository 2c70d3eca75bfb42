"""Packing: who has a shipment on the bench, and every code that was scanned for it."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from orders.models import OrderLine
from shipping.models.parcel import Parcel
from shipping.models.shipment import Shipment
from shipping.states import PackingState, ScanVerdict, Signal


class PackingSession(models.Model):
    """포장: one per shipment, from the first scan until its box is closed; it outlives screens and log-ins."""

    shipment = models.OneToOneField(Shipment, models.PROTECT, primary_key=True, related_name="packing")
    state = models.CharField("상태", max_length=8, choices=PackingState.choices, default=PackingState.OPEN)
    packer = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name="담당자")
    opened_at = models.DateTimeField("시작일시")
    closed_at = models.DateTimeField("포장일시", null=True, blank=True)
    # Scans go into the last one.
    boxes = models.PositiveSmallIntegerField("상자 수", default=1)
    reopened_count = models.PositiveSmallIntegerField("다시 연 횟수", default=0)
    # Why a closed box has no label yet.
    label_note = models.CharField("송장 안내", max_length=300, blank=True)

    class Meta:
        verbose_name = "포장"
        constraints = [
            models.CheckConstraint(condition=Q(state__in=PackingState.values), name="packing_state_known"),
            models.CheckConstraint(
                condition=Q(state="PACKED", closed_at__isnull=False) | Q(state="OPEN", closed_at__isnull=True),
                name="packed_has_its_time",
            ),
            models.CheckConstraint(condition=Q(boxes__gte=1), name="packing_has_a_box"),
        ]
        indexes = [
            models.Index(fields=["closed_at", "packer"], name="packing_of_a_day", condition=Q(state="PACKED")),
            models.Index(fields=["packer", "-opened_at"], name="packing_open", condition=Q(state="OPEN")),
        ]

    def __str__(self) -> str:
        return f"{self.shipment_id} {self.state}"


class PackingScan(models.Model):
    """스캔: one code that a person scanned or one key that they pressed, and what it was answered; never deleted.

    `key` is given by the browser for each physical scan: the same once more is the network's doing and counts once.
    """

    key = models.UUIDField("스캔 번호", unique=True)
    at = models.DateTimeField("일시")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name="담당자")
    code = models.CharField("스캔한 글자", max_length=60)
    verdict = models.CharField("판정", max_length=8, choices=ScanVerdict.choices)
    signal = models.CharField("신호", max_length=8, choices=Signal.choices)
    text = models.CharField("안내", max_length=300)
    shipment = models.ForeignKey(Shipment, models.PROTECT, null=True, related_name="packing_scans")
    line = models.ForeignKey(OrderLine, models.PROTECT, null=True, related_name="+", db_index=False)
    parcel = models.ForeignKey(Parcel, models.PROTECT, null=True, related_name="+", db_index=False)
    # Units that it put into the box; only those of verdict OK count.
    quantity = models.PositiveIntegerField("수량", default=0)
    box = models.PositiveSmallIntegerField("상자", default=1)
    is_by_hand = models.BooleanField("직접 확인", default=False)
    undone_at = models.DateTimeField("취소일시", null=True, blank=True)

    class Meta:
        verbose_name = "포장 스캔"
        constraints = [
            models.CheckConstraint(condition=Q(verdict__in=ScanVerdict.values), name="packing_verdict_known"),
            models.CheckConstraint(
                condition=~Q(verdict="OK") | Q(line__isnull=False, shipment__isnull=False, quantity__gte=1),
                name="packed_unit_has_its_line",
            ),
        ]
        indexes = [models.Index(fields=["actor", "-at"], name="packing_scans_of_person")]

    def __str__(self) -> str:
        return f"{self.code} {self.verdict}"
