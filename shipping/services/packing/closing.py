"""포장 끝: the boxes of a shipment are closed, then their labels follow; trouble with a label stops nobody.

Closing is one transaction under the locks; what the labels need (numbers, more boxes, a print) comes after its commit,
may fail at any point and is made up for by asking again: packed without a label is a state that the bench shows.
"""

from collections import Counter
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from django.db.models import F

from core.events import record
from core.exceptions import DomainError
from core.failpoints import declare, failpoint
from core.settings_registry import get_setting
from core.state import Change, Outcome
from shipping import events
from shipping.models import (
    CourierContract,
    PackingScan,
    PackingSession,
    Parcel,
    ParcelLine,
    PrintBatch,
    Shipment,
    ShipmentStep,
)
from shipping.models.parcel import WAITS
from shipping.services import shipments
from shipping.services.issuing.extra import add_box
from shipping.services.issuing.issue import ASKED, issue_waybills
from shipping.services.packing.answers import Answer, Scan, unverified
from shipping.services.packing.bench import Bench, waiting_boxes
from shipping.services.packing.tally import name_of, tally_of
from shipping.services.printing.labels import print_labels
from shipping.states import (
    ContractMode,
    DeliveryMethod,
    PackingState,
    ParcelState,
    Signal,
    WaybillSource,
)

DONE = "검수를 마쳤습니다."
LEFT = "아직 담지 않은 상품이 있습니다."
TOO_MUCH = "상자에서 빼야 할 상품이 있습니다."
FEWER_BOXES = "송장이 {n}개 등록된 배송건입니다. '상자 추가'로 {n}상자에 나누어 담으세요."
VERIFY = "모두 담았습니다. 붙인 송장을 찍어 확인해 주세요."
NO_CONTRACT = "송장번호가 없습니다. 기본 택배 계약이 없어 번호를 받지 못했습니다."
STICK = "송장을 붙이고 송장 바코드를 찍어 주세요."
ONE_BY_HAND = (
    "직접 찍는 송장은 배송건에 하나만 등록할 수 있습니다. 상자를 나누려면 '상품준비중으로' 되돌린 뒤 품목별로 보내세요."
)
ON_ITS_WAY = "송장번호를 발급하고 있습니다. 번호가 오면 송장을 출력하세요."
MAY_NOT_SHIP = "배송중 처리 권한이 없어 출고하지 않았습니다."
AGAIN = "포장 검수대에서 다시 출력"
PACKED_BEFORE_LABEL = declare("packed_before_label", "the boxes are closed and committed; no label was asked for yet")


def close(bench: Bench, scan: Scan, *, by_itself: bool) -> Answer:
    """검수 완료 of a locked shipment; with `by_itself` only where the shop wants it so and every label is verified."""
    tally = bench.tally
    if tally.surplus:
        return bench.answer(Signal.OVER, TOO_MUCH, detail=_names(bench, tally.surplus))
    if tally.missing or not tally.lines:
        return bench.answer(Signal.WRONG, LEFT, detail=_names(bench, tally.missing))
    waiting = [one for one in bench.parcels if one.state in WAITS]
    _leave_out_empty_boxes(bench)
    if len(waiting) > bench.session.boxes:
        return bench.answer(Signal.WRONG, FEWER_BOXES.format(n=len(waiting)))
    if by_itself:
        if unverified(waiting, tally.verified):
            return bench.answer(Signal.OK, VERIFY, speech="송장을 찍어 주세요")
        if not get_setting("pack_closes_itself"):
            return bench.answer(Signal.OK, "모두 담았습니다. '검수 완료'를 누르거나 CMD-DONE을 찍으세요.")
    _write_contents(bench, waiting)
    Parcel.objects.filter(pk__in=[one.pk for one in waiting]).update(packed_at=scan.at)
    bench.session.state, bench.session.closed_at, bench.session.packer = PackingState.PACKED, scan.at, scan.actor
    bench.session.label_note = ""
    bench.session.save()
    tell(bench.shipment, events.SHIPMENT_PACKED, scan, boxes=bench.session.boxes, units=sum(tally.counts.values()))
    return bench.answer(Signal.DONE, DONE, speech="검수를 마쳤습니다")


