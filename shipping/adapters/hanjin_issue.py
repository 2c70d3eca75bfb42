"""한진 issuing: the print host gives numbers and routing, the order host takes the booking (shipping.md 1.5, 5.2, 5.3).

A number cannot be given back. The same number booked twice is ERROR-09, our own key is not checked there.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from core.cutting import cut, digits_of
from shipping.adapters.base import RawEvent, TrackOutcome, TrackResult
from shipping.adapters.hanjin_tracking import CARRIER, HanjinTracking
from shipping.adapters.hanjin_wire import OK, HanjinHost
from shipping.adapters.issuing import Box, FeePayer, Issued, IssueOutcome, Party, Routing
from shipping.adapters.wire import clean, digits_in, malformed, not_issued, one_line, refused, rejected

PRINT_TIMEOUT: Final = (3.0, 30.0)
"""The print host takes ten seconds and more."""
LONGEST_KEY: Final = 30
_ONE_PATH, _MANY_PATH = "/v1/wbl/{client_id}/print-wbl", "/v1/wbl/{client_id}/print-wbls"
_BOOK_PATH, _CANCEL_PATH = "/parcel-delivery/v1/order/insert-order", "/parcel-delivery/v1/order/cancel-order"
LIMIT_REACHED, ALREADY_BOOKED, CANCELED = "ERROR-05", "ERROR-09", "03"

# Names that public implementations use; only wblNo, resultCode and the routing names are in the reference. Correct
# them here when the contract's guide says otherwise.
ADDRESS = {"contract": "csr_num", "address": "address", "from": "snd_zip", "to": "rcv_zip", "key": "msg_key"}
LIST = "address_list"
NUMBER = "wbl_num"
ROUTING = ("zip_cod", "dom_rgn", "pd_tim", "hub_cod", "dom_mid", "s_tml_nam", "s_tml_cod", "tml_nam", "cen_cod")
SELF_PRINTED = "S"
PAY_TYPES: Mapping[FeePayer, str] = {FeePayer.CREDIT: "CD", FeePayer.PREPAID: "PP"}
SMALLEST_BOX = "A"
_GOODS_BYTES, _NOTE_BYTES = 100, 100
_NUMBER = re.compile(r"[0-9]{12}(?:[0-9]{2})?")
_ABOUT_ACCOUNT = re.compile(r"(?<!msg_)key|client|인증|권한|서명|계약번호", re.IGNORECASE)


class HanjinIssuer:
    """송장 발급 한진: numbers in batches of up to 100, one booking for each box."""

    name = "hanjin"
    gives_numbers_on_register = False
    most_per_call = 100

    def __init__(
        self,
        printing: HanjinHost,
        ordering: HanjinHost,
        *,
        contract_no: str,
        pay_types: Mapping[FeePayer, str] = PAY_TYPES,
    ) -> None:
        """`printing` and `ordering` are the two hosts with the same keys; `contract_no` is the 계약번호."""
        self._printing, self._ordering = printing, ordering
        self._contract_no, self._pay_types = contract_no, pay_types

    def allocate(self, *, boxes: Sequence[Box]) -> Sequence[Issued]:
        """번호 받기: up to 100 boxes of different keys in one call, each with its number and routing or its refusal.

        Raises ValueError for more, or for the same key twice: these are errors of the caller.
        """
        if len(boxes) > self.most_per_call or len({box.key for box in boxes}) < len(boxes):
            raise ValueError(f"at most {self.most_per_call} boxes of different keys")
        problems = {box.key: _unfit(box) for box in boxes}
        fit = [box for box in boxes if not problems[box.key]]
        answers = self._numbers(fit) if fit else {}
        return [answers[box.key] if box.key in answers else rejected(problems[box.key]) for box in boxes]

    def register(self, *, box: Box, number: str) -> Issued:
        """접수: book the box under its number; ALREADY when 한진 knows the number, which is as good."""
        problem = _unfit(box) or self._unbookable(box, number)
        if problem:
            return rejected(problem)
        values = self._ordering.ask(_BOOK_PATH, self._order(box, number), is_repeatable=False)
        if isinstance(values, TrackResult):
            return not_issued(values)
        code, message = self._ordering.result_of(values)
        if code == ALREADY_BOOKED:
            return Issued(outcome=IssueOutcome.ALREADY, number=number)
        if code == OK:
            return Issued(outcome=IssueOutcome.OK, number=number)
        return _refusal(code, message)

    def look_up(self, *, box: Box, number: str) -> Issued:
        """접수 확인: OK once there is a scan. 한진 tells nothing before it: UNKNOWN, book the same number again."""
        if not number:
            return Issued(outcome=IssueOutcome.NOT_FOUND)
        found = HanjinTracking(self._ordering).track(carrier=CARRIER, number=number)
        if found.outcome == TrackOutcome.FOUND and found.events:
            is_canceled = _newest(found.events).code == CANCELED
            return Issued(outcome=IssueOutcome.NOT_FOUND if is_canceled else IssueOutcome.OK, number=number)
        if found.outcome in {TrackOutcome.FOUND, TrackOutcome.NOT_FOUND}:
            message = "한진은 첫 스캔 전의 접수를 알려 주지 않습니다. 같은 번호로 다시 접수하면 확인됩니다."
            return Issued(outcome=IssueOutcome.UNKNOWN, message=message, detail=found.detail or "no scan yet")
        return not_issued(found)

    def cancel(self, *, box: Box, number: str) -> Issued:
        """접수 취소: the booking; the number itself can only be thrown away."""
        document = {"custEdiCd": self._ordering.client_id, "custOrdNo": box.key, "wblNo": number}
        values = self._ordering.ask(_CANCEL_PATH, document, is_repeatable=False)
        if isinstance(values, TrackResult):
            return not_issued(values)
        code, message = self._ordering.result_of(values)
        return Issued(outcome=IssueOutcome.OK, number=number) if code == OK else _refusal(code, message)

    def refine(self, *, recipient: Party) -> Issued:
        """주소 정제: 한진 tells the routing only with a number."""
        return rejected("한진은 번호를 받을 때 분류 정보를 함께 줍니다. 번호 받기로 진행해 주세요.")

    def _numbers(self, boxes: Sequence[Box]) -> dict[str, Issued]:
        """The answer for each box by its key; every box has one."""
        is_single = len(boxes) == 1
        path = (_ONE_PATH if is_single else _MANY_PATH).format(client_id=self._printing.client_id)
        entries = [self._address(box) for box in boxes]
        document = entries[0] if is_single else {LIST: entries}
        values = self._printing.ask(path, document, is_repeatable=False, timeout=PRINT_TIMEOUT)
        if isinstance(values, TrackResult):
            return dict.fromkeys((box.key for box in boxes), not_issued(values))
        if is_single:
            return {boxes[0].key: self._number(values)}
        return self._batch(values, boxes)

    def _batch(self, values: Mapping[str, Any], boxes: Sequence[Box]) -> dict[str, Issued]:
        listed = values.get(LIST)
        if not isinstance(listed, list):
            code, message = self._printing.result_of(values)
            whole = (
                _print_refusal(code, message) if code and code != OK else not_issued(malformed("no list of numbers"))
            )
            return dict.fromkeys((box.key for box in boxes), whole)
        lost = not_issued(malformed("the batch says nothing of this box"))
        answers = {box.key: lost for box in boxes}
        for entry in listed:
            # By our own key: an order that nobody promised would put numbers on the wrong boxes.
            key = clean(entry.get(ADDRESS["key"])) if isinstance(entry, dict) else ""
            if key in answers:
                answers[key] = self._number(entry)
        return _without_doubles(answers)

    def _number(self, entry: Mapping[str, Any]) -> Issued:
        code, message = self._printing.result_of(entry)
        if code != OK:
            return _print_refusal(code, message)
        number = digits_in(entry.get(NUMBER))
        if not _NUMBER.fullmatch(number):
            return not_issued(malformed("a number of another form"))
        return Issued(outcome=IssueOutcome.OK, number=number, routing=_routing(entry))

    def _address(self, box: Box) -> dict[str, str]:
        values = {
            "contract": self._contract_no,
            "address": _address(box.recipient),
            "from": box.sender.zip_code,
            "to": box.recipient.zip_code,
            "key": box.key,
        }
        return {ADDRESS[name]: value for name, value in values.items()}

    def _unbookable(self, box: Box, number: str) -> str:
        if not number:
            return "한진은 송장번호를 먼저 받아야 접수할 수 있습니다. 번호 받기부터 해 주세요."
        if box.fee not in self._pay_types:
            return "이 운임구분에 쓸 한진 코드가 계약에 없습니다. 계약 설정에 코드를 넣거나 운임구분을 바꿔 주세요."
        return ""

    def _order(self, box: Box, number: str) -> dict[str, Any]:
        """The document of insert-order."""
        sender, recipient = box.sender, box.recipient
        phones = [digits_of(recipient.phone), digits_of(recipient.phone2)]
        return {
            "custEdiCd": self._ordering.client_id,
            "custOrdNo": box.key,
            "wblNo": number,
            "svcCatCd": SELF_PRINTED,
            "cntractNo": self._contract_no,
            "pickupAskDt": self._ordering.today,
            "sndrZip": sender.zip_code,
            "sndrBaseAddr": one_line(sender.address1),
            "sndrDtlAddr": one_line(sender.address2) or "-",
            "sndrNm": one_line(sender.name),
            "sndrTelNo": digits_of(sender.phone),
            "rcvrZip": recipient.zip_code,
            "rcvrBaseAddr": one_line(recipient.address1),
            "rcvrDtlAddr": one_line(recipient.address2) or "-",
            "rcvrNm": one_line(recipient.name),
            "rcvrTelNo": phones[0] or phones[1],
            "rcvrMobileNo": next((phone for phone in phones if phone.startswith("01")), ""),
            "rcvrAskCntent": cut(one_line(box.note), most=_NOTE_BYTES),
            "comodityNm": cut(one_line(box.goods), most=_GOODS_BYTES),
            "payTypCd": self._pay_types[box.fee],
            "boxTypCd": box.box_type or SMALLEST_BOX,
        }


def _unfit(box: Box) -> str:
    """What keeps this box from being sent, in Korean; empty when nothing does."""
    recipient = box.recipient
    if box.is_return:
        return "한진 반품 접수는 이 계약으로 할 수 없습니다. 한진 고객 사이트에서 접수해 주세요."
    if len(box.key.encode()) > LONGEST_KEY:
        return f"배송번호가 {LONGEST_KEY}바이트를 넘어 한진에 보낼 수 없습니다."
    if not re.fullmatch(r"[0-9]{5}", recipient.zip_code):
        return "우편번호가 5자리 숫자가 아닙니다. 주소를 고쳐 주세요."
    if not one_line(recipient.name) or not one_line(recipient.address1):
        return "받는 분 이름과 주소가 있어야 한진에 접수할 수 있습니다. 주소를 고쳐 주세요."
    if not digits_of(recipient.phone) and not digits_of(recipient.phone2):
        return "받는 분 전화번호가 없어 한진에 접수할 수 없습니다. 전화번호를 넣어 주세요."
    return ""


def _address(party: Party) -> str:
    return " ".join(filter(None, (one_line(party.address1), one_line(party.address2))))


def _routing(entry: Mapping[str, Any]) -> Routing:
    return Routing(
        sort_code=clean(entry.get("tml_cod")),
        sub_code=clean(entry.get("grp_rnk")),
        nickname=clean(entry.get("prt_add")),
        branch=clean(entry.get("cen_nam")),
        driver=" ".join(filter(None, (clean(entry.get("es_cod")), clean(entry.get("es_nam"))))),
        more={name: text for name in ROUTING if (text := clean(entry.get(name)))},
    )


def _print_refusal(code: str, message: str) -> Issued:
    """The print host's own meaning of ERROR-05: no more numbers today."""
    if code == LIMIT_REACHED:
        told = message or "오늘 받을 수 있는 한진 송장번호를 다 썼습니다. 내일 다시 받아 주세요."
        return Issued(outcome=IssueOutcome.LIMITED, message=told, detail=code)
    return _refusal(code, message)


