"""What every PG answers, whatever protocol it speaks (payments.md 5.4); money is integer won.

A notice is only a trigger: what it says is believed where the PG signs it, and money moves after `fetch` said the same.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Protocol

from core.http import Client

MOST_BODY = 64 * 1024
"""Bytes of a notice that are read."""


# What comes in


class Kind(StrEnum):
    """알림 종류: what a notice claims, in our words."""

    ISSUED = "ISSUED"
    DEPOSITED = "DEPOSITED"
    REVERSED = "REVERSED"
    CANCELED_BEFORE_DEPOSIT = "CANCELED_BEFORE_DEPOSIT"
    REFUNDED = "REFUNDED"
    PART_REFUNDED = "PART_REFUNDED"
    EXPIRED = "EXPIRED"
    FAILED = "FAILED"
    BANK = "BANK"
    """A row of one of our own bank accounts, from a service that watches it."""
    OTHER = "OTHER"
    """Known to the PG, of no meaning to us, or unknown to us: stored, acknowledged, ignored."""


class Answer(StrEnum):
    """응답 종류: what the PG is to be told; each dialect says it in its own way."""

    ACK = "ACK"
    UNAUTHORIZED = "UNAUTHORIZED"
    FORBIDDEN = "FORBIDDEN"
    MALFORMED = "MALFORMED"
    TOO_LARGE = "TOO_LARGE"
    UNSUPPORTED_MEDIA = "UNSUPPORTED_MEDIA"
    UNAVAILABLE = "UNAVAILABLE"


STATUS = {
    Answer.ACK: 200,
    Answer.UNAUTHORIZED: 401,
    Answer.FORBIDDEN: 403,
    Answer.MALFORMED: 400,
    Answer.TOO_LARGE: 413,
    Answer.UNSUPPORTED_MEDIA: 415,
    Answer.UNAVAILABLE: 503,
}


@dataclass(frozen=True)
class Spoken:
    """응답 전문: exactly what goes back over the wire."""

    status: int
    content_type: str
    body: bytes


class Rejected(Exception):
    """알림 거절: the notice is not authentic or cannot be read; `reason` is a short code for the inbox."""

    def __init__(self, answer: Answer, reason: str) -> None:
        super().__init__(reason)
        self.answer = answer
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class Inbound:
    """받은 요청: the raw bytes of one HTTP request; header names in lower case."""

    body: bytes
    headers: Mapping[str, str]
    client_ip: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Account:
    """PG 계정 as an adapter needs it; built by the service, secrets in the clear, never logged.

    `secrets` are the keys that sign or authorise, the present one first, during a rotation the previous one behind it.
    `options` holds what only one PG has (`client_key`, `api_secret`, `iv`, `notice_key`, `kind`), all text.
    """

    merchant_id: str
    secrets: tuple[str, ...]
    charset: str = "utf-8"
    options: Mapping[str, str] = field(default_factory=dict)


SecretOf = Callable[[str], str | None]
"""The secret that the PG gave with the payment of an order reference; None for an unknown one."""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """입금통보: one event in our words.

    `event_key` is the PG's own id or made of what makes the event one (payments.md 5.4). `is_proven` False means that
    only the re-query can tell whether it is authentic. `amount` is None where the PG names none. `parked` is a code for
    money that a person must look at (UNCLEARED_CHEQUE, CURRENCY). `fields` is the parsed notice for the inbox.
    """

    event_key: str
    kind: Kind
    order_ref: str
    payment_ref: str = ""
    reference: str = ""
    amount: int | None = None
    currency: str = "KRW"
    occurred_at: datetime | None = None
    depositor: str = ""
    is_proven: bool = True
    parked: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)


# What we ask


class PgState(StrEnum):
    """PG 결제 상태: what the PG says about a payment as a whole."""

    READY = "READY"
    WAITING = "WAITING"
    PAID = "PAID"
    PART_REFUNDED = "PART_REFUNDED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    FAILED = "FAILED"


class RefundState(StrEnum):
    """PG 환불 상태: how far the last refund to a bank account has come.

    PART_FAILED: some transfer of the payment did not arrive, and the PG does not say which.
    """

    NONE = "NONE"
    PENDING = "PENDING"
    FAILED = "FAILED"
    PART_FAILED = "PART_FAILED"
    COMPLETED = "COMPLETED"


MOST_REFERENCE = 80
"""Signs of a transaction number that the ledger keeps."""


def fitted(reference: str) -> str:
    """거래 번호 as the ledger keeps it: a longer one keeps its beginning and the fingerprint of the whole."""
    if len(reference) <= MOST_REFERENCE:
        return reference
    digest = hashlib.sha256(reference.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"{reference[: MOST_REFERENCE - 33]}~{digest}"


@dataclass(frozen=True, kw_only=True)
class Movement:
    """돈의 이동: one deposit or one refund at the PG; `amount` is positive. An empty `reference` means unknown."""

    reference: str
    amount: int
    at: datetime | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "reference", fitted(self.reference))


@dataclass(frozen=True, kw_only=True)
class BankAccount:
    """계좌: bank code as the PG counts banks, digits, holder."""

    bank: str
    number: str
    holder: str


@dataclass(frozen=True, kw_only=True)
class CashReceiptFacts:
    """현금영수증 that the PG issued by itself; `purpose` is "income" or "expense", `number` what it was issued for."""

    reference: str
    purpose: str
    amount: int
    number: str = ""
    url: str = ""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """PG 조회 결과: the payment as the PG sees it now. `deposits` and `refunds` are what stands, not what was told.

    A deposit that the bank took back is in neither. `amount` is what was asked for when the account was issued.
    `pending` are refunds that the PG has taken and neither done nor refused yet; no money has moved for them.
    """

    order_ref: str
    payment_ref: str
    state: PgState
    amount: int
    currency: str = "KRW"
    deposits: tuple[Movement, ...] = ()
    refunds: tuple[Movement, ...] = ()
    pending: tuple[Movement, ...] = ()
    refund_state: RefundState = RefundState.NONE
    account: BankAccount | None = None
    due_at: datetime | None = None
    depositor: str = ""
    secret: str = ""
    receipts: tuple[CashReceiptFacts, ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Ref:
    """결제 참조: our order reference and the PG's own id, where we know it already; `at` is when it was made.

    Of a payment that no answer has shown us yet: `told` is the PG's own id as one of its notices says it, `days` are
    those (KST) on which it may have been made there, the likeliest first.
    """

    order_ref: str
    payment_ref: str = ""
    at: datetime | None = None
    told: str = ""
    days: tuple[date, ...] = ()


@dataclass(frozen=True, kw_only=True)
class IssueAsk:
    """가상계좌 발급 요청; won; `bank` as the PG counts banks."""

    order_ref: str
    amount: int
    title: str
    buyer: str
    bank: str
    due_at: datetime
    notice_url: str = ""
    buyer_phone: str = ""
    buyer_email: str = ""


@dataclass(frozen=True, kw_only=True)
class RefundAsk:
    """환불 요청: `key` stays the same however often it is sent; `balance` is what the payment still holds before it."""

    key: str
    ref: Ref
    amount: int
    balance: int
    reason: str
    account: BankAccount | None = None
    phone: str = ""
    at: datetime
    client_ip: str = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class RefundAnswer:
    """환불 응답: the PG took it; `is_final` False while the bank transfer is still on its way."""

    reference: str
    is_final: bool

    def __post_init__(self) -> None:
        object.__setattr__(self, "reference", fitted(self.reference))


WRONG_ACCOUNT = "PG가 받지 않는 환불계좌입니다. 은행, 계좌번호, 예금주를 확인하고 다시 신청하세요."
"""Of a refund that is not even sent: the PG takes no such account."""


class PgProblem(Exception):
    """PG 오류: the call did not end well; `detail` is an English remark without personal data."""

    def __init__(self, detail: str, *, code: str = "", message: str = "") -> None:
        super().__init__(f"{code} {detail}".strip())
        self.code = code
        self.message = message
        """What staff read: the PG's own words, or ours, Korean; empty where nobody has said anything."""


