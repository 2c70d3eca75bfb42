"""Questions that lists, services and jobs ask of orders and lines."""

from typing import Any

from django.db import models

from core.lookups import HasBit
from orders.states import BIT, LineState

__all__ = ["HasBit", "OrderQuerySet"]


class OrderQuerySet(models.QuerySet[Any]):
    """Orders."""

    def in_step(self, state: LineState) -> "OrderQuerySet":
        """Orders with at least one line in the state, by their stored step bits."""
        return self.filter(steps__bit=BIT[state])
