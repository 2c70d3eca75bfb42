"""스캔의 답: what the bench shows and sounds, and the row that keeps it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from orders.models import OrderLine
from shipping.models import PackingScan, Parcel
from shipping.services.packing.stops import Stop
from shipping.states import ScanVerdict, Signal

WAIT, WORK, STOPPED, TAKEN, REASON = "wait", "work", "stop", "taken", "reason"
"""Screens: waiting, a shipment, the red one, held by a colleague, asking for the reason of 보류."""


@dataclass(slots=True)
class Answer:
    """답: `text` and `detail` are finished sentences, `screen` is what stands below them."""

    signal: Signal
    text: str
    detail: str = ""
    speech: str = ""
    screen: str = WORK
    shipment_id: int | None = None
    stop: Stop | None = None
    print_number: str = ""
    """출력 번호 of labels that were printed for it."""
    batch: str = ""
    """출력 번호 of the picking list whose shipments are to be packed."""
    line_id: int | None = None
    """The line that got a unit: it is brought into sight."""
    is_waiting: bool = False
    """The label comes by itself within moments: the same scan once more gets it."""


@dataclass(frozen=True, slots=True)
class Scan:
    """스캔 한 번, as it came: `code` is what was scanned in capitals, or a command."""

    key: UUID
    code: str
    actor: Any
    at: datetime
    reason: str = ""
    line_id: int | None = None
    quantity: int = 1


@dataclass(slots=True)
class Kept:
    """판정: what is written down with a scan."""

    verdict: ScanVerdict
    answer: Answer
    line: OrderLine | None = None
    parcel_id: int | None = None
    quantity: int = 0
    box: int = 1
    is_by_hand: bool = False


def keep(scan: Scan, kept: Kept) -> Answer:
    """스캔 저장: the row of a scan that was judged."""
    answer = kept.answer
    PackingScan.objects.create(
        key=scan.key,
        at=scan.at,
        actor=scan.actor,
        code=scan.code,
        verdict=kept.verdict,
        signal=answer.signal,
        text=answer.text[:300],
        shipment_id=answer.shipment_id,
        line=kept.line,
        parcel_id=kept.parcel_id,
        quantity=kept.quantity,
        box=kept.box,
        is_by_hand=kept.is_by_hand,
    )
    return answer


def known(scan: Scan) -> Answer | None:
    """이미 받은 스캔: the answer that it got, when the network brings it once more."""
    row = PackingScan.objects.filter(key=scan.key, actor=scan.actor).first()
    if row is None:
        return None
    screen = STOPPED if row.verdict == ScanVerdict.STOP else WORK if row.shipment_id else WAIT
    return Answer(Signal(row.signal), row.text, screen=screen, shipment_id=row.shipment_id)


def unverified(parcels: Sequence[Parcel], verified: set[int]) -> list[Parcel]:
    """확인하지 않은 송장: printed before and not scanned at the bench."""
    return [one for one in parcels if one.printed_count and one.pk not in verified]
