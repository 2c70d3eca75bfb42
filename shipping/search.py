"""검색: 배송번호 and 송장번호, on lists of orders and on lists of shipments."""

from collections.abc import Callable, Sequence
from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Coalesce

from core.lists import SearchArm
from shipping.models import Parcel, Shipment
from shipping.waybills import normalise

SHIPMENT_NUMBER = r"D-20\d{6}-\d{7}-\d{2,3}"
WAYBILL = r"(?=.*\d)[0-9A-Z]{8,30}"
HINT = "송장번호는 숫자와 영문자 8자리 이상으로 찾습니다."

Find = Callable[[Sequence[str]], QuerySet[Any]]


def shipment_arms() -> tuple[SearchArm, ...]:
    """배송건 목록의 검색 갈래."""
    return _arms(
        lambda values: Shipment.objects.filter(number__in=values).values_list(Coalesce("merged_into_id", "pk")),
        lambda values: Parcel.objects.filter(waybill__in=values).values_list("shipment_id"),
    )


def arms_of_orders() -> tuple[SearchArm, ...]:
    """주문 목록의 검색 갈래."""
    return _arms(
        lambda values: Shipment.objects.filter(number__in=values).values_list(
            Coalesce("items__line__order_id", "order_id")
        ),
        # Of everything in the box: it may hold lines of several orders.
        lambda values: Parcel.objects.filter(waybill__in=values).values_list(
            Coalesce("items__line__order_id", "shipment__order_id")
        ),
    )


def _arms(by_number: Find, by_waybill: Find) -> tuple[SearchArm, ...]:
    return (
        SearchArm("shipment", "배송번호", SHIPMENT_NUMBER, by_number, normalise=lambda text: text.strip().upper()),
        SearchArm("waybill", "송장번호", WAYBILL, by_waybill, normalise=normalise, hint=HINT),
    )
