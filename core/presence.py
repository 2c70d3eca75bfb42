"""Who has the same thing open now: in the memory of the broker alone, so that a heartbeat writes no row.

A subject is a sorted set of viewers by the second of their last heartbeat. Whoever stops asking fades; an emptied or
missing broker merely means that nobody is shown. Source: ux.md 2.6.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import redis
from django.conf import settings

from core.broker import redis_client

FADES_AFTER = 40
"""Seconds after the last heartbeat; pages ask every 15 and a lost answer must not hide a colleague."""
PATIENCE = 0.2
"""Seconds that a heartbeat waits for the broker at most."""
MOST = 20

log = logging.getLogger("core.presence")


@dataclass(frozen=True, slots=True)
class Viewer:
    """보는 사람: a member of staff, and whether they are typing in what they have open."""

    pk: int
    name: str
    is_editing: bool


def beat(*, subject: str, viewer: Viewer, at: datetime) -> list[Viewer]:
    """보고 있음: note that the viewer has the subject open; returns the others who have, longest silent first."""
    key, now = f"presence:{subject}", at.timestamp()
    mine = [_member(Viewer(viewer.pk, viewer.name, is_editing=edits)) for edits in (True, False)]
    try:
        with _client(settings.REDIS_URL).pipeline() as pipe:
            pipe.zremrangebyscore(key, "-inf", now - FADES_AFTER)
            pipe.zrem(key, *mine)
            pipe.zadd(key, {_member(viewer): now})
            pipe.expire(key, FADES_AFTER)
            pipe.zrange(key, 0, MOST)
            found: Sequence[bytes] = pipe.execute()[-1]
    except (redis.RedisError, OSError) as error:
        log.info("presence is not known: %s", type(error).__name__)
        return []
    return [other for one in found if (other := _viewer(one.decode())).pk != viewer.pk]


def _member(viewer: Viewer) -> str:
    return f"{viewer.pk}:{int(viewer.is_editing)}:{viewer.name}"


def _viewer(member: str) -> Viewer:
    pk, edits, name = member.split(":", 2)
    return Viewer(int(pk), name, edits == "1")


@lru_cache(maxsize=4)
def _client(url: str) -> redis.Redis:
    """One pool of connections a process; a child process opens its own."""
    return redis_client(url, timeout=PATIENCE)
