"""알림 처리: notices that wait are claimed, the PG is asked again outside any transaction, the answer is applied.

A claim is a due moment in the future: a process that dies in between leaves the notice to the next one, and applying
twice adds nothing. Source: payments.md 5.1, 5.5.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from core.failpoints import declare, failpoint
from payments.adapters.base import Denied, Kind, NotAtPg, PgProblem, Snapshot, Unsupported
from payments.models import Payment, PgAccount, PgNotice
from payments.services.deposits import bank_feed
from payments.services.notices import missing, questions, unknown
from payments.services.notices.asking import is_overtaken, over_budget
from payments.services.notices.fetching import Asking, CannotAsk, words
from payments.services.notices.questions import AskedElsewhere
from payments.services.notices.unknown import MONEY_IN
from payments.services.snapshots import believing
from payments.services.snapshots.applying import LATER, UNCHANGED, Applied, Fetched, apply
from payments.states import NoticeState

log = logging.getLogger("payments.notices")

AT_ONCE = 50
"""Notices of one round."""
LONGEST = 5.0
"""Seconds of one drain, when nothing hangs: its loop wants to hear whether it is to end."""
LEASE = questions.LEASE + timedelta(seconds=20)
"""Longer than the question about a notice can last, with its waiting for a thread."""
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


@dataclass(slots=True)
class _Group:
    """Notices of one payment: asked about once."""

    account: PgAccount
    order_ref: str
    notices: list[PgNotice] = field(default_factory=list)
    payment: Payment | None = None


def drain(*, at: datetime) -> int:
    """알림 처리 until nothing is due; how many notices were taken.

    Answers are applied together when they come together. A slow one holds up only its own payment, and a PG that hangs
    only its own account: what is told of the others is taken and applied meanwhile.
    """
    began, now, taken = time.monotonic(), at, 0
    asked: dict[int, _Group] = {}
    closed: set[int] = set()
    with Asking() as asking:
        while True:
            gone = time.monotonic() - began
            # While an answer is waited for, time goes on for the others.
            now = at + timedelta(seconds=gone) if asked else now
            # The end: nothing more of an account that hangs; of the others only as long as it would hold them up.
            closed |= asking.slow() if gone > LONGEST else set()
            goes_on = gone <= LONGEST or bool(asking.slow())
            notices = _claim(now, without=asking.full() | closed) if goes_on else []
            if not notices and not asked:
                return taken
            taken += len(notices)
            verdicts, more = _judge(_living(notices, at=now), asked, at=now)
            ended = [one for one in notices if one.pk in verdicts]
            answers = asking.start([group.payment for group in more.values() if group.payment]) if more else {}
            asked |= more
            answers |= asking.collect()
            answered = {pk: asked.pop(pk) for pk in answers}
            verdicts |= _apply(answered, answers, at=now)
            _finish(ended + [one for group in answered.values() for one in group.notices], verdicts, at=now)


def _living(notices: Sequence[PgNotice], *, at: datetime) -> list[PgNotice]:
    """Those that did not kill everybody who took them; the others are done with before anything else."""
    lost = {one.pk: DIED for one in notices if one.attempts > LEASES_LOST}
    if lost:
        log.error("notices %s are dead: whoever works on them dies", sorted(lost))
    _finish([one for one in notices if one.pk in lost], lost, at=at)
    return [one for one in notices if one.pk not in lost]


def _judge(
    notices: Sequence[PgNotice], under_way: Container[int], *, at: datetime
) -> tuple[dict[int, Applied], dict[int, _Group]]:
    """Verdicts by notice id where no question is needed, and by payment id what to ask about."""
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
        elif group.payment is not None and group.payment.pk in under_way:
            verdicts |= dict.fromkeys((one.pk for one in group.notices), LATER)
        elif group.payment is not None:
            asked[group.payment.pk] = group
        else:
            verdicts |= unknown.judge(group.notices, at=at)
    for pk in over_budget({pk: group.notices for pk, group in asked.items()}, at=at):
        verdicts |= {one.pk: LATER for one in asked.pop(pk).notices}
    return verdicts, asked


def _apply(
    asked: Mapping[int, _Group], answers: Mapping[int, Fetched | PgProblem], *, at: datetime
) -> dict[int, Applied]:
    """PG 대조 of payments by id; a verdict for each of their notices."""
    if not asked:
        return {}
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
            return {good[0].payment_id: Applied(NoticeState.RETRY, FAILED, words(error))}
        log.warning("%s answers cannot be applied at once", len(good), exc_info=True)
    return {pk: verdict for one in good for pk, verdict in apply_each([one], at=at, reason=reason).items()}


def wake(*, account_id: int, at: datetime) -> int:
    """처리 재개: notices that wait because the PG refused our key are due at once; how many."""
    waiting = PgNotice.objects.filter(account=account_id, state=NoticeState.RETRY, reason=DENIED, due_at__gt=at)
    return waiting.update(due_at=at)


def _claim(at: datetime, *, without: Collection[int]) -> list[PgNotice]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "WITH due AS ("
            "  SELECT id FROM payments_pgnotice WHERE state IN ('RECEIVED', 'RETRY') AND due_at <= %s"
            "  AND account_id <> ALL(%s::bigint[]) ORDER BY due_at, id LIMIT %s FOR UPDATE SKIP LOCKED)"
            " UPDATE payments_pgnotice n SET due_at = %s, claim = claim + 1, attempts = attempts + 1"
            " FROM due WHERE n.id = due.id RETURNING n.id",
            [at, sorted(without), AT_ONCE, at + LEASE],
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
    return Applied(NoticeState.RETRY, reason, words(problem))


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
