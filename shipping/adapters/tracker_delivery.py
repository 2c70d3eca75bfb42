"""tracker.delivery: the cloud service and the self-hosted server speak the same GraphQL (shipping.md 1.1, 4.4).

Failures come as HTTP 200 with an errors array; NOT_FOUND means a wrong number, an unscanned one, an expired one or an
unknown carrier, told apart by the message alone.
"""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from zoneinfo import ZoneInfo

from core.http import BadResponse, Client, HttpProblem, Response, Timeout, TooLarge
from shipping.adapters.base import SAMPLE_LIMIT, Cause, RawEvent, TrackOutcome, TrackResult

CLOUD_URL = "https://apis.tracker.delivery"
PAGE_SIZE = 20
"""The server cuts larger pages to this without a word."""
MAX_PAGES = 25
LOTTE = "kr.lotte"
"""The carrier whose scans may lack a time."""
TEXT_LIMIT = 300
_LONGEST_WAIT = 86_400
_SEOUL = ZoneInfo("Asia/Seoul")

_QUERY = """
query Track($carrier: ID!, $number: ID!, $first: Int!, $after: String) {
  track(carrierId: $carrier, trackingNumber: $number) {
    trackingNumber
    events(first: $first, after: $after) {
      edges { node { time status { code name } location { name } description } }
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""
_RATE_LIMIT = re.compile(r"rate.?limit|too many requests", re.IGNORECASE)
_CODES = {
    "NOT_FOUND": TrackOutcome.NOT_FOUND,
    "BAD_REQUEST": TrackOutcome.BAD_NUMBER,
    "FORBIDDEN": TrackOutcome.AUTH,
    "UNAUTHENTICATED": TrackOutcome.AUTH,
}
_ABOUT_THE_NUMBER = {TrackOutcome.NOT_FOUND, TrackOutcome.BAD_NUMBER, TrackOutcome.UNKNOWN_CARRIER}


@dataclass(frozen=True)
class _Page:
    events: tuple[RawEvent, ...]
    next_cursor: str | None


class TrackerDelivery:
    """배송조회 소스 tracker.delivery: one account, or a server of one's own that needs no key."""

    name = "tracker_delivery"

    def __init__(self, client: Client, *, api_key: str = "") -> None:
        """`api_key` is `<clientId>:<clientSecret>`; raises ValueError for one that no header can carry."""
        if not api_key.isascii() or (api_key and not api_key.isprintable()):
            raise ValueError("the key of tracker.delivery must be printable ASCII")
        self._client = client
        self._headers = {"Authorization": f"TRACKQL-API-KEY {api_key}"} if api_key else {}

    def track(self, *, carrier: str, number: str) -> TrackResult:
        """배송조회: every event of one parcel, all pages of it, or the outcome that stands in the way; never raises."""
        if not carrier:
            return TrackResult(outcome=TrackOutcome.UNKNOWN_CARRIER, detail="no carrier id")
        if not (number.isascii() and number.isalnum()):
            return TrackResult(outcome=TrackOutcome.BAD_NUMBER, detail="the number holds other signs")
        events: list[RawEvent] = []
        seen: set[str | None] = {None}
        cursor = None
        while len(seen) <= MAX_PAGES:
            page = self._page(carrier, number, cursor)
            if isinstance(page, TrackResult):
                return _changed_meanwhile(page) if cursor else page
            events += page.events
            cursor = page.next_cursor
            if cursor is None:
                return TrackResult(outcome=TrackOutcome.FOUND, events=tuple(events))
            if cursor in seen:
                return _malformed("the pages go round in circles")
            seen.add(cursor)
        return _malformed(f"more than {MAX_PAGES} pages")

    def _page(self, carrier: str, number: str, cursor: str | None) -> _Page | TrackResult:
        variables = {"carrier": carrier, "number": number, "first": PAGE_SIZE, "after": cursor}
        try:
            response = self._ask({"query": _QUERY, "variables": variables})
        except HttpProblem as problem:
            return _failure_of_connection(problem)
        return _failure_of_status(response) or _read(response, carrier, number)

    def _ask(self, document: Mapping[str, Any]) -> Response:
        """One question. It changes nothing there, so a connection that was closed while idle is tried once more."""
        try:
            return self._client.request("POST", "/graphql", headers=self._headers, json=document)
        except BadResponse:
            return self._client.request("POST", "/graphql", headers=self._headers, json=document)


def _unavailable(cause: Cause, detail: str, sample: str = "") -> TrackResult:
    return TrackResult(outcome=TrackOutcome.UNAVAILABLE, cause=cause, detail=detail, sample=sample)


def _malformed(detail: str, response: Response | None = None) -> TrackResult:
    return _unavailable(Cause.MALFORMED, detail, response.text()[:SAMPLE_LIMIT] if response else "")


def _changed_meanwhile(result: TrackResult) -> TrackResult:
    """A number that was fine on the first page is not wrong on the next: the source is."""
    if result.outcome in _ABOUT_THE_NUMBER:
        return _malformed(f"{result.outcome} on a later page")
    return result


def _failure_of_connection(problem: HttpProblem) -> TrackResult:
    if isinstance(problem, Timeout):
        return _unavailable(Cause.TIMEOUT, str(problem))
    if isinstance(problem, BadResponse | TooLarge):
        return _malformed(str(problem))
    return _unavailable(Cause.UNREACHABLE, str(problem))


