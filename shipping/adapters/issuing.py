"""What every issuer of waybill numbers answers, whatever protocol it speaks (shipping.md 5.2, 5.3).

A number comes in two steps: it is allocated, we store it, it is registered with the box it is for. Where a courier does
both in one call (우체국), `gives_numbers_on_register` is true and only `register` gives a number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Protocol


class FeePayer(StrEnum):
    """운임구분: who pays the courier, and when."""

    CREDIT = "CREDIT"
    """신용: by the sender's monthly contract."""
    PREPAID = "PREPAID"
    COLLECT = "COLLECT"
    """착불: the recipient."""


class IssueOutcome(StrEnum):
    """채번 결과: the answers that issuing tells apart."""

    OK = "OK"
    ALREADY = "ALREADY"
    """Done before, with the same number and key: as good as OK."""
    REJECTED = "REJECTED"
    """The courier refuses this box (address, field); asking again changes nothing."""
    UNDELIVERABLE = "UNDELIVERABLE"
    """The courier does not deliver to this address."""
    LIMITED = "LIMITED"
    """No more numbers today, or too many calls; nothing was done. See `retry_after`."""
    AUTH = "AUTH"
    """The account was refused; nothing was done."""
    NOT_FOUND = "NOT_FOUND"
    """Only of `look_up`: the courier knows no such booking."""
    UNKNOWN = "UNKNOWN"
    """No answer, or none that can be read: it may have been done. Never ask for another number (shipping.md 5.3)."""


@dataclass(frozen=True, kw_only=True)
class Party:
    """보내는 분, 받는 분: whole, unmasked; phones as digits, zip of five digits or empty."""

    name: str
    phone: str
    phone2: str = ""
    zip_code: str = ""
    address1: str
    address2: str = ""


@dataclass(frozen=True, kw_only=True)
class Box:
    """상자 하나: what a courier must know of it."""

    key: str
    """Ours, unique for ever, up to 30 characters (한진): 배송번호 and box. The same key is the same booking."""
    sender: Party
    recipient: Party
    goods: str
    """Words for the label, any length; adapters cut them by the bytes of their field."""
    quantity: int = 1
    note: str = ""
    fee: FeePayer = FeePayer.CREDIT
    fee_amount: int = 0
    """Won; 0 where the contract knows it."""
    box_type: str = ""
    """The courier's own code of the size; empty: its smallest."""
    weight_grams: int = 0
    is_return: bool = False
    day: date | None = None
    """접수일 in Korea: CJ and 우체국 know a booking by it, so that a repetition or a cancel must name the first one.

    None: today, right only for a box that is registered once.
    """


@dataclass(frozen=True, kw_only=True)
class Routing:
    """분류 정보: what a sorting machine and a driver read on the label; empty where the courier told none."""

    sort_code: str = ""
    """CJ CLSFCD, 한진 terminal code: the big one, also a bar code."""
    sub_code: str = ""
    nickname: str = ""
    """주소 약칭."""
    branch: str = ""
    driver: str = ""
    p2p: str = ""
    more: Mapping[str, str] = field(default_factory=dict)
    """Further fields by the courier's own names, for labels that print them."""


@dataclass(frozen=True, kw_only=True)
class Issued:
    """채번 응답: for one box."""

    outcome: IssueOutcome
    number: str = ""
    routing: Routing | None = None
    retry_after: int | None = None
    """Seconds; only with LIMITED, None where the courier names none."""
    message: str = ""
    """What the courier said, cleaned, for the person; may be English or empty."""
    detail: str = ""
    """English remark for the log, without personal data."""
    sample: str = ""
    """Start of a body that could not be read; mask before storing."""


class WaybillIssuer(Protocol):
    """송장 발급: one contract with one courier. Nothing is raised; every failure is an outcome."""

    name: str
    gives_numbers_on_register: bool
    most_per_call: int
    """Boxes of one `allocate`."""

    def allocate(self, *, boxes: Sequence[Box]) -> Sequence[Issued]:
        """번호 받기: a number for each box, in their order. A lost answer may leak numbers, never book one."""
        ...

    def register(self, *, box: Box, number: str) -> Issued:
        """접수: tell the courier which box bears `number` (empty where the courier gives it now)."""
        ...

    def look_up(self, *, box: Box, number: str) -> Issued:
        """접수 확인: was this box registered? OK with its number, NOT_FOUND, or UNKNOWN. Changes nothing there."""
        ...

    def cancel(self, *, box: Box, number: str) -> Issued:
        """접수 취소: before the driver's scan; REJECTED where the courier cannot."""
        ...

    def refine(self, *, recipient: Party) -> Issued:
        """주소 정제: the routing of an address, without a number; REJECTED where the courier has no such call."""
        ...
