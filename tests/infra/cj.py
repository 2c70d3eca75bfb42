"""The contract with CJ: our adapters against its twin, over a socket, on the twin's clock."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from core.http import Client
from shipping.adapters.cj_issue import CjIssuer
from shipping.adapters.cj_tracking import CjFeed, CjTracking
from shipping.adapters.cj_wire import CjWire, DayToken, MemoryTokenStore
from shipping.adapters.issuing import Box, Party
from tests.infra.canned import CannedServer
from tests.infra.tracker import RunningTracker

KST = timezone(timedelta(hours=9))
NOON = datetime(2026, 11, 20, 12, tzinfo=KST)
CUSTOMER, BUSINESS, CANNED_TOKEN = "30000001", "123-45-67890", "canned-day-token"

SENDER = Party(name="테스트상점", phone="0212345678", zip_code="04524", address1="서울 중구 세종대로 1", address2="1층")
RECIPIENT = Party(
    name="홍길동", phone="01012345678", zip_code="04524", address1="서울 중구 세종대로 9길 53", address2="12층"
)
BOX = Box(key="20261120-00001-1", sender=SENDER, recipient=RECIPIENT, goods="면 티셔츠", day=NOON.date())


class CjShop:
    """One contract customer; `tracker` is the sandbox behind it."""

    at = NOON

    def __init__(self, tracker: RunningTracker) -> None:
        self.tracker, self.tokens = tracker, self.new_store()
        self.client = Client(f"{tracker.base_url}/cj", allow_loopback=True, timeout=(1, 3))
        tracker.control("clock", now=NOON.isoformat())
        tracker.control("config", is_demo=False)
        self.set(token_gap=0)
        self.wire = self.new_wire()
        self.issuer, self.tracking, self.feed = CjIssuer(self.wire), CjTracking(self.wire), CjFeed(self.wire)

    def new_wire(self, **values: Any) -> CjWire:
        """Another process of the same customer."""
        given = {"customer": CUSTOMER, "business": BUSINESS, "tokens": self.tokens, "now": self.now, **values}
        return CjWire(given.pop("client", self.client), **given)

    def new_store(self) -> MemoryTokenStore:
        """An empty token store whose seconds are those of both sides."""
        return MemoryTokenStore(clock=lambda: self.at.timestamp())

    def now(self) -> datetime:
        """The clock of both sides."""
        return self.at.astimezone(UTC)

    def advance(self, **values: float) -> None:
        """Let time pass for both sides."""
        step = timedelta(**values)
        self.at += step
        self.tracker.control("clock", advance=step.total_seconds())

    def set(self, **options: Any) -> None:
        """Options of CJ's twin."""
        self.tracker.control("service", name="cj", **options)

    def fault(self, kind: str, operation: str, **values: Any) -> None:
        """A fault of one operation."""
        self.tracker.control("faults", kind=kind, operation=operation, **values)

    def heal(self) -> None:
        """No faults any more."""
        self.tracker.control("faults", method="DELETE")

    def asked(self, operation: str) -> int:
        """How often CJ was asked this."""
        return self.tracker.read("counters").get(f"operation:{operation}", 0)

    def booked(self, box: Box = BOX) -> str:
        """The number of a box that was registered."""
        (given,) = self.issuer.allocate(boxes=[box])
        assert self.issuer.register(box=box, number=given.number).outcome == "OK"
        return given.number


def box_to(**values: Any) -> Box:
    """A box whose recipient differs."""
    return replace(BOX, recipient=replace(RECIPIENT, **values))


def canned_wire(server: CannedServer, answer: Any) -> CjWire:
    """A customer, token in hand, of a CJ that answers everything with this: JSON, or bytes as they are."""
    server.body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    now = datetime.now(UTC)
    tokens = MemoryTokenStore()
    tokens.save(DayToken(number=CANNED_TOKEN, got_at=now, expires_at=now + timedelta(hours=1)))
    client = Client(server.base_url, allow_loopback=True, timeout=(1, 5))
    return CjWire(client, customer=CUSTOMER, business=BUSINESS, tokens=tokens)


@pytest.fixture
def cj(tracker: RunningTracker) -> Iterator[CjShop]:
    """Our contract with CJ on a Friday noon; numbers that nobody registered are unknown."""
    shop = CjShop(tracker)
    yield shop
    shop.client.close()
