"""Print batches: what was sent to a printer, by whom, in which order."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from shipping.models.parcel import Parcel
from shipping.models.shipment import Shipment


class PrintKind(models.TextChoices):
    """인쇄물 종류."""

    LABEL = "LABEL", "송장"
    PICKING = "PICKING", "피킹리스트"
    PACKING = "PACKING", "패킹리스트"


class Paper(models.TextChoices):
    """용지: the name is what the template of labels calls it."""

    CJ = "cj", "CJ 표준 123×100mm"
    ROLL = "roll", "100×150mm"
    SHEET = "sheet", "A4 4칸"
    A4 = "a4", "A4"


class PrintBatch(models.Model):
    """출력 묶음: the documents of one press of a button; its file is made of its items again each time."""

    number = models.CharField("출력 번호", max_length=24, unique=True, db_collation="C")
    kind = models.CharField("종류", max_length=8, choices=PrintKind.choices)
    paper = models.CharField("용지", max_length=8, choices=Paper.choices)
    created_at = models.DateTimeField("출력일시")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    # The act that made it; another chunk of the same act adds to it.
    job = models.OneToOneField("core.Job", models.PROTECT, null=True, blank=True, related_name="+")
    # The press of a button outside a list: the same form sent twice is one batch.
    key = models.UUIDField("요청", null=True, blank=True, unique=True)
    reason = models.CharField("사유", max_length=200, blank=True)
    options = models.JSONField("선택", default=dict, blank=True)
    count = models.PositiveIntegerField("건수", default=0)

    class Meta:
        verbose_name = "출력 묶음"
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=PrintKind.values), name="print_kind_known"),
            models.CheckConstraint(condition=Q(paper__in=Paper.values), name="print_paper_known"),
        ]

    def __str__(self) -> str:
        return self.number


class PrintItem(models.Model):
    """출력 항목: one label, or one shipment of a list; its place follows from its sort key among the others."""

    batch = models.ForeignKey(PrintBatch, models.CASCADE, related_name="items", db_index=False)  # print_item_place
    shipment = models.ForeignKey(Shipment, models.PROTECT, related_name="+", db_index=False)
    parcel = models.ForeignKey(Parcel, models.PROTECT, null=True, blank=True, related_name="prints")
    # 단품 before 합포, then place in the warehouse, SKU and 배송번호: the order in which goods are picked.
    sort_key = models.CharField("순서", max_length=200, db_collation="C")
    copy = models.PositiveSmallIntegerField("몇 번째 출력", default=1)
    is_reprint = models.BooleanField("다시 출력", default=False)

    class Meta:
        verbose_name = "출력 항목"
        constraints = [
            models.UniqueConstraint(
                fields=["batch", "shipment", "parcel"], name="print_item_once", nulls_distinct=False
            ),
            models.CheckConstraint(condition=Q(copy__gte=1), name="print_copy_positive"),
        ]
        indexes = [models.Index(fields=["batch", "sort_key", "id"], name="print_item_place")]

    def __str__(self) -> str:
        return f"{self.batch_id} {self.sort_key}"
