"""PG 계정 설정: keys go in and never come out; every change is kept without the keys themselves.

Source: payments.md 2.2 and 5.3, reliability.md 4.1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from core.exceptions import Conflict, DomainError, NotFound
from core.http import HttpProblem
from core.settings_registry import last_changed, note_change
from payments.adapters.base import Denied, NotAtPg, PgProblem, Ref
from payments.adapters.registry import PGS
from payments.models import PgAccount
from payments.services.gateway import issuing, refund_sending
from payments.services.notices import draining
from payments.services.pg_accounts import HURRIED, client_of, facts_of, pg_of, readable_keys, sandboxes_count

REGISTERING = timedelta(minutes=10)
SILENT = "{pg}에서 응답이 없습니다. 주소를 확인하고 잠시 뒤 다시 확인하세요."
FAILING = "{pg}에서 결제를 조회하지 못했습니다. PG 주소를 확인하고 잠시 뒤 다시 확인하세요."
NOT_THE_PG = "이 주소는 {pg}처럼 응답하지 않습니다. PG 주소를 확인하세요."
NOWHERE = "20000101-0000000-0"
"""An order reference that no shop has."""
HISTORY = "pg_account"
TAKEN = "이미 쓰고 있는 코드입니다. 다른 코드를 입력하세요."
ONE_ISSUES = "{name} 계정이 이미 가상계좌를 발급합니다. 그 계정에서 먼저 끄세요."
NO_SANDBOX = "운영 환경에서는 샌드박스 계정을 쓸 수 없습니다. 샌드박스를 끄고 https://로 시작하는 PG 주소를 입력하세요."
STALE = "화면을 연 뒤 {who} 이 계정을 바꿨습니다. 화면을 새로 고쳐 지금 값을 확인하세요."
NOT_FOUND = "PG 계정을 찾을 수 없습니다. 목록에서 다시 고르세요."
PREVIOUS_OF: Mapping[str, str] = {"notice_key": "previous_notice_key"}
"""Extra keys that prove notices, and where the value before stays while what was made with it is still told."""
LABELS: Mapping[str, str] = {
    "name": "이름", "merchant_id": "상점 아이디", "base_url": "주소", "charset": "문자셋", "checks_ip": "IP 확인",
    "ips": "허용 IP", "issues_accounts": "가상계좌 발급", "bank": "발급 은행",
    "asks_back": "PG에 조회해 확인",
    "is_sandbox": "샌드박스", "is_active": "사용", "key": "키", "previous": "이전 키", "options": "추가 키",
    "registering": "등록 시험", "created": "계정 등록",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountFacts:
    """계정 내용 without its keys."""

    name: str
    merchant_id: str
    base_url: str
    charset: str
    checks_ip: bool
    ips: tuple[str, ...]
    issues_accounts: bool
    bank: str
    is_sandbox: bool
    is_active: bool
    asks_back: bool = True


@dataclass(frozen=True, slots=True)
class Checked:
    """연결 확인 결과: one Korean sentence."""

    is_ok: bool
    text: str


def shown_key(text: str) -> str:
    """가린 키: the last four characters of one that is long enough to spare them."""
    return f"****{text[-4:]}" if len(text) >= 12 else "****" if text else "없음"


def facts(account: PgAccount) -> AccountFacts:
    """계정 내용 as stored."""
    found = {one.name: getattr(account, one.name) for one in fields(AccountFacts)}
    return AccountFacts(**found | {"ips": tuple(account.ips)})


def create_account(
    *, code: str, provider: str, given: AccountFacts, key: str, options: Mapping[str, str], actor: Any, at: datetime
) -> PgAccount:
    """PG 계정 등록. Raises Conflict for a code in use and for a second account that opens virtual accounts."""
    _refuse_sandbox(given)
    account = PgAccount(code=code, provider=provider, **_columns(given))
    account.set_secrets(key, options={name: text for name, text in options.items() if text})
    try:
        with transaction.atomic():
            _refuse_second_issuer(given, other_than=None)
            account.save(force_insert=True)
            _note(account, "created", None, f"{given.name} ({code})", actor=actor, at=at)
    except IntegrityError as error:
        raise Conflict(TAKEN, code="code_taken") from error
    return account


def edit_account(
    *,
    account_id: int,
    given: AccountFacts,
    key: str,
    options: Mapping[str, str],
    seen_at: datetime,
    actor: Any,
    at: datetime,
) -> PgAccount:
    """PG 계정 수정: a new key comes in front and the present one is kept as the previous; empty keys stay as they are.

    What waited because the PG refused key or settings is done at once: virtual accounts, refunds, notices.
    Raises Conflict when somebody changed the account since the screen, or another one opens virtual accounts.
    """
    _refuse_sandbox(given)
    with transaction.atomic():
        account = _locked(account_id)
        if account.updated_at != seen_at:
            raise Conflict(STALE.format(who=last_changed(f"{HISTORY}:{account.code}:")), code="stale")
        before = facts(account)
        if given.issues_accounts and not before.issues_accounts:
            _refuse_second_issuer(given, other_than=account_id)
        for one in fields(AccountFacts):
            old, new = getattr(before, one.name), getattr(given, one.name)
            if old != new:
                _note(account, one.name, _plain(old), _plain(new), actor=actor, at=at)
        for name, value in _columns(given).items():
            setattr(account, name, value)
        _take_keys(account, key, options, actor=actor, at=at)
        account.save()
        _wake(account_id, at=at)
    return account


def _wake(account_id: int, *, at: datetime) -> None:
    """Whatever waited for somebody to mend this account is due at once."""
    issuing.wake(account_id=account_id, at=at)
    refund_sending.wake(account_id=account_id, at=at)
    draining.wake(account_id=account_id, at=at)


def _take_keys(account: PgAccount, key: str, options: Mapping[str, str], *, actor: Any, at: datetime) -> None:
    keys, kept, _ = readable_keys(account)
    present = (*keys, "")[0]
    if key and key != present:
        account.set_secrets(key, present)
        refund_sending.forget_repeats(account_id=account.pk)
        _note(account, "key", shown_key(present), shown_key(key), actor=actor, at=at)
    for name, text in options.items():
        old = kept.get(name, "")
        if not text or text == old:
            continue
        account.set_options({name: text} | ({PREVIOUS_OF[name]: old} if name in PREVIOUS_OF else {}))
        words = (f"{name} {shown_key(old)}", f"{name} {shown_key(text)}")
        _note(account, "options", *words, actor=actor, at=at)


def drop_previous(*, account_id: int, actor: Any, at: datetime) -> None:
    """이전 키 지우기: from now on only the present key counts, and the present value of every extra key."""
    with transaction.atomic():
        account = _locked(account_id)
        keys, options, _ = readable_keys(account)
        old = [*keys[1:], *(options[name] for name in PREVIOUS_OF.values() if options.get(name))]
        if not old:
            raise Conflict("지울 이전 키가 없습니다.", code="no_previous")
        if keys[1:]:
            account.set_secrets(keys[0])
        account.set_options(dict.fromkeys(PREVIOUS_OF.values(), ""))
        account.save()
        _note(account, "previous", shown_key(old[0]), None, actor=actor, at=at)


def open_registration(*, account_id: int, actor: Any, at: datetime) -> PgAccount:
    """등록 시험 열기: for ten minutes a PG gets its answer for test notices without proof; they are never applied."""
    with transaction.atomic():
        account = _locked(account_id)
        account.registering_until = at + REGISTERING
        account.save()
        _note(account, "registering", None, "10분", actor=actor, at=at)
    return account


def check_connection(account: PgAccount, *, at: datetime) -> Checked:
    """연결 확인: asks the PG about a payment that cannot exist; outside any transaction.

    A good answer wakes what waited for it.
    """
    if account.provider not in PGS:
        return Checked(is_ok=False, text="알림만 보내는 서비스라 연결을 확인할 수 없습니다. 마지막 수신을 확인하세요.")
    checked = _ask(account, at)
    changes: dict[str, Any] = {"last_error": "" if checked.is_ok else checked.text[:300]}
    if checked.is_ok:
        changes["last_ok_at"] = at
    PgAccount.objects.filter(pk=account.pk).update(**changes)
    if checked.is_ok:
        _wake(account.pk, at=at)
    return checked


def _ask(account: PgAccount, at: datetime) -> Checked:
    pg = pg_of(account)
    try:
        pg.fetch(client_of(account, HURRIED), account=facts_of(account), ref=Ref(order_ref=NOWHERE, at=at))
    except NotAtPg:
        return Checked(is_ok=True, text=f"{pg.label}에 연결했습니다. 키가 맞습니다.")
    except Denied as problem:
        return Checked(
            is_ok=False, text=_with(problem, f"{pg.label}에서 키나 상점 아이디를 거절했습니다. 키를 확인하세요.")
        )
    except PgProblem as problem:
        return Checked(is_ok=False, text=_with(problem, _unlike(problem).format(pg=pg.label)))
    return Checked(is_ok=True, text=f"{pg.label}에 연결했습니다.")


def _unlike(problem: PgProblem) -> str:
    """Nobody answered, the PG itself said something else, or whoever answers there is not the PG."""
    if isinstance(problem.__cause__, HttpProblem):
        return SILENT
    if problem.message or problem.code.startswith("5") or problem.code == "429":
        return FAILING
    return NOT_THE_PG


def _with(problem: PgProblem, text: str) -> str:
    return f"{text} PG의 답: {problem.message}" if problem.message else text


def _columns(given: AccountFacts) -> dict[str, Any]:
    used = given if given.issues_accounts else replace(given, bank="")
    return {one.name: getattr(used, one.name) for one in fields(AccountFacts)} | {"ips": list(given.ips)}


def _refuse_sandbox(given: AccountFacts) -> None:
    """In production keys go to a real PG only, and only through TLS; an account that is switched off may stay."""
    is_open = given.is_sandbox or not given.base_url.startswith("https://")
    if given.is_active and is_open and not sandboxes_count():
        raise DomainError(NO_SANDBOX, code="sandbox_in_production")


def _refuse_second_issuer(given: AccountFacts, *, other_than: int | None) -> None:
    rival = PgAccount.objects.filter(issues_accounts=True).exclude(pk=other_than or 0).first()
    if given.issues_accounts and rival is not None:
        raise Conflict(ONE_ISSUES.format(name=rival.name), code="one_issues")


def _locked(account_id: int) -> PgAccount:
    found = PgAccount.objects.select_for_update(no_key=True).filter(pk=account_id).first()
    if found is None:
        raise NotFound(NOT_FOUND)
    return found


def _plain(value: Any) -> Any:
    return ", ".join(value) if isinstance(value, tuple) else value


def _note(account: PgAccount, name: str, old: Any, new: Any, *, actor: Any, at: datetime) -> None:
    note_change(key=f"{HISTORY}:{account.code}:{name}", old=old, new=new, actor=actor, at=at)
