"""환불 확인: refunds whose outcome nobody knows, and those that a bank still has to pay out, are asked for at the PG.

Nothing is sent again before a re-query after a quiet time has shown that the PG does not have it; PGs that do a refund
once for each key are simply sent the same key (refund_sending). Source: payments.md 5.8, A71, A74.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Any

from django.db import connection, transaction

from core.calendar import KST, add_business_days, kst_date
from core.events import record
from core.failpoints import declare, failpoint
from core.locks import LockTimeout
from core.models import Source
from core.state import move
from payments import events
from payments.adapters.base import PgProblem, PgState, Snapshot
from payments.adapters.base import RefundState as AtPg
from payments.models import Refund
from payments.services.gateway.refund_sending import ASK_SOON, KEY_LIFE, MOST_REPEATS, QUIET, coded, repeating
from payments.services.notices.fetching import fetch
from payments.services.notices.questions import PATIENCE, AskedElsewhere
from payments.services.pg_accounts import pg_of
from payments.services.refunds import settling
from payments.services.refunds.locking import locked_refunds
from payments.services.refunds.settling import CHECK_AFTER
from payments.services.snapshots.applying import Applied, Fetched, apply
from payments.states import NoticeState, RefundState, RefundWay

log = logging.getLogger("payments.refunds")

AT_ONCE = 20
LEASE = timedelta(seconds=120)
LATER = timedelta(minutes=10)
PAID_OUT_AT = time(17)
"""Where a PG does not tell, refunds to accounts are paid by then on the next business day (N-can)."""
FETCHED = declare("refund_after_fetch", "the PG has told what became of refunds; nothing of it is written")
LONGEST = 3
"""Business days after which a person asks the PG about a transfer that it still calls on its way."""
LOST = "보낸 뒤 응답을 받지 못했습니다."
NOT_THERE = "PG에 이 환불이 없습니다. 결제 내역을 확인한 뒤 다시 신청하세요."


def check_due(*, at: datetime) -> int:
    """환불 확인 한 묶음; how many refunds were looked at."""
    lost = give_up_leases(at=at)
    refunds = _claim(at)
    if refunds:
        answers = fetch([refund.paid for refund in refunds], patience=PATIENCE)
        failpoint(FETCHED)
        for refund in refunds:
            _judge(refund.pk, answers[refund.paid.pk], at=at)
    return lost + len(refunds)


def give_up_leases(*, at: datetime) -> int:
    """죽은 전송: whoever sent these has died or hangs; only the PG knows what it did."""
    ids = list(
        Refund.objects.filter(state=RefundState.SENDING, due_at__lte=at).order_by("pk").values_list("pk", flat=True)
    )
    if not ids:
        return 0
    with locked_refunds(ids[:AT_ONCE], skip_locked=True) as refunds:
        silent = [r for r in refunds if r.state == RefundState.SENDING and r.due_at is not None and r.due_at <= at]
        outcome = move(silent, Refund.doubt, at=at, due_at=at, error=LOST)
        record(outcome, events.REFUND_IN_DOUBT, at=at, source=Source.TASK, reason=LOST)
    return len(outcome.moved)


# Those that only wait for their key to be sent once more are the business of refund_sending.
_CLAIM = """
WITH due AS (
    SELECT r.id FROM payments_refund r JOIN payments_payment p ON p.id = r.payment_id
    WHERE r.due_at <= %(at)s AND r.way = 'PG'
      AND (r.state = 'ACCEPTED' OR r.state = 'UNKNOWN'
           AND (r.absent_at IS NULL OR r.absent_at < r.sent_at + %(quiet)s)
           AND NOT (p.account_id = ANY(%(repeating)s) AND r.first_sent_at > %(since)s AND r.doubts < %(most)s))
    ORDER BY r.due_at, r.id LIMIT %(limit)s FOR UPDATE OF r SKIP LOCKED)
