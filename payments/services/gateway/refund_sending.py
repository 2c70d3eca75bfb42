"""환불 전송: approved refunds go to their PG, outside any transaction.

SENDING is committed before the call. Whoever dies after that leaves a refund of which only the PG can tell what became:
its lease runs out, it turns UNKNOWN, and refund_checking asks. Source: payments.md 5.8, reliability.md F25.
"""

import logging
import time
from collections.abc import Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from core import drains
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
    Denied,
    OutcomeUnknown,
    Pg,
    PgProblem,
    RefundAnswer,
    RefundAsk,
    RefusedByPg,
    Unavailable,
)
from payments.adapters.registry import PGS
from payments.models import Payment, PgAccount, Refund, RefundAccount
from payments.services.ledger.references import ref_of
from payments.services.notices.fetching import TOGETHER, fetch
from payments.services.notices.questions import PATIENCE
from payments.services.pg_accounts import (
    KEY_REFUSED,
    client_of,
    facts_of,
    note_answers,
    note_refusal,
    pg_of,
    words_of,
)
from payments.services.refunds import settling
from payments.services.refunds.locking import balances_at_pg, locked_refunds
from payments.services.refunds.requesting import CHANNEL
from payments.services.snapshots.applying import Fetched, apply
from payments.states import RefundState, RefundWay

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
NOT_SENT = "환불을 보낼 수 없습니다. 환불계좌와 PG 계정의 주소를 확인하세요."
NO_ANSWER = "PG가 응답하지 않아 환불하지 못했습니다. PG를 확인하고 다시 신청하세요."


@dataclass(frozen=True, slots=True)
class _Line:
    """How to reach the PG about one refund, and where its money goes."""

    account_id: int
    pg: Pg
    client: Client
    account: Account
    to: BankAccount | None


@dataclass(frozen=True, slots=True)
class _Call:
    """What a thread needs; no database there."""

    refund_id: int
    payment_id: int
    version: int
    line: _Line
    ask: RefundAsk

    @property
    def is_repeatable(self) -> bool:
        return self.line.pg.capabilities.repeats_refund_key


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the PG said, and when we heard it."""

    given: RefundAnswer | PgProblem
    at: datetime


def send_due(*, at: datetime) -> int:
    """환불 전송 한 묶음; how many refunds were taken.

    While a PG keeps us waiting, what falls due at the others is sent meanwhile.
    """
    began = time.monotonic()

    def now() -> datetime:
        return at + timedelta(seconds=time.monotonic() - began)

    calls, taken = _begin(at)
    taken += len(calls)
    with _OnTheirWay() as sent:
        while calls or sent:
            if calls:
                failpoint(BEFORE_CALL)
                sent.start(calls)
            if answered := sent.collect():
                _take(answered, at=now())
            calls, refused = _begin(now(), but=sent.accounts) if sent else ([], 0)
            taken += len(calls) + refused
    return taken


def _take(answered: Sequence[tuple[_Call, _Answer]], *, at: datetime) -> None:
    failpoint(AFTER_CALL)
    for call, answer in answered:
        _finish(call, answer, at=at)
    failpoint(WRITTEN)
    _note(answered)
    resync([call.payment_id for call, answer in answered if isinstance(answer.given, RefusedByPg)], at=at)


def _note(answered: Sequence[tuple[_Call, _Answer]]) -> None:
    """The accounts that gave a good answer are well; those that refused our key say so on their screen."""
    heard = [(call.line.account_id, one.given) for call, one in answered]
    good = {pk for pk, given in heard if isinstance(given, RefundAnswer)}
    if good:
        note_answers(list(PgAccount.objects.filter(pk__in=good)), at=max(one.at for _, one in answered))
    refusals = {pk: _refused_key(given) for pk, given in heard if isinstance(given, Denied)}
    for account in PgAccount.objects.filter(pk__in=refusals):
        note_refusal(account, refusals[account.pk])


def _refused_key(problem: PgProblem) -> str:
    return f"{KEY_REFUSED} {problem.message}".strip()


def wake(*, account_id: int, at: datetime) -> int:
    """환불 재개: refunds that wait because the PG refused our key or settings are due at once; how many.

    Called when somebody has mended the PG account.
    """
    waiting = Refund.objects.filter(
        payment__account=account_id, way=RefundWay.PG, last_error__startswith=KEY_REFUSED, due_at__gt=at
    )
    woken = waiting.filter(state__in=[RefundState.APPROVED, RefundState.UNKNOWN]).update(due_at=at)
    if woken:
        drains.notify(CHANNEL)
    return woken


def forget_repeats(*, account_id: int) -> None:
    """새 키: under another API key a PG takes a refund that it knows for a new one, so it is asked about them first.

    Source: payments.md 2.1 (scope of an idempotency key).
    """
    lost = [RefundState.SENDING, RefundState.UNKNOWN]
    _look_first(Refund.objects.filter(payment__account=account_id, state__in=lost))


def _look_first(refunds: QuerySet[Refund]) -> None:
    """먼저 조회: these are not sent again before the PG has shown what it did."""
    refunds.update(doubts=MOST_REPEATS)


def resync(payment_ids: Collection[int], *, at: datetime) -> None:
    """PG 대조 after a refusal: something happened there that we had not heard of (A75)."""
    payments = list(Payment.objects.filter(pk__in=payment_ids).select_related("account"))
    good = [one for one in fetch(payments, patience=PATIENCE).values() if isinstance(one, Fetched)] if payments else []
    if good:
        apply(good, at=at)


# One of a payment at a time: what the second may ask for depends on what became of the first. A PG that tells only of
# the last transfer gets no other one before the word about it.
_DUE = """
SELECT DISTINCT ON (r.payment_id) r.id FROM payments_refund r JOIN payments_payment p ON p.id = r.payment_id
WHERE r.way = 'PG' AND r.due_at <= %(at)s AND p.account_id <> ALL(%(but)s)
  AND (r.state = 'APPROVED' AND NOT EXISTS (
           SELECT 1 FROM payments_refund o WHERE o.payment_id = r.payment_id AND (o.state IN ('SENDING', 'UNKNOWN')
               OR o.state = 'ACCEPTED' AND o.way = 'PG' AND p.account_id = ANY(%(telling)s)))
       OR r.state = 'UNKNOWN' AND (r.absent_at >= r.sent_at + %(quiet)s
           OR p.account_id = ANY(%(repeating)s) AND r.first_sent_at > %(since)s AND r.doubts < %(most)s))
