"""What the contract suite must know of a PG: an authentic notice, what is wrong with others, and its exact answers.

A new PG adds a module with one `Case` and one `Deal` and names them in `every.py`.
"""

import fnmatch
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from payments.adapters.base import Account, Answer, Inbound, Kind, Pg, RefundState, Unsupported

KST = timezone(timedelta(hours=9))
AT = datetime(2026, 11, 21, 12, tzinfo=KST)
"""The clock of the golden vectors, 1795230000."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """Notices of one PG; `expected` are fields of the Notice that `authentic` must give."""

    pg: Pg
    account: Account
    authentic: Inbound
    expected: Mapping[str, Any]
    secrets: Mapping[str, str] = field(default_factory=dict)
    """What `secret_of` answers, by order reference."""
    refused: Mapping[str, tuple[Inbound, Answer]] = field(default_factory=dict)
    tolerated: Mapping[str, Inbound] = field(default_factory=dict)
    """Odd and authentic: read as the same event kind."""
    kinds: Mapping[Kind, Inbound] = field(default_factory=dict)
    ack: tuple[int, str, bytes] = (200, "text/plain; charset=utf-8", b"OK")
    failure: tuple[str, bytes] = ("text/plain; charset=utf-8", b"FAIL")
    resign: Callable[[bytes], Mapping[str, str]] | None = None
    """Headers that make any body authentic, where a signature covers the body; for the fuzzer."""
    fields_of: Callable[[bytes], Mapping[str, Any]] | None = None
    """The fields of a body, whose values the fuzzer changes; dots lead into objects."""
    written: Callable[[bytes, Mapping[str, Any]], bytes] = lambda body, changes: body
    """The body with other values in fields."""

    def read(self, request: Inbound, **changes: Any) -> Any:
        """Read with the case's account and secrets."""
        account = replace(self.account, **changes)
        return self.pg.read(request, account=account, secret_of=self.secrets.get)


@dataclass(frozen=True, kw_only=True)
class Deal:
    """A merchant at the sandbox: the account that fits its demo shop, and what its calls need."""

    pg: Pg
    account: Account
    wrong_key: Account
    bank: str
    refund_bank: str = ""
    """Empty: like `bank`."""
    refund_path: str = "*cancel"
    """The sandbox path of a refund, a shell pattern; whatever the adapter asks before it must not match."""
    refund_method: str = "POST"
    unknown_ref: str = ""
    """A payment reference that the PG never gave; empty where it is asked by order."""
    cannot_issue: type[Exception] = Unsupported
    failed_states: frozenset[RefundState] = frozenset({RefundState.FAILED})
    """How a transfer that did not arrive shows in the re-query."""

    depositor: str = "홍길동"
    """Who paid, as the re-query tells it; empty where it does not."""
    names_deposits: bool = True
    """Does the re-query give a deposit a reference?"""

    @property
    def prefix(self) -> str:
        """Where the sandbox has this PG."""
        return self.pg.name.replace("_", "-")

    def is_refund(self, path: str) -> bool:
        """Is a call of this path a refund?"""
        return fnmatch.fnmatchcase(path, self.refund_path)

    def due_at(self) -> datetime:
        """Three days from now, to the second."""
        return datetime.now(KST).replace(microsecond=0) + timedelta(days=3)


def posted(body: bytes, *, content_type: str = "application/json", ip: str = "203.0.113.9", **headers: str) -> Inbound:
    """A notice that arrived at the time of the golden vectors."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Inbound(body=body, headers={"content-type": content_type, **names}, client_ip=ip, at=AT)


def edited(request: Inbound, old: bytes, new: bytes) -> Inbound:
    """The notice with other bytes in one place."""
    assert request.body.count(old) == 1, old
    return replace(request, body=request.body.replace(old, new))


def bad_json(request: Inbound) -> dict[str, Inbound]:
    """Bodies that no JSON dialect may read (payments.md A31 to A35), by their id."""
    body = request.body
    return {
        "A30 duplicate key": replace(request, body=body.replace(b"{", b'{"x":1,"x":2,', 1)),
        "A30 nested duplicate key": replace(request, body=body.replace(b"{", b'{"y":{"x":1,"x":1},', 1)),
        "A30 key doubled by a NUL": replace(request, body=body.replace(b"{", b'{"x":1,"x\\u0000":2,', 1)),
        "A31 deep": replace(request, body=b"[" * 60_000),
        "A31 deep object": replace(request, body=b'{"a":' * 5_000 + b"1" + b"}" * 5_000),
        "A31 33 levels": replace(request, body=body.replace(b"{", b'{"x":' + b"[" * 32 + b"]" * 32 + b",", 1)),
        "A32 long integer": replace(request, body=body.replace(b"{", b'{"x":' + b"9" * 5_000 + b",", 1)),
        "A32 exponent": replace(request, body=body.replace(b"{", b'{"x":1e999999999,', 1)),
        "A33 NaN": replace(request, body=body.replace(b"{", b'{"x":NaN,', 1)),
        "A33 Infinity": replace(request, body=body.replace(b"{", b'{"x":-Infinity,', 1)),
        "A34 byte order mark": replace(request, body=b"\xef\xbb\xbf" + body),
        "A34 text behind": replace(request, body=body + b"x"),
        "A35 array": replace(request, body=b"[" + body + b"]"),
        "A35 text": replace(request, body=b'"OK"'),
        "A35 null": replace(request, body=b"null"),
        "A35 empty": replace(request, body=b""),
        "not UTF-8": replace(request, body=body.replace(b"{", b'{"x":"\xc8\xab\xb1\xe6\xb5\xbf",', 1)),
        "endless string": replace(request, body=b'"' + b'\\"' * 30_000),
    }


def json_fields(body: bytes) -> dict[str, Any]:
    """Fields of a JSON body and of the objects in it, `data.orderId` for instance."""
    found = {}
    for name, value in json.loads(body).items():
        found[name] = value
        if isinstance(value, dict):
            found |= {f"{name}.{inner}": item for inner, item in value.items()}
    return found


def json_written(body: bytes, changes: Mapping[str, Any]) -> bytes:
    """The JSON body with other values in such fields."""
    document = json.loads(body)
    for name, value in changes.items():
        outer, _, inner = name.partition(".")
        if inner and isinstance(document.get(outer), dict):
            document[outer][inner] = value
        elif not inner:
            document[outer] = value
    return json.dumps(document).encode()
