"""`python -m bench.crowd`: the shop's side of bench/million.py, in the environment of its shop.

`fill` makes one parcel by the shop's own services and copies it, with its order, line and shipment, by one statement
for each table. `watch` looks every ten seconds what is due, what the planner takes and who was asked when, lets staff
and pushes ask meanwhile, and prints JSON.
"""

import argparse
import json
import time
from collections import Counter
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

import django
from django.db import connection, transaction

django.setup()

from django.utils import timezone  # noqa: E402 - needs the set-up

from bench.day import SHARES  # noqa: E402
from bench.parcels import make_parcels  # noqa: E402
from bench.sandbox import Sandbox  # noqa: E402
from shipping.models import CourierRoute, Parcel, TrackingAccount, TrackingBudget, TrackingPoll  # noqa: E402
from shipping.rollup import roll_up_shipments  # noqa: E402
from shipping.services.polling import lanes, planning, stretching, wanting  # noqa: E402
from shipping.services.polling.planning import HOUR, Group, Pace  # noqa: E402
from shipping.services.polling.sources import code_for  # noqa: E402

KIND = "tracker_delivery"
LEFT = timedelta(hours=31)
"""So long ago the parcels left; the sandbox has registered each of them within the day after."""
FIRST = 10_000_000
"""Ids of the copies begin here."""
TICK, PLAN_EVERY = 10, 60
PRESSED = 20
"""Boxes that staff, and pushes, ask about in each tick: those that were just asked about, and others."""
MORE = 1_000
"""Entries of the journal that are read again each time: it grows while it is read."""
_COURIER = "(%(couriers)s::text[])[1 + width_bucket(mod(n * 0.6180339887, 1), %(shares)s::numeric[])]"
_WAYBILL = "'9' || lpad(n::text, 11, '0')"
_ID = f"{FIRST} + n"
# In the order in which they refer to each other; n is the number of the copy.
COPIES: dict[str, dict[str, str]] = {
    "orders_order": {"id": _ID, "root_id": _ID, "number": "'M' || n", "channel_number": "'M' || n"},
    "orders_orderline": {"id": _ID, "order_id": _ID, "number": "'M' || n"},
    "shipping_shipment": {"id": _ID, "order_id": _ID, "number": "'M' || n"},
    "shipping_shipmentline": {"id": _ID, "shipment_id": _ID, "line_id": _ID},
    "shipping_parcel": {"id": _ID, "shipment_id": _ID, "courier": _COURIER, "waybill": _WAYBILL},
    # Half of them are due, since half an hour at most; the other half comes due within the next.
    "shipping_trackingpoll": {"parcel_id": _ID, "courier": _COURIER, "waybill": _WAYBILL, "pace": f"'{Pace.OUT}'",
                              "next_poll_at": "now() + (mod(n * 0.7548776662, 1) - 0.5) * interval '1 hour'"},
}  # fmt: skip
_COLUMNS = """
    SELECT attname FROM pg_attribute
    WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
"""
_OLDEST = """
    SELECT extract(epoch FROM now() - min(next_poll_at)) FROM shipping_trackingpoll
    WHERE is_active AND courier = %s AND next_poll_at > now() - interval '1 day'
"""


def fill(count: int, *, url: str, limit: float, min_interval: int) -> None:
    """So many parcels on their way, and an account at the sandbox for each courier.

    Triggers and foreign keys are not asked: the copies are as good as their pattern.
    """
    at = timezone.now() - LEFT
    [parcel_id] = make_parcels(1, at=at)
    Parcel.objects.filter(pk=parcel_id).update(handed_over_at=at)
    roll_up_shipments(Parcel.objects.filter(pk=parcel_id).values_list("shipment_id", flat=True))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        for table, changed in COPIES.items():
            _copy(cursor, table, changed, count)
    TrackingPoll.objects.filter(parcel=parcel_id).update(is_active=False)
    with connection.cursor() as cursor:
        for table in COPIES:
            cursor.execute(f"VACUUM ANALYZE {table}")
    for n, (courier, _) in enumerate(SHARES):
        account = TrackingAccount.objects.create(
            code=f"{KIND}-{n}", name=courier, base_url=url, is_sandbox=True, per_second=limit, min_interval=min_interval
        )
        CourierRoute.objects.create(courier=courier, rank=0, account=account)


def _copy(cursor: Any, table: str, changed: dict[str, str], count: int) -> None:
    cursor.execute(_COLUMNS, [table])
    columns = [name for (name,) in cursor.fetchall()]
    names, values = ", ".join(columns), ", ".join(changed.get(name, f"t.{name}") for name in columns)
    bounds = [round(sum(share for _, share in SHARES[: n + 1]), 3) for n in range(len(SHARES) - 1)]
    cursor.execute(
        f"INSERT INTO {table} ({names}) SELECT {values} FROM {table} t, generate_series(1, %(count)s) n",
        {"count": count, "couriers": [courier for courier, _ in SHARES], "shares": bounds},
    )


