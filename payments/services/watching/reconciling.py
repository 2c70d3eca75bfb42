"""PG 대사: payments are asked about without any notice, so that a lost one costs time and never money.

Every half hour those that are about to end. Every night, with a report, those to which something happened within a
week and those whose orders are still open, however old they are; what is left of the night's budget goes to payments
that nobody has asked about for longest, so that a refund in a PG's console is found in the end even when its notice was
lost. Source: payments.md 5.9.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import F, QuerySet, Sum

from core.calendar import kst_date, kst_day_range
from orders.models import Order
from orders.states import OPEN_BITS
from payments.adapters.base import NotAtPg
from payments.models import LedgerEntry, Payment, PgAccount, PgReconciliation
from payments.services.ledger.booking import OF_BANK
from payments.services.notices.draining import apply_each
from payments.services.notices.fetching import fetch
from payments.services.notices.questions import PATIENCE, AskedElsewhere
from payments.services.snapshots.applying import BUSY, STALE, Fetched
from payments.services.watching import lost
from payments.states import FROM_PG, GOING_OUT, NoticeState, PaymentState, VirtualState

log = logging.getLogger("payments.reconciling")

AT_ONCE = 100
FIRST = 8
"""Questions to a PG that has not answered yet in this run."""
AGAIN = (0.5, 2.0, 5.0)
"""Seconds before each further question about what somebody else was busy with when its turn came."""
SOON = timedelta(hours=2)
LATE = timedelta(days=7)
DAYS = 7
MOST = 10_000
"""Payments that one night asks about beside those to which something happened."""
QUIET_FOR = timedelta(days=180)
"""Older payments can hardly be refunded at a PG any more (payments.md 2.4)."""
REASON = "대사로 확인"


@dataclass
class Found:
    """대사 결과: which payments were asked about and what came of it; won of those that were answered."""

    unanswered: int = 0
    changed: int = 0
    mismatches: int = 0
    pg_sum: int = 0
    ledger_sum: int = 0
    answered: set[int] = field(default_factory=set)
    again: set[int] = field(default_factory=set)
    """To be asked about once more: somebody else holds their order, or asks about them too."""
    heard: set[int] = field(default_factory=set)
    silent: set[int] = field(default_factory=set)
    """Accounts whose PG has answered, and those whose PG has not."""

    @property
    def payments(self) -> int:
        """결제 수."""
        return len(self.answered) + self.unanswered


def reconcile_soon(*, at: datetime) -> Found:
    """임박 대사: unpaid payments whose account ends within two hours or has ended within a week."""
    waiting = Payment.objects.filter(
        state__in=[PaymentState.PENDING, PaymentState.PARTIAL, PaymentState.REFUNDED],
        refunded__lt=F("amount"),
        account__isnull=False,
        virtual__state=VirtualState.ISSUED,
        virtual__due_at__lte=at + SOON,
        virtual__due_at__gt=at - LATE,
    )
    return _compare(waiting, at=at)


def reconcile_week(*, at: datetime) -> list[PgReconciliation]:
    """주간 대사: every payment to which something happened within seven days, or whose order is open; new reports only.

    A report is of an account and the day on which its payments were made. A run that died is continued by the next of
    the day: a report that is there is done again only where answers are missing.
    """
    today, reports, left = kst_date(at), [], MOST
    for account in PgAccount.objects.filter(is_active=True).order_by("pk"):
        busy = _happened(account, at=at)
        still = _of_open_orders(account, limit=left, but=busy)
        left -= len(still)
        by_day: dict[date, list[int]] = defaultdict(list)
        for pk, day in (busy | still).items():
            by_day[day].append(pk)
        for day in sorted(by_day, reverse=True):
            mine = PgReconciliation.objects.filter(ran_on=today, account=account, day=day)
            if not mine.filter(unanswered=0).exists():
                report = _report(account, day, by_day[day], ran_on=today, at=at)
                if report is not None:
                    reports.append(report)
    _ask_the_quiet(limit=left, at=at)
    return reports


def _happened(account: PgAccount, *, at: datetime) -> dict[int, date]:
    """결제 of an account that were made, paid, refunded or told about within the week: the day each was made, by id."""
    begin, _ = kst_day_range(kst_date(at) - timedelta(days=DAYS - 1))
    with connection.cursor() as cursor:
        cursor.execute(_HAPPENED, {"account": account.pk, "since": begin})
        return dict(cursor.fetchall())


def _of_open_orders(account: PgAccount, *, limit: int, but: Collection[int]) -> dict[int, date]:
    """결제 of orders that are under way, those asked about longest ago first."""
    with connection.cursor() as cursor:
        cursor.execute(_OPEN, {"account": account.pk, "but": list(but), "limit": max(0, limit)})
        return dict(cursor.fetchall())


def _ask_the_quiet(*, limit: int, at: datetime) -> None:
    """오래 조회하지 않은 결제: money that lies at a PG, asked about in turn; what differs is applied or is a case."""
    resting = Payment.objects.filter(
        account__is_active=True, balance__gt=0, created_at__gt=at - QUIET_FOR, synced_at__lt=at - timedelta(days=DAYS)
    )
    ids = list(resting.order_by("synced_at", "pk").values_list("pk", flat=True)[: max(0, limit)])
    found = _compare(Payment.objects.filter(pk__in=ids), at=at)
    if found.changed or found.mismatches:
        log.error("quiet payments: %s changed, %s do not fit", found.changed, found.mismatches)


_DAY = "(p.created_at AT TIME ZONE 'Asia/Seoul')::date"
_HAPPENED = f"""
SELECT p.id, {_DAY} FROM payments_payment p
WHERE p.account_id = %(account)s AND (p.created_at >= %(since)s OR p.paid_at >= %(since)s
  OR p.id IN (SELECT payment_id FROM payments_ledgerentry WHERE at >= %(since)s)
  OR p.id IN (SELECT payment_id FROM payments_refund WHERE payment_id IS NOT NULL AND updated_at >= %(since)s)
  OR p.order_ref IN (SELECT order_ref FROM payments_pgnotice WHERE account_id = %(account)s
                     AND received_at >= %(since)s))
