"""변경 이력 of rows that staff keep: couriers and status rules."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from accounts.models import User
from core.calendar import KST
from core.models import SettingChange

LAST_CHANGES = 20


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """변경 이력 한 줄."""

    at: str
    who: str
    label: str
    old: str
    new: str


def changes_of(
    prefix: str, *, labels: Mapping[str, str], key: str = "", settings: Collection[str] = ()
) -> list[ChangeRow]:
    """변경 이력 of keys that begin with `prefix`, or of one key, newest first: only the facts that changed.

    `settings` are keys of plain values that are told as well.
    """
    mine = Q(key=key) if key else Q(key__startswith=prefix) | Q(key__in=settings)
    rows = SettingChange.objects.filter(mine)
    return [
        ChangeRow(
            at=f"{row.at.astimezone(KST):%Y-%m-%d %H:%M}",
            who=f"{row.actor.display_name} 님" if isinstance(row.actor, User) else "시스템",
            label=labels.get(row.key, row.key.removeprefix(prefix)),
            old=_said(row.old, row.new),
            new=_said(row.new, row.old),
        )
        for row in rows.select_related("actor").order_by("-at", "-pk")[:LAST_CHANGES]
    ]


def _said(value: Any, other: Any) -> str:
    if not isinstance(value, Mapping):
        return "없음" if value is None else f"{value:,}원" if isinstance(value, int) else str(value)
    before = other if isinstance(other, Mapping) else {}
    # Of something new, what was left empty is not worth a word.
    told = {name: text for name, text in value.items() if text or before}
    changed = [str(text) or "비어 있음" for name, text in told.items() if before.get(name) != text]
    return " · ".join(changed)
