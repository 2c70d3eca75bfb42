"""A courier that gives numbers, over real HTTP: it remembers its bookings and loses answers when it is told to."""

import json
import socket
import threading
from collections import Counter
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from core.http import Client, HttpProblem
from shipping.adapters.issuing import Box, Issued, IssueOutcome, Party, Routing
from shipping.couriers import COURIERS
from shipping.waybills import with_check_digit


class CourierStub:
    """`faults` is a list of (call, what) that happens to the next such calls: "lost" does it and says nothing,
    anything else is the outcome that is answered instead of doing it."""

    def __init__(self) -> None:
        self.bookings: dict[str, str] = {}
        self.canceled: list[str] = []
        self.addresses: dict[str, str] = {}
        self.calls: Counter[str] = Counter()
        self.faults: list[tuple[str, str]] = []
        self.given = 0
        self.before: Any = None
        self._lock = threading.Lock()
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args: Any) -> None:
                pass

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                answer = stub.answer(self.path.strip("/"), body)
                if answer is None:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                data = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, call: str, body: dict[str, Any]) -> Any:
        """The answer of a call; None: the line is cut after doing it."""
        if self.before is not None:
            self.before(call, body)
        with self._lock:
            self.calls[call] += 1
            fault = next((one for one in self.faults if one[0] == call), None)
            if fault is not None:
                self.faults.remove(fault)
                if fault[1] != "lost":
                    return self._instead(call, fault[1], body)
            answer = getattr(self, f"_{call}")(body)
            return None if fault is not None else answer

    @staticmethod
    def _instead(call: str, outcome: str, body: dict[str, Any]) -> Any:
        one = {"outcome": outcome, "message": "구간 없음" if outcome == "UNDELIVERABLE" else ""}
        return [one] * len(body["keys"]) if call == "allocate" else one

    def _allocate(self, body: dict[str, Any]) -> Any:
        found = []
        for _ in body["keys"]:
            self.given += 1
            found.append(
                {"outcome": "OK", "number": with_check_digit(COURIERS["CJGLS"], f"{65000000000 + self.given}")}
            )
        return found

    def _register(self, body: dict[str, Any]) -> Any:
        known = self.bookings.get(body["key"])
        if known is None:
            self.bookings[body["key"]] = body["number"]
            self.addresses[body["key"]] = body["address"]
            return {"outcome": "OK", "number": body["number"], "sort_code": "5D32"}
        return {"outcome": "ALREADY" if known == body["number"] else "REJECTED", "number": known}

    def _look_up(self, body: dict[str, Any]) -> Any:
        known = self.bookings.get(body["key"])
        return {"outcome": "OK", "number": known} if known else {"outcome": "NOT_FOUND"}

    def _cancel(self, body: dict[str, Any]) -> Any:
        if self.bookings.pop(body["key"], None) is None:
            return {"outcome": "NOT_FOUND"}
        self.canceled.append(body["key"])
        return {"outcome": "OK"}

    def _refine(self, body: dict[str, Any]) -> Any:
        return {"outcome": "OK", "sort_code": "5D32"}


class StubIssuer:
    """The adapter of the stub."""

    name = "stub"
    gives_numbers_on_register = False
    most_per_call = 10

    def __init__(self, client: Client) -> None:
        self._client = client

    def _call(self, name: str, body: dict[str, Any]) -> Any:
        try:
            return self._client.request("POST", f"/{name}", json=body).json()
        except HttpProblem:
            return {"outcome": "UNKNOWN"}

    @staticmethod
    def _issued(said: dict[str, Any]) -> Issued:
        routing = Routing(sort_code=said["sort_code"]) if "sort_code" in said else None
        return Issued(
            outcome=IssueOutcome(said["outcome"]), number=said.get("number") or "", routing=routing,
            message=said.get("message", ""), retry_after=said.get("retry_after"),
        )  # fmt: skip

    def allocate(self, *, boxes: Sequence[Box]) -> Sequence[Issued]:
        said = self._call("allocate", {"keys": [box.key for box in boxes]})
        return [self._issued(one) for one in (said if isinstance(said, list) else [said] * len(boxes))]

    def register(self, *, box: Box, number: str) -> Issued:
        address = box.recipient.address1
        return self._issued(self._call("register", {"key": box.key, "number": number, "address": address}))

    def look_up(self, *, box: Box, number: str) -> Issued:
        return self._issued(self._call("look_up", {"key": box.key, "number": number}))

    def cancel(self, *, box: Box, number: str) -> Issued:
        return self._issued(self._call("cancel", {"key": box.key, "number": number}))

    def refine(self, *, recipient: Party) -> Issued:
        return self._issued(self._call("refine", {"address": recipient.address1}))
