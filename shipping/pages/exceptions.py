"""배송 예외: the queue of boxes that a person must look at, the most urgent first."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from django.db.models import Q, QuerySet

from accounts.lists import LoggedPage
from core.lists import (
    NUMBER,
    Choices,
    DateBasis,
    FollowedRows,
    Group,
    ListFilterSet,
    ListQuery,
    ListTab,
    RowHead,
    SearchArm,
    Sort,
    Tool,
    lists,
)
from shipping.columns.exceptions import COLUMNS, GROUPS, PATHS, ExceptionRecord
from shipping.filters import every_courier
from shipping.forms.exceptions import RESOLVE
from shipping.models import ShipmentLine, ShippingException
from shipping.states import ExceptionKind, ExceptionStage

OPEN = ExceptionStage.OPEN
CLAIMS_URL = "/shipping/exceptions/claims/"


class ExceptionFilter(ListFilterSet):
    """배송 예외 상세조건."""

    kind = Choices(label="종류", field_name="kind", choices=ExceptionKind.choices)
    courier = Choices(label="택배사", field_name="parcel__courier", choices=every_courier)


def _of_orders(values: Sequence[str]) -> QuerySet[Any]:
    """Of the order that keeps the number, and of those whose lines travel in the same box (합포)."""
    merged = ShipmentLine.objects.filter(line__order__number__in=values, is_live=True).values("shipment")
    of_order = Q(shipment__order__number__in=values) | Q(shipment__in=merged)
    return ShippingException.objects.filter(of_order).values_list("pk")


def _of_numbers(values: Sequence[str]) -> QuerySet[Any]:
    return ShippingException.objects.filter(parcel__waybill__in=values).values_list("pk")


def _mine(at: datetime) -> Q:
    return Q(closed_at=None, due_at__lte=at)


@lists.register
class ExceptionPage(FollowedRows, LoggedPage):
    """배송 예외: open cases by due date; what is decided stays to be looked up and opened again."""

    name, title, url, permission = "exceptions", "배송 예외", "/shipping/exceptions/", "shipping.view_exceptions"
    subtitle = "택배사와 고객에게 확인할 배송을 처리합니다"
    export_permission = RESOLVE
    unit = "예외"
    model, record, paths = ShippingException, ExceptionRecord, PATHS
    created_field = "opened_at"
    order_path = "shipment__order_id"
    states = frozenset(ExceptionStage.values)
    filterset_class = ExceptionFilter
    sorts: ClassVar[dict[str, Sort]] = {
        "due_at": Sort("기한 빠른순", ("due_at",)),
        "-opened_at": Sort("최근 발생순", ("-opened_at",)),
    }
    bases: ClassVar[dict[str, DateBasis]] = {"opened": DateBasis("발생일", "opened_at")}
    tabs = (
        ListTab.of("open", "처리 전", OPEN, where=Q(closed_at=None)),
        *(ListTab.of(key, label, OPEN, where=Q(closed_at=None, kind__in=kinds)) for key, label, kinds in GROUPS),
        ListTab("due", "기한 지남", _mine, states=frozenset({OPEN})),
        ListTab.of("done", "처리 완료", ExceptionStage.DONE, where=Q(closed_at__isnull=False)),
    )
    closed_tab = "done"
    columns = COLUMNS
    arms = (
        SearchArm("order", "주문번호", r"\d{8}-\d{7}", _of_orders, group=NUMBER),
        SearchArm("waybill", "송장번호", r"[0-9A-Za-z]{8,30}", _of_numbers, group=NUMBER),
    )
    empty_text = "확인할 배송이 없습니다. 집하되지 않거나 멈추거나 돌아오는 상자가 생기면 여기에 나타납니다."

    def head(self, group: Group) -> RowHead:
        row = group.record
        return RowHead(row.id, row.version, row.waybill, ExceptionStage.DONE if row.closed_at else ExceptionStage.OPEN)

    def tools(self, query: ListQuery) -> list[Tool]:
        """도구: what goes to the courier who pays for what it lost or broke."""
        found = list(super().tools(query))
        if query.user is not None and query.user.has_perm(RESOLVE):
            found.insert(0, Tool("배상 청구 파일", CLAIMS_URL, "file"))
        return found
