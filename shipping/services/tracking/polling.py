"""조회 예약: which parcels are due to be asked about, leased so that two workers never ask for the same one.

The table is narrow and hot; a lease pushes `next_poll_at` and carries a token that the writer must still hold. Every
start and stop takes the token away from whoever is asking just then. Intervals: shipping.md 4.2; errors: 4.4.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zlib import crc32

from django.db import connection
from django.db.models import F

from core.calendar import KST
from shipping.couriers import COURIERS
from shipping.models import Parcel, TrackingAccount, TrackingPoll
from shipping.states import TrackingStage

SOURCE = "tracker_delivery"
LEASE = timedelta(minutes=10)
T = TrackingStage
# Hours between two polls by day; the others are asked every 6 hours on the first day, then every 12.
DAY_HOURS = {T.PICKED_UP: 4, T.IN_TRANSIT: 4, T.OUT_FOR_DELIVERY: 1, T.ATTEMPT_FAILED: 4, T.AVAILABLE_FOR_PICKUP: 6,
             T.PICKUP_FAILED: 4, T.RETURNING: 12, T.EXCEPTION: 24, T.DELIVERED: 24}  # fmt: skip
FIRST_DAY_HOURS, LATER_HOURS, OLD_HOURS = 6, 12, 24
BACK_OFF = (timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1), timedelta(hours=4), timedelta(hours=12))
FINISHED = frozenset({T.DELIVERED, T.RETURNED, T.CANCELLED})
OLD, EXPIRED = timedelta(days=10), timedelta(days=30)
SHARES, LEAST = 4, 20
"""One courier takes at most a quarter of a claim, or 20 parcels."""
EVENING, MORNING = 22, 8
SUNDAY = 6

# Without the courier in the condition the planner would sort every due row (shipping.md 4.3). Each courier gives at
# most its share of a claim, so that a backlog of one does not keep the others waiting.
_CLAIM = """
WITH due AS (
    SELECT d.parcel_id FROM unnest(%(couriers)s::text[]) AS c(courier)
    CROSS JOIN LATERAL (
        SELECT p.parcel_id, p.next_poll_at FROM shipping_trackingpoll p
        WHERE p.is_active AND p.source = %(source)s AND p.courier = c.courier AND p.next_poll_at <= %(at)s
        ORDER BY p.next_poll_at LIMIT %(share)s FOR UPDATE SKIP LOCKED) d
    ORDER BY d.next_poll_at LIMIT %(limit)s)
