"""`python -m bench.drive`: a day of parcels, asked about through sockets under a virtual clock; prints JSON.

Run by bench/transit.py in an empty database. The services are those of production: rows that come due, lanes, budgets,
the planner, the writer of answers; the courier sandbox tells what bench/day.py says of each life. Both clocks are moved
by hand: nobody sleeps. Who was asked when is read from the journal of the sandbox, what was seen from our parcels.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import django
from django.db import connection

django.setup()

from bench import day as planned  # noqa: E402 - needs the set-up
from bench.day import STAGES, TODAY, Day, Life, life_of, note  # noqa: E402
from bench.parcels import make_parcels  # noqa: E402
from bench.sandbox import Sandbox, running_sandbox  # noqa: E402
from core.chunks import batched  # noqa: E402
from core.invariants import declared_invariants, find_violations  # noqa: E402
from shipping.models import CourierRoute, Parcel, TrackingAccount, TrackingPoll  # noqa: E402
from shipping.services.polling import lanes, stretching  # noqa: E402
from shipping.services.polling.planning import DAY, HOUR  # noqa: E402
from shipping.services.polling.polls import moment  # noqa: E402
from shipping.services.polling.sources import code_for  # noqa: E402
from shipping.services.tracking import asking  # noqa: E402

KIND = "tracker_delivery"
WORDS = (
    ("AT_PICKUP", "집화처리"),
    ("IN_TRANSIT", "간선상차"),
    ("OUT_FOR_DELIVERY", "배송출발"),
    ("DELIVERED", "배송완료"),
)
NO_RELAY = "INV-11"
"""Nobody delivers events here: their messages wait."""
PLAN_EVERY = 300
"""Seconds between two runs of `plan_tracking`, as in production."""
_NEXT = """
    SELECT min(first) FROM unnest(%s::text[]) AS c(courier) CROSS JOIN LATERAL (
        SELECT min(next_poll_at) AS first FROM shipping_trackingpoll
        WHERE is_active AND courier = c.courier) found
"""


def prepare(sandbox: Sandbox, lives: Mapping[int, Life], *, limit: float | None) -> None:
    """Lives for the sandbox, and an account with a limit of its own for each courier."""
    numbers = dict(Parcel.objects.values_list("pk", "waybill"))
    for some in batched(lives, 2_000):
        sandbox.tell("parcels", parcels=[_told(numbers[pk], lives[pk]) for pk in some])
    TrackingAccount.objects.update(is_active=False)
    for n, (courier, _) in enumerate(planned.SHARES):
        account = TrackingAccount.objects.create(
            code=f"{KIND}-{n}", name=courier, base_url=sandbox.url, is_sandbox=True, per_second=limit, concurrency=8
        )
        CourierRoute.objects.create(courier=courier, rank=0, account=account)


def _told(number: str, life: Life) -> dict[str, Any]:
    scans = zip(life.stages, WORDS, strict=True)
    timeline = [{"at": moment(at).isoformat(), "code": code, "name": name} for at, (code, name) in scans]
    return {"carrier": code_for(life.courier, KIND), "number": number, "timeline": timeline}


class Drive:
    """The day, tick by tick."""

    def __init__(self, sandbox: Sandbox, lives: Mapping[int, Life], *, tick: int) -> None:
        self.sandbox, self.lives, self.tick = sandbox, lives, tick
        self.found = Day(parcels=len(lives))
        self.ids = {number: pk for pk, number in Parcel.objects.values_list("pk", "waybill")}
        self.couriers = {code_for(courier, KIND): courier for courier, _ in planned.SHARES}
        self.seen: Counter[int] = Counter()
        self.polls: Counter[int] = Counter()
        self.ticks, self.wrong, self.planned_at, self._asked = 0, 0, 0, 0

    def run(self) -> None:
        """From the first question to the end of the day."""
        at = 0
        while (first := self._next()) is not None:
            # Lanes wake up every `tick` seconds; one that has more to ask goes on in the next second.
            at = max(at + 1, first) if first <= at else -(-first // self.tick) * self.tick
            if at >= TODAY + DAY:
                return
            self._step(at)

    def _next(self) -> int | None:
        with connection.cursor() as cursor:
            cursor.execute(_NEXT, [list(self.couriers.values())])
            first: datetime | None = cursor.fetchone()[0]
        return None if first is None else int(-(-first.timestamp() // 1))

    def _step(self, second: int) -> None:
        at = moment(second)
        self.sandbox.tell("clock", now=at.isoformat())
        if second - self.planned_at >= PLAN_EVERY:
            self.planned_at = second
            stretching.plan(at=at)
        for duty in lanes.wanted(at=at):
            asking.poll_lane(lane_id=duty.lane_id, at=at, seconds=0, sleep=lambda seconds: None)
        self.ticks += 1
        self._note(second)

    def _note(self, second: int) -> None:
        """What the sandbox was asked in this step, and what our parcels say since."""
        asked = self.sandbox.read("counters").get("operation:track", 0)
        entries = self.sandbox.read("log", limit=asked - self._asked) if asked > self._asked else []
        self._asked = asked
        entries = [entry for entry in entries if entry["operation"] == "track"]
        ids = [self.ids[entry["number"]] for entry in entries]
        stages = dict(Parcel.objects.filter(pk__in=ids).values_list("pk", "stage"))
        by_courier = Counter(self.couriers[entry["carrier"]] for entry in entries)
        for pk in ids:
            self.polls[pk] += 1
            stage = STAGES.index(stages[pk]) + 1 if stages[pk] in STAGES else 0
            self.wrong += stage != self.lives[pk].stage_at(second)
            if second >= TODAY:
                note(self.found, self.lives[pk], self.seen[pk], stage, second, self.polls[pk])
            self.seen[pk] = max(self.seen[pk], stage)
        if second >= TODAY and entries:
            self.found.seconds[second] += len(entries)
            for courier, count in by_courier.items():
                self.found.by_source.setdefault(courier, Counter())[second] += count


def figures(drive: Drive) -> dict[str, Any]:
    """What bench/transit.py compares, and what went wrong."""
    codes = {one.code for one in declared_invariants()} - {NO_RELAY}
    arrived = TrackingPoll.objects.filter(parcel__stage="DELIVERED")
    return planned.figures(drive.found) | {
        "wrong": drive.wrong + arrived.filter(is_active=True).count(),
        "delivered": arrived.count(),
        "violations": [f"{one.invariant} {one.subject}: {one.detail}"[:200] for one in find_violations(*codes)][:20],
        "ticks": drive.ticks,
    }


def main() -> None:
    """One day."""
    parser = argparse.ArgumentParser(prog="python -m bench.drive", description=__doc__)
    parser.add_argument("--parcels", type=int, required=True)
    parser.add_argument("--limit", type=float, required=True)
    parser.add_argument("--tick", type=int, required=True)
    options = parser.parse_args()
    began = time.perf_counter()
    keys = make_parcels(options.parcels, at=moment(TODAY - DAY + 9 * HOUR))
    made = time.perf_counter()
    print(f"{len(keys):,} parcels made in {made - began:.0f} s", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder, running_sandbox(folder) as sandbox:
        lives = {pk: life_of(key) for pk, key in keys.items()}
        prepare(sandbox, lives, limit=options.limit or None)
        drive = Drive(sandbox, lives, tick=options.tick)
        drive.run()
    told = {"keys": list(keys.items()), "made": made - began, "driven": time.perf_counter() - made}
    print(json.dumps(figures(drive) | told))


if __name__ == "__main__":
    main()
