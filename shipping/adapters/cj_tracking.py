"""배송조회 of CJ대한통운: one number at a time, and the feed of the whole contract (shipping.md 1.3, 4.1).

Names and phones of couriers and of who took the parcel stay out: nobody needs them, and they are personal data.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from shipping.adapters.base import FeedEvent, FeedPage, RawEvent, TrackOutcome, TrackResult
from shipping.adapters.cj_wire import (
    CjWire,
    Said,
    entries_of,
    failure_of_result,
    is_database_error,
)
from shipping.adapters.wire import (
    clean,
    failure_of_message,
    is_code,
    is_same_number,
    korean_moment,
    malformed,
    sentence,
)

PAGE_SIZE: Final = 500
RETURN: Final = "02"
"""RCPT_DV of a return."""
_PICKUP_FAILED: Final = "12"
_DELIVERY_FAILED: Final = "84"

# NO_CLDV_RSN_CD means one thing of a failed pick-up and another of a failed delivery.
_PICKUP_REASONS: Final[Mapping[str, str]] = {
    "01": "재고 부족", "02": "업체 미출고", "03": "기집화", "06": "타택배", "07": "천재지변", "08": "주문취소",
    "09": "집배구역 불일치", "11": "집화 예정", "12": "토요 휴무", "13": "취급불가", "18": "고객 부재",
    "25": "통화 안됨(4일 이상)", "33": "시간부족", "34": "차량고장", "38": "도서/외곽", "44": "중복 예약",
    "49": "집화 이관",
}  # fmt: skip
_DELIVERY_REASONS: Final[Mapping[str, str]] = {
    "01": "고객정보 오류", "02": "고객 부재", "05": "지연 도착", "06": "분류 오류", "08": "통화 불가능",
    "09": "수취 거부", "11": "천재지변", "16": "착지 변경", "21": "상품 사고(파손/분실)", "24": "지정일 배송",
    "33": "도서/외곽지역", "42": "특판 잔류", "55": "결재 불가", "56": "배송전 취소",
}  # fmt: skip
_REASONS: Final = {_PICKUP_FAILED: _PICKUP_REASONS, _DELIVERY_FAILED: _DELIVERY_REASONS}


class CjTracking:
    """배송조회 소스 CJ: one parcel. CJ asks for three hours between two questions about a number."""

    name = "cj"

    def __init__(self, wire: CjWire) -> None:
        self._wire = wire

    def track(self, *, carrier: str, number: str) -> TrackResult:
        """배송조회: the scans of a number. CJ tells nothing before the first one: FOUND without events."""
        if not carrier:
            return TrackResult(outcome=TrackOutcome.UNKNOWN_CARRIER, detail="no carrier id")
        if not is_code(number):
            return TrackResult(outcome=TrackOutcome.BAD_NUMBER, detail="the number holds other signs")
        said = self._wire.call("ReqOneGdsTrc", {"CLNTNUM": self._wire.customer, "INVC_NO": number}, is_repeatable=True)
        return said if isinstance(said, TrackResult) else events_of(said, number)


class CjFeed:
    """배송 소식 CJ: every scan of the contract, page by page, until it is acknowledged.

    An acknowledgement names number and status, not the scan: a second scan with the same status (간선하차 of two hubs)
    that CJ took in between is acknowledged too and never told. Hence the daily question about parcels of a feed
    (shipping.md 4.1).
    """

    name = "cj"
    page_size = PAGE_SIZE

    def __init__(self, wire: CjWire) -> None:
        self._wire = wire

    def pull(self, *, day: date) -> FeedPage:
        """받기: up to 500 scans that CJ took in on this day; ask again after the acknowledgement until none is left."""
        data = {"CUST_ID": self._wire.customer, "REQ_DT": day.strftime("%Y%m%d"), "SND_YN": "N"}
        said = self._wire.call("ReqMssGdsTrc", data, is_repeatable=True)
        if isinstance(said, TrackResult):
            return _page_of_failure(said)
        entries = entries_of(said.data)
        if not said.is_done:
            return _page_of_failure(_failure(said))
        if entries is None:
            return _page_of_failure(malformed("no list of scans", said.response))
        events = [_fed(entry) for entry in entries]
        known = tuple(event for event in events if event is not None)
        return FeedPage(outcome=TrackOutcome.FOUND, events=known, skipped=len(events) - len(known))

    def acknowledge(self, *, events: Sequence[FeedEvent]) -> TrackOutcome:
        """수신 확인 of what is safely stored; the same number and status are named once."""
        receipts = list(dict.fromkeys(event.receipt for event in events if "|" in event.receipt))
        for start in range(0, len(receipts), PAGE_SIZE):
            pairs = [receipt.split("|", 1) for receipt in receipts[start : start + PAGE_SIZE]]
            array = [{"INVC_NO": number, "CRG_ST": status} for number, status in pairs]
            # Said twice it does no harm.
            data = {"CLNTNUM": self._wire.customer, "ARRAY": array}
            said = self._wire.call("RcvMssGdsTrcCnfrm", data, is_repeatable=True)
            if isinstance(said, TrackResult):
                return said.outcome
            if not said.is_done:
                return _failure(said).outcome
        return TrackOutcome.FOUND


def events_of(said: Said, number: str) -> TrackResult:
    """The scans of an answer of ReqOneGdsTrc, oldest first."""
    if not said.is_done:
        return _failure(said)
    entries = entries_of(said.data)
    if entries is None:
        return malformed("no list of scans", said.response)
    readable = [entry for entry in entries if isinstance(entry, Mapping) and _is_scan(entry)]
    if entries and not readable:
        return malformed("none of the scans can be read", said.response)
    mine = [entry for entry in readable if is_same_number(entry.get("INVC_NO"), number)]
    if readable and not mine:
        return malformed("the answer is about another number", said.response)
    return TrackResult(outcome=TrackOutcome.FOUND, events=_oldest_first([_event(entry) for entry in mine]))


def _failure(said: Said) -> TrackResult:
    if is_database_error(said):
        return failure_of_result(said)
    return failure_of_message(said.detail, code=said.code)


def _page_of_failure(failure: TrackResult) -> FeedPage:
    return FeedPage(
        outcome=failure.outcome,
        retry_after=failure.retry_after,
        cause=failure.cause,
        detail=failure.detail,
        sample=failure.sample,
    )


def _is_scan(entry: Mapping[str, Any]) -> bool:
    return bool(clean(entry.get("CRG_ST")) or clean(entry.get("CRG_ST_NM")))


def _fed(entry: Any) -> FeedEvent | None:
    """One entry of a page; None where it cannot be told which parcel or status it is about."""
    if not isinstance(entry, Mapping):
        return None
    number, status = clean(entry.get("INVC_NO")), clean(entry.get("CRG_ST"))
    if not number or not is_code(number) or not status:
        return None
    return FeedEvent(
        number=number,
        key=clean(entry.get("CUST_USE_NO")),
        event=_event(entry),
        is_return=clean(entry.get("RCPT_DV")) == RETURN,
        receipt=f"{number}|{status}",
    )


def _event(entry: Mapping[str, Any]) -> RawEvent:
    status = clean(entry.get("CRG_ST"))
    at, is_date_only = korean_moment(entry.get("SCAN_YMD"), entry.get("SCAN_HOUR"))
    return RawEvent(
        code=status.upper(),
        name=sentence(entry.get("CRG_ST_NM")),
        text=_reason(status, clean(entry.get("NO_CLDV_RSN_CD")), sentence(entry.get("DETAIL_RSN"))),
        place=clean(entry.get("DEALT_BRAN_NM")),
        at=at,
        is_date_only=is_date_only,
    )


def _reason(status: str, code: str, detail: str) -> str:
    """What a person should read: the reason in words, and what the driver wrote beside it."""
    known = _REASONS.get(status, {})
    word = known.get(code, f"사유 코드 {code}" if code and known else "")
    if not word or detail == word:
        return word or detail
    return f"{word} ({detail})" if detail else word


def _oldest_first(events: list[RawEvent]) -> tuple[RawEvent, ...]:
    """The guide does not say which end comes first; scans of the same moment keep their places."""
    moments = [event.at for event in events if event.at is not None]
    return tuple(reversed(events)) if moments and moments[0] > moments[-1] else tuple(events)
