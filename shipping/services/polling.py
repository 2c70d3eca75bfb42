"""조회 예약: which parcels are due to be asked about, leased so that two workers never ask for the same one.

The table is narrow and hot; a lease pushes `next_poll_at` and carries a token that the writer must still hold.
Intervals: shipping.md 4.2; errors: 4.4.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zlib import crc32

from django.db import connection

from core.calendar import KST
from shipping.couriers import COURIERS
from shipping.models import Parcel, TrackingPoll
from shipping.states import TrackingStage

SOURCE = "tracker_delivery"
LEASE = timedelta(minutes=10)
T = TrackingStage
# Hours between two polls by day; None = the courier's night brings nothing new.
DAY_HOURS = {T.PICKED_UP: 4, T.IN_TRANSIT: 4, T.OUT_FOR_DELIVERY: 1, T.ATTEMPT_FAILED: 4, T.AVAILABLE_FOR_PICKUP: 6,
             T.PICKUP_FAILED: 4, T.RETURNING: 12, T.EXCEPTION: 24}  # fmt: skip
BACK_OFF = (timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1), timedelta(hours=4), timedelta(hours=12))
FINISHED = frozenset({T.DELIVERED, T.RETURNED, T.CANCELLED})
EVENING, MORNING = 22, 8


@dataclass(frozen=True, slots=True)
class Lease:
    """임대: one parcel to ask about, and the token that allows writing the answer."""

    parcel_id: int
    courier: str
    waybill: str
    token: int
    fail_count: int


def start(*, parcels: Sequence[Parcel], at: datetime) -> None:
    """Begin (or begin again) to ask about parcels that left the house, when the courier is known to the source."""
    TrackingPoll.objects.bulk_create(
        [
            TrackingPoll(
                parcel=parcel,
                source=SOURCE,
                courier=parcel.courier,
                waybill=parcel.waybill,
                next_poll_at=at,
            )
            for parcel in parcels
            if COURIERS[parcel.courier].code(SOURCE)
        ],
        update_conflicts=True,
        unique_fields=["parcel"],
        update_fields=["courier", "waybill", "next_poll_at"],
    )
    TrackingPoll.objects.filter(parcel__in=parcels).update(is_active=True, fail_count=0, lease_until=None)


def stop(*, parcels: Sequence[Parcel]) -> None:
    """Ask no more about these parcels."""
    TrackingPoll.objects.filter(parcel__in=parcels).update(is_active=False, lease_until=None)


def claim(*, at: datetime, limit: int = 200) -> list[Lease]:
    """Lease due rows, oldest first, with SKIP LOCKED; they come due again when the lease runs out."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH due AS (
                SELECT parcel_id FROM shipping_trackingpoll
                WHERE is_active AND source = %(source)s AND next_poll_at <= %(at)s
                ORDER BY next_poll_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
            UPDATE shipping_trackingpoll p
            SET next_poll_at = %(until)s, lease_until = %(until)s, lease_token = p.lease_token + 1
            FROM due WHERE p.parcel_id = due.parcel_id
            RETURNING p.parcel_id, p.courier, p.waybill, p.lease_token, p.fail_count
            """,
            {"source": SOURCE, "at": at, "until": at + LEASE, "limit": limit},
        )
        return [Lease(*row) for row in cursor.fetchall()]


def first_poll(*, at: datetime, speed: int = 1) -> datetime:
    """When a parcel that just left is first asked about: not before 20:00 KST of the day and not within 4 hours."""
    if speed > 1:
        return at + timedelta(hours=4) / speed
    evening = at.astimezone(KST).replace(hour=20, minute=0, second=0, microsecond=0)
    return max(at + timedelta(hours=4), evening)


def next_poll(*, parcel_id: int, stage: str, at: datetime, speed: int = 1) -> datetime:
    """When to ask again: by stage, rarer at night, ±10 % jitter that is fixed per parcel.

    `speed` divides the interval (a sandbox account lives faster than a courier).
    """
    hours = DAY_HOURS.get(TrackingStage(stage), 6) if stage else 6
    jitter = 0.9 + (crc32(str(parcel_id).encode()) % 1000) / 5000
    due = at + timedelta(hours=hours) * jitter / speed
    local = due.astimezone(KST)
    if speed == 1 and (local.hour >= EVENING or local.hour < MORNING):
        morning = local.replace(hour=MORNING, minute=0) + timedelta(days=1 if local.hour >= EVENING else 0)
        due = morning + timedelta(minutes=60 * (jitter - 0.9))
    return due


def back_off(fail_count: int, *, at: datetime) -> datetime:
    """When to try again after the n-th failure in a row."""
    return at + BACK_OFF[min(fail_count, len(BACK_OFF)) - 1]


def release(*, leases: Collection[Lease], at: datetime) -> None:
    """Give leases back untouched, due at `at`."""
    for lease in leases:
        TrackingPoll.objects.filter(parcel_id=lease.parcel_id, lease_token=lease.token).update(
            next_poll_at=at, lease_until=None
        )