def _refusal(code: str, message: str) -> Issued:
    """A refusal that 한진 explains; without a code nobody knows what was done."""
    if not code or code == OK:
        return not_issued(malformed("no result code"))
    detail = f"{code}: {message}"
    if _ABOUT_ACCOUNT.search(message):
        return not_issued(refused(detail), message=message)
    return Issued(
        outcome=IssueOutcome.REJECTED, message=message or f"한진이 접수를 거절했습니다({code}).", detail=detail
    )


def _without_doubles(answers: dict[str, Issued]) -> dict[str, Issued]:
    """A number that two boxes got belongs to neither until somebody has looked."""
    given = [issued.number for issued in answers.values() if issued.number]
    doubled = {number for number in given if given.count(number) > 1}
    doubt = Issued(
        outcome=IssueOutcome.UNKNOWN,
        message="한진이 같은 번호를 두 상자에 주었습니다. 한진에 확인해 주세요.",
        detail="the same number twice in one batch",
    )
    return {key: doubt if issued.number in doubled else issued for key, issued in answers.items()}


def _newest(events: Sequence[RawEvent]) -> RawEvent:
    """The event of the latest time, the last in the list among equals or where no time is known."""
    timed = [event for event in events if event.at]
    latest = max((event.at for event in timed if event.at), default=None)
    return next(event for event in reversed(events) if latest is None or event.at == latest)
