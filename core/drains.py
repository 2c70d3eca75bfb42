"""미처리 비우기: rows that wait outside the event table, drained by the relay role, each kind in a thread of its own.

    @drain(channel="oms_notices")
    def drain_notices(*, at: datetime) -> int: ...

A drain is called at every NOTIFY of its channel and once a second, until it returns 0; it claims its rows itself, so
that two relays share the work. A slow outside service holds up its own drain and nothing else.
"""

import logging
import select
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from django.db import connection
from django.utils import timezone

log = logging.getLogger("core.drains")

EVERY = 1.0
LONGEST_PAUSE = 30.0


class Work(Protocol):
    """비우기 한 번: handles some rows that are due at `at`; how many it took, 0 when nothing is left."""

    __name__: str

    def __call__(self, *, at: datetime) -> int: ...


@dataclass(frozen=True, slots=True)
class Drain:
    """비우기: the function and the channel that wakes it up."""

    channel: str
    work: Work


DRAINS: dict[str, Drain] = {}


def drain(*, channel: str) -> Callable[[Work], Work]:
    """비우기 등록: decorator for a function of an app's `tasks.py`."""

    def register(work: Work) -> Work:
        name = f"{work.__module__}.{work.__name__}"
        if name in DRAINS:
            raise ValueError(f"drain {name} is registered twice")
        DRAINS[name] = Drain(channel, work)
        return work

    return register


def notify(channel: str) -> None:
    """깨우기: heard when the transaction commits."""
    with connection.cursor() as cursor:
        cursor.execute(f"NOTIFY {channel}")


def run_all(*, at: datetime | None = None) -> int:
    """모두 비우기: every drain until nothing is due; for `oms_relay --once` and for tests."""
    total = 0
    for one in DRAINS.values():
        while taken := one.work(at=at or timezone.now()):
            total += taken
    return total


def start(*, stop: threading.Event) -> list[threading.Thread]:
    """비우기 시작: one thread for each; they end when `stop` is set."""
    threads = []
    for name, one in DRAINS.items():
        thread = threading.Thread(target=_run, args=(name, one, stop), name=f"drain {name}", daemon=True)
        thread.start()
        threads.append(thread)
    return threads


def _run(name: str, one: Drain, stop: threading.Event) -> None:
    pause = EVERY
    while not stop.is_set():
        try:
            # Listening before looking: what is stored in between is either seen or heard.
            with connection.cursor() as cursor:
                cursor.execute(f"LISTEN {one.channel}")
            while not stop.is_set() and one.work(at=timezone.now()):
                pass
            pause = EVERY
            _wait()
        except Exception:
            pause = min(LONGEST_PAUSE, pause * 2)
            log.exception("drain %s failed; again in %s s", name, pause)
            connection.close()
            stop.wait(pause)
    connection.close()


def _wait() -> None:
    raw: Any = connection.connection
    select.select([raw], [], [], EVERY)
    raw.poll()
    raw.notifies.clear()
