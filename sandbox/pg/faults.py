"""Faults on demand: what they do to the answer of a call, and to a notice on its way."""

import fnmatch
from dataclasses import asdict, dataclass
from typing import Any

from sandbox.pg.books import Books

CALL_KINDS = frozenset({"status", "html", "empty", "truncated", "delay", "drip", "hang", "drop"})
"""What may happen to an answer. With `after_work` the PG does the work first and then spoils the answer.

status: `status` with `body`; html: 200 with a web page; empty: 200 without a body; truncated: half the body, then the
end; delay: `seconds`, then the true answer; drip: byte by byte, `seconds` apart; hang: `seconds`, then the connection
ends without an answer; drop: it ends at once. delay, drip and truncated always do the work.
"""
NOTICE_KINDS = frozenset({"duplicate", "reorder", "drop", "delay", "hold", "corrupt", "forge", "from_ip"})
"""What may happen to a notice.

duplicate: `copies` more of it; reorder: it waits until the next one of its PG was sent; drop: it is never sent; delay:
`seconds` later; hold: it waits until the control API releases it; corrupt: one byte changed after signing; forge: made
without the secret; from_ip: sent with the address `ip`.
"""
BOTH = CALL_KINDS & NOTICE_KINDS
"""Of these a fault that names a `notice` and neither `method` nor `path` changes notices only, and vice versa."""
NEVER = ""
"""A pattern that nothing fits."""
PAGE = "<!DOCTYPE html><html><head><title>점검</title></head><body><h1>서비스 점검 중입니다.</h1></body></html>"


@dataclass
class Fault:
    """One fault; `pg`, `method`, `path` (calls) and `notice` (notices) are shell patterns."""

    id: int
    kind: str
    pg: str = "*"
    method: str = "*"
    path: str = "*"
    notice: str = "*"
    after_work: bool = False
    skip: int = 0
    """Matching ones that pass unharmed first."""
    times: int | None = 1
    """At most so many hits; None: until it is lifted."""
    seconds: float = 30.0
    status: int = 500
    body: str = '{"code":"FAILED_INTERNAL_SYSTEM_PROCESSING","message":"내부 시스템 처리 작업이 실패했습니다."}'
    content_type: str = "application/json;charset=utf-8"
    copies: int = 1
    ip: str = "192.0.2.1"
    hits: int = 0


class Faults:
    """The faults in force, oldest first; the first that fires wins a call, every one that fires changes a notice.

    They are kept in the books and share their lock: notices are made inside the books' transactions.
    """

    def __init__(self, books: Books) -> None:
        self._books, self._lock = books, books.lock
        self._faults = [Fault(**item) for item in books.read("faults") or []]

    def add(self, values: dict[str, Any]) -> dict[str, Any]:
        """Put a fault in force. Raises ValueError for an unknown kind or field."""
        if values.get("kind") not in CALL_KINDS | NOTICE_KINDS:
            raise ValueError(f"unknown kind; one of {', '.join(sorted(CALL_KINDS | NOTICE_KINDS))}")
        with self._lock:
            number = max((fault.id for fault in self._faults), default=0) + 1
            try:
                fault = Fault(**{**values, "id": number, "hits": 0})
                if fault.kind in BOTH and "notice" in values and not values.keys() & {"method", "path"}:
                    fault.path = NEVER
                elif fault.kind in BOTH and "notice" not in values and values.keys() & {"method", "path"}:
                    fault.notice = NEVER
                fault.seconds, fault.skip, fault.copies = float(fault.seconds), int(fault.skip), int(fault.copies)
            except TypeError as problem:
                raise ValueError(str(problem)) from None
            self._faults.append(fault)
            self._store()
            return asdict(fault)

    def remove(self, fault_id: int | None = None) -> int:
        """Lift one fault, or all; returns how many."""
        with self._lock:
            kept = [fault for fault in self._faults if fault_id is not None and fault.id != fault_id]
            removed = len(self._faults) - len(kept)
            self._faults = kept
            self._store()
            return removed

    def listed(self) -> list[dict[str, Any]]:
        """All faults with their hits."""
        with self._lock:
            return [asdict(fault) for fault in self._faults]

    def for_call(self, pg: str, method: str, path: str) -> Fault | None:
        """The fault that spoils this call, or None; counts the hit."""
        if not self._faults:
            # As nearly always: no call waits for who writes in the books.
            return None
        with self._lock:
            for fault in self._faults:
                patterns = ((pg, fault.pg), (method, fault.method), (path, fault.path))
                if fault.kind in CALL_KINDS and _fits(patterns) and _fires(fault):
                    self._store()
                    return fault
        return None

    def for_notice(self, pg: str, kind: str) -> list[Fault]:
        """The faults that change this notice; counts the hits."""
        with self._lock:
            found = [
                fault
                for fault in self._faults
                if fault.kind in NOTICE_KINDS and _fits(((pg, fault.pg), (kind, fault.notice))) and _fires(fault)
            ]
            if found:
                self._store()
            return found

    def _store(self) -> None:
        self._books.write("faults", [asdict(fault) for fault in self._faults])


def _fits(patterns: tuple[tuple[str, str], ...]) -> bool:
    return all(fnmatch.fnmatchcase(value, pattern) for value, pattern in patterns)


def _fires(fault: Fault) -> bool:
    if fault.skip > 0:
        fault.skip -= 1
        return False
    if fault.times is not None and fault.hits >= fault.times:
        return False
    fault.hits += 1
    return True
