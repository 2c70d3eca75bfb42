"""접수 취소: bookings of numbers that we gave up are taken back at the courier, or shown as not taken back."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from shipping.adapters.issuing import Box, Issued, IssueOutcome, WaybillIssuer
from shipping.models import CourierContract, Shipment, WaybillNumber
from shipping.services.issuing import claims
from shipping.services.issuing.boxes import boxes_of
from shipping.services.issuing.contracts import block
from shipping.services.issuing.issuers import CannotOpen, callers, issuer_of
from shipping.states import CancelState

log = logging.getLogger("shipping.issuing")

NOT_CANCELED = "택배사가 접수를 취소하지 않았습니다. 택배사 프로그램에서 취소하세요."


def cancel_due(*, mode: str, at: datetime) -> int:
    """접수 취소: bookings that are due at the contracts of a mode; how many were taken up."""
    claimed = claims.claim(mode=mode, at=at, cancels=True)
    by_contract: dict[int, list[WaybillNumber]] = defaultdict(list)
    for row in claimed:
        by_contract[row.contract_id].append(row)
    for rows in by_contract.values():
        _cancel(rows[0].contract, rows, at=at)
    return len(claimed)


def _cancel(contract: CourierContract, rows: Sequence[WaybillNumber], *, at: datetime) -> None:
    shipments = Shipment.objects.select_related("order").in_bulk([row.shipment_id for row in rows])
    boxes = boxes_of(rows, contract=contract, shipments=shipments)
    try:
        issuer = issuer_of(contract)
    except CannotOpen as problem:
        block(contract, problem.text, at=at)
        for row in rows:
            claims.release(row, due=at, error=problem.text)
        return
    with callers() as pool:
        for row, answer in zip(rows, pool.map(lambda row: _heard(issuer, row, boxes[row.pk]), rows), strict=True):
            _take(row, answer, at=at)


def _heard(issuer: WaybillIssuer, row: WaybillNumber, box: Box) -> Issued:
    try:
        return _ask(issuer, row, box)
    except Exception as error:
        log.exception("canceling %s broke", row.key)
        return Issued(outcome=IssueOutcome.UNKNOWN, detail=type(error).__name__)


def _ask(issuer: WaybillIssuer, row: WaybillNumber, box: Box) -> Issued:
    """Of a booking whose number nobody heard it is asked first whether there is one."""
    number = row.number
    if not number or row.doubts:
        seen = issuer.look_up(box=box, number=number)
        if seen.outcome not in {IssueOutcome.OK, IssueOutcome.ALREADY, IssueOutcome.REJECTED}:
            return seen
        number = seen.number or number
    return issuer.cancel(box=box, number=number)


def _take(row: WaybillNumber, answer: Issued, *, at: datetime) -> None:
    match answer.outcome:
        case IssueOutcome.OK | IssueOutcome.ALREADY | IssueOutcome.NOT_FOUND:
            claims.mine(row).update(cancel=CancelState.DONE, next_try_at=None, lease_token=0)
        case IssueOutcome.REJECTED | IssueOutcome.UNDELIVERABLE:
            text = f"{NOT_CANCELED} {answer.message}".strip()[:300]
            claims.mine(row).update(cancel=CancelState.REFUSED, next_try_at=None, lease_token=0, last_error=text)
        case IssueOutcome.LIMITED:
            claims.release(row, due=claims.pause(row.contract, answer.retry_after, at=at), error=row.last_error)
        case IssueOutcome.AUTH:
            block(row.contract, answer.message, at=at)
            claims.release(row, due=at, error=row.last_error)
        case _:
            claims.release(row, due=at + claims.back_off(row), error=row.last_error)


__all__ = ["NOT_CANCELED", "cancel_due"]
