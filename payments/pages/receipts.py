"""현금영수증 and PG 대사: what the PGs issued for deposits, and what the nightly comparison with them found."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any, ClassVar, NamedTuple

from django.db.models import F, Q, QuerySet

from accounts.lists import LoggedPage
from core import cells
from core.excel.columns import Kind
from core.lists import (
    NUMBER,
    Choices,
    DateBasis,
    Group,
    ListColumn,
    ListFilterSet,
    ListQuery,
    ListTab,
    RowHead,
    SearchArm,
    Sort,
    Tool,
    lists,
)
from orders.columns import order_url
from payments.columns.awaiting import TO_CASES
from payments.columns.receipts import CSS, shown_url
from payments.filters.notices import account_choices
from payments.models import CashReceipt, PgReconciliation
from payments.states import ReceiptPurpose, ReceiptState


class ReceiptRecord(NamedTuple):
    """현금영수증 한 줄."""

    id: int
    found_at: datetime
    reference: str
    purpose: str
    masked_number: str
    amount: int
    state: str
    url: str
    order: str
    pg: str | None


RECEIPT_PATHS = {"order": "payment__order__number", "pg": "payment__account__name"}


def _receipt_link(group: Group, _: object) -> str:
    url = shown_url(group.record.url)
    return cells.link(url, "영수증 보기") if url else cells.EMPTY


RECEIPT_COLUMNS = (
    ListColumn(
        "order", "주문번호", lambda g, _: cells.link(order_url(g.record.order), g.record.order, css="number"),
        lambda g, _: g.record.order, css="nowrap", width=20,
    ),
    ListColumn(
        "found_at", "확인일시", lambda g, _: cells.text(cells.short_time(g.record.found_at, g.now)),
        lambda g, _: g.record.found_at, kind=Kind.DATETIME, width=19, css="nowrap", sort="found_at",
    ),
    ListColumn(
        "state", "상태",
        lambda g, _: cells.badge(CSS[ReceiptState(g.record.state)], ReceiptState(g.record.state).label),
        lambda g, _: ReceiptState(g.record.state).label,
    ),
    ListColumn(
        "purpose", "용도", lambda g, _: cells.text(ReceiptPurpose(g.record.purpose).label),
        lambda g, _: ReceiptPurpose(g.record.purpose).label, css="nowrap",
    ),
    ListColumn(
        "amount", "금액", lambda g, _: cells.won(g.record.amount), lambda g, _: g.record.amount, kind=Kind.WON,
        css="num nowrap", sort="amount",
    ),
    ListColumn(
        "number", "발급 번호", lambda g, _: cells.text(g.record.masked_number), lambda g, _: g.record.masked_number,
        css="nowrap", width=18,
    ),
    ListColumn(
        "reference", "승인번호", lambda g, _: cells.text(g.record.reference), lambda g, _: g.record.reference, width=24,
    ),
    ListColumn("pg", "PG", lambda g, _: cells.text(g.record.pg), lambda g, _: g.record.pg),
    ListColumn("url", "영수증", _receipt_link, lambda g, _: g.record.url, css="nowrap", width=40),
)  # fmt: skip


class ReceiptFilter(ListFilterSet):
    """현금영수증 상세조건."""

    account = Choices(label="PG 계정", field_name="payment__account", choices=account_choices)
    purpose = Choices(label="용도", field_name="purpose", choices=ReceiptPurpose.choices)


def _receipts_of_orders(values: Sequence[str]) -> QuerySet[Any]:
    return CashReceipt.objects.filter(payment__order__number__in=values).values_list("pk")


def _receipts_by_reference(values: Sequence[str]) -> QuerySet[Any]:
    return CashReceipt.objects.filter(reference__in=values).values_list("pk")


class ReadOnlyPage(LoggedPage):
    """볼 뿐인 목록: its rows have no states, so nothing can be done with them."""

    def versions(self, base_ids: Collection[int]) -> dict[int, int]:
        return dict.fromkeys(base_ids, 0)

    def selection(self, query: str, as_of: datetime, user: Any) -> list[tuple[int, int]]:
        return []

    def order_ids(self, base_ids: Collection[int]) -> dict[int, int]:
        return {}


@lists.register
class ReceiptPage(ReadOnlyPage):
    """현금영수증: what PGs issued with deposits, as they named it when they were asked last."""

    name, title, url, permission = "receipts", "현금영수증", "/payments/receipts/", "payments.view_receipts"
    subtitle = "PG가 입금과 함께 발급한 현금영수증입니다"
    export_permission = "payments.export"
    unit = "현금영수증"
    model, record, paths = CashReceipt, ReceiptRecord, RECEIPT_PATHS
    default_period = "1m"
    filterset_class = ReceiptFilter
    sorts: ClassVar[dict[str, Sort]] = {
        "-found_at": Sort("최근 확인순", ("-found_at",)),
        "found_at": Sort("오래된 확인순", ("found_at",)),
        "-amount": Sort("금액 큰순", ("-amount",)),
        "amount": Sort("금액 작은순", ("amount",)),
    }
    bases: ClassVar[dict[str, DateBasis]] = {"found": DateBasis("확인일", "found_at")}
    tabs = (
        ListTab("all", "전체"),
        ListTab("issued", "발급", Q(state=ReceiptState.ISSUED)),
        ListTab("canceled", "취소", Q(state=ReceiptState.CANCELED)),
    )
    columns = RECEIPT_COLUMNS
    arms = (
        SearchArm("order", "주문번호", r"[0-9]{8}-[0-9]{7}", _receipts_of_orders, group=NUMBER),
        SearchArm("reference", "승인번호", r"[0-9A-Za-z_-]{6,80}", _receipts_by_reference, group=NUMBER),
    )
    empty_text = "현금영수증이 없습니다. 고객이 신청하면 PG가 입금과 함께 발급하고 여기에 나타납니다."

    def head(self, group: Group) -> RowHead:
        row = group.record
        return RowHead(row.id, 0, row.order, "")


class ReconciliationRecord(NamedTuple):
    """대사 한 줄: one account and day; won."""

    id: int
    ran_on: date
    pg: str
    day: date
    payments: int
    unanswered: int
    changed: int
    mismatches: int
    pg_sum: int
    ledger_sum: int
    order_sum: int
    finished_at: datetime


CASES = "/payments/problems/?tab=pg&period=all"


def verdict(row: ReconciliationRecord) -> tuple[str, str]:
    """대사 결과: css of its badge and words; a difference weighs more than a PG that was silent."""
    if row.mismatches or row.pg_sum != row.ledger_sum:
        return "s-closed", "불일치"
    if row.unanswered:
        return "s-awaiting", "응답 없음"
    return ("s-shipping", "반영함") if row.changed else ("s-delivered", "일치")


def _result(group: Group, _: object) -> str:
    """Where the difference is a case, the way to the cases of that kind."""
    css, label = verdict(group.record)
    badge = cells.badge(css, label)
    return cells.two_lines(badge, cells.link(CASES, TO_CASES)) if group.record.mismatches else badge


def _gap(row: ReconciliationRecord) -> int:
    return row.pg_sum - row.ledger_sum


def _ledger(group: Group, _: object) -> str:
    gap, shown = _gap(group.record), cells.won(group.record.ledger_sum)
    return cells.two_lines(shown, f"PG보다 {abs(gap):,}원 {'적음' if gap > 0 else '많음'}") if gap else shown


def _orders(group: Group, _: object) -> str:
    """What the orders hold beside the PG is no difference, but nobody should have to look for it."""
    row = group.record
    beside, shown = row.order_sum - row.ledger_sum, cells.won(row.order_sum)
    return cells.two_lines(shown, f"PG 밖의 돈 {beside:+,}원") if beside else shown


DIFFERS = Q(mismatches__gt=0) | ~Q(pg_sum=F("ledger_sum"))
RECONCILIATION_COLUMNS = (
    ListColumn(
        "day", "결제 등록일", lambda g, _: cells.text(g.record.day.isoformat()), lambda g, _: g.record.day,
        kind=Kind.DATE, css="nowrap", width=12, sort="day",
    ),
    ListColumn("pg", "PG", lambda g, _: cells.text(g.record.pg), lambda g, _: g.record.pg, width=20),
    ListColumn("result", "결과", _result, lambda g, _: verdict(g.record)[1], css="nowrap"),
    ListColumn(
        "payments", "결제", lambda g, _: cells.number(g.record.payments), lambda g, _: g.record.payments,
        kind=Kind.INTEGER, css="num",
    ),
    ListColumn(
        "changed", "새로 반영", lambda g, _: cells.number(g.record.changed), lambda g, _: g.record.changed,
        kind=Kind.INTEGER, css="num",
    ),
    ListColumn(
        "mismatches", "확인 필요", lambda g, _: cells.number(g.record.mismatches), lambda g, _: g.record.mismatches,
        kind=Kind.INTEGER, css="num",
    ),
    ListColumn(
        "unanswered", "응답 없음", lambda g, _: cells.number(g.record.unanswered), lambda g, _: g.record.unanswered,
        kind=Kind.INTEGER, css="num",
    ),
    ListColumn(
        "pg_sum", "PG 합계", lambda g, _: cells.won(g.record.pg_sum), lambda g, _: g.record.pg_sum, kind=Kind.WON,
        css="num nowrap",
    ),
    ListColumn(
        "ledger_sum", "원장 합계", _ledger, lambda g, _: g.record.ledger_sum, kind=Kind.WON, css="num nowrap",
    ),
    ListColumn(
        "order_sum", "주문 합계", _orders, lambda g, _: g.record.order_sum,
        kind=Kind.WON, css="num nowrap",
    ),
    ListColumn(
        "finished_at", "대사 일시", lambda g, _: cells.text(cells.short_time(g.record.finished_at, g.now)),
        lambda g, _: g.record.finished_at, kind=Kind.DATETIME, css="nowrap", width=19, sort="finished_at",
    ),
)  # fmt: skip


class ReconciliationFilter(ListFilterSet):
    """대사 상세조건."""

    account = Choices(label="PG 계정", field_name="account", choices=account_choices)


@lists.register
class ReconciliationPage(ReadOnlyPage):
    """PG 대사: every night's comparison of PG, ledger and orders, by account and day of the payments."""

    name, title, url, permission = (
        "reconciliations",
        "PG 대사",
        "/payments/reconciliations/",
        "payments.view_reconciliations",
    )
    subtitle = "매일 밤 최근 7일의 결제를 PG와 맞추어 봅니다"
    export_permission = "payments.export"
    unit = "대사"
    model, record, paths = PgReconciliation, ReconciliationRecord, {"pg": "account__name"}
    default_period = "7d"
    filterset_class = ReconciliationFilter
    sorts: ClassVar[dict[str, Sort]] = {
        "-finished_at": Sort("최근 대사순", ("-finished_at", "-day")),
        "finished_at": Sort("오래된 대사순", ("finished_at", "day")),
        "-day": Sort("결제 등록일 최신순", ("-day",)),
        "day": Sort("결제 등록일 오래된순", ("day",)),
    }
    bases: ClassVar[dict[str, DateBasis]] = {"finished": DateBasis("대사일", "finished_at")}
    tabs = (
        ListTab("all", "전체"),
        ListTab("differs", "불일치", DIFFERS),
        ListTab("unanswered", "응답 없음", Q(unanswered__gt=0)),
        ListTab("changed", "새로 반영", Q(changed__gt=0)),
    )
    columns = RECONCILIATION_COLUMNS
    empty_text = "대사 결과가 없습니다. 매일 밤 PG 계정마다 최근 7일의 결제를 맞추어 보고 여기에 남깁니다."

    def head(self, group: Group) -> RowHead:
        row = group.record
        return RowHead(row.id, 0, f"{row.pg} {row.day}", "")

    def notices(self, query: ListQuery) -> list[str]:
        """What to do about a difference."""
        if query.tab != "differs":
            return []
        return ["금액이 다른 결제는 미확인·예외 입금에서 처리합니다. 처리한 결과는 다음 날 대사에 나타납니다."]

    def tools(self, query: ListQuery) -> list[Tool]:
        may = query.user is not None and query.user.has_perm("payments.view_problems")
        problems = [Tool("미확인·예외 입금", "/payments/problems/", "problems")] if may else []
        return [*problems, *super().tools(query)]
