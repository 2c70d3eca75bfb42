"""송장 발급 of CJ대한통운: a number for each box, then its booking (shipping.md 1.3, 5.2, 5.3).

CJ knows a booking by customer, day, our key and 합포장 key: the same box registered again on the same `Box.day` is an
error of its database (ORA-00001), which is our proof that it was done. The proof names no number: a key belongs to one
number for ever, also after a cancel; a box that gets another number needs another key.
"""

import re
from collections import deque
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any, Final

from core.phones import is_safe_number
from shipping.adapters.base import TrackOutcome, TrackResult
from shipping.adapters.cj_text import ADDRESS_BYTES, GOODS_BYTES, REMARK_BYTES, line, phone_parts, zip_code
from shipping.adapters.cj_tracking import events_of
from shipping.adapters.cj_wire import CjWire, Said, failure_of_result, is_database_error
from shipping.adapters.issuing import Box, FeePayer, Issued, IssueOutcome, Party, Routing
from shipping.adapters.wire import SEOUL, clean, digits_in, failure_of_message, malformed, not_issued, rejected
from shipping.couriers import CheckRule
from shipping.waybills import check_digit_fits

PRINTED: Final = "02"
"""PRT_ST 선출력: the customer prints the label himself."""
NUMBERED: Final = "03"
"""PRT_ST 선발번: the number is given, the label is not printed yet."""
_NOT_PRINTED: Final = "01"
_SMALLEST: Final = "01"
_BOOK, _CANCEL = "01", "02"
_NORMAL, _RETURN = "01", "02"
_FEES: Final = {FeePayer.PREPAID: "01", FeePayer.COLLECT: "02", FeePayer.CREDIT: "03"}
_BY_CONTRACT, _BY_AMOUNT = "01", "02"
_KEY_BYTES: Final = 50
_LENGTHS: Final = frozenset({10, 12})
_REMEMBERED: Final = 10_000

_DUPLICATE: Final = "ORA-00001"
_WRONG_VALUES: Final = frozenset({"ORA-01400", "ORA-01438", "ORA-01722", "ORA-01861", "ORA-12899"})
"""NULL in a column that needs a value, too long, no number, no date: asking again changes nothing."""
_NOT_PARSED, _UNDELIVERABLE, _MAY_BE_LATE = "-20002", "-20009", "-20010"
_ACCOUNT: Final = frozenset({"-20001", "-20008"})
"""Customer id unknown, contract ended."""
_STOPPED = re.compile(r"제한|차단|중지")
"""Words of an issuer that gives no numbers for now: too many that were never used."""
_ROUTING: Final = ("CLSFCD", "SUBCLSFCD", "CLSFADDR", "CLLDLVBRANNM", "CLLDLVEMPNICKNM", "P2PCD")

WRONG_NUMBER = "CJ대한통운 송장번호 규칙에 맞지 않는 번호입니다. 번호를 다시 확인하세요."
NOT_USABLE = "CJ대한통운에서 쓸 수 없는 번호를 받았습니다. 잠시 뒤 다시 시도하세요."


