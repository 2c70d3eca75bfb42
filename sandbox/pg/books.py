"""The books of the sandbox PGs in a SQLite file: what was written before an answer is there after any kill."""

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sandbox.pg.model import Movement, Payment, Shop

_TABLES = """
CREATE TABLE IF NOT EXISTS shop (pg TEXT, merchant_id TEXT, doc TEXT, PRIMARY KEY (pg, merchant_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS payment (
    id INTEGER PRIMARY KEY, pg TEXT, merchant_id TEXT, order_ref TEXT, payment_ref TEXT, state TEXT,
    due_at REAL, doc TEXT
);
CREATE UNIQUE INDEX IF NOT EXISTS payment_order ON payment (pg, merchant_id, order_ref);
CREATE UNIQUE INDEX IF NOT EXISTS payment_key ON payment (pg, payment_ref);
CREATE INDEX IF NOT EXISTS payment_due ON payment (state, due_at);
CREATE TABLE IF NOT EXISTS memory (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS call (
    id INTEGER PRIMARY KEY, at REAL, pg TEXT, method TEXT, path TEXT, headers TEXT, body BLOB,
    status INTEGER, answer BLOB, fault TEXT, ms REAL
);
CREATE TABLE IF NOT EXISTS notice (
    id INTEGER PRIMARY KEY, pg TEXT, payment_id INTEGER, merchant_id TEXT, kind TEXT, url TEXT, content_type TEXT,
    headers TEXT, body BLOB, client_ip TEXT, state TEXT, due_at REAL, attempts TEXT, waits_for INTEGER
);
CREATE INDEX IF NOT EXISTS notice_due ON notice (state, due_at, id);
CREATE INDEX IF NOT EXISTS notice_payment ON notice (payment_id, id);
"""
_KEPT_CALLS = 50_000


