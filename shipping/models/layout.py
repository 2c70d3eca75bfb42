"""Result files of couriers and logistics companies whose columns a person had to point out."""

from django.db import models

from core.models import SenderLayout


class WaybillLayout(SenderLayout):
    """송장 파일 양식: which columns of one sender's result files are ours.

    The sender is the courier that rows without one belong to, and the set of column names: two logistics companies may
    write the same names. `mapping` is our key -> label of the file (shipping.file_columns.LABELS).
    """

    name = models.CharField("보낸 곳", max_length=60)
    courier = models.CharField("기본 택배사", max_length=12, blank=True)

    class Meta:
        verbose_name = "송장 파일 양식"
        constraints = [models.UniqueConstraint(fields=["courier", "fingerprint"], name="waybill_sender_once")]

    def __str__(self) -> str:
        return self.name
