"""조회 차선: which account asks which courier just now, and what is kept of each after its answers.

The best healthy account of a courier's route asks. One that refuses us, or whose lane has given no answer for a quarter
of an hour, is only probed, and the next one of the route asks meanwhile; so it does where a rate limit names a wait of
more than that. Source: shipping.md 4.3, 4.4.
"""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db import transaction
from django.db.models import F, Q

from core.masking import mask_text
from shipping.adapters.base import SAMPLE_LIMIT, Cause, TrackResult
from shipping.couriers import COURIERS
from shipping.models import AccountState, CourierRoute, TrackingAccount, TrackingLane
from shipping.services.couriers import note_refused_code, take_codes_again
from shipping.services.polling import breakers, polls
from shipping.services.polling.breakers import Gauge
from shipping.services.polling.sources import code_for

log = logging.getLogger("oms.tracking")

PROBE = timedelta(minutes=5)
FAIL_OVER = timedelta(minutes=15)
WORK_LEASE = timedelta(minutes=5)
"""The longest that one batch takes; a dead process holds its lane up no longer."""
USUAL_SECONDS = 0.8
"""Mean time of an answer (shipping.md 4.5): what an account without a limit asks at most, for its ramp."""
SAMPLE_EVERY = timedelta(hours=1)
DENIED = "인증이 거절되었습니다. 키를 확인하세요."
UNKNOWN = "택배사 코드를 거절했습니다. 설정의 택배사 목록에서 코드를 확인하세요."


class Health(StrEnum):
    """차선 상태."""

    OK = "OK"
    WAITING = "WAITING"
    """The rate limit was met: nothing for a while."""
    OPEN = "OPEN"
    """The breaker is open; not long enough for another account."""
    PROBE = "PROBE"
    """One question may be asked to see whether it is back."""
    AWAY = "AWAY"
    """Blocked, stopped, or open for long: the next account of the route asks."""


@dataclass(frozen=True, slots=True)
class Duty:
    """할 조회: a lane that may ask just now, all it may or one parcel."""

    lane_id: int
    account_id: int
    courier: str
    is_probe: bool


def health_of(lane: TrackingLane, *, at: datetime) -> Health:
    """차선 상태 at a moment; the account comes with the lane."""
    account = lane.account
    if not account.is_active or not code_for(lane.courier, account.kind):
        return Health.AWAY
    if account.state == AccountState.BLOCKED:
        return Health.PROBE if account.retry_at is None or account.retry_at <= at else Health.AWAY
    if lane.opened_until is not None:
        if lane.opened_until <= at:
            return Health.PROBE
        return Health.AWAY if is_away(lane, at=at) else Health.OPEN
    if lane.wait_until is not None and lane.wait_until > at:
        return Health.WAITING
    return Health.OK


def is_away(lane: TrackingLane, *, at: datetime) -> bool:
    """오래 멈춤: open for so long that another account takes over."""
    return lane.opened_at is not None and at - lane.opened_at > FAIL_OVER


def waits_long(until: datetime | None, *, at: datetime) -> bool:
    """오래 기다림: the source wants to be left alone for so long that another account takes over."""
    return until is not None and until - at > FAIL_OVER


def duties(*, at: datetime) -> list[Duty]:
    """할 조회 of every courier: its lane that asks, and lanes that are due for a probe; three queries."""
    return [
        Duty(lane.pk, lane.account_id, courier, is_probe=health == Health.PROBE)
        for courier, standing in _standing(at=at).items()
        for lane, health in standing
        if health in (Health.OK, Health.PROBE)
    ]


def asking_now(*, at: datetime) -> dict[str, TrackingAccount]:
    """묻는 계정 by courier, an outage of the better ones counted: whose quota its questions take now; three queries."""
    found = {}
    for courier, standing in _standing(at=at).items():
        lane, health = standing[-1]
        found[courier] = standing[0][0].account if _is_gone(lane, health, at=at) else lane.account
    return found


def _standing(*, at: datetime) -> dict[str, list[tuple[TrackingLane, Health]]]:
    """By courier its lanes, the best first, as far as one that is not gone: those behind it have nothing to do."""
    routes = routes_now()
    known = _lanes(routes)
    found: dict[str, list[tuple[TrackingLane, Health]]] = {}
    for courier, accounts in routes.items():
        found[courier] = []
        for account in accounts:
            lane = known[account.pk, courier]
            lane.account = account
            health = health_of(lane, at=at)
            found[courier].append((lane, health))
            if not _is_gone(lane, health, at=at):
                break
    return found


def _is_gone(lane: TrackingLane, health: Health, *, at: datetime) -> bool:
    """Away, sent away for long by a rate limit, or only tried to see whether it is back."""
    if health == Health.PROBE:
        return lane.account.state == AccountState.BLOCKED or is_away(lane, at=at)
    return health == Health.AWAY or health == Health.WAITING and waits_long(lane.wait_until, at=at)


