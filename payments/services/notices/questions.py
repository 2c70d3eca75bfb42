"""조회 차례: of one payment only one question to its PG is on its way at a time, by all processes together.

A claim is a row that a short statement writes and another takes away; no transaction is open while the PG answers, and
a pooler may stand before the database. Source: payments.md 5.5.
"""

import time
from collections.abc import Collection
from datetime import timedelta
from uuid import UUID, uuid4

from django.db import connection

from payments.adapters.base import PgProblem

LEASE = timedelta(seconds=180)
"""After it nobody counts on who claimed: that process has died."""
START_WITHIN = 40.0
"""Seconds after the claim in which a fetch may begin: the slow calls of the longest one (nicepay_api.py) end within."""
PATIENCE = timedelta(seconds=5)
"""How long whoever needs the answer now waits for the other's question."""
NAP = 0.1

_CLAIM = """
INSERT INTO payments_pgquestion AS q (payment_id, holder, until)
SELECT v.id, %s, clock_timestamp() + make_interval(secs => %s) FROM unnest(%s::bigint[]) AS v(id) ORDER BY v.id
ON CONFLICT (payment_id) DO UPDATE SET holder = EXCLUDED.holder, until = EXCLUDED.until
    WHERE q.until <= clock_timestamp()
RETURNING payment_id
"""
_RELEASE = "DELETE FROM payments_pgquestion WHERE holder = %s AND payment_id = ANY(%s::bigint[])"


class AskedElsewhere(PgProblem):
    """다른 곳에서 조회 중: somebody else asks about this payment just now; asking again soon is safe."""

    def __init__(self) -> None:
        super().__init__(
            "another question about this payment is on its way", message="이 결제를 다른 곳에서 조회하고 있습니다."
        )


def claim(payment_ids: Collection[int], *, patience: timedelta = timedelta()) -> tuple[UUID, set[int]]:
    """조회 차례 얻기: a name for the claim, and the payments it got; waits at most `patience` for the others."""
    holder, mine, wanted = uuid4(), set[int](), set(payment_ids)
    end = time.monotonic() + patience.total_seconds()
    while wanted:
        with connection.cursor() as cursor:
            cursor.execute(_CLAIM, [holder, LEASE.total_seconds(), sorted(wanted)])
            got = {pk for (pk,) in cursor.fetchall()}
        mine, wanted = mine | got, wanted - got
        # What is claimed already must not wait for the rest for longer than its call may.
        if not wanted or time.monotonic() >= end:
            break
        time.sleep(NAP)
    return holder, mine


def release(holder: UUID, payment_ids: Collection[int]) -> None:
    """조회 차례 내놓기: the answers are there, or will never come."""
    if payment_ids:
        with connection.cursor() as cursor:
            cursor.execute(_RELEASE, [holder, sorted(payment_ids)])
