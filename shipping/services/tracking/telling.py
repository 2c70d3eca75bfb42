"""조회 지연 안내: what staff are told where couriers are behind; one query."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Exists, OuterRef, Q

from core import cells
from core.calendar import KST, kst_date
from core.korean import josa
from shipping.couriers import COURIERS
from shipping.models import AccountState, CourierRoute, TrackingAccount
from shipping.services.polling.lanes import waits_long

NO_ACCOUNT = "배송조회 계정이 없어 배송 현황이 저절로 바뀌지 않습니다. 설정의 배송조회에서 계정을 등록하세요."
BLOCKED = (
    "배송조회 인증이 거절되어 {since}부터 {couriers}배송 현황을 받지 못하고 있습니다."
    " 설정의 배송조회에서 키를 확인하세요."
)
DELAYED = "{courier} 조회가 {since}부터 지연되고 있습니다."
LIMITED = "{courier} 조회 한도를 다 써서 {until}까지 조회하지 못합니다."
STOPPED = "{courier} 조회하는 곳에서 택배사 코드를 거절해 조회를 멈췄습니다. 설정의 택배사 목록에서 코드를 확인하세요."
MOST_NAMES = 3


class _Lane(NamedTuple):
    """An account in use with one of its lanes, or none."""

    state: str
    blocked_at: datetime | None
    kind: str
    counts: dict[str, Any] | None
    """What it asks about, by courier; None while nobody has counted."""
    stretch: dict[str, float] | None
    planned_at: datetime | None
    courier: str | None
    failing_since: datetime | None
    last_ok_at: datetime | None
    wait_until: datetime | None
    is_chosen: bool
    """It stands in the courier's route, or there is none."""

    @property
    def is_blocked(self) -> bool:
        return self.state == AccountState.BLOCKED

    @property
    def since(self) -> datetime | None:
        """Since when it gives nothing."""
        return self.failing_since or (self.blocked_at if self.is_blocked else None)


@dataclass(frozen=True, slots=True)
class Standing:
    """조회 현황: a sentence for each delay, and by how much the intervals of the most crowded account are stretched."""

    delays: list[str]
    stretch: float = 1.0
    has_accounts: bool = True


def standing(*, at: datetime) -> Standing:
    """조회 현황 of all accounts in use; one query."""
    found = _lanes()
    if not found:
        return Standing([NO_ACCOUNT], has_accounts=False)
    stretch = max((factor for one in found for factor in (one.stretch or {}).values()), default=1.0)
    return Standing(_sentences(found, at=at), stretch)


def delays(*, at: datetime) -> list[str]:
    """조회 지연: a sentence for each courier whose parcels no account hears from, or one for all that a key stopped."""
    return standing(at=at).delays


def _sentences(found: Sequence[_Lane], *, at: datetime) -> list[str]:
    if all(one.is_blocked for one in found):
        return [BLOCKED.format(since=_clock(_first(one.blocked_at for one in found), at), couriers="")]
    texts: list[str] = []
    blocked: dict[str, datetime | None] = {}
    is_counted = any(one.planned_at for one in found)
    busy = {courier for one in found for courier in one.counts or ()}
    for courier, lanes in _by_courier(found).items():
        name = COURIERS[courier].name
        able = [one for one in lanes if one.kind not in COURIERS[courier].refused]
        if not able:
            texts.append(STOPPED.format(courier=josa(name, "을/를")))
        elif is_counted and courier not in busy:
            # It carries nothing now: nobody waits for its answers.
            continue
        elif all(one.is_blocked for one in able):
            blocked[name] = _first(one.blocked_at for one in able)
        elif (since := _late_since(able)) is not None:
            texts.append(DELAYED.format(courier=name, since=_clock(since, at)))
        elif (until := _waits_until(able, at=at)) is not None:
            texts.append(LIMITED.format(courier=name, until=_clock(until, at)))
    if blocked:
        names = f"{_named(list(blocked))}의 "
        texts.insert(0, BLOCKED.format(since=_clock(_first(blocked.values()), at), couriers=names))
    return texts


def _lanes() -> list[_Lane]:
    routed = CourierRoute.objects.filter(courier=OuterRef("lanes__courier"), account__is_active=True)
    is_chosen = ~Q(Exists(routed)) | Q(Exists(routed.filter(account=OuterRef("pk"))))
    accounts = TrackingAccount.objects.filter(is_active=True).annotate(is_chosen=is_chosen)
    rows = accounts.order_by("lanes__courier", "pk").values_list(
        "state", "blocked_at", "kind", "budget__counts", "budget__stretch", "budget__planned_at",
        "lanes__courier", "lanes__failing_since", "lanes__last_ok_at",
        "lanes__wait_until", "is_chosen",
    )  # fmt: skip
    return [_Lane(*row) for row in rows]


def _by_courier(found: Sequence[_Lane]) -> dict[str, list[_Lane]]:
    """Lanes that may ask."""
    lanes: dict[str, list[_Lane]] = defaultdict(list)
    for one in found:
        if one.courier is not None and one.courier in COURIERS and one.is_chosen:
            lanes[one.courier].append(one)
    return lanes


def _late_since(lanes: Sequence[_Lane]) -> datetime | None:
    """Since when nobody answers; None where all is well, or another account of the route has taken over."""
    since = _first(one.failing_since for one in lanes)
    healthy = [one for one in lanes if one.since is None]
    if since is None or any(one.last_ok_at and one.last_ok_at > since for one in healthy):
        return None
    return since


def _waits_until(lanes: Sequence[_Lane], *, at: datetime) -> datetime | None:
    """Until when nobody may ask, as the sources said themselves; None where somebody may, or may soon."""
    if not all(one.is_blocked or waits_long(one.wait_until, at=at) for one in lanes):
        return None
    return _first(one.wait_until for one in lanes if not one.is_blocked)


def _first(moments: Any) -> datetime | None:
    return min((one for one in moments if one), default=None)


def _named(names: Sequence[str]) -> str:
    if len(names) <= MOST_NAMES:
        return ", ".join(names)
    return f"{names[0]} 등 {len(names)}개 택배사"


def _clock(at: datetime | None, now: datetime) -> str:
    if at is None:
        return ""
    return f"{at.astimezone(KST):%H:%M}" if kst_date(at) == kst_date(now) else cells.short_time(at, now)
