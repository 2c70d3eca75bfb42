"""The sandbox PGs as a process of its own, and a plain client of their control API."""

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from core.http import Client

ROOT = Path(__file__).resolve().parents[2]
SPEED = 60_000.0
"""A documented minute takes a millisecond."""


class RunningPgs:
    """The process; `control` arranges, `client` speaks to one PG as the adapters do."""

    def __init__(self, state: Path, *options: str, port: int = 0) -> None:
        command = [sys.executable, "-m", "sandbox.pg", "--port", str(port), "--state", str(state), *options]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            raise RuntimeError(f"the sandbox PGs did not start: {line!r}")
        self.base_url = line.split()[-1]
        self.port = int(self.base_url.rsplit(":", 1)[1])

    def client(self, pg: str, **options: Any) -> Client:
        """The outgoing client of an account at this PG; as patient as ours, for a busy machine is no fault."""
        return Client(f"{self.base_url}/{pg}", allow_loopback=True, **{"timeout": (5, 30), **options})

    def request(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None):
        """Status and bytes of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
            connection.request(method, path, data, headers or {})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def control(self, name: str, /, **values: Any) -> Any:
        """One control request that must succeed."""
        status, content = self.request("POST", f"/control/{name}", values)
        assert status == 200, content.decode()
        return json.loads(content)

    def refusal(self, name: str, /, **values: Any) -> Any:
        """One control request that the bank must refuse."""
        status, content = self.request("POST", f"/control/{name}", values)
        assert status == 409, content.decode()
        return json.loads(content)["error"]

    def read(self, name: str, /, **query: Any) -> Any:
        """One reading control request."""
        status, content = self.request("GET", f"/control/{name}?{urlencode(query)}")
        assert status == 200, content.decode()
        return json.loads(content)

    def fault(self, kind: str, **values: Any) -> Any:
        """Put a fault in force."""
        return self.control("faults", kind=kind, **values)

    def shop(self, pg: str, **values: Any) -> Any:
        """The demo shop of a PG, changed."""
        merchant = next(shop["merchant_id"] for shop in self.read("shops", pg=pg))
        return self.control("shops", pg=pg, **{"merchant_id": merchant, **values})

    def payment(self, pg: str, order_ref: str) -> Any:
        """A payment as the bank sees it, or None."""
        return next(iter(self.read("payments", pg=pg, order_ref=order_ref)), None)

    def notices(self, **query: Any) -> list[Any]:
        """Notices, oldest first."""
        return self.read("notices", **query)

    def wait_for(self, found: Callable[[], Any], *, seconds: float = 60) -> Any:
        """What `found` returns once it is true."""
        until = time.monotonic() + seconds
        while not (value := found()):
            if time.monotonic() > until:
                raise AssertionError(f"did not happen within {seconds} s; notices: {self.notices()}")
            time.sleep(0.02)
        return value

    def kill(self) -> None:
        """End it without warning."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def stop(self) -> int:
        """End it politely; returns its exit code."""
        self.process.terminate()
        code = self.process.wait(timeout=60)
        self.process.stdout.close()
        return code


@contextmanager
def running_pgs(state: Path, *options: str) -> Iterator[RunningPgs]:
    """Sandbox PGs for the length of a block."""
    pgs = RunningPgs(state, *options)
    try:
        yield pgs
    finally:
        if pgs.process.poll() is None:
            pgs.kill()


@pytest.fixture(scope="session")
def pgs_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPgs]:
    """One process of sandbox PGs for all tests of a worker."""
    with running_pgs(tmp_path_factory.mktemp("pgs") / "books.sqlite3", "--speed", str(SPEED)) as pgs:
        yield pgs


@pytest.fixture
def pgs(pgs_process: RunningPgs) -> RunningPgs:
    """The sandbox PGs with empty books, demo shops, the true time, no faults, and refunds that take a day."""
    pgs_process.control("reset")
    pgs_process.control("config", speed=SPEED, payout_speed=1)
    return pgs_process
