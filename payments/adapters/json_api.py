"""One call to a PG that answers errors of every status as JSON with a code (Toss Payments, PortOne)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from core.http import Client
from payments.adapters.base import STATUS, Answer, Spoken
from payments.adapters.json_body import BadJson, parse
from payments.adapters.wire import call, lost

SEOUL: Final = ZoneInfo("Asia/Seoul")
_READABLE: Final = frozenset({200, *range(400, 500)})


@dataclass(frozen=True)
class Answered:
    """응답: a status below 500 and the object that came with it."""

    status: int
    values: Mapping[str, Any]

    @property
    def is_done(self) -> bool:
        """Did the PG do what it was asked?"""
        return self.status == 200


def call_json(
    client: Client,
    method: str,
    path: str,
    *,
    moves_money: bool,
    headers: Mapping[str, str],
    params: Mapping[str, str] | None = None,
    json: Mapping[str, Any] | None = None,
) -> Answered:
    """호출: `wire.call` that returns 200, refusals (400 to 499) that explain themselves, and any 401.

    An answer that is no JSON object fails like one that never came.
    """
    response = call(
        client, method, path, moves_money=moves_money, readable=_READABLE, headers=headers, params=params, json=json
    )
    try:
        return Answered(response.status, parse(response.body))
    except BadJson as problem:
        if response.status == 401:
            return Answered(response.status, {})
        told = f"HTTP {response.status} is not readable: {problem}"
        raise lost(told, moves_money=moves_money, code=str(response.status)) from None


def line(text: str, *, most: int) -> str:
    """Text on one line without control characters and broken surrogates, cut to so many characters."""
    kept = "".join(char for char in text if char.isprintable() or char.isspace())
    return " ".join(kept.split())[:most].rstrip()


def moment(value: Any) -> datetime | None:
    """A time of an answer or notice in UTC; without an offset it is Korean time; None for anything unusable."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
        found = (found if found.tzinfo else found.replace(tzinfo=SEOUL)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found if 2000 <= found.year < 2100 else None


def spoken(answer: Answer, *, success: bytes) -> Spoken:
    """Fixed text; only the success body contains what any PG takes for success."""
    return Spoken(STATUS[answer], "text/plain; charset=utf-8", success if answer is Answer.ACK else b"FAIL")