class Watch:
    """What is seen from outside while the shop works."""

    def __init__(self, sandbox: Sandbox, *, count: int) -> None:
        self.sandbox, self.count = sandbox, count
        self.couriers = {code_for(courier, KIND): courier for courier, _ in SHARES}
        self.seconds: dict[str, Counter[int]] = {courier: Counter() for courier, _ in SHARES}
        self.asked_at: dict[str, float] = {}
        self.gaps: list[float] = []
        """Seconds between two questions about one number."""
        self.ticks: list[float] = []
        self.plans: list[float] = []
        self.ages: dict[str, float] = dict.fromkeys(self.seconds, 0.0)
        """By courier the greatest age of a due row, as a part of its stretched interval."""
        self.pressed = Counter[str]()
        self._read, self._seen = 0, frozenset[tuple[str, float]]()

    def run(self, minutes: float) -> None:
        """A look every ten seconds."""
        began = time.monotonic()
        for turn in range(1, int(minutes * 60 / TICK) + 1):
            time.sleep(max(0.0, began + turn * TICK - time.monotonic()))
            at = timezone.now()
            self.ticks.append(_ms(lambda at=at: lanes.wanted(at=at)))
            if turn * TICK % PLAN_EVERY == 0:
                self.plans.append(_ms(lambda at=at: stretching.plan(at=at)))
            self._look_at_ages()
            self._press(self._read_journal(), turn, at=at)

    def _look_at_ages(self) -> None:
        stretch = dict(TrackingBudget.objects.values_list("account__name", "stretch"))
        with connection.cursor() as cursor:
            for courier in self.ages:
                cursor.execute(_OLDEST, [courier])
                factor = stretch.get(courier, {}).get(Group.OUT, 1.0)
                age = float(cursor.fetchone()[0] or 0) / (planning.RULES[Pace.OUT].hours * HOUR * factor)
                self.ages[courier] = max(self.ages[courier], age)

    def _read_journal(self) -> list[str]:
        """The numbers that were asked about since the last look."""
        asked = self.sandbox.read("counters").get("operation:track", 0)
        told = {
            (entry["number"], entry["at"]): entry for entry in self.sandbox.read("log", limit=asked - self._read + MORE)
        }
        entries = [entry for key, entry in told.items() if key not in self._seen]
        self._read, self._seen = self._read + len(entries), frozenset(told)
        for entry in entries:
            self.seconds[self.couriers[entry["carrier"]]][int(entry["at"])] += 1
            before = self.asked_at.get(entry["number"])
            if before is not None:
                self.gaps.append(entry["at"] - before)
            self.asked_at[entry["number"]] = entry["at"]
        return [entry["number"] for entry in entries]

    def _press(self, numbers: Collection[str], turn: int, *, at: datetime) -> None:
        """Staff and pushes want to know about parcels of a moment ago, and about some that nobody has asked about."""
        fresh = [f"9{self.count - turn * PRESSED - n:011d}" for n in range(PRESSED)]
        mine = Parcel.objects.filter(waybill__in=[*list(numbers)[-PRESSED:], *fresh])
        found = wanting.poll_now(parcel_ids=list(mine.values_list("pk", flat=True)), at=at)
        self.pressed["staff asked"] += len(found.parcel_ids)
        self.pressed["staff refused"] += len(found.refused)
        sources = dict(TrackingAccount.objects.values_list("name", "code"))
        for number, courier in Parcel.objects.filter(waybill__in=list(numbers)[:PRESSED]).values_list(
            "waybill", "courier"
        ):
            told = wanting.hint(source=sources[courier], carrier=code_for(courier, KIND), number=number, at=at)
            self.pressed["hints taken" if told else "hints refused"] += 1

    def figures(self) -> dict[str, Any]:
        """What bench/million.py judges and tells."""
        failed = TrackingPoll.objects.filter(fail_count__gt=0).count()
        return {
            "asked": {courier: sum(counts.values()) for courier, counts in self.seconds.items()},
            "busiest": {courier: max(counts.values(), default=0) for courier, counts in self.seconds.items()},
            "gap": min(self.gaps, default=None),
            "again": len(self.gaps),
            "ticks": self.ticks,
            "plans": self.plans,
            "ages": self.ages,
            "failed": failed,
            "pressed": self.pressed,
            "stages": Counter(Parcel.objects.exclude(stage="").values_list("stage", flat=True)),
        }


def _ms(work: Any) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def main() -> None:
    """One of the two."""
    parser = argparse.ArgumentParser(prog="python -m bench.crowd")
    parser.add_argument("part", choices=("fill", "watch"))
    parser.add_argument("--parcels", type=int, required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--limit", type=float, default=100)
    parser.add_argument("--min-interval", type=int, default=120)
    parser.add_argument("--minutes", type=float, default=10)
    options = parser.parse_args()
    if options.part == "fill":
        fill(options.parcels, url=options.url, limit=options.limit, min_interval=options.min_interval)
    else:
        watch = Watch(Sandbox(url=options.url), count=options.parcels)
        watch.run(options.minutes)
        print(json.dumps(watch.figures()))


if __name__ == "__main__":
    main()
