"""기한 규칙 by staff: every change is kept among the changes of settings, with who and when."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from django.db import transaction

from core.exceptions import NotFound
from core.settings_registry import note_change
from orders.models.channel import DeadlineKind, DeadlineRule, SalesChannel

HISTORY_KEY = "deadline_rule"


def set_rule(
    *, kind: DeadlineKind, channel_id: int | None, days: int, valid_from: date, actor: Any, at: datetime
) -> DeadlineRule:
    """기한 규칙 저장: one rule for each channel, kind and first day; the same again overwrites its days.

    Orders that have their deadline already keep it.
    """
    with transaction.atomic():
        key: dict[str, Any] = {"kind": kind, "channel_id": channel_id, "valid_from": valid_from}
        old = DeadlineRule.objects.select_for_update().filter(**key).first()
        before = shown(old) if old else None
        rule, _ = DeadlineRule.objects.update_or_create(**key, defaults={"days": days})
        if before != shown(rule):
            note_change(key=HISTORY_KEY, old=before, new=shown(rule), actor=actor, at=at)
    return rule


def remove_rule(*, rule_id: int, actor: Any, at: datetime) -> None:
    """기한 규칙 삭제: the next older rule, or the setting, counts again. Raises NotFound."""
    with transaction.atomic():
        rule = DeadlineRule.objects.select_for_update().filter(pk=rule_id).first()
        if rule is None:
            raise NotFound("기한 규칙을 찾을 수 없습니다. 화면을 새로 고치세요.")
        note_change(key=HISTORY_KEY, old=shown(rule), new=None, actor=actor, at=at)
        rule.delete()


def shown(rule: DeadlineRule) -> Mapping[str, Any]:
    """이력에 남길 내용."""
    channel = SalesChannel.objects.filter(deadline_rules=rule).first()
    return {
        "kind": DeadlineKind(rule.kind).label,
        "channel": channel.name if channel else "모든 채널",
        "days": rule.days,
        "from": str(rule.valid_from),
    }
