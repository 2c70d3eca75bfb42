"""Rows of a list that have a history of their own, not that of an order."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from core.events import event_model
from core.lists.page import Moved


class FollowedRows:
    """다른 사람의 처리 of rows that have a history of their own; named before the page's other base."""

    model: ClassVar[Any]

    def moved_since(self, ids: Sequence[int], *, since: datetime, user: Any) -> list[Moved]:
        """다른 사람의 처리: the newest event of each row that the person did not cause; one query."""
        subject = self.model.event_subject
        events = event_model().objects.filter(subject=subject, subject_id__in=ids, at__gt=since)
        newest = events.exclude(actor_id=user.pk).order_by("subject_id", "-id").distinct("subject_id")
        rows = newest.values_list("subject_id", "actor__display_name", "at")
        return [Moved(pk, f"방금 {name} 님이 처리" if name else "방금 시스템이 처리", at) for pk, name, at in rows]
