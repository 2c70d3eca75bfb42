"""조회 예약: which parcels are due to be asked about, leased so that two workers never ask for the same one.

The table is narrow and hot; a lease pushes `next_poll_at` and carries a token that the writer must still hold. Every
start and stop takes the token away from whoever is asking just then. When to ask is decided by planning.py.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Exists, F, OuterRef, Q

from core.calendar import SATURDAY, BusinessCalendar, business_calendar, kst_date, public_holidays
from core.lookups import id_array, text_array
from shipping.couriers import COURIERS
from shipping.models import FeedState, Parcel, PushHook, TrackingAccount, TrackingPoll
from shipping.services.polling import planning
from shipping.services.polling.planning import EXPIRED, RULES, Pace, pace_of
from shipping.services.polling.sources import KINDS, code_for
from shipping.states import ParcelState, TrackingStage

SOURCE = "tracker_delivery"
LEASE = timedelta(minutes=10)
T = TrackingStage
FINISHED = frozenset({T.DELIVERED, T.RETURNED, T.CANCELLED})
AT_ONCE = datetime(2000, 1, 1, tzinfo=UTC)
"""`next_poll_at` of what staff ask for: before everything that is merely due."""

# Without the courier in the condition the planner would sort every due row (shipping.md 4.3).
# The commit does not wait for the disk: a lease that a crash of the server loses is a question asked again.
CLAIM = """
WITH due AS (
    SELECT p.parcel_id FROM shipping_trackingpoll p
    WHERE p.is_active AND p.courier = %(courier)s AND p.next_poll_at <= %(due)s
    ORDER BY p.next_poll_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
UPDATE shipping_trackingpoll p
SET next_poll_at = %(until)s, lease_until = %(until)s, lease_token = p.lease_token + 1, source = %(source)s
FROM due, set_config('synchronous_commit', 'off', true) AS quiet WHERE p.parcel_id = due.parcel_id
RETURNING p.parcel_id, p.courier, p.waybill, p.lease_token, p.fail_count, p.source
"""
_COUNT = """
SELECT count(*) FROM (SELECT 1 FROM shipping_trackingpoll
    WHERE is_active AND courier = %s AND next_poll_at <= %s LIMIT %s) due
"""
_WAITING = """
SELECT c.courier FROM unnest(%s::text[]) AS c(courier) WHERE EXISTS (
    SELECT 1 FROM shipping_trackingpoll p WHERE p.is_active AND p.courier = c.courier AND p.next_poll_at <= %s)
"""
# As above in a WITH: rows to lock that stand in an IN may be read anew for every row of the table (20,000: minutes).
_SHIFT = """
WITH due AS (
    SELECT parcel_id FROM shipping_trackingpoll
    WHERE is_active AND courier = %(courier)s AND next_poll_at <= %(until)s
        AND (lease_until IS NULL OR lease_until < %(at)s)
    FOR UPDATE SKIP LOCKED)
UPDATE shipping_trackingpoll p
SET next_poll_at = %(until)s + %(spread)s * ((p.parcel_id * 7919 %% 1000) / 1000.0)
FROM due WHERE p.parcel_id = due.parcel_id
"""
# A row that is there begins anew: its courier and number may be others now, and nobody's lease holds any more.
_START = """
INSERT INTO shipping_trackingpoll (parcel_id, source, courier, waybill, pace, next_poll_at, lease_token, fail_count,
                                   last_hash, last_error, is_active, told_by)
SELECT v.parcel_id, %(source)s, v.courier, v.waybill, 'NEW', v.due, 1, 0, '', '', true, ''
FROM unnest(%(parcels)s::bigint[], %(couriers)s::text[], %(waybills)s::text[], %(due)s::timestamptz[])
     AS v(parcel_id, courier, waybill, due)
ON CONFLICT (parcel_id) DO UPDATE
SET courier = excluded.courier, waybill = excluded.waybill, pace = excluded.pace, next_poll_at = excluded.next_poll_at,
    is_active = true, fail_count = 0, lease_until = NULL, lease_token = shipping_trackingpoll.lease_token + 1
"""
_RELEASE = """
UPDATE shipping_trackingpoll p SET next_poll_at = %s, lease_until = NULL
FROM unnest(%s::bigint[], %s::bigint[]) AS l(parcel_id, token)
WHERE p.parcel_id = l.parcel_id AND p.lease_token = l.token AND p.is_active
"""


@dataclass(frozen=True, slots=True)
class Lease:
    """임대: one parcel to ask about, and the token that allows writing the answer."""

    parcel_id: int
    courier: str
    waybill: str
    token: int
    fail_count: int
    source: str = SOURCE
    """Code of the account that asks."""


@dataclass(frozen=True, slots=True)
class Terms:
    """조회 조건 of some accounts: what the planner needs to know when it sets the next question."""

    calendar: BusinessCalendar
    accounts: Mapping[str, tuple[int, Mapping[str, float]]] = field(default_factory=dict)
    """By code: the least seconds between two questions, and what its quota stretches."""
    tellers: frozenset[str] = frozenset()
    """Codes of accounts that tell by themselves, and do so now."""


def asked_couriers() -> list[str]:
    """조회하는 택배사: slugs that some kind of source knows and has not refused."""
    return [slug for slug in COURIERS if any(code_for(slug, kind) for kind in KINDS)]


def start(*, parcels: Sequence[Parcel], at: datetime) -> None:
    """Begin (or begin again) to ask about parcels that left the house, when a source knows the courier."""
    known = set(asked_couriers())
    asked = [parcel for parcel in parcels if parcel.courier in known]
    if not asked:
        return
    accounts = TrackingAccount.objects.filter(is_active=True).order_by("pk")
    able = list(accounts.values_list("code", "speed", "hook_token"))
    code, speed, _ = able[0] if able else (SOURCE, 1, "")
    with connection.cursor() as cursor:
        cursor.execute(
            _START,
            {
                "source": code,
                "parcels": id_array(parcel.pk for parcel in asked),
                "couriers": text_array(parcel.courier for parcel in asked),
                "waybills": text_array(parcel.waybill for parcel in asked),
                "due": text_array(first_poll(at=at, parcel_id=one.pk, speed=speed).isoformat() for one in asked),
            },
        )
    if any(token for _, _, token in able):
        _want_hooks([parcel for parcel in asked if parcel.state == ParcelState.HANDED_OVER], at=at)


def _want_hooks(parcels: Sequence[Parcel], *, at: datetime) -> None:
    """Some source may call us: whether it does for this courier is found out when it is asked to (pushes.py)."""
    PushHook.objects.bulk_create(
        [PushHook(parcel=parcel, due_at=at) for parcel in parcels],
        update_conflicts=True,
        unique_fields=["parcel"],
        update_fields=["due_at", "until", "fails"],
    )


def stop(*, parcels: Sequence[Parcel]) -> None:
    """Ask no more about these parcels; an answer that is on its way is not written."""
    if parcels:
        polls = TrackingPoll.objects.filter(parcel__in=[parcel.pk for parcel in parcels])
        polls.update(is_active=False, lease_until=None, lease_token=F("lease_token") + 1)


def claim(
    *, at: datetime, limit: int = 200, courier: str, source: str = SOURCE, ahead: timedelta = timedelta()
) -> list[Lease]:
    """Lease due rows of a courier, oldest first, with SKIP LOCKED; they come due again when the lease runs out.

    `ahead` also takes what falls due so much later, for a probe.
    """
    values: dict[str, Any] = {"courier": courier, "source": source, "due": at + ahead, "until": at + LEASE}
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, values | {"limit": limit})
        return [Lease(*row) for row in cursor.fetchall()]


def count_due(*, courier: str, at: datetime, limit: int) -> int:
    """기한이 된 상자 of a courier, counted up to a limit."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [courier, at, limit])
        return int(cursor.fetchone()[0])


def couriers_due(*, couriers: Iterable[str], at: datetime) -> set[str]:
    """할 일이 있는 택배사: those of these couriers with at least one parcel that is due."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, [sorted(couriers), at])
        return {courier for (courier,) in cursor.fetchall()}


def shift(*, courier: str, at: datetime, until: datetime) -> int:
    """미루기: while a breaker is open, due rows wait for its end, spread over as long again; nobody stampedes."""
    values: dict[str, Any] = {"courier": courier, "at": at, "until": until, "spread": until - at}
    with connection.cursor() as cursor:
        cursor.execute(_SHIFT, values)
        return int(cursor.rowcount)


def release(*, leases: Collection[Lease], at: datetime) -> None:
    """Give leases back untouched, due at `at`."""
    if leases:
        ids, tokens = [lease.parcel_id for lease in leases], [lease.token for lease in leases]
        with connection.cursor() as cursor:
            cursor.execute(_RELEASE, [at, ids, tokens])


def terms_of(sources: Collection[str]) -> Terms:
    """조회 조건 of accounts by their codes; three small queries."""
    rows = TrackingAccount.objects.filter(code__in=set(sources)).values_list("code", "min_interval", "budget__stretch")
    return Terms(business_calendar(), {code: (least, stretch or {}) for code, least, stretch in rows}, tellers_now())


def tellers_now() -> frozenset[str]:
    """알려 주는 계정 now: feeds that are not silent, and sources that were given our address; one query."""
    heard = FeedState.objects.filter(account=OuterRef("pk"), silent_since=None, last_ok_at__isnull=False)
    calls = Q(hook_token__gt="", hook_error="")
    known = TrackingAccount.objects.filter(Exists(heard) | calls, is_active=True)
    return frozenset(known.values_list("code", flat=True))


def plan_next(
    poll: TrackingPoll, *, stage: str, at: datetime, terms: Terms, speed: int = 1, shipped_at: datetime | None = None
) -> None:
    """다음 조회 예약: sets `pace` and `next_poll_at` of a row that the caller saves."""
    age = (at - (shipped_at or at)).total_seconds() * speed
    pace = Pace.TOLD if poll.told_by and poll.told_by in terms.tellers else pace_of(stage, age=age)
    least, stretch = terms.accounts.get(poll.source, (0, {}))
    due = planning.next_due(
        at.timestamp(),
        key=poll.parcel_id,
        pace=pace,
        is_rest=is_rest_day(terms.calendar, kst_date(at), courier=poll.courier),
        stretch=stretch.get(RULES[pace].group, 1.0),
        min_interval=least,
        speed=speed,
    )
    poll.pace, poll.next_poll_at = pace, moment(due)


def is_rest_day(calendar: BusinessCalendar, day: date, *, courier: str = "") -> bool:
    """쉬는 날: Sundays and holidays; couriers work on Saturdays."""
    if calendar.is_business_day(day, courier=courier):
        return False
    return day.weekday() != SATURDAY or day in public_holidays(day.year)


def first_poll(*, at: datetime, parcel_id: int = 0, speed: int = 1) -> datetime:
    """When a parcel that just left is first asked about: not before 20:00 KST of the day and not within 4 hours."""
    return moment(planning.first_due(at.timestamp(), key=parcel_id, speed=speed))


def is_expired(*, shipped_at: datetime | None, at: datetime) -> bool:
    """조회 종료: a parcel that was not delivered for 30 days of the shop is a case for a person (shipping.md 3.5).

    The speed of a sandbox does not count: its parcels would be given up within hours.
    """
    return shipped_at is not None and at - shipped_at > EXPIRED


def back_off(fail_count: int, *, at: datetime, parcel_id: int = 0) -> datetime:
    """When to try again after the n-th failure in a row, with jitter."""
    return moment(planning.back_off(fail_count, at=at.timestamp(), key=parcel_id))


def moment(seconds: float) -> datetime:
    """일시 of epoch seconds."""
    return datetime.fromtimestamp(seconds, UTC)
