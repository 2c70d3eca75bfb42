"""우체국 tracking, twice: the trace API of 우체국 itself and that of the public data portal (shipping.md 1.4, 8.8).

Names come along in both: that of the recipient, which the first tells only to who asks, is compared with ours, and none
is kept.
"""

import re
from typing import Final

from core.http import Client, Response
from shipping.adapters.base import RawEvent, TrackOutcome, TrackResult
from shipping.adapters.epost_wire import HEADERS, Leaves, ask, error_of, first, grouped
from shipping.adapters.wire import (
    checked_secret,
    failure_of_message,
    hidden,
    is_same_number,
    korean_moment,
    malformed,
    refused,
    sentence,
)

TRACE_URL: Final = "https://biz.epost.go.kr"
OPEN_URL: Final = "https://openapi.epost.go.kr"
DOMESTIC, EMS = "trace", "emsTrace"
"""What our code tables call 우체국 for these sources: domestic parcels and registered mail, and EMS."""

_TRACE_PATH = "/KpostPortal/openapi"
_OPEN_PATH = (
    "/trace/retrieveLongitudinalCombinedService/retrieveLongitudinalCombinedService/getLongitudinalCombinedList"
)
_NUMBERS = {DOMESTIC: re.compile(r"[0-9]{13}"), EMS: re.compile(r"[A-Z]{2}[0-9]{9}[A-Z]{2}")}

# Tags of one event in each answer: time, time of day, what happened, where.
_TRACE_TAGS = ("eventymd", "eventhms", "eventnm", "eventregiponm")
_OPEN_TAGS = ("sortNo", "date", "time", "statue", "location")
_ERRORS = {
    "ERR-001": TrackOutcome.NOT_FOUND,
    "ERR-123": TrackOutcome.AUTH,
    "ERR-321": TrackOutcome.BAD_NUMBER,
}


class EpostTrace:
    """배송조회 소스 epost: the trace API of 우체국, with the key of the same contract."""

    name = "epost"

    def __init__(self, client: Client, *, key: str) -> None:
        """`key` is the regkey; raises ValueError for one that cannot be sent."""
        self._client, self._key = client, checked_secret("the key of 우체국", key)

    def track(self, *, carrier: str, number: str) -> TrackResult:
        """배송조회: `carrier` is `trace` for domestic numbers of 13 digits, `emsTrace` for EMS; never raises."""
        unasked = _unaskable(carrier, number, _NUMBERS)
        if unasked:
            return unasked
        secrets = {self._key}
        params = {"regkey": self._key, "target": carrier, "query": number}
        told = ask(
            self._client,
            "GET",
            _TRACE_PATH,
            is_repeatable=True,
            secrets=secrets,
            headers=HEADERS,
            params=params,
        )
        if isinstance(told, TrackResult):
            return told
        leaves, answer = told
        failure = _failure(leaves, secrets)
        if failure:
            return failure
        if not any(tag in {*_TRACE_TAGS, "tracestatus"} for tag, _ in leaves):
            return malformed("no trace in the answer", answer, secrets=secrets)
        entries = grouped(leaves, tags=_TRACE_TAGS)
        return _found(
            [_event(entry, "eventymd", "eventhms", "eventnm", "eventregiponm") for entry in entries],
            first(leaves, "recevnm"),
        )


class EpostOpen:
    """배송조회 소스 epost_open: the public data portal, 10,000 questions a day unless more were granted."""

    name = "epost_open"

    def __init__(self, client: Client, *, key: str) -> None:
        """`key` is the serviceKey, decoded; raises ValueError for one that cannot be sent."""
        self._client, self._key = client, checked_secret("the key of the data portal", key)

    def track(self, *, carrier: str, number: str) -> TrackResult:
        """배송조회: `carrier` is `trace`, the number has 13 digits; never raises."""
        unasked = _unaskable(carrier, number, {DOMESTIC: _NUMBERS[DOMESTIC]})
        if unasked:
            return unasked
        secrets = {self._key}
        params = {"serviceKey": self._key, "rgist": number}
        told = ask(self._client, "GET", _OPEN_PATH, is_repeatable=True, secrets=secrets, params=params)
        return told if isinstance(told, TrackResult) else self._read(*told, number)

    def _read(self, leaves: Leaves, answer: Response, number: str) -> TrackResult:
        secrets = {self._key}
        failure = _failure(leaves, secrets)
        if failure:
            return failure
        gateway = first(leaves, "returnAuthMsg") or first(leaves, "errMsg")
        if gateway:
            return failure_of_message(hidden(gateway, secrets), code=first(leaves, "returnReasonCode"))
        if first(leaves, "successYN") != "Y":
            message = first(leaves, "errorMessage")
            if not message:
                return malformed("neither success nor an error", answer, secrets=secrets)
            return failure_of_message(hidden(message, secrets))
        if not is_same_number(first(leaves, "regiNo"), number):
            return malformed("the answer is about another number", answer, secrets=secrets)
        entries = grouped(leaves, tags=_OPEN_TAGS)
        if all(entry.get("sortNo", "").isdecimal() for entry in entries):
            entries.sort(key=lambda entry: int(entry["sortNo"]))
        events = [_event(entry, "date", "time", "statue", "location") for entry in entries]
        return _found(events, first(leaves, "receiveName"))


def _unaskable(carrier: str, number: str, numbers: dict[str, re.Pattern[str]]) -> TrackResult | None:
    rule = numbers.get(carrier)
    if rule is None:
        return TrackResult(outcome=TrackOutcome.UNKNOWN_CARRIER, detail=f"carrier {carrier[:40]!r}")
    if not rule.fullmatch(number):
        return TrackResult(outcome=TrackOutcome.BAD_NUMBER, detail="the number breaks the rule of 우체국")
    return None


def _failure(leaves: Leaves, secrets: set[str]) -> TrackResult | None:
    code, message = error_of(leaves)
    if not code:
        return None
    outcome = _ERRORS.get(code)
    if outcome == TrackOutcome.AUTH:
        return refused(code)
    if outcome:
        return TrackResult(outcome=outcome, detail=code)
    return failure_of_message(hidden(message, secrets), code=code)


def _event(entry: dict[str, str], day: str, at: str, name: str, place: str) -> RawEvent:
    moment, is_date_only = korean_moment(entry.get(day), entry.get(at))
    return RawEvent(name=sentence(entry.get(name)), place=entry.get(place, ""), at=moment, is_date_only=is_date_only)


def _found(events: list[RawEvent], recipient: str) -> TrackResult:
    told = tuple(event for event in events if event.name or event.at)
    return TrackResult(outcome=TrackOutcome.FOUND, events=told, recipient=recipient)
