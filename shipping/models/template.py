"""Excel templates: what logistics takes out for a courier."""

from django.db import models

from core.models import TimeStamped


class RowPer(models.TextChoices):
    """한 줄의 단위."""

    PARCEL = "PARCEL", "배송건마다 한 줄"
    LINE = "LINE", "품목마다 한 줄"


class MergedRows(models.TextChoices):
    """합포장한 배송건의 줄."""

    ONE = "ONE", "배송건마다 한 줄"
    ORDERS = "ORDERS", "주문마다 한 줄"


class RowSort(models.TextChoices):
    """줄의 순서."""

    LISTED = "LISTED", "목록의 순서대로"
    PRODUCT = "PRODUCT", "상품별로 모아서"
    SINGLE_FIRST = "SINGLE_FIRST", "한 가지 상품만 든 배송건 먼저"


class ExcelTemplate(TimeStamped):
    """엑셀 양식: columns in order, each with a header and either a field of ours or a fixed text."""

    name = models.CharField("이름", max_length=60, unique=True)
    courier = models.CharField("택배사", max_length=12, blank=True)
    row_per = models.CharField("한 줄의 단위", max_length=8, choices=RowPer.choices, default=RowPer.PARCEL)
    # [{"header": "받는분성명", "field": "recipient_name", "fixed": ""}, …]; `field` is "" for fixed text.
    columns = models.JSONField("열", default=list)
    # The options that logistics know from their tools (shipping.md 5.2 F).
    omits_header = models.BooleanField("열 이름 줄 빼기", default=False, db_default=False)
    joins_same = models.BooleanField("동일상품 한 줄", default=False, db_default=False)
    merged_rows = models.CharField(
        "합포장한 배송건", max_length=8, choices=MergedRows.choices, default=MergedRows.ONE, db_default=MergedRows.ONE
    )
    sort = models.CharField(
        "줄의 순서", max_length=12, choices=RowSort.choices, default=RowSort.LISTED, db_default=RowSort.LISTED
    )
    join_text = models.CharField("품목 사이 글자", max_length=10, default=" / ")
    is_preset = models.BooleanField("기본 제공", default=False)
    is_default = models.BooleanField("기본 양식", default=False)
    version = models.PositiveIntegerField("버전", default=0)

    class Meta:
        verbose_name = "엑셀 양식"
        constraints = [
            models.UniqueConstraint(
                fields=["is_default"], name="one_default_template", condition=models.Q(is_default=True)
            )
        ]

    def __str__(self) -> str:
        return self.name
