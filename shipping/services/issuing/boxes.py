"""상자 만들기: what a courier is told of the box of a number."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence

from core.calendar import kst_date
from core.lookups import Among
from core.phones import normalize_phone
from core.settings_registry import get_settings
from orders.models import Order
from orders.states import CLOSED
from shipping.adapters.issuing import Box, Party
from shipping.models import CourierContract, ParcelLine, Shipment, ShipmentLine, WaybillNumber

NO_SENDER = "보내는 분의 전화번호와 주소가 없습니다. 설정의 택배사에서 먼저 입력하세요."


def sender() -> Party:
    """보내는 분 from the settings; one query."""
    values = get_settings("sender_name", "sender_phone", "sender_zip", "sender_address", "shop_name")
    return Party(
        name=values["sender_name"] or values["shop_name"],
        phone=normalize_phone(values["sender_phone"]),
        zip_code=values["sender_zip"],
        address1=values["sender_address"],
    )


def recipient(order: Order) -> Party:
    """받는 분 as the order says now."""
    return Party(
        name=order.recipient_name,
        phone=normalize_phone(order.recipient_phone),
        phone2=normalize_phone(order.recipient_phone2),
        zip_code=order.zip_code,
        address1=order.address1,
        address2=order.address2,
    )


def mark_of(party: Party) -> str:
    """주소 지문: differs whenever name, phones or address differ; no personal data itself."""
    facts = (party.name, party.phone, party.phone2, party.zip_code, party.address1, party.address2)
    return hashlib.sha256("\x1f".join(facts).encode()).hexdigest()


def boxes_of(
    rows: Sequence[WaybillNumber], *, contract: CourierContract, shipments: Mapping[int, Shipment]
) -> dict[int, Box]:
    """상자 by number id; the shipments come with their orders; three queries."""
    from_house, contents = sender(), _contents(rows)
    found = {}
    for row in rows:
        order = shipments[row.shipment_id].order
        mine = contents[row.pk]
        found[row.pk] = Box(
            key=row.key,
            sender=from_house,
            recipient=recipient(order),
            goods=_goods([name for name, _ in mine]),
            quantity=sum(quantity for _, quantity in mine) or 1,
            note=order.delivery_note,
            box_type=contract.box_type,
            day=kst_date(row.created_at),
        )
    return found


def _contents(rows: Sequence[WaybillNumber]) -> Mapping[int, list[tuple[str, int]]]:
    """(name, units) in the box of each number: of its parcel where it has one, else all of the shipment."""
    found: dict[int, list[tuple[str, int]]] = defaultdict(list)
    of_parcel = {row.parcel_id: row.pk for row in rows if row.parcel_id}
    of_shipment = {row.shipment_id: row.pk for row in rows if not row.parcel_id}
    if of_parcel:
        items = ParcelLine.objects.filter(Among("parcel_id", of_parcel)).order_by("line__seq")
        names = items.values_list("parcel_id", "line__product_name", "line__option_name", "quantity")
        for parcel_id, name, option, quantity in names:
            found[of_parcel[parcel_id]].append((f"{name} {option}".strip(), quantity))
    lines = ShipmentLine.objects.filter(Among("shipment_id", of_shipment), is_live=True)
    lines = lines.exclude(line__state__in=CLOSED).order_by("line__seq")
    facts = lines.values_list("shipment_id", "line__product_name", "line__option_name", "line__quantity")
    for shipment_id, name, option, quantity in facts:
        found[of_shipment[shipment_id]].append((f"{name} {option}".strip(), quantity))
    return found


def _goods(names: Sequence[str]) -> str:
    """품목명: the first one, and how many others."""
    more = f" 외 {len(names) - 1}건" if len(names) > 1 else ""
    return f"{names[0]}{more}" if names else "상품"
