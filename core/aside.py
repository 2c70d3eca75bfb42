"""따로 하기: work that waits for outside services, in threads of its own beside those in which staff's jobs run.

A worker has few threads. A task that asks a slow service would hold one of them, and its messages would stand in the
queue before those of people who wait at a screen. Such a task only leaves its work here and ends: the line is short,
because each piece of work stands in it once, whoever has called for it how often.

Nothing waits here that is not due in the database as well: what dies with the process is called for again.
"""

import atexit
import logging
import threading
import time
from collections.abc import Callable

from django.db import connection

log = logging.getLogger("core.aside")

GRACE = 20.0
"""Seconds for what is under way when the process ends; a role that stops has a little more."""

Piece = Callable[[], bool]
"""일 한 토막: some seconds of it; True when more is left, which then waits behind the others."""


class Aside:
    """따로 하는 줄: at most `threads` pieces of work at a time, first come, first served."""

    def __init__(self, name: str, *, threads: int) -> None:
        self._name, self._threads = name, threads
        self._lock = threading.Lock()
        self._waiting: dict[str, Piece] = {}
        """By key, in the order in which they came."""
        self._working: set[str] = set()
        self._running: set[threading.Thread] = set()
        self._is_ending = False
        atexit.register(self.end)

    def take(self, key: str, piece: Piece) -> None:
        """맡기기: returns at once; nothing more is done for a key that waits or is worked on already."""
        with self._lock:
            if self._is_ending or key in self._waiting or key in self._working:
                return
            self._waiting[key] = piece
            if len(self._running) < self._threads:
                # Daemons, so that the end of the process is heard here before it waits for them.
                thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._running.add(thread)
                thread.start()

    def end(self) -> None:
        """끝내기: nothing new is begun; returns when what is under way is done, after GRACE at the latest."""
        with self._lock:
            self._is_ending = True
            self._waiting.clear()
            running = list(self._running)
        until = time.monotonic() + GRACE
        for thread in running:
            thread.join(max(0.0, until - time.monotonic()))

    def _work(self) -> None:
        try:
            while (taken := self._next()) is not None:
                self._put_back(*taken, is_more=self._do(*taken))
        finally:
            connection.close()

    def _next(self) -> tuple[str, Piece] | None:
        with self._lock:
            if not self._waiting:
                self._running.discard(threading.current_thread())
                return None
            key = next(iter(self._waiting))
            self._working.add(key)
            return key, self._waiting.pop(key)

    def _do(self, key: str, piece: Piece) -> bool:
        try:
            return piece()
        except Exception:
            # What is due stays due; the next call for it comes soon.
            log.exception("%s: %s failed", self._name, key)
            connection.close()
            return False

    def _put_back(self, key: str, piece: Piece, *, is_more: bool) -> None:
        with self._lock:
            self._working.discard(key)
            if is_more and not self._is_ending:
                self._waiting[key] = piece
