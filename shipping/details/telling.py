"""설정 · 배송조회: sources that tell by themselves, with finished strings."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Min, Q

from core.calendar import short
from shipping.models import FeedState, OrphanEvent, PushHook, TrackingAccount
from shipping.services.polling import pushes

SHOWN = 50


@dataclass(frozen=True, slots=True)
class FeedRow:
    """묶음 수신 한 줄."""

    code: str
    name: str
    state: str
    is_bad: bool
    last_error: str
    last_ok: str
    told: str
    waiting: str
    orphans: str


@dataclass(frozen=True, slots=True)
class OrphanRow:
    """모르는 번호 한 줄: its newest scan."""

    number: str
    key: str
    status: str
    is_return: bool
    at: str
    seen: str


@dataclass(frozen=True, slots=True)
class HookRow:
    """배송 알림 한 줄."""

    code: str
    name: str
    state: str
    is_bad: bool
    live: str
    waiting: str
    until: str
    address: str


def context(*, at: datetime) -> dict[str, Any]:
    """묶음 수신과 배송 알림; five queries at most."""
    states = list(FeedState.objects.select_related("account").filter(account__is_active=True).order_by("account_id"))
    counts = _orphan_counts() if states else {}
    accounts = TrackingAccount.objects.exclude(hook_token="").filter(is_active=True).order_by("pk")
    return {
        "feeds": [_feed_row(one, counts.get(one.account.code, 0)) for one in states],
        "orphans": _orphans() if counts else [],
        "orphan_count": sum(counts.values()),
        "hooks": [hook_of(one, at=at) for one in accounts],
    }


def _orphan_counts() -> dict[str, int]:
    """Numbers, not scans, by the code of the account."""
    rows = OrphanEvent.objects.values("source").annotate(count=Count("number", distinct=True))
    return dict(rows.values_list("source", "count"))


def _orphans() -> list[OrphanRow]:
    newest = OrphanEvent.objects.order_by("source", "number", "-at", "-pk").distinct("source", "number")
    rows = OrphanEvent.objects.filter(pk__in=newest.values("pk")).order_by("-seen_at", "-pk")[:SHOWN]
    return [
        OrphanRow(one.number, one.key, one.name or one.code, one.is_return, short(one.at), short(one.seen_at))
        for one in rows
    ]


def _feed_row(state: FeedState, orphans: int) -> FeedRow:
    text, is_bad = _state(state)
    return FeedRow(
        code=state.account.code,
        name=state.account.name,
        state=text,
        is_bad=is_bad,
        last_error=state.last_error,
        last_ok=short(state.last_ok_at),
        told=short(state.told_at),
        waiting=f"{state.waiting:,}건",
        orphans=f"{orphans:,}건",
    )


def _state(state: FeedState) -> tuple[str, bool]:
    if state.silent_since is not None:
        return f"{short(state.silent_since)}부터 받지 못해 상자마다 따로 조회합니다", True
    if state.stuck_since is not None:
        return f"{short(state.stuck_since)}부터 확인 필요", True
    return ("정상", False) if state.last_ok_at else ("아직 받지 않음", False)


def hook_of(account: TrackingAccount, *, at: datetime) -> HookRow:
    """배송 알림 of an account; one query."""
    told = PushHook.objects.aggregate(
        live=Count("pk", filter=Q(account=account, until__gt=at)),
        waiting=Count("pk", filter=Q(until=None)),
        until=Min("until", filter=Q(account=account, until__gt=at)),
    )
    address = pushes.address_of_hook(account)
    problem = account.hook_error or ("" if address else pushes.NO_ADDRESS)
    return HookRow(
        code=account.code,
        name=account.name,
        state=problem or "정상",
        is_bad=bool(problem),
        live=f"{told['live']:,}",
        waiting=f"{told['waiting']:,}",
        until=short(told["until"]),
        address=address,
    )
