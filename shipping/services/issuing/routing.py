"""분류 정보: the sort codes of numbered boxes, asked of the courier by address (shipping.md 6.1).

A label without one cannot be sorted and is not printed, whatever way its number came. A box is claimed by moving its
`route_at`, the call is made outside any transaction, and only the holder of that very moment writes the answer.
"""

import logging
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from core.locks import LockTimeout
from core.lookups import Among
from orders.models import Order
from shipping.adapters.issuing import Issued, IssueOutcome, WaybillIssuer
from shipping.models import CourierContract, Parcel
from shipping.models.tracking import AccountState
from shipping.services.issuing import claims
from shipping.services.issuing.boxes import recipient
from shipping.services.issuing.contracts import block
from shipping.services.issuing.issuers import CannotOpen, callers, issuer_of
from shipping.states import ROUTING_MODES, ParcelState

log = logging.getLogger("shipping.issuing")

AT_ONCE = 32
LEASE, LATER = timedelta(minutes=4), timedelta(minutes=5)
WAITING = (ParcelState.NUMBERED.value, ParcelState.PRINTED.value)
_CLAIM = """
WITH due AS (
    SELECT id FROM shipping_parcel
    WHERE route_at <= %(at)s AND courier = %(courier)s AND state = ANY(%(states)s)
    ORDER BY route_at, id LIMIT %(most)s FOR UPDATE SKIP LOCKED)
UPDATE shipping_parcel p SET route_at = %(until)s FROM due WHERE p.id = due.id RETURNING p.id
"""


def route_due(*, at: datetime) -> int:
    """분류 정보 조회 of boxes that wait for it; how many were asked about, 0 while no contract can be asked."""
    usable = CourierContract.objects.filter(mode__in=ROUTING_MODES, is_active=True, state=AccountState.OK)
    contracts = [one for one in usable.order_by("-is_default", "pk") if not one.paused_until or one.paused_until <= at]
    return sum(_route(contract, at=at) for contract in {one.courier: one for one in reversed(contracts)}.values())


def _route(contract: CourierContract, *, at: datetime) -> int:
    facts: dict[str, Any] = {
        "at": at,
        "until": at + LEASE,
        "courier": contract.courier,
        "states": list(WAITING),
        "most": AT_ONCE,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_CLAIM, facts)
        ids = [pk for (pk,) in cursor.fetchall()]
    if not ids:
        return 0
    boxes = list(Parcel.objects.filter(Among("pk", ids)).select_related("shipment__order").order_by("pk"))
    try:
        issuer = issuer_of(contract)
    except CannotOpen as problem:
        block(contract, problem.text, at=at)
        _put_off(ids, until=at + LEASE, due=at + LATER)
        return 0
    orders = [box.shipment.order for box in boxes]
    with callers() as pool:
        answers = list(pool.map(lambda order: _ask(issuer, order), orders))
    for box, answer in zip(boxes, answers, strict=True):
        _take(contract, box, answer, at=at)
    return len(boxes)


def _ask(issuer: WaybillIssuer, order: Order) -> Issued:
    try:
        return issuer.refine(recipient=recipient(order))
    except Exception as error:
        # An adapter promises not to raise; asking for an address changes nothing there.
        log.exception("refining an address broke")
        return Issued(outcome=IssueOutcome.UNKNOWN, detail=type(error).__name__)


def _take(contract: CourierContract, box: Parcel, answer: Issued, *, at: datetime) -> None:
    match answer.outcome:
        case IssueOutcome.OK | IssueOutcome.ALREADY if answer.routing is not None and answer.routing.sort_code:
            _write(box, until=at + LEASE, routing=asdict(answer.routing) | {"remark": answer.message[:300]})
        case IssueOutcome.LIMITED:
            due = claims.pause(contract, answer.retry_after, at=at)
            _put_off([box.pk], until=at + LEASE, due=due)
        case IssueOutcome.AUTH:
            block(contract, answer.message, at=at)
            _put_off([box.pk], until=at + LEASE, due=at + LATER)
        case IssueOutcome.UNKNOWN | IssueOutcome.NOT_FOUND:
            _put_off([box.pk], until=at + LEASE, due=at + LATER)
        case _:
            is_far = answer.outcome == IssueOutcome.UNDELIVERABLE
            _refuse(box, claims.words_of_refusal(answer), is_far=is_far, at=at)


def _refuse(box: Parcel, reason: str, *, is_far: bool, at: datetime) -> None:
    """분류 정보 없음, and 배송보류 of what the courier does not deliver: both, or the box is asked about again."""
    try:
        with transaction.atomic():
            if is_far:
                claims.hold([box.shipment_id], at=at, reason=reason)
            if not _write(box, until=at + LEASE, routing={"sort_code": "", "error": reason[:300]}):
                transaction.set_rollback(True)
    except LockTimeout:
        _put_off([box.pk], until=at + LEASE, due=at + LATER)


def _write(box: Parcel, *, until: datetime, routing: dict[str, Any]) -> bool:
    mine = Parcel.objects.filter(pk=box.pk, route_at=until, waybill=box.waybill)
    return bool(mine.update(routing=routing, route_at=None))


def _put_off(ids: Sequence[int], *, until: datetime, due: datetime) -> None:
    Parcel.objects.filter(pk__in=ids, route_at=until).update(route_at=due)
