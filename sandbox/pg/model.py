"""What the sandbox PGs keep: shops, payments, money that moved, notices; plain data without behaviour of a PG."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

KST = timezone(timedelta(hours=9))

WAITING, PAID, PART_REFUNDED, CANCELED, EXPIRED = "WAITING", "PAID", "PART_REFUNDED", "CANCELED", "EXPIRED"
DEPOSIT, REVERSAL, REFUND = "DEPOSIT", "REVERSAL", "REFUND"
REQUEST, REFUSAL = "REQUEST", "REFUSAL"
"""A refund that the PG has only taken, and one that it took and did not do after all; neither moves money."""
VIRTUAL_ACCOUNT, CARD = "VIRTUAL_ACCOUNT", "CARD"

ISSUED, DEPOSITED, REVERSED, CLOSED, REFUNDED = "ISSUED", "DEPOSITED", "REVERSED", "CLOSED", "REFUNDED"
"""Event kinds; with EXPIRED as well. A payment that is closed never held money; one that is refunded did."""


@dataclass
class Shop:
    """A merchant's contract with one PG: its keys, and where notices go. `options` is the dialect's own."""

    pg: str
    merchant_id: str
    secrets: list[str] = field(default_factory=list)
    """Keys that the PG accepts in API calls; a dialect says which is which."""
    notice_url: str = ""
    options: dict[str, Any] = field(default_factory=dict)


@dataclass
class Movement:
    """Money that moved: DEPOSIT, REVERSAL (`of` names the deposit) or REFUND; `amount` is positive.

    REQUEST and REFUSAL are refunds that have not moved any.
    """

    kind: str
    reference: str
    amount: int
    at: float
    name: str = ""
    """Depositor of a deposit, reason of a refund."""
    of: str = ""
    account: dict[str, str] | None = None
    """Where a refund goes: bank, number, holder. None: back to the card."""
    is_failed: bool = False
    done_at: float = 0.0
    """When the bank has paid a refund out."""


@dataclass
class Payment:
    """One payment at one PG; times are epoch seconds of the sandbox clock. `options` is the dialect's own."""

    id: int
    pg: str
    merchant_id: str
    order_ref: str
    payment_ref: str
    amount: int
    created_at: float
    method: str = VIRTUAL_ACCOUNT
    title: str = ""
    buyer: str = ""
    phone: str = ""
    email: str = ""
    currency: str = "KRW"
    bank: str = ""
    account_number: str = ""
    holder: str = ""
    due_at: float = 0.0
    secret: str = ""
    notice_url: str = ""
    """Where its notices go; empty: where the shop's go."""
    state: str = WAITING
    closed_at: float = 0.0
    movements: list[Movement] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)

    def of_kind(self, kind: str) -> list[Movement]:
        """Its movements of one kind, oldest first."""
        return [movement for movement in self.movements if movement.kind == kind]

    @property
    def standing_deposits(self) -> list[Movement]:
        """Deposits that the bank did not take back."""
        gone = {movement.of for movement in self.of_kind(REVERSAL)}
        return [movement for movement in self.of_kind(DEPOSIT) if movement.reference not in gone]

    @property
    def paid_amount(self) -> int:
        """Won that came in and stayed."""
        return sum(movement.amount for movement in self.standing_deposits)

    @property
    def refunded_amount(self) -> int:
        """Won that was refunded, on its way or failed ones included: the PG has taken them off its books."""
        return sum(movement.amount for movement in self.of_kind(REFUND))

    @property
    def balance(self) -> int:
        """Won that can still be refunded."""
        return self.paid_amount - self.refunded_amount

    @property
    def cancellable(self) -> int:
        """The same less what refunds that wait for their decision will take."""
        return self.balance - sum(movement.amount for movement in self.of_kind(REQUEST))

    def refund_state(self, now: float) -> str:
        """NONE, PENDING, FAILED or COMPLETED: how far the last refund to a bank account has come."""
        refunds = [refund for refund in self.of_kind(REFUND) if refund.account]
        if not refunds:
            return "NONE"
        if refunds[-1].is_failed:
            return "FAILED"
        return "COMPLETED" if refunds[-1].done_at <= now else "PENDING"

    @property
    def is_part_failed(self) -> bool:
        """Whether some, not all, of its refunds to bank accounts did not arrive."""
        return len({refund.is_failed for refund in self.of_kind(REFUND) if refund.account}) > 1


@dataclass(frozen=True)
class Event:
    """Something happened to a payment; `movement` is the money, where some moved."""

    kind: str
    at: float
    movement: Movement | None = None


def kst(moment: float) -> datetime:
    """The moment as Korean time."""
    return datetime.fromtimestamp(moment, KST)


def utc(moment: float) -> datetime:
    """The moment as UTC."""
    return datetime.fromtimestamp(moment, UTC)
