"""What most tables share."""

from django.db import models

from core.rows import QuickRow


class TimeStamped(QuickRow):
    """등록·수정일시: when the row was written first and last (clerical; business times are columns of their own)."""

    created_at = models.DateTimeField("등록일시", auto_now_add=True)
    updated_at = models.DateTimeField("수정일시", auto_now=True)

    class Meta:
        abstract = True
