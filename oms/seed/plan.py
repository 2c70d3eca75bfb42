"""How a sample shop is shaped: size, span and the shares of what goes on in it (domain.md 4.7)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from core.calendar import KST

SMALL = 20_000
"""Up to here the shop is young: four months, and much of it still in work."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """견본 계획: the same plan makes the same rows; `at` is the moment at which the shop is looked at."""

    orders: int
    seed: int
    at: datetime
    days: int
    """Whole days of business before the day of `at`."""
    recent_days: int
    recent_share: float
    """This share of the orders came in the last `recent_days` days and today."""
    split_share: float
    """Orders with several lines of which some wait longer: they stand in two states for a while."""
    hold_share: float
    unmapped_share: float
    """Lines of recent market orders whose product nobody has linked yet."""
    is_tracked: bool = True
    """Parcels on their way have been scanned already; else the courier's first word is still to come."""
    story_share: float = 0.0
    """Parcels whose number makes the sandbox tell something else than a plain delivery."""
    poll_within: timedelta = timedelta(hours=4)
    """Parcels on their way are asked about within this time after `at`."""

    @property
    def opened_at(self) -> datetime:
        """First midnight in Seoul of the shop."""
        today = self.at.astimezone(KST).replace(hour=0, minute=0, second=0, microsecond=0)
        return today - timedelta(days=self.days)

    @property
    def span(self) -> float:
        """Days from the opening to `at`."""
        return (self.at - self.opened_at) / timedelta(days=1)


def plan_for(*, orders: int, seed: int, at: datetime, days: int | None = None) -> Plan:
    """견본 계획 of a size: two years with a sale in the last two weeks (7 % open), or four months with a third open."""
    small = orders <= SMALL
    span = days if days is not None else (120 if small else 730)
    return Plan(
        orders=orders,
        seed=seed,
        at=at,
        days=span,
        recent_days=min(14, max(1, span // 2)),
        recent_share=0.40 if small else 0.11,
        split_share=0.55,
        hold_share=0.02,
        unmapped_share=0.02,
    )


def demo_plan(*, at: datetime) -> Plan:
    """데모 계획: a shop in which every step has work and parcels begin to move when somebody looks."""
    return Plan(
        orders=400,
        seed=20_260_921,
        at=at,
        days=30,
        recent_days=9,
        recent_share=0.85,
        split_share=0.5,
        hold_share=0.10,
        unmapped_share=0.06,
        is_tracked=False,
        story_share=0.15,
        poll_within=timedelta(minutes=2),
    )
