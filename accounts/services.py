"""What can be done with staff accounts, and the two histories that keep it."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from axes.utils import reset
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q

from accounts.clients import NO_CLIENT, Client
from accounts.models import AccessAction, AccessLog, PermissionChange, PermissionHistory, User
from accounts.roles import Role
from core.exceptions import Conflict, DomainError, NotFound

DEMO_ENVIRONMENTS = ("demo", "test")
DEMO_PASSWORD = "demo"
DEMO_STAFF = (
    ("owner", "이서연", Role.OWNER),
    ("cs", "박지우", Role.CS),
    ("logistics", "정도윤", Role.LOGISTICS),
    ("finance", "최하린", Role.FINANCE),
    ("viewer", "한유진", Role.VIEWER),
    ("auditor", "오민재", Role.AUDITOR),
)
PREFERENCES: dict[str, frozenset[str]] = {
    "theme": frozenset({"system", "light", "dark"}),
    "density": frozenset({"compact", "normal", "roomy"}),
    "sidebar": frozenset({"wide", "narrow"}),
    "shortcuts": frozenset({"on", "off"}),
    # 송장 용지 of the printer beside the person; "shop" is whatever the shop uses.
    "label_paper": frozenset({"shop", "cj", "roll", "sheet"}),
    # 포장 검수대: volume in percent, and whether the result is spoken.
    "pack_volume": frozenset({"0", "25", "50", "75", "100"}),
    "pack_speech": frozenset({"on", "off"}),
    "pack_print": frozenset({"on", "off"}),
}
PAGE_SIZES = (20, 50, 100, 200)
LAST_OWNER = "마지막 대표 계정입니다. 먼저 다른 사람에게 대표 역할을 주세요."
UNKNOWN = "운영자를 찾을 수 없습니다."


class PasswordRefused(DomainError):
    """비밀번호 거절: the password breaks the rules; the message lists which."""

    code = "password_refused"


def record_access(
    *,
    actor: User | None,
    action: AccessAction,
    at: datetime,
    client: Client = NO_CLIENT,
    purpose: str = "",
    subjects: Collection[str] = (),
    row_count: int | None = None,
    detail: Mapping[str, Any] | None = None,
) -> AccessLog:
    """접속 기록: write one row before personal data leaves the house; when this fails, nothing may be shown or sent.

    `subjects` are order numbers; `row_count` is their number unless said otherwise. Source: reliability.md R-06.
    """
    return AccessLog.objects.create(
        actor=actor,
        action=action,
        at=at,
        ip=client.ip,
        agent_hash=client.agent_hash,
        session_hash=client.session_hash,
        purpose=purpose[:200],
        subjects=list(subjects),
        row_count=len(subjects) if row_count is None else row_count,
        detail=dict(detail or {}),
    )


def invite(*, username: str, display_name: str, role: Role, actor: User, at: datetime) -> User:
    """운영자 초대: create an account without a password; its owner sets one through the invitation link.

    Raises Conflict when the log-in name is taken.
    """
    with transaction.atomic():
        user, created = User.objects.get_or_create(
            username=username,
            defaults={"display_name": display_name, "role": role, "password": make_password(None)},
        )
        if not created:
            raise Conflict("이미 쓰고 있는 아이디입니다. 다른 아이디를 입력하세요.", code="username_taken")
        _remember(user, PermissionChange.INVITED, actor=actor, at=at, new_role=role)
    return user


def change_role(*, user_id: int, role: Role, reason: str, actor: User, at: datetime) -> User:
    """역할 변경: give a person another role; it holds from their next request.

    Raises Conflict for one's own role and for the last 대표, NotFound for an unknown person.
    """
    with transaction.atomic():
        user, is_last_owner = _locked_with_owners(user_id)
        old_role = user.role
        if old_role == role:
            return user
        _refuse_self(user, actor, "자신의 역할은 바꿀 수 없습니다. 다른 대표에게 요청하세요.")
        if is_last_owner:
            raise Conflict(LAST_OWNER, code="last_owner")
        user.role = role
        user.save(update_fields=["role", "updated_at"])
        _remember(user, PermissionChange.ROLE, actor=actor, at=at, reason=reason, old_role=old_role, new_role=role)
    return user


def disable(*, user_id: int, reason: str, actor: User, at: datetime) -> User:
    """사용 중지: end every session of a person and let them in no more.

    Raises Conflict for oneself and for the last 대표, NotFound for an unknown person.
    """
    with transaction.atomic():
        user, is_last_owner = _locked_with_owners(user_id)
        if not user.is_active:
            return user
        _refuse_self(user, actor, "자신의 계정은 중지할 수 없습니다. 다른 대표에게 요청하세요.")
        if is_last_owner:
            raise Conflict(LAST_OWNER, code="last_owner")
        user.is_active = False
        user.session_epoch += 1
        user.save(update_fields=["is_active", "session_epoch", "updated_at"])
        _remember(user, PermissionChange.DISABLED, actor=actor, at=at, reason=reason, old_role=user.role)
    return user


def enable(*, user_id: int, reason: str, actor: User, at: datetime) -> User:
    """사용 재개: let a person in again with the role they had."""
    with transaction.atomic():
        user = _locked(user_id)
        if user.is_active:
            return user
        user.is_active = True
        user.save(update_fields=["is_active", "updated_at"])
        _remember(user, PermissionChange.ENABLED, actor=actor, at=at, reason=reason, new_role=user.role)
    return user


def end_sessions(*, user_id: int, actor: User, at: datetime) -> User:
    """모든 기기에서 로그아웃: every session of the person ends with its next request."""
    with transaction.atomic():
        user = _locked(user_id)
        user.session_epoch += 1
        user.save(update_fields=["session_epoch", "updated_at"])
        _remember(user, PermissionChange.SESSIONS_ENDED, actor=actor, at=at)
    return user


def record_link(*, user_id: int, actor: User, at: datetime) -> User:
    """비밀번호 설정 링크 발급: remember who made a link with which a password can be set; the person must be active."""
    with transaction.atomic():
        user = _locked(user_id)
        if not user.is_active:
            raise Conflict("사용을 중지한 계정입니다. 먼저 사용을 재개하세요.")
        _remember(user, PermissionChange.LINK_ISSUED, actor=actor, at=at)
    return user


def set_password(*, user: User, password: str, at: datetime) -> User:
    """비밀번호 변경: store a new password and end every session opened with the old one.

    Raises PasswordRefused with the broken rules.
    """
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise PasswordRefused(" ".join(error.messages)) from error
    with transaction.atomic():
        user = _locked(user.pk)
        user.set_password(password)
        user.session_epoch += 1
        user.save(update_fields=["password", "session_epoch", "updated_at"])
        _remember(user, PermissionChange.PASSWORD_SET, actor=user, at=at)
    return user


def unlock(*, user_id: int, actor: User, at: datetime) -> User:
    """로그인 잠금 해제: forget the failed log-ins of a person."""
    with transaction.atomic():
        user = _locked(user_id)
        reset(username=user.username)
        _remember(user, PermissionChange.UNLOCKED, actor=actor, at=at)
    return user


def set_preferences(*, user: User, changes: Mapping[str, str], page_size: int | None = None) -> User:
    """화면 설정: store display choices of a person, see PREFERENCES and PAGE_SIZES.

    Raises DomainError for a choice that does not exist; nothing is stored then.
    """
    for name, value in changes.items():
        if value not in PREFERENCES.get(name, frozenset()):
            raise DomainError("고를 수 없는 화면 설정입니다. 화면을 새로고침하세요.", code="unknown_preference")
    if page_size is not None and page_size not in PAGE_SIZES:
        raise DomainError(
            f"목록 행 수는 {', '.join(map(str, PAGE_SIZES))} 가운데에서 고르세요.", code="unknown_page_size"
        )
    with transaction.atomic():
        user = _locked(user.pk)
        user.prefs = user.prefs | dict(changes)
        user.page_size = page_size or user.page_size
        user.save(update_fields=["prefs", "page_size", "updated_at"])
    return user


def create_demo_staff(*, at: datetime) -> list[User]:
    """데모 운영자: one account per role, named after it, password `demo`; running it again restores them.

    Raises DomainError unless OMS_ENV is demo or test.
    """
    if settings.OMS_ENV not in DEMO_ENVIRONMENTS:
        raise DomainError("데모 계정은 데모 환경에서만 만들 수 있습니다.", code="not_demo")
    password = make_password(DEMO_PASSWORD)
    staff = []
    with transaction.atomic():
        for username, display_name, role in DEMO_STAFF:
            values = {"display_name": display_name, "role": role, "password": password, "is_active": True}
            user, created = User.objects.update_or_create(username=username, defaults=values | {"is_demo": True})
            if created:
                _remember(user, PermissionChange.INVITED, actor=None, at=at, new_role=role, reason="데모")
            staff.append(user)
    return staff


def may_log_in(user: User, client: Client = NO_CLIENT) -> bool:
    """로그인 가능 여부: active, and a demo account only in the demo shop on this very computer."""
    if user.is_demo and (settings.OMS_ENV not in DEMO_ENVIRONMENTS or not client.is_local):
        return False
    return user.is_active


def _locked(user_id: int) -> User:
    try:
        return User.objects.select_for_update().get(pk=user_id)
    except User.DoesNotExist:
        raise NotFound(UNKNOWN) from None


def _refuse_self(user: User, actor: User, sentence: str) -> None:
    if user.pk == actor.pk:
        raise Conflict(sentence, code="own_account")


def _locked_with_owners(user_id: int) -> tuple[User, bool]:
    # All owners are locked, in one order: two who demote each other at the same moment queue up and one stays.
    owners = Q(role=Role.OWNER, is_active=True)
    users = {user.pk: user for user in User.objects.select_for_update().filter(owners | Q(pk=user_id)).order_by("pk")}
    if user_id not in users:
        raise NotFound(UNKNOWN)
    active_owners = {pk for pk, user in users.items() if user.role == Role.OWNER and user.is_active}
    return users[user_id], active_owners == {user_id}


def _remember(
    user: User,
    change: PermissionChange,
    *,
    actor: User | None,
    at: datetime,
    reason: str = "",
    old_role: str = "",
    new_role: str = "",
) -> None:
    PermissionHistory.objects.create(
        user=user, actor=actor, change=change, at=at, reason=reason, old_role=old_role, new_role=new_role
    )
