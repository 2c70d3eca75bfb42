"""Sends the notices of all PGs: each PG's own retries (time compressed), each PG's own idea of success."""

import base64
import http.client
import json
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from sqlite3 import Row
from typing import Any
from urllib.parse import urlsplit

from sandbox.pg.books import Books
from sandbox.pg.dialect import Dialect, Envelope, corrupted
from sandbox.pg.faults import Fault, Faults
from sandbox.pg.model import Payment, Shop

CLIENT_IP_HEADER = "X-Sandbox-Client-Ip"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_WORKERS = 16
_LONGEST_NAP = 0.25
_MOST_ANSWER = 65_536

DUE, SENDING, DONE, GAVE_UP, DROPPED, HELD, NO_URL = "DUE", "SENDING", "DONE", "GAVE_UP", "DROPPED", "HELD", "NO_URL"
_NEXT_OF_PG = 1
_INSERT = (
    "INSERT INTO notice (pg, payment_id, merchant_id, kind, url, content_type, headers, body, client_ip, state, due_at,"
    " attempts, waits_for) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '[]', ?)"
)
# One notice of a payment at a time: a PG's queue keeps their order while nothing goes wrong.
_NEXT = """
    SELECT * FROM notice WHERE state = 'DUE' AND due_at <= ? AND payment_id NOT IN
        (SELECT payment_id FROM notice WHERE state = 'SENDING' AND payment_id > 0)
    ORDER BY due_at, id LIMIT 1
"""


