"""Staff accounts and the two histories that nobody may rewrite."""

from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.validators import ASCIIUsernameValidator
from django.db import models

from accounts.roles import Role


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
    # Raised to end every session at once; a session remembers the value it was opened with.
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
