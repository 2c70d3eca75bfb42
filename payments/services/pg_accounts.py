"""PG 계정: the rows as adapters need them, their clients, and what is noted of their answers and refusals."""

import logging
import os
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TypeAlias
from urllib.parse import urlsplit

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from core.http import Client
from core.sealing import Unreadable, unseal
from payments.adapters.base import (
    Account,
    Denied,
    NotAtPg,
    OutcomeUnknown,
    Pg,
    PgProblem,
    RefusedByPg,
    Unavailable,
    Unsupported,
)
from payments.adapters.registry import PROVIDERS
from payments.models import Payment, PgAccount
from payments.models.account import PURPOSE

log = logging.getLogger("payments.accounts")

Timeout: TypeAlias = tuple[float, float]
PATIENT: Timeout = (5, 30)
"""Seconds to connect, and for the whole answer (payments.md 2.4)."""
HURRIED: Timeout = (1, 3)
"""While a person or a shop waits for the page."""
OFTEN = timedelta(minutes=1)
KEY_REFUSED = "PG가 우리 키나 설정을 받지 않았습니다."
"""Begins the last error of whatever waits for somebody to mend its PG account."""
UNREADABLE = "KEYS_UNREADABLE"
KEYS_LOST = "저장한 키를 열 수 없습니다. 설정의 PG 계정에서 키를 다시 입력하세요."
_WORDS: tuple[tuple[type[PgProblem], str], ...] = (
    (NotAtPg, "PG가 모르는 결제입니다. PG 관리자 화면에서 이 결제를 확인하세요."),
    (Denied, "PG가 우리 키나 설정을 받지 않았습니다. 설정의 PG 계정을 확인하세요."),
    (Unsupported, "PG 계정에 이 일에 쓰는 키가 없거나 PG가 하지 않는 일입니다. 설정의 PG 계정을 확인하세요."),
    (RefusedByPg, "PG가 거절했습니다. PG 관리자 화면에서 이 결제를 확인하세요."),
    (Unavailable, "PG에서 알아볼 수 있는 응답이 없습니다. 저절로 다시 시도합니다."),
    (OutcomeUnknown, "PG가 처리했는지 알 수 없습니다. 저절로 PG에 다시 확인합니다."),
    (PgProblem, "PG에 확인하지 못했습니다. 저절로 다시 확인합니다."),
)
MARK = "xmin::text || ctid::text"
"""In SQL: another one after every write to the row."""
_ANSWERED = """
WITH free AS (
    SELECT id FROM payments_pgaccount WHERE id = ANY(%s::bigint[]) AND (last_ok_at IS NULL OR last_ok_at <= %s)
    ORDER BY id FOR NO KEY UPDATE SKIP LOCKED)
UPDATE payments_pgaccount a SET last_ok_at = %s FROM free WHERE a.id = free.id
"""
_REFUSED = """
WITH free AS (SELECT id FROM payments_pgaccount WHERE id = %s FOR NO KEY UPDATE SKIP LOCKED)
UPDATE payments_pgaccount a SET last_error = %s FROM free WHERE a.id = free.id
"""
_SECRET = f"SELECT sealed_secret FROM {Payment._meta.db_table} WHERE account_id = %s AND order_ref = %s"
_clients: dict[tuple[str, bool, Timeout], Client] = {}
_endpoints: dict[str, tuple[str, PgAccount]] = {}


def remembered(token: str) -> tuple[str, PgAccount] | None:
    """기억하는 계정 of an address with the mark of its row, for one who asks in his own statement whether it holds."""
    known = _endpoints.get(token)
    return known if known and (sandboxes_count() or not known[1].is_sandbox) else None


def endpoint(token: str) -> PgAccount | None:
    """웹훅 주소의 계정; None for an unknown or unused one. One small query while the row is the one read before.

    A row's xmin and ctid change with every write to it, so a changed key or a switched off account counts at once.
    What comes back is shared between requests: read it, never change it.
    """
    # This query finds out by itself whether the connection of an earlier request still lives.
    connection.health_check_done = True  # type: ignore[attr-defined]
    try:
        mark = _mark(token)
    except (OperationalError, InterfaceError):
        if connection.in_atomic_block:
            raise
        connection.close()
        mark = _mark(token)
    if not mark:
        return None
    known, account = _endpoints.get(token, ("", None))
    if known != mark:
        account = PgAccount.objects.filter(endpoint_token=token, is_active=True).first()
        if account is not None:
            _endpoints[token] = (mark, account)
    return account