def _leave_out_empty_boxes(bench: Bench) -> None:
    """빈 상자 빼기: boxes out of which everything was taken again get no label; those behind them move up."""
    used = bench.tally.used_boxes
    for box, was in enumerate(used, start=1):
        if box != was:
            PackingScan.objects.filter(shipment=bench.shipment, box=was).update(box=box)
            bench.tally.move_box(was, box)
    if bench.session.boxes != len(used):
        bench.session.boxes = len(used)
        bench.session.save(update_fields=["boxes"])


def tell(shipment: Shipment, kind: Any, scan: Scan, **data: Any) -> None:
    """이력 of a locked shipment; lists that were opened before are stale."""
    Shipment.objects.filter(pk=shipment.pk).update(version=F("version") + 1)
    change = Change(shipment, "", "", shipment.version + 1)
    shipment.version += 1
    record(Outcome(changes=[change]), kind, at=scan.at, actor=scan.actor, data={shipment.pk: data})


def _write_contents(bench: Bench, parcels: list[Parcel]) -> None:
    """상자 내용 as scanned; boxes that have no parcel yet lie in the first one until they get theirs."""
    wanted: dict[int, Counter[int]] = {}
    for place, parcel in enumerate(parcels, start=1):
        wanted[parcel.pk] = Counter(bench.tally.in_box(place))
    for box in range(len(parcels) + 1, bench.session.boxes + 1):
        if parcels:
            wanted[parcels[0].pk].update(bench.tally.in_box(box))
    held = ParcelLine.objects.filter(parcel__in=list(wanted))
    there = Counter({(pk, line): units for pk, line, units in held.values_list("parcel_id", "line_id", "quantity")})
    asked = Counter({(pk, line): units for pk, lines in wanted.items() for line, units in lines.items()})
    if there == asked:
        return
    held.delete()
    ParcelLine.objects.bulk_create(
        ParcelLine(parcel_id=pk, line_id=line, quantity=units) for (pk, line), units in sorted(asked.items())
    )


def _names(bench: Bench, units: dict[int, int]) -> str:
    known = {pk: name_of(line) for pk, line in bench.tally.lines.items()}
    return ", ".join(f"{known.get(pk, '취소된 상품')} {n}개" for pk, n in list(units.items())[:4])


def follow_up(answer: Answer, *, actor: Any, at: datetime, key: UUID, again: bool = False) -> Answer:
    """송장과 출고: numbers, boxes, labels and 배송중 처리 of a shipment; outside of any transaction, as often as asked.

    What does not work is written into the packing and told in `detail`. `again` prints what was printed before.
    """
    assert answer.shipment_id is not None
    failpoint(PACKED_BEFORE_LABEL)
    shipment = Shipment.objects.select_related("packing").get(pk=answer.shipment_id)
    session: PackingSession | None = getattr(shipment, "packing", None)
    is_packed = session is not None and session.state == PackingState.PACKED
    facts: dict[str, Any] = {"actor": actor, "at": at}
    note = ""
    if shipment.method == DeliveryMethod.PARCEL and shipment.step == ShipmentStep.READY:
        try:
            note = _numbers(shipment, session, **facts) if is_packed else ""
            answer.print_number, refused = _print(shipment, key=key, again=again, **facts)
            note = refused or note
        except DomainError as error:
            note = error.message
    if session is not None and is_packed:
        waiting_boxes(shipment.pk).filter(packed_at__isnull=True).update(packed_at=session.closed_at)
        note = note or _ship(shipment, **facts)
        PackingSession.objects.filter(pk=session.pk).update(label_note=note[:300])
        answer.is_waiting = bool(note) and (note == ON_ITS_WAY or _is_being_asked(shipment))
    answer.detail = note or answer.detail
    return answer


