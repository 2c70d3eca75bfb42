"""`python -m bench.claimer`: claims due rows out of a million poll rows in a schema of its own; prints JSON.

Run by bench/polls.py in the environment of a database whose own rows are not touched: the narrow table is built again
with its settings and indexes, filled by one statement, and dropped at the end. Every claim finds the rows as a worker
leaves them, also those that the claims before have moved.
"""

import json
import time
from datetime import timedelta

import django
from django.db import connection

django.setup()

from django.utils import timezone  # noqa: E402 - needs the set-up

from shipping.services.polling import polls  # noqa: E402

ROWS, LIMIT, TIMES = 1_000_000, 200, 200
COURIERS = ("CJGLS", "HANJIN", "HYUNDAI", "KGB", "EPOST")
SCHEMA = "bench_claim"
TABLE = "shipping_trackingpoll"
# LIKE copies no foreign keys: the rows need no parcels. Indexes are made when the rows are there.
_BUILD = f"""
    DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA};
    CREATE TABLE {SCHEMA}.{TABLE} (LIKE public.{TABLE} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE);
"""
_FILL = f"""
    INSERT INTO {SCHEMA}.{TABLE}
        (parcel_id, source, courier, waybill, next_poll_at, lease_token, fail_count, last_hash, last_error, is_active)
    SELECT n, 'tracker_delivery', (%s::text[])[1 + n %% {len(COURIERS)}], lpad(n::text, 12, '0'),
        now() + (n::bigint * 7919 %% 28800000 - 3600000) * interval '1 millisecond', 0, 0,
        md5(n::text) || md5(n::text), '', true
    FROM generate_series(1, {ROWS}) n;
"""
_OPTIONS = "SELECT reloptions FROM pg_class WHERE oid = %s::regclass"
_INDEXES = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename = %s ORDER BY indexname"
_SIZES = "SELECT pg_size_pretty(pg_table_size(%s::regclass)), pg_size_pretty(pg_indexes_size(%s::regclass))"


def build() -> None:
    """The million rows, with every index and storage option of the real table."""
    with connection.cursor() as cursor:
        cursor.execute(_BUILD)
        cursor.execute(_OPTIONS, [f"public.{TABLE}"])
        if options := cursor.fetchone()[0]:
            cursor.execute(f"ALTER TABLE {SCHEMA}.{TABLE} SET ({', '.join(options)})")
        # Not before the options: they say how full the pages become.
        cursor.execute(_FILL, [list(COURIERS)])
        cursor.execute(_INDEXES, [TABLE])
        for (text,) in cursor.fetchall():
            cursor.execute(text.replace(f" ON public.{TABLE}", f" ON {SCHEMA}.{TABLE}"))
        cursor.execute(f"VACUUM ANALYZE {SCHEMA}.{TABLE}")
        cursor.execute(f"SET search_path = {SCHEMA}, public")


def main() -> None:
    """Milliseconds of each claim, and the plan of one."""
    build()
    at, times = timezone.now(), []
    try:
        for turn in range(TIMES):
            began = time.perf_counter()
            leases = polls.claim(at=at, limit=LIMIT, courier=COURIERS[turn % len(COURIERS)])
            times.append((time.perf_counter() - began) * 1000)
            if len(leases) != LIMIT:
                raise SystemExit(f"only {len(leases)} rows were due")
        with connection.cursor() as cursor:
            cursor.execute(_SIZES, [f"{SCHEMA}.{TABLE}"] * 2)
            table, index = cursor.fetchone()
        print(json.dumps({"ms": times, "plan": plan(at + timedelta(seconds=1)), "table": table, "index": index}))
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"RESET search_path; DROP SCHEMA {SCHEMA} CASCADE")


def plan(at: object) -> list[str]:
    """EXPLAIN of the statement itself; the claim is taken back."""
    values = {"courier": COURIERS[1], "source": "x", "due": at, "until": at, "limit": LIMIT}
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("EXPLAIN (ANALYZE, BUFFERS) " + polls.CLAIM, values)
        found = [row[0] for row in cursor.fetchall()]
        cursor.execute("ROLLBACK")
    return found


if __name__ == "__main__":
    main()
