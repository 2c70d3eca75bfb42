"""배송 알림 신청: sources that can call us are asked to, for parcels on their way; a call is only a hint to ask sooner.

What was not asked for, or has lapsed, is asked about as any other parcel. Source: shipping.md 1.1, 4.1, 4.5, 11.
"""

import hmac
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Q

from core.http import HttpProblem
from core.sealing import Unreadable
from core.settings_registry import get_setting
from shipping.adapters.base import PushResult, TrackingPush, TrackOutcome
from shipping.models import AccountState, PushHook, TrackingAccount, TrackingPoll
from shipping.options import PUBLIC_URL
from shipping.services.polling import budgets, lanes, planning, polls
from shipping.services.polling.planning import Pace
from shipping.services.polling.sources import KINDS, code_for, open_push

log = logging.getLogger("oms.tracking")

LIFE, RENEW_BEFORE = timedelta(hours=48), timedelta(hours=8)
"""How long we ask to be called (shipping.md 1.1), and how much of it is left when we ask again (11)."""
LEASE = timedelta(minutes=10)
MOST = 200
SHARE = 0.5
"""At most this part of a second's questions goes into asking to be called; the rest asks about parcels."""
PAUSE, AWAY = timedelta(seconds=60), timedelta(minutes=5)
ADOPTED = 10_000
NOT_SUPPORTED = "이 주소는 알림 신청을 받지 않습니다. 직접 운영하는 서버에는 알림 기능이 없습니다."
NO_ADDRESS = "고객용 주소가 없어 알림을 신청하지 못합니다. 설정의 배송 예외에서 고객용 주소를 입력하세요."
ENDING = frozenset({TrackOutcome.NOT_FOUND, TrackOutcome.BAD_NUMBER, TrackOutcome.UNKNOWN_CARRIER})

_CLAIM = """
WITH due AS (
    SELECT parcel_id FROM shipping_pushhook WHERE due_at <= %(at)s
    ORDER BY due_at LIMIT %(most)s FOR UPDATE SKIP LOCKED)
UPDATE shipping_pushhook h SET due_at = %(until)s FROM due WHERE h.parcel_id = due.parcel_id RETURNING h.parcel_id
"""
_ADOPT = """
INSERT INTO shipping_pushhook (parcel_id, due_at, fails)
SELECT t.parcel_id, %(at)s, 0 FROM shipping_trackingpoll t JOIN shipping_parcel p ON p.id = t.parcel_id
WHERE t.is_active AND t.courier = ANY(%(couriers)s::text[]) AND t.told_by = '' AND p.state = 'HANDED_OVER'
  AND NOT EXISTS (SELECT 1 FROM shipping_pushhook h WHERE h.parcel_id = t.parcel_id)
ORDER BY t.parcel_id LIMIT %(most)s
ON CONFLICT DO NOTHING
"""
# Nobody calls about these any more: they are asked about by their stage again.
_LAPSED = """
WITH lapsed AS (
    SELECT l.parcel_id FROM shipping_trackingpoll l
    LEFT JOIN shipping_pushhook h ON h.parcel_id = l.parcel_id AND h.until > %(at)s
    WHERE l.is_active AND l.told_by = ANY(%(codes)s::text[]) AND h.parcel_id IS NULL
      AND (l.lease_until IS NULL OR l.lease_until < %(at)s)
    FOR UPDATE OF l SKIP LOCKED)
UPDATE shipping_trackingpoll t
SET told_by = '', next_poll_at = LEAST(t.next_poll_at, %(at)s + %(wait)s * (t.parcel_id * 7919 %% 1000) / 1000.0)
FROM lapsed WHERE t.parcel_id = lapsed.parcel_id
"""

Sleep = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class _Wish:
    """알림 신청 한 건: a parcel of which an account is asked to tell us."""

    parcel_id: int
    carrier: str
    number: str
    fails: int


