"""A shop's end of the line: keeps what PGs post to it and answers as it is told."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from payments.adapters.base import Answer, Inbound, Pg, Spoken
from sandbox.pg.sender import CLIENT_IP_HEADER
from tests.payments.pg.cases import AT


@dataclass
class Listener:
    """`answers` are given one by one, then `otherwise` for ever."""

    url: str = ""
    otherwise: Spoken = Spoken(200, "text/plain", b"OK")
    answers: list[Spoken] = field(default_factory=list)
    heard: list[Inbound] = field(default_factory=list)

    def answer_as(self, pg: Pg) -> None:
        """Acknowledge in the PG's dialect."""
        self.otherwise = pg.speak(Answer.ACK)


@contextmanager
def listening() -> Iterator[Listener]:
    """A listener on a free port for the length of a block."""
    listener = Listener()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers["content-length"]))
            ip = headers[CLIENT_IP_HEADER.lower()]
            listener.heard.append(Inbound(body=body, headers=headers, client_ip=ip, at=AT))
            said = listener.answers.pop(0) if listener.answers else listener.otherwise
            self.send_response(said.status)
            self.send_header("Content-Type", said.content_type)
            self.send_header("Content-Length", str(len(said.body)))
            self.end_headers()
            self.wfile.write(said.body)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    listener.url = f"http://127.0.0.1:{server.server_address[1]}/hook/"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield listener
    finally:
        server.shutdown()
        server.server_close()
