"""조회 간격 늘림: every few minutes the parcels on their way are counted and compared with what the accounts allow."""

from collections import defaultdict
from datetime import datetime

from django.db import connection

from shipping.models import TrackingAccount, TrackingBudget
from shipping.services.polling import lanes, planning
from shipping.services.polling.planning import Pace

_COUNTS = "SELECT courier, pace, count(*) FROM shipping_trackingpoll WHERE is_active GROUP BY courier, pace"


def counts() -> dict[str, dict[str, int]]:
    """조회 중인 상자 by courier and pace; reads the narrow table once."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS)
        for courier, pace, count in cursor.fetchall():
            found[courier][pace] = count
    return found


def plan(*, at: datetime) -> int:
    """조회 계획: each account is given the parcels of the couriers that it asks now, and stretches what is too much."""
    told, asking = counts(), lanes.asking_now(at=at)
    asked_by: dict[int, dict[str, dict[str, int]]] = defaultdict(dict)
    for courier, by_pace in told.items():
        account = asking.get(courier)
        if account is not None:
            asked_by[account.pk][courier] = by_pace
    accounts = list(TrackingAccount.objects.order_by("pk"))
    for account in accounts:
        mine = asked_by[account.pk]
        factors = planning.stretches(
            planning.demand(summed(mine), min_interval=account.min_interval),
            planning.allowed(account.per_second, account.per_day),
        )
        TrackingBudget.objects.update_or_create(
            account=account,
            defaults={
                "stretch": {group.value: round(factor, 3) for group, factor in factors.items()},
                "counts": mine,
                "planned_at": at,
            },
        )
    return len(accounts)


def summed(by_courier: dict[str, dict[str, int]]) -> dict[Pace, int]:
    """상자 수 by pace, over all couriers."""
    found = dict.fromkeys(Pace, 0)
    for by_pace in by_courier.values():
        for pace, count in by_pace.items():
            found[Pace(pace)] += count
    return found
