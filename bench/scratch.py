"""A database of its own for what needs no shop around it: PostgreSQL alone, migrated, in a kept folder."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from bench.shop import ROOT, environment, manage
from core.embedded import Postgres
from oms.supervisor import RunLock

FOLDER = ROOT / "var" / "bench-scratch"


@contextlib.contextmanager
def scratch(folder: Path = FOLDER) -> Iterator[dict[str, str]]:
    """The environment of a process that works in the database, for the length of a block."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o711)
    # Two runs in one folder would take each other's server for a leftover and end it.
    lock = RunLock(folder)
    lock.take()
    lock.tell("measuring", "")
    server = Postgres(folder, durable=True)
    server.start()
    try:
        manage(folder, "migrate", "--verbosity=0")
        yield environment(folder) | {"DJANGO_SETTINGS_MODULE": "oms.settings"}
    finally:
        server.stop()
        lock.release()
