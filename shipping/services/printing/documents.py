"""인쇄 파일: a batch as PDF or ZPL, drawn from what its shipments are now and in the order they were printed in."""

from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db.models import F, Q

from core.calendar import kst_date
from core.masking import mask_text
from core.pdf import code128, qr, render_pdf, render_zpl
from core.phones import format_phone, is_safe_number
from core.settings_registry import get_settings
from orders.contact import SafeNumberEnd, second_form, warned_end
from orders.models import Order
from orders.options import DELIVERY_DAYS
from orders.states import LOCK_BIT, LockKind, RemoteZone
from shipping.couriers import courier_name
from shipping.models import Paper, Parcel, ParcelLine, PrintBatch, PrintKind, ShipmentLine
from shipping.services.printing.batches import Place, places
from shipping.services.printing.lists import packing_list, pick_list
from shipping.services.printing.masks import MaskStyle, mask_style
from shipping.states import Direction, ParcelState
from shipping.waybills import grouped

TEMPLATES = Path(__file__).resolve().parents[2] / "typst"
PRIVACY = "개인정보가 적혀 있습니다. 받은 뒤 송장을 떼어 알아볼 수 없게 버려 주세요."
FEES = {"CREDIT": "신용", "PREPAID": "선불", "COLLECT": "착불"}
LONGEST = 60
"""Letters of a product's name; the picker reads the picking list."""
ROOM = {Paper.CJ: (4, 100), Paper.ROLL: (12, 180), Paper.SHEET: (12, 180)}
"""Lines of goods and letters of the delivery note that a label can hold."""
MARKED = {zone.value: str(zone.label) for zone in (RemoteZone.JEJU, RemoteZone.ISLAND)}
_ENDED = frozenset({ParcelState.VOID, ParcelState.LOST})


def batch_pdf(batch: PrintBatch, *, part: int = 1, at: datetime) -> bytes:
    """PDF of a part of a batch of labels, or of a whole list. Raises PdfProblem."""
    template, data = _document(batch, part=part, at=at)
    return render_pdf(template, data)


def batch_zpl(batch: PrintBatch, *, part: int = 1, at: datetime) -> bytes:
    """ZPL of a part of a batch of labels. Raises PdfProblem."""
    template, data = _document(batch, part=part, at=at)
    return render_zpl(template, data)


def _document(batch: PrintBatch, *, part: int, at: datetime) -> tuple[Path, dict[str, Any]]:
    if batch.kind == PrintKind.PICKING:
        return TEMPLATES / "picking.typ", pick_list(batch, places(batch), at=at)
    if batch.kind == PrintKind.PACKING:
        return TEMPLATES / "packing.typ", packing_list(places(batch), at=at)
    return TEMPLATES / "label.typ", label_data(batch.paper, places(batch, part=part), at=at)


def label_data(paper: str, items: Sequence[Place], *, at: datetime) -> dict[str, Any]:
    """송장 내용: finished strings for typst/label.typ; labels that must not be used any more are left out."""
    style, house = mask_style(), sender()
    stale = address_locked([place.item.shipment_id for place in items])
    values = get_settings("sort_code_couriers", DELIVERY_DAYS.key)
    needed, days = set(values["sort_code_couriers"]), int(values[DELIVERY_DAYS.key])
    alive = [
        place
        for place in items
        if not is_dead(place) and place.item.shipment_id not in stale and not _lacks_sort_code(place, needed)
    ]
    parcels = [place.item.parcel for place in alive if place.item.parcel]
    goods, boxes = _goods(parcels), _boxes(parcels)
    room = ROOM[Paper(paper)]
    labels = [
        _label(place, style, house, goods.get(place.item.parcel_id or 0, []), room, days=days, at=at)
        | {"box": boxes.get(place.item.parcel_id or 0, "")}
        for place in alive
    ]
    return {"paper": paper, "privacy": PRIVACY, "labels": labels}


def is_dead(place: Place) -> bool:
    """쓸 수 없는 송장: its parcel ended, or its shipment lost all lines."""
    parcel = place.item.parcel
    return parcel is None or parcel.state in _ENDED or not parcel.waybill


def dead_count(batch: PrintBatch) -> int:
    """쓸 수 없는 송장 of a whole batch; one query."""
    return batch.items.filter(Q(parcel=None) | Q(parcel__state__in=_ENDED) | Q(parcel__waybill="")).count()


def _lacks_sort_code(place: Place, needed: Collection[str]) -> bool:
    """분류코드 없음: whatever happened since it was printed, such a courier never gets a label without one."""
    parcel: Any = place.item.parcel
    return parcel.courier in needed and not (parcel.routing or {}).get("sort_code")


def address_locked(shipment_ids: Collection[int]) -> set[int]:
    """주소 변경: shipments whose registered number still is for the old address; one query."""
    items = ShipmentLine.objects.filter(shipment__in=list(shipment_ids), is_live=True, line__open_locks__gt=0)
    locked = items.annotate(bit=F("line__open_locks").bitand(LOCK_BIT[LockKind.ADDRESS])).filter(bit__gt=0)
    return set(locked.values_list("shipment_id", flat=True))


