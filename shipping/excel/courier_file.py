"""송장 양식 파일: shipments that wait for their number, as a courier's program wants them (domain.md 4.5, A09)."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from core.chunks import batched
from core.excel import Column, Kind, stream_xlsx
from core.settings_registry import get_settings
from orders.models import OrderLine
from orders.states import CLOSED, blocking
from shipping.file_fields import BY_CODE, FileRow, Sender
from shipping.models import ExcelTemplate, RowPer, Shipment, ShipmentLine, ShipmentStep
from shipping.states import DeliveryMethod

MOST = 5_000
"""Shipments of one file with personal data (reliability.md 4.1)."""


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
    good: list[int] = []
    left_out: dict[str, int] = defaultdict(int)
    for pk in shipment_ids:
        reason = _left_out(facts[pk], locks.get(pk, 0)) if pk in facts else "찾을 수 없음"
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
    if method != DeliveryMethod.PARCEL:
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
    """양식의 줄: one per parcel or per line, in the order of the ids; two queries for each thousand.

    `is_masked` is for the screen: personal data leaves the house in files only, and with a reason.
    """
    from_house = sender()
    for chunk in batched(shipment_ids):
        shipments = Shipment.objects.select_related("order__channel").in_bulk(chunk)
        lines = _lines_of(chunk)
        for pk in chunk:
            shipment, mine = shipments[pk], lines.get(pk, [])
            for line in mine if template.row_per == RowPer.LINE else [None]:
                row = FileRow(shipment, mine, line, from_house, template.join_text)
                yield [_value(one, row, is_masked=is_masked) for one in template.columns]


def _lines_of(shipment_ids: Collection[int]) -> Mapping[int, list[OrderLine]]:
    items = ShipmentLine.objects.filter(shipment__in=shipment_ids, is_live=True).exclude(line__state__in=CLOSED)
    found: dict[int, list[OrderLine]] = defaultdict(list)
    for item in items.select_related("line").order_by("shipment_id", "line__seq"):
        found[item.shipment_id].append(item.line)
    return found


def _value(one: Mapping[str, str], row: FileRow, *, is_masked: bool) -> Any:
    """A field by its code, or the fixed text."""
    field = BY_CODE.get(one.get("field", ""))
    if field is None:
        return str(one.get("fixed", ""))
    value = field.value(row)
    return field.mask(value) if is_masked and field.mask else value


def courier_file(template: ExcelTemplate, shipment_ids: Sequence[int], *, batch: str) -> Iterator[bytes]:
    """송장 양식 파일: the workbook; `batch` names this download in the file's own properties."""
    return stream_xlsx(
        columns_of(template),
        file_rows(template, shipment_ids),
        sheet="송장",
        properties={"oms_batch": batch, "oms_template": template.name},
    )
