"""Values that staff may change, and who changed them."""

import pgtrigger
from django.conf import settings
from django.db import models


class Setting(models.Model):
    """설정: one changed value; a key without a row has its declared default."""

    key = models.CharField("항목", max_length=60, primary_key=True)
    value = models.JSONField("값")
    updated_at = models.DateTimeField("수정일시")

    class Meta:
        verbose_name = "설정"

    def __str__(self) -> str:
        return self.key


class SettingChange(models.Model):
    """설정 변경 이력: who changed what from which value to which; append-only."""

    key = models.CharField("항목", max_length=60)
    old = models.JSONField("이전 값", null=True)
    new = models.JSONField("새 값", null=True)
    reason = models.CharField("사유", max_length=200, blank=True, default="")
    # Empty: the system itself.
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name="운영자"
    )
    at = models.DateTimeField("변경일시")

    class Meta:
        verbose_name = "설정 변경 이력"
        indexes = [models.Index(fields=["key", "-at"], name="setting_change_key_at")]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.key} {self.at:%Y-%m-%d}"
