"""`python -m bench.claimer`: claims due rows out of a million poll rows in a schema of its own; prints JSON.

Run by bench/polls.py in the environment of the measured shop, whose own rows are not touched: the narrow table is built
again with its indexes, filled by one statement, and dropped at the end.
"""

import json
import time
from datetime import timedelta

import django
from django.db import connection

django.setup()

from django.utils import timezone  # noqa: E402 - needs the set-up

from shipping.services.tracking import polling  # noqa: E402

ROWS, LIMIT, TIMES = 1_000_000, 200, 40
COURIERS = ("CJGLS", "CJGLS", "HANJIN", "HYUNDAI", "KGB")
SCHEMA = "bench_claim"
_BUILD = f"""
    DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA};
    CREATE TABLE {SCHEMA}.shipping_trackingpoll (LIKE public.shipping_trackingpoll INCLUDING ALL);
    INSERT INTO {SCHEMA}.shipping_trackingpoll
        (parcel_id, source, courier, waybill, next_poll_at, lease_token, fail_count, last_hash, last_error, is_active)
    SELECT n, 'tracker_delivery', (%s::text[])[1 + n %% {len(COURIERS)}], lpad(n::text, 12, '0'),
        now() + (n * 7919 %% 28800 - 3600) * interval '1 second', 0, 0, md5(n::text) || md5(n::text), '', true
    FROM generate_series(1, {ROWS}) n;
    ANALYZE {SCHEMA}.shipping_trackingpoll;
"""


def main() -> None:
    """Milliseconds of each claim, and the plan of one."""
    with connection.cursor() as cursor:
        cursor.execute(_BUILD, [list(COURIERS)])
        cursor.execute(f"SET search_path = {SCHEMA}, public")
    at, times = timezone.now(), []
    try:
        for turn in range(TIMES):
            began = time.perf_counter()
            leases = polling.claim(at=at, limit=LIMIT, courier=COURIERS[turn % len(COURIERS)])
            times.append((time.perf_counter() - began) * 1000)
            if len(leases) != LIMIT:
                raise SystemExit(f"only {len(leases)} rows were due")
        print(json.dumps({"ms": times, "plan": _plan(at + timedelta(seconds=1))}))
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"RESET search_path; DROP SCHEMA {SCHEMA} CASCADE")


def _plan(at: object) -> list[str]:
    values = {"courier": "HANJIN", "source": "x", "due": at, "until": at, "limit": LIMIT}
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("EXPLAIN (ANALYZE, BUFFERS) " + polling.CLAIM, values)
        found = [row[0] for row in cursor.fetchall()]
        cursor.execute("ROLLBACK")
    return found


if __name__ == "__main__":
    main()
