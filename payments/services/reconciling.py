"""PG 대사: payments are asked about without any notice, so that a lost one costs time and never money.

Every half hour those that are about to end, every night those of the last week, with a report. Source: payments.md 5.9.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.db.models import F, QuerySet, Sum

from core.calendar import kst_date, kst_day_range
from orders.models import Order
from payments.models import LedgerEntry, Payment, PgAccount, PgReconciliation
from payments.services.applying import Fetched
from payments.services.booking import OF_BANK
from payments.services.draining import apply_each, fetch
from payments.services.questions import PATIENCE
from payments.states import FROM_PG, GOING_OUT, NoticeState, PaymentState, VirtualState

log = logging.getLogger("payments.reconciling")

AT_ONCE = 100
FIRST = 8
"""Questions to a PG that has not answered yet in this run."""
SOON = timedelta(hours=2)
LATE = timedelta(days=7)
DAYS = 7
REASON = "대사로 확인"


@dataclass
class Found:
    """대사 결과: how many payments were asked about and what came of it; won."""

    payments: int = 0
    unanswered: int = 0
    changed: int = 0
    mismatches: int = 0
    pg_sum: int = 0
    answered: set[int] = field(default_factory=set)


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
    """주간 대사: every payment of the last seven days, by account and day; the rows of the report, new ones only.

    A day that this night has finished is not done again, so that a run that died is continued by the next.
    """
    today, reports = kst_date(at), []
    for account in PgAccount.objects.filter(is_active=True).order_by("pk"):
        for ago in range(DAYS):
            day = today - timedelta(days=ago)
            if not PgReconciliation.objects.filter(ran_on=today, account=account, day=day).exists():
                report = _report(account, day, ran_on=today, at=at)
                if report is not None:
                    reports.append(report)
    return reports


def _report(account: PgAccount, day: date, *, ran_on: date, at: datetime) -> PgReconciliation | None:
    begin, end = kst_day_range(day)
    payments = Payment.objects.filter(account=account, created_at__gte=begin, created_at__lt=end)
    found = _compare(payments, at=at)
    if not found.payments:
        return None
    ledger = LedgerEntry.objects.filter(payment__in=found.answered, kind__in=FROM_PG | GOING_OUT).exclude(OF_BANK)
    orders = Order.objects.filter(pk__in=Payment.objects.filter(pk__in=found.answered).values("order_id"))
    report, _ = PgReconciliation.objects.update_or_create(
        ran_on=ran_on,
        account=account,
        day=day,
        defaults={
            "payments": found.payments,
            "unanswered": found.unanswered,
            "changed": found.changed,
            "mismatches": found.mismatches,
            "pg_sum": found.pg_sum,
            "ledger_sum": ledger.aggregate(won=Sum("amount"))["won"] or 0,
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
    found, heard, silent, after = Found(), set[int](), set[int](), 0
    while rows := list(payments.filter(pk__gt=after).select_related("account").order_by("pk")[:AT_ONCE]):
        after = rows[-1].pk
        for some in _portions(rows, heard):
            found.payments += len(some)
            asked = [one for one in some if one.account_id not in silent]
            answers = _ask(asked, found, at=at)
            found.unanswered += len(some) - len(answers)
            heard |= {one.account_id for one in asked if one.pk in answers and one.account_id}
            # A PG that answers none of a portion is left alone until the next run.
            silent |= {one.account_id for one in asked if one.account_id} - {
                one.account_id for one in asked if one.pk in answers
            }
    return found


def _portions(rows: Sequence[Payment], heard: set[int]) -> Iterable[list[Payment]]:
    """All at once, or a few first while nobody knows whether the PG answers."""
    if all(one.account_id in heard for one in rows):
        yield list(rows)
        return
    yield list(rows[:FIRST])
    if rows[FIRST:]:
        yield list(rows[FIRST:])


def _ask(payments: Sequence[Payment], found: Found, *, at: datetime) -> dict[int, Fetched]:
    if not payments:
        return {}
    answers = {pk: one for pk, one in fetch(payments, patience=PATIENCE).items() if isinstance(one, Fetched)}
    for pk, verdict in apply_each(list(answers.values()), at=at, reason=REASON).items():
        found.changed += verdict.state == NoticeState.PROCESSED
        found.mismatches += verdict.state == NoticeState.PARKED
        found.pg_sum += _standing(answers[pk])
    found.answered |= set(answers)
    return answers


def _standing(answer: Fetched) -> int:
    came_in = sum(one.amount for one in answer.snapshot.deposits)
    return came_in - sum(one.amount for one in answer.snapshot.refunds)
