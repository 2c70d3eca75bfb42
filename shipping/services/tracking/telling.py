"""조회 지연 안내: what staff are told where couriers are behind; one query."""

from datetime import datetime
from typing import NamedTuple

from core import cells
from core.calendar import KST, kst_date
from core.korean import josa
from shipping.couriers import COURIERS
from shipping.models import AccountState, TrackingAccount

NO_ACCOUNT = "배송조회 계정이 없어 배송 현황이 저절로 바뀌지 않습니다. 설정의 배송조회에서 계정을 등록하세요."
BLOCKED = "배송조회 인증이 거절되어 {since}부터 배송 현황을 받지 못하고 있습니다. 설정의 배송조회에서 키를 확인하세요."
DELAYED = "{courier} 조회가 {since}부터 지연되고 있습니다."
STOPPED = "{courier} 조회하는 곳에서 택배사 코드를 거절해 조회를 멈췄습니다. 설정의 택배사 목록에서 코드를 확인하세요."


class _Lane(NamedTuple):
    """An account in use with one of its lanes, or none."""

    account_id: int
    state: str
    blocked_at: datetime | None
    courier: str | None
    failing_since: datetime | None
    kind: str
    last_ok_at: datetime | None

    @property
    def since(self) -> datetime | None:
        """Since when it gives nothing."""
        blocked_at = self.blocked_at if self.state == AccountState.BLOCKED else None
        return self.failing_since or blocked_at


def delays(*, at: datetime) -> list[str]:
    """조회 지연: a sentence for each courier that no account hears from, or one for all of them."""
    rows = TrackingAccount.objects.filter(is_active=True).order_by("pk", "lanes__courier")
    found = [
        _Lane(*row)
        for row in rows.values_list(
            "pk", "state", "blocked_at", "lanes__courier", "lanes__failing_since", "kind",
            "lanes__last_ok_at",
        )
    ]  # fmt: skip
    if not found:
        return [NO_ACCOUNT]
    if all(one.state == AccountState.BLOCKED for one in found):
        first = min(one.blocked_at for one in found if one.blocked_at) if any(one.blocked_at for one in found) else None
        return [BLOCKED.format(since=_clock(first, at))]
    lanes: dict[str, list[_Lane]] = {}
    for one in found:
        if one.courier is not None and one.courier in COURIERS:
            lanes.setdefault(one.courier, []).append(one)
    return [text for courier, mine in lanes.items() if (text := _sentence(courier, mine, at))]


def _sentence(courier: str, lanes: list[_Lane], at: datetime) -> str:
    courier_now = COURIERS[courier]
    lanes = [one for one in lanes if one.kind not in courier_now.refused]
    if not lanes:
        return STOPPED.format(courier=josa(courier_now.name, "을/를"))
    late = [one for one in lanes if one.failing_since]
    if not late:
        return ""
    since = min(one.since for one in late if one.since)
    # Another account of its route has taken over and is answered.
    if any(one.since is None and one.last_ok_at and one.last_ok_at > since for one in lanes):
        return ""
    return DELAYED.format(courier=courier_now.name, since=_clock(since, at))


def _clock(at: datetime | None, now: datetime) -> str:
    if at is None:
        return ""
    return f"{at.astimezone(KST):%H:%M}" if kst_date(at) == kst_date(now) else cells.short_time(at, now)
