"""Opens a tracking source by its account; an environment variable may point it somewhere else."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from core.http import Client
from shipping.adapters.base import TrackingSource
from shipping.adapters.tracker_delivery import CLOUD_URL, TrackerDelivery
from shipping.models import TrackingAccount


@dataclass(frozen=True, slots=True)
class Kind:
    """조회 방식: one protocol, how it is opened, and what a new account of it starts with."""

    name: str
    label: str
    open: Callable[[Client, str], TrackingSource]
    """The client of the address and the key in the clear."""
    base_url: str = ""
    per_second: float | None = None
    per_day: int | None = None
    min_interval: int = 0
    """Seconds."""
    has_push: bool = False
    has_bulk: bool = False


KINDS: Mapping[str, Kind] = {
    one.name: one
    for one in (
        Kind(
            name="tracker_delivery",
            label="tracker.delivery",
            open=lambda client, key: TrackerDelivery(client, api_key=key),
            base_url=CLOUD_URL,
            # shipping.md 4.5 [T6]; a server of one's own has none.
            per_second=10,
            has_push=True,
        ),
    )
}


def address_of(account: TrackingAccount) -> str:
    """배송조회 주소 that is really asked: the environment variable OMS_<CODE>_BASE_URL wins over the stored one."""
    return os.environ.get(f"OMS_{account.code.upper().replace('-', '_')}_BASE_URL") or account.base_url


@contextmanager
def open_source(account: TrackingAccount) -> Iterator[TrackingSource]:
    """배송조회 소스 of an account at `address_of(account)`; loopback only for sandboxes.

    Raises Refused for an address that is none, ValueError for a key that no header can carry, Unreadable for one that
    does not open, LookupError for a kind that we do not speak.
    """
    client = Client(address_of(account), allow_loopback=account.is_sandbox, connections=account.concurrency)
    try:
        yield KINDS[account.kind].open(client, account.key())
    finally:
        client.close()
