"""PG 계정: the rows as adapters need them, their clients, and what the connection test says."""

import os
from typing import TypeAlias
from urllib.parse import urlsplit

from django.db import InterfaceError, OperationalError, connection

from core.http import Client
from core.sealing import unseal
from payments.adapters.base import Account, Pg
from payments.adapters.registry import FEEDS, PGS
from payments.models import Payment, PgAccount
from payments.models.account import PURPOSE

Timeout: TypeAlias = tuple[float, float]
PATIENT: Timeout = (5, 30)
"""Seconds to connect, and for the whole answer (payments.md 2.4)."""
HURRIED: Timeout = (1, 3)
"""While a person or a shop waits for the page."""
MARK = "xmin::text || ctid::text"
"""In SQL: another one after every write to the row."""
_clients: dict[tuple[str, bool, Timeout], Client] = {}
_endpoints: dict[str, tuple[str, PgAccount]] = {}


def remembered(token: str) -> tuple[str, PgAccount] | None:
    """기억하는 계정 of an address with the mark of its row, for one who asks in his own statement whether it holds."""
    return _endpoints.get(token)


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


def _mark(token: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {MARK} FROM payments_pgaccount WHERE endpoint_token = %s AND is_active", [token])
        found = cursor.fetchone()
    return found[0] if found else ""


def pg_of(account: PgAccount) -> Pg:
    """어댑터 of an account."""
    return PGS.get(account.provider) or FEEDS[account.provider]


def facts_of(account: PgAccount) -> Account:
    """계정 for the adapter: opens the sealed keys."""
    return Account(
        merchant_id=account.merchant_id,
        secrets=account.secrets(),
        charset=account.charset,
        options=account.options(),
    )


def client_of(account: PgAccount, timeout: Timeout = PATIENT) -> Client:
    """통신 client of an account's address, one per process; OMS_<CODE>_BASE_URL overrides the address."""
    url = os.environ.get(f"OMS_{account.code.upper().replace('-', '_')}_BASE_URL", account.base_url)
    loopback = account.is_sandbox and urlsplit(url).scheme == "http"
    found = _clients.get((url, loopback, timeout))
    if found is None:
        made = Client(url, timeout=timeout, allow_loopback=loopback)
        found = _clients.setdefault((url, loopback, timeout), made)
    return found


def secret_of(account: PgAccount, order_ref: str) -> str | None:
    """알림 비밀값 that the PG gave with a payment; None for a payment that we do not know."""
    sealed = Payment.objects.filter(account=account, order_ref=order_ref).values_list("sealed_secret", flat=True)
    return next((unseal(text, purpose=PURPOSE) for text in sealed), None)
