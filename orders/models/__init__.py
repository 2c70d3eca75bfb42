"""Tables of orders, one file per subject."""

from orders.models.benefit import BenefitEntry
from orders.models.channel import DeadlineKind, DeadlineRule, SalesChannel
from orders.models.event import Delivery, OrderEvent
from orders.models.line import OrderLine
from orders.models.lock import LineLock
from orders.models.notes import DelayNotice, DelayReason, StaffMemo
from orders.models.order import Order, StepDelta
from orders.models.search import OrderSearch

__all__ = [
    "BenefitEntry",
    "DeadlineKind",
    "DeadlineRule",
    "DelayNotice",
    "DelayReason",
    "Delivery",
    "LineLock",
    "Order",
    "OrderEvent",
    "OrderLine",
    "OrderSearch",
    "SalesChannel",
    "StaffMemo",
    "StepDelta",
]
