"""송장 양식 파일: shipments that wait for their number, as a courier's program wants them (domain.md 4.5, A09)."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from core.chunks import batched
from core.excel import Column, Kind, stream_xlsx
from core.settings_registry import get_settings
from orders.models import Order, OrderLine
from orders.states import CLOSED, blocking
from shipping.file_fields import BY_CODE, FileLine, FileRow, Sender, fill_in
from shipping.models import ExcelTemplate, MergedRows, RowPer, RowSort, Shipment, ShipmentLine, ShipmentStep
from shipping.services.merges.keys import apart
from shipping.states import TRACKED

MOST = 5_000
"""Shipments of one file with personal data (reliability.md 4.1)."""
APART = "합포장한 주문의 받는 분이 다름"


def sender() -> Sender:
    """보내는 분: from the settings; the shop's name stands in; one query."""
    values = get_settings("sender_name", "sender_phone", "sender_zip", "sender_address", "shop_name")
    name = values["sender_name"] or values["shop_name"]
    return Sender(name, values["sender_phone"], values["sender_zip"], values["sender_address"])


def sendable(shipment_ids: Collection[int]) -> tuple[list[int], dict[str, int]]:
    """보낼 수 있는 배송건: those a courier should get, in the order given, and how many were left out, by reason."""
    rows = Shipment.objects.filter(pk__in=shipment_ids).values_list("pk", "step", "method", "is_held", "has_claim")
    facts = {pk: rest for pk, *rest in rows}
    locks = _locks_of(facts)
    parted = apart(facts)
    good: list[int] = []
    left_out: dict[str, int] = defaultdict(int)
    for pk in shipment_ids:
        reason = _left_out(facts[pk], locks.get(pk, 0)) if pk in facts else "찾을 수 없음"
        reason = reason or (APART if pk in parted else "")
        if reason:
            left_out[reason] += 1
        else:
            good.append(pk)
    return good, dict(left_out)


def _locks_of(shipment_ids: Collection[int]) -> dict[int, int]:
    """잠금 of the live lines of each shipment that has some."""
    found: dict[int, int] = defaultdict(int)
    live = ShipmentLine.objects.filter(shipment__in=shipment_ids, is_live=True, line__open_locks__gt=0)
    for pk, locks in live.exclude(line__state__in=CLOSED).values_list("shipment_id", "line__open_locks"):
        found[pk] |= locks
    return found


def _left_out(facts: Sequence[Any], locks: int) -> str:
    step, method, is_held, has_claim = facts
    if step != ShipmentStep.READY:
        return "배송준비중이 아님"
    if method not in TRACKED:
        return "택배가 아닌 배송방법"
    if has_claim:
        return "취소 신청"
    if is_held:
        return "배송보류"
    # Money that the bank took back keeps its parcel in the house (payments.md 5.6).
    lock = blocking(locks, "register_waybill")
    return lock.label if lock else ""


def columns_of(template: ExcelTemplate) -> list[Column]:
    """양식의 열: headers as the courier's program knows them; two columns may bear the same name."""
    return [
        Column(f"{place}", str(one.get("header", "")), *_kind(str(one.get("field", ""))))
        for place, one in enumerate(template.columns)
    ]


def _kind(code: str) -> tuple[Kind, int]:
    field = BY_CODE.get(code)
    return (field.kind, field.width) if field else (Kind.TEXT, 12)


def file_rows(template: ExcelTemplate, shipment_ids: Sequence[int], *, is_masked: bool = False) -> Iterator[list[Any]]:
    """양식의 줄: as the options of the template say; two queries for each thousand, one more for merged shipments.

    The rows of a shipment stay together, whatever the order. `is_masked` is for the screen: personal data leaves the
    house in files only, and with a reason.
    """
    from_house = sender()
    for chunk in batched(_sorted(template, shipment_ids)):
        shipments = Shipment.objects.select_related("order__channel").in_bulk(chunk)
        lines = _lines_of(chunk)
        orders = _other_orders(shipments, lines)
        for pk in chunk:
            for row in _rows(template, shipments[pk], lines.get(pk, []), orders, from_house):
                yield [_value(one, row, is_masked=is_masked) for one in template.columns]


