"""The relay: hands committed deliveries to their subscribers, strictly in order per (subscriber, order).

One delivery is one transaction of its own: the row is locked with SKIP LOCKED, the handler runs, the row is marked.
A crash in between leaves it pending, so handlers may run twice. After `MAX_ATTEMPTS` a delivery is dead and waits on
the dead-letter screen; it blocks later deliveries of the same subscriber and order, and nothing else.
"""

import logging
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from core.events import CHANNEL, SUBSCRIBERS, delivery_model, event_model, notify
from core.failpoints import declare, failpoint
from core.lookups import Among, HoldsAny
from core.loops import EVERY, Loop, give_way
from core.models.events import DeliveryState
from core.state import Change

log = logging.getLogger("oms.relay")

MAX_ATTEMPTS = 5
BACK_OFF = [timedelta(seconds=s) for s in (1, 5, 30, 120, 600)]
BATCH = 100
PROCESS_DIED = "처리하던 프로세스가 끝나지 않고 죽었습니다."
UNSENT = (DeliveryState.PENDING, DeliveryState.DEAD)
BEFORE_DONE = declare("relay_before_done", "a handler has run; its delivery is not marked and nothing is committed")


def run_once(*, at: datetime | None = None, limit: int = 10_000) -> int:
    """Deliver everything that is due at `at`; returns how many deliveries were tried."""
    tried = 0
    while tried < limit:
        moment = at or timezone.now()
        ids = _due_ids(moment)
        if not ids:
            return tried
        ran = sum(_deliver_one(pk, moment) for pk in ids)
        tried += ran
        if not ran:
            return tried
    return tried


LOOP = Loop("relay", CHANNEL, run_once, longest_pause=EVERY)
"""Deliver, then sleep until something is told; survives a lost database connection."""


def _due_ids(at: datetime) -> list[int]:
    """Heads of the queues: the oldest unfinished delivery of each (subscriber, order), when it is due."""
    table = delivery_model()._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT d.id FROM {table} d
            WHERE d.state = 'PENDING' AND d.due_at <= %s AND NOT EXISTS (
                SELECT 1 FROM {table} e
                WHERE e.subscriber = d.subscriber AND e.order_id = d.order_id AND e.id < d.id
                  AND e.state IN ('PENDING', 'DEAD'))
            ORDER BY d.due_at, d.id LIMIT {BATCH}
            """,
            [at],
        )
        return [pk for (pk,) in cursor.fetchall()]


def _deliver_one(pk: int, at: datetime) -> int:
    give_way()
    if not _begin(pk, at):
        return 0
    try:
        with transaction.atomic():
            row = _taken(pk, at)
            if row is None:
                return 0
            SUBSCRIBERS[row.subscriber].handle(row)
            failpoint(BEFORE_DONE)
    except Exception as error:
        # A handler is any code of any app: its delivery is told again, and those of other orders go on.
        log.warning("delivery %s failed", pk, exc_info=True)
        _note_failure(pk, error, at)
    return 1


def _begin(pk: int, at: datetime) -> bool:
    """Count the attempt before it is made: a handler that kills its process must run out of attempts too."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT.format(table=delivery_model()._meta.db_table), [pk, at])
        found = cursor.fetchone()
        if found is None:
            return False
        if found[0] <= MAX_ATTEMPTS:
            return True
        table = delivery_model()._meta.db_table
        cursor.execute(f"UPDATE {table} SET state = 'DEAD', last_error = %s WHERE id = %s", [PROCESS_DIED, pk])
    log.error("delivery %s is dead: its process died %s times", pk, MAX_ATTEMPTS)
    return False


def _taken(pk: int, at: datetime) -> Any:
    """The delivery as it is now, locked and marked as done by one statement, which falls with the handler's work."""
    model = delivery_model()
    fields = model._meta.concrete_fields
    columns = ", ".join(connection.ops.quote_name(field.column) for field in fields)
    with connection.cursor() as cursor:
        cursor.execute(_TAKE.format(table=model._meta.db_table, columns=columns), [at, pk, at])
        found = cursor.fetchone()
    return None if found is None else model.from_db(connection.alias, [field.attname for field in fields], found)


