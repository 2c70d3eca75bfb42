"""발급 임대: rows of numbers that are this process's for a while, and what is written about them.

A claim is a random token and the moment at which it runs out (`next_try_at`). Whoever writes names its token: a process
that was away for too long changes nothing.
"""

import secrets
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F, QuerySet

from core.lookups import Among
from core.state import move
from orders.services import locks
from shipping.adapters.issuing import Issued, IssueOutcome
from shipping.models import CourierContract, Shipment, WaybillNumber
from shipping.services.shipments import lines_of
from shipping.states import OPEN_NUMBERS, CancelState, NumberState

AT_ONCE = 16
LEASE = timedelta(seconds=240)
"""Longer than two rounds of eight patient calls for each of look-up, allocation and booking."""
BACK_OFF = tuple(timedelta(seconds=seconds) for seconds in (10, 30, 60, 300, 900))
UNDELIVERABLE = "배송불가 지역"
LONG = timedelta(minutes=10)
"""After a limit for which the courier names no time."""
_CLAIM = """
WITH due AS (
    SELECT m.id FROM shipping_waybillnumber m JOIN shipping_couriercontract c ON c.id = m.contract_id
    WHERE m.next_try_at <= %(at)s AND c.mode = %(mode)s AND c.is_active AND c.state = 'OK'
      AND (c.paused_until IS NULL OR c.paused_until <= %(at)s)
      AND (m.state = ANY(%(states)s) AND m.cancel = %(cancel)s)
    ORDER BY m.next_try_at, m.id LIMIT %(most)s FOR UPDATE OF m SKIP LOCKED)
UPDATE shipping_waybillnumber n SET next_try_at = %(until)s, lease_token = %(token)s, attempts = n.attempts + 1
FROM due WHERE n.id = due.id RETURNING n.id
"""


def claim(*, mode: str, at: datetime, cancels: bool = False) -> list[WaybillNumber]:
    """임대: open numbers that are due (`cancels`: those whose booking is to be canceled), with contract and asker."""
    states = [NumberState.VOID] if cancels else list(OPEN_NUMBERS)
    facts: dict[str, Any] = {
        "at": at, "until": at + LEASE, "token": secrets.randbits(62) + 1, "mode": mode, "most": AT_ONCE,
        "states": [state.value for state in states], "cancel": (CancelState.DUE if cancels else CancelState.NONE).value,
    }  # fmt: skip
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_CLAIM, facts)
        ids = [pk for (pk,) in cursor.fetchall()]
    rows = WaybillNumber.objects.filter(Among("pk", ids)).select_related("contract", "requested_by", "batch")
    return list(rows.order_by("pk")) if ids else []


def mine(row: WaybillNumber) -> QuerySet[WaybillNumber]:
    """The row while the claim is ours."""
    return WaybillNumber.objects.filter(pk=row.pk, lease_token=row.lease_token, state=row.state)


def advance(row: WaybillNumber, method: Any, *, at: datetime, **facts: Any) -> WaybillNumber | None:
    """진행: the move of a claimed row in a transaction of its own; None when the row is not ours any more."""
    with transaction.atomic():
        held = list(mine(row).select_for_update(of=("self",), no_key=True))
        outcome = move(held, method, at=at, **facts)
    for fresh in outcome.moved:
        fresh.contract, fresh.requested_by, fresh.batch = row.contract, row.requested_by, row.batch
        return fresh  # type: ignore[no-any-return]
    return None


def release(row: WaybillNumber, *, due: datetime, error: str = "", is_doubtful: bool = False) -> None:
    """나중에: the claim ends and the row is due again then; `is_doubtful`: the courier may have booked it."""
    mine(row).update(
        next_try_at=due, lease_token=0, last_error=error[:300], doubts=F("doubts") + (1 if is_doubtful else 0)
    )


def back_off(row: WaybillNumber) -> timedelta:
    """기다릴 시간 after so many attempts."""
    return BACK_OFF[min(max(row.attempts, 1), len(BACK_OFF)) - 1]


def note(words: Mapping[int, str]) -> None:
    """발급 진행 by shipment for the list; versions stay, because nobody's screen turns wrong by it."""
    for pk, text in words.items():
        Shipment.objects.filter(pk=pk).exclude(issuing=text[:200]).update(issuing=text[:200])


def retire(row: WaybillNumber, *, at: datetime, error: str, told: str, may_be_booked: bool) -> None:
    """발급 끝: the number is void, its shipment says why, and the courier is told where it may know of the box."""
    cancel = CancelState.DUE if may_be_booked else CancelState.NONE
    if advance(row, WaybillNumber.void, at=at, cancel=cancel, error=error[:300]) is not None:
        note({row.shipment_id: told})


def booked_anyway(row: WaybillNumber, number: str, *, at: datetime) -> None:
    """뒤늦은 접수: the courier took a box whose number had been given up while we asked."""
    ended = WaybillNumber.objects.filter(pk=row.pk)
    WaybillNumber.objects.filter(pk=row.pk, number="").update(number=number)
    ended.filter(state=NumberState.VOID).update(cancel=CancelState.DUE, next_try_at=at)


def pause(contract: CourierContract, seconds: int | None, *, at: datetime) -> datetime:
    """한도 대기: nothing is asked of the contract until then."""
    until = at + (timedelta(seconds=seconds) if seconds is not None else LONG)
    CourierContract.objects.filter(pk=contract.pk).update(paused_until=until)
    return until


def words_of_refusal(answer: Issued) -> str:
    """거절한 까닭 in the courier's words, after our own for an address that it does not serve; may be empty."""
    is_far = answer.outcome == IssueOutcome.UNDELIVERABLE
    return " ".join(filter(None, [UNDELIVERABLE if is_far else "", answer.message]))


def hold(shipment_ids: Collection[int], *, at: datetime, reason: str) -> None:
    """배송보류 of shipments that the courier does not deliver."""
    locks.hold(line_ids=lines_of(shipment_ids), actor=None, at=at, reason=reason[:200])


__all__ = [
    "advance", "back_off", "booked_anyway", "claim", "hold", "mine", "note", "pause", "release", "retire",
    "words_of_refusal",
]  # fmt: skip
