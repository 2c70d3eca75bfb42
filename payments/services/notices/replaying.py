"""알림 다시 처리: a finished notice is due again, one that waits for its next try is due now; what that would change is
found out first, without writing.

The PG is asked before, outside any transaction; the drain asks it once more when the notice is handled.
Source: payments.md 5.1, reliability.md 4.1.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core import drains
from core.cells import short_time
from core.events import record
from core.locks import locked, locking
from core.models import Job
from core.state import Change, Outcome, is_preview, missing, previewing
from payments import events
from payments.adapters.base import Kind, PgProblem
from payments.models import LedgerEntry, Payment, PgNotice
from payments.services.notices import draining, fetching
from payments.services.notices.receiving import CHANNEL
from payments.services.snapshots.applying import Fetched, apply
from payments.states import NoticeState

MOST_ASKED = 50
"""Payments that a preview asks the PGs about; a person waits for the answers."""
SETTLED = frozenset({NoticeState.PROCESSED, NoticeState.IGNORED})
SOON = 2 * draining.LEASE
"""A notice that is due within so long may be worked on just now, and comes again before a person has waited."""
NOT_FOUND = "알림을 찾을 수 없습니다. 목록을 새로 고치세요."
WAITS = "아직 처리하지 않은 알림입니다. 잠시 뒤 저절로 처리합니다."
TRIED = "{tried:,}번 시도한 알림입니다. 늦어도 {when}까지 저절로 다시 시도합니다."
NO_CHANGE = "변경 없음: PG의 결제와 우리 원장이 같습니다."
IS_TEST = "PG 시험으로 표시한 알림입니다."
IS_BANK = "입금계좌의 알림입니다. 자동입금확인에서 처리하세요."


@dataclass(frozen=True, slots=True)
class Forecast:
    """예상: signed won that the ledger of a payment would get, None where nobody knows; `words` say why."""

    amount: int | None
    is_change: bool
    words: str


def ask(notice_ids: Collection[int]) -> dict[int, Fetched | PgProblem]:
    """PG 조회 of the payments behind notices, by payment id; outside any transaction."""
    payments = payments_behind(PgNotice.objects.filter(pk__in=notice_ids).exclude(kind=Kind.BANK))
    found = list({payment.pk: payment for payment in payments.values()}.values())[:MOST_ASKED]
    return fetching.fetch(found) if found else {}


def payments_behind(notices: Any) -> dict[int, Payment]:
    """결제 of notices, by notice id; two queries."""
    keys = {(account, ref): pk for pk, account, ref in notices.values_list("pk", "account_id", "order_ref")}
    rows = Payment.objects.filter(order_ref__in=[ref for _, ref in keys]).select_related("account", "order")
    by_key = {(one.account_id, one.order_ref): one for one in rows}
    return {pk: by_key[account, ref] for pk, account, ref in notices.values_list("pk", "account_id", "order_ref")
            if (account, ref) in by_key}  # fmt: skip


def forecast(answers: Mapping[int, Fetched | PgProblem], *, at: datetime) -> dict[int, Forecast]:
    """미리 보기: what applying the answers would do, by payment id; everything is rolled back."""
    found = {pk: Forecast(None, False, _words(one)) for pk, one in answers.items() if isinstance(one, PgProblem)}
    good = [one for one in answers.values() if isinstance(one, Fetched)]
    if not good:
        return found
    with previewing():
        newest = LedgerEntry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        verdicts = apply(good, at=at)
        sums: dict[int, int] = {}
        for payment_id, amount in LedgerEntry.objects.filter(
            pk__gt=newest, payment__in=[one.payment_id for one in good]
        ).values_list("payment_id", "amount"):
            sums[payment_id] = sums.get(payment_id, 0) + amount
    for pk, verdict in verdicts.items():
        is_change = verdict.state != NoticeState.IGNORED
        words = "" if verdict.state in SETTLED else verdict.reason
        found[pk] = Forecast(sums.get(pk, 0) if verdict.state in SETTLED else None, is_change, words)
    return found


def _words(problem: PgProblem) -> str:
    return problem.message or type(problem).__name__


def replay(
    *,
    notice_ids: Collection[int],
    actor: Any,
    at: datetime,
    batch: Job | None = None,
    forecasts: Mapping[int, Forecast] | None = None,
) -> Outcome:
    """다시 처리: finished notices, and those that wait long for their next try, are due now.

    With `forecasts` settled ones that would change nothing are refused.
    """
    outcome = Outcome()
    with locking(actor=actor):
        notices: list[PgNotice] = locked(PgNotice.objects.filter(pk__in=notice_ids))
        behind = payments_behind(PgNotice.objects.filter(pk__in=notice_ids)) if forecasts is not None else {}
        seen: set[int] = set()
        for notice in notices:
            told = (forecasts or {}).get(behind[notice.pk].pk) if notice.pk in behind else None
            if text := _refusal(notice, told, at=at):
                outcome.refused[notice.pk] = text
                continue
            outcome.possible.append(notice)
            if told is not None and behind[notice.pk].pk not in seen:
                seen.add(behind[notice.pk].pk)
                _sum_up(outcome.sums, told)
        outcome.refused |= missing(set(notice_ids), notices, text=NOT_FOUND)
        if not is_preview() and outcome.possible:
            _due_now(outcome, actor=actor, at=at, batch=batch)
    return outcome


def _refusal(notice: PgNotice, told: Forecast | None, *, at: datetime) -> str | None:
    if notice.kind == Kind.BANK:
        return IS_BANK
    if notice.finished_at is None and not _waits_long(notice, at):
        return _soon(notice, at)
    if notice.state == NoticeState.TEST:
        return IS_TEST
    if notice.state in SETTLED and told is not None and not told.is_change and told.amount is not None:
        return NO_CHANGE
    return None


def _waits_long(notice: PgNotice, at: datetime) -> bool:
    """Its next try is farther off than any claim reaches, so that nobody works on it just now."""
    return notice.state == NoticeState.RETRY and notice.due_at > at + SOON


def _soon(notice: PgNotice, at: datetime) -> str:
    if notice.state != NoticeState.RETRY or not notice.attempts or notice.due_at <= at:
        return WAITS
    return TRIED.format(tried=notice.attempts, when=short_time(notice.due_at, at))


def _sum_up(sums: dict[str, int], told: Forecast) -> None:
    key = "unknown" if told.amount is None else "change" if told.is_change else "same"
    sums[key] = sums.get(key, 0) + 1
    if told.amount:
        name = "in" if told.amount > 0 else "out"
        sums[name] = sums.get(name, 0) + abs(told.amount)


def _due_now(outcome: Outcome, *, actor: Any, at: datetime, batch: Job | None) -> None:
    ids = [notice.pk for notice in outcome.possible]
    mine = PgNotice.objects.filter(pk__in=ids)
    mine.hurry(at=at, later_than=at + SOON, reason="replayed")
    mine.hear_again(at=at, reason="replayed")
    outcome.changes = [Change(one, one.state, NoticeState.RETRY, one.claim + 1) for one in outcome.possible]
    record(outcome, events.NOTICE_REPLAYED, at=at, actor=actor, batch=batch)
    drains.notify(CHANNEL)
