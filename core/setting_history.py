"""변경 이력: the newest changes of settings and of rows that staff keep, finished for settings/_changes.html."""

from collections.abc import Callable
from dataclasses import dataclass

from django.db.models import Q

from core.cells import minute_time
from core.models import SettingChange
from core.people import named

LAST_CHANGES = 20


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """변경 이력 한 줄."""

    at: str
    who: str
    label: str
    old: str
    new: str


def change_rows(of: Q, tell: Callable[[SettingChange], tuple[str, str, str]]) -> list[ChangeRow]:
    """변경 이력 of the keys that `of` names, newest first; one query.

    `tell` gives what was changed and the words of its old and its new value.
    """
    rows = SettingChange.objects.filter(of).select_related("actor").order_by("-at", "-pk")[:LAST_CHANGES]
    return [ChangeRow(minute_time(row.at), named(row.actor), *tell(row)) for row in rows]
