"""입금대기 관리: orders that nobody has paid yet (rows and menu count belong to orders)."""

from dataclasses import replace
from datetime import datetime
from typing import ClassVar

from django.db.models import F, Q

from core.calendar import kst_date, kst_day_range
from core.lists import DateBasis, ListQuery, ListTab, Sort, Tool, lists
from orders import columns as order_columns
from orders.models import OrderLine
from orders.pages import ALL_TAB, ORDERED_AT, OrderStepPage
from orders.states import LOCK_BIT, LineState, LockKind, PaymentMethod
from payments.columns import awaiting as columns
from payments.filters.awaiting import AwaitingFilter
from payments.models import MoneyProblem
from payments.pages.deposits import DepositPage

DEPOSIT_BY = DateBasis("입금기한", "deposit_by")


def overdue(at: datetime) -> Q:
    """기한 지남: the 입금기한 is over; the next run of 자동취소 takes the order, unless money has come in."""
    return Q(deposit_by__lte=at)


def due_today(at: datetime) -> Q:
    """기한 오늘: the 입금기한 lies before 24:00 of today in Seoul."""
    return Q(deposit_by__gt=at, deposit_by__lt=kst_day_range(kst_date(at))[1])


_HELD = OrderLine.objects.filter(
    state=LineState.AWAITING_PAYMENT, open_locks__gt=0, open_locks__bit=LOCK_BIT[LockKind.DEPOSIT_PENDING]
)
MATCHING = Q(pk__in=_HELD.order_by().values("order"))
"""수동매칭 필요: a deposit that waits for a person may belong to the order; locked lines are few and found first."""
_STRANGE = MoneyProblem.objects.filter(resolved_at=None, order__isnull=False)
DIFFERENT = (Q(paid_amount__gt=0) & ~Q(paid_amount=F("due_amount"))) | Q(pk__in=_STRANGE.order_by().values("order"))
"""금액 불일치: money has come in that is not what is due, or that the PG tells otherwise."""


@lists.register
class AwaitingPaymentPage(OrderStepPage):
    """입금대기 관리: unpaid orders, the one that is canceled next first."""

    name, title, url = "awaiting-payment", "입금대기 관리", "/orders/awaiting-payment/"
    subtitle = "입금을 확인하고 상품준비중으로 넘깁니다"
    state = LineState.AWAITING_PAYMENT
    default_period = "7d"
    filterset_class = AwaitingFilter
    sorts: ClassVar[dict[str, Sort]] = {
        "deposit_by": Sort("입금기한 빠른순", ("deposit_by",), nullable=True),
        "-deposit_by": Sort("입금기한 늦은순", ("-deposit_by",), nullable=True),
        "-ordered_at": Sort("주문일 최신순", ("-ordered_at",)),
        "ordered_at": Sort("주문일 오래된순", ("ordered_at",)),
        "-due_amount": Sort("결제예정액 큰순", ("-due_amount",)),
        "due_amount": Sort("결제예정액 작은순", ("due_amount",)),
    }
    bases: ClassVar[dict[str, DateBasis]] = {"ordered": ORDERED_AT, "deposit_by": DEPOSIT_BY}
    tabs = (
        ALL_TAB,
        ListTab("bank", "무통장", Q(payment_method=PaymentMethod.BANK_TRANSFER)),
        ListTab("account", "가상계좌", Q(payment_method=PaymentMethod.VIRTUAL_ACCOUNT)),
        ListTab("today", "기한 오늘", due_today),
        ListTab("overdue", "기한 지남", overdue),
        ListTab("matching", "수동매칭 필요", MATCHING),
        ListTab("difference", "금액 불일치", DIFFERENT),
    )
    columns = (
        order_columns.NUMBER,
        order_columns.BUYER,
        columns.DEPOSITOR,
        columns.DUE,
        columns.PAID,
        columns.DEPOSIT_BY,
        columns.VIRTUAL,
        order_columns.PRODUCT,
        order_columns.QUANTITY,
        columns.TAGS,
        order_columns.PHONE,
        order_columns.ADDRESS,
        replace(order_columns.SKU, visible=False),
        order_columns.PRICE,
        order_columns.DELIVERY,
        order_columns.NOTE,
    )
    empty_text = "입금을 기다리는 주문이 없습니다. 무통장입금과 가상계좌 주문이 들어오면 여기에 나타납니다."

    def tools(self, query: ListQuery) -> list[Tool]:
        may = query.user is not None and query.user.has_perm(DepositPage.permission)
        deposits = [Tool(DepositPage.title, DepositPage.url, "deposits")] if may else []
        return [*deposits, *super().tools(query)]
