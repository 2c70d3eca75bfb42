"""Rows of the account pages, with finished strings."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import F, QuerySet

from accounts.models import AccessAction, AccessLog, PermissionChange, PermissionHistory, User
from accounts.roles import PERMISSIONS, Role
from core.cells import full_time

PAGE = 50
SUBJECTS_SHOWN = 3
WORDS_SHOWN = 60


@dataclass(frozen=True, slots=True)
class StaffRow:
    """운영자 목록의 한 행."""

    pk: int
    username: str
    display_name: str
    role: str
    status: str
    last_login: str


def staff_rows() -> list[StaffRow]:
    """운영자 목록: active people first, then by name."""
    return [
        StaffRow(
            pk=user.pk,
            username=user.username,
            display_name=user.display_name,
            role=user.role_label,
            status=_status(user),
            last_login=full_time(user.last_login) or "없음",
        )
        for user in User.objects.order_by("-is_active", "display_name", "pk")
    ]


def _status(user: User) -> str:
    if not user.is_active:
        return "사용 중지"
    return "사용" if user.has_usable_password() else "초대함"


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """권한 변경 이력의 한 행."""

    at: str
    actor: str
    change: str
    roles: str
    reason: str


def history_rows(user: User) -> list[HistoryRow]:
    """권한 변경 이력 of one person, newest first."""
    rows = PermissionHistory.objects.filter(user=user).select_related("actor").order_by("-pk")
    return [
        HistoryRow(
            at=full_time(row.at),
            actor=_name(row.actor),
            change=PermissionChange(row.change).label,
            roles=" → ".join(Role(role).label for role in (row.old_role, row.new_role) if role),
            reason=row.reason,
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class AccessRow:
    """접속 기록의 한 행."""

    pk: int
    at: str
    actor: str
    action: str
    what: str
    purpose: str
    ip: str


def access_page(rows: QuerySet[AccessLog], *, after: int | None) -> tuple[list[AccessRow], int | None]:
    """접속 기록 한 쪽: newest first, below the row `after`; and the id to go on from, None at the end."""
    if after is not None:
        rows = rows.filter(pk__lt=after)
    # An export names every order it took; the page shows the first few.
    page = list(
        rows.select_related("actor")
        .defer("subjects")
        .annotate(first_subjects=F("subjects")[0:SUBJECTS_SHOWN])  # type: ignore[index]
        .order_by("-pk")[: PAGE + 1]
    )
    shown = page[:PAGE]
    return [_access_row(row) for row in shown], shown[-1].pk if len(page) > PAGE else None


def _access_row(row: AccessLog) -> AccessRow:
    return AccessRow(
        pk=row.pk,
        at=full_time(row.at),
        actor=_name(row.actor) if row.actor else "로그인 전",
        action=AccessAction(row.action).label,
        what=_what(row, getattr(row, "first_subjects", [])),
        purpose=row.purpose,
        ip=row.ip or "",
    )


def _what(row: AccessLog, first_subjects: Iterable[str]) -> str:
    code = row.detail.get("permission", "")
    if code:
        return PERMISSIONS[code].label if code in PERMISSIONS else code
    if words := row.detail.get("search", ""):
        return f"검색 '{_cut(words)}' · {row.row_count:,}건"
    names = ", ".join(first_subjects)
    if names and row.row_count > SUBJECTS_SHOWN:
        return f"{names} 등 {row.row_count:,}건"
    return names or (f"{row.row_count:,}건" if row.row_count else "")


def _cut(words: str) -> str:
    plain = " ".join(words.split())
    return plain if len(plain) <= WORDS_SHOWN else f"{plain[:WORDS_SHOWN]}…"


def _name(user: User | None) -> str:
    return user.display_name if user else "시스템"