def wanted(*, at: datetime) -> list[Duty]:
    """할 일이 있는 차선: those with parcels that are due, and every probe."""
    found = duties(at=at)
    due = polls.couriers_due(couriers={duty.courier for duty in found if not duty.is_probe}, at=at)
    return [duty for duty in found if duty.is_probe or duty.courier in due]


def gauge_of(lane: TrackingLane, *, is_probe: bool) -> Gauge:
    """눈금 for the next batch of a lane; a probe stands for itself."""
    if is_probe:
        return Gauge(is_probe=True)
    return Gauge(samples=lane.samples, in_a_row=lane.failed_in_a_row, first_failed_at=lane.first_failed_at)


def routes_now() -> dict[str, list[TrackingAccount]]:
    """조회 경로: by courier the accounts in use that know it and have not refused its code, the best first."""
    accounts = {one.pk: one for one in TrackingAccount.objects.filter(is_active=True).order_by("pk")}
    chosen: dict[str, list[TrackingAccount]] = defaultdict(list)
    for slug, pk in CourierRoute.objects.order_by("courier", "rank", "pk").values_list("courier", "account_id"):
        if pk in accounts:
            chosen[slug].append(accounts[pk])
    found = {}
    for slug in COURIERS:
        mine = chosen[slug] if slug in chosen else list(accounts.values())
        able = [one for one in mine if code_for(slug, one.kind)]
        if able:
            found[slug] = able
    return found


def _lanes(routes: dict[str, list[TrackingAccount]]) -> dict[tuple[int, str], TrackingLane]:
    known = {(lane.account_id, lane.courier): lane for lane in TrackingLane.objects.all()}
    wanted = [(one, courier) for courier, accounts in routes.items() for one in accounts]
    missing = [TrackingLane(account=one, courier=courier) for one, courier in wanted if (one.pk, courier) not in known]
    if missing:
        TrackingLane.objects.bulk_create(missing, ignore_conflicts=True)
        return {(lane.account_id, lane.courier): lane for lane in TrackingLane.objects.all()}
    return known


def account_of(courier: str, *, routes: Mapping[str, list[TrackingAccount]] | None = None) -> TrackingAccount | None:
    """지금 묻는 계정 of a courier, None when nobody asks about it: the first of its route that is not blocked."""
    able = (routes_now() if routes is None else routes).get(courier, [])
    return next((one for one in able if one.state == AccountState.OK), able[0] if able else None)


def enter(lane_id: int, *, at: datetime) -> TrackingLane | None:
    """차선 맡기: the lane with its account, for exactly one process; None while another one works on it."""
    free = TrackingLane.objects.filter(Q(lease_until=None) | Q(lease_until__lt=at), pk=lane_id)
    # A lease far ahead is that of a clock that was set back.
    odd = TrackingLane.objects.filter(pk=lane_id, lease_until__gt=at + 2 * WORK_LEASE)
    values = {"lease_until": at + WORK_LEASE, "lease_token": F("lease_token") + 1}
    if not free.update(**values) and not odd.update(**values):
        return None
    return TrackingLane.objects.select_related("account").get(pk=lane_id)


def leave(lane: TrackingLane) -> None:
    """차선 놓기."""
    TrackingLane.objects.filter(pk=lane.pk, lease_token=lane.lease_token).update(lease_until=None)


def may_probe(account: TrackingAccount, *, at: datetime) -> bool:
    """시험 조회 맡기: True while an account is not blocked; for one that is, to one caller in five minutes."""
    if account.state != AccountState.BLOCKED:
        return True
    row = TrackingAccount.objects.filter(pk=account.pk, state=AccountState.BLOCKED)
    return bool(row.filter(Q(retry_at=None) | Q(retry_at__lte=at)).update(retry_at=at + PROBE))


def sharing(account: TrackingAccount, *, at: datetime) -> int:
    """한도를 나누는 차선: those of an account that ask now and have parcels due; none of them starves another."""
    couriers = {duty.courier for duty in duties(at=at) if duty.account_id == account.pk and not duty.is_probe}
    return max(1, len(polls.couriers_due(couriers=couriers, at=at)))


def rate_of(lane: TrackingLane, *, at: datetime) -> float | None:
    """차선 속도 in questions a second: less than the account's after a rate limit or an outage; None for no limit."""
    part = lane.factor * breakers.ramp(lane.ramp_from, at=at)
    account = lane.account
    if part >= 1:
        return account.per_second
    return part * (account.per_second or account.concurrency / USUAL_SECONDS)


