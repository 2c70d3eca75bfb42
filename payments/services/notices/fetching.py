"""PG 조회: payments are asked about, several at a time, outside any transaction.

Threads speak to the PGs and to nothing else; whatever the database has to do with it is done by who calls.
"""

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Self
from uuid import UUID

from django.db import DatabaseError, connection
from django.utils import timezone

from core.http import Client
from payments.adapters.base import Account, Pg, PgProblem, Ref
from payments.models import LedgerEntry, Payment
from payments.services.ledger.references import refs_of
from payments.services.notices import questions
from payments.services.notices.questions import AskedElsewhere
from payments.services.pg_accounts import PATIENT, Timeout, client_of, facts_of, note_answers, pg_of
from payments.services.snapshots.applying import Fetched
from payments.states import EntryKind

log = logging.getLogger("payments.notices")

CONNECTIONS = 8
"""Questions to one account at the same moment."""
MOST_ON_THEIR_WAY = 50
"""Questions to one account that are asked or wait for it."""
TOGETHER = 0.1
"""Seconds in which answers are waited for, so that they are applied together."""
SLOW = 3.0
"""Seconds after which an answer is late."""


class CannotAsk(PgProblem):
    """조회 실패: our own reader failed, not the PG."""


@dataclass(frozen=True, slots=True)
class _Question:
    """What a thread needs to ask a PG; no database there."""

    pg: Pg
    client: Client
    account: Account
    ref: Ref


@dataclass(frozen=True, slots=True)
class _Call:
    """A question on its way, and since when it has waited or been asked."""

    payment: Payment
    holder: UUID
    began: float


class Asking:
    """조회 중: questions that are on their way, each account's in threads of its own: a PG that hangs fills only these.

    Used as a block; whoever leaves it early waits for what is on its way, and what has not begun is asked no more.
    """

    def __init__(self) -> None:
        self._pools: dict[int | None, ThreadPoolExecutor] = {}
        self._calls: dict[Future[Fetched | PgProblem], _Call] = {}
        self._held: dict[UUID, set[int]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)
        for pool in self._pools.values():
            pool.shutdown()
        for holder, mine in self._held.items():
            questions.release(holder, mine)

    @property
    def payment_ids(self) -> set[int]:
        """Ids of the payments that are asked about."""
        return {one.payment.pk for one in self._calls.values()}

    def full(self) -> set[int]:
        """Ids of accounts with as many questions on their way as can be begun soon."""
        counted = Counter(one.payment.account_id for one in self._calls.values())
        return {pk for pk, number in counted.items() if pk is not None and number >= MOST_ON_THEIR_WAY}

    def slow(self) -> set[int]:
        """Ids of accounts whose answers are late."""
        late = time.monotonic() - SLOW
        found = {one.payment.account_id for one in self._calls.values() if one.began < late}
        return {pk for pk in found if pk is not None}

    def start(
        self, payments: Sequence[Payment], *, patience: timedelta = timedelta(), timeout: Timeout = PATIENT
    ) -> dict[int, Fetched | PgProblem]:
        """조회 시작; by payment id what is known at once: nobody can ask, or somebody else asks just now."""
        asked, answers = dict[int, _Question](), dict[int, Fetched | PgProblem]()
        by_id = {payment.pk: payment for payment in payments}
        refs = refs_of(payments, at=timezone.now())
        for pk, payment in by_id.items():
            question = _question(payment, refs[pk], timeout)
            if isinstance(question, PgProblem):
                answers[pk] = question
            else:
                asked[pk] = question
        connection.close_if_unusable_or_obsolete()
        holder, mine = questions.claim(asked, patience=patience)
        self._held[holder] = set(mine)
        began = time.monotonic()
        for pk in sorted(mine):
            call = self._pool(by_id[pk].account_id).submit(_ask, pk, asked[pk], began + questions.START_WITHIN)
            self._calls[call] = _Call(by_id[pk], holder, began)
        return answers | {pk: AskedElsewhere() for pk in asked if pk not in mine}

    def collect(self) -> dict[int, Fetched | PgProblem]:
        """답 모으기 by payment id: all of them if they come soon, else those that are there by then."""
        calls = {call: self._calls[call] for call in wait(self._calls, timeout=TOGETHER).done}
        answers = {one.payment.pk: call.result() for call, one in calls.items()}
        ended: dict[UUID, set[int]] = defaultdict(set)
        for call, one in calls.items():
            ended[one.holder].add(one.payment.pk)
            del self._calls[call]
        # A slow answer holds up no question about another payment.
        for holder, payment_ids in ended.items():
            questions.release(holder, payment_ids)
            self._held[holder] -= payment_ids
            if not self._held[holder]:
                del self._held[holder]
        _note([one.payment for one in calls.values()], answers)
        return _with_ours(answers)

    def _pool(self, account_id: int | None) -> ThreadPoolExecutor:
        if account_id not in self._pools:
            self._pools[account_id] = ThreadPoolExecutor(CONNECTIONS, f"pg-{account_id}")
        return self._pools[account_id]


