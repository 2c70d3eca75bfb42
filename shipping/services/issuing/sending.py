"""택배사 API 채번: allocate, store, register, write; each step is committed before the next call (shipping.md 5.3).

No call is made inside a transaction. What nobody heard the end of is asked again with the same number and key, looked
up first, for as long as it takes; only a manager may give such a number up.
"""

import logging
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from django.db.models import F

from core.chunks import batched
from core.exceptions import Conflict
from core.failpoints import declare, failpoint
from core.jobs.items import carry_versions
from core.locks import LockTimeout
from core.lookups import Among
from core.models import Source
from orders.states import CLOSED, LOCK_TEXT, blocking
from shipping.adapters.issuing import Box, Issued, IssueOutcome, WaybillIssuer
from shipping.models import CourierContract, Parcel, Shipment, ShipmentLine, ShipmentStep, WaybillNumber
from shipping.models.parcel import LIVE
from shipping.services.issuing import claims
from shipping.services.issuing.boxes import NO_SENDER, boxes_of, mark_of, recipient
from shipping.services.issuing.contracts import block
from shipping.services.issuing.issue import TYPED, drafted
from shipping.services.issuing.issuers import CannotOpen, callers, issuer_of
from shipping.services.numbers import waybills
from shipping.services.numbers.boxes import number_box
from shipping.services.numbers.pool import is_given
from shipping.services.numbers.waybills import LOOKED_AT, WaybillEntry
from shipping.services.shipments import locked_whole
from shipping.states import TRACKED, NumberState, ParcelState

log = logging.getLogger("shipping.issuing")

HELD = timedelta(minutes=5)
GONE = "배송준비중이 아니어서 발급을 멈췄습니다."
MOVED = "배송지가 바뀌어 택배사 접수를 취소합니다. 다시 발급하세요."
WAITS = "발급 대기: {reason}"
FAILED = "발급 실패: {reason}"
NO_WORDS = "택배사가 거절했습니다. 주소와 상품명을 확인하세요."
UNKNOWN = "택배사의 답을 받지 못했습니다. 같은 번호로 저절로 다시 확인합니다."
SILENT = "택배사에서 응답이 없습니다. 저절로 다시 시도합니다."
GIVEN_TWICE = "택배사가 다른 배송건에 준 번호를 다시 주었습니다. 저절로 다시 시도합니다."
LIMITED = "택배사의 한도를 넘었습니다. 저절로 다시 시도합니다."
DENIED = "택배사가 우리 키를 받지 않았습니다. 설정의 송장 번호에서 확인하세요."
ALLOCATED = declare("waybill_allocated", "the courier gave numbers; none of them is stored")
STORED = declare("waybill_number_stored", "the numbers are stored; the courier knows of no box")
BOOKED = declare("waybill_booked", "the courier has booked the boxes; nothing of it is stored")
BEFORE_WRITE = declare("waybill_before_parcel", "the bookings are stored; no parcel is written")


@dataclass(slots=True)
class _Run:
    """발급 한 묶음: rows of one contract by id, and what the courier is told of their boxes."""

    contract: CourierContract
    issuer: WaybillIssuer
    rows: dict[int, WaybillNumber]
    boxes: Mapping[int, Box]
    moved: Collection[int]
    at: datetime

    def drop(self, row: WaybillNumber) -> None:
        self.rows.pop(row.pk, None)


def issue_due(*, mode: str, at: datetime) -> int:
    """발급: what is due at the contracts of a mode; how many numbers were taken up."""
    claimed = claims.claim(mode=mode, at=at)
    by_contract: dict[int, list[WaybillNumber]] = defaultdict(list)
    for row in claimed:
        by_contract[row.contract_id].append(row)
    for rows in by_contract.values():
        _work(rows[0].contract, rows, at=at)
    return len(claimed)


def _work(contract: CourierContract, rows: Sequence[WaybillNumber], *, at: datetime) -> None:
    wanted = _still_wanted(rows, at=at)
    unbooked = [row for row in wanted if row.state != NumberState.REGISTERED]
    booked = [row for row in wanted if row.state == NumberState.REGISTERED]
    if unbooked:
        booked += _book(contract, unbooked, at=at)
    failpoint(BEFORE_WRITE)
    _write(booked, at=at)


