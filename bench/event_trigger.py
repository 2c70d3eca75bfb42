"""What a deferred trigger "no state change without its event" would cost a bulk move: `python -m bench.event_trigger`.

The same lines go to 배송준비중 and back, round after round, with and without the trigger; the services are called as a
worker calls them, in chunks of 1,000 lines with one commit each. The shop itself does not run meanwhile.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from statistics import median
from typing import Any

import django

from bench import meter
from bench.shop import SIZES, data_dir, ensure_seeded, environment
from core.embedded import Postgres

CREATE = """
CREATE OR REPLACE FUNCTION bench_has_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM orders_orderevent
                   WHERE subject = TG_ARGV[0] AND subject_id = NEW.id AND version = NEW.version) THEN
        RAISE EXCEPTION '% % changed without an event', TG_TABLE_NAME, NEW.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER bench_has_event AFTER UPDATE ON orders_orderline DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.version IS DISTINCT FROM NEW.version) EXECUTE FUNCTION bench_has_event('line');
"""
DROP = "DROP TRIGGER IF EXISTS bench_has_event ON orders_orderline; DROP FUNCTION IF EXISTS bench_has_event()"


def main() -> int:
    """Prints seconds of every round and the ratio of the medians."""
    parser = argparse.ArgumentParser(prog="python -m bench.event_trigger", description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="100k")
    parser.add_argument("--lines", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    ensure_seeded(options.size)
    os.environ.update(environment(data_dir(options.size)) | {"DJANGO_SETTINGS_MODULE": "oms.settings"})
    server = Postgres(data_dir(options.size), durable=True)
    process = server.start()
    try:
        django.setup()
        compare(lines=options.lines, rounds=options.rounds, postgres=process.pid)
    finally:
        server.stop()
    return 0


def compare(*, lines: int, rounds: int, postgres: int) -> None:
    """Alternate both ways, so that whatever else the machine does meets both."""
    from django.utils import timezone  # noqa: PLC0415 - needs the settings that main() chose

    from orders.models import OrderLine  # noqa: PLC0415
    from shipping.services import shipments  # noqa: PLC0415

    waiting = OrderLine.objects.in_state("PREPARING").filter(open_locks=0, variant__isnull=False)
    ids = list(waiting.order_by("order_id", "pk").values_list("pk", flat=True)[: lines * 2])
    moved: list[int] = []
    for chunk in _chunks(ids):
        moved += shipments.make_ready(line_ids=chunk, actor=None, at=timezone.now()).moved_ids
    extra, moved = moved[lines:], moved[:lines]
    _back(shipments, [*moved, *extra], timezone.now())
    results: dict[str, list[float]] = {"without": [], "with": []}
    cpu: dict[str, list[float]] = {"without": [], "with": []}
    for n in range(rounds * 2):
        way = ("without", "with")[n % 2]
        _execute(CREATE if way == "with" else DROP)
        before = meter.cpu(postgres) + time.process_time()
        started = time.perf_counter()
        for chunk in _chunks(moved):
            outcome = shipments.make_ready(line_ids=chunk, actor=None, at=timezone.now())
            if outcome.refused:
                raise SystemExit(f"refused: {next(iter(outcome.refused.values()))}")
        results[way].append(time.perf_counter() - started)
        cpu[way].append(meter.cpu(postgres) + time.process_time() - before)
        _execute(DROP)
        _back(shipments, moved, timezone.now())
        _execute("VACUUM orders_orderline, orders_order, shipping_shipment, products_stocklevel")
        print(f"{way:8} {results[way][-1]:.2f} s, cpu {cpu[way][-1]:.2f} s", file=sys.stderr, flush=True)
    # Each round is compared with its neighbour: the machine is not the same five minutes later.
    wall, used = _ratio(results), _ratio(cpu)
    print(f"{len(moved):,} lines, {rounds} rounds, load {meter.load_of_machine()}")
    for way in results:
        print(f"{way:8} median {median(results[way]):.2f} s, cpu {median(cpu[way]):.2f} s")
    print(f"median of the ratios: wall {wall:.2f}, cpu {used:.2f}")


def _ratio(found: dict[str, list[float]]) -> float:
    return median(b / a for a, b in zip(found["without"], found["with"], strict=True))


def _chunks(ids: Sequence[int]) -> list[Sequence[int]]:
    return [ids[start : start + 1000] for start in range(0, len(ids), 1000)]


def _back(shipments: Any, ids: Sequence[int], at: Any) -> None:
    for chunk in _chunks(ids):
        shipments.return_to_preparing(line_ids=chunk, actor=None, at=at)


def _execute(sql: str) -> None:
    from django.db import connection  # noqa: PLC0415

    with connection.cursor() as cursor:
        cursor.execute(sql)


if __name__ == "__main__":
    sys.exit(main())
