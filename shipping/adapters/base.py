"""What every tracking source answers, whatever protocol it speaks (shipping.md 4.4)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol

SAMPLE_LIMIT = 4096
"""Characters of a body that nobody could read, kept for the log."""


class TrackOutcome(StrEnum):
    """조회 결과: the seven answers that polling tells apart; only FOUND carries events."""

    FOUND = "FOUND"
    """The source knows the number; an empty list of events means 미집하."""
    NOT_FOUND = "NOT_FOUND"
    """Unknown, not scanned yet or expired: no failure, ask again by the table."""
    BAD_NUMBER = "BAD_NUMBER"
    """The number breaks the courier's own rule: stop asking."""
    UNKNOWN_CARRIER = "UNKNOWN_CARRIER"
    """The source does not serve this courier: a fault of our settings, stop asking."""
    RATE_LIMITED = "RATE_LIMITED"
    """Too many calls: come back after `retry_after` seconds (60 where the source names none)."""
    AUTH = "AUTH"
    """The account was refused: stop the account, one alert."""
    UNAVAILABLE = "UNAVAILABLE"
    """No answer or none that can be read: back off; it never changes an order."""


class Cause(StrEnum):
    """장애 원인: why a source was UNAVAILABLE."""

    TIMEOUT = "TIMEOUT"
    UNREACHABLE = "UNREACHABLE"
    SERVER = "SERVER"
    MALFORMED = "MALFORMED"


@dataclass(frozen=True, kw_only=True)
class RawEvent:
    """배송 이력 한 줄: one scan as the source tells it, oldest first in a list; texts are cleaned, never None."""

    code: str = ""
    """The source's own generic code, upper-case."""
    name: str = ""
    """The courier's status word (집화처리)."""
    text: str = ""
    """The sentence beside it."""
    place: str = ""
    at: datetime | None = None
    """Aware; None where the source gave no time that can be read."""
    is_date_only: bool = False
    """True when only the date in `at` means something (롯데 scans without a time, shipping.md 0.3)."""


@dataclass(frozen=True, kw_only=True)
class TrackResult:
    """조회 응답: an outcome, and with FOUND the whole list of events."""

    outcome: TrackOutcome
    events: tuple[RawEvent, ...] = ()
    retry_after: int | None = None
    """Seconds; only with RATE_LIMITED, None where the source names none."""
    cause: Cause | None = None
    """Only with UNAVAILABLE."""
    detail: str = ""
    """English remark for the log, without personal data."""
    sample: str = ""
    """Start of a body that could not be read; mask before storing, it may hold a name."""
    recipient: str = field(default="", repr=False)
    """Whom the source takes the parcel to, as it masks him; to be compared (shipping.md 0.6), never stored or shown."""


class TrackingSource(Protocol):
    """배송조회 소스: a service that is asked about one parcel at a time."""

    name: str

    def track(self, *, carrier: str, number: str) -> TrackResult:
        """배송조회: ask about `number` of the carrier with this code of the source's own.

        A failure is an outcome, nothing is raised; an empty `carrier` is UNKNOWN_CARRIER.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class FeedEvent:
    """배송 소식 한 건: one scan of a parcel that a bulk feed tells of, unasked."""

    number: str
    key: str = ""
    """What we called the parcel when its number was registered (CUST_USE_NO), empty where the feed has none."""
    event: RawEvent
    is_return: bool = False
    receipt: str = ""
    """What the acknowledgement of this event names, in the source's own words."""


@dataclass(frozen=True, kw_only=True)
class FeedPage:
    """배송 소식 한 쪽: FOUND with up to `page_size` events (none: nothing new), or what stands in the way."""

    outcome: TrackOutcome
    events: tuple[FeedEvent, ...] = ()
    skipped: int = 0
    """Entries of the page that could not be read; their receipts are lost, so the source will tell them again."""
    retry_after: int | None = None
    cause: Cause | None = None
    detail: str = ""
    sample: str = ""


@dataclass(frozen=True, kw_only=True)
class PushResult:
    """알림 신청 응답: FOUND when the source will call us; otherwise what stands in the way."""

    outcome: TrackOutcome
    is_supported: bool = True
    """False where the server knows no such call: one of one's own."""
    retry_after: int | None = None
    """Seconds; only with RATE_LIMITED."""
    detail: str = ""


class TrackingPush(Protocol):
    """배송 알림: a source that calls an address of ours when something happens to a parcel."""

    name: str

    def subscribe(self, *, carrier: str, number: str, address: str, until: datetime) -> PushResult:
        """알림 신청 until a moment (aware); the same again prolongs it. Nothing is raised."""
        ...


class TrackingFeed(Protocol):
    """배송 소식: a source that tells by contract what happened, page by page, until each event is acknowledged."""

    name: str
    page_size: int

    def pull(self, *, day: date) -> FeedPage:
        """받기: events of a KST day that were not acknowledged yet; nothing is raised."""
        ...

    def acknowledge(self, *, events: Sequence[FeedEvent]) -> TrackOutcome:
        """수신 확인: FOUND when the source will not tell these again; at most `page_size` of them."""
        ...
