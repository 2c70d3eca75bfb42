"""SweetTracker (스마트택배): one key, many couriers, levels 1 to 6 and words for the rest (shipping.md 1.2, 8.6).

The key travels in the query, so it must not reach any log; names and phones of drivers and buyers are left behind,
but for the masked name of the recipient, which is compared with ours and forgotten.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from core.http import BadResponse, Client
from shipping.adapters.base import RawEvent, TrackOutcome, TrackResult
from shipping.adapters.wire import (
    call,
    checked_secret,
    clean,
    document_of,
    epoch_moment,
    failure_of_message,
    hidden,
    is_code,
    is_same_number,
    malformed,
    moment,
    sentence,
)

URL: Final = "https://info.sweettracker.co.kr"
_TRACK_PATH, _COMPANIES_PATH = "/api/v1/trackingInfo", "/api/v1/companylist"
DELIVERED: Final = "6"
_LEVELS = frozenset("123456")


@dataclass(frozen=True, kw_only=True)
class Company:
    """택배사: as SweetTracker lists it."""

    code: str
    name: str
    is_international: bool


@dataclass(frozen=True, kw_only=True)
class CompanyList:
    """택배사 목록: FOUND with the companies, or the failure of the call."""

    outcome: TrackOutcome
    companies: tuple[Company, ...] = ()
    failure: TrackResult | None = None


class SweetTracker:
    """배송조회 소스 sweettracker: one account."""

    name = "sweettracker"

    def __init__(self, client: Client, *, key: str) -> None:
        """`key` is the t_key; raises ValueError for one that cannot be sent."""
        self._client, self._key = client, checked_secret("the key of SweetTracker", key)

    def track(self, *, carrier: str, number: str) -> TrackResult:
        """배송조회: `carrier` is SweetTracker's code (04); never raises."""
        if not carrier or not is_code(carrier):
            return TrackResult(outcome=TrackOutcome.UNKNOWN_CARRIER, detail="no courier code")
        if not is_code(number):
            return TrackResult(outcome=TrackOutcome.BAD_NUMBER, detail="the number holds other signs")
        found = self._ask(_TRACK_PATH, {"t_code": carrier, "t_invoice": number})
        return found if isinstance(found, TrackResult) else self._read(found, number)

    def companies(self) -> CompanyList:
        """택배사 목록: every courier code that SweetTracker knows, for the code table; never raises."""
        found = self._ask(_COMPANIES_PATH, {})
        if isinstance(found, TrackResult):
            return CompanyList(outcome=found.outcome, failure=found)
        listed = found.get("Company")
        rows = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
        companies = tuple(
            Company(
                code=clean(row.get("Code")),
                name=clean(row.get("Name")),
                is_international=clean(row.get("International")).lower() == "true" or row.get("International") is True,
            )
            for row in rows
            if clean(row.get("Code")) and clean(row.get("Name"))
        )
        if not companies:
            failure = malformed("no list of companies", found, secrets={self._key})
            return CompanyList(outcome=failure.outcome, failure=failure)
        return CompanyList(outcome=TrackOutcome.FOUND, companies=companies)

    def _ask(self, path: str, params: Mapping[str, str]) -> dict[str, Any] | TrackResult:
        """The object of a good answer, or the failure."""
        secrets = {self._key}
        answer = call(
            self._client,
            "GET",
            path,
            is_repeatable=True,
            secrets=secrets,
            params={"t_key": self._key, **params},
        )
        if isinstance(answer, TrackResult):
            return answer
        try:
            values = document_of(answer)
        except BadResponse as problem:
            return malformed(str(problem), answer, secrets=secrets)
        if not isinstance(values, dict):
            return malformed("the answer is no object", answer, secrets=secrets)
        # An error has a code of its own beside its message; an answer has neither.
        message, code = (hidden(clean(values.get(name)), secrets) for name in ("msg", "code"))
        if values.get("status") is False or message or code:
            return failure_of_message(message, code=code)
        return values

    def _read(self, values: Mapping[str, Any], number: str) -> TrackResult:
        details, secrets = values.get("trackingDetails"), {self._key}
        if not isinstance(details, list):
            return malformed("no list of events", values, secrets=secrets)
        if not is_same_number(values.get("invoiceNo"), number):
            return malformed("the answer is about another number", values, secrets=secrets)
        events = [_event(entry) for entry in details if isinstance(entry, dict)]
        if details and not events:
            return malformed("none of the events can be read", values, secrets=secrets)
        if _is_complete(values) and not any(event.code == DELIVERED for event in events):
            events.append(_delivery(values))
        recipient = clean(values.get("receiverName"))
        return TrackResult(outcome=TrackOutcome.FOUND, events=tuple(events), recipient=recipient)


def _event(entry: Mapping[str, Any]) -> RawEvent:
    """One event without the people in it; `remark` may name them, so it stays behind too."""
    level = clean(entry.get("level"))
    return RawEvent(
        code=level if level in _LEVELS else "",
        name=sentence(entry.get("kind")),
        place=clean(entry.get("where")),
        at=epoch_moment(entry.get("time")) or moment(entry.get("timeString")),
    )


def _is_complete(values: Mapping[str, Any]) -> bool:
    return values.get("complete") is True or clean(values.get("completeYN")).upper() == "Y"


def _delivery(values: Mapping[str, Any]) -> RawEvent:
    """The delivery that the flags tell of and the list does not: at the last state's time, if it has one."""
    for name in ("lastStateDetail", "lastDetail"):
        last = values.get(name)
        if isinstance(last, dict):
            event = _event(last)
            return RawEvent(code=DELIVERED, name="배송완료", place=event.place, at=event.at)
    return RawEvent(code=DELIVERED, name="배송완료")
