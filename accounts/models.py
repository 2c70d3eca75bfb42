"""Staff accounts and the two histories that nobody may rewrite."""

from collections.abc import Iterable, Iterator
from typing import Any

import pgtrigger
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.validators import ASCIIUsernameValidator
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils.crypto import salted_hmac

from accounts.roles import PERMISSIONS, Role, may

APPEND_ONLY = pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)


class UserManager(BaseUserManager["User"]):
    """운영자: creation with a hashed password."""

    def create_user(self, username: str, password: str | None = None, **fields: Any) -> "User":
        """Store a member of staff; without a password nobody can log in as them."""
        user = self.model(username=username, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser):
    """운영자: one person who works in the back office; the system itself is never a row here."""

    username = models.CharField("아이디", max_length=40, unique=True, validators=[ASCIIUsernameValidator()])
    display_name = models.CharField("이름", max_length=40)
    role = models.CharField("역할", max_length=12, choices=Role.choices, default=Role.VIEWER)
    is_active = models.BooleanField("사용", default=True)
    is_demo = models.BooleanField("데모 계정", default=False)
    # Raised to end every session at once: it is part of what a session proves itself with.
    session_epoch = models.PositiveIntegerField("세션 세대", default=0)
    prefs = models.JSONField("화면 설정", default=dict, blank=True)
    page_size = models.PositiveSmallIntegerField("목록 행 수", default=50)
    created_at = models.DateTimeField("등록일시", auto_now_add=True)
    updated_at = models.DateTimeField("수정일시", auto_now=True)

    objects = UserManager()

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS = ["display_name"]

    class Meta:
        verbose_name = "운영자"
        constraints = [
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="user_role_known"),
            models.CheckConstraint(condition=models.Q(page_size__range=(10, 200)), name="user_page_size_range"),
        ]

    def __str__(self) -> str:
        return self.display_name or self.username

    def get_short_name(self) -> str:
        return self.display_name

    def get_session_auth_hash(self) -> str:
        """세션 증명: what a session stores at log-in; a new password or a raised epoch makes it worthless."""
        return self._session_proof(settings.SECRET_KEY)

    def get_session_auth_fallback_hash(self) -> Iterator[str]:
        """세션 증명 under secret keys that are being replaced."""
        for secret in settings.SECRET_KEY_FALLBACKS:
            yield self._session_proof(secret)

    def _session_proof(self, secret: str | bytes) -> str:
        proof = f"{self.password}:{self.session_epoch}"
        return salted_hmac("accounts.session", proof, secret=secret, algorithm="sha256").hexdigest()

    @property
    def role_label(self) -> str:
        """역할 이름 in Korean."""
        return Role(self.role).label

    def has_perm(self, code: str, obj: object = None) -> bool:
        """권한 여부: answered from the table of accounts/roles.py. Raises LookupError for an unknown code."""
        return self.is_active and may(self.role, code)

    def has_perms(self, codes: Iterable[str], obj: object = None) -> bool:
        """권한 여부: whether the person has all of several rights."""
        return all(self.has_perm(code) for code in codes)

    def has_module_perms(self, app_label: str) -> bool:
        """권한 여부: whether the person has any right of an app."""
        return self.is_active and any(
            self.role in one.roles for one in PERMISSIONS.values() if one.code.startswith(f"{app_label}.")
        )


def seal_sql(row: str) -> str:
    """봉인 값: SQL for the digest of a row of the access log, `row` being its alias."""
    columns = ("actor_id", "action", "agent_hash", "session_hash", "purpose", "row_count", "detail")
    parts = [f"{row}.{name}::text" for name in columns]
    parts += [f"extract(epoch from {row}.at)::text", f"host({row}.ip)", f"array_to_string({row}.subjects, ',')"]
    told = " || '|' || ".join(f"COALESCE({part}, '')" for part in parts)
    return f"encode(sha256(convert_to({told}, 'UTF8')), 'hex')"


SEAL = pgtrigger.Trigger(
    name="sealed",
    operation=pgtrigger.Insert,
    when=pgtrigger.After,
    func=f"INSERT INTO accounts_accessseal (log_id, digest) VALUES (NEW.id, {seal_sql('NEW')}); RETURN NULL;",
)


