"""Twins of courier services on loopback: each under its own prefix, one life of each parcel behind all of them.

Start: python -m sandbox.courier --port 4000 --state var/courier.sqlite3 [--speed 300]. With port 0 it takes a free
port; the first line on stdout names the address, at which a person may let things happen (page.py). See docs of the
control API in sandbox/courier/control.py.
"""

import argparse
import json
import signal
import socket
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from sandbox.courier.books import Books, Settings
from sandbox.courier.control import Control, Journal
from sandbox.courier.faults import Faults, spoiled
from sandbox.courier.page import Page
from sandbox.courier.service import Answer, Request, Service, json_answer
from sandbox.courier.services import SERVICES

HOST = "127.0.0.1"
BODY_LIMIT = 4 * 1024 * 1024
DEFAULT_SPEED = 300.0
"""A happy parcel takes 29 hours at speed 1, about six minutes at this one."""


class CourierServer(ThreadingHTTPServer):
    """Holds what all requests share."""

    daemon_threads = True
    request_queue_size = 1024
    allow_reuse_address = True

    def __init__(self, port: int, books: Books) -> None:
        super().__init__((HOST, port), Handler)
        self.books, self.journal = books, Journal()
        services = [service(books) for service in SERVICES]
        self.services = {service.prefix: service for service in services}
        self.faults = Faults(lambda value: books.write("faults", value), books.read("faults") or [], services)
        self.control = Control(books, self.faults, self.journal, services)
        self.page = Page(books)
        self.stopping = threading.Event()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up in the middle is no news; anything else goes to stderr."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection; kept alive between requests."""

    server: CourierServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "sandbox-courier", ""
    timeout = 120
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        """Any request; the method makes no difference to where it goes."""
        address = urlsplit(self.path)
        body = self._body()
        if body is None:
            return
        prefix, slash, rest = address.path.removeprefix("/").partition("/")
        service = self.server.services.get(prefix)
        if service is not None:
            self._serve(service, Request(self.command, unquote(slash + rest), address.query, self.headers, body))
        elif prefix == "__control":
            self._control(rest.strip("/"), address.query, body)
        elif address.path == "/":
            self._send(self.server.page.answer(self.command, address.query, body))
        elif address.path == "/healthz":
            self._send_json(200, {"status": "ok", "parcels": self.server.books.count()})
        else:
            self._send_json(404, {"error": "not found"})

    do_POST = do_DELETE = do_GET

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "" if self.command == "POST" else "0")
        if not length.isdigit() or int(length) > BODY_LIMIT:
            self.close_connection = True
            self._send_json(413 if length.isdigit() else 411, {"error": "Content-Length missing or too large"})
            return None
        return self.rfile.read(int(length))

    def _control(self, name: str, query: str, body: bytes) -> None:
        try:
            values = json.loads(body or b"{}") if self.command == "POST" else dict(parse_qsl(query))
        except (ValueError, RecursionError):
            self._send_json(400, {"error": "the body is not JSON"})
            return
        self._send_json(*self.server.control.answer(self.command, name, values))

    def _serve(self, service: Service, request: Request) -> None:
        started = time.perf_counter()
        entry: dict[str, Any] = {"service": service.name, "operation": "", "carrier": "", "number": "", "fault": ""}
        self.server.journal.enter()
        answer = Answer(500)
        try:
            answer = self._answer(service, request, entry)
        finally:
            entry |= {
                "at": time.time(),
                "status": answer.status,
                "answer": entry.get("answer") or answer.word or str(answer.status),
                "ms": round((time.perf_counter() - started) * 1000, 3),
            }
            self.server.journal.leave(entry)
        self._send(answer)

    def _answer(self, service: Service, request: Request, entry: dict[str, Any]) -> Answer:
        """The answer to one request, spoiled where a fault hits it; fills in what it was about."""
        subject = service.hear(request)
        if isinstance(subject, Answer):
            return subject
        entry |= {"operation": subject.operation, "carrier": subject.carrier, "number": subject.number}
        fault = self.server.faults.hit(service, subject)
        if fault is None:
            return service.answer(request, subject)
        entry["fault"] = fault.kind

        def plain() -> Answer:
            healthy = service.answer(request, subject)
            entry["answer"] = healthy.word
            return healthy

        return spoiled(fault, service, plain)

    def _send_json(self, status: int, value: Any) -> None:
        self._send(json_answer(status, value))

    def _send(self, answer: Answer) -> None:
        if answer.wait and self.server.stopping.wait(answer.wait):
            self.close_connection = True
            return
        if answer.is_reset:
            self._reset_connection()
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if answer.drip:
            self._drip(answer)
        elif answer.cut_at < 1:
            self.wfile.write(answer.body[: int(len(answer.body) * answer.cut_at)])
            self.close_connection = True
        else:
            self.wfile.write(answer.body)

    def _drip(self, answer: Answer) -> None:
        for position in range(len(answer.body)):
            self.wfile.write(answer.body[position : position + 1])
            self.wfile.flush()
            if self.server.stopping.wait(answer.drip):
                break
        self.close_connection = True

    def _reset_connection(self) -> None:
        # A lingering time of 0 makes the kernel answer with RST instead of a polite end.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: the control API has the log."""


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="sandbox.courier", description="Twins of courier services on loopback")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free port")
    parser.add_argument("--state", type=Path, required=True, help="SQLite file that keeps the books")
    parser.add_argument("--speed", type=float, default=DEFAULT_SPEED, help="how much faster scenarios run than life")
    parser.add_argument("--api-key", help="require this <clientId>:<clientSecret>")
    parser.add_argument("--no-demo", action="store_true", help="know only numbers that were registered")
    options = parser.parse_args(arguments)
    if options.speed <= 0:
        parser.error("--speed must be above 0")
    settings = Settings(speed=options.speed, is_demo=not options.no_demo, api_key=options.api_key)
    books = Books(options.state, settings=settings)
    server = CourierServer(options.port, books)

    def stop(*_: Any) -> None:
        server.stopping.set()
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    for service in server.services.values():
        service.start(server.stopping)
    print(f"listening on http://{HOST}:{server.server_address[1]}", flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    books.close()
    return 0
