"""Tables without business words, shared by every app."""

from core.models.base import TimeStamped
from core.models.calendar import Holiday
from core.models.counter import DailyCounter
from core.models.message import Message
from core.models.setting import Setting, SettingChange

__all__ = ["DailyCounter", "Holiday", "Message", "Setting", "SettingChange", "TimeStamped"]
