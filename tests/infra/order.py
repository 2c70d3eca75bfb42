"""The longest files of tests begin first: what a worker takes from another at the end are then short tests."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

LONGEST = (
    "tests/test_runtime.py",
    "tests/browser/test_every_page.py",
    "tests/payments/test_permutations.py",
    "tests/payments/wire/test_receiver_fuzz.py",
    "tests/core/test_job_processes.py",
    "tests/orders/test_lists_at_size.py",
    "tests/browser/test_shell.py",
    "tests/browser/test_checks_acts.py",
    "tests/browser/test_checks.py",
    "tests/payments/pg/test_fuzz.py",
    "tests/flows/test_packing_races.py",
    "tests/payments/wire/test_hanging_pg.py",
    "tests/browser/test_money.py",
    "tests/payments/test_safety.py",
    "tests/core/test_embedded.py",
    "tests/test_seed.py",
    "tests/browser/test_dashboard.py",
    "tests/browser/test_presence.py",
    "tests/payments/test_allocating.py",
    "tests/core/test_excel_hostile.py",
    "tests/flows/test_lanes.py",
    "tests/channels/test_import_process.py",
    "tests/orders/test_machine.py",
    "tests/payments/test_money_kills.py",
    "tests/browser/test_working_day.py",
    "tests/test_plans.py",
)
"""Longest first; a name too many or too few costs a little time and nothing else."""


def in_queues(tests: Sequence[Any], *, file_of: Callable[[Any], str], workers: int) -> list[Any]:
    """Every test once, in an order that begins each worker's part of it (`--dist worksteal` hands out equal parts)
    with some of the longest files. A file stays together: its fixtures are made once.
    """
    dealt: list[list[Any]] = [[] for _ in range(workers)]
    forth_and_back = [*range(workers), *reversed(range(workers))]
    for number, name in enumerate(LONGEST):
        dealt[forth_and_back[number % len(forth_and_back)]] += [one for one in tests if file_of(one) == name]
    rest = [one for one in tests if file_of(one) not in LONGEST]
    found: list[Any] = []
    for number, first in enumerate(dealt):
        size = (len(tests) - len(found)) // (workers - number)
        # Of a few files asked for by name all may be long: then a part is as large as it is.
        taken = max(0, size - len(first)) if number < workers - 1 else len(rest)
        found += first + rest[:taken]
        del rest[:taken]
    return found


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """After all that picks or sorts tests; one process alone keeps the order in which they stand."""
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    if workers > 1:
        items[:] = in_queues(items, file_of=lambda item: item.nodeid.partition("::")[0], workers=workers)
