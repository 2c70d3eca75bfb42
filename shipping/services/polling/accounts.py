"""배송조회 계정: where, with which key and how often we ask; the key goes in and never comes out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import IntegrityError, transaction

from core.exceptions import Conflict, DomainError
from core.http import HttpProblem
from core.sealing import Unreadable
from core.settings_registry import last_changed, note_change, one_at_a_time, words
from shipping.adapters.base import TrackOutcome
from shipping.couriers import COURIERS
from shipping.models import AccountState, CourierRoute, PushHook, TrackingAccount
from shipping.services.polling import lanes, pushes
from shipping.services.polling.sources import KIND_OF, KINDS, code_for, open_source

HISTORY, ROUTES = "tracking_account:", "tracking_route:"
"""Keys of the history are "tracking_account:<code>:<fact>" and "tracking_route:<courier>"; what they hold are words."""
PROBE = "000000000000"
"""A number that nobody has: any answer about it proves address and key."""
ANSWERS = {
    TrackOutcome.FOUND: "연결되었습니다.",
    TrackOutcome.NOT_FOUND: "연결되었습니다.",
    TrackOutcome.BAD_NUMBER: "연결되었습니다.",
    TrackOutcome.AUTH: "인증이 거절되었습니다. 키를 확인하세요.",
    TrackOutcome.RATE_LIMITED: "연결되었지만 조회 한도를 넘었습니다. 잠시 뒤 다시 시도하세요.",
    TrackOutcome.UNKNOWN_CARRIER: "이 주소는 택배사 코드를 모릅니다. 주소를 확인하세요.",
    TrackOutcome.UNAVAILABLE: "응답을 받지 못했습니다. 주소를 확인하세요.",
}
KEY_LOST = "저장한 키를 열 수 없습니다. 키를 다시 입력하세요."
UNUSABLE = "이 주소와 키로는 조회할 수 없습니다. 주소와 키를 확인하세요."
ODD_KEY = "키에 쓸 수 없는 글자가 있습니다. 발급받은 키를 그대로 붙여 넣으세요."
NOT_SECURE = "주소는 https://로 시작해야 합니다."
NO_ADDRESS = (
    "주소를 알아볼 수 없습니다. https://apis.tracker.delivery처럼 입력하세요. 아이디(@), 빈칸, ?와 #은 쓸 수 없습니다."
)
ANY = "모든 계정"
WORKS = frozenset({TrackOutcome.FOUND, TrackOutcome.NOT_FOUND, TrackOutcome.BAD_NUMBER})


class AccountRefused(DomainError):
    """배송조회 계정 오류: address or key cannot be used."""

    code = "account_refused"
    status = 422


@dataclass(frozen=True, slots=True)
class Terms:
    """계정 조건: what the source allows; None means no limit, `min_interval` counts seconds."""

    per_second: float | None = None
    per_day: int | None = None
    min_interval: int = 0
    concurrency: int = 16


def save_account(
    *, account: TrackingAccount | None, kind: str, name: str, base_url: str, options: dict[str, str], is_active: bool,
    terms: Terms, actor: Any, at: datetime, is_called: bool = False, seen_at: str = "",
) -> TrackingAccount:  # fmt: skip
    """계정 저장, a new one for None: an empty key keeps the stored one; a new address or key is tried at once.

    `is_called`: the source is asked to call us. Turned off and on again it calls another address, the old one is dead.
    Raises AccountRefused for an unknown kind, for what is no address, one that is not https (a sandbox of this computer
    may be plain) or a key that no header can carry; Conflict when a colleague registered the same code meanwhile, or
    changed the account since `seen_at`, the `updated_at` that the person saw.
    """
    if account is None:
        if kind not in KINDS:
            raise AccountRefused("모르는 조회 방식입니다. 목록에서 다시 고르세요.")
        account = TrackingAccount(code=_free_code(kind), kind=kind)
    if problem := _address_problem(base_url, is_sandbox=account.is_sandbox):
        raise AccountRefused(problem)
    if any(not (text.isascii() and text.isprintable()) for text in options.values()):
        raise AccountRefused(ODD_KEY)
    try:
        with transaction.atomic():
            account = _locked(account, seen_at=seen_at) if account.pk else account
            before = _facts(account) if account.pk else None
            if account.base_url != base_url or any(options.values()):
                account.state, account.last_error = AccountState.OK, ""
                account.blocked_at = account.retry_at = None
            account.name, account.base_url, account.is_active = name, base_url, is_active
            account.per_second, account.per_day = terms.per_second, terms.per_day
            account.min_interval, account.concurrency = terms.min_interval, terms.concurrency
            account.set_options(options)
            is_called = is_called and KINDS[account.kind].has_push
            account.hook_token = (account.hook_token or pushes.new_token()) if is_called else ""
            account.hook_error = ""
            account.save()
            _note_changes(account, before, has_key=any(options.values()), actor=actor, at=at)
            if not (account.hook_token and account.is_active):
                # What was asked for at the old address is worth nothing; its parcels are asked about as usual.
                PushHook.objects.filter(account=account).delete()
    except IntegrityError:
        raise Conflict("다른 직원이 방금 같은 방식의 계정을 등록했습니다. 목록을 다시 확인하세요.") from None
    KIND_OF.forget()
    lanes.reset(account, at=at)
    return account


def _locked(account: TrackingAccount, *, seen_at: str) -> TrackingAccount:
    fresh = TrackingAccount.objects.select_for_update(no_key=True).get(pk=account.pk)
    if seen_at and fresh.updated_at.isoformat() != seen_at:
        news = last_changed(f"{HISTORY}{fresh.code}:")
        raise Conflict(f"{news} 먼저 바꿨습니다. 화면을 새로 고쳐 지금 값을 확인하세요.", code="stale")
    return fresh


def _facts(account: TrackingAccount) -> dict[str, str]:
    """계정 값의 낱말 by fact."""
    per_second, per_day, minutes = account.per_second, account.per_day, account.min_interval // 60
    return {
        "name": account.name,
        "base_url": account.base_url,
        "per_second": "한도 없음" if per_second is None else f"{per_second:g}건",
        "per_day": "한도 없음" if per_day is None else f"{per_day:,}건",
        "min_interval": f"{minutes:,}분" if minutes else words(None),
        "concurrency": f"{account.concurrency}건",
        "is_active": words(account.is_active),
        "is_called": words(bool(account.hook_token)),
    }


def _note_changes(
    account: TrackingAccount, before: dict[str, str] | None, *, has_key: bool, actor: Any, at: datetime
) -> None:
    """변경 이력: every fact that is another now, and that keys were entered, never which."""
    if before is None:
        changed = {"created": (words(None), f"{account.name} · {KINDS[account.kind].label}")}
    else:
        changed = {name: (before[name], now) for name, now in _facts(account).items() if before[name] != now}
    if has_key:
        changed["key"] = ("", "새 키")
    for name, (old, new) in changed.items():
        note_change(key=f"{HISTORY}{account.code}:{name}", old=old, new=new, actor=actor, at=at)


def _free_code(kind: str) -> str:
    taken = set(TrackingAccount.objects.filter(kind=kind).values_list("code", flat=True))
    return next(code for n in range(1, 1000) if (code := kind if n == 1 else f"{kind[:16]}-{n}") not in taken)


def _address_problem(base_url: str, *, is_sandbox: bool) -> str:
    """What core.http would refuse to visit, and what nobody can see: Django's validator lets both pass."""
    try:
        URLValidator(schemes=("http", "https"))(base_url)
        url = urlsplit(base_url)
        is_fit = url.port != 0 and url.username is None and not (url.query or url.fragment)
    except (ValidationError, ValueError):
        return NO_ADDRESS
    if not is_fit or not base_url.isprintable():
        return NO_ADDRESS
    return "" if is_sandbox or url.scheme == "https" else NOT_SECURE