UPDATE shipping_trackingpoll p
SET next_poll_at = %(until)s, lease_until = %(until)s, lease_token = p.lease_token + 1
FROM due WHERE p.parcel_id = due.parcel_id
RETURNING p.parcel_id, p.courier, p.waybill, p.lease_token, p.fail_count
"""


@dataclass(frozen=True, slots=True)
class Lease:
    """임대: one parcel to ask about, and the token that allows writing the answer."""

    parcel_id: int
    courier: str
    waybill: str
    token: int
    fail_count: int


def asked_couriers() -> list[str]:
    """조회하는 택배사: slugs that the source serves; not those whose code it has refused."""
    return [slug for slug, courier in COURIERS.items() if courier.code(SOURCE) and SOURCE not in courier.refused]


def start(*, parcels: Sequence[Parcel], at: datetime) -> None:
    """Begin (or begin again) to ask about parcels that left the house, when the courier is known to the source."""
    asked = [parcel for parcel in parcels if COURIERS[parcel.courier].code(SOURCE)]
    if not asked:
        return
    speed = TrackingAccount.objects.filter(code=SOURCE).values_list("speed", flat=True).first() or 1
    due = first_poll(at=at, speed=speed)
    TrackingPoll.objects.bulk_create(
        [
            TrackingPoll(
                parcel=parcel,
                source=SOURCE,
                courier=parcel.courier,
                waybill=parcel.waybill,
                next_poll_at=_spread(due, at=at, parcel_id=parcel.pk),
            )
            for parcel in asked
        ],
        update_conflicts=True,
        unique_fields=["parcel"],
        update_fields=["courier", "waybill", "next_poll_at"],
    )
    again = TrackingPoll.objects.filter(parcel__in=[parcel.pk for parcel in asked])
    again.update(is_active=True, fail_count=0, lease_until=None, lease_token=F("lease_token") + 1)


def stop(*, parcels: Sequence[Parcel]) -> None:
    """Ask no more about these parcels; an answer that is on its way is not written."""
    if parcels:
        polls = TrackingPoll.objects.filter(parcel__in=[parcel.pk for parcel in parcels])
        polls.update(is_active=False, lease_until=None, lease_token=F("lease_token") + 1)


def claim(*, at: datetime, limit: int = 200) -> list[Lease]:
    """Lease due rows, oldest first, with SKIP LOCKED; they come due again when the lease runs out."""
    values: dict[str, Any] = {"source": SOURCE, "couriers": asked_couriers(), "at": at, "until": at + LEASE}
    values |= {"limit": limit, "share": max(-(-limit // SHARES), min(limit, LEAST))}
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, values)
        return [Lease(*row) for row in cursor.fetchall()]


def first_poll(*, at: datetime, speed: int = 1) -> datetime:
    """When a parcel that just left is first asked about: not before 20:00 KST of the day and not within 4 hours."""
    if speed > 1:
        return at + timedelta(hours=4) / speed
    evening = at.astimezone(KST).replace(hour=20, minute=0, second=0, microsecond=0)
    return max(at + timedelta(hours=4), evening)


def next_poll(
    *, parcel_id: int, stage: str, at: datetime, speed: int = 1, shipped_at: datetime | None = None
) -> datetime:
    """When to ask again: by stage and age, rarer at night and on Sundays, ±10 % jitter that is fixed per parcel.

    `speed` divides the interval (a sandbox account lives faster than a courier).
    """
    age = (at - (shipped_at or at)) * speed
    hours = DAY_HOURS.get(TrackingStage(stage) if stage else T.NO_INFO)
    if hours is None:
        hours = FIRST_DAY_HOURS if age < timedelta(days=1) else LATER_HOURS
    if age > OLD:
        hours = OLD_HOURS
    if speed == 1 and at.astimezone(KST).weekday() == SUNDAY:
        hours *= 2
    jitter = _jitter(parcel_id)
    due = at + timedelta(hours=hours) * jitter / speed
    local = due.astimezone(KST)
    if speed == 1 and (local.hour >= EVENING or local.hour < MORNING):
        morning = local.replace(hour=MORNING, minute=0) + timedelta(days=1 if local.hour >= EVENING else 0)
        due = morning + timedelta(minutes=60 * (jitter - 0.9))
    return due


def is_expired(*, shipped_at: datetime | None, at: datetime) -> bool:
    """조회 종료: a parcel that was not delivered for 30 days of the shop is a case for a person (shipping.md 3.5).

    The speed of a sandbox does not count: its parcels would be given up within hours.
    """
    return shipped_at is not None and at - shipped_at > EXPIRED


def back_off(fail_count: int, *, at: datetime, parcel_id: int = 0) -> datetime:
    """When to try again after the n-th failure in a row, with jitter."""
    return at + BACK_OFF[min(fail_count, len(BACK_OFF)) - 1] * _jitter(parcel_id)


def release(*, leases: Collection[Lease], at: datetime) -> None:
    """Give leases back untouched, due at `at`."""
    for lease in leases:
        mine = TrackingPoll.objects.filter(parcel_id=lease.parcel_id, lease_token=lease.token, is_active=True)
        mine.update(next_poll_at=at, lease_until=None)


def _jitter(parcel_id: int) -> float:
    return 0.9 + (crc32(str(parcel_id).encode()) % 1000) / 5000


def _spread(due: datetime, *, at: datetime, parcel_id: int) -> datetime:
    """Parcels that left together do not come due in one second."""
    return at + (due - at) * (_jitter(parcel_id) + 0.1)
