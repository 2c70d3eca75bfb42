"""되풀이: the one loop of the relay role, which works until nothing is left and then sleeps.

A NOTIFY of its channel wakes it up, or a second that has passed; a failure makes the pauses longer and ends nothing.

The work claims its rows itself, so that two processes share it, and names its own failpoints.
"""

import logging
import select
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection

log = logging.getLogger("core.loops")

EVERY = 1.0
LONGEST_PAUSE = 30.0
_NAP = 0.2
BREATH = 0.05
"""Seconds that work which can wait leaves to work that goes first, before each of its pieces."""
_going_first: list[object] = []


@contextmanager
def going_first() -> Iterator[None]:
    """먼저 하기: meanwhile the loops of this process that can wait leave it most of the processor (`give_way`).

    For work of many rows without a network, like comparing deposits; telling people about it can wait.
    """
    mark = object()
    _going_first.append(mark)
    try:
        yield
    finally:
        _going_first.remove(mark)


def give_way() -> None:
    """양보: a breath, while work is under way that goes first; never longer, so that nothing stands still."""
    if _going_first:
        time.sleep(BREATH)


@dataclass(frozen=True, slots=True)
class Loop:
    """되풀이 하나: its name in the log, its channel, and the work: how much that did, 0 when nothing is left."""

    name: str
    channel: str
    work: Callable[[], int]
    longest_pause: float = LONGEST_PAUSE
    """Seconds between tries while the work fails: from `EVERY` on, each time twice as long, up to this."""
    names_error_only: bool = False
    """Log no more of a failure than its kind: what others raise may hold addresses, and comes again and again."""

    def start(self, *, stop: threading.Event) -> threading.Thread:
        """되풀이 시작: in a thread and a database connection of its own, until `stop` is set."""
        thread = threading.Thread(target=self.run, kwargs={"stop": stop.is_set}, name=self.name, daemon=True)
        thread.start()
        return thread

    def run(self, *, stop: Callable[[], bool]) -> None:
        """되풀이: returns only when `stop()` holds; looks at it before each piece of work."""
        pause = EVERY
        try:
            while not stop():
                try:
                    self._round(stop)
                    pause = EVERY
                    _sleep()
                except Exception as error:
                    # A loop outlives its work, the database and the broker.
                    self._note(error, pause)
                    connection.close()
                    _rest(pause, stop)
                    pause = min(self.longest_pause, pause * 2)
        finally:
            connection.close()

    def _round(self, stop: Callable[[], bool]) -> None:
        # Listening before looking: what is stored in between is either seen or heard.
        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {self.channel}")
        while not stop() and self.work():
            pass

    def _note(self, error: Exception, pause: float) -> None:
        told = f": {type(error).__name__}" if self.names_error_only else ""
        data = {"data": {"pause": pause}}
        log.error("%s failed%s; again in %s s", self.name, told, pause, exc_info=not told, extra=data)


def _sleep() -> None:
    raw: Any = connection.connection
    # What was heard while the work talked to the database wakes no select up any more.
    if not raw.notifies:
        select.select([raw], [], [], EVERY)
        raw.poll()
    raw.notifies.clear()


def _rest(seconds: float, stop: Callable[[], bool]) -> None:
    end = time.monotonic() + seconds
    while not stop() and (left := end - time.monotonic()) > 0:
        time.sleep(min(left, _NAP))
