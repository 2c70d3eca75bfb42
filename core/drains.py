"""미처리 비우기: rows that wait outside the event table, drained by the relay role, each kind in a loop of its own.

    @drain(channel="oms_notices")
    def drain_notices(*, at: datetime) -> int: ...

A drain is called at every NOTIFY of its channel and once a second, until it returns 0; it claims its rows itself, so
that two relays share the work. A slow outside service holds up its own drain and nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from django.db import connection
from django.utils import timezone

from core.loops import Loop
from core.registry import ByName


class Work(Protocol):
    """비우기 한 번: handles some rows that are due at `at`; how many it took, 0 when nothing is left."""

    __name__: str

    def __call__(self, *, at: datetime) -> int: ...


@dataclass(frozen=True, slots=True)
class Drain:
    """비우기: the function under its dotted name, and the channel that wakes it up."""

    name: str
    channel: str
    work: Work

    def loop(self) -> Loop:
        """되풀이 of the drain."""
        return Loop(f"drain {self.name}", self.channel, lambda: self.work(at=timezone.now()))


DRAINS: ByName[Drain] = ByName()


def drain(*, channel: str) -> Callable[[Work], Work]:
    """비우기 등록: decorator for a function of an app's `drains.py`."""

    def register(work: Work) -> Work:
        DRAINS.add(Drain(f"{work.__module__}.{work.__name__}", channel, work))
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