def _failure_of_status(response: Response) -> TrackResult | None:
    """The outcome of a status that says enough by itself; None where the body must be read."""
    status = response.status
    if status == 429 or (status == 403 and _RATE_LIMIT.search(response.text()[:SAMPLE_LIMIT])):
        return _rate_limited(response)
    if status in {401, 403}:
        return TrackResult(outcome=TrackOutcome.AUTH, detail=f"HTTP {status}")
    if status >= 500:
        return _unavailable(Cause.SERVER, f"HTTP {status}")
    # A document that is refused comes as 400 and explains itself in the body.
    return None if status in {200, 400} else _malformed(f"HTTP {status}", response)


def _rate_limited(response: Response) -> TrackResult:
    wait = _seconds(response.headers.get("retry-after", ""))
    return TrackResult(outcome=TrackOutcome.RATE_LIMITED, retry_after=wait, detail=f"HTTP {response.status}")


def _seconds(text: str) -> int | None:
    """Retry-After as seconds, whichever of its two forms it takes."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:9]), _LONGEST_WAIT)
    try:
        wait = parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
    return max(0, min(round(wait), _LONGEST_WAIT))


def _read(response: Response, carrier: str, number: str) -> _Page | TrackResult:
    """A page of events, or the outcome that the body tells."""
    try:
        document = response.json()
    except BadResponse as problem:
        return _malformed(str(problem), response)
    if not isinstance(document, dict):
        return _malformed("the answer is no object", response)
    errors = document.get("errors")
    if errors:
        return _failure_of_errors(errors, response)
    data = document.get("data")
    info = data.get("track") if isinstance(data, dict) else None
    if not isinstance(info, dict) or not isinstance(info.get("events"), dict):
        return _malformed("no events in the answer", response)
    told = info.get("trackingNumber")
    if isinstance(told, str) and re.sub(r"[^0-9A-Z]", "", told.upper()) != number.upper():
        return _malformed("the answer is about another number")
    return _page_of(info["events"], carrier, response)


def _failure_of_errors(errors: Any, response: Response) -> TrackResult:
    first = errors[0] if isinstance(errors, list) else None
    if not isinstance(first, dict):
        return _malformed("the errors are no list", response)
    extensions = first.get("extensions")
    code = _clean(extensions.get("code")) if isinstance(extensions, dict) else ""
    message = _clean(first.get("message"))
    if _RATE_LIMIT.search(message):
        return _rate_limited(response)
    outcome = _CODES.get(code)
    if outcome == TrackOutcome.NOT_FOUND and "carrier not found" in message.lower():
        outcome = TrackOutcome.UNKNOWN_CARRIER
    if outcome:
        return TrackResult(outcome=outcome, detail=code)
    return _unavailable(Cause.SERVER if code == "INTERNAL" else Cause.MALFORMED, f"{code}: {message}"[:TEXT_LIMIT])


def _page_of(connection: Mapping[str, Any], carrier: str, response: Response) -> _Page | TrackResult:
    edges, info = connection.get("edges"), connection.get("pageInfo")
    if not isinstance(edges, list):
        return _malformed("no list of edges", response)
    nodes = [edge.get("node") for edge in edges if isinstance(edge, dict)]
    events = tuple(_event(node, carrier) for node in nodes if isinstance(node, dict))
    if edges and not events:
        return _malformed("none of the edges can be read", response)
    if not isinstance(info, dict) or not isinstance(info.get("hasNextPage"), bool):
        # A short page is the last one whatever is missing; after a full one events would be lost.
        return _Page(events, None) if len(edges) < PAGE_SIZE else _malformed("no page information", response)
    cursor = info.get("endCursor")
    if info["hasNextPage"] and (not isinstance(cursor, str) or not cursor):
        return _malformed("a next page without a cursor", response)
    return _Page(events, cursor if info["hasNextPage"] else None)


def _event(node: Mapping[str, Any], carrier: str) -> RawEvent:
    """One event; what cannot be read of it is left empty."""
    status, location = node.get("status"), node.get("location")
    at = _time(node.get("time"))
    return RawEvent(
        code=_clean(status.get("code")).upper() if isinstance(status, dict) else "",
        name=_clean(status.get("name")) if isinstance(status, dict) else "",
        text=_clean(node.get("description")),
        place=_clean(location.get("name")) if isinstance(location, dict) else "",
        at=at,
        is_date_only=at is not None and carrier == LOTTE and _is_day_end(at),
    )


def _is_day_end(at: datetime) -> bool:
    """롯데 scans without a time arrive with the last second of their day (shipping.md 0.3)."""
    local = at.astimezone(_SEOUL)
    return (local.hour, local.minute, local.second) == (23, 59, 59)


def _time(value: Any) -> datetime | None:
    """Aware time in UTC; without an offset it is Korean time; None for anything else or outside of this century."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        moment = moment if moment.tzinfo else moment.replace(tzinfo=_SEOUL)
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if 2000 <= moment.year < 2100 else None


def _clean(value: Any) -> str:
    """Text on one line without control characters and broken surrogates, cut; numbers as text, all else empty."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return ""
    line = " ".join(value[: TEXT_LIMIT * 4].split())
    return "".join(char for char in line if char.isprintable())[:TEXT_LIMIT].strip()
