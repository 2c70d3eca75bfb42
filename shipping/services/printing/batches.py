"""출력 묶음: made once for a press of a button, filled chunk by chunk, read in the order of picking."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F

from core.calendar import kst_date
from core.models import Job
from core.numbering import take_numbers
from orders.models import OrderLine
from orders.states import CLOSED
from shipping.models import PrintBatch, PrintItem, PrintKind, ShipmentLine

PART = 500
"""Labels of one file: a longer roll is more than a person can put right after a paper jam (shipping.md 6.1)."""
LAST = "~"
"""Sorts after every place of the warehouse and every SKU."""


@dataclass(frozen=True, slots=True)
class Place:
    """출력 항목 with its place n of N in the batch."""

    item: PrintItem
    n: int
    total: int

    @property
    def text(self) -> str:
        """`3/20`."""
        return f"{self.n}/{self.total}"


def batch_number(day: Any, n: int) -> str:
    """출력 번호: `P-20260921-0017`; n counts from 1 each day."""
    return f"P-{day:%Y%m%d}-{n:04d}"


def batch_for(
    *, kind: PrintKind, paper: str, actor: Any, at: datetime, job: Job | None, key: UUID | None, reason: str = ""
) -> PrintBatch:
    """출력 묶음: that of the act or of the request when there is one, else a new one. Call last: it takes a number."""
    known = PrintBatch.objects.filter(job=job) if job else PrintBatch.objects.filter(key=key) if key else None
    found = known.select_for_update().first() if known is not None else None
    if found is not None:
        return found
    day = kst_date(at)
    number = batch_number(day, take_numbers("print", day=day, count=1)[0])
    return PrintBatch.objects.create(
        number=number, kind=kind, paper=paper, created_at=at, created_by=actor, job=job, key=key, reason=reason
    )


def add_items(batch: PrintBatch, items: Iterable[PrintItem]) -> None:
    """출력 항목 추가."""
    made = PrintItem.objects.bulk_create(items)
    PrintBatch.objects.filter(pk=batch.pk).update(count=F("count") + len(made))
    batch.count += len(made)


def sort_keys(shipment_ids: Collection[int], *, numbers: Mapping[int, str]) -> dict[int, str]:
    """순서: 단품 before 합포, then place in the warehouse, SKU, 배송번호; `numbers` are 배송번호 by id."""
    items = ShipmentLine.objects.filter(shipment__in=list(shipment_ids), is_live=True).exclude(line__state__in=CLOSED)
    goods: dict[int, set[tuple[str, str]]] = {}
    rows = items.values_list("shipment_id", "line__variant__location", "line__variant__sku", "line__product_name")
    for shipment_id, location, sku, name in rows:
        goods.setdefault(shipment_id, set()).add((location or LAST, sku or name))
    found = {}
    for pk in shipment_ids:
        mine = sorted(goods.get(pk, {(LAST, LAST)}))
        location, sku = mine[0]
        found[pk] = "|".join((str(int(len(mine) > 1)), location[:40], sku[:60], numbers[pk]))
    return found


def places(batch: PrintBatch, *, part: int | None = None) -> list[Place]:
    """출력 항목: of a batch or of one part of it in the order of picking, with parcel, shipment and order."""
    rows = batch.items.select_related("parcel", "shipment__order__channel").order_by("sort_key", "pk")
    start = (part - 1) * PART if part else 0
    items = rows[start : start + PART] if part else rows
    return [Place(item, n, batch.count) for n, item in enumerate(items, start + 1)]


def parts(batch: PrintBatch) -> list[tuple[int, int, int]]:
    """파일: (number from 1, first place, last place) of each file of a batch."""
    starts = range(0, max(batch.count, 1), PART)
    return [(n, start + 1, min(start + PART, batch.count)) for n, start in enumerate(starts, 1)]


def open_lines(shipment_ids: Collection[int]) -> dict[int, list[OrderLine]]:
    """품목: live lines of shipments that are not canceled or returned, with their variants; one query."""
    found: dict[int, list[OrderLine]] = {pk: [] for pk in shipment_ids}
    live = ShipmentLine.objects.filter(shipment__in=list(shipment_ids), is_live=True).exclude(line__state__in=CLOSED)
    for item in live.select_related("line__variant").order_by("shipment_id", "line__seq"):
        found[item.shipment_id].append(item.line)
    return found
