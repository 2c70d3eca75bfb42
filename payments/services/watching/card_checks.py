"""카드 결제 확인: an order of our own mall that its buyer paid at a PG of ours is credited by what the PG says.

The storefront names the PG account and the PG's own reference of the payment; that alone moves nothing. The relay asks
the PG at once and then ever more seldom, whatever notices come besides. Source: payments.md 5.1, 5.5.
"""

import logging
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from django.db import connection, transaction

from core import drains
from core.failpoints import declare, failpoint
from orders.models import Order
from orders.services.locking import locked_orders
from orders.states import PREPAID_METHODS, LineState
from payments.adapters.base import NotAtPg, PgProblem, PgState
from payments.models import CardCheck, MoneyProblem, Payment, PgAccount
from payments.services.ledger import problems, references
from payments.services.ledger.booking import payments_of
from payments.services.ledger.references import CARDS, PgPaid
from payments.services.notices.draining import SOON_AGAIN, apply_each
from payments.services.notices.fetching import fetch
from payments.services.pg_accounts import words_of
from payments.services.snapshots.applying import Applied, Fetched
from payments.states import NoticeState, PaymentState, ProblemKind

log = logging.getLogger("payments.card_checks")

CHANNEL = "oms_card_checks"
AT_ONCE = 16
LEASE = timedelta(seconds=90)
BACK_OFF = tuple(timedelta(seconds=seconds) for seconds in (3, 10, 30, 60, 300, 900, 1800))
UNKNOWN_TRIES = 5
"""A PG that still does not know the payment then, after two minutes: a person looks which of the two is wrong."""
GIVEN_UP = timedelta(days=7)
"""Whatever kept the PG from confirming it, a person looks then; while the order waits, the PG is asked once a day."""
ONCE_A_DAY = timedelta(days=1)
UNHEARD = (
    "자사몰이 결제했다고 알린 결제를 PG에서 일주일 동안 확인하지 못했습니다. 설정의 PG 계정과 PG 관리자 화면에서 "
    "결제를 확인하세요."
)
NOT_THERE = "자사몰이 결제했다고 알린 결제를 PG가 모릅니다. PG 관리자 화면에서 결제를 확인하세요."
OVER = frozenset({PgState.PAID, PgState.PART_REFUNDED, PgState.CANCELED, PgState.EXPIRED, PgState.FAILED})
"""PG states that no further question changes without a notice."""
ASKED = declare("card_check_after_fetch", "the PG has told about card payments; nothing is applied")


def await_pg(*, order: Order, account: PgAccount, paid: PgPaid, at: datetime) -> None:
    """PG 확인 기다리기: the new order's payment belongs to this account and reference, and the relay asks at once.

    Runs in the transaction that made the order. Raises Conflict where another order was paid under the reference.
    """
    payment = references.name(order=order, account=account, paid=paid, at=at)
    CardCheck.objects.create(payment=payment, next_try_at=at)
    drains.notify(CHANNEL)


def state_of(order: Order) -> str | None:
    """PG 결제 상태 for the storefront: pending, confirmed, refunded, problem; None without a PG. Two queries."""
    if order.payment_method not in CARDS:
        return None
    payment = Payment.objects.filter(order=order, account__isnull=False).order_by("pk").first()
    if payment is None:
        return None
    if payment.refunded:
        return "refunded"
    if payment.state in {PaymentState.PAID, PaymentState.OVERPAID}:
        return "confirmed"
    return "problem" if MoneyProblem.objects.filter(payment=payment, resolved_at=None).exists() else "pending"


def unseen(*, order_ids: Collection[int]) -> set[int]:
    """PG가 보여 주지 않은 결제: orders paid by card, says the storefront, about which their PG has told nothing yet.

    Nobody knows where their money is, so that they must not be canceled by themselves.
    """
    mine = Payment.objects.filter(order__in=order_ids, account__isnull=False, method__in=PREPAID_METHODS)
    return set(mine.filter(synced_at=None, balance=0).values_list("order_id", flat=True))


