"""PG 계정 화면의 내용: rows of the list, and everything about one account but its keys."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, OuterRef, Q, Subquery

from core import cells
from core.models import SettingChange
from core.setting_history import ChangeRow, change_rows
from core.settings_registry import words
from payments.adapters.registry import FEEDS, PGS, PROVIDERS
from payments.forms.pg_accounts import OPTIONS
from payments.models import PgAccount, PgRequest
from payments.services.gateway.pg_settings import HISTORY, LABELS, PREVIOUS_OF, shown_key
from payments.services.pg_accounts import KEYS_LOST, readable_keys

DENIED_DAYS = 7
MOST_DENIED = 10
_newest = PgRequest.objects.filter(account=OuterRef("pk")).order_by("-at", "-pk").values("at")[:1]


@dataclass(frozen=True, slots=True)
class AccountRow:
    """계정 한 줄."""

    pk: int
    code: str
    name: str
    pg: str
    status: str
    issues: str
    last_notice: str
    last_ok: str
    last_error: str


def account_rows(at: datetime) -> list[AccountRow]:
    """PG 계정 목록; one query."""
    return [
        AccountRow(
            one.pk,
            one.code,
            one.name,
            PROVIDERS[one.provider].label,
            ("사용" if one.is_active else "사용 안 함") + (" · 샌드박스" if one.is_sandbox else ""),
            "발급" if one.issues_accounts else "",
            cells.short_time(one.heard_at, at),
            cells.short_time(one.last_ok_at, at),
            one.last_error,
        )
        for one in PgAccount.objects.annotate(heard_at=Subquery(_newest)).order_by("-is_active", "name", "pk")
    ]


def webhook_path(account: PgAccount) -> str:
    """웹훅 주소 as the PG is to call it, without the host."""
    folder = "bank-feed" if account.provider in FEEDS else "webhooks"
    return f"/payments/{folder}/{account.endpoint_token}/"


def account_context(account: PgAccount, *, at: datetime) -> dict[str, Any]:
    """계정 내용: status, keys by their last characters, denied addresses, history."""
    pg, (secrets, options, is_whole) = PROVIDERS[account.provider], readable_keys(account)
    present, *previous = (*secrets, "")
    newest = PgRequest.objects.filter(account=account).order_by("-at", "-pk").first()
    is_registering = account.is_active and account.registering_until is not None and account.registering_until > at
    return {
        "pg_label": pg.label,
        "can_be_asked": account.provider in PGS,
        "needs_ip": pg.capabilities.needs_ip,
        "standard_ips": ", ".join(pg.default_ips),
        "key": shown_key(present) if is_whole else KEYS_LOST,
        "previous": shown_key(previous[0]) if any(previous) else "",
        "options": list(_option_rows(account.provider, options)),
        "has_previous": any(previous) or any(options.get(name) for name in PREVIOUS_OF.values()),
        "last_notice": cells.full_time(newest.at) if newest else "",
        "last_ok": cells.full_time(account.last_ok_at),
        "is_registering": is_registering,
        "registering_until": cells.full_time(account.registering_until) if is_registering else "",
        "denied": denied_rows(account, at=at),
        "denied_days": DENIED_DAYS,
        "changes": changes_of(f"{HISTORY}:{account.code}:", LABELS),
    }


def _option_rows(provider: str, options: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    for name, label in OPTIONS.get(provider, ()):
        yield label, shown_key(options.get(name, ""))
        if previous := options.get(PREVIOUS_OF.get(name, "")):
            yield f"이전 {label}", shown_key(previous)


def denied_rows(account: PgAccount, *, at: datetime) -> list[dict[str, Any]]:
    """거절한 IP of the last days, the most frequent first; one query."""
    rows = PgRequest.objects.filter(account=account, reason="ip_not_allowed", at__gte=at - timedelta(days=DENIED_DAYS))
    counted = rows.order_by().values("client_ip").annotate(n=Count("pk"), last=Max("at")).order_by("-n", "client_ip")
    return [
        {"ip": one["client_ip"] or "알 수 없음", "count": one["n"], "last": cells.full_time(one["last"])}
        for one in counted[:MOST_DENIED]
    ]


def changes_of(prefix: str, labels: Mapping[str, str]) -> list[ChangeRow]:
    """변경 이력 under keys that begin so, newest first; one query."""

    def tell(row: SettingChange) -> tuple[str, str, str]:
        return labels.get(row.key.rpartition(":")[2], row.key), words(row.old), words(row.new)

    return change_rows(Q(key__startswith=prefix), tell)