class CjIssuer:
    """송장 발급 CJ: one contract. Use a number on the day it was given; unused ones may end the account."""

    name = "cj"
    gives_numbers_on_register = False
    most_per_call = 1

    def __init__(self, wire: CjWire, *, partner: str = "", print_state: str = PRINTED) -> None:
        """`partner` is the 거래처 (CUST_MGMT_DLCM_CD, CLNTMGMCUSTCD) where it is not the customer itself."""
        self._wire = wire
        self._partner = partner or wire.customer
        self._print_state = print_state
        self._lock = Lock()
        self._newest: deque[str] = deque(maxlen=_REMEMBERED)
        self._given: set[str] = set()

    def allocate(self, *, boxes: Sequence[Box]) -> Sequence[Issued]:
        """번호 받기: one call for each box; after a refusal that concerns all of them nothing more is asked."""
        found: list[Issued] = []
        for _ in boxes:
            stopped = bool(found) and found[-1].outcome in {IssueOutcome.LIMITED, IssueOutcome.AUTH}
            found.append(found[-1] if stopped else self._number())
        return found

    def register(self, *, box: Box, number: str) -> Issued:
        """접수: RegBook. ALREADY where the same key of the same day was booked before.

        A return (`is_return`) is booked without a number: CJ gives one itself and tells it by the feed.
        """
        data = self._booking(box, number, request=_BOOK)
        if isinstance(data, Issued):
            return data
        said = self._wire.call("RegBook", data, is_repeatable=False)
        if isinstance(said, TrackResult):
            return not_issued(said)
        booked = "" if box.is_return else number
        if said.is_done:
            return Issued(outcome=IssueOutcome.OK, number=booked, message=_told(said))
        if said.code == _DUPLICATE:
            return Issued(outcome=IssueOutcome.ALREADY, number=booked, detail=said.detail)
        return _refusal(said)

    def look_up(self, *, box: Box, number: str) -> Issued:
        """접수 확인: OK where the parcel was scanned since its day, else UNKNOWN, never NOT_FOUND.

        CJ has no call that asks for a booking, and tells nothing of a number before its first scan. What was perhaps
        booked is found out by `register` with the same number, which harms nothing. CJ asks for three hours between
        two questions about a number.
        """
        if not number:
            return Issued(outcome=IssueOutcome.UNKNOWN, detail="CJ is asked by number only")
        data = {"CLNTNUM": self._wire.customer, "INVC_NO": number}
        said = self._wire.call("ReqOneGdsTrc", data, is_repeatable=True)
        result = said if isinstance(said, TrackResult) else events_of(said, number)
        if result.outcome != TrackOutcome.FOUND:
            return not_issued(result)
        # Numbers are used again after some months: what was scanned before is another parcel.
        moments = [event.at for event in result.events if event.at is not None]
        if any(box.day is None or at.astimezone(SEOUL).date() >= box.day for at in moments):
            return Issued(outcome=IssueOutcome.OK, number=number)
        return Issued(outcome=IssueOutcome.UNKNOWN, detail="CJ tells nothing of a booking before its first scan")

    def cancel(self, *, box: Box, number: str) -> Issued:
        """접수 취소: CnclBook with all that was booked. REJECTED after the scan, and for customers who print labels."""
        data = self._booking(box, number, request=_CANCEL)
        if isinstance(data, Issued):
            return data
        said = self._wire.call("CnclBook", data, is_repeatable=False)
        if isinstance(said, TrackResult):
            return not_issued(said)
        if said.is_done:
            return Issued(outcome=IssueOutcome.OK, number=number)
        if said.code == _DUPLICATE:
            return Issued(outcome=IssueOutcome.ALREADY, number=number, detail=said.detail)
        return _refusal(said)

    def refine(self, *, recipient: Party) -> Issued:
        """주소 정제: the routing of an address; OK with a message where a delay is possible (-20010)."""
        address = line(f"{recipient.address1} {recipient.address2}", most=ADDRESS_BYTES)
        if not address:
            return rejected("받는 분 주소가 없습니다. 주소를 입력하세요.")
        data = {"CLNTNUM": self._wire.customer, "CLNTMGMCUSTCD": self._partner, "ADDRESS": address}
        said = self._wire.call("ReqAddrRfnSm", data, is_repeatable=True)
        if isinstance(said, TrackResult):
            return not_issued(said)
        routing = _routing(said.data)
        if said.is_done:
            if routing is None:
                return not_issued(malformed("no sort code in the answer", said.response))
            return Issued(outcome=IssueOutcome.OK, routing=routing)
        if said.code == _MAY_BE_LATE:
            return Issued(outcome=IssueOutcome.OK, routing=routing, message=said.detail)
        if said.code == _NOT_PARSED:
            return rejected(said.detail, detail=said.code)
        if said.code == _UNDELIVERABLE:
            return Issued(outcome=IssueOutcome.UNDELIVERABLE, message=said.detail, detail=said.code)
        return _refusal(said)

    def _number(self) -> Issued:
        said = self._wire.call("ReqInvcNo", {"CLNTNUM": self._wire.customer}, is_repeatable=False)
        if isinstance(said, TrackResult):
            return not_issued(said)
        if not said.is_done:
            return _no_number(said)
        number = digits_in(said.data.get("INVC_NO")) if isinstance(said.data, Mapping) else ""
        if not _is_waybill(number):
            failure = malformed(f"{number or 'nothing'} is no number of CJ", said.response)
            return not_issued(failure, message=NOT_USABLE)
        if not self._is_first_time(number):
            return not_issued(malformed(f"{number} was given before"), message=NOT_USABLE)
        return Issued(outcome=IssueOutcome.OK, number=number)

    def _is_first_time(self, number: str) -> bool:
        """As far as this issuer remembers; the database refuses a number that another process has."""
        with self._lock:
            if number in self._given:
                return False
            if len(self._newest) == _REMEMBERED:
                self._given.discard(self._newest[0])
            self._newest.append(number)
            self._given.add(number)
            return True

    def _booking(self, box: Box, number: str, *, request: str) -> dict[str, Any] | Issued:
        """The fields of RegBook and CnclBook, or what stands in the way."""
        if not box.is_return and not _is_waybill(number):
            return rejected(WRONG_NUMBER)
        if not box.key or len(line(box.key).encode()) > _KEY_BYTES or line(box.key) != box.key:
            return rejected("고객주문번호가 너무 길거나 쓸 수 없는 글자가 있습니다.")
        missing = _missing("보내는 분", box.sender) or _missing("받는 분", box.recipient)
        if missing:
            return rejected(missing)
        day = (box.day or self._wire.now().astimezone(SEOUL).date()).strftime("%Y%m%d")
        goods = {"MPCK_SEQ": "1", "GDS_NM": line(box.goods, most=GOODS_BYTES) or "상품"}
        return {
            "CUST_ID": self._wire.customer,
            "RCPT_YMD": day,
            "CUST_USE_NO": box.key,
            "RCPT_DV": _RETURN if box.is_return else _NORMAL,
            "WORK_DV_CD": "01",
            "REQ_DV_CD": request,
            "MPCK_KEY": f"{day}_{self._wire.customer}_{box.key}",
            "MPCK_SEQ": "1",
            "CAL_DV_CD": _BY_AMOUNT if box.fee_amount else _BY_CONTRACT,
            "FRT_DV_CD": _FEES[box.fee],
            "FRT": str(box.fee_amount) if box.fee_amount else "",
            "CNTR_ITEM_CD": "01",
            "BOX_TYPE_CD": box.box_type or _SMALLEST,
            "BOX_QTY": "1",
            "CUST_MGMT_DLCM_CD": self._partner,
            **_party("SENDR", box.sender),
            **_party("RCVR", box.recipient),
            "INVC_NO": "" if box.is_return else number,
            "PRT_ST": _NOT_PRINTED if box.is_return else self._print_state,
            "REMARK_1": line(box.note, most=REMARK_BYTES),
            "COD_YN": "N",
            "DLV_DV": "01",
            "ARRAY": [{**goods, "GDS_QTY": str(max(box.quantity, 1)), "UNIT_CD": "1"}],
        }


