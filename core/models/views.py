"""Saved views of lists."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from core.models.base import TimeStamped


class SavedView(TimeStamped):
    """보기: conditions, sort and columns of a list under a name, for one person or for everybody."""

    page = models.CharField("목록", max_length=40)
    name = models.CharField("이름", max_length=40)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name="만든 사람")
    is_shared = models.BooleanField("모두에게 보이기", default=False)
    # The normalised query string; relative periods stay relative.
    query = models.TextField("조건", blank=True)
    # Keys of the visible columns in order; NULL follows each person's own choice.
    columns = models.JSONField("열", null=True, blank=True)

    class Meta:
        verbose_name = "보기"
        constraints = [
            models.UniqueConstraint(fields=["page", "owner", "name"], name="view_name_once_per_owner"),
            models.UniqueConstraint(
                fields=["page", "name"], name="view_name_once_when_shared", condition=Q(is_shared=True)
            ),
        ]
        indexes = [models.Index(fields=["page", "is_shared", "owner"], name="view_of_page")]

    def __str__(self) -> str:
        return self.name
