"""`python -m bench.poller`: one process that does what a worker does for 배송조회, against a stub; prints JSON.

Run by bench/polls.py in the environment of the measured shop. The moments lie a few minutes ahead, so that the shop's
own worker finds nothing due; what the answers changed is put back at the end.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import django
from django.db import connection

django.setup()

from django.utils import timezone  # noqa: E402 - needs the set-up

from shipping.models import Parcel, TrackingAccount, TrackingEvent, TrackingPoll  # noqa: E402
from shipping.services.polling import lanes  # noqa: E402
from shipping.services.polling.polls import SOURCE  # noqa: E402
from shipping.services.tracking.asking import poll_lane  # noqa: E402

MOST = 4000
AHEAD = timedelta(minutes=10)
YOUNG = timedelta(days=25)
"""Older parcels would be given up by the shop while we measure."""
_KEEP = "CREATE TABLE bench_poll AS SELECT * FROM shipping_trackingpoll WHERE is_active"
_PUT_BACK = """
    UPDATE shipping_trackingpoll p SET next_poll_at = b.next_poll_at, last_hash = b.last_hash,
        last_ok_at = b.last_ok_at, fail_count = b.fail_count, lease_until = b.lease_until, is_active = b.is_active
    FROM bench_poll b WHERE b.parcel_id = p.parcel_id
"""


def execute(sql: str) -> None:
    """One statement."""
    with connection.cursor() as cursor:
        cursor.execute(sql)


@contextmanager
def kept() -> Iterator[None]:
    """Polls, scans and the account are afterwards what they were; also after a run that was killed."""
    if "bench_poll" in connection.introspection.table_names():
        execute(_PUT_BACK + "; DROP TABLE bench_poll")
    account = TrackingAccount.objects.filter(code=SOURCE).values().first()
    last = TrackingEvent.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    execute(_KEEP)
    try:
        yield
    finally:
        TrackingEvent.objects.filter(pk__gt=last).delete()
        execute(_PUT_BACK + "; DROP TABLE bench_poll")
        TrackingAccount.objects.filter(code=SOURCE).delete()
        if account is not None:
            TrackingAccount.objects.create(**account)


def stories(ids: list[int]) -> dict[str, list[dict[str, str]]]:
    """What was told of parcels, by number; they hear it again."""
    numbers = dict(Parcel.objects.filter(pk__in=ids).values_list("pk", "waybill"))
    found: dict[str, list[dict[str, str]]] = {number: [] for number in numbers.values()}
    for event in TrackingEvent.objects.filter(parcel__in=ids).order_by("parcel_id", "seq"):
        told = {"time": event.at.isoformat(), "code": event.raw_code, "name": event.raw_text, "place": event.place}
        found[numbers[event.parcel_id]].append(told)
    return found


def measured(ids: list[int], *, at: datetime) -> dict[str, float]:
    """Answers, seconds and processor seconds of asking about all of them once."""
    TrackingPoll.objects.filter(is_active=True).update(next_poll_at=at + timedelta(days=1))
    TrackingPoll.objects.filter(parcel__in=ids).update(next_poll_at=at - timedelta(minutes=1))
    used, began, done = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter(), 0
    # As shipping/tasks.py has it done: some seconds of a lane, then the next one.
    while written := sum(poll_lane(lane_id=duty.lane_id, at=at).written for duty in lanes.wanted(at=at)):
        done += written
    seconds, now = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    return {"answers": done, "seconds": seconds, "cpu": now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime}


def main() -> None:
    """New answers first, then the same ones again."""
    at = timezone.now() + AHEAD
    young = TrackingPoll.objects.filter(is_active=True, parcel__handed_over_at__gt=at - YOUNG)
    ids = list(young.order_by("parcel_id").values_list("parcel_id", flat=True)[:MOST])
    stub = subprocess.Popen(
        [sys.executable, "-m", "bench.stub"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert stub.stdin is not None
    assert stub.stdout is not None
    try:
        json.dump(stories(ids), stub.stdin)
        stub.stdin.close()
        url = stub.stdout.readline().split()[-1]
        with kept():
            facts = {"name": "stub", "base_url": url, "is_sandbox": True, "is_active": True, "concurrency": 16}
            free = {"state": "OK", "retry_at": None, "per_second": None, "per_day": None, "min_interval": 0}
            TrackingAccount.objects.update_or_create(code=SOURCE, defaults=facts | free)
            TrackingPoll.objects.filter(parcel__in=ids).update(last_hash="")
            print(json.dumps([measured(ids, at=at), measured(ids, at=at)]))
    finally:
        stub.terminate()
        stub.wait()


if __name__ == "__main__":
    main()
