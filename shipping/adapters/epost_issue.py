"""우체국 계약소포: booking gives the number, and the same order number finds it again (shipping.md 1.4, 5.3).

Field names and limits beyond the reference are those that public implementations send; all stand in the tables below.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from core.cutting import cut, digits_of
from core.http import Client, Response
from shipping.adapters.base import TrackResult
from shipping.adapters.epost_wire import (
    HEADERS,
    KEY_BYTES,
    TEST_NUMBER,
    Leaves,
    Unsendable,
    ask,
    error_of,
    first,
    reg_data,
)
from shipping.adapters.issuing import Box, FeePayer, Issued, IssueOutcome, Party, Routing
from shipping.adapters.wire import (
    SEOUL,
    checked_secret,
    hidden,
    malformed,
    not_issued,
    one_line,
    refused,
    rejected,
)

SHIP_URL: Final = "https://ship.epost.go.kr"
_INSERT, _LOOK_UP, _CANCEL = "/api.InsertOrder.jparcel", "/api.GetResInfo.jparcel", "/api.GetResCancelCmd.jparcel"
TIMEOUT: Final = (3.0, 20.0)
LONGEST_KEY: Final = 50
_EARLY: Final = 6
"""Before this hour a booking of last night is looked for too."""

_PAY_TYPES = {FeePayer.CREDIT: "1", FeePayer.PREPAID: "1", FeePayer.COLLECT: "2"}
_GOODS_BYTES, _NOTE_BYTES = 400, 200
_NO_BOOKING_CODES = {"ERR-225"}
_ACCOUNT_CODES = {"ERR-123", "ERR-211"}
_NO_BOOKING = re.compile(r"(?:예약|신청|접수|조회|자료|소포).{0,12}(?:없|존재하지)")
_ABOUT_ACCOUNT = re.compile(r"key|인증|보안키|고객번호|승인번호|권한", re.IGNORECASE)
# An error of theirs: what was asked may have been done all the same.
_VAGUE = re.compile(r"시스템|일시|잠시|지연|시간.?초과|처리.?중|time.?out|exception", re.IGNORECASE)
_FIELD_NAMES = {
    "orderNo": "배송번호",
    "ordCompNm": "보내는 분",
    "recNm": "받는 분 이름",
    "recAddr1": "주소",
    "recAddr2": "상세주소",
}
_ROUTING_MORE = ("arrCnpoNm", "regiPoNm", "islandAddFee", "price", "notifyMsg")
_IN_TEST_MODE = "우체국 계약이 시험 모드(testYn=Y)라서 등기번호가 없습니다. 계약 설정에서 시험 모드를 꺼 주세요."


@dataclass(frozen=True)
class _Booking:
    """A booking as the post office remembers it."""

    req_no: str
    res_no: str
    number: str
    day: str


class EpostIssuer:
    """송장 발급 우체국: one contract; the box's key is the order number, unique on its day.

    `look_up` knows the bookings of the last `look_back_days` days: its NOT_FOUND says nothing about older ones.
    """

    name = "epost"
    gives_numbers_on_register = True
    most_per_call = 1

    def __init__(
        self,
        client: Client,
        *,
        key: str,
        security_key: str,
        cust_no: str,
        appr_no: str,
        office_ser: str,
        content_code: str,
        now: Callable[[], datetime],
        is_test: bool = False,
        usual_weight_kg: int = 2,
        usual_volume_cm: int = 60,
        look_back_days: int = 7,
    ) -> None:
        """`now` gives an aware time; `office_ser` is the 공급지, `content_code` three digits (029).

        Raises ValueError for keys that cannot be sent or a security key below 16 signs.
        """
        self._client, self._now, self._is_test = client, now, is_test
        self._key = checked_secret("the key of 우체국", key)
        self._security_key = checked_secret("the security key of 우체국", security_key, least=KEY_BYTES)
        self._contract = {"custNo": cust_no, "apprNo": appr_no}
        self._office_ser, self._content_code = office_ser, content_code
        self._usual_weight_kg, self._usual_volume_cm = usual_weight_kg, usual_volume_cm
        self._look_back_days = look_back_days

    def allocate(self, *, boxes: Sequence[Box]) -> Sequence[Issued]:
        """번호 받기: 우체국 has none to give before the booking."""
        return [rejected("우체국은 접수할 때 등기번호를 줍니다. 접수로 진행해 주세요.") for _ in boxes]

    def register(self, *, box: Box, number: str) -> Issued:
        """접수: book the box and bring its number; ALREADY with the number of a booking made earlier today.

        A `number` at hand means the box is booked: it is looked up, never booked again.
        """
        if number:
            return self._as_already(self.look_up(box=box, number=number))
        problem = _unfit(box)
        if problem:
            return rejected(problem)
        # A second call for the same box must find the first one's booking: they would take both.
        today = self._now().astimezone(SEOUL)
        known = self._find(box.key, back=1 if today.hour < _EARLY else 0)
        if isinstance(known, Issued):
            return known
        if known:
            return self._as_already(_issued(known, number=""))
        leaves = self._ask(_INSERT, self._order(box), is_repeatable=False)
        return leaves if isinstance(leaves, Issued) else self._booked(leaves)

    def look_up(self, *, box: Box, number: str) -> Issued:
        """접수 확인: the booking under the box's key; UNKNOWN where it bears another number than ours."""
        known = self._find(box.key, back=self._look_back_days)
        if isinstance(known, Issued):
            return known
        return _issued(known, number=number) if known else Issued(outcome=IssueOutcome.NOT_FOUND)

    def cancel(self, *, box: Box, number: str) -> Issued:
        """접수 취소: ALREADY where no booking is left, REJECTED with the post office's reason where it is too late."""
        known = self._find(box.key, back=self._look_back_days)
        if isinstance(known, Issued):
            return known
        if not known:
            return Issued(outcome=IssueOutcome.ALREADY, message="우체국에 남아 있는 접수가 없습니다.")
        found = _issued(known, number=number)
        if found.outcome != IssueOutcome.OK:
            return found
        match = next(booking for booking in known if booking.number == found.number)
        values = {
            **self._contract,
            "reqType": "1",
            "reqNo": match.req_no,
            "resNo": match.res_no,
            "regiNo": match.number,
            "reqYmd": match.day,
            "delYn": "Y",
        }
        leaves = self._ask(_CANCEL, values, is_repeatable=False)
        return leaves if isinstance(leaves, Issued) else _canceled(leaves, match.number)

    def refine(self, *, recipient: Party) -> Issued:
        """주소 정제: 우체국 tells the routing only with the booking."""
        return rejected("우체국은 접수하기 전에 주소를 확인해 주지 않습니다.")

    def _find(self, key: str, *, back: int) -> list[_Booking] | Issued:
        """Bookings under the key, of the newest day that has one, going back so many days from today."""
        today = self._now().astimezone(SEOUL).date()
        for days in range(back + 1):
            day = (today - timedelta(days=days)).strftime("%Y%m%d")
            values = {"custNo": self._contract["custNo"], "reqType": "1", "orderNo": key, "reqYmd": day}
            leaves = self._ask(_LOOK_UP, values, is_repeatable=True)
            if isinstance(leaves, Issued):
                if leaves.outcome != IssueOutcome.NOT_FOUND:
                    return leaves
                continue
            return _bookings(leaves, day)
        return []

    def _ask(self, path: str, values: Mapping[str, str], *, is_repeatable: bool) -> Leaves | Issued:
        """One call; the leaves of a good answer. NOT_FOUND only for a booking that is not there."""
        secrets = {self._key, self._security_key}
        try:
            data = reg_data(values, security_key=self._security_key)
        except Unsendable as problem:
            field = _FIELD_NAMES.get(str(problem), str(problem))
            return rejected(
                f"{field}에 & 또는 = 기호가 있어 우체국에 보낼 수 없습니다. 기호를 빼거나 다른 말로 고쳐 주세요.",
                detail=f"& or = in {problem}",
            )
        told = ask(
            self._client,
            "POST",
            path,
            is_repeatable=is_repeatable,
            secrets=secrets,
            headers=HEADERS,
            fields={"key": self._key, "regData": data},
            timeout=TIMEOUT,
        )
        if isinstance(told, TrackResult):
            return not_issued(told)
        leaves, answer = told
        if not any(text for _, text in leaves):
            return not_issued(malformed("an empty answer", answer, secrets=secrets))
        code, message = error_of(leaves)
        return _refusal(code, hidden(message, secrets), path) if code else _answered(leaves, path, answer, secrets)

    def _order(self, box: Box) -> dict[str, str]:
        """The values of InsertOrder."""
        recipient = box.recipient
        phones = [digits_of(recipient.phone), digits_of(recipient.phone2)]
        values = {
            **self._contract,
            "payType": _PAY_TYPES[box.fee],
            "reqType": "1",
            "officeSer": self._office_ser,
            "weight": str(max(1, math.ceil(box.weight_grams / 1000)) if box.weight_grams else self._usual_weight_kg),
            "volume": digits_of(box.box_type) or str(self._usual_volume_cm),
            "microYn": "N",
            "orderNo": box.key,
            "ordCompNm": one_line(box.sender.name),
            "recNm": one_line(recipient.name),
            "recZip": recipient.zip_code,
            "recAddr1": one_line(recipient.address1),
            "recAddr2": one_line(recipient.address2) or "-",
            "recTel": phones[0] or phones[1],
            "recMob": next((phone for phone in phones if phone.startswith("01")), ""),
            "contCd": self._content_code,
            "goodsNm": _words(box.goods, _GOODS_BYTES),
            "qty": str(box.quantity),
            "delivMsg": _words(box.note, _NOTE_BYTES),
            "printYn": "Y",
            "testYn": "Y" if self._is_test else "N",
        }
        return {name: value for name, value in values.items() if value}

    def _booked(self, leaves: Leaves) -> Issued:
        number = first(leaves, "regiNo")
        more = {name: text for name in _ROUTING_MORE if (text := first(leaves, name))}
        routing = Routing(
            sort_code=first(leaves, "delivAreaCd"),
            sub_code=first(leaves, "arrCnpoNm"),
            branch=first(leaves, "delivPoNm"),
            more=more,
        )
        return Issued(outcome=IssueOutcome.OK, number=number, routing=routing)

    @staticmethod
    def _as_already(found: Issued) -> Issued:
        if found.outcome != IssueOutcome.OK:
            return found
        return Issued(outcome=IssueOutcome.ALREADY, number=found.number)


