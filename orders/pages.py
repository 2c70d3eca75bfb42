"""Pages whose rows are orders: 통합주문조회, 상품준비중 관리, 구매확정 내역, and the base class of every step page.

A step page of an upper app whose rows are orders subclasses OrderStepPage; one whose rows are something else (배송건)
subclasses OrderBasedPage and says how its rows reach their order.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any, ClassVar

from django.db import connection
from django.db.models import Case, Count, Exists, F, IntegerField, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact

from accounts.lists import LoggedPage
from core import cells
from core.events import event_model
from core.lists import ByIds, DateBasis, Group, ListTab, Moved, OneOf, RowHead, Sort, lists
from core.models import Source
from orders import columns
from orders.columns import (
    LINE_FIELDS,
    ORDER_PATHS,
    LineRecord,
    OrderRecord,
    order_code,
    shown_code,
    shown_state,
)
from orders.filters import OrderFilter
from orders.models import Order, OrderLine
from orders.rollup import closed_counts
from orders.search import order_arms
from orders.states import (
    BIT,
    BIT_CLAIM,
    BIT_HELD,
    BIT_IN_STOCK,
    BIT_OUT_OF_STOCK,
    BIT_PARTLY,
    BIT_UNACKNOWLEDGED,
    ENDED_BITS,
    LINE_STATES,
    LOCK_BIT,
    OPEN,
    LineState,
    LockKind,
)

S = LineState
STATE_BITS = sum(BIT.values())
ALL_TAB = ListTab("all", "전체")
ORDERED_AT = DateBasis("주문일", "ordered_at")
PAID_AT = DateBasis("결제일", "paid_at")
CONFIRMED_AT = DateBasis("구매확정일", "confirmed_at", Q(steps__bit=BIT[S.CONFIRMED]))

STEP_PAGES = {
    S.AWAITING_PAYMENT: "awaiting-payment",
    S.PREPARING: "preparing",
    S.READY: "ready",
    S.SHIPPING: "shipping",
    S.DELIVERED: "delivered",
    S.CONFIRMED: "confirmed",
}
"""Name of the page of each step; also the key of its count in menus."""


class OrderBasedPage(LoggedPage):
    """주문 목록의 바탕: lines, people, history and the log of files for every page whose rows belong to orders."""

    line_unit = "품목"
    permission = "orders.view"
    export_permission = "orders.export"
    shown: ClassVar[frozenset[LineState]] = frozenset(S) - {S.MOVED}
    """Lines in these states are rows of the list; the other lines of an order are only mentioned."""

    def lines(self, ids: Sequence[int], *, whole: bool = False) -> Mapping[int, tuple[Sequence[Any], Sequence[Any]]]:
        """품목: of orders, in their order on the order sheet; one query."""
        shown = {state.value for state in (frozenset(S) - {S.MOVED} if whole else self.shown)}
        found: dict[int, tuple[list[LineRecord], list[LineRecord]]] = defaultdict(lambda: ([], []))
        for row in lines_of_orders().rows(ids):
            line = LineRecord._make(row)
            found[line.order_id][line.state not in shown].append(line)
        return found

    def line_head(self, line: LineRecord) -> tuple[str, str]:
        return line.number, line.state

    def moved_since(self, ids: Sequence[int], *, since: datetime, user: Any) -> list[Moved]:
        """다른 사람의 처리: the newest event of each order that the person did not cause; two queries at most."""
        bases = {order: base for base, order in self.order_ids(ids).items()} if self.order_path != "pk" else {}
        wanted = list(bases) or list(ids)
        events = event_model().objects.filter(order_id__in=wanted, at__gt=since).exclude(actor_id=user.pk)
        newest = events.order_by("order_id", "-id").distinct("order_id")
        rows = newest.values_list("order_id", "actor__display_name", "source", "at")
        return [Moved(bases.get(order, order), _who(name, source), at) for order, name, source, at in rows]


@cache
def lines_of_orders() -> ByIds:
    """품목 of orders, in their order on the order sheet: rows are those of LineRecord."""
    lines = OrderLine.objects.exclude(state=S.MOVED).values_list(*LINE_FIELDS)
    return ByIds(lines, "order_id", order="orders_orderline.order_id, orders_orderline.seq")


class OrderRowsPage(OrderBasedPage):
    """주문이 행인 목록: every order is a row with all its lines."""

    model = Order
    record = OrderRecord
    paths = ORDER_PATHS
    counted_by = ("steps",)
    filterset_class = OrderFilter
    arms = order_arms()
    default_period = "7d"

    def head(self, group: Group) -> RowHead:
        order = group.record
        return RowHead(order.id, order.version, order.number, order.stage)

    def moved_badge(self, group: Group) -> str:
        return moved_badge(group, step=getattr(self, "state", None))

    def as_data(self, group: Group, columns: Sequence[Any]) -> dict[str, Any]:
        """API 행: states are the public codes, as everywhere outside the house."""
        data = super().as_data(group, columns)
        data["state"] = order_code(group.record.stage, (*group.lines, *group.elsewhere))
        for shown, line in zip(data["lines"], group.lines, strict=True):
            shown["state"] = shown_code(line)
        return data

    def line_count(self) -> Any:
        """품목 수: stored with the order."""
        return F("line_count")


class OrderStepPage(OrderRowsPage):
    """단계 화면: orders with at least one line in `state`. Subclasses give name, title, url, sorts, columns and tabs.

    The rows come from the partial index of the step (Order.steps), in the order of its first sort. Override `base()`
    only to narrow it further.
    """

    state: ClassVar[LineState]
    bases: ClassVar[dict[str, DateBasis]] = {"paid": PAID_AT, "ordered": ORDERED_AT}
    is_open_work = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "state" in cls.__dict__:
            cls.states = cls.shown = frozenset({cls.state})

    def base(self) -> QuerySet[Any]:
        return Order.objects.in_step(self.state)

    def head(self, group: Group) -> RowHead:
        return super().head(group)._replace(state=self.state)

    def line_count(self) -> Any:
        """품목 수 in the step: the stored number where all lines stand there, counted only for the other orders."""
        here = OrderLine.objects.filter(order=OuterRef("pk"), state__in=self.shown).order_by().values("order")
        counted = Coalesce(Subquery(here.annotate(n=Count("pk")).values("n")), 0)
        is_pure = Exact(F("steps").bitand(STATE_BITS), BIT[self.state])
        return Case(When(is_pure, then=F("line_count")), default=counted, output_field=IntegerField())


def with_lock(state: LineState, kind: LockKind, bit: int) -> Q:
    """잠긴 주문: with a line of the step under an open lock; the order's bit alone may come from a line elsewhere."""
    lines = OrderLine.objects.filter(order=OuterRef("pk"), state=state)
    locked = lines.filter(open_locks__gt=0, open_locks__bit=LOCK_BIT[kind])
    return Q(steps__bit=bit) & Q(Exists(locked))


