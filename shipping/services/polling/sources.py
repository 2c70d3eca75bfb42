"""Opens a tracking source by its account; an environment variable may point it somewhere else.

KINDS is the one table of the protocols that we speak: a new one is one entry there.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from django.utils import timezone

from core.fresh import Fresh
from core.http import Client
from shipping.adapters.base import TrackingFeed, TrackingPush, TrackingSource
from shipping.adapters.cj_tracking import CjFeed, CjTracking
from shipping.adapters.cj_wire import LIVE_URL as CJ_URL
from shipping.adapters.cj_wire import CjWire
from shipping.adapters.epost_tracking import OPEN_URL, TRACE_URL, EpostOpen, EpostTrace
from shipping.adapters.hanjin_tracking import HanjinTracking
from shipping.adapters.hanjin_wire import HanjinHost
from shipping.adapters.sweettracker import URL as SWEETTRACKER_URL
from shipping.adapters.sweettracker import SweetTracker
from shipping.adapters.tracker_delivery import CLOUD_URL, TrackerDelivery
from shipping.couriers import COURIERS
from shipping.models import TrackingAccount
from shipping.services.cj_tokens import tokens_of

T = TypeVar("T")
Keys = Mapping[str, str]
"""Keys of an account in the clear, by the names of its kind."""
ONE_KEY = (("api_key", "키"),)


@dataclass(frozen=True, slots=True)
class Kind:
    """조회 방식: one protocol, how it is opened, and what a new account of it starts with."""

    name: str
    label: str
    open: Callable[[Client, Keys, str], TrackingSource]
    """The client of the address, the keys, and the address."""
    base_url: str = ""
    """Empty where the contract tells it."""
    keys: tuple[tuple[str, str], ...] = ONE_KEY
    """Name and label of every key that is sealed."""
    needs_key: bool = True
    carriers: Mapping[str, str] = field(default_factory=dict)
    """Of a courier's own API: its code for each of our couriers. Others name couriers by codes that staff may mend."""
    per_second: float | None = None
    per_day: int | None = None
    min_interval: int = 0
    """Seconds."""
    open_feed: Callable[[Client, Keys, str], TrackingFeed] | None = None
    """Where a contract tells of all its parcels by itself."""
    open_push: Callable[[Client, Keys, str], TrackingPush] | None = None
    """Where it can be asked to call us when something happens to a parcel."""

    @property
    def has_bulk(self) -> bool:
        """묶음 수신을 할 수 있음."""
        return self.open_feed is not None

    @property
    def has_push(self) -> bool:
        """알림을 받을 수 있음."""
        return self.open_push is not None


def _cj(client: Client, keys: Keys, address: str) -> CjWire:
    tokens = tokens_of(address, keys["customer"])
    return CjWire(client, customer=keys["customer"], business=keys["business"], tokens=tokens)


def _tracker(client: Client, keys: Keys, address: str) -> TrackerDelivery:
    return TrackerDelivery(client, api_key=keys.get("api_key", ""))


def _hanjin(client: Client, keys: Keys, address: str) -> TrackingSource:
    host = HanjinHost(
        client, client_id=keys["client_id"], api_key=keys["api_key"], secret_key=keys["secret_key"], now=timezone.now
    )
    return HanjinTracking(host)


