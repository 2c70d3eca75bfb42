"""Faults on demand: which request they hit, and how they spoil its answer."""

import fnmatch
import gzip
import json
import random
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

JSON_TYPE = "application/json; charset=utf-8"
HTML_TYPE = "text/html; charset=utf-8"
_PAGE = "<!DOCTYPE html><html><head><title>점검</title></head><body><h1>서비스 점검 중입니다.</h1></body></html>"


@dataclass
class Answer:
    """What goes back over the socket, and how badly."""

    status: int = 200
    body: bytes = b""
    content_type: str = JSON_TYPE
    headers: dict[str, str] = field(default_factory=dict)
    is_reset: bool = False
    """Close the connection before the first byte."""
    cut_at: float = 1.0
    """Close after this part of the body."""
    wait: float = 0.0
    """Seconds before the answer."""
    drip: float = 0.0
    """Seconds between single bytes of the body."""


@dataclass
class Fault:
    """One fault: hits requests of a carrier and number (shell patterns) by chance, by call number, or always."""

    id: int
    kind: str
    operation: str = "track"
    carrier: str = "*"
    number: str = "*"
    probability: float = 1.0
    nth: list[int] = field(default_factory=list)
    """Only these matching calls, counted from 1; empty means every one."""
    times: int | None = None
    """At most so many hits."""
    seconds: float = 30.0
    retry_after: int | None = None
    is_http_date: bool = False
    status: int = 500
    calls: int = 0
    hits: int = 0

    def matches(self, operation: str, carrier: str, number: str) -> bool:
        """Is this request one of its own?"""
        return (
            self.operation in {"*", operation}
            and fnmatch.fnmatchcase(carrier, self.carrier)
            and fnmatch.fnmatchcase(number, self.number)
        )


class Faults:
    """The faults in force, oldest first; the first that fires wins."""

    def __init__(self, keep: Callable[[Any], None], kept: list[dict[str, Any]], *, seed: int = 0) -> None:
        self._lock = threading.Lock()
        self._keep = keep
        self._faults = [Fault(**item) for item in kept]
        self._chance = random.Random(seed)

    def add(self, values: dict[str, Any]) -> dict[str, Any]:
        """Put a fault in force; raises ValueError for an unknown kind or a value of the wrong kind."""
        if values.get("kind") not in KINDS:
            raise ValueError(f"unknown kind; one of {', '.join(sorted(KINDS))}")
        with self._lock:
            number = max((fault.id for fault in self._faults), default=0) + 1
            try:
                fault = Fault(**{**values, "id": number})
                fault.seconds, fault.probability = float(fault.seconds), float(fault.probability)
                fault.nth = [int(call) for call in fault.nth]
            except TypeError as problem:
                raise ValueError(str(problem)) from None
            self._faults.append(fault)
            self._keep(self._as_json())
            return asdict(fault)

    def remove(self, fault_id: int | None = None) -> int:
        """Lift one fault, or all; returns how many."""
        with self._lock:
            kept = [fault for fault in self._faults if fault_id is not None and fault.id != fault_id]
            removed = len(self._faults) - len(kept)
            self._faults = kept
            self._keep(self._as_json())
            return removed

    def listed(self) -> list[dict[str, Any]]:
        """All faults with their counts."""
        with self._lock:
            return self._as_json()

    def hit(self, operation: str, carrier: str, number: str) -> Fault | None:
        """The fault that spoils this request, or None; counts the call."""
        if not self._faults:
            return None
        with self._lock:
            for fault in self._faults:
                if fault.matches(operation, carrier, number):
                    fault.calls += 1
                    if self._fires(fault):
                        fault.hits += 1
                        return fault
        return None

    def _fires(self, fault: Fault) -> bool:
        if fault.times is not None and fault.hits >= fault.times:
            return False
        if fault.nth and fault.calls not in fault.nth:
            return False
        return fault.probability >= 1 or self._chance.random() < fault.probability

    def _as_json(self) -> list[dict[str, Any]]:
        return [asdict(fault) for fault in self._faults]


def _json(value: Any, **more: Any) -> Answer:
    return Answer(body=json.dumps(value).encode(), **more)


def _error(message: str, code: str, *, data: Any = None) -> Answer:
    return _json({"errors": [{"message": message, "path": ["track"], "extensions": {"code": code}}], "data": data})


def _too_many(fault: Fault, plain: Answer) -> Answer:
    headers = {}
    if fault.retry_after is not None and fault.is_http_date:
        moment = datetime.now(UTC) + timedelta(seconds=fault.retry_after)
        headers["Retry-After"] = format_datetime(moment, usegmt=True)
    elif fault.retry_after is not None:
        headers["Retry-After"] = str(fault.retry_after)
    return Answer(429, b'{"message":"Too Many Requests"}', headers=headers)


def _changed(change: Callable[[dict[str, Any]], Any]) -> Callable[[Fault, Answer], Answer]:
    """A fault that changes the TrackInfo of a good answer; an answer without one stays as it is."""

    def spoil(fault: Fault, plain: Answer) -> Answer:
        document = json.loads(plain.body)
        info = (document.get("data") or {}).get("track")
        if isinstance(info, dict) and isinstance(info.get("events"), dict):
            change(info)
        return _json(document)

    return spoil


def _edges(change: Callable[[list[Any]], Any]) -> Callable[[Fault, Answer], Answer]:
    def on_info(info: dict[str, Any]) -> None:
        info["events"]["edges"] = change(info["events"]["edges"])

    return _changed(on_info)