def sender() -> dict[str, str]:
    """보내는 분 and the fee that the labels name; one query."""
    names = ("sender_name", "sender_phone", "sender_address", "shop_name", "label_fee")
    values = get_settings(*names)
    return {
        "name": values["sender_name"] or values["shop_name"],
        "phone": format_phone(values["sender_phone"]),
        "address": values["sender_address"],
        "fee": FEES[values["label_fee"]],
    }


def _goods(parcels: Sequence[Parcel]) -> dict[int, list[tuple[str, int]]]:
    """품목 of each parcel as (name, quantity); one query."""
    found: dict[int, list[tuple[str, int]]] = {}
    rows = ParcelLine.objects.filter(parcel__in=[p.pk for p in parcels]).order_by("parcel_id", "line__seq")
    for pk, name, option, quantity in rows.values_list(
        "parcel_id", "line__product_name", "line__option_name", "quantity"
    ):
        found.setdefault(pk, []).append((f"{name} {option}".strip(), quantity))
    return found


def _boxes(parcels: Sequence[Parcel]) -> dict[int, str]:
    """상자 1/2 of parcels whose shipment travels in several boxes; one query."""
    live = Parcel.objects.filter(shipment__in={p.shipment_id for p in parcels}, direction=Direction.OUT)
    mine: dict[int, list[int]] = {}
    for shipment_id, pk in live.exclude(state__in=_ENDED).order_by("seq", "pk").values_list("shipment_id", "pk"):
        mine.setdefault(shipment_id, []).append(pk)
    several = (pks for pks in mine.values() if len(pks) > 1)
    return {pk: f"상자 {n}/{len(pks)}" for pks in several for n, pk in enumerate(pks, 1)}


def _label(
    place: Place,
    style: MaskStyle,
    house: dict[str, str],
    goods: list[tuple[str, int]],
    room: tuple[int, int],
    *,
    days: int,
    at: datetime,
) -> dict[str, Any]:
    item, shipment = place.item, place.item.shipment
    parcel: Any = item.parcel
    order = shipment.order
    code = waybill_code(parcel.waybill)
    ends = warned_end(order.safe_number_end_date, at=at, days=days, shipped_at=shipment.shipped_at)
    phones = [_phone(phone, style, ends) for phone in (order.recipient_phone, order.recipient_phone2)]
    return {
        "place": place.text,
        "copy": f"재출력 {item.copy - 1}" if item.is_reprint else "",
        "count": f"출력 {item.copy}회",
        "courier": courier_name(parcel.courier),
        "routing": _routing(parcel),
        "recipient": style.of_name(order.recipient_name),
        "phones": "  ".join(filter(None, phones)),
        "zone": MARKED.get(order.remote_zone or 0, ""),
        "zip": order.zip_code,
        "address": address_of(order),
        "jibun": second_form(order),
        "sender": house,
        "fee": house["fee"],
        "quantity": f"{sum(number for _, number in goods):,}개",
        "items": short_items(goods, most=room[0]),
        "note": _cut(mask_text(" ".join(order.delivery_note.split())), room[1]),
        "date": f"{kst_date(at):%Y-%m-%d}",
        "order": order.number,
        "number": shipment.number,
        "square": qr(shipment.number),
        "code": code,
        # Bars as wide as the paper allows: half a millimetre, less for the long codes.
        "code_dots": 4 if code["modules"] <= 130 else 3,
        "waybill": grouped(parcel.waybill),
    }


def _phone(phone: str, style: MaskStyle, ends: SafeNumberEnd | None) -> str:
    """연락처 as masked; behind a 안심번호 that will not reach until the arrival, until when it does."""
    shown = style.of_phone(phone)
    return f"{shown} {ends.short}" if ends and is_safe_number(phone) else shown


def waybill_code(number: str) -> dict[str, Any]:
    """송장 바코드: Code 128 C of the digits alone, B where a courier uses letters (shipping.md 6.1)."""
    return code128(number, charset="C" if number.isascii() and number.isdigit() and len(number) > 1 else "B")


def short_items(goods: Sequence[tuple[str, int]], *, most: int) -> list[str]:
    """품목 줄여서: one line each, and how many more there are."""
    shown = goods if len(goods) <= most else goods[: most - 1]
    told = [f"{_cut(name, LONGEST)} {quantity:,}개" for name, quantity in shown]
    rest = goods[len(shown) :]
    return [*told, f"외 {len(rest):,}건 {sum(quantity for _, quantity in rest):,}개"] if rest else told


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def address_of(order: Order) -> str:
    """주소: whole, as a driver needs it, in the form that couriers get."""
    return f"{order.address1} {order.address2}".strip()


def _routing(parcel: Parcel) -> dict[str, Any] | None:
    """분류 정보 of the label; None for a box whose courier told none."""
    told: dict[str, Any] = parcel.routing or {}
    sort_code = str(told.get("sort_code", ""))
    if not sort_code:
        return None
    people = "-".join(filter(None, (str(told.get("branch", "")), str(told.get("driver", "")))))
    return {
        "main": "-".join(filter(None, (sort_code, str(told.get("sub_code", ""))))),
        "partner": str(told.get("p2p", "")),
        "area": str(told.get("nickname", "")),
        "branch": people,
        "code": code128(sort_code, charset="A"),
    }
