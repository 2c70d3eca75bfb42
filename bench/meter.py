"""Processor time and memory of the shop: the tree of `up`, which holds web, worker, relay, PostgreSQL and Valkey."""

import os
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def _stats() -> dict[int, tuple[int, str, float]]:
    """Parent, name and processor seconds (own and of ended children) by process."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                name, _, rest = (folder / "stat").read_text().rpartition(")")
            except OSError:
                continue
            fields = rest.split()
            found[int(folder.name)] = (int(fields[1]), name.partition("(")[2], sum(map(int, fields[11:15])) / TICK)
    return found


def tree(pid: int) -> dict[int, tuple[str, float]]:
    """Name and processor seconds of a process and all below it."""
    stats = _stats()
    inside = {pid}
    grown = True
    while grown:
        more = {child for child, (parent, *_) in stats.items() if parent in inside} - inside
        inside |= more
        grown = bool(more)
    return {one: stats[one][1:] for one in inside if one in stats}


def cpu(pid: int) -> float:
    """Processor seconds of the whole tree."""
    return sum(seconds for _, seconds in tree(pid).values())


def cpu_by_part(pid: int) -> dict[str, float]:
    """Processor seconds of web, worker, relay, database and the rest of the tree."""
    found = dict.fromkeys(("web", "worker", "relay", "database", "rest"), 0.0)
    for one, (name, seconds) in tree(pid).items():
        try:
            command = Path(f"/proc/{one}/cmdline").read_text()
        except OSError:
            continue
        marks = {"postgres": "database", "gunicorn": "web", "oms_relay": "relay", "celery": "worker"}
        part = next((part for mark, part in marks.items() if mark in f"{name} {command}"), "rest")
        found[part] += seconds
    return found


def used(pid: int, before: dict[str, float]) -> dict[str, float]:
    """Processor seconds of each part since `before`, which `cpu_by_part` told."""
    after = cpu_by_part(pid)
    return {part: after[part] - before[part] for part in after}


def python_memory(pid: int) -> dict[int, int]:
    """Resident bytes of each of our own processes in the tree."""
    found = {}
    for one, (name, _) in tree(pid).items():
        if "postgres" not in name and "valkey" not in name:
            try:
                found[one] = int(Path(f"/proc/{one}/statm").read_text().split()[1]) * PAGE
            except OSError:
                continue
    return found


class Beside(threading.Thread):
    """Something that runs while a `with` block does, until `ending` is set at its end."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.ending = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ending.set()
        self.join()


class Growth(Beside):
    """Largest growth of one of our processes inside a `with` block, in MiB."""

    def __init__(self, pid: int) -> None:
        super().__init__()
        self.pid, self.mib = pid, 0.0
        self._before = python_memory(pid)

    def run(self) -> None:
        while not self.ending.wait(0.05):
            for one, size in python_memory(self.pid).items():
                if one in self._before:
                    self.mib = max(self.mib, (size - self._before[one]) / 2**20)


def load_of_machine() -> str:
    """Load averages of the machine: what else ran beside."""
    return " ".join(f"{one:.1f}" for one in os.getloadavg()) + f" on {os.cpu_count()} cores at {time.strftime('%H:%M')}"
