"""A courier sandbox as a process of its own, and a plain client of its two APIs."""

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


class RunningTracker:
    """The process; `control` arranges, `graphql` asks."""

    def __init__(self, state: Path, *options: str, port: int = 0) -> None:
        command = [sys.executable, "-m", "sandbox.courier", "--port", str(port), "--state", str(state), *options]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            raise RuntimeError(f"the courier sandbox did not start: {line!r}")
        self.base_url = line.split()[-1]
        self.port = int(self.base_url.rsplit(":", 1)[1])

    def request(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None):
        """Status and bytes of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
            connection.request(method, path, data, headers or {})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def control(self, name: str, /, *, method: str = "POST", **values: Any) -> Any:
        """One control request that must succeed."""
        body = values if method == "POST" else None
        status, content = self.request(method, f"/__control/{name}", body)
        assert status == 200, content
        return json.loads(content)

    def read(self, name: str) -> Any:
        """One reading control request."""
        return self.control(name, method="GET")

    def graphql(self, query: str, headers: dict[str, str] | None = None, **variables: Any) -> tuple[int, Any]:
        """Status and JSON of one GraphQL request."""
        status, content = self.request("POST", "/graphql", {"query": query, "variables": variables}, headers)
        return status, json.loads(content)

    def kill(self) -> None:
        """End it without warning."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def stop(self) -> int:
        """End it politely; returns its exit code."""
        self.process.terminate()
        code = self.process.wait(timeout=10)
        self.process.stdout.close()
        return code


@contextmanager
def running_tracker(state: Path, *options: str) -> Iterator[RunningTracker]:
    """A tracker for the length of a block."""
    tracker = RunningTracker(state, *options)
    try:
        yield tracker
    finally:
        if tracker.process.poll() is None:
            tracker.kill()


@pytest.fixture(scope="session")
def tracker_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTracker]:
    """One courier sandbox for all tests of a worker, at the speed of life."""
    with running_tracker(tmp_path_factory.mktemp("tracker") / "books.sqlite3", "--speed", "1") as tracker:
        yield tracker


@pytest.fixture
def tracker(tracker_process: RunningTracker) -> RunningTracker:
    """The courier sandbox with empty books, the true time and no faults; demo numbers live by themselves."""
    tracker_process.control("reset")
    return tracker_process