"""
_OPEN = f"""
SELECT p.id, {_DAY} FROM payments_payment p JOIN orders_order o ON o.id = p.order_id
WHERE p.account_id = %(account)s AND (o.steps & {OPEN_BITS}) <> 0 AND p.id <> ALL(%(but)s::bigint[])
ORDER BY p.synced_at NULLS FIRST, p.id LIMIT %(limit)s
"""


def _report(
    account: PgAccount, day: date, ids: Collection[int], *, ran_on: date, at: datetime
) -> PgReconciliation | None:
    payments = Payment.objects.filter(pk__in=ids)
    found = _compare(payments, at=at)
    if not found.payments:
        return None
    orders = Order.objects.filter(pk__in=Payment.objects.filter(pk__in=found.answered).values("order_id"))
    facts: dict[str, Any] = {"ran_on": ran_on, "account": account, "day": day}
    earlier = PgReconciliation.objects.filter(**facts).values_list("changed", flat=True).first()
    report, _ = PgReconciliation.objects.update_or_create(
        **facts,
        defaults={
            "payments": found.payments,
            "unanswered": found.unanswered,
            "changed": found.changed + (earlier or 0),
            "mismatches": found.mismatches,
            "pg_sum": found.pg_sum,
            "ledger_sum": found.ledger_sum,
            "order_sum": orders.aggregate(won=Sum("paid_amount"))["won"] or 0,
            "finished_at": at,
        },
    )
    if report.pg_sum != report.ledger_sum or report.mismatches:
        log.error(
            "account %s, %s: the PG says %s won, the ledger %s", account.pk, day, report.pg_sum, report.ledger_sum
        )
    return report


def _compare(payments: QuerySet[Payment], *, at: datetime) -> Found:
    found = Found()
    _ask_all(payments, found, at=at)
    for pause in AGAIN:
        if found.again:
            time.sleep(pause)
            some, found.again = found.again, set()
            _ask_all(Payment.objects.filter(pk__in=some), found, at=at)
    found.unanswered += len(found.again)
    return found


def _ask_all(payments: QuerySet[Payment], found: Found, *, at: datetime) -> None:
    after = 0
    while rows := list(payments.filter(pk__gt=after).select_related("account").order_by("pk")[:AT_ONCE]):
        after = rows[-1].pk
        for some in _portions(rows, found.heard):
            asked = [one for one in some if one.account_id not in found.silent]
            found.unanswered += len(some) - len(asked)
            if asked:
                _ask(asked, found, at=at)


def _portions(rows: Sequence[Payment], heard: set[int]) -> Iterable[list[Payment]]:
    """All at once, or a few first while nobody knows whether the PG answers."""
    if all(one.account_id in heard for one in rows):
        yield list(rows)
        return
    yield list(rows[:FIRST])
    if rows[FIRST:]:
        yield list(rows[FIRST:])


def _ask(payments: Sequence[Payment], found: Found, *, at: datetime) -> None:
    """Ask about them and apply it; what somebody else is busy with is no answer yet, and no silence of the PG.

    A PG that does not know a payment has answered: it holds nothing.
    """
    told = fetch(payments, patience=PATIENCE)
    answers = {pk: one for pk, one in told.items() if isinstance(one, Fetched)}
    elsewhere = {pk for pk, one in told.items() if isinstance(one, AskedElsewhere)}
    denied = {pk for pk, one in told.items() if isinstance(one, NotAtPg)}
    verdicts = apply_each(list(answers.values()), at=at, reason=REASON)
    busy = {pk for pk, verdict in verdicts.items() if verdict in {BUSY, STALE}}
    found.again |= busy | elsewhere
    found.unanswered += len(told.keys() - answers.keys() - denied - elsewhere)
    good = answers.keys() - busy
    found.answered |= good | denied
    found.changed += sum(verdicts[pk].state == NoticeState.PROCESSED for pk in good)
    found.mismatches += sum(verdicts[pk].state == NoticeState.PARKED for pk in good)
    found.mismatches += len(lost.tell([one for one in payments if one.pk in denied], at=at))
    # Both at once: of a payment that is told about meanwhile the ledger would know more than the answer.
    found.pg_sum += sum(_standing(answers[pk]) for pk in good)
    found.ledger_sum += _booked(good | denied)
    heard = {one.account_id for one in payments if one.pk in answers.keys() | denied and one.account_id}
    found.heard |= heard
    # A PG that answers none of a portion is left alone until the next run.
    found.silent |= {one.account_id for one in payments if one.pk not in elsewhere and one.account_id} - heard


def _standing(answer: Fetched) -> int:
    came_in = sum(one.amount for one in answer.snapshot.deposits)
    return came_in - sum(one.amount for one in answer.snapshot.refunds)


def _booked(payment_ids: Collection[int]) -> int:
    """원장 합계: what the ledger says of the money at the PG."""
    entries = LedgerEntry.objects.filter(payment__in=payment_ids, kind__in=FROM_PG | GOING_OUT).exclude(OF_BANK)
    return entries.aggregate(won=Sum("amount"))["won"] or 0
