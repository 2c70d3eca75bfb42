"""입금대기 관리: orders that nobody has paid yet (rows and menu count belong to orders); 자동입금확인: what came in."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar

from django.db.models import F, Q, QuerySet

from accounts.lists import LoggedExport
from core.calendar import kst_date, kst_day_range
from core.events import event_model
from core.lists import (
    NUMBER,
    WORD,
    DateBasis,
    Group,
    ListQuery,
    ListTab,
    Moved,
    RowHead,
    SearchArm,
    Sort,
    Tool,
    lists,
)
from orders import columns as order_columns
from orders.models import OrderLine
from orders.pages import ALL_TAB, ORDERED_AT, OrderStepPage
from orders.states import LOCK_BIT, LineState, LockKind, PaymentMethod
from payments import columns
from payments.counts import counted
from payments.deposit_columns import COLUMNS as DEPOSIT_COLUMNS
from payments.deposit_columns import DEPOSIT_PATHS, DepositRecord
from payments.filters import AwaitingFilter
from payments.models import BankDeposit, MoneyProblem
from payments.money_pages import NoticePage, ProblemPage, RefusedPage, stuck_notices
from payments.names import name_key
from payments.receipt_pages import ReceiptPage, ReconciliationPage
from payments.refund_pages import RefundPage, waiting_refunds
from payments.states import DepositReason, DepositState

__all__ = [
    "AwaitingPaymentPage",
    "DepositPage",
    "NoticePage",
    "ProblemPage",
    "ReceiptPage",
    "ReconciliationPage",
    "RefundPage",
    "RefusedPage",
]

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


def _queued(*reasons: DepositReason) -> Q:
    return Q(state=DepositState.QUEUED, reason__in=list(reasons))


D = DepositReason
BY_HAND = (
    D.NO_ORDER, D.NAME_DIFFERS, D.NAME_WEAK, D.NAME_AMBIGUOUS, D.SEVERAL_ORDERS, D.ALREADY_CONFIRMED, D.UNDONE,
)  # fmt: skip


def _by_amount(values: Sequence[str]) -> QuerySet[Any]:
    wanted = [int(value) for value in values]
    return BankDeposit.objects.filter(amount__in=wanted).values_list("pk")


def _by_depositor(values: Sequence[str]) -> QuerySet[Any]:
    found = Q()
    for value in values:
        found |= Q(name_key__contains=name_key(value))
    return BankDeposit.objects.filter(found).values_list("pk")


@lists.register
class DepositPage(LoggedExport):
    """자동입금확인: rows of bank statements; what could not be confirmed by itself stands first."""

    name, title, url, permission = "deposits", "자동입금확인", "/payments/deposits/", "payments.view_deposits"
    subtitle = "통장에 들어온 돈을 주문에 연결합니다"
    export_permission = "payments.export"
    unit = "입금"
    model, record, paths = BankDeposit, DepositRecord, DEPOSIT_PATHS
    states = frozenset(state.value for state in DepositState)
    sorts: ClassVar[dict[str, Sort]] = {
        "-at": Sort("최근 입금순", ("-at",)),
        "at": Sort("오래된 입금순", ("at",)),
        "-amount": Sort("입금액 큰순", ("-amount",)),
        "amount": Sort("입금액 작은순", ("amount",)),
    }
    bases: ClassVar[dict[str, DateBasis]] = {"at": DateBasis("거래일", "at")}
    tabs = (
        ListTab("manual", "수동매칭", _queued(*BY_HAND)),
        ListTab("under", "부분입금", _queued(D.UNDERPAID)),
        ListTab("over", "초과입금", _queued(D.OVERPAID)),
        ListTab("late", "취소 후 입금", _queued(D.LATE_AFTER_CANCEL)),
        ListTab("auto", "자동확인", Q(state=DepositState.MATCHED)),
        ListTab("done", "처리완료", Q(state__in=[DepositState.ALLOCATED, DepositState.IGNORED, DepositState.REFUNDED])),
        ListTab("all", "전체"),
    )
    columns = DEPOSIT_COLUMNS
    arms = (
        SearchArm("amount", "입금액", r"[0-9]{3,13}", _by_amount, group=NUMBER),
        SearchArm("depositor", "입금자", r".{2,}", _by_depositor, group=WORD, hint="입금자는 두 글자 이상 입력하세요."),
    )
    empty_text = "확인할 입금이 없습니다. 은행의 거래내역 파일을 올리면 여기에 나타납니다."

    def head(self, group: Group) -> RowHead:
        row = group.record
        return RowHead(row.id, row.version, str(row.id), row.state)

    def order_ids(self, base_ids: Collection[int]) -> dict[int, int]:
        """A deposit belongs to no one order."""
        return {}

    def moved_since(self, ids: Sequence[int], *, since: datetime, user: Any) -> list[Moved]:
        """다른 사람의 처리 of deposits; one query."""
        events = event_model().objects.filter(subject="deposit", subject_id__in=ids, at__gt=since)
        newest = events.exclude(actor_id=user.pk).order_by("subject_id", "-id").distinct("subject_id")
        rows = newest.values_list("subject_id", "actor__display_name")
        return [Moved(pk, f"방금 {name} 님이 처리" if name else "방금 시스템이 처리") for pk, name in rows]

    def notices(self, query: ListQuery) -> list[str]:
        """What still is to be looked at: the list fills by itself."""
        new = BankDeposit.objects.filter(state=DepositState.NEW).count()
        return [f"입금 {new:,}건의 주문을 찾고 있습니다. 잠시 뒤 목록을 새로 고치세요."] if new else []

    def tools(self, query: ListQuery) -> list[Tool]:
        may = query.user is not None and query.user.has_perm("payments.match_deposits")
        upload = [Tool("거래내역 올리기", "/payments/deposits/upload/", "upload")] if may else []
        return [*upload, *super().tools(query)]


@lists.counts(DepositPage.name, RefundPage.name, ProblemPage.name, NoticePage.name)
def payment_counts(names: Collection[str]) -> dict[str, int]:
    """메뉴 건수: deposits, refunds, exceptional money and notices that wait for a person."""
    waiting = {
        DepositPage.name: BankDeposit.objects.filter(state=DepositState.QUEUED),
        RefundPage.name: waiting_refunds(),
        ProblemPage.name: MoneyProblem.objects.filter(resolved_at=None),
        NoticePage.name: stuck_notices(),
    }
    asked = {name: rows for name, rows in waiting.items() if name in names}
    return counted(asked) if asked else {}
