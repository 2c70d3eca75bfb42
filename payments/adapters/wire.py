"""One call to a PG, and what its failures mean: surely nothing done, or perhaps done (payments.md 5.8)."""

from collections.abc import Mapping
from typing import Any

from core.http import Client, HttpProblem, Response
from payments.adapters.base import Denied, OutcomeUnknown, PgProblem, Unavailable
from payments.adapters.json_body import BadJson, parse

READABLE = frozenset({200, 201, 400, 404, 409, 422})
"""Statuses whose body explains itself; the adapter reads it."""
_SHOWN = 200


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
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str | int] | None = None,
    body: bytes | None = None,
    fields: Mapping[str, str | int] | None = None,
) -> Response:
    """호출: sent once, never repeated; returns answers of status 200, 201, 400, 404, 409, 422.

    Raises Denied for 401 and 403, Unavailable where surely nothing was done (no connection, 429, any failure of a call
    that moves no money), OutcomeUnknown otherwise.
    """
    try:
        response = client.request(method, path, headers=headers, params=params, body=body, fields=fields)
    except HttpProblem as problem:
        raise lost(str(problem)[:_SHOWN], moves_money=moves_money and problem.sent) from problem
    status = response.status
    if status in {401, 403}:
        raise Denied(f"HTTP {status}", code=str(status))
    if status == 429:
        raise Unavailable("HTTP 429: too many calls", code="429")
    if status not in READABLE:
        raise lost(f"HTTP {status}", moves_money=moves_money, code=str(status))
    return response


def object_of_answer(response: Response, *, moves_money: bool) -> dict[str, Any]:
    """The JSON object of an answer, strictly read. Raises like `call` for anything else."""
    try:
        return parse(response.body)
    except BadJson as problem:
        detail = f"the answer of status {response.status} is not readable: {problem}"
        raise lost(detail, moves_money=moves_money) from None
