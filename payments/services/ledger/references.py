"""PG 결제 참조: the payment at a PG of ours that a storefront names with its order; by itself it credits nothing.

A card payment is there already, a virtual account was opened in the PG's own window, where we have no call to open
one. Source: payments.md 5.1, 5.2.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Q

from core.exceptions import Conflict, DomainError
from orders.models import Order
from orders.states import PaymentMethod
from payments.adapters.registry import PGS
from payments.models import MoneyProblem, Payment, PgAccount
from payments.services.pg_accounts import pg_of
from payments.states import ProblemKind

CARDS = frozenset({PaymentMethod.CARD, PaymentMethod.EASY_PAY})
METHODS = CARDS | {PaymentMethod.VIRTUAL_ACCOUNT}
NO_ACCOUNT = (
    "payment.pg.account: 사용 중인 PG 계정의 코드가 아닙니다. 설정의 PG 계정에서 코드를 확인하고 다시 보내세요."
)
WRONG_METHOD = (
    "payment.pg: 결제수단이 CARD나 EASY_PAY, VIRTUAL_ACCOUNT인 주문에만 보냅니다. 결제수단을 고치거나 pg를 빼고 다시 "
    "보내세요."
)
WE_OPEN = (
    "payment.pg: 이 PG 계정의 가상계좌는 주문을 받은 뒤 우리가 발급합니다. CARD나 EASY_PAY 주문이 아니면 pg를 빼고 "
    "다시 보내세요."
)
NOTHING_DUE = "payment.pg: 결제할 금액이 없는 주문입니다. 금액을 고치거나 pg를 빼고 다시 보내세요."
USED = "이 PG 주문번호는 다른 주문의 결제입니다. 결제한 PG 주문번호를 확인하고 다시 보내세요."


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
    if method not in CARDS and pg_of(found).capabilities.can_issue:
        raise PgRefused(WE_OPEN)
    return found


def name(*, order: Order, account: PgAccount, paid: PgPaid, at: datetime) -> Payment:
    """결제 참조 적기: the new order's payment belongs to this account and reference.

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
    # Its notices may have waited in vain for the order.
    orphans = MoneyProblem.objects.filter(
        kind=ProblemKind.UNKNOWN_ORDER, notice__account=account, notice__order_ref=paid.order_ref
    )
    orphans.fit(at=at)
    return payment


def is_same(order: Order, paid: PgPaid | None) -> bool:
    """Whether a stored order was named under this reference; with None, whether under none."""
    of_order = Payment.objects.filter(order=order, account__isnull=False, method__in=METHODS)
    by_window = Q(virtual__is_from_window=True)
    if paid is None:
        return not of_order.filter(by_window | Q(card_check__isnull=False)).exists()
    mine = of_order.filter(by_window | Q(method__in=CARDS))
    return mine.filter(account__code=paid.account, order_ref=paid.order_ref).exists()
