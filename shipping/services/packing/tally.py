"""포장 집계: what belongs into the boxes of a shipment and what the scans say lies in them."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db.models import Sum

from orders.models import OrderLine
from orders.states import CLOSED
from products.models import Variant
from shipping.models import PackingScan
from shipping.states import ScanVerdict


@dataclass
class Tally:
    """집계: open lines of a shipment, their variants, and units by line and box."""

    lines: dict[int, OrderLine]
    variants: dict[int, Variant]
    packed: dict[int, Counter[int]] = field(default_factory=dict)
    """Line id -> units by box."""
    verified: set[int] = field(default_factory=set)
    """Ids of the parcels whose label was scanned."""

    @property
    def counts(self) -> dict[int, int]:
        """담은 수량 by line, of canceled ones too."""
        return {pk: sum(boxes.values()) for pk, boxes in self.packed.items() if sum(boxes.values())}

    @property
    def missing(self) -> dict[int, int]:
        """남은 수량 by line id."""
        return {
            pk: left for pk, line in self.lines.items() if (left := line.quantity - self.counts.get(pk, 0)) > 0
        }  # fmt: skip

    @property
    def surplus(self) -> dict[int, int]:
        """빼야 할 수량 by line id: of lines that were canceled or left the shipment after they were packed."""
        wanted = {pk: line.quantity for pk, line in self.lines.items()}
        return {pk: n - wanted.get(pk, 0) for pk, n in self.counts.items() if n > wanted.get(pk, 0)}

    @property
    def is_complete(self) -> bool:
        """모두 담음: every unit, and nothing else."""
        return bool(self.lines) and not self.missing and not self.surplus

    def matching(self, code: str) -> list[OrderLine]:
        """Lines whose product carries this SKU or barcode, in their order; a barcode may stand on several."""
        return [
            line for line in self.lines.values() if line.variant_id and carries(self.variants[line.variant_id], code)
        ]

    def add(self, line_id: int, box: int, units: int) -> None:
        """담기 in memory; the scan that is written says the same."""
        self.packed.setdefault(line_id, Counter())[box] += units

    @property
    def used_boxes(self) -> list[int]:
        """쓴 상자: numbers of the boxes in which something lies, in their order."""
        return sorted({box for boxes in self.packed.values() for box, units in boxes.items() if units})

    def move_box(self, box: int, to: int) -> None:
        """상자 번호 바꾸기 in memory; the rows of the scans say the same."""
        for boxes in self.packed.values():
            boxes[to] += boxes.pop(box, 0)

    def in_box(self, box: int) -> dict[int, int]:
        """상자 내용: units by line id."""
        return {pk: boxes[box] for pk, boxes in sorted(self.packed.items()) if boxes[box]}


def carries(variant: Variant, code: str) -> bool:
    """이 상품의 코드: SKU or barcode, whatever the case of its letters."""
    return code in {variant.sku.upper(), variant.barcode.upper()}


def tally_of(shipment_id: int, lines: Sequence[OrderLine]) -> Tally:
    """포장 집계; two queries. `lines` are the live lines of the shipment."""
    wanted = {
        line.pk: line for line in sorted(lines, key=lambda one: (one.order_id, one.seq)) if line.state not in CLOSED
    }
    ids = {line.variant_id for line in wanted.values() if line.variant_id}
    tally = Tally(wanted, Variant.objects.in_bulk(list(ids)))
    mine = PackingScan.objects.filter(shipment=shipment_id, undone_at__isnull=True)
    counted = mine.filter(verdict__in=[ScanVerdict.OK, ScanVerdict.LABEL, ScanVerdict.OPENED])
    packed: dict[int, Counter[int]] = defaultdict(Counter)
    rows = counted.values_list("line_id", "parcel_id", "box").annotate(units=Sum("quantity")).order_by("line_id", "box")
    for line_id, parcel_id, box, units in rows:
        if line_id is not None:
            packed[line_id][box] += units
        elif parcel_id is not None:
            tally.verified.add(parcel_id)
    tally.packed = dict(packed)
    return tally


def name_of(line: OrderLine) -> str:
    """상품 이름 with its option."""
    return f"{line.product_name} {line.option_name}".strip()
