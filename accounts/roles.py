"""Roles and the rights they carry, as data (reliability.md 4.1)."""

from django.db import models


class Role(models.TextChoices):
    """역할: what a member of staff is hired for; it alone decides the rights."""

    OWNER = "OWNER", "대표"
    CS = "CS", "CS"
    LOGISTICS = "LOGISTICS", "물류"
    FINANCE = "FINANCE", "재무"
    VIEWER = "VIEWER", "조회전용"
    AUDITOR = "AUDITOR", "감사"