def moved_badge(group: Group, *, step: LineState | None = None) -> str:
    """처리된 행의 상태: the badge that a line of the order has now, the nearest behind `step`; how many more there are.

    One, because who did it stands beside it in the narrowest column.
    """
    places = {state.value: place for place, state in enumerate(LineState)}
    here = places[step] if step is not None else -1
    lines = sorted(group.lines, key=lambda line: (places[line.state] <= here, abs(places[line.state] - here)))
    states = list(dict.fromkeys(shown_state(line) for line in lines))
    if not states:
        return cells.EMPTY
    (css, label), more = states[0], len(states) - 1
    return cells.joined([cells.badge(css, label), f" 외 {more}" if more else ""])


def _who(name: str | None, source: str) -> str:
    if name:
        return f"방금 {name} 님이 처리"
    return f"방금 시스템이 처리 · {Source(source).label}"


STATUS_TABS = (
    ("awaiting", "입금대기", (S.AWAITING_PAYMENT,)),
    ("preparing", "상품준비중", (S.PREPARING,)),
    ("ready", "배송준비중", (S.READY,)),
    ("shipping", "배송중", (S.SHIPPING,)),
    ("delivered", "배송완료", (S.DELIVERED,)),
    ("confirmed", "구매확정", (S.CONFIRMED,)),
    ("canceled", "취소", (S.CANCELED_UNPAID, S.CANCELED)),
    ("returned", "반품", (S.RETURNED,)),
    ("exchanged", "교환", (S.EXCHANGED,)),
)


