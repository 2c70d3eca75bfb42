"""One call to a PG, and what its failures mean: surely nothing done, or perhaps done (payments.md 5.8)."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from core.http import Client, HttpProblem, Response
from payments.adapters.base import Denied, OutcomeUnknown, PgProblem, Unavailable
from payments.adapters.json_body import BadJson, parse, text_of

READABLE: Final = frozenset({200, 201, 400, 404, 409, 422})
"""Statuses whose body explains itself; the adapter reads it."""
_SHOWN: Final = 200


def lost(detail: str, *, moves_money: bool, code: str = "", message: str = "") -> PgProblem:
    """The problem of an answer that cannot be understood: for a call that moves money, it may have been done."""
    kind = OutcomeUnknown if moves_money else Unavailable
    return kind(detail, code=code, message=message)


def call(
    client: Client,
    method: str,
    path: str,
    *,
    moves_money: bool,
    readable: Collection[int] = READABLE,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str | int] | None = None,
    json: Mapping[str, Any] | None = None,
    body: bytes | None = None,
    fields: Mapping[str, str | int] | None = None,
) -> Response:
    """호출: sent once, never repeated; returns answers whose status is `readable`.

    Raises Denied for 401 and 403 that are not, Unavailable where surely nothing was done (no connection, 429, any
    failure of a call that moves no money), OutcomeUnknown otherwise, with the code and the text that the PG gave.
    """
    try:
        response = client.request(method, path, headers=headers, params=params, json=json, body=body, fields=fields)
    except HttpProblem as problem:
        raise lost(str(problem)[:_SHOWN], moves_money=moves_money and problem.sent) from problem
    status = response.status
    if status == 429:
        raise Unavailable("HTTP 429: too many calls", code="429")
    if status in readable:
        return response
    if status in {401, 403}:
        raise Denied(f"HTTP {status}", code=str(status))
    code, message = _told(response)
    raise lost(f"HTTP {status}", moves_money=moves_money, code=code or str(status), message=message)


def code_of(values: Mapping[str, Any]) -> str:
    """The error code of an answer: `code` (Toss) or `type` (PortOne); empty when there is none."""
    for name in ("code", "type"):
        code = values.get(name)
        if isinstance(code, str):
            return code[:80]
    return ""


def _told(response: Response) -> tuple[str, str]:
    """Code and message of an answer that is of no other use; empty where it is no JSON object."""
    try:
        values = parse(response.body)
    except BadJson:
        return "", ""
    return code_of(values), text_of(values, "message", most=_SHOWN)


def object_of_answer(response: Response, *, moves_money: bool) -> dict[str, Any]:
    """The JSON object of an answer, strictly read. Raises like `call` for anything else."""
    try:
        return parse(response.body)
    except BadJson as problem:
        detail = f"the answer of status {response.status} is not readable: {problem}"
        raise lost(detail, moves_money=moves_money) from None