def _book(contract: CourierContract, rows: Sequence[WaybillNumber], *, at: datetime) -> list[WaybillNumber]:
    """The rows that the courier knows of afterwards; the others are put off or ended."""
    shipments = Shipment.objects.select_related("order").in_bulk([row.shipment_id for row in rows])
    boxes = boxes_of(rows, contract=contract, shipments=shipments)
    if any(not box.sender.phone or not box.sender.address1 for box in boxes.values()):
        for row in rows:
            _wait(row, NO_SENDER, due=at + HELD)
        return []
    marks = {row.pk: mark_of(recipient(shipments[row.shipment_id].order)) for row in rows}
    moved = {row.pk for row in rows if row.address_mark and row.address_mark != marks[row.pk]}
    try:
        issuer = issuer_of(contract)
    except CannotOpen as problem:
        block(contract, problem.text, at=at)
        for row in rows:
            _wait(row, problem.text, due=at)
        return []
    run = _Run(contract, issuer, {row.pk: row for row in rows}, boxes, moved, at)
    _allocate(run)
    return _register(run, marks)


def _allocate(run: _Run) -> None:
    """번호 받기 for the rows without one; a number is stored before anything else is done with it."""
    if run.issuer.gives_numbers_on_register:
        return
    rows = [row for row in run.rows.values() if row.state == NumberState.REQUESTED]
    pieces = list(batched(rows, max(1, run.issuer.most_per_call)))

    def ask(piece: list[WaybillNumber]) -> Sequence[Issued]:
        try:
            return run.issuer.allocate(boxes=[run.boxes[row.pk] for row in piece])
        except Exception as error:
            # An adapter promises not to raise; whatever broke, the numbers may have been given.
            log.exception("allocating broke")
            return [Issued(outcome=IssueOutcome.UNKNOWN, detail=type(error).__name__)] * len(piece)

    with callers() as pool:
        for piece, answers in zip(pieces, pool.map(ask, pieces), strict=True):
            failpoint(ALLOCATED)
            lost = [Issued(outcome=IssueOutcome.UNKNOWN)] * (len(piece) - len(answers))
            for row, answer in zip(piece, [*answers, *lost], strict=False):
                _take_allocated(run, row, answer)
    failpoint(STORED)


def _take_allocated(run: _Run, row: WaybillNumber, answer: Issued) -> None:
    # The booking of a number that another box has would be taken for this one's: ALREADY at 한진.
    is_twice = bool(answer.number) and is_given(row.courier, answer.number)
    if answer.outcome in {IssueOutcome.OK, IssueOutcome.ALREADY} and answer.number and not is_twice:
        facts = {"number": answer.number, "routing": _routing(answer)}
        stored = claims.advance(row, WaybillNumber.reserve, at=run.at, **facts)
        if stored is not None:
            run.rows[row.pk] = stored
            return
        run.drop(row)  # Withdrawn meanwhile: the number is lost, nothing is booked under it.
    elif answer.outcome in {IssueOutcome.OK, IssueOutcome.ALREADY, IssueOutcome.UNKNOWN, IssueOutcome.NOT_FOUND}:
        # A lost answer may have cost a number; it can never have booked a box, so another one may be asked for.
        CourierContract.objects.filter(pk=run.contract.pk).update(leaked=F("leaked") + 1)
        _wait(row, GIVEN_TWICE if is_twice else SILENT, due=run.at + claims.back_off(row))
        run.drop(row)
    else:
        _take_refusal(run, row, answer)


def _register(run: _Run, marks: Mapping[int, str]) -> list[WaybillNumber]:
    """접수: every row that may be registered, with its number; those that the courier knows of now."""
    rows = list(run.rows.values())
    for row in rows:
        if row.pk not in run.moved and row.address_mark != marks[row.pk]:
            claims.mine(row).update(address_mark=marks[row.pk])

    def ask(row: WaybillNumber) -> Issued:
        try:
            return _booking(run, row)
        except Exception as error:
            log.exception("registering %s broke", row.key)
            return Issued(outcome=IssueOutcome.UNKNOWN, detail=type(error).__name__)

    booked = []
    with callers() as pool:
        for row, answer in zip(rows, pool.map(ask, rows), strict=True):
            failpoint(BOOKED)
            if answer.outcome == IssueOutcome.NOT_FOUND:
                _forget_address(row, at=run.at)
            elif answer.outcome in {IssueOutcome.OK, IssueOutcome.ALREADY} and (number := answer.number or row.number):
                booked += _take_booked(run, row, number, answer)
            elif answer.outcome in {IssueOutcome.OK, IssueOutcome.ALREADY, IssueOutcome.UNKNOWN}:
                _doubt(run, row)
            else:
                _take_refusal(run, row, answer)
    return booked


