"""Second tries of a transaction that lost a race it can win next time."""

import logging
from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError
from django_fsm import ConcurrentTransition

from core.locks import sqlstate

log = logging.getLogger("core.jobs")

TRIES = 3
RACES = frozenset({"40P01", "40001"})  # deadlock_detected, serialization_failure
SHUTDOWNS = frozenset({"57P01", "57P02", "57P03"})  # admin_shutdown, crash_shutdown, cannot_connect_now
Result = TypeVar("Result")


class ChangedMeanwhile(Exception):
    """A row changed between the look at its version and its lock; the chunk starts over and leaves it out."""


MAYBE_RACES = (OperationalError, ConcurrentTransition, ChangedMeanwhile)
"""Errors among which `is_race` tells the races."""


def is_race(error: Exception) -> bool:
    """경합 여부: a deadlock, a serialization failure, or a row that changed between the look and the lock."""
    if isinstance(error, OperationalError):
        return sqlstate(error) in RACES
    return isinstance(error, (ConcurrentTransition, ChangedMeanwhile))


def is_connection_lost(error: Exception) -> bool:
    """연결 끊김 여부: the database went away or ended our connection; nothing of the transaction is left."""
    if isinstance(error, InterfaceError):
        return True
    state = sqlstate(error) if isinstance(error, OperationalError) else "none"
    return state == "" or state.startswith("08") or state in SHUTDOWNS


def retrying(work: Callable[[], Result]) -> Result:
    """다시 시도: run a whole transaction up to three times while it loses races; raises the last error."""
    for attempt in range(1, TRIES):
        try:
            return work()
        except MAYBE_RACES as error:
            if not is_race(error):
                raise
            log.warning("try %s lost a race: %s", attempt, type(error).__name__)
    return work()