def new_token() -> str:
    """알림 주소의 끝: 32 random bytes."""
    return secrets.token_urlsafe(32)


def account_of_token(token: str) -> TrackingAccount | None:
    """알림을 보낸 계정: compared in constant time with the token of every account; None for none of them."""
    found = None
    for account in TrackingAccount.objects.exclude(hook_token="").filter(is_active=True):
        if hmac.compare_digest(account.hook_token.encode(), token.encode("utf-8", "replace")):
            found = account
    return found


def address_of_hook(account: TrackingAccount) -> str:
    """알림 주소 that the source calls; empty without a token or without an address of ours."""
    base = str(get_setting(PUBLIC_URL.key) or "").rstrip("/")
    return f"{base}/hooks/tracking/{account.hook_token}/" if base and account.hook_token else ""


def can_push(account: TrackingAccount) -> bool:
    """알림을 신청할 계정."""
    able = account.kind in KINDS and KINDS[account.kind].has_push
    return able and account.is_active and bool(account.hook_token) and not account.hook_error


def register_due(*, at: datetime, sleep: Sleep = time.sleep) -> int:
    """알림 신청, new ones and those to be prolonged, one round; how many rows were taken up."""
    if not PushHook.objects.filter(due_at__lte=at).exists():
        return 0
    accounts = [one for one in TrackingAccount.objects.exclude(hook_token="") if can_push(one)]
    room = {one.pk: _room(one) for one in accounts if one.state == AccountState.OK and address_of_hook(one)}
    if not room:
        return 0
    with connection.cursor() as cursor:
        values: dict[str, Any] = {"at": at, "until": at + LEASE, "most": min(MOST, sum(room.values()))}
        cursor.execute(_CLAIM, values)
        ids = [pk for (pk,) in cursor.fetchall()]
    by_account = _wishes(ids, accounts)
    for account in accounts:
        mine = by_account.get(account.pk, [])
        if mine:
            _ask(account, mine, most=room.get(account.pk, 0), at=at, sleep=sleep)
    return len(ids)


def _room(account: TrackingAccount) -> int:
    return MOST if account.per_second is None else max(1, int(account.per_second * SHARE))


def _wishes(ids: Sequence[int], accounts: Sequence[TrackingAccount]) -> dict[int, list[_Wish]]:
    """By account what it is asked to tell of; rows of parcels that arrived, or that others tell of, are forgotten."""
    routes = lanes.routes_now()
    able = {one.pk: one for one in accounts}
    fails = dict(PushHook.objects.filter(pk__in=ids).values_list("pk", "fails"))
    found: dict[int, list[_Wish]] = {}
    kept: set[int] = set()
    feeds = set(polls.tellers_now()) - {one.code for one in accounts}
    for poll in TrackingPoll.objects.filter(pk__in=ids, is_active=True):
        account = lanes.account_of(poll.courier, routes=routes)
        if account is None or account.pk not in able or poll.told_by in feeds:
            continue
        kept.add(poll.pk)
        wish = _Wish(poll.pk, code_for(poll.courier, account.kind), poll.waybill, fails.get(poll.pk, 0))
        found.setdefault(account.pk, []).append(wish)
    _forget(set(ids) - kept)
    return found


