"""상태 규칙 of the shop: rows of StatusRule, compiled once per source and courier and read again every few seconds."""

from core.fresh import Fresh
from shipping.models import StatusRule
from shipping.normalise import Rule, Rules
from shipping.states import Reason, RuleKind, TrackingStage


class RuleBook:
    """규칙집: the rules in use, and what was made of them so far."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self.rules = rules
        self._made: dict[tuple[str, str], Rules] = {}

    def of(self, source: str, courier: str) -> Rules:
        """Rules of one courier at one source."""
        key = (source, courier)
        if key not in self._made:
            self._made[key] = Rules(self.rules, source=source, courier=courier)
        return self._made[key]


def _load() -> RuleBook:
    fields = ("kind", "value", "stage", "source", "courier", "reason", "priority", "is_preset")
    rows = StatusRule.objects.filter(is_active=True).order_by("pk").values_list(*fields)
    return RuleBook(
        tuple(
            Rule(
                kind=RuleKind(kind), value=value, stage=TrackingStage(stage), source=source, courier=courier,
                reason=Reason(reason), priority=priority, is_preset=is_preset,
            )
            for kind, value, stage, source, courier, reason, priority, is_preset in rows
        )
    )  # fmt: skip


BOOK: Fresh[RuleBook] = Fresh(_load)
"""The rules as this process last read them; who changes them calls BOOK.forget()."""


def rules_for(source: str, courier: str) -> Rules:
    """상태 규칙: those of a courier (slug) at a kind of source (sources.kind_of); a change elsewhere counts here within
    core.fresh.SECONDS."""
    return BOOK.get().of(source, courier)
