"""송장 번호 화면의 내용: contracts, their ranges, and numbers that wait; everything but the keys."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Q

from core import cells
from shipping.columns.shipments import courier_name
from shipping.models import AccountState, CourierContract, WaybillNumber, WaybillRange
from shipping.services.issuing.issuers import KEYS, address_of
from shipping.services.issuing.ranges import Supply, supply_of
from shipping.states import OPEN_NUMBERS, CancelState, ContractMode, NumberState

MOST = 100
MOST_DAYS = 365
"""A range that lasts longer needs no figure: it would only say how little was used so far."""


@dataclass(frozen=True, slots=True)
class ContractRow:
    """계약 한 줄."""

    pk: int
    code: str
    name: str
    courier: str
    mode: str
    status: str
    is_bad: bool
    left: str
    is_low: bool
    waiting: int
    last_error: str


@dataclass(frozen=True, slots=True)
class RangeRow:
    """대역 한 줄."""

    pk: int
    name: str
    order: int
    used: int
    left: int
    total: int
    is_active: bool


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """발급 대기 한 줄: a number that no box has yet, or a booking that was not canceled."""

    pk: int
    key: str
    contract: str
    number: str
    state: str
    css: str
    attempts: int
    due: str
    reason: str
    can_retry: bool
    can_abandon: bool


def contract_rows(at: datetime) -> list[ContractRow]:
    """계약 목록; one query and one for each range contract."""
    waiting = Count("numbers", filter=Q(numbers__state__in=OPEN_NUMBERS, numbers__range__isnull=True))
    found = CourierContract.objects.annotate(waiting=waiting).order_by("-is_active", "-is_default", "name", "pk")
    return [_row(one, at=at) for one in found]


def _row(one: Any, *, at: datetime) -> ContractRow:
    supply = supply_of(one, at=at) if one.mode == ContractMode.RANGE else None
    is_bad = one.is_active and one.state == AccountState.BLOCKED
    status = "인증 실패" if is_bad else "사용" if one.is_active else "사용 안 함"
    marks = [status, "기본" if one.is_default else "", "샌드박스" if one.is_sandbox else ""]
    return ContractRow(
        one.pk, one.code, one.name, courier_name(one.courier), ContractMode(one.mode).label,
        " · ".join(filter(None, marks)), is_bad, words_of(supply), bool(supply and _is_low(supply)),
        one.waiting, one.last_error,
    )  # fmt: skip


def _is_low(supply: Supply) -> bool:
    return supply.left <= supply.total * 0.2 or (supply.days is not None and supply.days <= 1)


def words_of(supply: Supply | None) -> str:
    """남은 번호: "1,204개 · 약 3일치"."""
    if supply is None:
        return ""
    if not supply.left:
        return "남은 번호 없음"
    days = f" · 약 {supply.days:,.0f}일치" if supply.days is not None and 1 <= supply.days <= MOST_DAYS else ""
    short = " · 하루치 미만" if supply.days is not None and supply.days < 1 else ""
    return f"{supply.left:,}개{days}{short}"


def contract_context(contract: CourierContract, *, at: datetime) -> dict[str, Any]:
    """계약 내용: state, which keys are stored, ranges with what is left."""
    supply = supply_of(contract, at=at) if contract.mode == ContractMode.RANGE else None
    ranges = WaybillRange.objects.filter(contract=contract).order_by("order", "pk") if supply else []
    labels = dict(KEYS.get(contract.mode, ()))
    return {
        "mode": ContractMode(contract.mode).label,
        "is_api": contract.is_api,
        "is_range": supply is not None,
        "is_blocked": contract.state == AccountState.BLOCKED,
        "asked": address_of(contract) if contract.is_api else "",
        "keys": [(label, "저장됨" if contract.sealed_options.get(name) else "없음") for name, label in labels.items()],
        "last_ok": cells.full_time(contract.last_ok_at),
        "paused": cells.full_time(contract.paused_until)
        if contract.paused_until and contract.paused_until > at
        else "",
        "supply": words_of(supply),
        "is_low": bool(supply and _is_low(supply)),
        "ranges": [
            RangeRow(one.pk, str(one), one.order, one.total - one.left, one.left, one.total, one.is_active)
            for one in ranges
        ],
    }


def waiting_rows(at: datetime) -> list[WaitingRow]:
    """발급 대기: numbers of APIs without a box, and bookings that nobody could cancel; one query."""
    open_ = Q(state__in=OPEN_NUMBERS, range__isnull=True)
    found = WaybillNumber.objects.filter(open_ | Q(cancel__in=[CancelState.DUE, CancelState.REFUSED]))
    return [_waiting(one, at) for one in found.select_related("contract").order_by("created_at", "pk")[:MOST]]


def _waiting(one: WaybillNumber, at: datetime) -> WaitingRow:
    state, is_open = NumberState(one.state), one.state in OPEN_NUMBERS
    label = {CancelState.DUE: "접수 취소 중", CancelState.REFUSED: "접수 취소 안 됨"}.get(
        CancelState(one.cancel), state.label
    )
    return WaitingRow(
        one.pk, one.key, one.contract.name, one.number, label, state.css, one.attempts,
        cells.short_time(one.next_try_at, at) if one.next_try_at else "", one.last_error,
        one.next_try_at is not None, is_open,
    )  # fmt: skip
