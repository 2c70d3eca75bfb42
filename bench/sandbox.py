"""The courier sandbox for runs that ask it: its control, and the sandbox as a process of its own."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import requests

from bench.shop import ROOT


class Sandbox:
    """The control of a running sandbox."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()

    def tell(self, name: str, **values: Any) -> Any:
        """A control request that changes something."""
        answer = self._session.post(f"{self.url}/__control/{name}", json=values, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def read(self, name: str, **query: Any) -> Any:
        """A control request that only reads."""
        answer = self._session.get(f"{self.url}/__control/{name}", params=query, timeout=60)
        answer.raise_for_status()
        return answer.json()


@contextlib.contextmanager
def running_sandbox(folder: str) -> Iterator[Sandbox]:
    """A sandbox in real time that knows only what it is told, for the length of a block; its books are in a folder."""
    command = [sys.executable, "-m", "sandbox.courier", "--port", "0", "--state", f"{folder}/books.sqlite3",
               "--speed", "1", "--no-demo"]  # fmt: skip
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield Sandbox(process.stdout.readline().split()[-1])
    finally:
        process.terminate()
        process.wait(timeout=30)
