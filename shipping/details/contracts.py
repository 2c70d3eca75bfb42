"""송장 번호 화면의 내용: contracts, their ranges, and numbers that wait; everything but the keys."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Q

from core import cells
from shipping.couriers import courier_name
from shipping.details.history import changes_of
from shipping.models import AccountState, CourierContract, WaybillNumber, WaybillRange
from shipping.services.issuing.contracts import HISTORY, ContractFacts, missing_codes, words_of_fact
from shipping.services.issuing.issuers import KEYS, address_of
from shipping.services.issuing.ranges import Supply, supply_of
from shipping.states import OPEN_NUMBERS, CancelState, ContractMode, NumberState

MOST = 100
LABELS = {
    "created": "계약 등록", "name": "이름", "courier": "택배사", "mode": "번호 받는 방법", "customer_code": "고객코드",
    "business_number": "사업자등록번호", "base_url": "주소", "is_sandbox": "샌드박스", "box_type": "상자 크기 코드",
    "cut_off": "집하 마감", "day_limit": "하루 발급 한도", "is_default": "기본 계약", "is_active": "사용", "key": "키",
    "range": "송장번호 대역",
}  # fmt: skip
"""Facts of a contract as its page and its history name them."""
ONLY_API = frozenset({"base_url", "is_sandbox", "box_type", "day_limit"})
FEW = "남은 번호가 적습니다. 택배사에서 새 대역을 받아 등록하세요."
NONE_LEFT = "쓸 수 있는 번호가 없습니다. 택배사에서 받은 시작 번호와 끝 번호를 대역으로 등록하세요."
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
    can_settle: bool


def contract_rows(at: datetime) -> list[ContractRow]:
    """계약 목록; two queries and one for each range contract."""
    # Apart from the contracts: the index of open numbers serves it, however many are used up.
    open_ = WaybillNumber.objects.filter(state__in=OPEN_NUMBERS, range__isnull=True).values("contract")
    waiting = dict(open_.annotate(count=Count("pk")).order_by().values_list("contract", "count"))
    found = CourierContract.objects.order_by("-is_active", "-is_default", "name", "pk")
    return [_row(one, waiting=waiting.get(one.pk, 0), at=at) for one in found]


def _row(one: CourierContract, *, waiting: int, at: datetime) -> ContractRow:
    supply = supply_of(one, at=at) if one.mode == ContractMode.RANGE else None
    is_bad = one.is_active and one.state == AccountState.BLOCKED
    status = "인증 실패" if is_bad else "사용" if one.is_active else "사용 안 함"
    marks = [status, "기본" if one.is_default else "", "샌드박스" if one.is_sandbox else ""]
    return ContractRow(
        one.pk, one.code, one.name, courier_name(one.courier), ContractMode(one.mode).label,
        " · ".join(filter(None, marks)), is_bad, words_of(supply), bool(supply and supply.is_low),
        waiting, one.last_error,
    )  # fmt: skip


def words_of(supply: Supply | None) -> str:
    """남은 번호: "1,204개 · 약 3일치"."""
    if supply is None:
        return ""
    if not supply.left:
        return "남은 번호 없음"
    days = f" · 약 {supply.days:,.0f}일치" if supply.days is not None and 1 <= supply.days <= MOST_DAYS else ""
    short = " · 하루치 미만" if supply.days is not None and supply.days < 1 else ""
    return f"{supply.left:,}개{days}{short}"


def _shortage(supply: Supply | None) -> str:
    if supply is None or not supply.is_low:
        return ""
    return FEW if supply.left else NONE_LEFT


def contract_context(contract: CourierContract, *, at: datetime) -> dict[str, Any]:
    """계약 내용: state, which keys are stored, ranges with what is left, and what was changed."""
    prefix = f"{HISTORY}:{contract.code}:"
    supply = supply_of(contract, at=at) if contract.mode == ContractMode.RANGE else None
    ranges = WaybillRange.objects.filter(contract=contract).order_by("order", "pk") if supply else []
    labels = dict(KEYS.get(contract.mode, ()))
    return {
        "mode": ContractMode(contract.mode).label,
        "facts": [
            (LABELS[name], words_of_fact(name, getattr(contract, name)))
            for name in ContractFacts.__dataclass_fields__
            if name != "mode" and (contract.is_api or name not in ONLY_API)
        ],
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
        "shortage": _shortage(supply),
        "ranges": [
            RangeRow(one.pk, str(one), one.order, one.total - one.left, one.left, one.total, one.is_active)
            for one in ranges
        ],
        "missing": missing_codes(contract) if contract.is_active else "",
        "changes": changes_of(prefix, labels={f"{prefix}{name}": label for name, label in LABELS.items()}),
    }


def waiting_rows(at: datetime) -> tuple[list[WaitingRow], int]:
    """발급 대기: numbers of APIs without a box, and bookings that nobody could cancel, the oldest, and how many in all.

    Two queries.
    """
    open_ = Q(state__in=OPEN_NUMBERS, range__isnull=True)
    found = WaybillNumber.objects.filter(open_ | Q(cancel__in=[CancelState.DUE, CancelState.REFUSED]))
    rows = found.select_related("contract").order_by("created_at", "pk")[:MOST]
    return [_waiting(one, at) for one in rows], found.count()


def _waiting(one: WaybillNumber, at: datetime) -> WaitingRow:
    state, is_open = NumberState(one.state), one.state in OPEN_NUMBERS
    label = {CancelState.DUE: "접수 취소 중", CancelState.REFUSED: "접수 취소 안 됨"}.get(
        CancelState(one.cancel), state.label
    )
    return WaitingRow(
        one.pk, one.key, one.contract.name, one.number, label, state.css, one.attempts,
        cells.short_time(one.next_try_at, at) if one.next_try_at else "", one.last_error,
        one.next_try_at is not None, is_open, one.cancel == CancelState.REFUSED,
    )  # fmt: skip
