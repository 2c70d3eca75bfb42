"""피킹리스트 and 패킹리스트: what is to be fetched from the shelves, and what lies in each box (shipping.md 6.2)."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from core.calendar import KST
from core.masking import mask_address, mask_text
from core.models import Job
from core.pdf import qr
from core.settings_registry import get_setting
from core.state import Outcome, is_preview
from orders.models import OrderLine
from orders.states import CLOSED, LOCK_BIT, LOCK_TEXT, LineState, LockKind, blocking
from shipping.models import PackingSession, Paper, ParcelLine, PrintBatch, PrintItem, PrintKind, Shipment, ShipmentStep
from shipping.services.printing.batches import Place, add_items, batch_for, open_lines, sort_keys
from shipping.services.printing.masks import mask_style
from shipping.states import PackingState, ParcelState

NOT_FOUND = "배송건을 찾을 수 없습니다. 목록을 새로 고치세요."
NOT_READY = "배송준비중인 배송건이 아닙니다. 목록을 새로 고치세요."
NOTHING = "배송할 품목이 없습니다."
PACKED = "이미 포장을 마친 배송건이라 가져올 상품이 없습니다."
_CLAIM = LOCK_BIT[LockKind.CLAIM]


def print_list(
    *, kind: PrintKind, shipment_ids: Collection[int], actor: Any, at: datetime, batch: Job | None = None,
    key: UUID | None = None,
) -> tuple[Outcome, PrintBatch | None]:  # fmt: skip
    """피킹리스트, 패킹리스트: a batch of shipments that wait; held ones and those with nothing to send are refused.

    Nothing moves: `outcome.possible` are the shipments of the list.
    """
    with transaction.atomic():
        if key is not None and (known := PrintBatch.objects.filter(key=key).first()) is not None:
            return Outcome(), known
        rows = {one.pk: one for one in Shipment.objects.filter(pk__in=list(shipment_ids)).order_by("pk")}
        lines = open_lines(rows)
        packed = packed_of(rows) if kind == PrintKind.PICKING else set()
        outcome = Outcome(refused=dict.fromkeys(set(shipment_ids) - rows.keys(), NOT_FOUND))
        for pk, shipment in rows.items():
            if text := PACKED if pk in packed else _refusal(shipment, lines[pk]):
                outcome.refused[pk] = text
            else:
                outcome.possible.append(shipment)
        if is_preview() or not outcome.possible:
            return outcome, None
        made = batch_for(kind=kind, paper=Paper.A4, actor=actor, at=at, job=batch, key=key)
        keys = sort_keys([one.pk for one in outcome.possible], numbers={pk: s.number for pk, s in rows.items()})
        add_items(made, (PrintItem(batch=made, shipment=one, sort_key=keys[one.pk]) for one in outcome.possible))
    return outcome, made


def packed_of(shipment_ids: Collection[int]) -> set[int]:
    """포장을 마친 배송건 among these: their goods lie in boxes already; one query."""
    rows = PackingSession.objects.filter(shipment__in=list(shipment_ids), state=PackingState.PACKED)
    return set(rows.values_list("shipment_id", flat=True))


def _refusal(shipment: Shipment, lines: Sequence[OrderLine]) -> str:
    if shipment.step != ShipmentStep.READY:
        return NOT_READY
    if not lines:
        return NOTHING
    if all(line.open_locks & _CLAIM for line in lines):
        return LOCK_TEXT[LockKind.CLAIM]
    held = next((line for line in lines if line.open_locks & LOCK_BIT[LockKind.HOLD]), None)
    return LOCK_TEXT[LockKind.HOLD].format(self=held) if held else ""


def pick_list(batch: PrintBatch, items: Sequence[Place], *, at: datetime) -> dict[str, Any]:
    """피킹리스트 내용 for typst/picking.typ: totals by place and SKU, 단품 first, then every order; as of `at`."""
    lines = open_lines([place.item.shipment_id for place in items])
    wanted = {pk: [line for line in mine if _is_wanted(line)] for pk, mine in lines.items()}
    single = [place for place in items if len(wanted[place.item.shipment_id]) == 1]
    several = [place for place in items if len(wanted[place.item.shipment_id]) > 1]
    left_out = sum(len(lines[pk]) - len(wanted[pk]) for pk in lines)
    return {
        "title": PrintKind.PICKING.label,
        "number": batch.number,
        "square": qr(batch.number),
        "shop": str(get_setting("shop_name")),
        "moment": f"{at.astimezone(KST):%Y-%m-%d %H:%M} 기준",
        "by": batch.created_by.display_name if batch.created_by else "",
        "left_out": f"취소 신청이나 보류로 뺀 품목 {left_out:,}건" if left_out else "",
        "count": f"배송건 {sum(bool(mine) for mine in wanted.values()):,}건",
        "sections": [
            {"title": "단품", "rows": _totals(_of(single, wanted))},
            {"title": "합포", "rows": _totals(_of(several, wanted))},
        ],
        "orders": [_order(place, wanted[place.item.shipment_id]) for place in items if wanted[place.item.shipment_id]],
    }


def _is_wanted(line: OrderLine) -> bool:
    return line.state == LineState.READY and blocking(line.open_locks, "register_waybill") is None


def _of(items: Iterable[Place], wanted: dict[int, list[OrderLine]]) -> list[OrderLine]:
    return [line for place in items for line in wanted[place.item.shipment_id]]


def _totals(lines: Iterable[OrderLine]) -> list[dict[str, str]]:
    sums: dict[tuple[str, str, str, str], int] = defaultdict(int)
    for line in lines:
        variant = line.variant
        key = (variant.location if variant else "", variant.sku if variant else "", line.product_name, line.option_name)
        sums[key] += line.quantity
    rows = sorted(sums.items(), key=lambda pair: (pair[0][0] or "~", *pair[0][1:]))
    return [
        {"location": location or "-", "sku": sku, "name": name, "option": option, "quantity": f"{quantity:,}"}
        for (location, sku, name, option), quantity in rows
    ]


def _order(place: Place, lines: Sequence[OrderLine]) -> dict[str, Any]:
    shipment = place.item.shipment
    return {"place": place.text, "number": shipment.number, "rows": _totals(lines), "note": shipment.order.has_memo}


def packing_list(items: Sequence[Place], *, at: datetime) -> dict[str, Any]:
    """패킹리스트 내용 for typst/packing.typ: one page per box: its lines and what else belongs to the order.

    No prices, so that the sheet may lie in a present too; the receiver is masked.
    """
    ids = [place.item.shipment_id for place in items]
    lines, boxes, others = open_lines(ids), _boxes(ids), _others([place.item.shipment.order_id for place in items])
    style = mask_style()
    pages = []
    for place in items:
        shipment = place.item.shipment
        order = shipment.order
        facts = {
            "place": place.text,
            "number": shipment.number,
            "square": qr(shipment.number),
            "order": order.number,
            "channel": order.channel.name,
            "ordered": f"{order.ordered_at.astimezone(KST):%Y-%m-%d}",
            "recipient": style.of_name(order.recipient_name),
            "phone": style.of_phone(order.recipient_phone),
            "address": mask_address(f"{order.address1} {order.address2}".strip()),
            "note": mask_text(order.delivery_note),
        }
        mine = boxes.get(shipment.pk) or [{line.pk: line.quantity for line in lines[shipment.pk]}]
        rest = [line for line in others[shipment.order_id] if line.pk not in {one.pk for one in lines[shipment.pk]}]
        pages += [
            facts | {"box": f"상자 {n}/{len(mine)}" if len(mine) > 1 else ""}
            | _contents(lines[shipment.pk], inside, rest)
            for n, inside in enumerate(mine, 1)
        ]  # fmt: skip
    moment = f"{at.astimezone(KST):%Y-%m-%d %H:%M}"
    return {"title": "거래명세", "shop": str(get_setting("shop_name")), "moment": moment, "pages": pages}


def _contents(lines: Sequence[OrderLine], inside: dict[int, int], rest: Sequence[OrderLine]) -> dict[str, Any]:
    here = [(line, inside[line.pk]) for line in lines if inside.get(line.pk)]
    later = [(line, line.quantity - inside.get(line.pk, 0)) for line in lines if line.quantity > inside.get(line.pk, 0)]
    return {
        "rows": [_row(line, quantity) for line, quantity in here],
        "total": f"{sum(quantity for _, quantity in here):,}",
        "beside": [_row(line, quantity) | {"state": "다른 상자"} for line, quantity in later],
        "rest": [_row(line, line.quantity) | {"state": _stands(line)} for line in rest],
    }


def _row(line: OrderLine, quantity: int) -> dict[str, str]:
    sku = line.variant.sku if line.variant else ""
    return {"sku": sku, "name": line.product_name, "option": line.option_name, "quantity": f"{quantity:,}"}


def _stands(line: OrderLine) -> str:
    return LineState(line.state).label if line.state != LineState.SHIPPING else "먼저 보냄"


def _boxes(shipment_ids: Collection[int]) -> dict[int, list[dict[int, int]]]:
    """상자 of each shipment as {line: quantity}, in their order; one query."""
    found: dict[int, dict[int, dict[int, int]]] = defaultdict(dict)
    rows = ParcelLine.objects.filter(parcel__shipment__in=list(shipment_ids)).exclude(parcel__state=ParcelState.VOID)
    for shipment_id, parcel_id, line_id, quantity in rows.order_by("parcel__seq", "parcel_id").values_list(
        "parcel__shipment_id", "parcel_id", "line_id", "quantity"
    ):
        found[shipment_id].setdefault(parcel_id, {})[line_id] = quantity
    return {pk: list(mine.values()) for pk, mine in found.items()}


def _others(order_ids: Collection[int]) -> dict[int, list[OrderLine]]:
    """품목 of the orders that are not canceled or returned, with their variants; one query."""
    found: dict[int, list[OrderLine]] = {pk: [] for pk in order_ids}
    rows = OrderLine.objects.filter(order__in=list(order_ids)).exclude(state__in=CLOSED)
    for line in rows.select_related("variant").order_by("order_id", "seq"):
        found[line.order_id].append(line)
    return found