def _waiting(shipment: Shipment) -> list[Parcel]:
    return list(waiting_boxes(shipment.pk).defer("routing"))


def _numbers(shipment: Shipment, session: PackingSession | None, *, actor: Any, at: datetime) -> str:
    """송장번호 for every box, by the default contract; why not, empty when all have theirs."""
    parcels = _waiting(shipment)
    boxes = session.boxes if session else 1
    if len(parcels) >= boxes and all(one.state != ParcelState.CREATED for one in parcels):
        return ""
    contract = CourierContract.objects.filter(is_default=True, is_active=True).first()
    if contract is None:
        return NO_CONTRACT
    if contract.mode == ContractMode.HAND:
        return ONE_BY_HAND if parcels else STICK
    if not parcels:
        done = issue_waybills(shipment_ids=[shipment.pk], contract_id=contract.pk, actor=actor, at=at)
        refused = done.refused.get(shipment.pk, "")
        if done.waiting or refused == ASKED:
            return ON_ITS_WAY
        parcels = _waiting(shipment)
        # Of two who ask at once the other has got the number: this one goes on as well.
        if refused and not parcels:
            return refused
    contents = tally_of(shipment.pk, []).packed
    for box in range(max(len(parcels), 1) + 1, boxes + 1):
        inside = {pk: mine[box] for pk, mine in contents.items() if mine[box]}
        add_box(shipment_id=shipment.pk, contents=inside, contract_id=contract.pk, actor=actor, at=at, nth=box)
    return ON_ITS_WAY if any(one.state == ParcelState.CREATED for one in _waiting(shipment)) else ""


def _print(shipment: Shipment, *, key: UUID, again: bool, actor: Any, at: datetime) -> tuple[str, str]:
    """(출력 번호, why not) of the labels that were not printed yet, with `again` of all."""
    mine = uuid5(key, "label")
    # Looked for before the parcels are: what it has printed is then not among those that still wait.
    is_known = PrintBatch.objects.filter(key=mine).exists()
    wanted = {ParcelState.NUMBERED, ParcelState.PRINTED} if again else {ParcelState.NUMBERED}
    numbered = [one for one in _waiting(shipment) if one.state in wanted and one.source != WaybillSource.SCANNED]
    fresh = [one.pk for one in numbered if again or not one.printed_count]
    if is_known and fresh and not again:
        # A box whose sort code came later than that of the others.
        mine = uuid5(key, f"label {min(fresh)}")
    # Asked for without anything to print as well: the same request once more finds the print that it has made.
    done = print_labels(parcel_ids=fresh, paper="", actor=actor, at=at, key=mine, reason=AGAIN if again else "")
    refused = next(iter(done.outcome.refused.values()), "")
    if refused and all(map(_is_labelled, _waiting(shipment))):
        # Somebody else at once has printed it: there is a label, and the box may leave.
        refused = ""
    return done.batch.number if done.batch else "", refused


def _is_being_asked(shipment: Shipment) -> bool:
    """Whether the courier is asked for the sort code of a box that is not printed yet."""
    return any(one.route_at is not None and not one.printed_count for one in _waiting(shipment))


def _is_labelled(parcel: Parcel) -> bool:
    """Whether a label is on the box: printed here, or the courier's own that was scanned."""
    return bool(parcel.printed_count) or parcel.source == WaybillSource.SCANNED


def _ship(shipment: Shipment, *, actor: Any, at: datetime) -> str:
    """출고까지: 배송중 처리 of a packed shipment where the shop wants it; why not, empty otherwise."""
    if not get_setting("pack_ships") or shipment.step != ShipmentStep.READY:
        return ""
    if not actor.has_perm("shipping.ship"):
        return MAY_NOT_SHIP
    parcels = _waiting(shipment)
    if shipment.method == DeliveryMethod.PARCEL and not (parcels and all(map(_is_labelled, parcels))):
        return ""
    outcome = shipments.ship(line_ids=shipments.lines_of([shipment.pk]), actor=actor, at=at)
    return next(iter(outcome.refused.values()), "")
