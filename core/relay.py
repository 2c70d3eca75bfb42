"""The relay: hands committed deliveries to their subscribers, strictly in order per (subscriber, order).

One delivery is one transaction of its own: the row is locked with SKIP LOCKED, the handler runs, the row is marked.
A crash in between leaves it pending, so handlers may run twice. After `MAX_ATTEMPTS` a delivery is dead and waits on
the dead-letter screen; it blocks later deliveries of the same subscriber and order, and nothing else.
"""

import logging
import select
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from core.events import CHANNEL, SUBSCRIBERS, delivery_model
from core.failpoints import failpoint
from core.models.events import DeliveryState

log = logging.getLogger("oms.relay")

MAX_ATTEMPTS = 5
BACK_OFF = [timedelta(seconds=s) for s in (1, 5, 30, 120, 600)]
BATCH = 100


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


def run_forever(*, stop: Callable[[], bool]) -> None:
    """Drain, then sleep until a NOTIFY arrives or a second has passed; survives a lost database connection."""
    while not stop():
        try:
            _listen()
            while not stop():
                run_once()
                _wait(seconds=1.0)
        except Exception:
            log.exception("relay lost its connection; trying again")
            connection.close()
            time.sleep(1)


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
    model = delivery_model()
    try:
        with transaction.atomic():
            row = (
                model.objects.select_for_update(skip_locked=True, of=("self",), no_key=True)
                .filter(pk=pk, state=DeliveryState.PENDING, due_at__lte=at)
                .first()
            )
            if row is None:
                return 0
            SUBSCRIBERS[row.subscriber].handle(row)
            failpoint("relay_before_done")
            row.state, row.finished_at = DeliveryState.DONE, at
            row.save(update_fields=["state", "finished_at"])
    except Exception as error:
        _note_failure(pk, error, at)
    return 1


def _note_failure(pk: int, error: Exception, at: datetime) -> None:
    model = delivery_model()
    with transaction.atomic():
        row = model.objects.select_for_update(no_key=True).get(pk=pk)
        if row.state != DeliveryState.PENDING:
            return
        row.attempts += 1
        row.last_error = f"{type(error).__name__}: {error}"[:2000]
        row.due_at = at + BACK_OFF[min(row.attempts, len(BACK_OFF)) - 1]
        if row.attempts >= MAX_ATTEMPTS:
            row.state = DeliveryState.DEAD
            log.error("delivery %s to %s is dead: %s", pk, row.subscriber, row.last_error)
        row.save(update_fields=["attempts", "last_error", "due_at", "state"])


def retry_dead(*, ids: list[int], at: datetime) -> int:
    """다시 보내기: put dead letters back at the head of their queues; returns how many."""
    count: int = (
        delivery_model()
        .objects.filter(pk__in=ids, state=DeliveryState.DEAD)
        .update(state=DeliveryState.PENDING, attempts=0, due_at=at)
    )
    return count


def withdraw(*, batch: Any, undone_by: Any, order_ids: list[int], at: datetime) -> tuple[int, int]:
    """Undo of a batch: unsent deliveries are withdrawn; what was already sent gets one correction per order.

    Returns (withdrawn, corrections). Only subscribers that hold (messages, pushes) are corrected.
    """
    model = delivery_model()
    holding = [name for name, subscriber in SUBSCRIBERS.items() if subscriber.holds]
    mine = model.objects.filter(batch=batch, order_id__in=order_ids, subscriber__in=holding, is_correction=False)
    withdrawn = mine.filter(state=DeliveryState.PENDING).update(state=DeliveryState.WITHDRAWN, finished_at=at)
    sent = list(mine.filter(state=DeliveryState.DONE).values_list("subscriber", "order_id", "event_ids"))
    model.objects.bulk_create(
        model(
            subscriber=subscriber, order_id=order_id, event_ids=event_ids, batch=undone_by, due_at=at, is_correction=True
        )
        for subscriber, order_id, event_ids in sent
    )
    return withdrawn, len(sent)


def _listen() -> None:
    connection.ensure_connection()
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {CHANNEL}")


def _wait(*, seconds: float) -> None:
    raw: Any = connection.connection
    select.select([raw], [], [], seconds)
    raw.poll()
    raw.notifies.clear()
