"""소식이 끊김: parcels of a feed that is not heard are asked about one by one, and left to it again when it is back."""

import logging
from datetime import datetime, time, timedelta
from typing import Any

from django.db import connection, transaction

from core.calendar import KST
from core.lookups import text_array
from shipping.models import FeedState, TrackingAccount
from shipping.services.polling import lanes
from shipping.services.polling.planning import PACES, RULES, Pace
from shipping.states import TrackingStage

log = logging.getLogger("oms.tracking")

OPENS, CLOSES = time(7), time(23)
"""Hours in which a feed is read (shipping.md 11); a sandbox has none."""
SILENT = timedelta(minutes=15)
LATE = time(21)
MORNING = time(8)
DAILY = timedelta(hours=RULES[Pace.TOLD].hours)

# Rows that somebody is writing just now are planned by him; those that are asked about keep their lease.
_MINE = """
WITH mine AS (
    SELECT parcel_id FROM shipping_trackingpoll
    WHERE told_by = %(code)s AND is_active AND (lease_until IS NULL OR lease_until < %(at)s) AND {more}
    FOR UPDATE SKIP LOCKED)
"""
_ASK = f"""
{_MINE.format(more="pace = 'TOLD'")}
UPDATE shipping_trackingpoll t
SET pace = r.pace, next_poll_at = GREATEST(
    LEAST(t.next_poll_at, %(from)s + r.wait * (t.parcel_id * 7919 %% 1000) / 1000.0),
    COALESCE(t.last_ok_at + %(least)s, %(at)s))
FROM mine, shipping_parcel p,
    unnest(%(stages)s::text[], %(paces)s::text[], %(waits)s::interval[]) AS r(stage, pace, wait)
WHERE p.id = t.parcel_id AND r.stage = p.stage AND t.parcel_id = mine.parcel_id
"""
_LEAVE = f"""
{_MINE.format(more="pace <> 'TOLD'")}
UPDATE shipping_trackingpoll t
SET pace = 'TOLD', next_poll_at = %(at)s + %(wait)s * (0.9 + 0.2 * (t.parcel_id * 7919 %% 1000) / 1000.0)
FROM mine WHERE t.parcel_id = mine.parcel_id
"""


def is_open(at: datetime, *, speed: int) -> bool:
    """수신 시간: between 07 and 23 o'clock in Seoul; always for a sandbox."""
    return speed > 1 or OPENS <= at.astimezone(KST).time() < CLOSES


def open_time(since: datetime, until: datetime, *, speed: int) -> timedelta:
    """수신 시간 that has passed between two moments; at most two days of it are counted."""
    if speed > 1 or until - since > timedelta(days=2):
        return until - since
    total, day = timedelta(), since.astimezone(KST).date()
    while day <= until.astimezone(KST).date():
        begin = max(since, datetime.combine(day, OPENS, KST))
        end = min(until, datetime.combine(day, CLOSES, KST))
        total += max(timedelta(), end - begin)
        day += timedelta(days=1)
    return total


def is_silent(state: FeedState, *, at: datetime) -> bool:
    """소식이 끊겼나: 15 minutes of its hours without a run that was answered, or the account is out of use."""
    if state.last_ok_at is None:
        return False
    if not state.account.is_active:
        return True
    speed = state.account.speed
    return open_time(state.last_ok_at, at, speed=speed) > max(SILENT / speed, SILENT / 15)


def fall_back(state: FeedState, *, at: datetime) -> int:
    """단건 조회로 바꾸기: its parcels come due by their stage, spread over the interval of it; how many. Said once."""
    account = state.account
    with transaction.atomic():
        mine = FeedState.objects.filter(pk=account.pk, silent_since=None, last_ok_at=state.last_ok_at)
        if not mine.update(silent_since=at):
            return 0
        count = _ask(account, at=at)
    log.error("the feed of tracking account %s is silent", account.code, extra={"data": {"parcels": count}})
    return count


def _ask(account: TrackingAccount, *, at: datetime) -> int:
    stages = ["", *TrackingStage.values]
    paces = [PACES.get(stage, Pace.WAITING) for stage in stages]
    waits = [f"{RULES[pace].hours / account.speed} hours" for pace in paces]
    values: dict[str, Any] = {
        "code": account.code, "at": at, "from": _awake(at, speed=account.speed), "least": _least(account),
        "stages": text_array(stages), "paces": text_array(paces), "waits": text_array(waits),
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_ASK, values)
        return int(cursor.rowcount)


def come_back(account: TrackingAccount, *, at: datetime) -> int:
    """소식에 맡기기: once a day is enough again; how many parcels."""
    values: dict[str, Any] = {"code": account.code, "at": at, "wait": DAILY / account.speed}
    with connection.cursor() as cursor:
        cursor.execute(_LEAVE, values)
        return int(cursor.rowcount)


def _awake(at: datetime, *, speed: int) -> datetime:
    """Nobody is asked in the night because a feed fell silent in the evening."""
    local = at.astimezone(KST)
    if speed > 1 or local.time() < LATE:
        return at
    return datetime.combine(local.date() + timedelta(days=1), MORNING, KST)


def _least(account: TrackingAccount) -> timedelta:
    """What the sources that ask now want between two questions about a parcel; the feed's own news counts as one."""
    routes = lanes.routes_now()
    asking = [lanes.account_of(courier, routes=routes) for courier in lanes.couriers_of(account)]
    least = max((one.min_interval / one.speed for one in asking if one is not None), default=0)
    return timedelta(seconds=least)