def _booking(run: _Run, row: WaybillNumber) -> Issued:
    """One booking; after a doubt it is looked up first. NOT_FOUND: of another address, and nothing was booked.

    Where the number is ours before the booking, the same number is booked again when looking it up tells nothing: a
    courier books one number once. A courier that gives numbers with bookings would give another one, so it has to tell.
    """
    box, gives = run.boxes[row.pk], run.issuer.gives_numbers_on_register
    if row.doubts or row.pk in run.moved or (gives and row.attempts > 1):
        seen = run.issuer.look_up(box=box, number=row.number)
        if seen.outcome == IssueOutcome.NOT_FOUND and row.pk in run.moved:
            return seen
        if seen.outcome not in {IssueOutcome.NOT_FOUND, IssueOutcome.REJECTED, IssueOutcome.UNKNOWN}:
            return seen
        if gives and (seen.outcome == IssueOutcome.UNKNOWN or row.pk in run.moved):
            return Issued(outcome=IssueOutcome.UNKNOWN)
    return run.issuer.register(box=box, number=row.number)


def _take_booked(run: _Run, row: WaybillNumber, number: str, answer: Issued) -> list[WaybillNumber]:
    if row.pk in run.moved:
        WaybillNumber.objects.filter(pk=row.pk, number="").update(number=number)
        claims.retire(row, at=run.at, error=MOVED, told=MOVED, may_be_booked=True)
        return []
    stored = claims.advance(row, WaybillNumber.register, at=run.at, number=number, routing=_routing(answer))
    if stored is None:
        claims.booked_anyway(row, number, at=run.at)
        return []
    return [stored]


def _forget_address(row: WaybillNumber, *, at: datetime) -> None:
    """Nothing was booked for the old address: the next attempt begins with the new one."""
    claims.mine(row).update(address_mark="", doubts=0, attempts=0, next_try_at=at, lease_token=0)


def _routing(answer: Issued) -> dict[str, object]:
    return asdict(answer.routing) if answer.routing is not None else {}


def _doubt(run: _Run, row: WaybillNumber) -> None:
    """알 수 없음: from now on only this number may be sent, and nobody but a manager ends it."""
    claims.release(row, due=run.at + claims.back_off(row), error=UNKNOWN, is_doubtful=True)
    claims.note({row.shipment_id: WAITS.format(reason=UNKNOWN)})


def _wait(row: WaybillNumber, reason: str, *, due: datetime) -> None:
    claims.release(row, due=due, error=reason)
    claims.note({row.shipment_id: WAITS.format(reason=reason)})


def _take_refusal(run: _Run, row: WaybillNumber, answer: Issued) -> None:
    """한도, 인증, 거절: the first two stop the contract for a while or until somebody mends it."""
    run.drop(row)
    if answer.outcome == IssueOutcome.LIMITED:
        _wait(row, LIMITED, due=claims.pause(run.contract, answer.retry_after, at=run.at))
        return
    if answer.outcome == IssueOutcome.AUTH:
        block(run.contract, answer.message, at=run.at)
        _wait(row, DENIED, due=run.at)
        return
    reason = claims.words_of_refusal(answer) or NO_WORDS
    if answer.outcome == IssueOutcome.UNDELIVERABLE:
        try:
            claims.hold([row.shipment_id], at=run.at, reason=reason)
        except LockTimeout as problem:
            # Somebody works on the order: the courier says the same again in a moment, and then it is held.
            _wait(row, problem.message, due=run.at + claims.back_off(row))
            return
    claims.retire(row, at=run.at, error=reason, told=FAILED.format(reason=reason), may_be_booked=bool(row.doubts))


