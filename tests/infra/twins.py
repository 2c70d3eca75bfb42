"""A sandbox twin as a process of its own: started, asked over HTTP, ended."""

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60
"""Seconds; a busy machine is no fault of the twin."""


class RunningTwin:
    """The process of `python -m <module> --port ...`; says where it listens in its first line."""

    module: str

    def __init__(self, *options: str, port: int = 0) -> None:
        command = [sys.executable, "-m", self.module, "--port", str(port), *options]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            raise RuntimeError(f"{self.module} did not start: {line!r}")
        self.base_url = line.split()[-1]
        self.port = int(self.base_url.rsplit(":", 1)[1])

    @classmethod
    @contextmanager
    def running(cls, *options: Any) -> Iterator[Self]:
        """A twin for the length of a block."""
        twin = cls(*options)
        try:
            yield twin
        finally:
            if twin.process.poll() is None:
                twin.kill()

    def request(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None):
        """Status and bytes of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
            connection.request(method, path, data, headers or {})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def succeed(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of a request that must succeed."""
        status, content = self.request(method, path, body)
        assert status == 200, content.decode(errors="replace")
        return json.loads(content)

    def kill(self) -> None:
        """End it without warning."""
        self.process.kill()
        self._ended()

    def stop(self) -> int:
        """End it politely; returns its exit code."""
        self.process.terminate()
        return self._ended()

    def _ended(self) -> int:
        code = self.process.wait(timeout=PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code
