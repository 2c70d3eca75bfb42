"""배송조회 계정: where and with which key we ask; the key goes in and never comes out."""

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator

from core.exceptions import DomainError
from core.http import HttpProblem
from shipping.adapters.base import TrackOutcome
from shipping.couriers import COURIERS
from shipping.models import AccountState, TrackingAccount
from shipping.services.tracking import polling
from shipping.services.tracking.sources import open_source

NAME = "tracker.delivery"
PROBE = ("CJGLS", "000000000000")
"""A number that nobody has: any answer about it proves address and key."""
ANSWERS = {
    TrackOutcome.FOUND: "연결되었습니다.",
    TrackOutcome.NOT_FOUND: "연결되었습니다.",
    TrackOutcome.BAD_NUMBER: "연결되었습니다.",
    TrackOutcome.AUTH: "인증이 거절되었습니다. 키를 확인하세요.",
    TrackOutcome.RATE_LIMITED: "연결되었지만 조회 한도를 넘었습니다. 잠시 뒤 다시 시도하세요.",
    TrackOutcome.UNKNOWN_CARRIER: "이 주소는 CJ대한통운을 조회할 수 없습니다. 주소를 확인하세요.",
    TrackOutcome.UNAVAILABLE: "응답을 받지 못했습니다. 주소를 확인하세요.",
}
NOT_SECURE = "주소는 https://로 시작해야 합니다."
NO_ADDRESS = (
    "주소를 알아볼 수 없습니다. https://apis.tracker.delivery처럼 입력하세요. 아이디(@), 빈칸, ?와 #은 쓸 수 없습니다."
)
WORKS = frozenset({TrackOutcome.FOUND, TrackOutcome.NOT_FOUND, TrackOutcome.BAD_NUMBER})


class AccountRefused(DomainError):
    """배송조회 계정 오류: address or key cannot be used."""

    code = "account_refused"
    status = 422


def tracking_account() -> TrackingAccount | None:
    """배송조회 계정, None when there is none yet."""
    return TrackingAccount.objects.filter(code=polling.SOURCE).first()


def save_account(*, base_url: str, api_key: str, is_active: bool, at: datetime) -> TrackingAccount:
    """계정 저장: an empty key keeps the stored one; a new address or key gives a blocked account another chance.

    Raises AccountRefused for what is no address, one that is not https (a sandbox of this computer may be plain) or a
    key that no header can carry.
    """
    account = tracking_account() or TrackingAccount(code=polling.SOURCE, name=NAME)
    if problem := _address_problem(base_url, is_sandbox=account.is_sandbox):
        raise AccountRefused(problem)
    if api_key and not (api_key.isascii() and api_key.isprintable()):
        raise AccountRefused("키에 쓸 수 없는 글자가 있습니다. 발급받은 키를 그대로 붙여 넣으세요.")
    has_changed = account.base_url != base_url or bool(api_key)
    account.base_url, account.is_active = base_url, is_active
    account.api_key = api_key or account.api_key
    if has_changed:
        account.state, account.blocked_at, account.last_error = AccountState.OK, None, ""
        account.failing_since, account.failures, account.retry_at = None, 0, at
    account.save()
    return account


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


def check_account(account: TrackingAccount) -> tuple[bool, str]:
    """연결 확인: ask about a number that nobody has; whether it works, and the sentence."""
    courier, number = PROBE
    try:
        with open_source(account) as source:
            outcome = source.track(carrier=COURIERS[courier].code(source.name), number=number).outcome
    except (HttpProblem, ValueError):
        return False, ANSWERS[TrackOutcome.UNAVAILABLE]
    return outcome in WORKS, ANSWERS[outcome]


def state_of(account: TrackingAccount | None) -> dict[str, Any]:
    """계정 상태 in words."""
    if account is None:
        return {"text": "등록하지 않음", "is_bad": True}
    if not account.is_active:
        return {"text": "사용하지 않음", "is_bad": True}
    if account.state == AccountState.BLOCKED:
        return {"text": "인증이 거절되어 조회를 멈췄습니다", "is_bad": True}
    if account.failing_since is not None:
        return {"text": "응답이 없어 조회가 지연되고 있습니다", "is_bad": True}
    return {"text": "정상" if account.last_ok_at else "아직 조회하지 않음", "is_bad": False}
