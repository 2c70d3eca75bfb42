"""변경 이력 of rows that staff keep: couriers and status rules."""

from collections.abc import Collection, Mapping
from typing import Any

from django.db.models import Q

from core.models import SettingChange
from core.setting_history import ChangeRow, change_rows


def changes_of(
    prefix: str, *, labels: Mapping[str, str], key: str = "", settings: Collection[str] = ()
) -> list[ChangeRow]:
    """변경 이력 of keys that begin with `prefix`, or of one key, newest first: only the facts that changed.

    `settings` are keys of plain values that are told as well.
    """

    def tell(row: SettingChange) -> tuple[str, str, str]:
        return labels.get(row.key, row.key.removeprefix(prefix)), _said(row.old, row.new), _said(row.new, row.old)

    return change_rows(Q(key=key) if key else Q(key__startswith=prefix) | Q(key__in=settings), tell)


def _said(value: Any, other: Any) -> str:
    if not isinstance(value, Mapping):
        return "없음" if value is None else f"{value:,}원" if isinstance(value, int) else str(value)
    before = other if isinstance(other, Mapping) else {}
    # Of something new, what was left empty is not worth a word.
    told = {name: text for name, text in value.items() if text or before}
    changed = [str(text) or "비어 있음" for name, text in told.items() if before.get(name) != text]
    return " · ".join(changed)
