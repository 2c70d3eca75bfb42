"""Faults on demand: which request they hit, and how they spoil its answer."""

import fnmatch
import gzip
import json
import random
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from sandbox.courier.fault import Fault
from sandbox.courier.service import HTML_TYPE, Answer, Kind, Service, Subject

PAGE = "<!DOCTYPE html><html><head><title>점검</title></head><body><h1>서비스 점검 중입니다.</h1></body></html>"


class Faults:
    """The faults in force, oldest first; the first that fires wins."""

    def __init__(
        self, keep: Callable[[Any], None], kept: list[dict[str, Any]], services: Iterable[Service], *, seed: int = 0
    ) -> None:
        self._known = frozenset(KINDS).union(*(service.kinds for service in services))
        self._lock = threading.Lock()
        self._keep = keep
        self._faults = [Fault(**item) for item in kept]
        self._chance = random.Random(seed)

    def add(self, values: dict[str, Any]) -> dict[str, Any]:
        """Put a fault in force; raises ValueError for an unknown kind or a value of the wrong kind."""
        if values.get("kind") not in self._known:
            raise ValueError(f"unknown kind; one of {', '.join(sorted(self._known))}")
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

    def hit(self, service: Service, subject: Subject) -> Fault | None:
        """The fault that spoils this request, or None; counts the call."""
        if not self._faults:
            return None
        with self._lock:
            for fault in self._faults:
                if _matches(fault, service, subject):
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


def _matches(fault: Fault, service: Service, subject: Subject) -> bool:
    """Is this request one of the fault's own, and does its kind mean something to this service?"""
    return (
        fault.operation in {"*", subject.operation}
        and fnmatch.fnmatchcase(service.name, fault.service)
        and fnmatch.fnmatchcase(subject.carrier, fault.carrier)
        and fnmatch.fnmatchcase(subject.number, fault.number)
        and (fault.kind in KINDS or fault.kind in service.kinds)
    )


def _too_many(fault: Fault, plain: Answer) -> Answer:
    headers = {}
    if fault.retry_after is not None and fault.is_http_date:
        moment = datetime.now(UTC) + timedelta(seconds=fault.retry_after)
        headers["Retry-After"] = format_datetime(moment, usegmt=True)
    elif fault.retry_after is not None:
        headers["Retry-After"] = str(fault.retry_after)
    return Answer(429, b'{"message":"Too Many Requests"}', headers=headers)


def _euc_kr(fault: Fault, plain: Answer) -> Answer:
    return Answer(plain.status, plain.body.decode().encode("cp949", "replace"), plain.content_type)


def fixed(value: Any) -> Kind:
    """Always this JSON."""
    return Kind(lambda fault, plain: Answer(body=json.dumps(value).encode()), does_work=False)


def instead(make: Callable[[Fault], Answer]) -> Kind:
    """An answer that has nothing to do with the request, which is not carried out."""
    return Kind(lambda fault, plain: make(fault), does_work=False)


KINDS: Mapping[str, Kind] = {
    # The connection. To do it and then to be silent: "hang" with `after_work`.
    "refused": instead(lambda fault: Answer(is_reset=True)),
    "hang": instead(lambda fault: Answer(is_reset=True, wait=fault.seconds)),
    "delay": Kind(lambda fault, plain: replace(plain, wait=fault.seconds)),
    "drip": Kind(lambda fault, plain: replace(plain, drip=fault.seconds)),
    "close": Kind(lambda fault, plain: replace(plain, cut_at=0.5)),
    # The status.
    "http_429": Kind(_too_many, does_work=False),
    "http_401": instead(lambda fault: Answer(401, b'{"message":"Unauthorized"}')),
    "http_403": instead(lambda fault: Answer(403, PAGE.encode(), HTML_TYPE)),
    "http_500": instead(lambda fault: Answer(fault.status, b"Internal Server Error", "text/plain")),
    "redirect": instead(lambda fault: Answer(302, b"", headers={"Location": "/graphql"})),
    # Bodies that are no answer.
    "html_200": instead(lambda fault: Answer(200, PAGE.encode(), HTML_TYPE)),
    "empty": instead(lambda fault: Answer(200, b"")),
    "truncated": Kind(lambda fault, plain: Answer(200, plain.body[: len(plain.body) // 2], plain.content_type)),
    "bad_gzip": Kind(
        lambda fault, plain: Answer(200, gzip.compress(plain.body)[:-12], headers={"Content-Encoding": "gzip"})
    ),
    "bad_utf8": instead(lambda fault: Answer(200, b'{"data":{"track":"\xff\xfe"}}')),
    "euc_kr": Kind(_euc_kr),
    "huge": instead(lambda fault: Answer(200, b"[" + b"0," * 8_000_000 + b"0]")),
    "deep": instead(lambda fault: Answer(200, b"[" * 200_000)),
    # JSON of the wrong shape.
    "shape_list": fixed([]),
    "shape_number": fixed(42),
    "shape_null": fixed(None),
    "shape_empty": fixed({}),
}


def spoiled(fault: Fault, service: Service, plain: Callable[[], Answer]) -> Answer:
    """The answer of a request that a fault hits; `plain` is what a healthy service would do and say."""
    kind = service.kinds.get(fault.kind) or KINDS[fault.kind]
    return kind.spoil(fault, plain() if kind.does_work or fault.after_work else Answer())