ORDER BY r.payment_id, r.due_at, r.id LIMIT %(limit)s
"""


def _begin(at: datetime, *, but: Collection[int] = ()) -> tuple[list[_Call], int]:
    """Calls to be made, and how many refunds were put off or failed before any call; not of the accounts in `but`."""
    facts = _facts(at) | {"but": list(but)}
    with connection.cursor() as cursor:
        cursor.execute(_DUE, facts)
        ids = {pk for (pk,) in cursor.fetchall()}
    if not ids:
        return [], 0
    with locked_refunds(ids, skip_locked=True) as refunds, connection.cursor() as cursor:
        # Once more under the locks: another relay may have been here.
        cursor.execute(_DUE, facts)
        still = {pk for (pk,) in cursor.fetchall()}
        due = [refund for refund in refunds if refund.pk in still]
        balances = balances_at_pg([refund.paid for refund in due])
        accounts = PgAccount.objects.in_bulk({refund.paid.account_id for refund in due})
        good, refused, lines = [], 0, dict[int, _Line]()
        for refund in due:
            line = _line_of(refund, accounts[refund.paid.account_id], at=at)
            if line is None:
                refused += 1
                continue
            lines[refund.pk] = line
            if refund.amount > balances[refund.paid.pk]:
                text = OVER_BALANCE.format(balance=max(0, balances[refund.paid.pk]))
                settling.fail(refund, error=text, at=at)
                refused += 1
            else:
                good.append(refund)
        outcome = move(good, Refund.send, at=at, lease=at + LEASE)
        record(outcome, events.REFUND_SENT, at=at, source=Source.TASK)
        calls = [_call_of(one, lines[one.pk], balance=balances[one.paid.pk]) for one in outcome.moved]
        return calls, refused


def repeating() -> list[int]:
    """Ids of accounts whose PG does a refund once for each key, however often it is sent."""
    return _accounts_of([name for name, pg in PGS.items() if pg.capabilities.repeats_refund_key])


def _accounts_of(providers: Collection[str]) -> list[int]:
    return list(PgAccount.objects.filter(provider__in=providers).values_list("pk", flat=True))


def _facts(at: datetime) -> dict[str, Any]:
    return {
        "at": at,
        "quiet": QUIET,
        "limit": AT_ONCE,
        "repeating": repeating(),
        "telling": _accounts_of([name for name, pg in PGS.items() if pg.capabilities.tells_payouts]),
        "since": at - KEY_LIFE,
        "most": MOST_REPEATS,
    }


def _line_of(refund: Refund, account: PgAccount, *, at: datetime) -> _Line | None:
    """The line; None for a refund that waits, because its account or its 환불계좌 cannot be used: it harms no other."""
    try:
        given = refund.account
        to = _at_pg(account, given) if given else None
        return _Line(account.pk, pg_of(account), client_of(account), facts_of(account), to)
    except PgProblem as problem:
        wait, text = _back_off(refund), _refused_key(problem)
    except Exception:
        # A 환불계좌 that does not open, an adapter that is gone, a fault of ours: the other refunds of the batch go on.
        log.exception("refund %s cannot be sent", refund.key)
        wait, text = BACK_OFF[-1], NOT_SENT
    Refund.objects.filter(pk=refund.pk, version=refund.version).update(due_at=at + wait, last_error=text[:300])
    return None


def _at_pg(account: PgAccount, given: RefundAccount) -> BankAccount:
    return BankAccount(bank=code_at(account.provider, given.bank), number=given.number, holder=given.holder)


def _back_off(refund: Refund) -> timedelta:
    return BACK_OFF[min(max(refund.attempts, 1), len(BACK_OFF)) - 1]


def _call_of(refund: Refund, line: _Line, *, balance: int) -> _Call:
    payment = refund.paid
    ask = RefundAsk(
        key=str(refund.key),
        ref=ref_of(payment),
        amount=refund.amount,
        balance=balance,
        reason=refund.reason,
        account=line.to,
        phone=payment.order.buyer_phone,
        at=refund.sent_at or refund.requested_at,
    )
    return _Call(refund.pk, payment.pk, refund.version, line, ask)


class _OnTheirWay(ExitStack):
    """Calls whose answer is not there yet; a PG that hangs fills only the threads of its account."""

    def __init__(self) -> None:
        super().__init__()
        self._pools: dict[int, ThreadPoolExecutor] = {}
        self._left: dict[Future[_Answer], _Call] = {}

    def __bool__(self) -> bool:
        return bool(self._left)

    @property
    def accounts(self) -> set[int]:
        """Ids of the accounts that we wait for."""
        return {call.line.account_id for call in self._left.values()}

    def start(self, calls: Sequence[_Call]) -> None:
        """보내기."""
        connection.close_if_unusable_or_obsolete()
        for call in calls:
            pk = call.line.account_id
            if pk not in self._pools:
                self._pools[pk] = self.enter_context(ThreadPoolExecutor(CONNECTIONS, f"refunds-{pk}"))
            self._left[self._pools[pk].submit(_ask, call)] = call

    def collect(self) -> list[tuple[_Call, _Answer]]:
        """답 모으기: those of a moment together."""
        done = wait(self._left, timeout=TOGETHER).done
        return [(self._left.pop(one), one.result()) for one in list(self._left) if one in done]


def _ask(call: _Call) -> _Answer:
    given: RefundAnswer | PgProblem
    try:
        given = call.line.pg.refund(call.line.client, account=call.line.account, ask=call.ask)
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
            settling.settle(refund, reference=given.reference, is_final=given.is_final, **facts)
        return
    if refund.version != call.version or refund.state != RefundState.SENDING:
        return
    words = (_refused_key(given) if isinstance(given, Denied) else coded(given))[:300]
    is_certain = isinstance(given, Denied | Unavailable)
    # A refusal after a doubt may mean that the first call was done, and where the same key was sent again nobody has
    # looked since: nothing but the PG's word about the payment ends such a doubt.
    is_doubtful = bool(refund.doubts) and (call.is_repeatable or not is_certain)
    if isinstance(given, OutcomeUnknown) or is_doubtful:
        due_at = at + ASK_SOON * 2 ** min(refund.doubts, 7)
        outcome = move([refund], Refund.doubt, at=at, due_at=due_at, error=words)
        record(outcome, events.REFUND_IN_DOUBT, at=at, source=Source.TASK, reason=words[:200])
        if not is_certain and not isinstance(given, OutcomeUnknown):
            _look_first(Refund.objects.filter(pk=refund.pk))
    elif isinstance(given, Denied) or (isinstance(given, Unavailable) and refund.attempts < MOST_TRIES):
        # Nothing was done; of a refused key nothing will be before somebody has mended the account.
        outcome = move([refund], Refund.postpone, at=at, due_at=at + _back_off(refund), error=words)
        record(outcome, events.REFUND_POSTPONED, at=at, source=Source.TASK, reason=words[:200])
    else:
        is_silent = isinstance(given, Unavailable) and not given.message
        settling.fail(refund, error=NO_ANSWER if is_silent else words, at=at)


def coded(problem: PgProblem) -> str:
    """PG의 말과 번호: what staff read of a refund that did not go, with the code that the PG's support asks for."""
    return f"{words_of(problem)} ({problem.code})".replace(" ()", "")[:300]
