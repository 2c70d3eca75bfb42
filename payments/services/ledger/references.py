"""PG 결제 참조: the payment at a PG of ours that a storefront names with its order; by itself it credits nothing.

A card payment is there already, a virtual account was opened in the PG's own window, where we have no call to open
one. Source: payments.md 5.1, 5.2.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from core.calendar import KST
from core.exceptions import Conflict, DomainError
from orders.models import Order
from orders.services.locking import locked_orders
from orders.states import PaymentMethod
from payments.adapters.base import Kind, Ref
from payments.adapters.registry import PGS
from payments.models import CardCheck, LedgerEntry, MoneyProblem, Payment, PgAccount, PgNotice, VirtualAccount
from payments.services.ledger.booking import payments_of
from payments.services.pg_accounts import pg_of
from payments.states import ENDED, ProblemKind, VirtualState

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
NO_KEYS = (
    "payment.pg.account: 이 PG 계정에는 PG에 조회할 키가 없어 결제를 확인하지 못합니다. 설정의 PG 계정에서 조회에 쓰는 "
    "키를 저장하고 다시 보내세요."
)
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
    able = pg_of(found).capabilities
    if method not in CARDS and able.can_issue:
        raise PgRefused(WE_OPEN)
    if not able.query_keys <= found.sealed_options.keys():
        raise PgRefused(NO_KEYS)
    return found


def name(*, order: Order, account: PgAccount, paid: PgPaid, at: datetime) -> Payment:
    """결제 참조 적기: the new order's payment belongs to this account and reference.

    A canceled order of the same channel of which the PG has never shown anything gives the reference up. Runs in the
    transaction that made the order. Raises Conflict where another order was paid under the reference.
    """
    _give_up(order.channel_id, account, paid.order_ref, at=at)
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


def _give_up(channel_id: int, account: PgAccount, order_ref: str, *, at: datetime) -> None:
    """An order whose row somebody holds just now keeps its reference."""
    holder = _unseen().filter(account=account, order_ref=order_ref, order__channel=channel_id, order__stage__in=ENDED)
    order_ids = list(holder.values_list("order_id", flat=True))
    if not order_ids:
        return
    with locked_orders(order_ids, skip_locked=True) as (orders, _):
        for payment in payments_of([one for one in orders if one.stage in ENDED]).values():
            mine = _unseen().filter(pk=payment.pk, account=account, order_ref=order_ref)
            if mine.update(account=None, order_ref=None, payment_ref="", updated_at=at):
                VirtualAccount.objects.filter(payment=payment).delete()
                CardCheck.objects.filter(payment=payment).delete()
                MoneyProblem.objects.filter(payment=payment, kind=ProblemKind.MISMATCH_WITH_PG).fit(at=at)


def _unseen() -> QuerySet[Payment]:
    """결제 of which no answer of a PG was ever applied, and nothing is booked."""
    booked = LedgerEntry.objects.filter(payment=OuterRef("pk"))
    return Payment.objects.filter(~Exists(booked), synced_at=None)


def take_number(order: Order, paid: PgPaid, *, at: datetime) -> None:
    """PG 거래번호 받기: a stored order is told the PG's own number, or another one than before, and is asked about.

    Only while no answer of the PG was applied: afterwards the PG's own word stands.
    """
    if not paid.payment_ref:
        return
    mine = _unseen().filter(order=order, account__code=paid.account, order_ref=paid.order_ref)
    for pk in mine.exclude(payment_ref=paid.payment_ref).values_list("pk", flat=True):
        if _unseen().filter(pk=pk).update(payment_ref=paid.payment_ref, updated_at=at):
            VirtualAccount.objects.filter(pk=pk, state=VirtualState.PENDING).update(next_try_at=at, updated_at=at)
            CardCheck.objects.filter(pk=pk).update(next_try_at=at, updated_at=at)


def has_case(payment_id: int) -> bool:
    """확인 필요: whether a case about this payment waits for a person."""
    return MoneyProblem.objects.filter(payment=payment_id, resolved_at=None).exists()


def ref_of(payment: Payment) -> Ref:
    """결제 참조 for the PG."""
    return Ref(order_ref=payment.order_ref or "", payment_ref=payment.payment_ref, at=payment.created_at)


def refs_of(payments: Collection[Payment], *, at: datetime) -> dict[int, Ref]:
    """결제 참조 by payment id for a question at `at`; of those that no PG has shown us with all that may find them.

    One query where there are such. What a notice tells is taken where the notice proves its sender, and never from one
    of an attempt that failed. Source: payments.md 2.4, 5.4.
    """
    found = {one.pk: ref_of(one) for one in payments}
    unseen = [one.pk for one in payments if one.synced_at is None]
    if unseen:
        notices = PgNotice.objects.filter(account=OuterRef("account"), order_ref=OuterRef("order_ref"), is_proven=True)
        told = notices.exclude(payment_ref="").exclude(kind__in=[Kind.FAILED, Kind.OTHER]).order_by("-pk")
        rows = Payment.objects.filter(pk__in=unseen).values_list(
            "pk", "created_at", "order__ordered_at", Subquery(told.values("payment_ref")[:1])
        )
        for pk, made, ordered, number in rows:
            found[pk] = replace(found[pk], told=number or "", days=_days(made, ordered, at))
    return found


def _days(made: datetime, ordered: datetime, at: datetime) -> tuple[date, ...]:
    """The buyer may have paid before the order came to us, or later, up to now; midnight may lie in between."""
    day, today = timedelta(days=1), at.astimezone(KST).date()
    days = [one.astimezone(KST).date() for one in (made, at, ordered, made - day, at - day, made + day)]
    return tuple(one for one in dict.fromkeys(days) if one <= today)
