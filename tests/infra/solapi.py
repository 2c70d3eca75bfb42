"""The sandbox of Solapi as a process of its own."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.solapi import DEMO_KEY, DEMO_SECRET

ROOT = Path(__file__).resolve().parents[2]


class RunningSolapi:
    """The process; `env` switches our own back end on."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "sandbox.solapi", "--port", "0"]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().split()[-1]
        self.env = {
            "OMS_MESSAGE_BACKEND": "core.gateways.solapi.send_text",
            "OMS_SOLAPI_BASE_URL": self.url,
            "OMS_SOLAPI_KEY": DEMO_KEY,
            "OMS_SOLAPI_SECRET": DEMO_SECRET,
            "OMS_SOLAPI_FROM": "0212345678",
        }

    def control(self, name: str, **values: Any) -> Any:
        """POST with values, else GET."""
        data = json.dumps(values).encode() if values or name == "reset" else None
        with urllib.request.urlopen(f"{self.url}/control/{name}", data, timeout=5) as answer:
            return json.loads(answer.read())

    def taken(self) -> list[Any]:
        """Messages that went out."""
        found: list[Any] = self.control("messages")
        return found

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def solapi(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[RunningSolapi]:
    """The sandbox, with our back end switched on in this process."""
    running = RunningSolapi()
    for name, value in running.env.items():
        monkeypatch.setitem(os.environ, name, value)
    settings.OMS_MESSAGE_BACKEND = running.env["OMS_MESSAGE_BACKEND"]
    yield running
    running.end()
