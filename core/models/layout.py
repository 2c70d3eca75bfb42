"""What is remembered of the files of a sender, whoever reads them."""

from django.db import models

from core.models.base import TimeStamped


class SenderLayout(TimeStamped):
    """보낸 곳의 열 맞춤: told once by a person, found again by the set of column names of the next file.

    `mapping` is by field key, in the words of the app that reads the file; `fingerprint` is core.excel.fingerprint().
    """

    mapping = models.JSONField("열 맞추기", default=dict, blank=True)
    fingerprint = models.CharField("열 이름 지문", max_length=64, blank=True)

    class Meta:
        abstract = True