def check_due(*, at: datetime) -> int:
    """카드 결제 조회: ask the PGs about what is due, outside any transaction; how many were asked about."""
    checks = _claim(at)
    if not checks:
        return 0
    answers = fetch([one.payment for one in checks])
    failpoint(ASKED)
    verdicts = apply_each([one for one in answers.values() if isinstance(one, Fetched)], at=at)
    for check in checks:
        answer = answers[check.pk]
        if isinstance(answer, Fetched):
            _told(check, answer, verdicts[check.pk], at=at)
        else:
            _untold(check, answer, at=at)
    return len(checks)


def _claim(at: datetime) -> Sequence[CardCheck]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "WITH due AS ("
            "  SELECT payment_id FROM payments_cardcheck WHERE next_try_at <= %s"
            "  ORDER BY next_try_at, payment_id LIMIT %s FOR UPDATE SKIP LOCKED)"
            " UPDATE payments_cardcheck c SET next_try_at = %s, attempts = attempts + 1"
            " FROM due WHERE c.payment_id = due.payment_id RETURNING c.payment_id",
            [at, AT_ONCE, at + LEASE],
        )
        ids = [pk for (pk,) in cursor.fetchall()]
    rows = CardCheck.objects.filter(pk__in=ids).select_related("payment__account", "payment__order")
    return list(rows.order_by("pk"))


def _told(check: CardCheck, answer: Fetched, applied: Applied, *, at: datetime) -> None:
    if applied.reason in SOON_AGAIN:
        _write(check, due=at + SOON_AGAIN[applied.reason], error="", at=at)
    elif applied.state == NoticeState.RETRY:
        _later(check, applied.reason, at=at)
    elif applied.state == NoticeState.PARKED:
        # A case of its own tells a person; what the PG changes comes by notice or by the reconciliation.
        _write(check, due=None, error=applied.reason, at=at)
    elif answer.snapshot.state in OVER:
        _settle(check, at=at)
        _write(check, due=None, error="", at=at)
    else:
        _later(check, "", at=at)


def _untold(check: CardCheck, problem: PgProblem, *, at: datetime) -> None:
    text = words_of(problem)
    if isinstance(problem, NotAtPg):
        text = NOT_THERE
        if check.attempts >= UNKNOWN_TRIES:
            _open(check, NOT_THERE, at=at)
    _later(check, text, at=at)


def _open(check: CardCheck, detail: str, *, at: datetime) -> None:
    """A case, unless money or an answer of the PG has come meanwhile, or a person has closed the same one."""
    kind = ProblemKind.MISMATCH_WITH_PG
    with locked_orders([check.payment.order_id], skip_locked=True) as (orders, _):
        for payment in payments_of(orders).values():
            told = MoneyProblem.objects.filter(payment=payment, kind=kind, detail=detail)
            if payment.pk == check.pk and not payment.balance and payment.synced_at is None and not told.exists():
                problems.open_for(payment, kind, amount=payment.amount, at=at, detail=detail)


def _settle(check: CardCheck, *, at: datetime) -> None:
    """The PG knows it by now: the case that said it does not, or says nothing, is over."""
    said = MoneyProblem.objects.filter(payment=check.pk, kind=ProblemKind.MISMATCH_WITH_PG)
    said.filter(detail__in=[NOT_THERE, UNHEARD]).fit(at=at)


def _later(check: CardCheck, error: str, *, at: datetime) -> None:
    soon = at + BACK_OFF[min(check.attempts, len(BACK_OFF)) - 1]
    due: datetime | None = soon
    if soon >= check.created_at + GIVEN_UP:
        _open(check, NOT_THERE if error == NOT_THERE else UNHEARD, at=at)
        due = at + ONCE_A_DAY if check.payment.order.stage == LineState.AWAITING_PAYMENT else None
    if error:
        log.warning("card payment %s is not confirmed: %s", check.pk, error)
    _write(check, due=due, error=error, at=at)


def _write(check: CardCheck, *, due: datetime | None, error: str, at: datetime) -> None:
    """A claim that ran out belongs to somebody else."""
    mine = CardCheck.objects.filter(pk=check.pk, attempts=check.attempts)
    mine.update(next_try_at=due, last_error=error[:300], updated_at=at)
