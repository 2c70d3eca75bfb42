"""환불 전송: approved refunds go to their PG, outside any transaction.

SENDING is committed before the call. Whoever dies after that leaves a refund of which only the PG can tell what became:
its lease runs out, it turns UNKNOWN, and refund_checking asks. Source: payments.md 5.8, reliability.md F25.
"""

import logging
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from core.events import record
from core.failpoints import declare, failpoint
from core.http import Client
from core.locks import LockTimeout
from core.models import Source
from core.state import move
from payments import events
from payments.adapters.banks import code_at
from payments.adapters.base import (
    Account,
    BankAccount,
    OutcomeUnknown,
    Pg,
    PgProblem,
    Ref,
    RefundAnswer,
    RefundAsk,
    RefusedByPg,
    Unavailable,
)
from payments.adapters.registry import PGS
from payments.models import Payment, PgAccount, Refund
from payments.services import refund_booking
from payments.services.applying import Fetched, apply
from payments.services.draining import fetch
from payments.services.pg_accounts import client_of, facts_of, note_answers, pg_of
from payments.services.questions import PATIENCE
from payments.services.refund_locking import balances_at_pg, locked_refunds
from payments.states import RefundState

log = logging.getLogger("payments.refunds")

AT_ONCE = 20
CONNECTIONS = 8
LEASE = timedelta(seconds=180)
"""Longer than any call can take; after it nobody counts on the answer."""
ASK_SOON = timedelta(seconds=20)
MOST_TRIES = 12
BACK_OFF = tuple(timedelta(seconds=seconds) for seconds in (10, 60, 300, 900, 3600))
KEY_LIFE = timedelta(days=15) - timedelta(hours=1)
"""How long a PG with keys remembers one (T-idem), less a margin for its clock."""
MOST_REPEATS = 8
"""After so many sendings without an outcome the PG is asked about the payment instead."""
QUIET = timedelta(minutes=5)
"""How long a PG may still be busy with a call that we heard nothing of."""
BEFORE_CALL = declare("refund_before_call", "SENDING is committed; the PG has not been asked")
AFTER_CALL = declare("refund_after_call", "the PG has done it; nothing of it is written")
WRITTEN = declare("refund_after_write", "the outcome is committed; nothing else is done")

OVER_BALANCE = "PG에 남은 금액 {balance:,}원보다 환불액이 큽니다. 결제 내역을 확인하세요."
NO_ANSWER = "PG가 응답하지 않아 환불하지 못했습니다."


@dataclass(frozen=True, slots=True)
class _Call:
    """What a thread needs; no database there."""

    refund_id: int
    payment_id: int
    account_id: int
    version: int
    is_repeatable: bool
    pg: Pg
    client: Client
    account: Account
    ask: RefundAsk


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the PG said, and when we heard it."""

    given: RefundAnswer | PgProblem
    at: datetime


def send_due(*, at: datetime) -> int:
    """환불 전송 한 묶음; how many refunds were taken."""
    calls, refused = _begin(at)
    if calls:
        failpoint(BEFORE_CALL)
        answers = _call_all(calls)
        failpoint(AFTER_CALL)
        for call, answer in zip(calls, answers, strict=True):
            _finish(call, answer, at=at)
        failpoint(WRITTEN)
        _note(calls, answers)
        answered = zip(calls, answers, strict=True)
        resync([call.payment_id for call, answer in answered if isinstance(answer.given, RefusedByPg)], at=at)
    return len(calls) + refused


def _note(calls: Sequence[_Call], answers: Sequence[_Answer]) -> None:
    """The accounts that gave a good answer are well."""
    good = {call.account_id for call, one in zip(calls, answers, strict=True) if isinstance(one.given, RefundAnswer)}
    if good:
        note_answers(list(PgAccount.objects.filter(pk__in=good)), at=max(one.at for one in answers))


def resync(payment_ids: Collection[int], *, at: datetime) -> None:
    """PG 대조 after a refusal: something happened there that we had not heard of (A75)."""
    payments = list(Payment.objects.filter(pk__in=payment_ids).select_related("account"))
    good = [one for one in fetch(payments, patience=PATIENCE).values() if isinstance(one, Fetched)] if payments else []
    if good:
        apply(good, at=at)


# One of a payment at a time: what the second may ask for depends on what became of the first.
_DUE = """
SELECT DISTINCT ON (r.payment_id) r.id FROM payments_refund r JOIN payments_payment p ON p.id = r.payment_id
WHERE r.way = 'PG' AND r.due_at <= %(at)s
  AND (r.state = 'APPROVED' AND NOT EXISTS (
           SELECT 1 FROM payments_refund o WHERE o.payment_id = r.payment_id AND o.state IN ('SENDING', 'UNKNOWN'))
       OR r.state = 'UNKNOWN' AND (r.absent_at >= r.sent_at + %(quiet)s
           OR p.account_id = ANY(%(repeating)s) AND r.first_sent_at > %(since)s AND r.doubts < %(most)s))