def _still_wanted(rows: Sequence[WaybillNumber], *, at: datetime) -> list[WaybillNumber]:
    """다시 보기 before the courier is asked: a shipment that is gone ends its number, one that is held lets it wait."""
    ids = {row.shipment_id for row in rows}
    sent = Shipment.objects.filter(Among("pk", ids), step=ShipmentStep.READY, method__in=TRACKED)
    waiting = set(sent.values_list("pk", flat=True))
    locks: dict[int, int] = defaultdict(int)
    live = ShipmentLine.objects.filter(Among("shipment_id", ids), is_live=True).exclude(line__state__in=CLOSED)
    for pk, bits in live.values_list("shipment_id", "line__open_locks"):
        locks[pk] |= bits
    parcels = set(
        Parcel.objects.filter(Among("shipment_id", ids), state__in=LIVE).values_list("shipment_id", flat=True)
    )
    boxes = [row.parcel_id for row in rows if row.parcel_id]
    open_boxes = set(Parcel.objects.filter(pk__in=boxes, state=ParcelState.CREATED).values_list("pk", flat=True))
    typed = drafted(ids)
    wanted = []
    for row in rows:
        pk = row.shipment_id
        has_place = row.parcel_id in open_boxes if row.parcel_id else pk not in parcels
        if pk not in waiting or not has_place:
            is_known = bool(row.doubts) or row.attempts > 1 or row.state == NumberState.REGISTERED
            claims.retire(row, at=at, error=GONE, told="", may_be_booked=is_known)
        elif lock := blocking(locks[pk], "register_waybill"):
            reason = "배송보류 중입니다." if "{" in LOCK_TEXT[lock] else LOCK_TEXT[lock]
            _wait(row, reason, due=at + HELD)
        elif pk in typed and not row.parcel_id:
            _wait(row, TYPED, due=at + HELD)
        else:
            wanted.append(row)
    return wanted


def _write(rows: Sequence[WaybillNumber], *, at: datetime) -> None:
    """송장 등록 of booked numbers, on behalf of whoever asked for them."""
    groups: dict[tuple[int | None, int | None], list[WaybillNumber]] = defaultdict(list)
    for row in rows:
        if row.parcel_id:
            _write_box(row, at=at)
        else:
            groups[row.requested_by_id, row.batch_id].append(row)
    for mine in groups.values():
        _write_group(mine, at=at)


def _write_box(row: WaybillNumber, *, at: datetime) -> None:
    try:
        number_box(number_id=row.pk, actor=row.requested_by, at=at, batch=row.batch, source=Source.TASK)
    except Conflict as problem:
        _wait(row, problem.message, due=at + claims.back_off(row))


def _write_group(rows: Sequence[WaybillNumber], *, at: datetime) -> None:
    actor, batch = rows[0].requested_by, rows[0].batch
    try:
        with locked_whole({row.shipment_id for row in rows}, actor=actor, fields=LOOKED_AT):
            good = _still_there(rows, at=at)
            entries = {row.shipment_id: WaybillEntry(row.courier, row.number) for row in good}
            done = waybills.register_waybills(entries=entries, actor=actor, at=at, batch=batch, source=Source.TASK)
            if batch is not None:
                # The act goes on here: its undo must find what it has made of the shipments by now.
                now = dict(Shipment.objects.filter(Among("pk", done.possible)).values_list("pk", "version"))
                carry_versions(job_id=batch.pk, versions=now)
    except Conflict as problem:
        for row in rows:
            _wait(row, problem.message, due=at + claims.back_off(row))
        return
    CourierContract.objects.filter(pk=rows[0].contract_id).update(last_ok_at=at, last_error="")
    for row in good:
        if row.shipment_id in done.refused:
            # What became of the shipment is looked at again before the next step.
            _wait(row, done.refused[row.shipment_id], due=at + claims.back_off(row))


def _still_there(rows: Sequence[WaybillNumber], *, at: datetime) -> list[WaybillNumber]:
    """배송지 다시 보기 under the locks: what the courier has booked for an address of before is canceled there.

    No label bears such a number yet, so nothing told whoever changed the address during the call that there is one.
    """
    shipments = Shipment.objects.select_related("order").in_bulk([row.shipment_id for row in rows])
    marks = {pk: mark_of(recipient(one.order)) for pk, one in shipments.items()}
    moved = {row.pk for row in rows if row.address_mark and row.address_mark != marks[row.shipment_id]}
    for row in rows:
        if row.pk in moved:
            claims.retire(row, at=at, error=MOVED, told=MOVED, may_be_booked=True)
    return [row for row in rows if row.pk not in moved]
