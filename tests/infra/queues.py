"""Queues: sessions that wait for rows of a colleague, one behind the other, and go on in that order."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any

from django.db import connection, connections, transaction

from orders.models import Order

PATIENCE = 10


@contextmanager
def held(order_id: int) -> Iterator[None]:
    """A colleague's session holds an order as long as this lasts."""
    taken, done = Event(), Event()
    with ThreadPoolExecutor(1) as pool:
        colleague = pool.submit(_hold, order_id, taken, done)
        try:
            assert taken.wait(PATIENCE)
            yield
        finally:
            done.set()
            colleague.result()


def behind(order_id: int, *works: Callable[[], Any]) -> list[Any]:
    """Start the works one after the other while an order is held, let it go; their results in order."""
    with ThreadPoolExecutor(len(works)) as pool:
        with held(order_id):
            running = []
            for number, work in enumerate(works, start=1):
                running.append(pool.submit(_run, work))
                _until_waiting(number)
        return [one.result() for one in running]


def _hold(order_id: int, taken: Event, done: Event) -> None:
    try:
        with transaction.atomic():
            assert list(Order.objects.filter(pk=order_id).select_for_update())
            taken.set()
            done.wait()
    finally:
        connections.close_all()


def _run(work: Callable[[], Any]) -> Any:
    try:
        return work()
    finally:
        connections.close_all()


def _until_waiting(number: int) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0] >= number:
                return
        time.sleep(0.02)
    raise AssertionError(f"fewer than {number} sessions wait")