def sandboxes_count() -> bool:
    """샌드박스 허용: accounts of a sandbox and addresses without TLS are for demo and tests only."""
    return settings.OMS_ENV != "production"


def _mark(token: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {MARK} FROM payments_pgaccount WHERE endpoint_token = %s AND is_active AND (NOT is_sandbox OR %s)",
            [token, sandboxes_count()],
        )
        found = cursor.fetchone()
    return found[0] if found else ""


def pg_of(account: PgAccount) -> Pg:
    """어댑터 of an account."""
    return PROVIDERS[account.provider]


def facts_of(account: PgAccount) -> Account:
    """계정 for the adapter: opens the sealed keys. Raises Denied for keys that do not open."""
    try:
        secrets, options = account.secrets(), account.options()
    except Unreadable as problem:
        raise _sealed(account) from problem
    return Account(merchant_id=account.merchant_id, secrets=secrets, charset=account.charset, options=options)


def readable_keys(account: PgAccount) -> tuple[tuple[str, ...], dict[str, str], bool]:
    """열리는 키: the present and the previous one (or neither), the extra keys, and whether all of them opened."""
    keys = (_opened(account.sealed_secrets), _opened(account.sealed_previous))
    options = {name: _opened(text) for name, text in account.sealed_options.items()}
    is_whole = None not in keys and None not in options.values()
    return (
        () if None in keys else tuple(filter(None, keys)),
        {name: text for name, text in options.items() if text is not None},
        is_whole,
    )


def _opened(sealed: str) -> str | None:
    try:
        return unseal(sealed, purpose=PURPOSE)
    except Unreadable:
        return None


def _sealed(account: PgAccount) -> Denied:
    log.error("the keys of account %s cannot be opened", account.pk)
    return Denied("the stored keys cannot be opened", code=UNREADABLE, message=KEYS_LOST)


def client_of(account: PgAccount, timeout: Timeout = PATIENT) -> Client:
    """통신 client of an account's address, one per process; OMS_<CODE>_BASE_URL overrides the address."""
    url = os.environ.get(f"OMS_{account.code.upper().replace('-', '_')}_BASE_URL", account.base_url)
    loopback = sandboxes_count() and account.is_sandbox and urlsplit(url).scheme == "http"
    if not loopback and urlsplit(url).scheme == "http":
        # A row from another environment: it must neither show its keys nor stop the others.
        url = f"https{url[4:]}"
    found = _clients.get((url, loopback, timeout))
    if found is None:
        made = Client(url, timeout=timeout, allow_loopback=loopback)
        found = _clients.setdefault((url, loopback, timeout), made)
    return found


def words_of(problem: PgProblem) -> str:
    """PG의 말 for staff: its own sentence, else one of ours for what happened; never our English remark."""
    return problem.message or next(words for kind, words in _WORDS if isinstance(problem, kind))


def note_answers(accounts: Collection[PgAccount | None], *, at: datetime) -> None:
    """마지막 정상 통신: these accounts have answered well, or told us something that they can prove.

    Written once a minute at most, outside any transaction; whoever holds the row is not waited for.
    """
    stale = [one.pk for one in accounts if one is not None and (one.last_ok_at is None or one.last_ok_at <= at - OFTEN)]
    if not stale:
        return
    with connection.cursor() as cursor:
        cursor.execute(_ANSWERED, [sorted(set(stale)), at - OFTEN, at])


def note_refusal(account: PgAccount | None, text: str) -> None:
    """마지막 오류: this PG does not take our key or settings; stands until a connection test is good."""
    if account is not None and account.last_error != text[:300]:
        with connection.cursor() as cursor:
            cursor.execute(_REFUSED, [account.pk, text[:300]])


def secret_of(account: PgAccount, order_ref: str) -> str | None:
    """알림 비밀값 that the PG gave with a payment; None for a payment that we do not know. Raises like `facts_of`."""
    # Every notice of some PGs comes by here: building the question costs more than its answer.
    with connection.cursor() as cursor:
        cursor.execute(_SECRET, [account.pk, order_ref])
        found = cursor.fetchone()
    try:
        return unseal(found[0], purpose=PURPOSE) if found else None
    except Unreadable as problem:
        raise _sealed(account) from problem
