"""한진 tracking, by contract (shipping.md 1.5, 8.10)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from shipping.adapters.base import RawEvent, TrackOutcome, TrackResult
from shipping.adapters.hanjin_wire import OK, HanjinHost
from shipping.adapters.wire import (
    clean,
    failure_of_message,
    is_code,
    is_same_number,
    korean_moment,
    malformed,
    moment,
    sentence,
)

TRACK_PATH: Final = "/parcel-delivery/v1/tracking/tracking-wbl"
CARRIER: Final = "hanjin"
"""What our code tables call 한진 for this source."""
NOT_SCANNED: Final = "ERROR-01"

# Only wblNo, statusCode and resultCode are certain (shipping.md 8.10). The first name that is there counts; correct
# them here when the contract's guide says otherwise.
REQUEST = {"customer": "custEdiCd", "number": "wblNo"}
LIST = "wrkList"
FIELDS: Mapping[str, tuple[str, ...]] = {
    "code": ("statusCode",),
    "name": ("statusName",),
    "text": ("description", "reasonMessage"),
    "moment": ("statusDate",),
    "day": ("wrkYmd",),
    "time": ("wrkTime",),
    "place": ("agencyName", "wrkOrgName"),
}


class HanjinTracking:
    """배송조회 소스 hanjin: one number at a time."""

    name = "hanjin"

    def __init__(self, host: HanjinHost) -> None:
        """`host` is the one that books."""
        self._host = host

    def track(self, *, carrier: str, number: str) -> TrackResult:
        """배송조회: `carrier` is `hanjin`; NOT_FOUND until the first scan; never raises."""
        if carrier != CARRIER:
            return TrackResult(outcome=TrackOutcome.UNKNOWN_CARRIER, detail=f"carrier {carrier[:40]!r}")
        if not is_code(number) or not number.isdecimal():
            return TrackResult(outcome=TrackOutcome.BAD_NUMBER, detail="the number holds other signs")
        document = {REQUEST["customer"]: self._host.client_id, REQUEST["number"]: number}
        values = self._host.ask(TRACK_PATH, document, is_repeatable=True)
        if isinstance(values, TrackResult):
            return values
        code, message = self._host.result_of(values)
        if code == NOT_SCANNED:
            return TrackResult(outcome=TrackOutcome.NOT_FOUND, detail=code)
        if code == OK:
            return _read(values, number, self._host.secrets)
        return (
            failure_of_message(message, code=code)
            if code
            else malformed("no result code", values, secrets=self._host.secrets)
        )


def _read(values: Mapping[str, Any], number: str, secrets: set[str]) -> TrackResult:
    if not is_same_number(values.get(REQUEST["number"]), number):
        return malformed("the answer is about another number", values, secrets=secrets)
    entries = values.get(LIST)
    if not isinstance(entries, list):
        return malformed("no list of events", values, secrets=secrets)
    events = tuple(_event(entry) for entry in entries if isinstance(entry, dict))
    if entries and not events:
        return malformed("none of the events can be read", values, secrets=secrets)
    return TrackResult(outcome=TrackOutcome.FOUND, events=events)


def _event(entry: Mapping[str, Any]) -> RawEvent:
    """One event; what cannot be read of it is left empty."""
    at, is_date_only = _time(entry)
    return RawEvent(
        code=_field(entry, "code").upper(),
        name=sentence(_field(entry, "name")),
        text=sentence(_field(entry, "text")),
        place=_field(entry, "place"),
        at=at,
        is_date_only=is_date_only,
    )


def _time(entry: Mapping[str, Any]) -> tuple[datetime | None, bool]:
    whole = moment(_field(entry, "moment"))
    return (whole, False) if whole else korean_moment(_field(entry, "day"), _field(entry, "time"))


def _field(entry: Mapping[str, Any], name: str) -> str:
    return next((text for key in FIELDS[name] if (text := clean(entry.get(key)))), "")
