"""은행 이체 목록: who took which refunds to the bank, and when, so that nobody transfers them twice.

The history keeps it: one event for each refund of each file. Source: reliability.md 4.1.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from django.db import connection, transaction
from django.db.models import QuerySet

from core.events import event_model, record
from core.state import Change, Outcome
from payments.events import REFUND_LISTED
from payments.models import Refund


@dataclass(frozen=True, slots=True)
class Listing:
    """내려받은 표시 of one refund: the last file it was in, who took that, and how many files there were."""

    at: datetime
    who: str
    times: int


@dataclass(frozen=True, slots=True)
class _Listed:
    """A refund in a file, as the history knows it: numbered for each refund."""

    event_subject: ClassVar[str] = "refund_list"
    pk: int
    event_order_id: int | None


def note_listed(*, refund_ids: Collection[int], actor: Any, at: datetime, reason: str) -> None:
    """이체 목록 기록: these refunds stand in a file for the bank that this person takes away."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('refund list'))")
        before = listings(refund_ids)
        orders = Refund.objects.filter(pk__in=refund_ids).order_by("pk").values_list("pk", "order_id")
        rows = [
            Change(_Listed(pk, order_id), "", "", before[pk].times + 1 if pk in before else 1)
            for pk, order_id in orders
        ]
        record(Outcome(changes=rows), REFUND_LISTED, at=at, actor=actor, reason=reason[:200])


def listings(refund_ids: Collection[int] | QuerySet[Any]) -> dict[int, Listing]:
    """내려받은 표시 of refunds, given by ids or by a query for them; the others are absent. One query."""
    found: dict[int, Listing] = {}
    events = event_model().objects.filter(subject=_Listed.event_subject, subject_id__in=refund_ids)
    rows = events.order_by("subject_id", "version").values_list("subject_id", "at", "actor__display_name", "version")
    for pk, at, name, version in rows:
        found[pk] = Listing(at, f"{name} 님" if name else "시스템", version)
    return found
