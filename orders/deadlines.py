"""Deadlines: when an order must be paid and when it must be sent.

The newest `DeadlineRule` of the channel that is valid on the day counts, else the newest rule for all channels, else
the setting (3 business days, domain.md 2.1; 7 days to pay, domain.md 1.2).
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta

from core.calendar import business_calendar, kst_date
from core.settings_registry import get_setting
from orders.models.channel import DeadlineKind, DeadlineRule
from orders.models.line import OrderLine
from orders.models.order import Order

_SETTING = {DeadlineKind.SHIP: "ship_days", DeadlineKind.DEPOSIT: "deposit_days"}


class Deadlines:
    """기한 계산: the rules of some channels, read once and then asked for many orders."""

    def __init__(self, channel_ids: Collection[int]) -> None:
        self._rules: dict[tuple[int | None, str], list[tuple[date, int]]] = {}
        wanted = [*set(channel_ids)]
        found = DeadlineRule.objects.filter(channel_id__in=wanted) | DeadlineRule.objects.filter(channel__isnull=True)
        for rule in found.order_by("-valid_from"):
            self._rules.setdefault((rule.channel_id, rule.kind), []).append((rule.valid_from, rule.days))
        self._default = {kind: int(get_setting(key)) for kind, key in _SETTING.items()}
        self._calendar = business_calendar()
        self._cache: dict[tuple[int, date], datetime] = {}

    def days(self, channel_id: int, kind: DeadlineKind, on: date) -> int:
        """Days that the rule valid on the KST date grants."""
        for key in (channel_id, None):
            for valid_from, days in self._rules.get((key, kind), []):
                if valid_from <= on:
                    return days
        return self._default[kind]

    def ship_by(self, channel_id: int, paid_at: datetime) -> datetime:
        """발송기한: end of the last business day (24:00 KST) after payment."""
        day = kst_date(paid_at)
        if (channel_id, day) not in self._cache:
            self._cache[channel_id, day] = self._calendar.deadline(
                paid_at, self.days(channel_id, DeadlineKind.SHIP, day)
            )
        return self._cache[channel_id, day]

    def deposit_by(self, channel_id: int, ordered_at: datetime) -> datetime:
        """입금기한: exact to the minute, counted in whole days from the order."""
        days = self.days(channel_id, DeadlineKind.DEPOSIT, kst_date(ordered_at))
        return ordered_at + timedelta(days=days)


def renew_deposit_by(lines: Sequence[OrderLine], *, at: datetime) -> None:
    """입금기한 갱신: an order whose lines wait for its money again gets a new 입금기한 when the old one is over.

    The lines carry their locked orders. The next 자동취소 would end them at once otherwise.
    """
    orders = {line.order_id: line.order for line in lines}.values()
    late = [order for order in orders if order.deposit_by is not None and order.deposit_by <= at]
    if not late:
        return
    deadlines = Deadlines({order.channel_id for order in late})
    for order in late:
        order.deposit_by = deadlines.deposit_by(order.channel_id, at)
    Order.objects.bulk_update(late, ["deposit_by"])


def take_deposit_by(order: Order, *, due_at: datetime) -> None:
    """입금기한 맞추기: the moment until which the place of payment itself takes the money; the order is locked."""
    if order.deposit_by != due_at:
        order.deposit_by = due_at
        Order.objects.filter(pk=order.pk).update(deposit_by=due_at)


def days_to_confirm() -> timedelta:
    """자동 구매확정 기간: days after the delivery, or after a 구매확정 철회, until a line is confirmed by itself."""
    return timedelta(days=int(get_setting("auto_confirm_days")))
