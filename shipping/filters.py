"""Filters of the lists of shipments; parameter names never change."""

from typing import Any

import django_filters
from django.db.models import Exists, OuterRef, Q, QuerySet

from core.lists import Choices, Condition, ListFilterSet
from orders.filters import channel_choices
from orders.states import DeliveredBy, DeliveryMethod, RemoteZone
from shipping.couriers import COURIERS
from shipping.models import Parcel, Shipment, ShipmentLine, ShipmentStep, WaybillFileItem
from shipping.states import ParcelState


def shipment_conditions() -> dict[str, tuple[str, Any]]:
    """배송건 표시 조건: what stands in its own 표시, not in that of another shipment of the order."""
    members = Shipment.objects.filter(merged_into=OuterRef("pk"))
    unprinted = Parcel.objects.filter(shipment=OuterRef("pk"), state=ParcelState.NUMBERED)
    return {
        "held": ("보류", Q(is_held=True)),
        "claim": ("취소 신청", Q(has_claim=True)),
        "memo": ("메모 있음", Q(order__has_memo=True)),
        "unprinted": ("송장 출력 전", Q(step=ShipmentStep.READY) & Exists(unprinted)),
        "boxes": ("상자 여러 개", Q(parcel_count__gt=1)),
        "merged": ("합포장", Q(Exists(members))),
    }


def every_courier() -> list[tuple[str, str]]:
    """Every courier: parcels of one that is no longer in use are still looked for."""
    return [(slug, courier.name) for slug, courier in COURIERS.items()]


class ShipmentFilter(ListFilterSet):
    """배송건 상세조건."""

    channel = Choices(label="판매처", field_name="order__channel_id", choices=channel_choices)
    courier = Choices(label="택배사", field_name="courier", choices=every_courier)
    method = Choices(label="배송방법", field_name="method", choices=DeliveryMethod.choices)
    zone = Choices(label="권역", field_name="order__remote_zone", choices=RemoteZone.choices)
    mark = Condition(label="표시", conditions=shipment_conditions())
    sku = django_filters.CharFilter(label="품목코드 또는 상품코드", method="with_product", max_length=60)

    file = django_filters.CharFilter(label="내려받기 번호", method="in_file", max_length=20)

    def in_file(self, shipments: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """Shipments that went to a courier in the download of this key."""
        mine = WaybillFileItem.objects.filter(shipment=OuterRef("pk"), batch__key=value.strip())
        return shipments.filter(Exists(mine))

    def with_product(self, shipments: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """Shipments with a live line of the 품목 or the product of this exact code."""
        code = value.strip()
        items = ShipmentLine.objects.filter(shipment=OuterRef("pk"), is_live=True)
        return shipments.filter(
            Exists(items.filter(line__variant__sku=code)) | Exists(items.filter(line__variant__product__code=code))
        )


class DeliveredFilter(ShipmentFilter):
    """배송완료 상세조건: by whose word it arrived."""

    by = Choices(label="확인 구분", field_name="delivered_by", choices=DeliveredBy.choices)
