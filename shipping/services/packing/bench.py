"""작업대: one shipment under its locks, with what was scanned for it and who has it open."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from core.exceptions import NotFound
from core.locks import locking
from shipping.models import PackingSession, Parcel, Shipment, ShipmentLine, ShipmentStep
from shipping.models.parcel import WAITS
from shipping.services.packing.answers import STOPPED, TAKEN, Answer, Kept, Scan
from shipping.services.packing.stops import Stop, clock, ended, stop_of
from shipping.services.packing.tally import Tally, tally_of
from shipping.services.shipments import locked_whole
from shipping.states import Direction, PackingState, ScanVerdict, Signal

NOT_FOUND = "배송건을 찾을 수 없습니다. 송장이나 주문 바코드를 다시 찍으세요."
HELD_BY = "{who} 님이 {when}부터 포장하고 있습니다."
TAKE_OVER = "이어받으려면 '이어받기'를 누르거나 CMD-TAKE를 찍으세요."


@dataclass(slots=True)
class Bench:
    """작업대 위의 배송건; `parcels` go out and are not void, in the order of their numbers."""

    shipment: Shipment
    tally: Tally
    parcels: list[Parcel]
    stop: Stop | None
    session: PackingSession
    is_new: bool = False

    @property
    def is_packed(self) -> bool:
        return self.session.state == PackingState.PACKED

    def answer(self, signal: Signal, text: str, *, detail: str = "", speech: str = "") -> Answer:
        """답 about this shipment."""
        return Answer(signal, text, detail, speech, shipment_id=self.shipment.pk)


@contextmanager
def at_bench(scan: Scan, shipment_id: int) -> Iterator[Bench]:
    """The shipment with its lines, parcels and packing, locked. Raises LockTimeout, NotFound.

    The first to scan it has it open; a shipment that must not be packed gets no packing.
    """
    with locking(actor=scan.actor), locked_whole([shipment_id], actor=scan.actor) as rows:
        shipment = rows.shipments.get(shipment_id)
        if shipment is None:
            # Without a live line it is nothing that anybody moves any more.
            gone = Shipment.objects.filter(pk=shipment_id).first()
            if gone is None:
                raise NotFound(NOT_FOUND)
            yield Bench(gone, Tally({}, {}), [], ended(shipment_id), _fresh(gone, scan))
            return
        lines = [rows.lines[pk] for pk in rows.lines_of[shipment_id]]
        parcels = [one for one in rows.parcels_of[shipment_id] if one.direction == Direction.OUT]
        parcels.sort(key=lambda one: (one.seq, one.pk))
        stop = stop_of(shipment, lines, parcels, at=scan.at)
        session = PackingSession.objects.select_for_update(of=("self",)).select_related("packer")
        found = session.filter(shipment=shipment).first()
        is_new = found is None
        if found is None:
            found = _fresh(shipment, scan)
            if stop is None:
                found.save(force_insert=True)
        yield Bench(shipment, tally_of(shipment_id, lines), parcels, stop, found, is_new)


def waiting_boxes(shipment_id: int) -> QuerySet[Parcel]:
    """나갈 상자 of a shipment that have not left, in the order of their numbers."""
    mine = Parcel.objects.filter(shipment=shipment_id, state__in=WAITS, direction=Direction.OUT)
    return mine.order_by("seq", "pk")


def _fresh(shipment: Shipment, scan: Scan) -> PackingSession:
    return PackingSession(shipment=shipment, packer=scan.actor, opened_at=scan.at)


def stop_to_see(shipment_id: int, *, at: datetime) -> Stop | None:
    """중지 사유 for who opens a shipment by its link, read without locks; what has left may be looked at."""
    shipment = Shipment.objects.get(pk=shipment_id)
    if shipment.step not in {ShipmentStep.READY, ShipmentStep.CLOSED}:
        return None
    items = ShipmentLine.objects.filter(shipment=shipment, is_live=True).select_related("line").order_by("line__seq")
    return stop_of(shipment, [item.line for item in items], [], at=at)


def stopped(bench: Bench, *, stop: Stop | None = None) -> Kept:
    """중지 화면."""
    why = stop or bench.stop
    assert why is not None
    return Kept(
        ScanVerdict.STOP,
        Answer(Signal.STOP, why.text, speech=why.speech, screen=STOPPED, shipment_id=bench.shipment.pk, stop=why),
    )


def refusal(bench: Bench, scan: Scan) -> Kept | None:
    """받을 수 없는 까닭: stopped, or a colleague has it open; None when the scan may count."""
    if bench.stop is not None:
        return stopped(bench)
    if not bench.is_packed and bench.session.packer_id != scan.actor.pk:
        who, when = bench.session.packer.display_name, clock(bench.session.opened_at, at=scan.at)
        answer = bench.answer(Signal.WRONG, HELD_BY.format(who=who, when=when), detail=TAKE_OVER)
        answer.screen = TAKEN
        return Kept(ScanVerdict.REFUSED, answer)
    return None
