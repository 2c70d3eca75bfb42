"""변경 알림 목록: the events of a channel's orders in the order of their ids, none of them ever skipped.

Ids are given out before the transactions that use them commit, so a small id may become visible after a larger one. An
id is handed out only when nobody can still commit a smaller one: the newest visible id is read, then everybody who was
writing events at that moment (a writer holds ROW EXCLUSIVE on the table from before it takes an id until its end) is
waited for. Comparing xmin alone does not do: an older transaction may hold the larger id.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from core.events import KINDS
from orders.models import OrderEvent, OrderLine, SalesChannel
from orders.states import CODE, LineState

PATIENCE = 2.0
"""Seconds that a request waits for writers; what they hold back comes with the next request."""
PAUSE = 0.02
WINDOW = 20_000
"""Events of the shop that one request looks through for those of its channel."""

_TABLE = OrderEvent._meta.db_table
_WRITERS = """
    SELECT virtualtransaction FROM pg_locks
     WHERE locktype = 'relation' AND relation = %s::regclass AND mode = 'RowExclusiveLock' AND granted
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND pid <> pg_backend_pid()
"""
_CODES = {state.value: code for state, code in CODE.items()}


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """변경 한 건: what happened to which order and line; state codes are the public ones ("" where there is none)."""

    id: int
    at: datetime
    kind: str
    label: str
    order: str
    line: str
    from_code: str
    to_code: str
    benefits: Mapping[str, Any] | None = None
    """Coupon and points (won) that this change gave back (RESTORED) or spent again (USED)."""


@dataclass(frozen=True, slots=True)
class Feed:
    """변경 목록: events ascending, the id to ask from next, and whether there is more to ask for at once."""

    events: Sequence[FeedEvent]
    next_after: int
    has_more: bool


class _Proven:
    """The largest id of this process' database that is known to be final; what is final stays final."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ids: dict[str, int] = {}

    def reach(self, newest: int | None = None) -> int:
        """The proven id; raised to `newest` when that is given."""
        name = str(connection.settings_dict["NAME"])
        with self._lock:
            if newest is not None:
                self._ids[name] = max(newest, self._ids.get(name, 0))
            return self._ids.get(name, 0)

    def forget(self) -> None:
        """Start over: the database was replaced by another of the same name."""
        with self._lock:
            self._ids.clear()


proven = _Proven()


def final_id(*, patience: float = PATIENCE) -> int:
    """확정 번호: no event with this id or a smaller one can still appear. Must run outside a transaction's snapshot."""
    newest = _newest_id()
    if newest <= proven.reach():
        return newest
    waiting, end = _writers(), time.monotonic() + patience
    while waiting:
        if time.monotonic() >= end:
            return min(proven.reach(), newest)
        time.sleep(PAUSE)
        waiting &= _writers()
    return proven.reach(newest)


def channel_feed(*, channel: SalesChannel, after: int, limit: int, patience: float = PATIENCE) -> Feed:
    """변경 목록: up to `limit` events of the channel's orders with an id above `after`."""
    end = final_id(patience=patience)
    if end <= after:
        return Feed([], after, has_more=False)
    window = list(
        OrderEvent.objects.filter(pk__gt=after, pk__lte=end).order_by("pk").values_list("pk", flat=True)[:WINDOW]
    )
    if not window:
        return Feed([], end, has_more=False)
    wanted = OrderEvent.objects.filter(pk__gt=after, pk__lte=window[-1], order__channel=channel)
    rows = list(wanted.select_related("order").order_by("pk")[: limit + 1])
    shown = rows[:limit]
    if len(rows) > limit:
        return Feed(_shown(shown), shown[-1].pk, has_more=True)
    last = window[-1] if len(window) == WINDOW else end
    return Feed(_shown(shown), last, has_more=last < end)


def _newest_id() -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT COALESCE(max(id), 0) FROM {_TABLE}")
        return int(cursor.fetchone()[0])


def _writers() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(_WRITERS, [_TABLE])
        return {row[0] for row in cursor.fetchall()}


def _shown(events: Sequence[Any]) -> list[FeedEvent]:
    lines = {event.subject_id for event in events if event.subject == OrderLine.event_subject}
    numbers = dict(OrderLine.objects.filter(pk__in=lines).values_list("pk", "number")) if lines else {}
    return [
        FeedEvent(
            id=event.pk,
            at=event.at,
            kind=event.kind,
            label=KINDS[event.kind].label if event.kind in KINDS else event.kind,
            order=event.order.number,
            line=numbers.get(event.subject_id, "") if event.subject == OrderLine.event_subject else "",
            from_code=_code(event.from_state),
            to_code=_code(event.to_state),
            benefits=(event.data or {}).get("benefits"),
        )
        for event in events
    ]


def _code(state: str) -> str:
    return _CODES.get(state, "") if state in LineState.values else ""