def _rows(
    template: ExcelTemplate, shipment: Shipment, mine: list[OrderLine], orders: Mapping[int, Order], house: Sender
) -> Iterator[FileRow]:
    """The rows of one shipment: one, one for each order in it, or one for each line."""
    by_order: dict[int, list[OrderLine]] = {shipment.order_id: []} if not mine else defaultdict(list)
    for line in mine:
        by_order[line.order_id].append(line)
    of = {shipment.order_id: shipment.order, **orders}
    groups = [[order_id] for order_id in by_order] if template.merged_rows == MergedRows.ORDERS else [list(by_order)]
    for group in groups:
        held = [line for order_id in group for line in by_order[order_id]]
        inside = _joined(held) if template.joins_same else [FileLine.of(line) for line in held]
        each: list[FileLine | None] = [*inside] if template.row_per == RowPer.LINE else [None]
        for one in each:
            yield FileRow(shipment, [of[pk] for pk in group], inside, one, house, template.join_text)


def _joined(lines: Sequence[OrderLine]) -> list[FileLine]:
    """동일상품 한 줄: the same goods of a shipment as one, with their quantity in sum."""
    found: dict[tuple[Any, ...], FileLine] = {}
    for line in lines:
        one = FileLine.of(line)
        key = (line.variant_id, line.product_name, line.option_name)
        found[key] = found[key].plus(one) if key in found else one
    return list(found.values())


def _sorted(template: ExcelTemplate, shipment_ids: Sequence[int]) -> list[int]:
    """줄의 순서 of the shipments; what is equal stays in the order of the list. One query unless it is that order."""
    if template.sort not in {RowSort.PRODUCT, RowSort.SINGLE_FIRST}:
        return list(shipment_ids)
    goods: dict[int, set[str]] = defaultdict(set)
    first: dict[int, str] = {}
    for chunk in batched(shipment_ids):
        live = ShipmentLine.objects.filter(shipment__in=chunk, is_live=True).exclude(line__state__in=CLOSED)
        names = live.order_by("shipment_id", "line__order_id", "line__seq")
        for pk, product, option in names.values_list("shipment_id", "line__product_name", "line__option_name"):
            name = f"{product} {option}".strip()
            goods[pk].add(name)
            first.setdefault(pk, name)
    if template.sort == RowSort.PRODUCT:
        return sorted(shipment_ids, key=lambda pk: first.get(pk, ""))
    return sorted(shipment_ids, key=lambda pk: (len(goods[pk]) != 1, first.get(pk, "") if len(goods[pk]) == 1 else ""))


def _lines_of(shipment_ids: Collection[int]) -> Mapping[int, list[OrderLine]]:
    items = ShipmentLine.objects.filter(shipment__in=shipment_ids, is_live=True).exclude(line__state__in=CLOSED)
    found: dict[int, list[OrderLine]] = defaultdict(list)
    for item in items.select_related("line").order_by("shipment_id", "line__order_id", "line__seq"):
        found[item.shipment_id].append(item.line)
    return found


def _other_orders(shipments: Mapping[int, Shipment], lines: Mapping[int, list[OrderLine]]) -> dict[int, Order]:
    """합포장한 주문: those whose lines lie in the shipment of another order; a query only when there are some."""
    others = {line.order_id for pk, mine in lines.items() for line in mine if line.order_id != shipments[pk].order_id}
    return Order.objects.select_related("channel").in_bulk(others) if others else {}


def _value(one: Mapping[str, str], row: FileRow, *, is_masked: bool) -> Any:
    """A field by its code, or the fixed text with the fields that it names in braces."""
    field = BY_CODE.get(one.get("field", ""))
    if field is None:
        return fill_in(str(one.get("fixed", "")), row, is_masked=is_masked)
    value = field.value(row)
    return field.mask(value) if is_masked and field.mask else value


def courier_file(template: ExcelTemplate, shipment_ids: Sequence[int], *, batch: str) -> Iterator[bytes]:
    """송장 양식 파일: the workbook; `batch` names this download in the file's own properties."""
    return stream_xlsx(
        columns_of(template),
        file_rows(template, shipment_ids),
        sheet="송장",
        properties={"oms_batch": batch, "oms_template": template.name},
        has_header=not template.omits_header,
    )
