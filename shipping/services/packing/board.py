"""작업대 화면: what the bench shows of a shipment, and of what waits; no phone, price or other order (ux.md 3.1)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef

from core.calendar import due_date, kst_date, kst_day_range, short
from core.masking import DISTRICT_SUFFIXES, PROVINCE_SUFFIXES, PROVINCES, mask_text
from orders.contact import end_of_order
from orders.models import Order, StaffMemo
from orders.states import CLOSED
from shipping.couriers import courier_name
from shipping.models import PackingSession, Parcel, PrintItem, Shipment, ShipmentLine, ShipmentStep
from shipping.models.parcel import WAITS
from shipping.services.packing.stops import clock
from shipping.services.packing.tally import Tally, name_of, tally_of
from shipping.states import DeliveryMethod, Direction, PackingState, ParcelState, WaybillSource
from shipping.waybills import grouped

SHOWN = 8
"""Rows of the queue that fit a screen without scrolling."""


@dataclass(frozen=True, slots=True)
class BoardLine:
    """품목 한 줄: `left` units are missing, `surplus` are too many."""

    pk: int
    name: str
    option: str
    place: str
    sku: str
    packed: int
    wanted: int
    surplus: int = 0

    @property
    def left(self) -> int:
        return max(0, self.wanted - self.packed)

    @property
    def is_full(self) -> bool:
        return not self.left and not self.surplus


@dataclass(frozen=True, slots=True)
class BoardLabel:
    """송장 한 장: its number stands as on the label."""

    box: int
    courier: str
    waybill: str
    state: str


@dataclass(frozen=True, slots=True)
class Board:
    """배송건 화면."""

    number: str
    orders: list[str]
    method: str
    who: str
    district: str
    contact: str
    """Why nobody will reach the receiver by telephone; empty where somebody will."""
    memos: list[str]
    """Pinned notes of staff."""
    notes: list[str]
    deadline: str
    lines: list[BoardLine]
    labels: list[BoardLabel]
    boxes: int
    box_units: int
    packer: str
    opened: str
    is_mine: bool
    is_packed: bool
    packed: str
    label_note: str
    can_reopen: bool


@dataclass(frozen=True, slots=True)
class QueueRow:
    """대기 한 줄."""

    number: str
    deadline: str
    lines: int
    place: str
    packer: str
    is_late: bool


@dataclass(frozen=True, slots=True)
class Queue:
    """대기 화면: what comes first, and how far today is."""

    rows: list[QueueRow]
    unlabelled: list[tuple[str, str]]
    """(배송번호, why) of closed boxes without a label."""


def board_of(shipment_id: int, *, actor: Any, at: datetime) -> Board | None:
    """배송건 화면 as it is now; read without locks."""
    shipment = Shipment.objects.select_related("packing__packer").filter(pk=shipment_id).first()
    if shipment is None:
        return None
    items = ShipmentLine.objects.filter(shipment=shipment, is_live=True).select_related("line")
    lines = [item.line for item in items if item.line.state not in CLOSED]
    tally = tally_of(shipment_id, lines)
    session: PackingSession | None = getattr(shipment, "packing", None)
    orders = list(Order.objects.filter(pk__in={line.order_id for line in lines} | {shipment.order_id}).order_by("pk"))
    first = next((one for one in orders if one.pk == shipment.order_id), orders[0])
    boxes = session.boxes if session else 1
    is_packed = session is not None and session.state == PackingState.PACKED
    ends = end_of_order(first, at=at, shipped_at=shipment.shipped_at)
    return Board(
        number=shipment.number,
        orders=[one.number for one in orders],
        method=DeliveryMethod(shipment.method).label,
        who=initial(first.recipient_name),
        district=district(first.address1),
        contact=ends.sentence if ends else "",
        memos=_memos(orders),
        notes=list(dict.fromkeys(mask_text(one.delivery_note) for one in orders if one.delivery_note)),
        deadline=_due(shipment.ship_by),
        lines=_lines(tally),
        labels=_labels(shipment),
        boxes=boxes,
        box_units=sum(tally.in_box(boxes).values()),
        packer=session.packer.display_name if session else "",
        opened=clock(session.opened_at, at=at) if session else "",
        is_mine=session is None or is_packed or session.packer_id == actor.pk,
        is_packed=is_packed,
        packed=f"{short(session.closed_at)} {session.packer.display_name} 님" if session and is_packed else "",
        label_note=session.label_note if session else "",
        can_reopen=is_packed and shipment.step in {ShipmentStep.READY, ShipmentStep.SHIPPING},
    )


def _memos(orders: list[Order]) -> list[str]:
    """포장할 때 경고로 보이기: of every order in the box, the oldest first."""
    pinned = StaffMemo.objects.filter(order__in=orders, is_pinned=True, deleted_at__isnull=True)
    return [mask_text(text) for text in pinned.order_by("pk").values_list("text", flat=True)]


def _lines(tally: Tally) -> list[BoardLine]:
    counts, surplus = tally.counts, tally.surplus
    found = []
    for pk, line in tally.lines.items():
        variant = tally.variants.get(line.variant_id or 0)
        place, sku = (variant.location, variant.sku) if variant else ("", "")
        facts = (line.product_name, line.option_name, place, sku, counts.get(pk, 0), line.quantity, surplus.get(pk, 0))
        found.append(BoardLine(pk, *facts))
    gone = surplus.keys() - tally.lines.keys()
    names = {item.line_id: item.line for item in ShipmentLine.objects.filter(line__in=gone).select_related("line")}
    for pk in sorted(gone):
        name = name_of(names[pk]) if pk in names else "취소된 상품"
        found.append(BoardLine(pk, name, "취소됨", "", "", surplus[pk], 0, surplus[pk]))
    return found


def _labels(shipment: Shipment) -> list[BoardLabel]:
    mine = Parcel.objects.filter(shipment=shipment, direction=Direction.OUT).exclude(state=ParcelState.VOID)
    rows = mine.order_by("seq", "pk").values_list("courier", "waybill", "state")
    return [
        BoardLabel(box, courier_name(courier), grouped(waybill), ParcelState(state).label)
        for box, (courier, waybill, state) in enumerate(rows, start=1)
    ]


def initial(name: str) -> str:
    """이름 첫 글자: 한다은 -> 한**; the bench needs no more than that to tell two boxes apart."""
    bare = name.strip()
    return f"{bare[0]}{'*' * max(1, min(len(bare) - 1, 2))}" if bare else ""


def district(address: str) -> str:
    """시군구: the words of an address that name a province, a city and a district."""
    kept: list[str] = []
    for word in address.split()[:4]:
        is_province = not kept and (word in PROVINCES or word.endswith(PROVINCE_SUFFIXES))
        if not is_province and not word.endswith(DISTRICT_SUFFIXES):
            break
        kept.append(word)
    return " ".join(kept)


def queue_of(*, at: datetime, batch: str = "") -> Queue:
    """대기 화면: shipments that nobody has packed, by deadline; of one picking list when `batch` names it."""
    waiting = Shipment.objects.filter(step=ShipmentStep.READY, is_held=False, has_claim=False)
    if batch:
        waiting = waiting.filter(pk__in=PrintItem.objects.filter(batch__number=batch).values("shipment_id"))
    done = PackingSession.objects.filter(shipment=OuterRef("pk"), state=PackingState.PACKED)
    rows = list(
        waiting.exclude(Exists(done)).select_related("packing__packer").order_by("ship_by", "paid_at", "pk")[:SHOWN]
    )
    return Queue(_rows(rows, at=at), _unlabelled())


def _rows(rows: list[Shipment], *, at: datetime) -> list[QueueRow]:
    items = ShipmentLine.objects.filter(shipment__in=rows, is_live=True).order_by("line__seq")
    places: dict[int, str] = {}
    for shipment_id, place in items.values_list("shipment_id", "line__variant__location"):
        places.setdefault(shipment_id, place or "")
    return [
        QueueRow(
            row.number,
            _due(row.ship_by),
            row.line_count,
            places.get(row.pk, ""),
            row.packing.packer.display_name if hasattr(row, "packing") else "",
            bool(row.ship_by and row.ship_by <= at),
        )
        for row in rows
    ]


def _due(ship_by: datetime | None) -> str:
    """발송기한 as a day: a deadline is the midnight after it."""
    return f"{due_date(ship_by):%m-%d}까지" if ship_by else ""


def _unlabelled() -> list[tuple[str, str]]:
    """송장 없는 포장: closed boxes of 택배 whose label is not printed yet, oldest first."""
    printed = Parcel.objects.filter(shipment=OuterRef("shipment"), direction=Direction.OUT, state__in=WAITS)
    packed = PackingSession.objects.filter(
        state=PackingState.PACKED, shipment__step=ShipmentStep.READY, shipment__method=DeliveryMethod.PARCEL
    )
    open_ = ~Exists(printed) | Exists(printed.filter(printed_count=0).exclude(source=WaybillSource.SCANNED))
    rows = packed.filter(open_).order_by("closed_at").values_list("shipment__number", "label_note")
    return [(number, note or "송장을 출력하지 않았습니다.") for number, note in rows[:SHOWN]]


def packings_of(shipment_ids: Collection[int]) -> dict[int, str]:
    """포장 검수: who, when and how many boxes, in words; one query."""
    rows = PackingSession.objects.filter(shipment__in=list(shipment_ids)).select_related("packer")
    found = {}
    for row in rows:
        who, is_packed = f"{row.packer.display_name} 님", row.state == PackingState.PACKED
        again = f", 다시 연 횟수 {row.reopened_count}번" if row.reopened_count else ""
        words = f"{short(row.closed_at)}, 상자 {row.boxes}개" if is_packed else f"{short(row.opened_at)}부터 포장 중"
        found[row.shipment_id] = f"{who}, {words}{again}"
    return found


def counts_of(actor: Any, *, at: datetime) -> tuple[int, int]:
    """(오늘 포장, 최근 한 시간) of one person; one query."""
    began = kst_day_range(kst_date(at))[0]
    mine = PackingSession.objects.filter(state=PackingState.PACKED, packer=actor, closed_at__gte=began)
    moments = list(mine.values_list("closed_at", flat=True))
    return len(moments), sum(moment is not None and moment > at - timedelta(hours=1) for moment in moments)
