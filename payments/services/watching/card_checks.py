"""카드 결제 확인: an order of our own mall that its buyer paid at a PG of ours is credited by what the PG says.

The storefront names the PG account and the PG's own reference of the payment; that alone moves nothing. The relay asks
the PG at once and then ever more seldom, whatever notices come besides. Source: payments.md 5.1, 5.5.
"""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, connection, transaction

from core import drains
from core.exceptions import Conflict, DomainError
from core.failpoints import declare, failpoint
from orders.models import Order
from orders.services.locking import locked_orders
from orders.states import PREPAID_METHODS, PaymentMethod
from payments.adapters.base import NotAtPg, PgProblem, PgState
from payments.adapters.registry import PGS
from payments.models import CardCheck, MoneyProblem, Payment, PgAccount
from payments.services.ledger import problems
from payments.services.ledger.booking import payments_of
from payments.services.notices.draining import SOON_AGAIN, apply_each, fetch
from payments.services.snapshots.applying import Applied, Fetched
from payments.states import NoticeState, PaymentState, ProblemKind

log = logging.getLogger("payments.card_checks")

CHANNEL = "oms_card_checks"
METHODS = frozenset({PaymentMethod.CARD, PaymentMethod.EASY_PAY})
AT_ONCE = 16
LEASE = timedelta(seconds=90)
BACK_OFF = tuple(timedelta(seconds=seconds) for seconds in (3, 10, 30, 60, 300, 900, 1800))
UNKNOWN_TRIES = 5
"""A PG that still does not know the payment then, after two minutes: a person looks which of the two is wrong."""
GIVEN_UP = timedelta(days=7)
NOT_THERE = "자사몰이 결제했다고 알린 결제를 PG가 모릅니다. PG 관리자 화면에서 결제를 확인하세요."
NO_ACCOUNT = (
    "payment.pg.account: 사용 중인 PG 계정의 코드가 아닙니다. 설정의 PG 계정에서 코드를 확인하고 다시 보내세요."
)
WRONG_METHOD = (
    "payment.pg: 결제수단이 CARD나 EASY_PAY인 주문에만 보냅니다. 결제수단을 고치거나 pg를 빼고 다시 보내세요."
)
NOTHING_DUE = "payment.pg: 결제할 금액이 없는 주문입니다. 금액을 고치거나 pg를 빼고 다시 보내세요."
USED = "이 PG 주문번호는 다른 주문의 결제입니다. 결제한 PG 주문번호를 확인하고 다시 보내세요."
OVER = frozenset({PgState.PAID, PgState.PART_REFUNDED, PgState.CANCELED, PgState.EXPIRED, PgState.FAILED})
"""PG states that no further question changes without a notice."""
ASKED = declare("card_check_after_fetch", "the PG has told about card payments; nothing is applied")


@dataclass(frozen=True, kw_only=True, slots=True)
class PgPaid:
    """PG 결제 참조 as the storefront names it: code of our account, the reference there, the PG's own number."""

    account: str
    order_ref: str
    payment_ref: str = ""


class PgRefused(DomainError):
    """PG 결제 접수 불가: what the storefront names cannot be a payment at a PG of ours; nothing is stored."""

    code = "order_refused"
    status = 422


def account_for(paid: PgPaid, *, method: PaymentMethod, due: int) -> PgAccount:
    """PG 계정 of a reference, before the order is stored; `due` is what the order costs in won. Raises PgRefused."""
    if method not in METHODS:
        raise PgRefused(WRONG_METHOD)
    if due <= 0:
        raise PgRefused(NOTHING_DUE)
    found = PgAccount.objects.filter(code=paid.account, is_active=True, provider__in=list(PGS)).first()
    if found is None:
        raise PgRefused(NO_ACCOUNT)
    assert isinstance(found, PgAccount)
    return found


def await_pg(*, order: Order, account: PgAccount, paid: PgPaid, at: datetime) -> None:
    """PG 확인 기다리기: the new order's payment belongs to this account and reference, and the relay asks at once.

    Runs in the transaction that made the order. Raises Conflict where another order was paid under the reference.
    """
    payment = Payment.objects.get(order=order)
    try:
        with transaction.atomic():
            Payment.objects.filter(pk=payment.pk).update(
                account=account, order_ref=paid.order_ref, payment_ref=paid.payment_ref, updated_at=at
            )
    except IntegrityError:
        raise Conflict(USED, code="pg_reference_used") from None
    CardCheck.objects.create(payment=payment, next_try_at=at)
    # Its notices may have waited in vain for the order.
    orphans = MoneyProblem.objects.filter(
        kind=ProblemKind.UNKNOWN_ORDER, notice__account=account, notice__order_ref=paid.order_ref
    )
    orphans.fit(at=at)
    drains.notify(CHANNEL)


def is_same(order: Order, paid: PgPaid | None) -> bool:
    """Whether a stored order is awaited, or was paid, under this reference; with None, whether under none."""
    mine = Payment.objects.filter(order=order, account__isnull=False, method__in=METHODS)
    if paid is None:
        return not CardCheck.objects.filter(payment__in=mine).exists()
    return mine.filter(account__code=paid.account, order_ref=paid.order_ref).exists()


def state_of(order: Order) -> str | None:
    """PG 결제 상태 for the storefront: pending, confirmed, refunded, problem; None without a PG. Two queries."""
    if order.payment_method not in METHODS:
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
            "UPDATE payments_cardcheck c SET next_try_at = %s, attempts = attempts + 1 FROM ("
            "  SELECT payment_id FROM payments_cardcheck WHERE next_try_at <= %s"
            "  ORDER BY next_try_at, payment_id LIMIT %s FOR UPDATE SKIP LOCKED) AS due"
            " WHERE c.payment_id = due.payment_id RETURNING c.payment_id",
            [at + LEASE, at, AT_ONCE],
        )
        ids = [pk for (pk,) in cursor.fetchall()]
    rows = CardCheck.objects.filter(pk__in=ids).select_related("payment__account")
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
    text = problem.message or str(problem)
    if isinstance(problem, NotAtPg):
        text = NOT_THERE
        if check.attempts >= UNKNOWN_TRIES:
            _open(check, at=at)
    _later(check, text, at=at)


def _open(check: CardCheck, *, at: datetime) -> None:
    """A case, unless money or an answer of the PG has come meanwhile."""
    with locked_orders([check.payment.order_id], skip_locked=True) as (orders, _):
        for payment in payments_of(orders).values():
            if payment.pk == check.pk and not payment.balance and payment.synced_at is None:
                kind = ProblemKind.MISMATCH_WITH_PG
                problems.open_for(payment, kind, amount=payment.amount, at=at, detail=NOT_THERE)


def _settle(check: CardCheck, *, at: datetime) -> None:
    """The PG knows it by now: the case that said it does not is over."""
    said = MoneyProblem.objects.filter(payment=check.pk, kind=ProblemKind.MISMATCH_WITH_PG, detail=NOT_THERE)
    said.fit(at=at)


def _later(check: CardCheck, error: str, *, at: datetime) -> None:
    wait = BACK_OFF[min(check.attempts, len(BACK_OFF)) - 1]
    due = at + wait if at + wait < check.created_at + GIVEN_UP else None
    if error:
        log.warning("card payment %s is not confirmed: %s", check.pk, error)
    _write(check, due=due, error=error, at=at)


def _write(check: CardCheck, *, due: datetime | None, error: str, at: datetime) -> None:
    """A claim that ran out belongs to somebody else."""
    mine = CardCheck.objects.filter(pk=check.pk, attempts=check.attempts)
    mine.update(next_try_at=due, last_error=error[:300], updated_at=at)
