"""Opens a tracking source by its account; an environment variable may point it somewhere else."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from core.http import Client
from shipping.adapters.base import TrackingSource
from shipping.adapters.tracker_delivery import TrackerDelivery
from shipping.models import TrackingAccount

IN_FLIGHT = 16
"""Questions that are asked at once; each keeps a connection of its own open."""


def address_of(account: TrackingAccount) -> str:
    """배송조회 주소 that is really asked: the environment variable OMS_<CODE>_BASE_URL wins over the stored one."""
    return os.environ.get(f"OMS_{account.code.upper()}_BASE_URL") or account.base_url


@contextmanager
def open_source(account: TrackingAccount) -> Iterator[TrackingSource]:
    """배송조회 소스 of an account at `address_of(account)`; loopback only for sandboxes."""
    client = Client(address_of(account), allow_loopback=account.is_sandbox, connections=IN_FLIGHT)
    try:
        yield TrackerDelivery(client, api_key=account.api_key)
    finally:
        client.close()
