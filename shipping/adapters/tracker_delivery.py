"""tracker.delivery: the cloud service and the self-hosted server speak the same GraphQL (shipping.md 1.1, 4.4).

Failures come as HTTP 200 with an errors array; NOT_FOUND means a wrong number, an unscanned one, an expired one or an
unknown carrier, told apart by the message alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.http import BadResponse, Client, Response
from shipping.adapters.base import Cause, PushResult, RawEvent, TrackOutcome, TrackResult
from shipping.adapters.wire import (
    SEOUL,
    TEXT_LIMIT,
    call,
    clean,
    document_of,
    is_code,
    is_rate_limit,
    is_same_number,
    malformed,
    moment,
    rate_limited,
    sentence,
    unavailable,
)

CLOUD_URL = "https://apis.tracker.delivery"
PAGE_SIZE = 20
"""The server cuts larger pages to this without a word."""
MAX_PAGES = 25
LOTTE = "kr.lotte"
"""The carrier whose scans may lack a time."""

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
_SUBSCRIBE = """
mutation RegisterTrackWebhook($input: RegisterTrackWebhookInput!) { registerTrackWebhook(input: $input) }
"""
# A server of one's own refuses the whole document (shipping.md 0.9).
_NOT_KNOWN = "GRAPHQL_VALIDATION_FAILED"
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
        if not is_code(number):
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
                return malformed("the pages go round in circles")
            seen.add(cursor)
        return malformed(f"more than {MAX_PAGES} pages")

    def subscribe(self, *, carrier: str, number: str, address: str, until: datetime) -> PushResult:
        """알림 신청: the cloud calls `address` until then when something happens; asking again prolongs it (1.1)."""
        if not carrier or not is_code(number):
            wrong = TrackOutcome.BAD_NUMBER if carrier else TrackOutcome.UNKNOWN_CARRIER
            return PushResult(outcome=wrong, detail="not sent")
        given = {
            "carrierId": carrier,
            "trackingNumber": number,
            "callbackUrl": address,
            "expirationTime": until.astimezone(SEOUL).isoformat(timespec="seconds"),
        }
        answer = self._post(_SUBSCRIBE, {"input": given})
        failure = answer if isinstance(answer, TrackResult) else _refusal_of(answer)
        if failure is None:
            return PushResult(outcome=TrackOutcome.FOUND)
        return PushResult(
            outcome=failure.outcome,
            is_supported=not failure.detail.startswith(_NOT_KNOWN),
            retry_after=failure.retry_after,
            detail=failure.detail,
        )

    def _page(self, carrier: str, number: str, cursor: str | None) -> _Page | TrackResult:
        answer = self._post(_QUERY, {"carrier": carrier, "number": number, "first": PAGE_SIZE, "after": cursor})
        return answer if isinstance(answer, TrackResult) else _read(answer, carrier, number)

    def _post(self, query: str, variables: Mapping[str, Any]) -> Response | TrackResult:
        # A document that is refused comes as 400 and explains itself in the body.
        return call(
            self._client,
            "POST",
            "/graphql",
            is_repeatable=True,
            readable={200, 400},
            headers=self._headers,
            json={"query": query, "variables": variables},
        )


def _refusal_of(response: Response) -> TrackResult | None:
    """Why a webhook was not registered; None when it was."""
    try:
        document = document_of(response)
    except BadResponse as problem:
        return malformed(str(problem), response)
    if not isinstance(document, dict):
        return malformed("the answer is no object", response)
    if document.get("errors"):
        return _failure_of_errors(document["errors"], response)
    data = document.get("data")
    if isinstance(data, dict) and data.get("registerTrackWebhook") is True:
        return None
    return malformed("registered nothing", response)


def _changed_meanwhile(result: TrackResult) -> TrackResult:
    """A number that was fine on the first page is not wrong on the next: the source is."""
    if result.outcome in _ABOUT_THE_NUMBER:
        return malformed(f"{result.outcome} on a later page")
    return result


def _read(response: Response, carrier: str, number: str) -> _Page | TrackResult:
    """A page of events, or the outcome that the body tells."""
    try:
        document = document_of(response)
    except BadResponse as problem:
        return malformed(str(problem), response)
    if not isinstance(document, dict):
        return malformed("the answer is no object", response)
    errors = document.get("errors")
    if errors:
        return _failure_of_errors(errors, response)
    data = document.get("data")
    info = data.get("track") if isinstance(data, dict) else None
    if not isinstance(info, dict) or not isinstance(info.get("events"), dict):
        return malformed("no events in the answer", response)
    if not is_same_number(info.get("trackingNumber"), number):
        return malformed("the answer is about another number", response)
    return _page_of(info["events"], carrier, response)


def _failure_of_errors(errors: Any, response: Response) -> TrackResult:
    first = errors[0] if isinstance(errors, list) else None
    if not isinstance(first, dict):
        return malformed("the errors are no list", response)
    extensions = first.get("extensions")
    code = clean(extensions.get("code")) if isinstance(extensions, dict) else ""
    message = clean(first.get("message"))
    if is_rate_limit(message):
        return rate_limited(response)
    outcome = _CODES.get(code)
    if outcome == TrackOutcome.NOT_FOUND and "carrier not found" in message.lower():
        outcome = TrackOutcome.UNKNOWN_CARRIER
    if outcome:
        return TrackResult(outcome=outcome, detail=code)
    return unavailable(Cause.SERVER if code == "INTERNAL" else Cause.MALFORMED, f"{code}: {message}"[:TEXT_LIMIT])


def _page_of(connection: Mapping[str, Any], carrier: str, response: Response) -> _Page | TrackResult:
    edges, info = connection.get("edges"), connection.get("pageInfo")
    if not isinstance(edges, list):
        return malformed("no list of edges", response)
    nodes = [edge.get("node") for edge in edges if isinstance(edge, dict)]
    events = tuple(_event(node, carrier) for node in nodes if isinstance(node, dict))
    if edges and not events:
        return malformed("none of the edges can be read", response)
    if not isinstance(info, dict) or not isinstance(info.get("hasNextPage"), bool):
        # A short page is the last one whatever is missing; after a full one events would be lost.
        return _Page(events, None) if len(edges) < PAGE_SIZE else malformed("no page information", response)
    cursor = info.get("endCursor")
    if info["hasNextPage"] and (not isinstance(cursor, str) or not cursor):
        return malformed("a next page without a cursor", response)
    return _Page(events, cursor if info["hasNextPage"] else None)


def _event(node: Mapping[str, Any], carrier: str) -> RawEvent:
    """One event; what cannot be read of it is left empty."""
    status, location = node.get("status"), node.get("location")
    at = moment(node.get("time"))
    return RawEvent(
        code=clean(status.get("code")).upper() if isinstance(status, dict) else "",
        name=sentence(status.get("name")) if isinstance(status, dict) else "",
        text=sentence(node.get("description")),
        place=clean(location.get("name")) if isinstance(location, dict) else "",
        at=at,
        is_date_only=at is not None and carrier == LOTTE and _is_day_end(at),
    )


def _is_day_end(at: datetime) -> bool:
    """롯데 scans without a time arrive with the last second of their day (shipping.md 0.3)."""
    local = at.astimezone(SEOUL)
    return (local.hour, local.minute, local.second) == (23, 59, 59)