ORDER BY r.payment_id, r.due_at, r.id LIMIT %(limit)s
"""


def _begin(at: datetime) -> tuple[list[_Call], int]:
    with connection.cursor() as cursor:
        cursor.execute(_DUE, _facts(at))
        ids = {pk for (pk,) in cursor.fetchall()}
    if not ids:
        return [], 0
    with locked_refunds(ids, skip_locked=True) as refunds, connection.cursor() as cursor:
        # Once more under the locks: another relay may have been here.
        cursor.execute(_DUE, _facts(at))
        still = {pk for (pk,) in cursor.fetchall()}
        due = [refund for refund in refunds if refund.pk in still]
        balances = balances_at_pg([refund.paid for refund in due])
        good, refused = [], 0
        for refund in due:
            if refund.amount > balances[refund.paid.pk]:
                text = OVER_BALANCE.format(balance=max(0, balances[refund.paid.pk]))
                refund_booking.fail(refund, error=text, at=at)
                refused += 1
            else:
                good.append(refund)
        outcome = move(good, Refund.send, at=at, lease=at + LEASE)
        record(outcome, events.REFUND_SENT, at=at, source=Source.TASK)
        accounts = PgAccount.objects.in_bulk({refund.paid.account_id for refund in outcome.moved})
        calls = [_call_of(one, accounts[one.paid.account_id], balance=balances[one.paid.pk]) for one in outcome.moved]
        return calls, refused


def repeating() -> list[int]:
    """Ids of accounts whose PG does a refund once for each key, however often it is sent."""
    accounts = PgAccount.objects.filter(provider__in=PGS).values_list("pk", "provider")
    return [pk for pk, provider in accounts if PGS[provider].capabilities.repeats_refund_key]


def _facts(at: datetime) -> dict[str, Any]:
    return {
        "at": at,
        "quiet": QUIET,
        "limit": AT_ONCE,
        "repeating": repeating(),
        "since": at - KEY_LIFE,
        "most": MOST_REPEATS,
    }


def _call_of(refund: Refund, account: PgAccount, *, balance: int) -> _Call:
    payment, given, pg = refund.paid, refund.account, pg_of(account)
    return _Call(
        refund.pk,
        refund.paid.pk,
        account.pk,
        refund.version,
        pg.capabilities.repeats_refund_key,
        pg,
        client_of(account),
        facts_of(account),
        RefundAsk(
            key=str(refund.key),
            ref=ref_of(payment),
            amount=refund.amount,
            balance=balance,
            reason=refund.reason,
            account=BankAccount(bank=code_at(account.provider, given.bank), number=given.number, holder=given.holder)
            if given
            else None,
            phone=payment.order.buyer_phone,
            at=refund.sent_at or refund.requested_at,
        ),
    )


def ref_of(payment: Payment) -> Ref:
    """결제 참조 for the PG."""
    return Ref(order_ref=payment.order_ref or "", payment_ref=payment.payment_ref, at=payment.created_at)


def _call_all(calls: Sequence[_Call]) -> list[_Answer]:
    connection.close_if_unusable_or_obsolete()
    if len(calls) == 1:
        return [_ask(calls[0])]
    with ThreadPoolExecutor(CONNECTIONS, "refunds") as pool:
        return list(pool.map(_ask, calls))


def _ask(call: _Call) -> _Answer:
    given: RefundAnswer | PgProblem
    try:
        given = call.pg.refund(call.client, account=call.account, ask=call.ask)
    except PgProblem as problem:
        given = problem
    except Exception as error:
        # Whatever broke on our side, the PG may have done it.
        log.exception("refund %s: the call broke", call.ask.key)
        given = OutcomeUnknown(type(error).__name__)
    return _Answer(given, timezone.now())


def _finish(call: _Call, answer: _Answer, *, at: datetime) -> None:
    """Writes the outcome; where the order stays locked the lease runs out and the PG is asked what became of it."""
    try:
        with locked_refunds([call.refund_id]) as refunds:
            for refund in refunds:
                _write(refund, call, answer, at=at)
    except LockTimeout:
        log.warning("refund %s: the order is locked; its outcome will be asked for", call.ask.key)


def _write(refund: Refund, call: _Call, answer: _Answer, *, at: datetime) -> None:
    given = answer.given
    if isinstance(given, RefundAnswer):
        if str(refund.key) == call.ask.key:
            facts = {"answered_at": answer.at, "at": at}
            refund_booking.settle(refund, reference=given.reference, is_final=given.is_final, **facts)
        return
    if refund.version != call.version or refund.state != RefundState.SENDING:
        return
    words = words_of(given)
    # A refusal after a doubt may mean that the first call was done: the PG must show it.
    is_doubtful = bool(refund.doubts) and not call.is_repeatable and not isinstance(given, Unavailable)
    if isinstance(given, OutcomeUnknown) or is_doubtful:
        due_at = at + ASK_SOON * 2 ** min(refund.doubts, 7)
        outcome = move([refund], Refund.doubt, at=at, due_at=due_at, error=words)
        record(outcome, events.REFUND_IN_DOUBT, at=at, source=Source.TASK, reason=words[:200])
    elif isinstance(given, Unavailable) and refund.attempts < MOST_TRIES:
        due_at = at + BACK_OFF[min(refund.attempts, len(BACK_OFF)) - 1]
        outcome = move([refund], Refund.postpone, at=at, due_at=due_at, error=words)
        record(outcome, events.REFUND_POSTPONED, at=at, source=Source.TASK, reason=words[:200])
    else:
        refund_booking.fail(refund, error=words or NO_ANSWER, at=at)


def words_of(problem: PgProblem) -> str:
    """PG의 말 for staff: its own sentence with the code, else what we know."""
    return f"{problem.message} ({problem.code})".replace(" ()", "").strip() if problem.message else str(problem)[:300]