class AccessAction(models.TextChoices):
    """접속 기록 구분: what was done with personal data or at the door."""

    VIEW = "VIEW", "조회"
    EXPORT = "EXPORT", "다운로드"
    LOGIN = "LOGIN", "로그인"
    LOGOUT = "LOGOUT", "로그아웃"
    LOGIN_FAILED = "LOGIN_FAILED", "로그인 실패"
    DENIED = "DENIED", "권한 거부"


class AccessLog(models.Model):
    """접속 기록: who saw or took which personal data, and who came in; append-only (reliability.md R-06)."""

    # Empty: nobody was logged in.
    actor = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name="운영자")
    at = models.DateTimeField("일시")
    action = models.CharField("구분", max_length=12, choices=AccessAction.choices)
    ip = models.GenericIPAddressField("IP", null=True, blank=True)
    agent_hash = models.CharField("브라우저 해시", max_length=16, blank=True, default="")
    session_hash = models.CharField("세션 해시", max_length=16, blank=True, default="")
    purpose = models.CharField("사유", max_length=200, blank=True, default="")
    subjects = ArrayField(models.CharField(max_length=40), verbose_name="주문번호", default=list, blank=True)
    row_count = models.PositiveIntegerField("건수", default=0)
    detail = models.JSONField("상세", default=dict, blank=True)

    class Meta:
        verbose_name = "접속 기록"
        constraints = [
            models.CheckConstraint(condition=models.Q(action__in=AccessAction.values), name="access_action_known")
        ]
        indexes = [
            models.Index(fields=["at"], name="access_at"),
            models.Index(fields=["actor", "-id"], name="access_actor"),
            models.Index(fields=["action", "-id"], name="access_action"),
            GinIndex(fields=["subjects"], name="access_subjects"),
        ]
        triggers = [APPEND_ONLY, SEAL]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.action}"


class AccessSeal(models.Model):
    """봉인: what the database itself wrote down of each row of the access log as it came in; append-only.

    A row that is lost or changed behind the trigger's back is missed by `oms_check` (INV-15). Per row instead of as a
    chain, which would make everybody who writes wait for everybody else.
    """

    log_id = models.BigIntegerField("접속 기록", primary_key=True)
    digest = models.CharField("값", max_length=64)

    class Meta:
        verbose_name = "봉인"
        triggers = [APPEND_ONLY]

    def __str__(self) -> str:
        return f"{self.log_id}"


class PermissionChange(models.TextChoices):
    """권한 변경 구분: what happened to an account."""

    INVITED = "INVITED", "초대"
    ROLE = "ROLE", "역할 변경"
    DISABLED = "DISABLED", "사용 중지"
    ENABLED = "ENABLED", "사용 재개"
    SESSIONS_ENDED = "SESSIONS_ENDED", "모든 기기에서 로그아웃"
    LINK_ISSUED = "LINK_ISSUED", "비밀번호 설정 링크 발급"
    PASSWORD_SET = "PASSWORD_SET", "비밀번호 변경"
    UNLOCKED = "UNLOCKED", "로그인 잠금 해제"


class PermissionHistory(models.Model):
    """권한 변경 이력: who gave, changed or took whose rights; append-only (reliability.md R-02)."""

    user = models.ForeignKey(User, models.PROTECT, related_name="permission_history", verbose_name="대상")
    # Empty: the system, for instance when the demo shop is set up.
    actor = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name="처리자")
    change = models.CharField("구분", max_length=14, choices=PermissionChange.choices)
    old_role = models.CharField("이전 역할", max_length=12, blank=True, default="")
    new_role = models.CharField("새 역할", max_length=12, blank=True, default="")
    reason = models.CharField("사유", max_length=200, blank=True, default="")
    at = models.DateTimeField("일시")

    class Meta:
        verbose_name = "권한 변경 이력"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(change__in=PermissionChange.values), name="permission_change_known"
            )
        ]
        indexes = [models.Index(fields=["user", "-id"], name="permission_history_user")]
        triggers = [APPEND_ONLY]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.change}"
