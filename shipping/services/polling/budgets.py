"""조회 한도: no account is asked more often than it allows, by all processes together.

Questions are given places in time, one behind the other, so that no second holds more of them than it may; a row says
when the next place is. Whoever takes places sends his questions at their moments.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F

from core.calendar import kst_date
from shipping.models import TrackingAccount, TrackingBudget
from shipping.services.polling.planning import HINT_SHARE, STAFF_SHARE

HORIZON = timedelta(seconds=1)
"""So far ahead places are given away."""
SKEW = timedelta(minutes=1)
STAFF_BURST, HINT_BURST = timedelta(minutes=10), timedelta(seconds=10)
"""Staff may use the share of ten minutes at one stroke: a list of parcels that they have chosen."""


@dataclass(frozen=True, slots=True)
class Places:
    """자리: how many questions may be asked, when the first (seconds from now), and how far apart.

    Where there is none, `first` says when one may be: infinite for not today.
    """

    count: int
    first: float = 0.0
    apart: float = 0.0


def room(next_at: datetime | None, *, rate: float, at: datetime, horizon: timedelta) -> tuple[datetime, int]:
    """빈 자리: when the next place is, and how many there are within the horizon."""
    space = 1 / rate
    longest = at + horizon + SKEW + timedelta(seconds=2 * space)
    # A moment far ahead is that of a clock that was set back; one nearer may be that of another host.
    begin = next_at if next_at is not None and at < next_at <= longest else at
    left = (at + horizon - begin).total_seconds()
    return begin, math.ceil(left / space - 1e-9) if left > 0 else 0


def take(
    account: TrackingAccount, *, wanted: int, at: datetime, rate: float | None, horizon: timedelta = HORIZON
) -> Places:
    """자리 받기 for regular questions: at most `wanted`; the last 5 % of a day's quota are left to staff.

    `rate` is what the account allows in a second, None for no limit.
    """
    with transaction.atomic():
        budget = _locked(account, at=at)
        if account.per_day is not None:
            wanted = min(wanted, _left_today(budget, per_day=account.per_day))
            if wanted <= 0:
                return Places(0, math.inf)
        begin, count = at, wanted
        if rate is not None:
            begin, left = room(budget.next_slot_at, rate=rate, at=at, horizon=horizon)
            count = min(wanted, left)
            if count > 0:
                budget.next_slot_at = begin + timedelta(seconds=count / rate)
        if count <= 0:
            return Places(0, (begin - at).total_seconds())
        budget.used += count
        budget.save(update_fields=["next_slot_at", "day", "used", "staff_used", "hint_used"])
    return Places(count, (begin - at).total_seconds(), 0.0 if rate is None else 1 / rate)


def is_spent(account: TrackingAccount, budget: TrackingBudget, *, at: datetime) -> bool:
    """하루 한도를 다 씀: regular questions wait for tomorrow."""
    is_today = budget.day == kst_date(at)
    return account.per_day is not None and is_today and _left_today(budget, per_day=account.per_day) <= 0


def _left_today(budget: TrackingBudget, *, per_day: int) -> int:
    return math.floor(per_day * (1 - STAFF_SHARE)) - (budget.used - budget.staff_used)


def give_back(account: TrackingAccount, *, count: int, at: datetime) -> None:
    """한도 돌려주기: places of today that were taken and not used count no more; their moments are past."""
    if count > 0:
        mine = TrackingBudget.objects.filter(pk=account.pk, day=kst_date(at), used__gte=count)
        mine.update(used=F("used") - count)


def take_for_staff(account: TrackingAccount, *, wanted: int, at: datetime) -> int:
    """직원 조회 한도: how many of these may be asked about at once, from the 5 % that are kept for it."""
    with transaction.atomic():
        budget = _locked(account, at=at)
        given = _for_staff(account, budget, wanted=wanted, at=at)
        budget.staff_used += given
        budget.save(update_fields=["staff_slot_at", "day", "used", "staff_used", "hint_used"])
    return given


def left_for_staff(account: TrackingAccount, *, wanted: int, at: datetime) -> int:
    """직원 조회 한도 미리보기: how many of these `take_for_staff` would give now; nothing is written."""
    budget = TrackingBudget.objects.filter(pk=account.pk).first() or TrackingBudget(account=account)
    return _for_staff(account, _of_today(budget, at=at), wanted=wanted, at=at)


def _for_staff(account: TrackingAccount, budget: TrackingBudget, *, wanted: int, at: datetime) -> int:
    given = wanted
    if account.per_second is not None:
        rate = account.per_second * STAFF_SHARE
        begin, left = room(budget.staff_slot_at, rate=rate, at=at, horizon=STAFF_BURST)
        given = min(given, left)
        budget.staff_slot_at = begin + timedelta(seconds=given / rate)
    if account.per_day is not None:
        given = max(0, min(given, math.ceil(account.per_day * STAFF_SHARE) - budget.staff_used))
    return given


def take_for_hint(account: TrackingAccount, *, at: datetime) -> bool:
    """알림 조회 한도: whether what a push hinted at may be asked about now; at most 30 % of the account."""
    with transaction.atomic():
        budget = _locked(account, at=at)
        if account.per_day is not None and budget.hint_used >= account.per_day * HINT_SHARE:
            return False
        if account.per_second is not None:
            rate = account.per_second * HINT_SHARE
            begin, left = room(budget.hint_slot_at, rate=rate, at=at, horizon=HINT_BURST)
            if not left:
                return False
            budget.hint_slot_at = begin + timedelta(seconds=1 / rate)
        budget.hint_used += 1
        budget.save(update_fields=["hint_slot_at", "day", "used", "staff_used", "hint_used"])
    return True


def _locked(account: TrackingAccount, *, at: datetime) -> TrackingBudget:
    """The row of an account, held, counting this day."""
    TrackingBudget.objects.bulk_create([TrackingBudget(account=account)], ignore_conflicts=True)
    return _of_today(TrackingBudget.objects.select_for_update(no_key=True).get(pk=account.pk), at=at)


def _of_today(budget: TrackingBudget, *, at: datetime) -> TrackingBudget:
    today = kst_date(at)
    if budget.day != today:
        budget.day, budget.used, budget.staff_used, budget.hint_used = today, 0, 0, 0
    return budget
