"""Filters of order lists; parameter names equal field names and never change."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import django_filters
from django.db.models import Exists, OuterRef, Q, QuerySet

from core.calendar import kst_date, kst_day_range
from core.lists import Choices, Condition, Count, ListFilterSet, WonRange
from orders.models import OrderLine, SalesChannel
from orders.states import (
    BIT,
    BIT_CLAIM,
    BIT_HELD,
    BIT_IN_STOCK,
    BIT_OUT_OF_STOCK,
    BIT_PARTLY,
    BIT_UNACKNOWLEDGED,
    BIT_UNMAPPED,
    OPEN,
    DeliveryMethod,
    LineState,
    PaymentMethod,
    RemoteZone,
)

OF_LINE = OuterRef("pk")
TO_BE_SHIPPED = frozenset({LineState.PREPARING, LineState.READY})


def channel_choices() -> list[tuple[str, str]]:
    """판매처 to choose from; one query."""
    rows = SalesChannel.objects.order_by("name", "pk").values_list("pk", "name")
    return [(str(pk), name) for pk, name in rows]


def in_steps(states: Iterable[LineState], prefix: str = "") -> Q:
    """Orders with a line in one of the states, each through the partial index of its step.

    Stands beside every fact that only such orders can have, so that finding them does not read all orders.
    """
    condition = Q()
    for state in sorted(states):
        condition |= Q(**{f"{prefix}steps__bit": BIT[state]})
    return condition


def overdue(at: datetime, prefix: str = "") -> Q:
    """출고 지연: the shipping deadline has passed."""
    return in_steps(TO_BE_SHIPPED, prefix) & Q(**{f"{prefix}next_due_at__lte": at})


def due_today(at: datetime, prefix: str = "") -> Q:
    """오늘 발송기한: the deadline is 24:00 of today in Seoul."""
    end = kst_day_range(kst_date(at))[1]
    return in_steps(TO_BE_SHIPPED, prefix) & Q(**{f"{prefix}next_due_at__gt": at, f"{prefix}next_due_at__lte": end})


def order_conditions(prefix: str = "") -> dict[str, tuple[str, Any]]:
    """주문 상태 조건: value -> (label, condition), on orders or on rows that reach theirs by `prefix` ("order__")."""

    def bit(value: int, *, states: Iterable[LineState] = OPEN) -> Q:
        return in_steps(states, prefix) & Q(**{f"{prefix}steps__bit": value})

    def at(make: Callable[[datetime, str], Q]) -> Callable[[datetime], Q]:
        return lambda instant: make(instant, prefix)

    return {
        "held": ("보류", bit(BIT_HELD)),
        "claim": ("취소 신청", bit(BIT_CLAIM)),
        "memo": ("메모 있음", Q(**{f"{prefix}has_memo": True})),
        "overdue": ("출고 지연", at(overdue)),
        "due-today": ("오늘 발송기한", at(due_today)),
        "unacknowledged": ("미확인", bit(BIT_UNACKNOWLEDGED, states={LineState.PREPARING})),
        "unmapped": ("품목 미연결", bit(BIT_UNMAPPED)),
    }


_PREPARING = in_steps({LineState.PREPARING})
STOCK_CONDITIONS: dict[str, tuple[str, Any]] = {
    "all": ("전량 보유", _PREPARING & Q(steps__bit=BIT_IN_STOCK)),
    "partly": ("일부 보유", _PREPARING & Q(steps__bit=BIT_PARTLY)),
    "none": ("재고 없음", _PREPARING & Q(steps__bit=BIT_OUT_OF_STOCK)),
}


class OrderFilter(ListFilterSet):
    """주문 상세조건: for lists whose rows are orders."""

    channel = Choices(label="판매처", field_name="channel_id", choices=channel_choices)
    payment = Choices(label="결제수단", field_name="payment_method", choices=PaymentMethod.choices)
    delivery = Choices(label="배송방법", field_name="delivery_method", choices=DeliveryMethod.choices)
    zone = Choices(label="권역", field_name="remote_zone", choices=RemoteZone.choices)
    mark = Condition(label="표시", conditions=order_conditions())
    stock = Condition(label="재고", conditions=STOCK_CONDITIONS)
    amount_min = WonRange(label="결제예정액(원) 이상", field_name="due_amount", lookup_expr="gte")
    amount_max = WonRange(label="결제예정액(원) 이하", field_name="due_amount", lookup_expr="lte")
    lines_min = Count(label="품목 수 이상", field_name="line_count", lookup_expr="gte")
    lines_max = Count(label="품목 수 이하", field_name="line_count", lookup_expr="lte")
    sku = django_filters.CharFilter(label="품목코드 또는 상품코드", method="with_product", max_length=60)

    def with_product(self, orders: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """Orders with a line of the 품목 or the product of this exact code."""
        code = value.strip()
        lines = OrderLine.objects.filter(order=OF_LINE)
        return orders.filter(
            Exists(lines.filter(variant__sku=code)) | Exists(lines.filter(variant__product__code=code))
        )
