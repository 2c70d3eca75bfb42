"""What a PG's module offers to the shared sandbox, and what it is given: write one of these to add a PG.

A dialect is stateless. It reads calls, answers them, moves money only through `Bank`, and writes notices.
"""

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sandbox.pg.model import Event, Payment, Shop

if TYPE_CHECKING:
    from sandbox.pg.bank import Bank


@dataclass(frozen=True)
class Call:
    """A request to a PG; `path` is what follows the prefix (`/v1/payments/x`), header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """The PG's answer."""

    status: int
    body: bytes
    content_type: str = "application/json;charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Envelope:
    """A notice ready to be sent: exact bytes. An empty `url` takes the payment's, then the shop's."""

    kind: str
    """What the notice says, in the PG's words; for logs and fault patterns."""
    body: bytes
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)
    url: str = ""


class Dialect(ABC):
    """One PG; the class attributes are facts of payments.md, the methods its protocol."""

    name: str
    """The prefix under which it is mounted, and its name in the control API."""
    label: str
    """Its name on the page, Korean."""
    source_ip: str
    """The address that its notices come from."""
    retry_minutes: tuple[float, ...]
    """Documented waits before the second, third … attempt; `--speed` divides them."""
    answer_seconds: float = 10.0
    """How long it waits for our answer; not compressed."""
    is_exact_amount: bool = False
    """Does the bank refuse any other sum than the one asked for? A shop's option `is_exact_amount` overrides it."""
    has_requests: bool = False
    """May a refund be taken and decided later?"""
    refund_minutes: float = 24 * 60
    """How long a refund to a bank account takes; `--speed`, then `payout_speed`, divides it."""
    banks: Mapping[str, str]
    """Bank code as this PG counts banks: Korean name."""
    demo: Shop
    """The shop that exists from the start, without a notice URL."""

    @abstractmethod
    def handle(self, call: Call, bank: "Bank") -> Reply:
        """The answer to one call. Runs inside no lock; wrap read-decide-write in `with bank.books.writing():`."""

    @abstractmethod
    def notices(self, event: Event, payment: Payment, shop: Shop, now: float) -> list[Envelope]:
        """The notices that this PG sends of an event, in its order; an empty list for none."""

    @abstractmethod
    def complete(self, payment: Payment, shop: Shop) -> None:
        """Give a new payment its `payment_ref`, `account_number`, `holder`, `secret` as this PG forms them."""

    def is_acknowledged(self, status: int, content_type: str, body: bytes) -> bool:
        """Does this PG take the answer for success?"""
        return 200 <= status < 300

    def wait_minutes(self, attempts: int) -> float | None:
        """Minutes until the next attempt after so many failed ones; None: it gives up."""
        return self.retry_minutes[attempts - 1] if attempts <= len(self.retry_minutes) else None

    def stamped(self, envelope: Envelope, shop: Shop, *, at: float) -> Envelope:
        """The envelope as it leaves at one attempt; for PGs that sign the time of sending (`at`, true time)."""
        return envelope

    def forged(self, envelope: Envelope, shop: Shop) -> Envelope:
        """The same notice as somebody without the secret would make it."""
        return corrupted(envelope)

    def new_reference(self, payment: Payment) -> str:
        """A transaction key of money that moves now."""
        return "".join(random.choices("0123456789ABCDEF", k=32))


def corrupted(envelope: Envelope) -> Envelope:
    """One byte in the middle is another one."""
    middle = len(envelope.body) // 2
    other = bytes([envelope.body[middle] ^ 0x01]) if envelope.body else b"x"
    return replace(envelope, body=envelope.body[:middle] + other + envelope.body[middle + 1 :])