class NotAtPg(PgProblem):
    """PG에 없음: the PG does not know the payment."""


class Denied(PgProblem):
    """PG 인증 실패: key or account refused."""


class RefusedByPg(PgProblem):
    """PG 거절: the PG certainly did not do it and says why."""


class KnownAtPg(RefusedByPg):
    """중복된 주문번호: the PG opens nothing, because it has a payment under this order reference already."""


class Unavailable(PgProblem):
    """PG 응답 없음: certainly nothing was done; asking again is safe."""


class OutcomeUnknown(PgProblem):
    """결과 모름: it may have been done; only a re-query can tell."""


class Unsupported(PgProblem):
    """지원하지 않음: this PG has no such call."""


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """기능: what screens and services ask instead of the PG's name."""

    is_signed: bool
    has_event_id: bool
    has_amount: bool
    tells_reversals: bool
    is_exact_amount: bool
    can_issue: bool
    can_close: bool
    can_refund_part: bool
    repeats_refund_key: bool
    """A refund of unknown outcome may be sent again under its key (Toss); all others re-query."""
    tells_payouts: bool
    """Says whether the last transfer of a payment to a bank account arrived; no other one may be on its way then."""
    needs_ip: bool
    """Nothing in the notice proves its sender: the address list must be on."""
    query_keys: frozenset[str] = frozenset()
    """Options without which an account cannot be asked about anything (`fetch` is Unsupported)."""
    shares_references: bool = False
    """Buyers may open several payments under one order reference; an answer shows one of them, by the PG's own id."""


class Pg(Protocol):
    """PG 어댑터: reads notices and speaks to one PG; stateless. All network goes through the given client."""

    name: str
    label: str
    media_types: frozenset[str]
    capabilities: Capabilities
    live_url: str

    @property
    def default_ips(self) -> tuple[str, ...]:
        """알림 발신 주소 that this PG publishes; an account starts with them."""
        ...

    def read(self, request: Inbound, *, account: Account, secret_of: SecretOf) -> Notice:
        """알림 읽기: authenticate the raw bytes, then parse them strictly. Raises Rejected, nothing else."""
        ...

    def speak(self, answer: Answer) -> Spoken:
        """응답 말하기: in the PG's dialect; a failure never contains what the PG takes for success."""
        ...

    def fetch(self, client: Client, *, account: Account, ref: Ref) -> Snapshot:
        """결제 조회. Raises NotAtPg, Denied, Unavailable."""
        ...

    def issue(self, client: Client, *, account: Account, ask: IssueAsk) -> Snapshot:
        """가상계좌 발급. Raises RefusedByPg, Denied, Unavailable, OutcomeUnknown, Unsupported."""
        ...

    def close(self, client: Client, *, account: Account, ref: Ref, reason: str) -> None:
        """입금 전 계좌 닫기. Raises like `issue`."""
        ...

    def refund(self, client: Client, *, account: Account, ask: RefundAsk) -> RefundAnswer:
        """환불: whole or part of what was paid. Raises like `issue`."""
        ...
