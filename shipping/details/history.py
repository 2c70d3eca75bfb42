"""변경 이력 of rows that staff keep: couriers and status rules."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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


def changes_of(prefix: str, *, labels: Mapping[str, str], key: str = "") -> list[ChangeRow]:
    """변경 이력 of keys that begin with `prefix`, or of one key, newest first: only the facts that changed."""
    rows = SettingChange.objects.filter(key=key) if key else SettingChange.objects.filter(key__startswith=prefix)
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
        return "없음"
    before = other if isinstance(other, Mapping) else {}
    changed = [str(text) or "비어 있음" for name, text in value.items() if before.get(name) != text]
    return " · ".join(changed)