def _nodes(change: Callable[[dict[str, Any]], Any]) -> Callable[[Fault, Answer], Answer]:
    def on_edges(edges: list[Any]) -> list[Any]:
        for edge in edges:
            change(edge["node"])
        return edges

    return _edges(on_edges)


def _fixed(value: Any) -> Callable[[Fault, Answer], Answer]:
    return lambda fault, plain: _json(value)


def _same_page_for_ever(info: dict[str, Any]) -> None:
    info["events"]["pageInfo"] = {"hasNextPage": True, "endCursor": "eyJpbmRleCI6MH0="}


_DIRTY = "\x00\x07<script>alert(1)</script>\ud83d\ude9a" + "가" * 5000 + "\ud800"

KINDS: dict[str, Callable[[Fault, Answer], Answer]] = {
    # The connection.
    "refused": lambda fault, plain: Answer(is_reset=True),
    "hang": lambda fault, plain: Answer(is_reset=True, wait=fault.seconds),
    "delay": lambda fault, plain: Answer(plain.status, plain.body, wait=fault.seconds),
    "drip": lambda fault, plain: Answer(plain.status, plain.body, drip=fault.seconds),
    "close": lambda fault, plain: Answer(plain.status, plain.body, cut_at=0.5),
    # The status.
    "http_429": _too_many,
    "http_401": lambda fault, plain: Answer(401, b'{"message":"Unauthorized"}'),
    "http_403": lambda fault, plain: Answer(403, _PAGE.encode(), HTML_TYPE),
    "http_500": lambda fault, plain: Answer(fault.status, b"Internal Server Error", "text/plain"),
    "redirect": lambda fault, plain: Answer(302, b"", headers={"Location": "/graphql"}),
    # Errors of GraphQL.
    "forbidden_rate": lambda fault, plain: _json(
        {"errors": [{"message": "Rate limit exceeded", "extensions": {"code": "FORBIDDEN"}}], "data": None}
    ),
    "forbidden_auth": lambda fault, plain: _json(
        {"errors": [{"message": "Invalid credentials", "extensions": {"code": "FORBIDDEN"}}], "data": None}
    ),
    "not_found": lambda fault, plain: _error("운송장 미등록", "NOT_FOUND", data={"track": None}),
    "carrier_not_found": lambda fault, plain: _error("Carrier not found", "NOT_FOUND", data={"track": None}),
    "bad_number": lambda fault, plain: _error(
        "운송장 번호는 10자리 혹은 12자리입니다.", "BAD_REQUEST", data={"track": None}
    ),
    "internal": lambda fault, plain: _error("Internal error", "INTERNAL", data={"track": None}),
    # Bodies that are no answer.
    "html_200": lambda fault, plain: Answer(200, _PAGE.encode(), HTML_TYPE),
    "empty": lambda fault, plain: Answer(200, b""),
    "truncated": lambda fault, plain: Answer(200, plain.body[: len(plain.body) // 2]),
    "bad_gzip": lambda fault, plain: Answer(200, gzip.compress(plain.body)[:-12], headers={"Content-Encoding": "gzip"}),
    "bad_utf8": lambda fault, plain: Answer(200, b'{"data":{"track":"\xff\xfe"}}'),
    "huge": lambda fault, plain: Answer(200, b"[" + b"0," * 8_000_000 + b"0]"),
    "deep": lambda fault, plain: Answer(200, b"[" * 200_000),
    # JSON of the wrong shape.
    "shape_list": _fixed([]),
    "shape_number": _fixed(42),
    "shape_null": _fixed(None),
    "shape_empty": _fixed({}),
    "shape_errors_text": _fixed({"errors": "broken", "data": None}),
    "shape_errors_empty": _fixed({"errors": [], "data": None}),
    "track_null": _fixed({"data": {"track": None}}),
    "track_list": _fixed({"data": {"track": []}}),
    "events_null": _fixed({"data": {"track": {"trackingNumber": None, "events": None}}}),
    "events_list": _fixed({"data": {"track": {"trackingNumber": None, "events": []}}}),
    "edges_null": _edges(lambda edges: None),
    "edges_text": _edges(lambda edges: "none"),
    "edges_odd": _edges(lambda edges: [None, 7, {"node": None}, {"node": "x"}, *edges]),
    "edges_only_odd": _edges(lambda edges: [None, 7, {"node": None}]),
    "page_info_null": _changed(lambda info: info["events"].update(pageInfo=None)),
    "endless_pages": _changed(_same_page_for_ever),
    "other_number": _changed(lambda info: info.update(trackingNumber="999999999999")),
    # Events that parse and still lie.
    "status_null": _nodes(lambda node: node.update(status=None)),
    "times_null": _nodes(lambda node: node.update(time=None)),
    "times_odd": _nodes(lambda node: node.update(time="------")),
    "times_far": _nodes(lambda node: node.update(time="0001-01-01T00:00:00+14:00")),
    "numbers_for_text": _nodes(lambda node: node.update(description=7, location=5, status={"code": 1, "name": 2})),
    "dirty_text": _nodes(lambda node: node.update(description=_DIRTY)),
    "extra_fields": _nodes(lambda node: node.update(surprise={"a": [1]})),
    "shuffled": _edges(lambda edges: edges[::-1]),
    "duplicated": _edges(lambda edges: [*edges, *edges]),
    "vanished": _edges(lambda edges: edges[:-1]),
}


def spoiled(fault: Fault, plain: Callable[[], Answer]) -> Answer:
    """The answer of a request that a fault hits; `plain` is what a healthy tracker would say."""
    return KINDS[fault.kind](fault, plain())