def _unfit(box: Box) -> str:
    """What keeps this box from being sent, in Korean; empty when nothing does."""
    recipient = box.recipient
    if box.is_return:
        return "우체국 반품 접수는 이 계약으로 할 수 없습니다. 계약고객시스템에서 접수해 주세요."
    if len(box.key.encode()) > LONGEST_KEY:
        return f"배송번호가 {LONGEST_KEY}바이트를 넘어 우체국에 보낼 수 없습니다."
    if not re.fullmatch(r"[0-9]{5}", recipient.zip_code):
        return "우편번호가 5자리 숫자가 아닙니다. 우체국은 새 우편번호가 있어야 접수합니다. 주소를 고쳐 주세요."
    if not one_line(recipient.name) or not one_line(recipient.address1):
        return "받는 분 이름과 주소가 있어야 우체국에 접수할 수 있습니다. 주소를 고쳐 주세요."
    if not digits_of(recipient.phone) and not digits_of(recipient.phone2):
        return "받는 분 전화번호가 없어 우체국에 접수할 수 없습니다. 전화번호를 넣어 주세요."
    return ""


def _words(text: str, most: int) -> str:
    """Words for the label: no emoji, signs that regData cannot carry in full width, cut to bytes."""
    plain = one_line(text).replace("&", "＆").replace("=", "＝")
    return cut(cut(plain, most=most * 2), most=most, charset="utf-8")


