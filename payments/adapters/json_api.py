"""One call to a PG that answers errors of every status as JSON with a code (Toss Payments, PortOne)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from core.http import Client, HttpProblem
from payments.adapters.base import STATUS, Answer, Spoken, Unavailable
from payments.adapters.json_body import BadJson, parse
from payments.adapters.wire import lost

SEOUL: Final = ZoneInfo("Asia/Seoul")
_SHOWN: Final = 200


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
    """호출: sent once; returns 200, refusals (400 to 499) that explain themselves, and any 401.

    Raises Unavailable where surely nothing was done (no connection, 429, any failure of a call that moves no money),
    OutcomeUnknown for 5xx, redirects, timeouts and answers that are no JSON object.
    """
    try:
        response = client.request(method, path, headers=headers, params=params, json=json)
    except HttpProblem as problem:
        raise lost(str(problem)[:_SHOWN], moves_money=moves_money and problem.sent) from problem
    status = response.status
    if status == 429:
        raise Unavailable("HTTP 429: too many calls", code="429")
    try:
        values = parse(response.body)
    except BadJson as problem:
        if status == 401:
            return Answered(status, {})
        raise lost(f"HTTP {status} is not readable: {problem}", moves_money=moves_money, code=str(status)) from None
    if status != 200 and not 400 <= status < 500:
        message = values.get("message")
        told = message[:_SHOWN] if isinstance(message, str) else ""
        raise lost(f"HTTP {status}", moves_money=moves_money, code=code_of(values) or str(status), message=told)
    return Answered(status, values)


def code_of(values: Mapping[str, Any]) -> str:
    """The error code of an answer: `code` (Toss) or `type` (PortOne); empty when there is none."""
    for name in ("code", "type"):
        code = values.get(name)
        if isinstance(code, str):
            return code[:80]
    return ""


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
