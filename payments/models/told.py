"""입금 안내 that staff sent once more."""

from django.conf import settings
from django.db import models

from core.models import Job
from orders.models import Order


class AccountNotice(models.Model):
    """입금 안내 재발송: the buyer of an unpaid order is told once more where to pay; the row is its event's subject."""

    event_subject = "account_told"

    # account_notice_recent has its index.
    order = models.ForeignKey(Order, models.PROTECT, related_name="account_notices", db_index=False)
    at = models.DateTimeField("일시")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    batch = models.ForeignKey(Job, models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name = "입금 안내 재발송"
        indexes = [models.Index(fields=["order", "at"], name="account_notice_recent")]

    def __str__(self) -> str:
        return f"{self.order_id} {self.at:%Y-%m-%d %H:%M}"

    @property
    def event_order_id(self) -> int:
        """주문 of its event."""
        return self.order_id