def _ask(account: TrackingAccount, wishes: Sequence[_Wish], *, most: int, at: datetime, sleep: Sleep) -> None:
    places = budgets.take(account, wanted=min(most, len(wishes)), at=at, rate=account.per_second)
    now, later = wishes[: places.count], wishes[places.count :]
    # What today has no room for need not be looked at again every moment.
    again_at = at if now or places.first < AWAY.total_seconds() else at + AWAY
    PushHook.objects.filter(pk__in=[one.parcel_id for one in later]).update(due_at=again_at)
    if not now:
        sleep(0.1)
        return
    address, until = address_of_hook(account), at + LIFE
    try:
        with open_push(account) as push, ThreadPoolExecutor(min(account.concurrency, len(now)), "hooks") as pool:
            began = time.monotonic()

            def one(place: int, wish: _Wish) -> PushResult:
                wait = places.first + place * places.apart - (time.monotonic() - began)
                if wait > 0:
                    sleep(wait)
                return _subscribed(push, wish, address=address, until=until)

            results = list(pool.map(one, range(len(now)), now))
    except (HttpProblem, ValueError, LookupError, Unreadable) as error:
        log.warning("hooks of tracking account %s cannot be asked for: %s", account.code, type(error).__name__)
        PushHook.objects.filter(pk__in=[wish.parcel_id for wish in now]).update(due_at=at + AWAY)
        return
    _note(account, list(zip(now, results, strict=True)), until=until, at=at)


def _subscribed(push: TrackingPush, wish: _Wish, *, address: str, until: datetime) -> PushResult:
    return push.subscribe(carrier=wish.carrier, number=wish.number, address=address, until=until)


def _note(
    account: TrackingAccount, answers: Sequence[tuple[_Wish, PushResult]], *, until: datetime, at: datetime
) -> None:
    """What became of it; the parcel's questions become rare at the next answer, not before."""
    good = [wish.parcel_id for wish, result in answers if result.outcome == TrackOutcome.FOUND]
    mine = PushHook.objects.filter(pk__in=good)
    mine.update(account=account, until=until, due_at=until - RENEW_BEFORE, fails=0)
    TrackingPoll.objects.filter(pk__in=good, is_active=True).update(told_by=account.code)
    if any(not result.is_supported for _, result in answers):
        _refuse(account)
        return
    _forget({wish.parcel_id for wish, result in answers if result.outcome in ENDING})
    for wish, result in answers:
        row = PushHook.objects.filter(pk=wish.parcel_id)
        if result.outcome == TrackOutcome.RATE_LIMITED:
            row.update(due_at=at + (timedelta(seconds=result.retry_after) if result.retry_after else PAUSE))
        elif result.outcome == TrackOutcome.AUTH:
            row.update(due_at=at + AWAY)
        elif result.outcome == TrackOutcome.UNAVAILABLE:
            fails = min(wish.fails + 1, 30_000)
            row.update(due_at=polls.back_off(fails, at=at, parcel_id=wish.parcel_id), fails=fails)
    if any(result.outcome == TrackOutcome.AUTH for _, result in answers):
        lanes.block(account, at=at)


def _refuse(account: TrackingAccount) -> None:
    """A server that cannot call: said once; nothing more is asked for until the account is saved again."""
    if TrackingAccount.objects.filter(pk=account.pk, hook_error="").update(hook_error=NOT_SUPPORTED):
        log.error("tracking account %s cannot call us", account.code)


def _forget(parcel_ids: set[int]) -> None:
    PushHook.objects.filter(pk__in=parcel_ids).delete()


def tend(*, at: datetime) -> int:
    """알림 돌보기, hourly: parcels without a hook get one, lapsed ones are asked about again; how many rows."""
    routes = lanes.routes_now()
    couriers = [slug for slug in routes if (one := lanes.account_of(slug, routes=routes)) is not None and can_push(one)]
    able = [kind.name for kind in KINDS.values() if kind.has_push]
    codes = list(TrackingAccount.objects.filter(kind__in=able).values_list("code", flat=True))
    PushHook.objects.filter(~Q(parcel__poll__is_active=True)).delete()
    wait = timedelta(hours=planning.RULES[Pace.MOVING].hours)
    with connection.cursor() as cursor:
        lapsed: dict[str, Any] = {"at": at, "codes": codes, "wait": wait}
        cursor.execute(_LAPSED, lapsed)
        count = cursor.rowcount
        if couriers:
            cursor.execute(_ADOPT, {"at": at, "couriers": couriers, "most": ADOPTED})
            count += cursor.rowcount
    return int(count)