UPDATE payments_refund r SET due_at = %(lease)s FROM due WHERE r.id = due.id RETURNING r.id
"""


def _claim(at: datetime) -> list[Refund]:
    facts: dict[str, Any] = {
        "at": at,
        "lease": at + LEASE,
        "quiet": QUIET,
        "repeating": repeating(),
        "since": at - KEY_LIFE,
        "most": MOST_REPEATS,
        "limit": AT_ONCE,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_CLAIM, facts)
        ids = [pk for (pk,) in cursor.fetchall()]
    return list(Refund.objects.filter(pk__in=ids).select_related("payment__account").order_by("pk"))


def _judge(refund_id: int, answer: Fetched | PgProblem, *, at: datetime) -> None:
    try:
        with locked_refunds([refund_id]) as locked:
            if isinstance(answer, Fetched):
                _apply(locked, answer, at=at)
            else:
                wait = ASK_SOON if isinstance(answer, AskedElsewhere) else LATER
                for refund in locked:
                    _ask_again(refund, at + wait, error=coded(answer))
    except LockTimeout:
        log.warning("refund %s: the order is locked; looked at later", refund_id)


def judge_paid_out(answer: Fetched, *, at: datetime) -> tuple[Applied, list[Refund]]:
    """조회 반영과 이체 결과: what the hourly check does with an answer, for one who has asked just now.

    The verdict about the payment, and its refunds that a bank was paying out and of which that is no longer true.
    Raises LockTimeout; nothing is changed then.
    """
    waiting = Refund.objects.filter(payment=answer.payment_id, state=RefundState.ACCEPTED, way=RefundWay.PG)
    with locked_refunds(list(waiting.values_list("pk", flat=True))) as locked:
        verdict = _apply(locked, answer, at=at)
        return verdict, [one for one in _again(locked) if one.state != RefundState.ACCEPTED]


def _apply(refunds: Sequence[Refund], answer: Fetched, *, at: datetime) -> Applied:
    """The ledger first becomes that of the PG, which finds refunds of ours; then what is left is decided."""
    verdict = apply([answer], at=at)[answer.payment_id]
    is_open = verdict.state in {NoticeState.RETRY, NoticeState.PARKED}
    for one in refunds:
        # Read anew each time: what became of the one before may have changed their payment.
        [refund] = _again([one])
        if is_open and refund.state in {RefundState.UNKNOWN, RefundState.ACCEPTED}:
            _ask_again(refund, at + (ASK_SOON if verdict.state == NoticeState.RETRY else LATER))
        elif refund.state == RefundState.UNKNOWN:
            _unseen(refund, answer, at=at)
        elif refund.state == RefundState.ACCEPTED:
            _paid_out(refund, answer.snapshot, at=at)
    return verdict


def _again(refunds: Sequence[Refund]) -> list[Refund]:
    """Refunds as they are now, with their payments and orders; all of them are locked already."""
    rows = Refund.objects.filter(pk__in=[refund.pk for refund in refunds]).select_related("payment__order", "entry")
    return list(rows.order_by("pk"))


def _unseen(refund: Refund, answer: Fetched, *, at: datetime) -> None:
    """The PG has not done it. One that it has only taken is on its way; otherwise it does not have it.

    Once quiet, it is sent a second time; after a second doubt staff decide.
    """
    known = {one.reference for one in answer.snapshot.refunds}
    taken = [one for one in answer.snapshot.pending if one.amount == refund.amount and one.reference not in known]
    if taken:
        facts = {"answered_at": answer.asked_at, "at": at}
        settling.settle(refund, reference=taken[0].reference, is_final=False, **facts)
    elif refund.sent_at is None or answer.asked_at < refund.sent_at + QUIET:
        _ask_again(refund, at + ASK_SOON * 3)
    elif refund.doubts > 1:
        settling.fail(refund, error=NOT_THERE, at=at)
    else:
        Refund.objects.filter(pk=refund.pk, version=refund.version).update(absent_at=answer.asked_at, due_at=at)


def _paid_out(refund: Refund, snapshot: Snapshot, *, at: datetime) -> None:
    """은행 이체 결과; without a word of the PG a business day's 17:00 decides, and what it leaves open a person."""
    told = _told(refund, snapshot)
    if told == AtPg.FAILED:
        settling.bounce(refund, at=at)
    elif told == AtPg.COMPLETED or (told == AtPg.NONE and snapshot.state != PgState.FAILED and _is_over(refund, at)):
        settling.arrive(refund, at=at)
    else:
        if told == AtPg.PART_FAILED or _is_over(refund, at, days=LONGEST):
            settling.ask_person(refund, at=at)
        _ask_again(refund, at + CHECK_AFTER)


def _told(refund: Refund, snapshot: Snapshot) -> AtPg:
    """What the PG says about this refund: its word is about the last transfer of a payment, or about one of several.

    PART_FAILED where only a person can find out which one is meant; what is lost must not count as paid out.
    """
    references, told = [one.reference for one in snapshot.refunds], snapshot.refund_state
    if any(one.reference == refund.reference for one in snapshot.pending):
        return AtPg.PENDING
    if not refund.sealed_account:
        return AtPg.COMPLETED
    if told in {AtPg.NONE, AtPg.PENDING}:
        return told
    is_last = not references or references[-1] in {refund.reference, ""}
    if len(references) > 1 and (told == AtPg.PART_FAILED or not is_last):
        account = refund.paid.account
        return AtPg.PART_FAILED if account is not None and pg_of(account).capabilities.tells_payouts else AtPg.NONE
    return AtPg.FAILED if told == AtPg.PART_FAILED else told


def _is_over(refund: Refund, at: datetime, *, days: int = 1) -> bool:
    day = add_business_days(kst_date(refund.accepted_at or at), days)
    return at >= datetime.combine(day, PAID_OUT_AT, KST)


def _ask_again(refund: Refund, due_at: datetime, *, error: str = "") -> None:
    changes = {"due_at": due_at} | ({"last_error": error[:300]} if error else {})
    Refund.objects.filter(pk=refund.pk, version=refund.version).update(**changes)
