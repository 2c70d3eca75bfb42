"""Tables without business words, shared by every app."""

from core.models.base import TimeStamped
from core.models.calendar import Holiday
from core.models.counter import DailyCounter
from core.models.events import AbstractDelivery, AbstractEvent, DeliveryState, Source
from core.models.jobs import ItemResult, Job, JobItem, JobKind, JobState, SlotRun
from core.models.layout import SenderLayout
from core.models.message import Message
from core.models.searches import StoredSearch
from core.models.setting import Setting, SettingChange
from core.models.views import SavedView

__all__ = [
    "AbstractDelivery",
    "AbstractEvent",
    "DailyCounter",
    "DeliveryState",
    "Holiday",
    "ItemResult",
    "Job",
    "JobItem",
    "JobKind",
    "JobState",
    "Message",
    "SavedView",
    "SenderLayout",
    "Setting",
    "SettingChange",
    "SlotRun",
    "Source",
    "StoredSearch",
    "TimeStamped",
]
