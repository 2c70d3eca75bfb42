"""Events: history for staff, audit, and outbox for everything that happens after a commit.

`record()` is the only writer of the event table. It stores one row per change and, for every subscriber of the kind,
one delivery per order and batch; core/relay.py carries the deliveries out. Why rows and not on_commit hooks:
docs/adr/0007-relay-instead-of-on-commit.md.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connection

from core.models.events import Source
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
) -> list[Any]:
    """Write one event per change of the outcome and the deliveries of its subscribers, in the same transaction.

    `actor` is None for the system; `data` maps row ids to facts worth keeping (amounts in won, waybills); `undoable`
    lets the deliveries of holding subscribers wait. Returns the stored events in the order of the changes.
    """
    if not outcome.changes:
        return []
    events = event_model().objects.bulk_create(
        [
            event_model()(
                at=at,
                kind=kind.code,
                order_id=change.row.event_order_id,
                subject=change.row.event_subject,
                subject_id=change.row.pk,
                version=change.version,
                from_state=str(change.from_state),
                to_state=str(change.to_state),
                actor=actor,
                source=source or (Source.SCREEN if actor else Source.TASK),
                reason=reason,
                data=(data or {}).get(change.row.pk),
                batch=batch,
            )
            for change in outcome.changes
        ],
        batch_size=1000,
    )
    _deliver(events, kind, at=at, batch=batch, undoable=undoable)
    return list(events)


def _deliver(events: Iterable[Any], kind: EventKind, *, at: datetime, batch: Any, undoable: bool) -> None:
    subscribers = _by_kind.get(kind.code, [])
    if not subscribers or (batch is not None and batch.is_quiet and all(s.holds for s in subscribers)):
        return
    by_order: dict[int | None, list[int]] = defaultdict(list)
    for event in events:
        by_order[event.order_id].append(event.pk)
    hold = timedelta(minutes=int(get_setting("undo_hold_minutes"))) if undoable and batch is not None else timedelta()
    model = delivery_model()
    model.objects.bulk_create(
        [
            model(
                subscriber=subscriber.name,
                order_id=order_id,
                batch=batch,
                event_ids=ids,
                due_at=at + hold if subscriber.holds else at,
            )
            for subscriber in subscribers
            if not (subscriber.holds and batch is not None and batch.is_quiet)
            for order_id, ids in by_order.items()
        ],
        batch_size=1000,
    )
    notify()


def notify() -> None:
    """깨우기: tell the relay that something is due; it hears of it when the transaction commits."""
    with connection.cursor() as cursor:
        cursor.execute(f"NOTIFY {CHANNEL}")


def subscribers_of(kind: EventKind) -> list[Subscriber]:
    """Who hears of this kind; previews count their messages with it."""
    return list(_by_kind.get(kind.code, []))