class Sender:
    """Notices are rows; a dispatcher takes those that are due, workers send them."""

    def __init__(self, books: Books, faults: Faults, dialects: Mapping[str, Dialect], *, speed: float) -> None:
        self._books, self._faults, self._dialects, self.speed = books, faults, dialects, speed
        self._bell = threading.Event()
        self._free = threading.Semaphore(_WORKERS)
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="notice")
        self._local = threading.local()
        self._is_stopping = False
        # What was on its way when the process died may or may not have arrived: a PG sends it again.
        books.execute("UPDATE notice SET state = 'DUE' WHERE state = 'SENDING'")
        self._thread = threading.Thread(target=self._dispatch, daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Send nothing more."""
        self._is_stopping = True
        self._bell.set()
        self._thread.join(timeout=5)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def wake(self) -> None:
        """Something is due."""
        self._bell.set()

    def post(self, envelope: Envelope, payment: Payment, shop: Shop) -> None:
        """Put a notice into the queue, as the faults will have it. Inside the transaction of its cause."""
        dialect = self._dialects[payment.pg]
        faults = {fault.kind: fault for fault in self._faults.for_notice(payment.pg, envelope.kind)}
        if "forge" in faults:
            envelope = dialect.forged(envelope, shop)
        url = envelope.url or payment.notice_url or shop.notice_url
        state = NO_URL if not url else DROPPED if "drop" in faults else HELD if _is_held(faults) else DUE
        row = (
            payment.pg,
            payment.id,
            shop.merchant_id,
            envelope.kind + (" corrupt" if "corrupt" in faults else ""),
            url,
            envelope.content_type,
            json.dumps(dict(envelope.headers)),
            envelope.body,
            faults["from_ip"].ip if "from_ip" in faults else dialect.source_ip,
            state,
            self._books.now() + (faults["delay"].seconds if "delay" in faults else 0),
            _NEXT_OF_PG if "reorder" in faults else 0,
        )
        for _ in range(1 + (faults["duplicate"].copies if "duplicate" in faults else 0)):
            self._books.execute(_INSERT, *row)

    def post_raw(self, values: Mapping[str, Any]) -> int:
        """A notice of any content: pg, url, body or body_base64, content_type, headers, client_ip."""
        body = base64.b64decode(values["body_base64"]) if "body_base64" in values else str(values["body"]).encode()
        dialect = self._dialects[values["pg"]]
        row = (
            dialect.name,
            0,
            str(values.get("merchant_id", "")),
            "raw",
            values["url"],
            values.get("content_type", "application/json"),
            json.dumps(values.get("headers", {})),
            body,
            values.get("client_ip", dialect.source_ip),
            DUE,
            self._books.now(),
            0,
        )
        number = int(self._books.execute(_INSERT, *row).lastrowid or 0)
        self.wake()
        return number

    def release(self, ids: list[int] | None) -> int:
        """Let held notices go, in the order of `ids` (or all, oldest first); returns how many."""
        held = [row["id"] for row in self._books.rows("SELECT id FROM notice WHERE state = 'HELD' ORDER BY id")]
        chosen = [number for number in (held if ids is None else ids) if number in held]
        with self._books.writing():
            for place, number in enumerate(chosen):
                due_at = self._books.now() + place / 1_000_000
                self._books.execute("UPDATE notice SET state = 'DUE', due_at = ? WHERE id = ?", due_at, number)
        self.wake()
        return len(chosen)

    def resend(self, number: int) -> int:
        """The same notice as a new one, as the PG's console does it; returns its id."""
        sql = (
            "INSERT INTO notice (pg, payment_id, merchant_id, kind, url, content_type, headers, body, client_ip, state,"
            " due_at, attempts, waits_for) SELECT pg, payment_id, merchant_id, kind, url, content_type, headers, body,"
            " client_ip, 'DUE', ?, '[]', 0 FROM notice WHERE id = ?"
        )
        cursor = self._books.execute(sql, self._books.now(), number)
        self.wake()
        return int(cursor.lastrowid or 0)

    def _dispatch(self) -> None:
        while not self._is_stopping:
            self._free.acquire()
            row = self._take()
            if row is None:
                self._free.release()
                self._bell.wait(_LONGEST_NAP)
                self._bell.clear()
            else:
                self._pool.submit(self._deliver, row)

    def _take(self) -> Row | None:
        found = self._books.rows(_NEXT, self._books.now())
        if found:
            self._books.execute("UPDATE notice SET state = 'SENDING' WHERE id = ?", found[0]["id"])
        return found[0] if found else None

    def _deliver(self, row: Row) -> None:
        try:
            dialect = self._dialects[row["pg"]]
            shop = self._books.shop(row["pg"], row["merchant_id"]) or Shop(row["pg"], row["merchant_id"])
            attempt = self._attempt(row, dialect, shop)
            self._write_down(row, dialect, attempt)
        finally:
            self._free.release()
            self._bell.set()

    def _attempt(self, row: Row, dialect: Dialect, shop: Shop) -> dict[str, Any]:
        envelope = Envelope(row["kind"], row["body"], row["content_type"], json.loads(row["headers"]), row["url"])
        started, tried = time.time(), {"sent_headers": json.loads(row["headers"])}
        try:
            envelope = dialect.stamped(envelope, shop, at=started)
            if row["kind"].endswith(" corrupt"):
                envelope = corrupted(envelope)
            tried["sent_headers"] = dict(envelope.headers)
            status, content_type, body = self._send(envelope, row["client_ip"], dialect.answer_seconds)
        except (OSError, http.client.HTTPException, ValueError) as problem:
            text = f"{type(problem).__name__}: {problem}"
            return {**tried, "at": started, "status": None, "error": text, "ok": False}
        return {
            **tried,
            "at": started,
            "ms": round((time.time() - started) * 1000, 1),
            "status": status,
            "content_type": content_type,
            "answer": body[:500].decode("utf-8", "replace"),
            "ok": dialect.is_acknowledged(status, content_type, body),
        }

    def _write_down(self, row: Row, dialect: Dialect, attempt: dict[str, Any]) -> None:
        attempts = [*json.loads(row["attempts"]), attempt]
        wait = None if attempt["ok"] else dialect.wait_minutes(len(attempts))
        state = DONE if attempt["ok"] else GAVE_UP if wait is None else DUE
        now = self._books.now()
        with self._books.writing():
            self._books.execute(
                "UPDATE notice SET state = ?, due_at = ?, attempts = ? WHERE id = ?",
                state,
                now + (wait or 0) * 60 / self.speed,
                json.dumps(attempts),
                row["id"],
            )
            overtaken = "UPDATE notice SET state = 'DUE', due_at = ? WHERE state = 'HELD' AND waits_for = ? AND pg = ?"
            self._books.execute(overtaken + " AND id < ?", now, _NEXT_OF_PG, row["pg"], row["id"])

    def _send(self, envelope: Envelope, client_ip: str, timeout: float) -> tuple[int, str, bytes]:
        url = urlsplit(envelope.url)
        if url.hostname not in LOOPBACK:
            raise ValueError("the sandbox sends to loopback only")
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        headers = {**envelope.headers, "Content-Type": envelope.content_type, CLIENT_IP_HEADER: client_ip}
        connection = self._connection(url.hostname or "", url.port or 80, timeout)
        was_open = connection.sock is not None
        try:
            try:
                connection.request("POST", target, envelope.body, headers)
                response = connection.getresponse()
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                if not was_open:
                    raise
                # A kept connection that the other side had closed meanwhile.
                connection.close()
                connection.request("POST", target, envelope.body, headers)
                response = connection.getresponse()
            body = response.read(_MOST_ANSWER)
        except BaseException:
            connection.close()
            raise
        if response.will_close or not response.isclosed():
            connection.close()
        return response.status, response.headers.get("Content-Type", ""), body

    def _connection(self, host: str, port: int, timeout: float) -> http.client.HTTPConnection:
        kept: dict[tuple[str, int], http.client.HTTPConnection] = self._local.__dict__.setdefault("kept", {})
        connection = kept.setdefault((host, port), http.client.HTTPConnection(host, port))
        connection.timeout = timeout
        if connection.sock is not None:
            connection.sock.settimeout(timeout)
        return connection


def _is_held(faults: Mapping[str, Fault]) -> bool:
    return "hold" in faults or "reorder" in faults
