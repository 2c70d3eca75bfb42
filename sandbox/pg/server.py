"""The HTTP server of the sandbox PGs: a dialect under each prefix, /control/, the page, /healthz."""

import json
import socket
import struct
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from sandbox.pg.bank import Bank
from sandbox.pg.books import Books
from sandbox.pg.control import Control, sweep_for_ever
from sandbox.pg.dialect import Call, Reply
from sandbox.pg.dialects import DIALECTS
from sandbox.pg.faults import PAGE, Fault, Faults
from sandbox.pg.page import Page
from sandbox.pg.sender import Sender

HOST = "127.0.0.1"
BODY_LIMIT = 4 * 1024 * 1024
HTML_TYPE = "text/html; charset=utf-8"


@dataclass
class Spoiled:
    """A reply and what goes wrong on its way back."""

    reply: Reply
    wait: float = 0.0
    drip: float = 0.0
    cut_at: float = 1.0
    is_dropped: bool = False
    headers: dict[str, str] = field(default_factory=dict)


class PgServer(ThreadingHTTPServer):
    """Holds what all requests share."""

    daemon_threads = True
    request_queue_size = 1024
    allow_reuse_address = True

    def __init__(self, port: int, state: Path, *, speed: float) -> None:
        super().__init__((HOST, port), Handler)
        self.books = Books(state)
        self.faults = Faults(self.books)
        self.sender = Sender(self.books, self.faults, DIALECTS, speed=speed)
        self.bank = Bank(self.books, self.sender, DIALECTS, payout_speed=speed)
        self.control = Control(self.bank, self.faults, DIALECTS)
        self.page = Page(self.bank, DIALECTS)
        self.stopping = threading.Event()
        self.sender.start()
        threading.Thread(target=sweep_for_ever, args=(self.bank,), daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up in the middle is no news; anything else goes to stderr."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection; kept alive between requests."""

    server: PgServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "sandbox-pg", ""
    timeout = 120
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        """Any request; the method makes no difference to where it goes."""
        self._route()

    do_POST = do_DELETE = do_PUT = do_GET

    def _route(self) -> None:
        address = urlsplit(self.path)
        query = dict(parse_qsl(address.query, keep_blank_values=True))
        body = self._body()
        if body is None:
            return
        prefix, _, rest = address.path.lstrip("/").partition("/")
        if prefix in DIALECTS:
            headers = {name.lower(): value for name, value in self.headers.items()}
            self._call(prefix, Call(self.command, "/" + unquote(rest), query, headers, body))
        elif prefix == "control":
            self._control(rest.strip("/"), query, body)
        elif address.path == "/healthz":
            self._send(Spoiled(_json(200, {"status": "ok"})))
        elif address.path == "/":
            self._send(Spoiled(self.server.page.answer(self.command, query, body)))
        else:
            self._send(Spoiled(_json(404, {"error": "not found"})))

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > BODY_LIMIT or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            self._send(Spoiled(_json(413, {"error": "Content-Length missing or too large"})))
            return None
        return self.rfile.read(int(length))

    def _control(self, name: str, query: dict[str, str], body: bytes) -> None:
        try:
            values = json.loads(body or b"{}") if self.command == "POST" else query
        except (ValueError, RecursionError):
            self._send(Spoiled(_json(400, {"error": "the body is not JSON"})))
            return
        self._send(Spoiled(_json(*self.server.control.answer(self.command, name, values))))

    def _call(self, pg: str, call: Call) -> None:
        started = time.perf_counter()
        books = self.server.books
        number = books.open_call(pg, call.method, call.path, dict(call.headers), call.body)
        fault = self.server.faults.for_call(pg, call.method, call.path)
        answer = Spoiled(Reply(500, b""))
        try:
            answer = self._answer(pg, call, fault)
        finally:
            books.close_call(
                number,
                status=None if answer.is_dropped else answer.reply.status,
                answer=answer.reply.body,
                fault=fault.kind if fault else "",
                ms=round((time.perf_counter() - started) * 1000, 3),
            )
        self._send(answer)

    def _answer(self, pg: str, call: Call, fault: Fault | None) -> Spoiled:
        if fault is None:
            return Spoiled(DIALECTS[pg].handle(call, self.server.bank))
        if fault.after_work or fault.kind in {"delay", "drip", "truncated"}:
            return spoiled(fault, DIALECTS[pg].handle(call, self.server.bank))
        return spoiled(fault, Reply(500, b""))

    def _send(self, answer: Spoiled) -> None:
        if answer.wait and self.server.stopping.wait(answer.wait):
            self.close_connection = True
            return
        if answer.is_dropped:
            # A lingering time of 0 makes the kernel answer with RST instead of a polite end.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return
        body = answer.reply.body
        self.send_response(answer.reply.status)
        self.send_header("Content-Type", answer.reply.content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in answer.reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if answer.drip:
            self._drip(body, answer.drip)
        elif answer.cut_at < 1:
            self.wfile.write(body[: int(len(body) * answer.cut_at)])
            self.close_connection = True
        else:
            self.wfile.write(body)

    def _drip(self, body: bytes, seconds: float) -> None:
        for position in range(len(body)):
            self.wfile.write(body[position : position + 1])
            self.wfile.flush()
            if self.server.stopping.wait(seconds):
                break
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: the control API has the log."""


def spoiled(fault: Fault, reply: Reply) -> Spoiled:
    """The reply as the fault will have it."""
    changed = {
        "status": lambda: Spoiled(Reply(fault.status, fault.body.encode(), fault.content_type)),
        "html": lambda: Spoiled(Reply(200, PAGE.encode(), HTML_TYPE)),
        "empty": lambda: Spoiled(Reply(200, b"", reply.content_type)),
        "truncated": lambda: Spoiled(reply, cut_at=0.5),
        "delay": lambda: Spoiled(reply, wait=fault.seconds),
        "drip": lambda: Spoiled(reply, drip=fault.seconds),
        "hang": lambda: Spoiled(reply, wait=fault.seconds, is_dropped=True),
        "drop": lambda: Spoiled(reply, is_dropped=True),
    }
    return changed[fault.kind]()


def _json(status: int, value: Any) -> Reply:
    return Reply(status, json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