def _refusal(code: str, message: str, path: str) -> Issued:
    """An error that the post office answers: definite, unless it speaks of trouble of its own."""
    if code in _ACCOUNT_CODES or (code not in _NO_BOOKING_CODES and _ABOUT_ACCOUNT.search(message)):
        return not_issued(refused(code), message=message)
    if path == _LOOK_UP:
        is_missing = code in _NO_BOOKING_CODES or _NO_BOOKING.search(message)
        return Issued(outcome=IssueOutcome.NOT_FOUND if is_missing else IssueOutcome.UNKNOWN, detail=code)
    outcome = IssueOutcome.UNKNOWN if not message or _VAGUE.search(message) else IssueOutcome.REJECTED
    return Issued(outcome=outcome, message=message, detail=code)


def _answered(leaves: Leaves, path: str, answer: Response, secrets: set[str]) -> Leaves | Issued:
    """The leaves, unless what the call is for is not among them."""
    if path == _CANCEL:
        is_complete = first(leaves, "canceledYn").upper() in {"Y", "D", "N"}
    else:
        numbers = [text for tag, text in leaves if tag == "regiNo"]
        if TEST_NUMBER in numbers:
            return rejected(_IN_TEST_MODE, detail="testYn=Y")
        is_complete = bool(numbers) and all(re.fullmatch(r"[0-9]{13}", number) for number in numbers)
    return leaves if is_complete else not_issued(malformed("no number or no result", answer, secrets=secrets))


def _bookings(leaves: Leaves, day: str) -> list[_Booking]:
    """Every booking of an answer; they may be several where one was canceled and made anew."""
    columns = {name: [text for tag, text in leaves if tag == name] for name in ("reqNo", "resNo", "regiNo")}
    return [
        _Booking(
            req_no=columns["reqNo"][at] if at < len(columns["reqNo"]) else "",
            res_no=columns["resNo"][at] if at < len(columns["resNo"]) else "",
            number=number,
            day=day,
        )
        for at, number in enumerate(columns["regiNo"])
    ]


def _issued(bookings: list[_Booking], *, number: str) -> Issued:
    """OK with the booking's number; UNKNOWN where ours is not among them or nobody can say which of several is."""
    numbers = sorted({booking.number for booking in bookings})
    if number in numbers or (not number and len(numbers) == 1):
        return Issued(outcome=IssueOutcome.OK, number=number or numbers[0])
    told = ", ".join(numbers)
    return Issued(
        outcome=IssueOutcome.UNKNOWN,
        message=f"우체국에 접수된 등기번호({told})가 우리 기록과 다릅니다. 계약고객시스템에서 확인해 주세요.",
        detail=f"{len(numbers)} bookings under one key, ours {'is not among them' if number else 'is not known'}",
    )


def _canceled(leaves: Leaves, number: str) -> Issued:
    if first(leaves, "canceledYn").upper() == "N":
        reason = first(leaves, "notCancelReason")
        message = (
            f"우체국이 접수를 취소해 주지 않았습니다: {reason}" if reason else "우체국이 접수를 취소하지 않았습니다."
        )
        return rejected(message, detail="canceledYn=N")
    return Issued(outcome=IssueOutcome.OK, number=number)
