"""설정 · 배송조회: accounts, lanes and what the quotas carry, with finished strings."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from core.calendar import kst_date, short
from core.setting_history import ChangeRow
from shipping.adapters.base import Cause, TrackOutcome
from shipping.couriers import COURIERS
from shipping.details.history import changes_of
from shipping.models import CourierRoute, TrackingAccount, TrackingBudget, TrackingLane
from shipping.services.polling import breakers, budgets, lanes, planning
from shipping.services.polling.accounts import HISTORY, ROUTES, state_of
from shipping.services.polling.lanes import Health
from shipping.services.polling.planning import Group
from shipping.services.polling.sources import KINDS, code_for

CAUSES: dict[str, str] = {
    Cause.TIMEOUT: "응답이 늦음",
    Cause.UNREACHABLE: "연결할 수 없음",
    Cause.SERVER: "서버 오류",
    Cause.MALFORMED: "읽을 수 없는 응답",
    TrackOutcome.RATE_LIMITED: "조회 한도 초과",
    TrackOutcome.AUTH: "인증 거절",
}
"""What a lane keeps of its last failure begins with one of these; the rest is for the log, but for a status of HTTP."""
GROUP_WORDS = {Group.WAITING: "집하 전", Group.MOVING: "이동중", Group.OUT: "배송출발"}
LABELS = {
    "created": "계정", "name": "이름", "base_url": "주소", "key": "키", "per_second": "초당 조회 한도",
    "per_day": "하루 조회 한도", "min_interval": "같은 송장 조회 간격", "concurrency": "동시 조회",
    "is_active": "이 계정으로 조회", "is_called": "배송 알림 받기",
}  # fmt: skip
RESTED = timedelta(minutes=1)
"""Probes come within seconds: one that has been due for so long is not made, since another account asks, or since there
is nothing to ask about."""

RouteChoices: TypeAlias = dict[str, tuple[str, Sequence[tuple[int, str]], Sequence[int]]]
"""By courier its name, its accounts (id, name) and the ids of its route now."""


@dataclass(frozen=True, slots=True)
class AccountRow:
    """배송조회 계정 한 줄."""

    pk: int
    code: str
    name: str
    kind: str
    state: str
    is_bad: bool
    quota: str
    used: str
    last_ok: str
    last_error: str
    capacity: str
    basis: str
    warning: str


@dataclass(frozen=True, slots=True)
class LaneRow:
    """택배사 한 줄: one account asking one courier."""

    courier: str
    account: str
    state: str
    is_bad: bool
    parcels: str
    speed: str
    stretch: str
    last_ok: str
    last_error: str
    sample: str


def context(*, at: datetime) -> dict[str, Any]:
    """배송조회 설정: rows of accounts and lanes; four queries."""
    accounts = list(TrackingAccount.objects.order_by("pk"))
    known = {one.account_id: one for one in TrackingBudget.objects.all()}
    mine = list(TrackingLane.objects.select_related("account").order_by("courier", "pk"))
    late = {lane.account_id for lane in mine if lane.failing_since is not None and not _is_resting(lane, at=at)}
    return {
        "accounts": [_account_row(one, known.get(one.pk), is_delayed=one.pk in late, at=at) for one in accounts],
        "lanes": [row for lane in mine if (row := _lane_row(lane, known.get(lane.account_id), at=at)) is not None],
        "planned_at": short(max((one.planned_at for one in known.values() if one.planned_at), default=None)),
    }


def route_choices() -> RouteChoices:
    """조회 경로를 고를 택배사: those that more than one account can ask."""
    accounts = list(TrackingAccount.objects.order_by("pk"))
    chosen: dict[str, list[int]] = {}
    for slug, pk in CourierRoute.objects.order_by("courier", "rank").values_list("courier", "account_id"):
        chosen.setdefault(slug, []).append(pk)
    found: RouteChoices = {}
    for slug, courier in COURIERS.items():
        able = [(one.pk, one.name) for one in accounts if code_for(slug, one.kind)]
        if len(able) > 1:
            found[slug] = (courier.name, able, chosen.get(slug, []))
    return found


def account_changes(account: TrackingAccount) -> list[ChangeRow]:
    """변경 이력 of an account; one query."""
    prefix = f"{HISTORY}{account.code}:"
    return changes_of(prefix, labels={f"{prefix}{name}": label for name, label in LABELS.items()})


def route_changes() -> list[ChangeRow]:
    """변경 이력 of the routes; one query."""
    return changes_of(ROUTES, labels={f"{ROUTES}{slug}": courier.name for slug, courier in COURIERS.items()})


def _account_row(
    account: TrackingAccount, budget: TrackingBudget | None, *, is_delayed: bool, at: datetime
) -> AccountRow:
    is_spent = budget is not None and budgets.is_spent(account, budget, at=at)
    state = state_of(account, is_delayed=is_delayed, is_spent=is_spent)
    capacity, basis, warning = _capacity(account, budget)
    return AccountRow(
        pk=account.pk,
        code=account.code,
        name=account.name,
        kind=KINDS[account.kind].label if account.kind in KINDS else account.kind,
        state=state["text"],
        is_bad=state["is_bad"],
        quota=_quota(account),
        used=_used(account, budget, at=at),
        last_ok=short(account.last_ok_at),
        last_error=account.last_error,
        capacity=capacity,
        basis=basis,
        warning=warning,
    )


def _quota(account: TrackingAccount) -> str:
    parts = []
    if account.per_second is not None:
        parts.append(f"초당 {account.per_second:g}건")
    if account.per_day is not None:
        parts.append(f"하루 {account.per_day:,}건")
    if account.min_interval:
        parts.append(f"같은 송장 {account.min_interval // 60}분에 한 번")
    return " · ".join(parts) or "한도 없음"


def _used(account: TrackingAccount, budget: TrackingBudget | None, *, at: datetime) -> str:
    used = budget.used if budget is not None and budget.day == kst_date(at) else 0
    if account.per_day is None:
        return f"{used:,}건"
    return f"{used:,}건 ({used * 100 // account.per_day}%)"


def _capacity(account: TrackingAccount, budget: TrackingBudget | None) -> tuple[str, str, str]:
    """What the account can carry, how that was computed, and a warning when the shop asks for more."""
    stretch = budget.stretch if budget else {}
    found = planning.capacity(
        per_second=account.per_second, per_day=account.per_day, min_interval=account.min_interval, stretch=stretch
    )
    if found is None:
        return "한도가 없어 모든 상자를 정해진 간격으로 조회합니다.", "", ""
    text = (
        f"이 계정으로 하루 {found.parcels_per_day:,}건까지 조회할 수 있습니다"
        f" (배송출발 상자는 평균 {found.out_minutes:,}분마다)."
    )
    basis = (
        f"직원 몫 5%를 뺀 하루 {found.calls_per_day:,}회 ÷ 상자당 평균 {found.polls_per_parcel:.1f}회."
        " 밤에는 조회하지 않아 하루 16시간으로 셉니다."
    )
    on_the_way = _parcels(budget)
    shipped = round(on_the_way / planning.LIFE_DAYS)
    if any(factor > 1 for factor in stretch.values()):
        longer = [f"{GROUP_WORDS[one]} {stretch[one]:.1f}배" for one in Group if stretch.get(one, 1) > 1]
        words = f"지금 조회하는 상자 {on_the_way:,}건은 한도보다 많아 조회 간격을 늘렸습니다: {', '.join(longer)}."
        return text, basis, words
    if shipped > found.parcels_per_day:
        return text, basis, f"하루에 약 {shipped:,}건을 보내고 있습니다. 한도를 늘리거나 계정을 더 등록하세요."
    return text, basis, ""


def _parcels(budget: TrackingBudget | None, courier: str | None = None) -> int:
    told = budget.counts if budget else {}
    rows: Iterable[dict[str, int]] = told.values() if courier is None else [told.get(courier, {})]
    return sum(count for row in rows for count in row.values())


def _lane_row(lane: TrackingLane, budget: TrackingBudget | None, *, at: datetime) -> LaneRow | None:
    """Nothing for a lane that never had anything to ask."""
    parcels = _parcels(budget, lane.courier)
    if lane.courier not in COURIERS or not (parcels or lane.last_ok_at or lane.last_error):
        return None
    text, is_bad = _state(lane, at=at)
    part = lane.factor * breakers.ramp(lane.ramp_from, at=at)
    stretch = max((budget.stretch if budget else {}).values(), default=1)
    return LaneRow(
        courier=COURIERS[lane.courier].name,
        account=lane.account.name,
        state=text,
        is_bad=is_bad,
        parcels=f"{parcels:,}",
        speed=f"{part:.0%}",
        stretch=f"{stretch:.1f}배" if stretch > 1 else "없음",
        last_ok=short(lane.last_ok_at),
        last_error=_error(lane.last_error),
        sample=lane.sample_body[:1000],
    )


def _error(text: str) -> str:
    cause, _, detail = text.partition(": ")
    if cause not in CAUSES:
        return text
    return f"{CAUSES[cause]} ({detail})" if detail.startswith("HTTP ") else CAUSES[cause]


def _state(lane: TrackingLane, *, at: datetime) -> tuple[str, bool]:
    if lane.account.kind in COURIERS[lane.courier].refused:
        return "중지: 택배사 코드를 모름", True
    if lane.failing_since is not None and _is_resting(lane, at=at):
        return f"{short(lane.failing_since)}부터 응답이 없었고 지금은 조회하지 않음", False
    if lane.failing_since is not None:
        return f"{short(lane.failing_since)}부터 지연, {short(lane.opened_until)}에 다시 시도", True
    health = lanes.health_of(lane, at=at)
    if health == Health.WAITING:
        return f"한도 초과, {short(lane.wait_until)}까지 대기", True
    if health in (Health.AWAY, Health.PROBE):
        return "계정이 멈춤", True
    return "정상", False


def _is_resting(lane: TrackingLane, *, at: datetime) -> bool:
    """쉬는 차선: its breaker may be tried, and nobody does."""
    return lane.opened_until is not None and at - lane.opened_until > RESTED
