"""Locks: how a person or an upper app stops a transition of a line."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from orders.models.line import OrderLine
from orders.states import LockKind


class LineLock(models.Model):
    """잠금: one reason why a line may not move on; its open kinds are mirrored in OrderLine.open_locks."""

    line = models.ForeignKey(OrderLine, models.PROTECT, related_name="locks")
    kind = models.CharField("종류", max_length=16, choices=LockKind.choices)
    reason = models.CharField("사유", max_length=200, blank=True)
    reference = models.CharField("참조", max_length=60, blank=True)
    placed_at = models.DateTimeField("건 일시")
    placed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    until = models.DateField("예정일", null=True, blank=True)
    released_at = models.DateTimeField("푼 일시", null=True, blank=True)
    released_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name = "잠금"
        constraints = [
            models.UniqueConstraint(
                fields=["line", "kind"], name="one_open_lock_per_kind", condition=Q(released_at__isnull=True)
            )
        ]

    def __str__(self) -> str:
        return f"{self.line_id} {self.kind}"
