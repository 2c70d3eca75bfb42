"""A courier sandbox as a process of its own, and a plain client of its two APIs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.infra.twins import RunningTwin


class RunningTracker(RunningTwin):
    """`control` arranges, `graphql` asks; `state` is its file of books."""

    module = "sandbox.courier"

    def __init__(self, state: Path, *options: str, port: int = 0) -> None:
        super().__init__("--state", str(state), *options, port=port)

    def control(self, name: str, /, *, method: str = "POST", **values: Any) -> Any:
        """One control request that must succeed."""
        return self.succeed(method, f"/__control/{name}", values if method == "POST" else None)

    def read(self, name: str) -> Any:
        """One reading control request."""
        return self.control(name, method="GET")

    def graphql(self, query: str, headers: dict[str, str] | None = None, **variables: Any) -> tuple[int, Any]:
        """Status and JSON of one GraphQL request."""
        status, content = self.request("POST", "/graphql", {"query": query, "variables": variables}, headers)
        return status, json.loads(content)


@pytest.fixture(scope="session")
def tracker_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTracker]:
    """One courier sandbox for all tests of a worker, at the speed of life."""
    with RunningTracker.running(tmp_path_factory.mktemp("tracker") / "books.sqlite3", "--speed", "1") as tracker:
        yield tracker


@pytest.fixture
def tracker(tracker_process: RunningTracker) -> RunningTracker:
    """The courier sandbox with empty books, the true time and no faults; demo numbers live by themselves."""
    tracker_process.control("reset")
    return tracker_process
