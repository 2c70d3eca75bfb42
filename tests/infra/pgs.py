"""The sandbox PGs as a process of its own, and a plain client of their control API."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from core.http import Client
from tests.infra.twins import RunningTwin

SPEED = 60_000.0
"""A documented minute takes a millisecond."""


class RunningPgs(RunningTwin):
    """`control` arranges, `client` speaks to one PG as the adapters do; `state` is its file of books."""

    module = "sandbox.pg"

    def __init__(self, state: Path, *options: str, port: int = 0) -> None:
        super().__init__("--state", str(state), *options, port=port)

    def client(self, pg: str, **options: Any) -> Client:
        """The outgoing client of an account at this PG; as patient as ours, for a busy machine is no fault."""
        return Client(f"{self.base_url}/{pg}", allow_loopback=True, **{"timeout": (5, 30), **options})

    def control(self, name: str, /, **values: Any) -> Any:
        """One control request that must succeed."""
        return self.succeed("POST", f"/control/{name}", values)

    def refusal(self, name: str, /, **values: Any) -> Any:
        """One control request that the bank must refuse."""
        status, content = self.request("POST", f"/control/{name}", values)
        assert status == 409, content.decode()
        return json.loads(content)["error"]

    def read(self, name: str, /, **query: Any) -> Any:
        """One reading control request."""
        return self.succeed("GET", f"/control/{name}?{urlencode(query)}")

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


@pytest.fixture(scope="session")
def pgs_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPgs]:
    """One process of sandbox PGs for all tests of a worker."""
    with RunningPgs.running(tmp_path_factory.mktemp("pgs") / "books.sqlite3", "--speed", str(SPEED)) as pgs:
        yield pgs


@pytest.fixture
def pgs(pgs_process: RunningPgs) -> RunningPgs:
    """The sandbox PGs with empty books, demo shops, the true time, no faults, and refunds that take a day."""
    pgs_process.control("reset")
    pgs_process.control("config", speed=SPEED, payout_speed=1)
    return pgs_process