_FREE = "SELECT id FROM {table} WHERE id = %s AND state = 'PENDING' AND due_at <= %s FOR NO KEY UPDATE SKIP LOCKED"
# The count need not wait for the disk: set_config is what SET LOCAL is, without a transaction of three trips around it.
_COUNT = f"""
WITH quiet AS (SELECT set_config('synchronous_commit', 'off', true))
UPDATE {{table}} SET attempts = attempts + 1 FROM quiet WHERE id = ({_FREE}) RETURNING attempts
"""
_TAKE = f"UPDATE {{table}} SET state = 'DONE', finished_at = %s WHERE id = ({_FREE}) RETURNING {{columns}}"


def _note_failure(pk: int, error: Exception, at: datetime) -> None:
    model = delivery_model()
    with transaction.atomic():
        row = model.objects.select_for_update(skip_locked=True, no_key=True).filter(pk=pk).first()
        # Another relay is at it, or it was withdrawn meanwhile.
        if row is None or row.state != DeliveryState.PENDING:
            return
        row.last_error = f"{type(error).__name__}: {error}"[:2000]
        row.due_at = at + BACK_OFF[min(row.attempts, len(BACK_OFF)) - 1]
        if row.attempts >= MAX_ATTEMPTS:
            row.state = DeliveryState.DEAD
            log.error("delivery %s to %s is dead: %s", pk, row.subscriber, row.last_error)
        row.save(update_fields=["last_error", "due_at", "state"])


def retry_dead(*, ids: list[int], at: datetime) -> int:
    """다시 보내기: put dead letters back at the head of their queues; returns how many."""
    count: int = (
        delivery_model()
        .objects.filter(pk__in=ids, state=DeliveryState.DEAD)
        .update(state=DeliveryState.PENDING, attempts=0, due_at=at)
    )
    return count


def lock_unsent(*, batch: Any, subject: str, ids: Collection[int]) -> None:
    """미발송 잠금: hold the waiting deliveries of a batch for some of its rows, before their orders are locked.

    The relay locks a delivery first and its handler the order after; an undo has to go the same way round.
    """
    told = event_model().objects.filter(Among("subject_id", ids), batch=batch, subject=subject)
    orders = told.values("order_id")
    rows = delivery_model().objects.filter(batch=batch, order_id__in=orders, state__in=UNSENT, is_correction=False)
    list(rows.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))


def withdraw(*, batch: Any, undone_by: Any, changes: Sequence[Change], at: datetime) -> tuple[int, int]:
    """미발송 거두기: the undo of some rows of a batch takes their news back.

    A delivery that was not sent yet is withdrawn, or loses the events of the undone rows when its order has others;
    one that was sent gets one correction with just these events. Only subscribers that hold (messages, pushes) are
    concerned. Returns (withdrawn or shortened, corrections).
    """
    undone = _events_of(batch, changes)
    if not undone:
        return 0, 0
    model = delivery_model()
    holding = [name for name, subscriber in SUBSCRIBERS.items() if subscriber.holds]
    mine = model.objects.filter(batch=batch, subscriber__in=holding, is_correction=False)
    known = mine.filter(HoldsAny("event_ids", undone))
    unsent, corrections = [], []
    for row in known.select_for_update(no_key=True).order_by("pk"):
        if row.state in UNSENT:
            row.event_ids = [pk for pk in row.event_ids if pk not in undone] or row.event_ids
            if row.event_ids[0] in undone:
                row.state, row.finished_at = DeliveryState.WITHDRAWN, at
            unsent.append(row)
        elif row.state == DeliveryState.DONE:
            corrections.append(
                model(
                    subscriber=row.subscriber,
                    order_id=row.order_id,
                    event_ids=[pk for pk in row.event_ids if pk in undone],
                    batch=undone_by,
                    due_at=at,
                    is_correction=True,
                )
            )
    model.objects.bulk_update(unsent, ["event_ids", "state", "finished_at"], batch_size=BATCH)
    model.objects.bulk_create(corrections, batch_size=BATCH)
    if corrections:
        notify()
    return len(unsent), len(corrections)


def _events_of(batch: Any, changes: Sequence[Change]) -> set[int]:
    by_subject: dict[str, set[int]] = defaultdict(set)
    for change in changes:
        by_subject[change.row.event_subject].add(change.row.pk)
    found: set[int] = set()
    for subject, ids in by_subject.items():
        mine = event_model().objects.filter(Among("subject_id", ids), batch=batch, subject=subject)
        found.update(mine.values_list("pk", flat=True))
    return found
