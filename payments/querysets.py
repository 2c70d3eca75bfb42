"""What every query on some tables of payments carries along: the version by which a screen knows what it saw."""

from typing import Any

from django.db import models
from django.db.models import Case, F, QuerySet, Value, When


class Claimed(models.Manager[Any]):
    """알림: `version` counts how often a notice was taken up."""

    def get_queryset(self) -> QuerySet[Any]:
        return super().get_queryset().annotate(version=F("claim"))


class Resolved(models.Manager[Any]):
    """예외: `version` counts how often 차액 인정 was asked for, and the decision."""

    def get_queryset(self) -> QuerySet[Any]:
        is_open = When(resolved_at__isnull=True, then=Value(0))
        version = Case(is_open, default=Value(1), output_field=models.IntegerField())
        return super().get_queryset().annotate(version=F("asks") + version)