def save_routes(*, chosen: Mapping[str, Sequence[int]], actor: Any, at: datetime) -> None:
    """조회 경로 저장: by courier the ids of its accounts, the best first; none of them means every account.

    Raises AccountRefused for an account that cannot ask the courier, or one that is named twice.
    """
    accounts = {one.pk: one for one in TrackingAccount.objects.all()}
    for courier, ids in chosen.items():
        known = COURIERS[courier]
        if len(set(ids)) < len(ids):
            raise AccountRefused(f"{known.name}: 같은 계정을 두 번 골랐습니다.")
        for pk in ids:
            if pk not in accounts or not code_for(courier, accounts[pk].kind):
                raise AccountRefused(f"{known.name}: 이 택배사를 조회할 수 없는 계정입니다. 다시 고르세요.")
    with transaction.atomic():
        one_at_a_time("tracking_routes")
        _note_routes(chosen, accounts, actor=actor, at=at)
        CourierRoute.objects.filter(courier__in=chosen).delete()
        CourierRoute.objects.bulk_create(
            CourierRoute(courier=courier, rank=rank, account_id=pk)
            for courier, ids in chosen.items()
            for rank, pk in enumerate(ids)
        )


def _note_routes(
    chosen: Mapping[str, Sequence[int]], accounts: Mapping[int, TrackingAccount], *, actor: Any, at: datetime
) -> None:
    """변경 이력 of the routes that are others now."""
    before: dict[str, list[int]] = {courier: [] for courier in chosen}
    rows = CourierRoute.objects.filter(courier__in=chosen).order_by("rank", "pk")
    for courier, pk in rows.values_list("courier", "account_id"):
        before[courier].append(pk)
    for courier, ids in chosen.items():
        if before[courier] != list(ids):
            old, new = (", ".join(accounts[pk].name for pk in pks) or ANY for pks in (before[courier], ids))
            note_change(key=f"{ROUTES}{courier}", old=old, new=new, actor=actor, at=at)


def check_account(account: TrackingAccount) -> tuple[bool, str]:
    """연결 확인: ask about a number that nobody has; whether it works, and the sentence."""
    code = next((code for slug in COURIERS if (code := code_for(slug, account.kind))), "")
    try:
        with open_source(account) as source:
            outcome = source.track(carrier=code, number=PROBE).outcome
    except Unreadable:
        return False, KEY_LOST
    except (HttpProblem, ValueError, LookupError):
        return False, ANSWERS[TrackOutcome.UNAVAILABLE]
    return outcome in WORKS, ANSWERS[outcome]


def state_of(account: TrackingAccount, *, is_delayed: bool = False, is_spent: bool = False) -> dict[str, Any]:
    """계정 상태 in words."""
    if not account.is_active:
        return {"text": "사용하지 않음", "is_bad": True}
    if account.state == AccountState.BLOCKED:
        return {"text": "인증이 거절되어 조회를 멈췄습니다", "is_bad": True}
    if is_delayed:
        return {"text": "응답이 없어 조회가 지연되고 있습니다", "is_bad": True}
    if is_spent:
        return {"text": "오늘 한도를 다 써서 내일 다시 조회합니다", "is_bad": True}
    return {"text": "정상" if account.last_ok_at else "아직 조회하지 않음", "is_bad": False}
