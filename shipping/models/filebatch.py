"""Files that went to a courier: which shipments were in each, so that the file that comes back can be counted."""

from django.conf import settings
from django.db import models

from shipping.models.shipment import Shipment
from shipping.models.template import ExcelTemplate


class WaybillFileBatch(models.Model):
    """송장 파일 내려받기: one download of shipments for a courier, under a key that people can read and say.

    What came back is never stored: it is what the shipments of the file say now, however they got their number.
    """

    key = models.CharField("내려받기 번호", max_length=20, unique=True, db_collation="C")
    template = models.ForeignKey(ExcelTemplate, models.SET_NULL, null=True, related_name="+")
    template_name = models.CharField("엑셀 양식", max_length=60)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField("내려받은 일시")
    count = models.PositiveIntegerField("배송건 수")
    reason = models.CharField("내려받은 이유", max_length=200)

    class Meta:
        verbose_name = "송장 파일 내려받기"
        indexes = [models.Index(fields=["-at", "-id"], name="waybill_file_newest")]

    def __str__(self) -> str:
        return self.key


class WaybillFileItem(models.Model):
    """내려받은 배송건: one shipment of a download; a shipment may be in several downloads."""

    batch = models.ForeignKey(WaybillFileBatch, models.CASCADE, related_name="items", db_index=False)  # once
    shipment = models.ForeignKey(Shipment, models.PROTECT, related_name="file_items")

    class Meta:
        verbose_name = "내려받은 배송건"
        constraints = [models.UniqueConstraint(fields=["batch", "shipment"], name="waybill_file_item_once")]

    def __str__(self) -> str:
        return f"{self.batch_id} {self.shipment_id}"
