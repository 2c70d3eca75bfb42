"""발급 대기 처리: numbers that wait are tried again, or given up by a manager who answers for it (shipping.md 5.3)."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from core import drains
from core.calendar import short
from core.exceptions import Conflict, NotFound
from core.state import move
from shipping.models import AccountState, CourierContract, Shipment, ShipmentStep, WaybillNumber
from shipping.services.issuing.contracts import BLOCKED
from shipping.services.numbers import pool
from shipping.states import OPEN_NUMBERS, CancelState

NOT_FOUND = "발급 대기 번호를 찾을 수 없습니다. 목록을 새로 고치세요."
ENDED = "이미 끝난 번호입니다. 목록을 새로 고치세요."
GONE = "배송준비중이 아니게 되어 폐기했습니다."
SWITCHED_OFF = "{name} 계약을 쓰지 않고 있어 다시 시도하지 않습니다. 설정의 송장 번호에서 계약을 먼저 켜세요."
PAUSED = "{name}의 한도를 넘어 {until}까지 기다립니다. 한도가 풀렸으면 계약에서 연결 확인을 누르세요."
SETTLED = "{when}에 {who} 님이 택배사 접수 취소를 확인했습니다."
MOST = 200
AGAIN = timedelta(hours=1)
GIVEN_UP = "번호 포기: {reason}"


def retry(*, number_id: int, at: datetime) -> None:
    """다시 시도: due at once, unless somebody is at it just now; the same number and key, never another.

    Raises NotFound, and Conflict where it would only wait: the number has ended, or its contract stands still.
    """
    row = WaybillNumber.objects.select_related("contract").filter(pk=number_id).first()
    if row is None:
        raise NotFound(NOT_FOUND)
    if row.next_try_at is None:
        raise Conflict(ENDED, code="number_ended")
    if reason := _standstill(row.contract, at=at):
        raise Conflict(reason, code="contract_waits")
    with transaction.atomic():
        WaybillNumber.objects.filter(pk=number_id, lease_token=0, next_try_at__gt=at).update(next_try_at=at)
        drains.notify(pool.CHANNEL)


def _standstill(contract: CourierContract, *, at: datetime) -> str:
    """멈춘 계약: why nothing is asked of it now, and what wakes it."""
    if not contract.is_active:
        return SWITCHED_OFF.format(name=contract.name)
    if contract.state == AccountState.BLOCKED:
        return BLOCKED.format(name=contract.name)
    if contract.paused_until is not None and contract.paused_until > at:
        return PAUSED.format(name=contract.name, until=short(contract.paused_until))
    return ""


def abandon(*, number_id: int, reason: str, actor: Any, at: datetime) -> WaybillNumber:
    """번호 포기: the number is never used again and the shipment may get another one; who and why stay with it.

    Only a person can do this: the courier may have booked the number, and would then fetch two boxes.
    Raises NotFound, Conflict.
    """
    found = WaybillNumber.objects.filter(pk=number_id).first()
    if found is None:
        raise NotFound(NOT_FOUND)
    with transaction.atomic():
        list(Shipment.objects.filter(pk=found.shipment_id).select_for_update(no_key=True))
        [row] = pool.locked_by_id([number_id])
        if row.state not in OPEN_NUMBERS:
            raise Conflict(ENDED, code="number_ended")
        move([row], WaybillNumber.abandon, at=at, reason=reason, actor_id=actor.pk if actor else None)
        Shipment.objects.filter(pk=row.shipment_id).update(issuing=GIVEN_UP.format(reason=reason)[:200])
    return row


def settle(*, number_id: int, actor: Any, at: datetime) -> None:
    """취소 확인: a person has canceled at the courier what our call could not; who says so stays with the number.

    Raises NotFound, and Conflict when nothing is left to confirm.
    """
    refused = WaybillNumber.objects.filter(pk=number_id, cancel=CancelState.REFUSED)
    said = SETTLED.format(who=actor.display_name if actor else "시스템", when=short(at))
    if refused.update(cancel=CancelState.DONE, last_error=said):
        return
    if not WaybillNumber.objects.filter(pk=number_id).exists():
        raise NotFound(NOT_FOUND)
    raise Conflict(ENDED, code="number_ended")


def tidy(*, at: datetime) -> int:
    """남은 번호 정리: reserved numbers of a range that nobody registered; void where the shipment is gone."""
    with transaction.atomic():
        due = WaybillNumber.objects.filter(next_try_at__lte=at, range__isnull=False, state__in=OPEN_NUMBERS)
        rows = list(due.select_for_update(of=("self",), no_key=True, skip_locked=True).order_by("pk")[:MOST])
        steps = dict(Shipment.objects.filter(pk__in=[row.shipment_id for row in rows]).values_list("pk", "step"))
        gone = [row for row in rows if steps[row.shipment_id] != ShipmentStep.READY]
        move(gone, WaybillNumber.void, at=at, cancel=CancelState.NONE, error=GONE)
        WaybillNumber.objects.filter(pk__in=[row.pk for row in rows], next_try_at__isnull=False).update(
            next_try_at=at + AGAIN
        )
    return len(rows)
