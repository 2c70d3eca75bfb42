"""배송조회: ask the tracking source about leased parcels and hand its answers over to be written.

The calls run outside any transaction; answers.py writes. An account that refuses us or does not answer is only probed,
ever more rarely, so that a fault of the source costs one call. Source: shipping.md 4.3, 4.4.
"""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from core.failpoints import declare, failpoint
from shipping.adapters.base import TrackingSource, TrackOutcome, TrackResult
from shipping.couriers import COURIERS
from shipping.models import AccountState, TrackingAccount
from shipping.services.tracking import polling
from shipping.services.tracking.answers import RATE_PAUSE, write_answers
from shipping.services.tracking.polling import Lease
from shipping.services.tracking.sources import IN_FLIGHT, open_source

log = logging.getLogger("oms.tracking")

PROBE = timedelta(minutes=5)
FIRST_RETRY, LAST_RETRY = timedelta(minutes=1), timedelta(minutes=15)
MANY = 5
"""Answers without a single good one that open the breaker at once; fewer count up to it."""
GOOD = frozenset({TrackOutcome.FOUND, TrackOutcome.NOT_FOUND, TrackOutcome.BAD_NUMBER})

ASKED = declare("poll_asked_before_write", "the source has answered; nothing is written, the leases are held")


def poll_due(*, at: datetime, limit: int = 200) -> int:
    """Ask about the parcels that are due; returns how many answers were written. A blocked account is only probed."""
    account = TrackingAccount.objects.filter(code=polling.SOURCE, is_active=True).first()
    if account is None or (account.retry_at is not None and at < account.retry_at):
        return 0
    is_probe = account.retry_at is not None
    leases = polling.claim(at=at, limit=1 if is_probe else limit)
    if not leases:
        return 0
    with open_source(account) as source, ThreadPoolExecutor(min(IN_FLIGHT, len(leases))) as pool:
        results = list(pool.map(lambda lease: _ask(source, lease), leases))
    failpoint(ASKED)
    _note_account(account, results, at=at)
    return write_answers(answers=list(zip(leases, results, strict=True)), at=at, speed=account.speed)


def _ask(source: TrackingSource, lease: Lease) -> TrackResult:
    return source.track(carrier=COURIERS[lease.courier].code(source.name), number=lease.waybill)


def _note_account(account: TrackingAccount, results: Sequence[TrackResult], *, at: datetime) -> None:
    """One alert per account: refused keys block it, silence opens the breaker, a good answer frees it."""
    outcomes = [result.outcome for result in results]
    if TrackOutcome.AUTH in outcomes:
        account.state, account.last_error = AccountState.BLOCKED, "인증이 거절되었습니다. 키를 확인하세요."
        account.blocked_at = account.blocked_at or at
        account.retry_at = at + PROBE
        log.error("tracking account %s was refused", account.code)
    elif GOOD & set(outcomes):
        account.state, account.blocked_at, account.last_error = AccountState.OK, None, ""
        account.failing_since, account.failures, account.retry_at, account.last_ok_at = None, 0, None, at
        if TrackOutcome.RATE_LIMITED in outcomes:
            account.retry_at = at + _pause(results)
    elif TrackOutcome.RATE_LIMITED in outcomes:
        account.retry_at = at + _pause(results)
    else:
        _note_silence(account, results, at=at)
    account.save(
        update_fields=[
            "state", "blocked_at", "last_error", "last_ok_at", "failing_since", "failures", "retry_at", "updated_at",
        ]
    )  # fmt: skip


def _note_silence(account: TrackingAccount, results: Sequence[TrackResult], *, at: datetime) -> None:
    first = results[0]
    account.failures = min(account.failures + len(results), 30_000)
    account.last_error = f"{first.cause or first.outcome}: {first.detail}"[:300]
    if account.failures < MANY:
        return
    account.failing_since = account.failing_since or at
    passed = at - account.failing_since
    account.retry_at = at + min(max(FIRST_RETRY, passed), LAST_RETRY)
    log.warning("tracking account %s gives no answer", account.code, extra={"data": {"failures": account.failures}})


def _pause(results: Sequence[TrackResult]) -> timedelta:
    waits = [timedelta(seconds=result.retry_after) for result in results if result.retry_after]
    return max(waits, default=RATE_PAUSE)
