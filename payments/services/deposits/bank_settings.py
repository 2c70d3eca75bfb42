"""입금계좌 설정: the shop's own accounts; the number goes in and is shown masked, every change is kept."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

from django.db import IntegrityError, transaction

from core.exceptions import Conflict, NotFound
from core.masking import mask_account
from core.settings_registry import last_changed, note_change
from payments.models import BankAccount, PgAccount

HISTORY: Final = "bank_account"
LABELS: Final = {
    "bank": "은행", "number": "계좌번호", "holder": "예금주", "feed": "입금 알림 서비스", "is_active": "사용",
    "created": "계좌 등록",
}  # fmt: skip
TAKEN: Final = "이미 쓰고 있는 코드입니다. 다른 코드를 입력하세요."
FEED_TAKEN: Final = "다른 입금계좌가 이미 이 알림 서비스를 씁니다. 그 계좌에서 먼저 해제하세요."
STALE: Final = "화면을 연 뒤 {who} 이 계좌를 바꿨습니다. 화면을 새로 고쳐 지금 값을 확인하세요."
NOT_FOUND: Final = "입금계좌를 찾을 수 없습니다. 목록에서 다시 고르세요."


@dataclass(frozen=True, kw_only=True, slots=True)
class BankFacts:
    """계좌 내용 without its number."""

    bank: str
    holder: str
    feed: PgAccount | None
    is_active: bool


def create_bank_account(*, code: str, given: BankFacts, number: str, actor: Any, at: datetime) -> BankAccount:
    """입금계좌 등록. Raises Conflict for a code or a notice service that is in use."""
    account = BankAccount(code=code, **_columns(given))
    account.set_number(number)
    with transaction.atomic():
        _refuse_taken(given, code=code, other_than=0)
        try:
            with transaction.atomic():
                account.save(force_insert=True)
        except IntegrityError as error:
            raise Conflict(TAKEN, code="code_taken") from error
        note = f"{given.bank} {mask_account(number)} ({code})"
        note_change(key=f"{HISTORY}:{code}:created", old=None, new=note, actor=actor, at=at)
    return account


def edit_bank_account(
    *, account_id: int, given: BankFacts, number: str, seen_at: datetime, actor: Any, at: datetime
) -> BankAccount:
    """입금계좌 수정: an empty number stays as it is.

    Raises Conflict when somebody changed the account since the screen, or the notice service is in use.
    """
    with transaction.atomic():
        account = BankAccount.objects.select_for_update(no_key=True).filter(pk=account_id).first()
        if account is None:
            raise NotFound(NOT_FOUND)
        if account.updated_at != seen_at:
            raise Conflict(STALE.format(who=last_changed(f"{HISTORY}:{account.code}:")), code="stale")
        _refuse_taken(given, code="", other_than=account_id)
        changes = [(one.name, getattr(account, one.name), getattr(given, one.name)) for one in fields(BankFacts)]
        if number and number != account.number():
            changes.append(("number", mask_account(account.number()), mask_account(number)))
            account.set_number(number)
        for name, value in _columns(given).items():
            setattr(account, name, value)
        account.save()
        for name, old, new in changes:
            if old != new:
                key = f"{HISTORY}:{account.code}:{name}"
                note_change(key=key, old=_plain(old), new=_plain(new), actor=actor, at=at)
    return account


def _refuse_taken(given: BankFacts, *, code: str, other_than: int) -> None:
    if BankAccount.objects.filter(code=code).exists():
        raise Conflict(TAKEN, code="code_taken")
    if given.feed is not None and BankAccount.objects.filter(feed=given.feed).exclude(pk=other_than).exists():
        raise Conflict(FEED_TAKEN, code="feed_taken")


def _columns(given: BankFacts) -> dict[str, Any]:
    return {one.name: getattr(given, one.name) for one in fields(BankFacts)}


def _plain(value: Any) -> Any:
    return value.name if isinstance(value, PgAccount) else value