def _missing(who: str, party: Party) -> str:
    """What CJ needs of a person and does not find, as a sentence; empty when all is there."""
    if not line(party.name):
        return f"{who} 이름이 없습니다. 이름을 입력하세요."
    if not line(party.address1):
        return f"{who} 주소가 없습니다. 주소를 입력하세요."
    if phone_parts(party.phone) is None:
        return f"{who} 전화번호가 없거나 잘못되었습니다. 전화번호를 확인하세요."
    return ""


def _party(prefix: str, party: Party) -> dict[str, str]:
    """Name, phones, address of one side; a safe number stands in its own fields too."""
    fields = {
        f"{prefix}_NM": line(party.name),
        f"{prefix}_ZIP_NO": zip_code(party.zip_code),
        f"{prefix}_ADDR": line(party.address1),
        # The field must not be empty.
        f"{prefix}_DETAIL_ADDR": line(party.address2) or "-",
    }
    phone = phone_parts(party.phone)
    safe = phone if is_safe_number(party.phone) else None
    for kind, parts in (("TEL", phone), ("CELL", phone_parts(party.phone2)), ("SAFE", safe)):
        for index, part in enumerate(parts or ("", "", ""), start=1):
            fields[f"{prefix}_{kind}_NO{index}"] = part
    return fields


def _is_waybill(number: str) -> bool:
    """Ten or twelve digits, not all zero, with the check digit of CJ (shipping.md 5.1)."""
    if not (number.isascii() and number.isdigit() and len(number) in _LENGTHS and number.strip("0")):
        return False
    return check_digit_fits(CheckRule.CJ_BODY, number)


def _routing(data: Any) -> Routing | None:
    """What the label needs; None without a sort code. The name of the driver is left out."""
    if not isinstance(data, Mapping) or not clean(data.get("CLSFCD")):
        return None
    sort_code, sub_code, nickname, branch, driver, p2p = (clean(data.get(name)) for name in _ROUTING)
    return Routing(
        sort_code=sort_code,
        sub_code=sub_code,
        nickname=nickname,
        branch=branch,
        driver=driver,
        p2p=p2p,
        more={"RSPSDIV": area} if (area := clean(data.get("RSPSDIV"))) else {},
    )


def _told(said: Said) -> str:
    """What CJ said beside its success, where it is more than that."""
    return "" if said.detail.rstrip(".").lower() in {"success", ""} else said.detail


def _no_number(said: Said) -> Issued:
    """Why no number was given."""
    refusal = _refusal(said)
    if refusal.outcome == IssueOutcome.REJECTED and _STOPPED.search(said.detail):
        return Issued(outcome=IssueOutcome.LIMITED, message=said.detail, detail=said.code)
    return refusal


def _refusal(said: Said) -> Issued:
    """An error with words: the database's own troubles may have been after the work."""
    if said.code in _WRONG_VALUES:
        return rejected(f"CJ대한통운이 접수하지 않은 값이 있습니다: {said.detail}", detail=said.code)
    if is_database_error(said):
        return not_issued(failure_of_result(said))
    if said.code in _ACCOUNT:
        return Issued(outcome=IssueOutcome.AUTH, message=said.detail, detail=said.code)
    failure = failure_of_message(said.detail, code=said.code)
    if failure.outcome in {TrackOutcome.RATE_LIMITED, TrackOutcome.AUTH}:
        return not_issued(failure, message=said.detail)
    return rejected(said.detail or "CJ대한통운이 이유 없이 거절했습니다.", detail=said.code)