def fetch(
    payments: Sequence[Payment], *, patience: timedelta = timedelta(), timeout: Timeout = PATIENT
) -> dict[int, Fetched | PgProblem]:
    """PG 조회 of payments, several at a time, outside any transaction; by payment id, when all are answered.

    Those that somebody else asks about are AskedElsewhere when that lasts longer than `patience`.
    """
    with Asking() as asking:
        answers = asking.start(payments, patience=patience, timeout=timeout)
        while asking.payment_ids:
            answers |= asking.collect()
    return answers


def _with_ours(answers: Mapping[int, Fetched | PgProblem]) -> dict[int, Fetched | PgProblem]:
    """A refund that the PG has only taken counts like a done one where it is in our ledger, and not at all elsewhere.

    What we have booked is undone only when the PG has dropped it; what a person asks for at the PG's own console is
    booked only when it is done.
    """
    found = dict(answers)
    waiting = {pk: one for pk, one in answers.items() if isinstance(one, Fetched) and one.snapshot.pending}
    if not waiting:
        return found
    rows = LedgerEntry.objects.filter(payment__in=waiting, kind=EntryKind.REFUND)
    booked = set(rows.values_list("payment_id", "reference"))
    for pk, one in waiting.items():
        mine = tuple(refund for refund in one.snapshot.pending if (pk, refund.reference) in booked)
        found[pk] = replace(one, snapshot=replace(one.snapshot, refunds=(*one.snapshot.refunds, *mine)))
    return found


def _note(payments: Sequence[Payment], answers: Mapping[int, Fetched | PgProblem]) -> None:
    """The accounts that gave a good answer are well."""
    good = {one.payment_id: one.asked_at for one in answers.values() if isinstance(one, Fetched)}
    if good:
        note_answers([one.account for one in payments if one.pk in good], at=max(good.values()))


def _ask(pk: int, one: _Question, last: float) -> Fetched | PgProblem:
    """In a thread; a question that has waited for its turn too long would end after its claim."""
    if time.monotonic() > last:
        return AskedElsewhere()
    asked_at = timezone.now()
    try:
        return Fetched(pk, one.pg.fetch(one.client, account=one.account, ref=one.ref), asked_at)
    except PgProblem as problem:
        return problem
    except Exception as error:
        # An answer that breaks its adapter is a failure of that one question: other PGs are asked beside it.
        log.exception("payment %s cannot be asked about", pk)
        return CannotAsk(words(error))


def _question(payment: Payment, ref: Ref, timeout: Timeout) -> _Question | PgProblem:
    """What to ask; or why nobody can, which harms no other account."""
    account = payment.account
    if account is None:
        raise ValueError(f"payment {payment.pk} has no PG account")
    try:
        return _Question(pg_of(account), client_of(account, timeout), facts_of(account), ref)
    except PgProblem as problem:
        return problem
    except Exception as error:
        # An account of which anything is broken (its address, its adapter) harms no other one.
        log.exception("payment %s cannot be asked about", payment.pk)
        return CannotAsk(words(error))


def words(error: Exception) -> str:
    """For the log and the inbox, English: of a database error only its name, because its text shows whole rows."""
    told = type(error).__name__
    return told if isinstance(error, DatabaseError) else f"{told}: {error}"[:500]
