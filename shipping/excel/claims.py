"""배상 청구 파일: boxes that a courier lost or broke, for the courier who pays; no names, no addresses."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Q, QuerySet, Sum

from core.calendar import kst_date
from core.excel.columns import Column, Kind
from core.settings_registry import get_setting
from shipping.couriers import courier_name
from shipping.models import ParcelLine, ShippingException
from shipping.options import CLAIM_DAYS
from shipping.states import ExceptionKind, ExceptionOutcome, ParcelState

CLAIMED = Q(kind__in=(ExceptionKind.LOST, ExceptionKind.SUSPECTED_LOST, ExceptionKind.DAMAGED)) | Q(
    # "상품 사고(파손/분실)" is one of the two, and the courier pays for either.
    Q(detail__contains="파손") | Q(detail__contains="분실"),
    kind=ExceptionKind.ACCIDENT,
)
COLUMNS = (
    Column("courier", "택배사", width=14),
    Column("waybill", "송장번호", width=18),
    Column("kind", "종류", width=12),
    Column("order", "주문번호", width=20),
    Column("products", "물품", width=40),
    Column("amount", "물품 금액", Kind.WON, 14),
    Column("shipped", "발송일", Kind.DATE, 12),
    Column("known", "사고를 안 날", Kind.DATE, 14),
    Column("deadline", "청구 기한", Kind.DATE, 14),
    Column("resent", "재발송", width=10),
    Column("detail", "택배사의 말", width=40),
    Column("memo", "메모", width=30),
)


def claimed(*, at: datetime) -> QuerySet[ShippingException]:
    """청구할 예외: open cases of what was lost or broken, by courier, and those whose goods left once more.

    재발송 ends a case and not what the courier owes: until 청구 기한 it stays in the file.
    """
    since = at - timedelta(days=int(get_setting(CLAIM_DAYS.key)))
    owed = Q(closed_at=None) | Q(outcome=ExceptionOutcome.RESENT, opened_at__gte=since)
    rows = ShippingException.objects.filter(CLAIMED, owed)
    return rows.select_related("parcel", "shipment__order").order_by("parcel__courier", "opened_at", "pk")


def claim_rows(cases: Sequence[ShippingException]) -> Iterator[list[Any]]:
    """파일의 행; amounts in won are those of the goods before discounts, two queries for all rows."""
    parcels = [case.parcel_id for case in cases]
    items = ParcelLine.objects.filter(parcel__in=parcels)
    sums = items.values("parcel").annotate(won=Sum(F("quantity") * F("line__unit_price")))
    won = dict(sums.values_list("parcel", "won"))
    names: dict[int, list[str]] = {}
    for parcel_id, name, option, number in items.order_by("line__seq").values_list(
        "parcel", "line__product_name", "line__option_name", "quantity"
    ):
        names.setdefault(parcel_id, []).append(f"{name} {option} {number}개".replace("  ", " "))
    days = timedelta(days=int(get_setting(CLAIM_DAYS.key)))
    for case in cases:
        parcel = case.parcel
        kind = ExceptionKind.LOST if parcel.state == ParcelState.LOST else ExceptionKind(case.kind)
        known = kst_date(case.opened_at)
        yield [
            courier_name(parcel.courier), parcel.waybill, kind.label, case.shipment.order.number,
            ", ".join(names.get(parcel.pk, [])), won.get(parcel.pk, 0),
            kst_date(parcel.handed_over_at) if parcel.handed_over_at else None, known, known + days,
            "재발송" if case.closed_at else "", case.detail, case.memo,
        ]  # fmt: skip
