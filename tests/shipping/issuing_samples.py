"""A box as an issuer gets it, and the clock of these tests."""

from dataclasses import replace
from datetime import datetime

from core.http import Client
from shipping.adapters.issuing import Box, Party
from tests.shipping.tracker_samples import KST

START = datetime(2026, 11, 20, 14, 5, tzinfo=KST)
HANJIN_KEYS = {"client_id": "SANDBOX", "api_key": "sandbox-hanjin-api-key", "secret_key": "sandbox-hanjin-secret-key"}
HANJIN_CONTRACT = "9000001"
SENDER = Party(
    name="테스트상점", phone="0215881255", zip_code="06236", address1="서울 강남구 테헤란로 1", address2="10층"
)
RECIPIENT = Party(
    name="홍길동",
    phone="01012345678",
    zip_code="04532",
    address1="서울 중구 세종대로 1",
    address2="101동 202호",
)


def a_box(key="S20261120-000123-1", **values):
    """One box; values of the recipient by `recipient_…`."""
    of_recipient = {
        name.removeprefix("recipient_"): values.pop(name) for name in list(values) if name.startswith("recipient_")
    }
    given = {"goods": "면 티셔츠 외 1건", **values}
    return Box(key=key, sender=SENDER, recipient=replace(RECIPIENT, **of_recipient), **given)


class VirtualClock:
    """The caller's clock, kept with the sandbox's: `now` is what adapters take."""

    def __init__(self, tracker, at=START):
        self._tracker = tracker
        self.set(at)

    def set(self, at):
        """Both clocks stand there."""
        self.at = at
        self._tracker.control("clock", now=at.isoformat())

    def now(self):
        """Aware."""
        return self.at


def client_of(tracker, service, timeout=(1, 5)):
    """A client of one service of the sandbox."""
    return Client(f"{tracker.base_url}/{service}".rstrip("/"), allow_loopback=True, timeout=timeout)
