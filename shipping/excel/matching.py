"""송장 파일의 행과 배송건: which shipment each row means, and which rows of a file contradict each other.

Source: domain.md A10; shipping.md 5.4.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db.models import Count, Q

from core.lookups import Among
from orders.states import CLOSED
from shipping.excel.results import ResultRow
from shipping.models import ShipmentLine
from shipping.services.files.keys import normal, resolve
from shipping.services.merges.keys import keys_of

SAME_NUMBER = "파일의 {:,}행과 송장번호가 같습니다."
ONE_BOX = " 받는 분이 같아도 송장번호는 배송건마다 하나씩 있어야 합니다."


@dataclass(slots=True)
class Sheet:
    """행의 뜻: reasons by row number, the first row of each shipment, rows that repeat one, and boxes to be confirmed.

    A box is one number on several shipments of one receiver: row number -> the first rows of all its shipments.
    """

    reasons: dict[int, str] = field(default_factory=dict)
    shipment_of: dict[int, int] = field(default_factory=dict)
    first: dict[int, ResultRow] = field(default_factory=dict)
    joined: dict[int, ResultRow] = field(default_factory=dict)
    boxes: dict[int, list[ResultRow]] = field(default_factory=dict)


def match(rows: Sequence[ResultRow]) -> Sheet:
    """행과 배송건 짝짓기, by the key of each row; set-wise, whatever the number of rows."""
    sheet = Sheet()
    found = resolve({row.key for row in rows if row.key})
    usable: list[tuple[ResultRow, int]] = []
    for row in rows:
        shipment = found.shipments.get(row.key)
        if shipment is not None:
            sheet.shipment_of[row.row_number] = shipment
        reason = row.error if not row.key else found.refused.get(row.key) or row.error
        if reason or shipment is None:
            sheet.reasons[row.row_number] = reason
        else:
            usable.append((row, shipment))
    clashes, boxes = _clashes(usable)
    sheet.reasons |= clashes
    claims: dict[int, ResultRow] = {}
    named: dict[tuple[int, str], ResultRow] = {}
    spare = _spare_rows(usable, sheet)
    for row, shipment in usable:
        mine = claims.setdefault(shipment, row)
        twin = named.setdefault((shipment, normal(row.line or row.key)), row)
        if row.row_number in clashes:
            continue
        if mine is row:
            sheet.first[shipment] = row
            if (box := boxes.get((row.courier, row.waybill))) is not None:
                sheet.boxes[row.row_number] = box
        elif (mine.courier, mine.waybill, mine.proposal) != (row.courier, row.waybill, row.proposal):
            sheet.reasons[row.row_number] = f"파일의 {mine.row_number:,}행과 같은 배송건입니다."
        elif twin is row or (not row.line and spare.get(shipment, 0) > 0):
            # Several lines of one shipment, each with the number of their common box.
            sheet.joined[row.row_number] = mine
            spare[shipment] = spare.get(shipment, 0) - (twin is not row)
        else:
            sheet.reasons[row.row_number] = SAME_NUMBER.format(twin.row_number)
    _drop_broken_boxes(sheet)
    return sheet


def _drop_broken_boxes(sheet: Sheet) -> None:
    """A box whose shipment is claimed by another row is none: all its rows are errors."""
    firsts = {row.row_number for row in sheet.first.values()}
    for number, box in list(sheet.boxes.items()):
        if any(row.row_number not in firsts for row in box):
            other = next(row for row in box if row.row_number != number)
            sheet.reasons[number] = SAME_NUMBER.format(other.row_number)
            del sheet.boxes[number]
            del sheet.first[sheet.shipment_of[number]]


def _spare_rows(usable: Sequence[tuple[ResultRow, int]], sheet: Sheet) -> dict[int, int]:
    """How often a shipment may come again in a file that has a row for each line but does not number the lines.

    A file in which a shipment of several lines stands but once has a row for each shipment: what comes again there is
    the same row twice (domain.md A10), but for merged shipments, which our own files may give a row for each order.
    """
    nameless = Counter(shipment for row, shipment in usable if not row.line)
    if max(nameless.values(), default=0) < 2:
        return {}
    items = ShipmentLine.objects.filter(Among("shipment_id", nameless)).values("shipment_id")
    is_open = Q(is_live=True) & ~Q(line__state__in=CLOSED)
    orders = Count("line__order", distinct=True, filter=Q(is_live=True))
    counts = items.annotate(ever=Count("pk"), still=Count("pk", filter=is_open), orders=orders)
    rows = Counter(sheet.shipment_of.values())
    lines = list(counts.values_list("shipment_id", "ever", "still", "orders"))
    if any(still > 1 and rows[pk] == 1 for pk, _, still, _ in lines):
        return {pk: mine - 1 for pk, _, _, mine in lines}
    return {pk: ever - 1 for pk, ever, _, _ in lines}


Number = tuple[str, str]
"""(courier, waybill)"""


def _clashes(usable: Sequence[tuple[ResultRow, int]]) -> tuple[dict[int, str], dict[Number, list[ResultRow]]]:
    """One number for several shipments: errors, or a box when all go to one door (shipping.md 5.4)."""
    owners: dict[Number, dict[int, ResultRow]] = defaultdict(dict)
    for row, shipment in usable:
        if not row.proposal:
            owners[row.courier, row.waybill].setdefault(shipment, row)
    shared = {number: firsts for number, firsts in owners.items() if len(firsts) > 1}
    if not shared:
        return {}, {}
    doors = keys_of({shipment for firsts in shared.values() for shipment in firsts})
    boxes = {
        number: list(firsts.values())
        for number, firsts in shared.items()
        if len({doors[shipment] for shipment in firsts}) == 1
    }
    reasons = {}
    for row, shipment in usable:
        number = (row.courier, row.waybill)
        firsts = shared.get(number) if number not in boxes and not row.proposal else None
        if firsts is not None:
            twin = next(first for other, first in firsts.items() if other != shipment)
            reasons[row.row_number] = SAME_NUMBER.format(twin.row_number)
    return reasons, boxes
