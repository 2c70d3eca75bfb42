"""Twin of tracker.delivery on loopback: same GraphQL, same errors, its parcels live by themselves.

Start: python -m sandbox.courier --port 4000 --state var/courier.sqlite3 [--speed 300]. With port 0 it takes a free
port; the first line on stdout names the address. See docs of the control API in sandbox/courier/control.py.
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
from urllib.parse import parse_qsl, urlsplit

from sandbox.courier.books import Books, Settings
from sandbox.courier.control import Control, Journal
from sandbox.courier.faults import Answer, Faults, spoiled
from sandbox.courier.graphql import GraphQLFailure, Operation
from sandbox.courier.schema import BrokenParser, execute, prepared

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
        self.faults = Faults(lambda value: books.write("faults", value), books.read("faults") or [])
        self.control = Control(books, self.faults, self.journal)
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
        """Health, and the reading half of the control API."""
        address = urlsplit(self.path)
        if address.path == "/healthz":
            self._send_json(200, {"status": "ok", "parcels": self.server.books.count()})
        elif address.path.startswith("/__control/"):
            self._control("GET", address.path, dict(parse_qsl(address.query)))
        else:
            self._send_json(404, {"error": "not found"})

    def do_DELETE(self) -> None:
        """The lifting of faults."""
        address = urlsplit(self.path)
        self._control("DELETE", address.path, dict(parse_qsl(address.query)))

    def do_POST(self) -> None:
        """GraphQL, and the writing half of the control API."""
        path = urlsplit(self.path).path
        body = self._body()
        if body is None:
            return
        try:
            document = json.loads(body or b"{}")
        except (ValueError, RecursionError):
            self._send_json(400, {"errors": [{"message": "Invalid JSON", "extensions": {"code": "BAD_REQUEST"}}]})
            return
        if path == "/graphql":
            self._graphql(document)
        elif path.startswith("/__control/"):
            self._control("POST", path, document)
        else:
            self._send_json(404, {"error": "not found"})

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > BODY_LIMIT:
            self.close_connection = True
            self._send_json(413 if length.isdigit() else 411, {"error": "Content-Length missing or too large"})
            return None
        return self.rfile.read(int(length))

    def _control(self, method: str, path: str, values: Any) -> None:
        status, value = self.server.control.answer(method, path.removeprefix("/__control/").strip("/"), values)
        self._send_json(status, value)

    def _graphql(self, document: Any) -> None:
        started = time.perf_counter()
        entry: dict[str, Any] = {"operation": "", "carrier": "", "number": "", "fault": ""}
        self.server.journal.enter()
        answer = Answer(500)
        try:
            answer = self._answer(document, entry)
        finally:
            entry |= {
                "at": time.time(),
                "status": answer.status,
                "answer": entry.get("answer", str(answer.status)),
                "ms": round((time.perf_counter() - started) * 1000, 3),
            }
            self.server.journal.leave(entry)
        self._send(answer)

    def _answer(self, document: Any, entry: dict[str, Any]) -> Answer:
        """The answer to one GraphQL request; fills in what it was about."""
        key = self.server.books.settings.api_key
        if key is not None and self.headers.get("Authorization") != f"TRACKQL-API-KEY {key}":
            entry["answer"] = "FORBIDDEN"
            return _json_answer(200, {"errors": [_FORBIDDEN], "data": None})
        try:
            operation, variables = _request(document)
        except GraphQLFailure as failure:
            entry["answer"] = failure.code
            return _json_answer(400, {"errors": [failure.entry()]})
        entry |= _subject(operation, variables)

        def plain() -> Answer:
            return self._run(operation, variables, entry)

        fault = self.server.faults.hit(entry["operation"], entry["carrier"], entry["number"])
        if fault is None:
            return plain()
        entry["fault"] = fault.kind
        return spoiled(fault, plain)

    def _run(self, operation: Operation, variables: dict[str, Any], entry: dict[str, Any]) -> Answer:
        try:
            result = execute(operation, variables, self.server.books)
        except BrokenParser:
            entry["answer"] = "INTERNAL"
            return _json_answer(500, {"errors": [{"message": "Internal error", "extensions": {"code": "INTERNAL"}}]})
        errors = result.get("errors")
        entry["answer"] = errors[0]["extensions"]["code"] if errors else "OK"
        return _json_answer(200, result)

    def _send_json(self, status: int, value: Any) -> None:
        self._send(_json_answer(status, value))

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


_FORBIDDEN = {"message": "Invalid credentials", "extensions": {"code": "FORBIDDEN"}}


def _json_answer(status: int, value: Any) -> Answer:
    return Answer(status, json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


def _request(document: Any) -> tuple[Operation, dict[str, Any]]:
    """The prepared operation and its variables with defaults filled in; raises GraphQLFailure."""
    if not isinstance(document, dict) or not isinstance(document.get("query"), str):
        raise GraphQLFailure("GraphQL operations must contain a non-empty `query`.", "BAD_REQUEST", is_request=True)
    name, given = document.get("operationName"), document.get("variables")
    given = {} if given is None else given
    if not isinstance(given, dict) or not isinstance(name, str | None):
        raise GraphQLFailure("`variables` must be an object.", "BAD_REQUEST", is_request=True)
    try:
        operation = prepared(document["query"], name)
    except RecursionError:
        raise GraphQLFailure("Document too deep.", "GRAPHQL_PARSE_FAILED", is_request=True) from None
    variables = {**dict(operation.defaults), **given}
    for required in operation.required:
        if variables.get(required) is None:
            message = f'Variable "${required}" of required type was not provided.'
            raise GraphQLFailure(message, "BAD_USER_INPUT", is_request=True)
    return operation, variables


def _subject(operation: Operation, variables: dict[str, Any]) -> dict[str, str]:
    """What the request is about: its first field, and the parcel if it is one."""
    field = operation.selections[0]
    values = field.values(variables)
    carrier, number = values.get("carrierId", values.get("id", "")), values.get("trackingNumber", "")
    return {"operation": field.name, "carrier": str(carrier), "number": str(number)}


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="sandbox.courier", description="Twin of tracker.delivery on loopback")
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
    print(f"listening on http://{HOST}:{server.server_address[1]}", flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    books.close()
    return 0
