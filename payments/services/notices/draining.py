"""알림 처리: notices that wait are claimed, the PG is asked again outside any transaction, the answer is applied.

A claim is a due moment in the future: a process that dies in between leaves the notice to the next one, and applying
twice adds nothing. Source: payments.md 5.1, 5.5.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from core.failpoints import declare, failpoint
from core.http import Client
from payments.adapters.base import Account, Denied, Kind, NotAtPg, Pg, PgProblem, Ref, Snapshot, Unsupported
from payments.models import LedgerEntry, Payment, PgAccount, PgNotice
from payments.services.deposits import bank_feed
from payments.services.ledger.references import refs_of
from payments.services.notices import missing, questions, unknown
from payments.services.notices.asking import is_overtaken, over_budget
from payments.services.notices.questions import AskedElsewhere
from payments.services.notices.unknown import MONEY_IN
from payments.services.pg_accounts import PATIENT, Timeout, client_of, facts_of, note_answers, pg_of
from payments.services.snapshots import believing
from payments.services.snapshots.applying import LATER, UNCHANGED, Applied, Fetched, apply
from payments.states import EntryKind, NoticeState

log = logging.getLogger("payments.notices")

AT_ONCE = 50
"""Notices of one round."""
CONNECTIONS = 8
LEASE = timedelta(seconds=120)
BACK_OFF = tuple(
    timedelta(seconds=seconds) for seconds in (10, 60, 300, 1800, 2 * 3600, 6 * 3600, 12 * 3600, 24 * 3600)
)
SOON_AGAIN = {
    "busy": timedelta(seconds=1),
    "stale_answer": timedelta(seconds=1),
    "waits_its_turn": timedelta(seconds=0.5),
}
"""Our own haste: what comes again after so long, and counts as no failure of the notice."""
FETCHED = declare("notice_after_fetch", "the PG has answered; nothing is applied")
APPLIED = declare("notice_after_apply", "ledger and order are committed; the notices are not marked")

LEASES_LOST = len(BACK_OFF) + 4
"""A notice that was claimed this often and has no verdict kills its process."""

DIED = Applied(NoticeState.DEAD, "process_died")
NOT_CONFIRMED = Applied(NoticeState.IGNORED, "not_confirmed")
IGNORED = Applied(NoticeState.IGNORED, "of_no_meaning")
FAILED = "failed"
DENIED = "denied"
NO_KEYS = "조회에 쓰는 키가 없습니다"
OF_NO_MONEY = frozenset({Kind.ISSUED, Kind.FAILED, Kind.OTHER})


class CannotAsk(PgProblem):
    """조회 실패: our own reader failed, not the PG."""


@dataclass(slots=True)
class _Group:
    """Notices of one payment: asked about once."""

    account: PgAccount
    order_ref: str
    notices: list[PgNotice] = field(default_factory=list)
    payment: Payment | None = None


@dataclass(frozen=True, slots=True)
class _Question:
    """What a thread needs to ask a PG; no database there."""

    pg: Pg
    client: Client
    account: Account
    ref: Ref


def drain(*, at: datetime) -> int:
    """알림 한 묶음 처리; how many notices were taken."""
    notices = _claim(at)
    if not notices:
        return 0
    lost = {one.pk: DIED for one in notices if one.attempts > LEASES_LOST}
    if lost:
        log.error("notices %s are dead: whoever works on them dies", sorted(lost))
    _finish([one for one in notices if one.pk in lost], lost, at=at)
    notices = [one for one in notices if one.pk not in lost]
    groups = _grouped([one for one in notices if one.kind != Kind.BANK])
    verdicts = bank_feed.take_notices([one for one in notices if one.kind == Kind.BANK], at=at)
    asked: dict[int, _Group] = {}
    for group in groups:
        if all(one.kind == Kind.OTHER for one in group.notices):
            verdicts |= {one.pk: IGNORED for one in group.notices}
        elif group.payment is not None and is_overtaken(group.notices, group.payment):
            verdicts |= dict.fromkeys((one.pk for one in group.notices), UNCHANGED)
        elif group.payment is not None and not group.account.asks_back:
            verdicts |= {one.pk: _believed(one, group.payment, at=at) for one in group.notices}
        elif group.payment is not None:
            asked[group.payment.pk] = group
        else:
            verdicts |= unknown.judge(group.notices, at=at)
    for pk in over_budget({pk: group.notices for pk, group in asked.items()}, at=at):
        verdicts |= {one.pk: LATER for one in asked.pop(pk).notices}
    verdicts |= sync(asked, at=at)
    _finish(notices, verdicts, at=at)
    return len(notices) + len(lost)


def sync(asked: Mapping[int, _Group], *, at: datetime) -> dict[int, Applied]:
    """PG 대조 of payments by id; a verdict for each of their notices."""
    answers = fetch([group.payment for group in asked.values() if group.payment is not None])
    failpoint(FETCHED)
    applied = apply_each([one for one in answers.values() if isinstance(one, Fetched)], at=at)
    failpoint(APPLIED)
    good = {pk for pk, verdict in applied.items() if verdict.state in {NoticeState.PROCESSED, NoticeState.IGNORED}}
    missing.found([one for pk in good for one in asked[pk].notices], payment_ids=good, at=at)
    verdicts: dict[int, Applied] = {}
    for pk, group in asked.items():
        answer = answers[pk]
        if isinstance(answer, Fetched):
            verdicts |= _all_told(group.notices, answer.snapshot, applied[pk])
            if pk in good:
                verdicts |= missing.of_another(group.notices, answer.snapshot, group.payment, at=at)
        else:
            verdicts |= {one.pk: _unanswered(one, group, answer, at=at) for one in group.notices}
    return verdicts


def _believed(notice: PgNotice, payment: Payment, *, at: datetime) -> Applied:
    """A notice of an account that asks nobody: as the payment that it tells, or to be looked at by a person."""
    if notice.kind not in MONEY_IN:
        return IGNORED
    found = believing.told(notice, payment, asked_at=timezone.now())
    if isinstance(found, Fetched):
        return apply_each([found], at=at)[payment.pk]
    return believing.park(notice, order_id=payment.order_id, payment_id=payment.pk, what=found, at=at)


def _all_told(notices: Sequence[PgNotice], snapshot: Snapshot, applied: Applied) -> dict[int, Applied]:
    """Of several notices of one payment the first has changed it, a deposit before others (A55)."""
    found = {one.pk: _told(one, snapshot, applied) for one in notices}
    changed = [one for one in notices if found[one.pk].state == NoticeState.PROCESSED]
    for one in sorted(changed, key=_weight)[1:]:
        found[one.pk] = UNCHANGED
    return found


def _weight(notice: PgNotice) -> tuple[bool, bool, int]:
    return notice.kind not in MONEY_IN, notice.kind in OF_NO_MONEY, notice.pk


def apply_each(good: Sequence[Fetched], *, at: datetime, reason: str = "") -> dict[int, Applied]:
    """조회 반영: all at once; when one of them fails, one by one, so that it fails alone and comes again."""
    if not good:
        return {}
    try:
        return apply(good, at=at, reason=reason)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        # Nobody knows beforehand which answer breaks what: whoever is alone with its fault holds up nobody else.
        if len(good) == 1:
            log.exception("the answer about payment %s cannot be applied", good[0].payment_id)
            return {good[0].payment_id: Applied(NoticeState.RETRY, FAILED, _words(error))}
        log.warning("%s answers cannot be applied at once", len(good), exc_info=True)
    return {pk: verdict for one in good for pk, verdict in apply_each([one], at=at, reason=reason).items()}


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
        return CannotAsk(_words(error))


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
        return CannotAsk(_words(error))


def wake(*, account_id: int, at: datetime) -> int:
    """처리 재개: notices that wait because the PG refused our key are due at once; how many."""
    waiting = PgNotice.objects.filter(account=account_id, state=NoticeState.RETRY, reason=DENIED, due_at__gt=at)
    return waiting.update(due_at=at)


def _claim(at: datetime) -> list[PgNotice]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE payments_pgnotice n SET due_at = %s, claim = claim + 1, attempts = attempts + 1 FROM ("
            "  SELECT id FROM payments_pgnotice WHERE state IN ('RECEIVED', 'RETRY') AND due_at <= %s"
            "  ORDER BY due_at, id LIMIT %s FOR UPDATE SKIP LOCKED) AS due"
            " WHERE n.id = due.id RETURNING n.id",
            [at + LEASE, at, AT_ONCE],
        )
        ids = [pk for (pk,) in cursor.fetchall()]
    return list(PgNotice.objects.filter(pk__in=ids).select_related("account").order_by("pk"))


def _grouped(notices: Sequence[PgNotice]) -> list[_Group]:
    groups: dict[tuple[int, str], _Group] = {}
    for notice in notices:
        key = (notice.account_id, notice.order_ref)
        group = groups.setdefault(key, _Group(notice.account, notice.order_ref))
        group.notices.append(notice)
    refs: dict[int, list[str]] = defaultdict(list)
    for account_id, order_ref in groups:
        refs[account_id].append(order_ref)
    for account_id, some in refs.items():
        for payment in Payment.objects.filter(account_id=account_id, order_ref__in=some).select_related("account"):
            groups[account_id, payment.order_ref or ""].payment = payment
    return list(groups.values())


def _told(notice: PgNotice, snapshot: Snapshot, applied: Applied) -> Applied:
    """A notice of money that the PG does not have is not confirmed, whatever else changed."""
    if notice.kind in MONEY_IN and not snapshot.deposits and applied.state != NoticeState.RETRY:
        return NOT_CONFIRMED
    return applied


def _unanswered(notice: PgNotice, group: _Group, problem: PgProblem, *, at: datetime) -> Applied:
    """Where nobody can be asked at all, money that is told is shown to a person at once."""
    if isinstance(problem, Unsupported) and notice.kind in MONEY_IN and group.payment is not None:
        facts = {"order_id": group.payment.order_id, "payment_id": group.payment.pk}
        return believing.park(notice, what=NO_KEYS, at=at, **facts)
    return missing.judge(notice, group.payment, at=at) if isinstance(problem, NotAtPg) else _failed(problem)


def _failed(problem: PgProblem) -> Applied:
    if isinstance(problem, AskedElsewhere):
        return LATER
    reason = DENIED if isinstance(problem, Denied) else FAILED if isinstance(problem, CannotAsk) else "no_answer"
    return Applied(NoticeState.RETRY, reason, _words(problem))


def _words(error: Exception) -> str:
    """For the log and the inbox, English: of a database error only its name, because its text shows whole rows."""
    told = type(error).__name__
    return told if isinstance(error, DatabaseError) else f"{told}: {error}"[:500]


def _finish(notices: Collection[PgNotice], verdicts: Mapping[int, Applied], *, at: datetime) -> None:
    """Marks only what is still ours: a claim that ran out belongs to somebody else."""
    rows: list[tuple[Any, ...]] = []
    for notice in notices:
        verdict = verdicts[notice.pk]
        state, due = verdict.state, None
        if state is NoticeState.RETRY:
            soon = verdict.reason in SOON_AGAIN
            due = at + (SOON_AGAIN[verdict.reason] if soon else BACK_OFF[min(notice.attempts, len(BACK_OFF)) - 1])
            if not soon and notice.attempts > len(BACK_OFF):
                state = NoticeState.DEAD
                log.error("notice %s is dead: %s", notice.pk, verdict.reason)
                due = None
        # Our own haste is no failure of the notice.
        attempts = notice.attempts - (due is not None and verdict.reason in SOON_AGAIN)
        ended = None if due else at
        rows.append((notice.pk, notice.claim, str(state), verdict.reason, verdict.error, due, ended, attempts))
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(_FINISH, [list(column) for column in zip(*rows, strict=True)])


_FINISH = """
UPDATE payments_pgnotice n SET state = v.state, reason = v.reason, last_error = v.error,
    due_at = COALESCE(v.due, n.due_at), finished_at = v.ended, attempts = v.attempts
FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[],
            %s::int[]) AS v(id, claim, state, reason, error, due, ended, attempts)
WHERE n.id = v.id AND n.claim = v.claim AND n.finished_at IS NULL
"""