def _in_states(states: Sequence[LineState]) -> Q:
    """Orders with a line in one of the states; endings are found through the index of all endings."""
    bits = sum(BIT[state] for state in states)
    return Q(steps__bit=ENDED_BITS) & Q(steps__bit=bits) if bits & ENDED_BITS == bits else Q(steps__bit=bits)


@lists.register
class OrderListPage(OrderRowsPage):
    """통합주문조회: every order, with the states of its lines as tabs."""

    name, title, url = "orders", "통합주문조회", "/orders/"
    subtitle = "모든 주문을 한 곳에서 찾습니다"
    states = frozenset(OPEN) | {S.CANCELED_UNPAID}
    sorts: ClassVar[dict[str, Sort]] = {
        "-ordered_at": Sort("주문일 최신순", ("-ordered_at",)),
        "ordered_at": Sort("주문일 오래된순", ("ordered_at",)),
    }
    bases: ClassVar[dict[str, DateBasis]] = {"ordered": ORDERED_AT, "paid": PAID_AT, "confirmed": CONFIRMED_AT}
    tabs = (
        ALL_TAB,
        *(ListTab(key, label, _in_states(states)) for key, label, states in STATUS_TABS),
    )
    columns = (
        columns.NUMBER,
        columns.PEOPLE,
        columns.PHONE,
        columns.ADDRESS,
        columns.PRODUCT,
        replace(columns.SKU, visible=False),
        columns.QUANTITY,
        columns.PRICE,
        columns.AMOUNT,
        columns.STAGE,
        columns.DELIVERY,
        columns.ZONE,
        columns.NOTE,
        columns.TAGS_TO_SHIP,
    )
    empty_text = "주문이 없습니다. 주문 파일을 올리거나 직접 등록하면 여기에 나타납니다."

    def known_counts(self) -> dict[str, int]:
        """단계 건수: the counts of the menus; two queries that do not grow with the table."""
        known = by_bit()
        return {key: known[BIT[states[0]]] for key, _, states in STATUS_TABS if len(states) == 1}