KINDS: Mapping[str, Kind] = {
    one.name: one
    for one in (
        Kind(
            name="tracker_delivery",
            label="tracker.delivery",
            open=_tracker,
            base_url=CLOUD_URL,
            needs_key=False,
            # shipping.md 4.5 [T6]; a server of one's own has none.
            per_second=10,
            open_push=_tracker,
        ),
        Kind(
            name="sweettracker",
            label="스마트택배",
            open=lambda client, keys, _: SweetTracker(client, key=keys["api_key"]),
            base_url=SWEETTRACKER_URL,
        ),
        Kind(
            name="cj",
            label="CJ대한통운",
            open=lambda client, keys, address: CjTracking(_cj(client, keys, address)),
            base_url=CJ_URL,
            keys=(("customer", "고객 ID"), ("business", "사업자등록번호")),
            carriers={"CJGLS": "cj"},
            # shipping.md 4.2: at least three hours between two questions about a number.
            min_interval=3 * 3600,
            open_feed=lambda client, keys, address: CjFeed(_cj(client, keys, address)),
        ),
        Kind(
            name="hanjin",
            label="한진택배",
            # The host that books is told with the contract; the one that gives numbers does not track.
            open=_hanjin,
            keys=(("client_id", "Client ID"), ("api_key", "API 키"), ("secret_key", "비밀 키")),
            carriers={"HANJIN": "hanjin"},
        ),
        Kind(
            name="epost",
            label="우체국(계약고객)",
            open=lambda client, keys, _: EpostTrace(client, key=keys["api_key"]),
            base_url=TRACE_URL,
            carriers={"EPOST": "trace", "REGISTPOST": "trace", "EMS": "emsTrace"},
        ),
        Kind(
            name="epost_open",
            label="우체국(공공데이터)",
            open=lambda client, keys, _: EpostOpen(client, key=keys["api_key"]),
            base_url=OPEN_URL,
            carriers={"EPOST": "trace", "REGISTPOST": "trace"},
            # shipping.md 4.5 [P5]
            per_day=10_000,
        ),
    )
}  # fmt: skip
KIND_OF: Fresh[dict[str, str]] = Fresh(lambda: dict(TrackingAccount.objects.values_list("code", "kind")))
"""Kinds of accounts by their codes, as this process last read them; who adds an account calls forget()."""


def kind_of(source: str) -> str:
    """조회 방식 of the account with this code: rules and codes are those of the protocol, whoever asks by it."""
    if source in KINDS:
        return source
    # A new account of another process: its code says of which kind it is.
    return KIND_OF.get().get(source) or source.rpartition("-")[0] or source


def code_for(slug: str, kind: str) -> str:
    """택배사 코드 by which a kind of source is asked about a courier; empty when it cannot be, or has refused it."""
    courier = COURIERS.get(slug)
    if courier is None or kind not in KINDS or kind in courier.refused:
        return ""
    return KINDS[kind].carriers.get(slug) or courier.code(kind)


def address_of(account: TrackingAccount) -> str:
    """배송조회 주소 that is really asked: the environment variable OMS_<CODE>_BASE_URL wins over the stored one."""
    return os.environ.get(f"OMS_{account.code.upper().replace('-', '_')}_BASE_URL") or account.base_url


@contextmanager
def open_source(account: TrackingAccount) -> Iterator[TrackingSource]:
    """배송조회 소스 of an account at `address_of(account)`; loopback only for sandboxes.

    Raises Refused for an address that is none, ValueError for a key that no header can carry, Unreadable for one that
    does not open, LookupError for a key that is missing and for a kind that we do not speak.
    """
    with _opened(account, KINDS[account.kind].open) as source:
        yield source


@contextmanager
def open_feed(account: TrackingAccount) -> Iterator[TrackingFeed]:
    """배송 소식 of an account; raises like `open_source`, LookupError where its kind has none."""
    with _opened(account, _able(KINDS[account.kind].open_feed)) as feed:
        yield feed


@contextmanager
def open_push(account: TrackingAccount) -> Iterator[TrackingPush]:
    """배송 알림 신청 at an account; raises like `open_source`, LookupError where its kind has none."""
    with _opened(account, _able(KINDS[account.kind].open_push)) as push:
        yield push


def _able(opens: Callable[[Client, Keys, str], T] | None) -> Callable[[Client, Keys, str], T]:
    if opens is None:
        raise LookupError("this kind of source cannot do that")
    return opens


@contextmanager
def _opened(account: TrackingAccount, opens: Callable[[Client, Keys, str], T]) -> Iterator[T]:
    address = address_of(account)
    client = Client(address, allow_loopback=account.is_sandbox, connections=account.concurrency)
    try:
        yield opens(client, account.options(), address)
    finally:
        client.close()