class Books:
    """Everything that must outlive the process; one lock, one writer."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.lock = threading.RLock()
        self._depth = 0
        self.file = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self.file.row_factory = sqlite3.Row
        # The operating system keeps what was written when this process is killed; only a power cut could lose it.
        self.file.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;" + _TABLES)
        clock = self.read("clock") or {}
        self._offset, self._frozen_at = clock.get("offset", 0.0), clock.get("frozen_at")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """All or nothing: what the block writes is in the file when it ends, and not at all when it raises."""
        with self.lock:
            self._depth += 1
            try:
                if self._depth == 1:
                    self.file.execute("BEGIN IMMEDIATE")
                yield
                if self._depth == 1:
                    self.file.execute("COMMIT")
            except BaseException:
                if self._depth == 1:
                    self.file.execute("ROLLBACK")
                raise
            finally:
                self._depth -= 1

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """The rows of a query."""
        with self.lock:
            return self.file.execute(sql, values).fetchall()

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        """One statement."""
        with self.lock:
            return self.file.execute(sql, values)

    # The clock: real unless it was moved or stopped.

    def now(self) -> float:
        """Epoch seconds of the sandbox clock."""
        return self._frozen_at if self._frozen_at is not None else time.time() + self._offset

    def set_clock(self, *, offset: float, frozen_at: float | None) -> None:
        """Move or stop the clock; kept."""
        with self.writing():
            self._offset, self._frozen_at = offset, frozen_at
            self.write("clock", {"offset": offset, "frozen_at": frozen_at})

    def advance(self, seconds: float) -> None:
        """Move the clock, stopped or running."""
        frozen = None if self._frozen_at is None else self._frozen_at + seconds
        self.set_clock(offset=self._offset + (seconds if frozen is None else 0), frozen_at=frozen)

    @property
    def is_frozen(self) -> bool:
        """Does the clock stand still?"""
        return self._frozen_at is not None

    # Settings of the sandbox, and what a dialect wants to remember (answers of idempotency keys).

    def read(self, name: str) -> Any:
        """A setting, or None."""
        found = self.rows("SELECT value FROM setting WHERE name = ?", name)
        return json.loads(found[0]["value"]) if found else None

    def write(self, name: str, value: Any) -> None:
        """Keep a setting."""
        self.execute("REPLACE INTO setting VALUES (?, ?)", name, json.dumps(value))

    def recall(self, name: str) -> Any:
        """What a dialect remembered under this name, or None."""
        found = self.rows("SELECT value FROM memory WHERE name = ?", name)
        return json.loads(found[0]["value"]) if found else None

    def remember(self, name: str, value: Any) -> None:
        """Keep something for a dialect."""
        self.execute("REPLACE INTO memory VALUES (?, ?)", name, json.dumps(value))

    # Shops.

    def save_shop(self, shop: Shop) -> None:
        """Put a shop in place of one of the same PG and merchant id."""
        self.execute("REPLACE INTO shop VALUES (?, ?, ?)", shop.pg, shop.merchant_id, json.dumps(asdict(shop)))

    def shops(self, pg: str) -> list[Shop]:
        """The shops of a PG."""
        found = self.rows("SELECT doc FROM shop WHERE pg = ? ORDER BY merchant_id", pg)
        return [Shop(**json.loads(row["doc"])) for row in found]

    def shop(self, pg: str, merchant_id: str) -> Shop | None:
        """One shop, or None."""
        return next((shop for shop in self.shops(pg) if shop.merchant_id == merchant_id), None)

    # Payments.

    def add_payment(self, payment: Payment) -> Payment:
        """Keep a new payment and number it. Raises sqlite3.IntegrityError for an order reference used before."""
        cursor = self.execute(
            "INSERT INTO payment (pg, merchant_id, order_ref, payment_ref, state, doc) VALUES (?, ?, ?, ?, ?, '')",
            payment.pg,
            payment.merchant_id,
            payment.order_ref,
            payment.payment_ref,
            payment.state,
        )
        payment.id = int(cursor.lastrowid or 0)
        self.save_payment(payment)
        return payment

    def save_payment(self, payment: Payment) -> None:
        """Keep what changed of a payment."""
        self.execute(
            "UPDATE payment SET payment_ref = ?, state = ?, due_at = ?, doc = ? WHERE id = ?",
            payment.payment_ref,
            payment.state,
            payment.due_at,
            json.dumps(asdict(payment)),
            payment.id,
        )

    def payment(self, payment_id: int) -> Payment | None:
        """By our number."""
        return self._one("id = ?", payment_id)

    def by_order(self, pg: str, order_ref: str, merchant_id: str | None = None) -> Payment | None:
        """By the merchant's order reference."""
        if merchant_id is None:
            return self._one("pg = ? AND order_ref = ?", pg, order_ref)
        return self._one("pg = ? AND order_ref = ? AND merchant_id = ?", pg, order_ref, merchant_id)

    def by_ref(self, pg: str, payment_ref: str, merchant_id: str | None = None) -> Payment | None:
        """By the PG's id; with `merchant_id` only one of that shop."""
        found = self._one("pg = ? AND payment_ref = ?", pg, payment_ref)
        return found if found and merchant_id in (None, found.merchant_id) else None

    def payments(self, *, limit: int = 200) -> list[Payment]:
        """The newest payments of all PGs, newest first."""
        return [_payment(row) for row in self.rows("SELECT doc FROM payment ORDER BY id DESC LIMIT ?", limit)]

    def due(self, now: float) -> list[Payment]:
        """Accounts that wait although their time is over."""
        sql = "SELECT doc FROM payment WHERE state = 'WAITING' AND due_at > 0 AND due_at <= ? ORDER BY due_at"
        return [_payment(row) for row in self.rows(sql, now)]

    def _one(self, where: str, *values: Any) -> Payment | None:
        found = self.rows(f"SELECT doc FROM payment WHERE {where} ORDER BY id DESC LIMIT 1", *values)
        return _payment(found[0]) if found else None

    # Calls.

    def open_call(self, pg: str, method: str, path: str, headers: dict[str, str], body: bytes) -> int:
        """Write a call down before anything happens; returns its number."""
        with self.writing():
            cursor = self.execute(
                "INSERT INTO call (at, pg, method, path, headers, body) VALUES (?, ?, ?, ?, ?, ?)",
                time.time(),
                pg,
                method,
                path,
                json.dumps(headers),
                body,
            )
            number = int(cursor.lastrowid or 0)
            if number % 1000 == 0:
                self.execute("DELETE FROM call WHERE id <= ?", number - _KEPT_CALLS)
        return number

    def close_call(self, number: int, *, status: int | None, answer: bytes, fault: str, ms: float) -> None:
        """Write down how a call ended; `status` None: the work was done and nobody was told."""
        sql = "UPDATE call SET status = ?, answer = ?, fault = ?, ms = ? WHERE id = ?"
        self.execute(sql, status, answer, fault, ms, number)

    def reset(self) -> None:
        """Empty books, and the true time."""
        with self.writing():
            for table in ("shop", "payment", "memory", "setting", "call", "notice"):
                self.execute(f"DELETE FROM {table}")
            self._offset, self._frozen_at = 0.0, None

    def close(self) -> None:
        """Close the file."""
        with self.lock:
            self.file.close()


def _payment(row: sqlite3.Row) -> Payment:
    values = json.loads(row["doc"])
    values["movements"] = [Movement(**movement) for movement in values["movements"]]
    return Payment(**values)