@lists.register
class PreparingPage(OrderStepPage):
    """상품준비중 관리: paid orders that wait for stock and 발주확인."""

    name, title, url = "preparing", "상품준비중 관리", "/orders/preparing/"
    subtitle = "재고를 확인하고 배송준비중으로 넘깁니다"
    state = S.PREPARING
    picks_lines = True
    sorts: ClassVar[dict[str, Sort]] = {
        "next_due_at": Sort("발송기한 빠른순", ("next_due_at",), nullable=True),
        "-next_due_at": Sort("발송기한 늦은순", ("-next_due_at",), nullable=True),
        "-ordered_at": Sort("주문일 최신순", ("-ordered_at",)),
        "ordered_at": Sort("주문일 오래된순", ("ordered_at",)),
        "-due_amount": Sort("결제금액 큰순", ("-due_amount",)),
        "due_amount": Sort("결제금액 작은순", ("due_amount",)),
    }
    tabs = (
        ALL_TAB,
        ListTab("unacknowledged", "미확인", Q(steps__bit=BIT_UNACKNOWLEDGED)),
        ListTab("in-stock", "재고 보유", Q(steps__bit=BIT_IN_STOCK)),
        ListTab("partly", "일부 보유", Q(steps__bit=BIT_PARTLY)),
        ListTab("out-of-stock", "재고 없음", Q(steps__bit=BIT_OUT_OF_STOCK)),
        ListTab("held", "보류", with_lock(S.PREPARING, LockKind.HOLD, BIT_HELD)),
        ListTab("claim", "취소 신청", with_lock(S.PREPARING, LockKind.CLAIM, BIT_CLAIM)),
    )
    columns = (
        columns.NUMBER,
        columns.PEOPLE,
        columns.PHONE,
        columns.ADDRESS,
        columns.PRODUCT,
        columns.SKU,
        columns.QUANTITY,
        columns.STOCK,
        columns.DEADLINE,
        columns.ACKNOWLEDGED,
        columns.PRICE,
        columns.AMOUNT,
        columns.DELIVERY,
        columns.ZONE,
        columns.NOTE,
        columns.TAGS_TO_SHIP,
    )
    empty_text = "상품준비중인 주문이 없습니다. 입금을 확인한 주문이 여기에 나타납니다."

    def line_count(self) -> Any:
        """품목 수: counted apart; most orders here have lines in other steps, and no order knows how many."""
        return None

    def line_numbers(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        lines = OrderLine.objects.filter(OneOf("order", rows.order_by().values("pk")), state=S.PREPARING)
        return lines.order_by().values_list(Value(1))


@lists.register
class ConfirmedPage(OrderStepPage):
    """구매확정 내역: orders that their buyers, staff or the calendar confirmed."""

    name, title, url = "confirmed", "구매확정 내역", "/orders/confirmed/"
    subtitle = "구매확정한 주문을 봅니다"
    state = S.CONFIRMED
    is_open_work = False
    default_period = "1m"
    sorts: ClassVar[dict[str, Sort]] = {
        "-confirmed_at": Sort("확정일 최신순", ("-confirmed_at",)),
        "confirmed_at": Sort("확정일 오래된순", ("confirmed_at",)),
    }
    bases: ClassVar[dict[str, DateBasis]] = {"confirmed": CONFIRMED_AT, "ordered": ORDERED_AT, "paid": PAID_AT}
    columns = (
        columns.NUMBER,
        columns.BUYER,
        columns.PRODUCT,
        columns.QUANTITY,
        columns.CONFIRMED,
        columns.PRICE,
        columns.AMOUNT,
        columns.TAGS,
    )
    empty_text = "구매확정한 주문이 없습니다. 배송완료 뒤 고객이 확정하거나 기간이 지나면 여기에 나타납니다."

    def known_counts(self) -> dict[str, int]:
        return {self.default_tab: closed_counts().get(BIT[S.CONFIRMED], 0)}

    def line_count(self) -> Any:
        """품목 수: counted apart, and not at all for more rows than are counted."""
        return None

    def line_numbers(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.order_by().values_list(super().line_count())


_OPEN = [state for state, *_ in LINE_STATES if state in OPEN]


def open_counts(states: Sequence[LineState]) -> dict[LineState, int]:
    """단계 건수: orders of unfinished steps, one query through their partial indexes."""
    counts = ", ".join(f"(SELECT count(*) FROM orders_order WHERE (steps & {BIT[state]}) <> 0)" for state in states)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {counts}")
        return dict(zip(states, cursor.fetchone(), strict=True))


def by_bit() -> dict[int, int]:
    """단계 건수: orders by step bit; open steps through their partial indexes in one query, closed ones by deltas."""
    found = {BIT[state]: number for state, number in open_counts(_OPEN).items()}
    return dict.fromkeys(BIT.values(), 0) | closed_counts() | found


@lists.counts(*STEP_PAGES.values())
def step_counts(names: Collection[str]) -> dict[str, int]:
    """메뉴 건수: orders of each step by the name of its page; two queries at most."""
    states = {state: name for state, name in STEP_PAGES.items() if name in names}
    asked = [state for state in states if state in OPEN]
    found = open_counts(asked) if asked else {}
    if closed := [state for state in states if state not in OPEN]:
        deltas = closed_counts()
        found |= {state: deltas.get(BIT[state], 0) for state in closed}
    return {states[state]: number for state, number in found.items()}
