"""다른 사람의 처리 on lists whose rows are not orders."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from core.events import event_model
from core.lists import Moved


def moved_rows(subject: str, ids: Sequence[int], *, since: datetime, user: Any) -> list[Moved]:
    events = event_model().objects.filter(subject=subject, subject_id__in=ids, at__gt=since)
    newest = events.exclude(actor_id=user.pk).order_by("subject_id", "-id").distinct("subject_id")
    rows = newest.values_list("subject_id", "actor__display_name")
    return [Moved(pk, f"방금 {name} 님이 처리" if name else "방금 시스템이 처리") for pk, name in rows]
