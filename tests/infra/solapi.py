"""The sandbox of Solapi as a process of its own."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.solapi import DEMO_KEY, DEMO_SECRET
from tests.infra.twins import RunningTwin


class RunningSolapi(RunningTwin):
    """`env` switches our own back end on."""

    module = "sandbox.solapi"

    @property
    def env(self) -> dict[str, str]:
        return {
            "OMS_MESSAGE_BACKEND": "core.gateways.solapi.send_text",
            "OMS_SOLAPI_BASE_URL": self.base_url,
            "OMS_SOLAPI_KEY": DEMO_KEY,
            "OMS_SOLAPI_SECRET": DEMO_SECRET,
            "OMS_SOLAPI_FROM": "0212345678",
        }

    def control(self, name: str, **values: Any) -> Any:
        """POST with values, else GET."""
        changes = bool(values) or name == "reset"
        return self.succeed("POST" if changes else "GET", f"/control/{name}", values if changes else None)

    def taken(self) -> list[Any]:
        """Messages that went out."""
        found: list[Any] = self.control("messages")
        return found


@pytest.fixture
def solapi(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[RunningSolapi]:
    """The sandbox, with our back end switched on in this process."""
    with RunningSolapi.running() as twin:
        for name, value in twin.env.items():
            monkeypatch.setitem(os.environ, name, value)
        settings.OMS_MESSAGE_BACKEND = twin.env["OMS_MESSAGE_BACKEND"]
        yield twin
