"""Events: history for staff, audit, and outbox for everything that happens after a commit.

`record()` is the only writer of the event table. It stores one row per change and, for every subscriber of the kind,
one delivery per order and batch; core/relay.py carries the deliveries out. Why rows and not on_commit hooks:
docs/adr/0007-relay-instead-of-on-commit.md.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connection

from core.lookups import id_array, text_array
from core.models.events import DeliveryState, Source
from core.settings_registry import get_setting
from core.state import Outcome

CHANNEL = "oms_relay"


@dataclass(frozen=True, slots=True)
class EventKind:
    """이력 종류: a past-tense code ("line.ready") and the Korean words that the history shows."""

    code: str
    label: str

    def __str__(self) -> str:
        return self.code


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A handler by its dotted name; `holds` = its deliveries wait while their batch can still be undone."""

    name: str
    handle: Callable[[Any], None]
    kinds: frozenset[str]
    holds: bool


KINDS: dict[str, EventKind] = {}
SUBSCRIBERS: dict[str, Subscriber] = {}
_by_kind: dict[str, list[Subscriber]] = defaultdict(list)


def kind(code: str, label: str) -> EventKind:
    """Declare a kind of event; twice the same code is a mistake."""
    if code in KINDS:
        raise ValueError(f"event kind {code} is declared twice")
    return KINDS.setdefault(code, EventKind(code, label))


def on(*kinds: EventKind, holds: bool = False) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Subscribe a handler. It gets the delivery, may run twice, late, or after the opposite event.

    `holds=True` is for what cannot be taken back (messages, pushes): its deliveries of an undoable batch fall due only
    after the setting `undo_hold_minutes`.
    """

    def register(handle: Callable[[Any], None]) -> Callable[[Any], None]:
        name = f"{handle.__module__}.{handle.__name__}"
        subscriber = Subscriber(name, handle, frozenset(k.code for k in kinds), holds)
        SUBSCRIBERS[name] = subscriber
        for each in kinds:
            _by_kind[each.code].append(subscriber)
        return handle

    return register


def event_model() -> Any:
    """The concrete event table (settings.OMS_EVENT_MODEL)."""
    return apps.get_model(settings.OMS_EVENT_MODEL)


def delivery_model() -> Any:
    """The concrete delivery table (settings.OMS_DELIVERY_MODEL)."""
    return apps.get_model(settings.OMS_DELIVERY_MODEL)


def record(
    outcome: Outcome,
    kind: EventKind,
    *,
    at: datetime,
    actor: Any = None,
    batch: Any = None,
    source: str = "",
    reason: str = "",
    data: Mapping[int, Mapping[str, Any]] | None = None,
    undoable: bool = False,
) -> list[int]:
    """Write one event per change of the outcome and the deliveries of its subscribers, in the same transaction.

    `actor` is None for the system; `data` maps row ids to facts worth keeping (amounts in won, waybills); `undoable`
    lets the deliveries of holding subscribers wait. Returns the ids of the events in the order of the changes.
    """
    if not outcome.changes:
        return []
    model, rows = event_model(), outcome.changes
    ids, facts = [change.row.pk for change in rows], data or {}
    with connection.cursor() as cursor:
        cursor.execute(
            _INSERT.format(table=connection.ops.quote_name(model._meta.db_table)),
            {
                "at": at,
                "kind": kind.code,
                "actor": actor.pk if actor is not None else None,
                "source": str(source or (Source.SCREEN if actor else Source.TASK)),
                "reason": reason,
                "batch": batch.pk if batch is not None else None,
                "orders": id_array(change.row.event_order_id for change in rows),
                "subjects": text_array(change.row.event_subject for change in rows),
                "ids": id_array(ids),
                "versions": id_array(change.version for change in rows),
                "sources": text_array(change.from_state for change in rows),
                "targets": text_array(change.to_state for change in rows),
                "data": text_array(_JSON(facts[pk]) if pk in facts else None for pk in ids),
            },
        )
        stored: list[tuple[int, int | None]] = cursor.fetchall()
    _deliver(stored, kind, at=at, batch=batch, undoable=undoable)
    return [pk for pk, _ in stored]


_JSON = json.JSONEncoder(ensure_ascii=False).encode

# One statement for any number of rows: building model objects costs more than everything else of a bulk move.
_INSERT = """
INSERT INTO {table} (at, kind, order_id, subject, subject_id, version, from_state, to_state,
                     actor_id, source, reason, data, batch_id)
SELECT %(at)s, %(kind)s, v.order_id, v.subject, v.subject_id, v.version, v.from_state, v.to_state,
       %(actor)s, %(source)s, %(reason)s, v.data, %(batch)s
FROM unnest(%(orders)s::bigint[], %(subjects)s::text[], %(ids)s::bigint[], %(versions)s::int[], %(sources)s::text[],
            %(targets)s::text[], %(data)s::jsonb[])
     WITH ORDINALITY AS v(order_id, subject, subject_id, version, from_state, to_state, data, n)
ORDER BY v.n
RETURNING id, order_id
"""


def _deliver(
    events: Iterable[tuple[int, int | None]], kind: EventKind, *, at: datetime, batch: Any, undoable: bool
) -> None:
    subscribers = _by_kind.get(kind.code, [])
    if not subscribers or (batch is not None and batch.is_quiet and all(s.holds for s in subscribers)):
        return
    by_order: dict[int | None, list[int]] = defaultdict(list)
    for pk, order_id in events:
        by_order[order_id].append(pk)
    hold = timedelta(minutes=int(get_setting("undo_hold_minutes"))) if undoable and batch is not None else timedelta()
    quiet = batch is not None and batch.is_quiet
    hearing = [subscriber for subscriber in subscribers if not (subscriber.holds and quiet)]
    with connection.cursor() as cursor:
        cursor.execute(
            _DELIVER.format(table=connection.ops.quote_name(delivery_model()._meta.db_table)),
            {
                "state": DeliveryState.PENDING.value,
                "batch": batch.pk if batch is not None else None,
                "subscribers": [subscriber.name for subscriber in hearing],
                "due": [at + hold if subscriber.holds else at for subscriber in hearing],
                "orders": id_array(by_order),
                # An array of arrays must be a rectangle; as text each may have its own length.
                "events": text_array(id_array(ids) for ids in by_order.values()),
            },
        )
    notify()


_DELIVER = """
INSERT INTO {table} (subscriber, order_id, batch_id, event_ids, state, due_at, attempts, last_error, is_correction,
                     created_at)
SELECT s.name, o.order_id, %(batch)s, o.event_ids::bigint[], %(state)s, s.due_at, 0, '', false, clock_timestamp()
FROM unnest(%(subscribers)s::text[], %(due)s::timestamptz[]) WITH ORDINALITY AS s(name, due_at, n)
CROSS JOIN unnest(%(orders)s::bigint[], %(events)s::text[]) WITH ORDINALITY AS o(order_id, event_ids, n)
ORDER BY s.n, o.n
"""


def notify() -> None:
    """깨우기: tell the relay that something is due; it hears of it when the transaction commits."""
    with connection.cursor() as cursor:
        cursor.execute(f"NOTIFY {CHANNEL}")