def note_answers(lane: TrackingLane, gauge: Gauge, results: Sequence[TrackResult], *, at: datetime) -> TrackingLane:
    """응답 기록: the breaker, the rate and the errors of a lane after a batch, and its account's key.

    Returns the lane as it is now. An opened breaker shifts what is due.
    """
    with transaction.atomic():
        account = lane.account
        lane = TrackingLane.objects.select_for_update(no_key=True).get(pk=lane.pk)
        lane.account = account
        was_open = lane.opened_until is not None
        lane.samples, lane.failed_in_a_row = gauge.kept(at=at), min(gauge.in_a_row, 1_000_000)
        lane.first_failed_at = gauge.first_failed_at
        _note_rate(lane, gauge, at=at)
        _note_breaker(lane, gauge, at=at)
        if gauge.good:
            lane.last_ok_at = at
        lane.last_error = breakers.words(results) or ("" if gauge.good else lane.last_error)
        _keep_sample(lane, results, at=at)
        if gauge.is_unknown:
            lane.last_error = UNKNOWN
            if not note_refused_code(slug=lane.courier, system=account.kind, at=at):
                # Another process has just said so, or there is no row to mend: this one need not ask on.
                lane.wait_until = at + PROBE
        lane.save()
    _note_account(account, gauge, at=at)
    if gauge.is_tripped and lane.opened_until is not None:
        if (until := _until_asked_again(lane, lane.opened_until)) > at:
            polls.shift(courier=lane.courier, at=at, until=until)
        if not was_open:
            data = {"data": {"courier": lane.courier, "error": lane.last_error}}
            log.warning("tracking account %s gives no answer", account.code, extra=data)
    return lane


def _until_asked_again(lane: TrackingLane, opened_until: datetime) -> datetime:
    """When its parcels may come due again: another account of the route, if there is one, may ask sooner.

    Probes of a lane that is away for long put nothing off: its parcels are those of the other account.
    """
    accounts = routes_now().get(lane.courier, [])
    has_other = any(one.pk != lane.account_id and one.state == AccountState.OK for one in accounts)
    return min(opened_until, lane.opened_at + FAIL_OVER) if has_other and lane.opened_at else opened_until


def _note_rate(lane: TrackingLane, gauge: Gauge, *, at: datetime) -> None:
    if gauge.pause is not None:
        lane.factor, lane.wait_until = breakers.slower(lane.factor), at + gauge.pause
        lane.clean_from = lane.wait_until
    else:
        lane.factor, lane.clean_from = breakers.faster(lane.factor, lane.clean_from, at=at)


def _note_breaker(lane: TrackingLane, gauge: Gauge, *, at: datetime) -> None:
    if gauge.is_tripped:
        lane.opened_seconds = breakers.open_seconds(lane.opened_seconds)
        lane.opened_until = at + timedelta(seconds=lane.opened_seconds)
        lane.opened_at = lane.opened_at or at
        lane.failing_since = lane.failing_since or gauge.first_failed_at or at
    elif gauge.good and lane.opened_until is not None:
        lane.opened_at = lane.opened_until = lane.failing_since = None
        lane.opened_seconds, lane.ramp_from, lane.samples = 0, at, []
    if gauge.pause is not None and lane.opened_until is not None:
        # A probe may be told to wait, too: the next one comes when the source said.
        lane.opened_until = max(lane.opened_until, at + gauge.pause)


def _keep_sample(lane: TrackingLane, results: Sequence[TrackResult], *, at: datetime) -> None:
    if lane.sample_at is not None and at - lane.sample_at < SAMPLE_EVERY:
        return
    body = next((one.sample for one in results if one.cause == Cause.MALFORMED and one.sample), "")
    if body:
        clean = "".join(char for char in body[:SAMPLE_LIMIT] if char.isprintable() or char in "\n\t")
        lane.sample_body, lane.sample_at = mask_text(clean), at


def _note_account(account: TrackingAccount, gauge: Gauge, *, at: datetime) -> None:
    """One alert per account: a refused key blocks it, a good answer frees it."""
    if gauge.is_denied:
        block(account, at=at)
    elif gauge.good:
        free(account, at=at)


def block(account: TrackingAccount, *, at: datetime) -> None:
    """계정 막힘: its key was refused; said once, and tried again by one probe in five minutes."""
    row = TrackingAccount.objects.filter(pk=account.pk)
    if row.exclude(state=AccountState.BLOCKED).update(
        state=AccountState.BLOCKED, blocked_at=at, last_error=DENIED, retry_at=at + PROBE
    ):
        log.error("tracking account %s was refused", account.code)
    else:
        row.update(retry_at=at + PROBE)


def free(account: TrackingAccount, *, at: datetime) -> None:
    """계정 정상: its key is taken."""
    row = TrackingAccount.objects.filter(pk=account.pk)
    blocked = row.filter(state=AccountState.BLOCKED)
    if blocked.update(state=AccountState.OK, blocked_at=None, last_error="", retry_at=None):
        # What came due meanwhile is asked about slowly at first, as after an outage.
        TrackingLane.objects.filter(account=account).update(ramp_from=at)
    row.filter(Q(last_ok_at=None) | Q(last_ok_at__lt=at - timedelta(minutes=1))).update(last_ok_at=at)


def reset(account: TrackingAccount, *, at: datetime) -> None:
    """다시 시도: settings of an account have changed, so its lanes are tried again at once, with every code we have."""
    take_codes_again(system=account.kind)
    mine = TrackingLane.objects.filter(account=account)
    mine.update(wait_until=None)
    mine.exclude(opened_until=None).update(opened_until=at)


def couriers_of(account: TrackingAccount) -> list[str]:
    """택배사 that an account can be asked about."""
    return [slug for slug in COURIERS if code_for(slug, account.kind)]
