"""PG 조회: payments are asked about, several at a time, outside any transaction.

Threads speak to the PGs and to nothing else; whatever the database has to do with it is done by who calls.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import timedelta

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


class CannotAsk(PgProblem):
    """조회 실패: our own reader failed, not the PG."""


@dataclass(frozen=True, slots=True)
class _Question:
    """What a thread needs to ask a PG; no database there."""

    pg: Pg
    client: Client
    account: Account
    ref: Ref


def fetch(
    payments: Sequence[Payment], *, patience: timedelta = timedelta(), timeout: Timeout = PATIENT
) -> dict[int, Fetched | PgProblem]:
    """PG 조회 of payments, several at a time, outside any transaction; by payment id.

    Those that somebody else asks about are AskedElsewhere when that lasts longer than `patience`.
    """
    asked, sealed = dict[int, _Question](), dict[int, Fetched | PgProblem]()
    refs = refs_of(payments, at=timezone.now())
    for payment in payments:
        question = _question(payment, refs[payment.pk], timeout)
        if isinstance(question, PgProblem):
            sealed[payment.pk] = question
        else:
            asked[payment.pk] = question
    connection.close_if_unusable_or_obsolete()
    holder, mine = questions.claim(asked, patience=patience)
    last = time.monotonic() + questions.START_WITHIN
    answers = sealed | {pk: AskedElsewhere() for pk in asked if pk not in mine}
    ended: set[int] = set()

    def ask(pk: int) -> Fetched | PgProblem:
        return AskedElsewhere() if time.monotonic() > last else _ask(pk, asked[pk])

    try:
        if len(mine) == 1:
            answers |= {pk: ask(pk) for pk in mine}
            _note(payments, answers)
            return _with_ours(answers)
        with ThreadPoolExecutor(CONNECTIONS, "pg") as pool:
            calls = {pool.submit(ask, pk): pk for pk in sorted(mine)}
            for call in as_completed(calls):
                answers[calls[call]] = call.result()
                ended.add(calls[call])
                # A slow answer holds up no question about another payment.
                if len(ended) >= CONNECTIONS:
                    questions.release(holder, ended)
                    mine, ended = mine - ended, set()
        _note(payments, answers)
        return _with_ours(answers)
    finally:
        questions.release(holder, mine)


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


def _ask(pk: int, one: _Question) -> Fetched | PgProblem:
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
