"""The shop under measurement: embedded servers, web, worker and relay, started by `manage.py up`, in a kept folder."""

import contextlib
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2

from bench import meter
from core.embedded import Postgres, database_url
from oms.supervisor import RunLock

ROOT = Path(__file__).resolve().parent.parent
SIZES = {"10k": 10_000, "100k": 100_000, "1m": 1_000_000}
SEED = 1
IDLE_SECONDS = 10.0
STRANGE = "strange-rows"
# Beat would let parcels arrive and orders confirm themselves between two runs.
ROLES = "migrate,web,worker,relay"


def data_dir(size: str) -> Path:
    """Folder of the shop of a size; kept between runs."""
    return ROOT / "var" / f"bench-{size}"


@dataclass
class Shop:
    """A running shop: its address, its process and its database."""

    url: str
    pid: int
    dsn: str
    folder: Path
    idle_cpu: float = 0.0
    """Processor seconds that the shop uses in a second while nobody asks anything."""
    _looking: Any = None

    def rest(self) -> None:
        """Measure `idle_cpu`."""
        before = meter.cpu(self.pid)
        time.sleep(IDLE_SECONDS)
        self.idle_cpu = (meter.cpu(self.pid) - before) / IDLE_SECONDS

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of a query, beside the shop; over one kept connection: a new one costs the server 10 ms."""
        if self._looking is None:
            self._looking = psycopg2.connect(self.dsn)
            self._looking.autocommit = True
        with self._looking.cursor() as cursor:
            cursor.execute(sql, values)
            return list(cursor.fetchall())

    def close(self) -> None:
        """End of looking."""
        if self._looking is not None:
            self._looking.close()

    def one(self, sql: str, *values: Any) -> Any:
        """First column of the first row, or None."""
        found = self.rows(sql, *values)
        return found[0][0] if found else None

    def execute(self, sql: str, *values: Any) -> None:
        """One statement with its own commit (VACUUM and the like)."""
        with contextlib.closing(psycopg2.connect(self.dsn)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute(sql, values)


def environment(folder: Path, roles: str = ROLES) -> dict[str, str]:
    """Environment of every process of the shop."""
    env = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL", "MAKELEVEL"}}
    return env | {"OMS_ENV": "demo", "OMS_DATA_DIR": str(folder), "OMS_PROCESSES": roles, "PYTHONUNBUFFERED": "1"}


def manage(folder: Path, *args: str) -> None:
    """Run a management command; its output goes to stderr."""
    command = [sys.executable, str(ROOT / "manage.py"), *args]
    subprocess.run(command, env=environment(folder), cwd=ROOT, stdout=sys.stderr, check=True)


def _migrations() -> dict[str, str]:
    """Fingerprint of every migration by its path."""
    return {
        str(path.relative_to(ROOT)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(ROOT.glob("*/migrations/[0-9]*.py"))
    }


def _forget_changed(folder: Path) -> None:
    """Remove the data when migrating would not repair it: a migration that made its tables has been edited since, or a
    run was cut off and its own rows stand in it.
    """
    kept, strange = folder / "migrations.json", folder / STRANGE
    known = json.loads(kept.read_text()) if kept.exists() else {}
    present = _migrations()
    if strange.exists() or any(present.get(path) != digest for path, digest in known.items()):
        print("Migrations were edited or a run was cut off; the measured shop is built anew.", file=sys.stderr)
        manage(folder, "up", "--remove-data")
        strange.unlink(missing_ok=True)
    kept.write_text(json.dumps(present))


@contextlib.contextmanager
def strange_rows(folder: Path) -> Iterator[None]:
    """While the block runs, the shop holds rows that are none of its own; a mark tells that they were not removed."""
    (folder / STRANGE).touch()
    yield
    (folder / STRANGE).unlink()


@contextlib.contextmanager
def database_alone(folder: Path, doing: str) -> Iterator[Postgres]:
    """PostgreSQL of a folder without the shop around it, migrated; `doing` is what a second run is told."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o711)
    # A second run in one folder would take the servers of the first for leftovers and end them.
    lock = RunLock(folder)
    lock.take()
    lock.tell(doing, "")
    server = Postgres(folder, durable=True)
    server.start()
    try:
        manage(folder, "migrate", "--verbosity=0")
        yield server
    finally:
        server.stop()
        lock.release()


def ensure_seeded(size: str) -> None:
    """Migrate and, the first time, seed: with the database alone, before anybody uses it."""
    folder = data_dir(size)
    folder.mkdir(parents=True, exist_ok=True, mode=0o711)
    _forget_changed(folder)
    with database_alone(folder, "seeding") as server:
        with contextlib.closing(psycopg2.connect(server.url())) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT EXISTS (SELECT 1 FROM orders_order)")
            is_filled = cursor.fetchone()[0]
        if not is_filled:
            manage(folder, "oms_seed", f"--orders={SIZES[size]}", f"--seed={SEED}")


@contextlib.contextmanager
def running(folder: Path, *options: str, roles: str = ROLES) -> Iterator[Shop]:
    """The shop for the length of a block; `options` go to `up`."""
    port = _free_port()
    command = [sys.executable, str(ROOT / "manage.py"), "up", "--port", str(port), *options]
    with (folder / "bench.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment(folder, roles), cwd=ROOT, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        _await(url, process, folder)
        with contextlib.closing(Shop(url, process.pid, database_url(folder), folder)) as shop:
            yield shop
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=120)


def _await(url: str, process: subprocess.Popen[bytes], folder: Path) -> None:
    end = time.monotonic() + 180
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(urllib.error.URLError, OSError), urllib.request.urlopen(f"{url}/readyz", timeout=3):
            return
        time.sleep(0.3)
    raise SystemExit(f"The shop did not start:\n{(folder / 'bench.log').read_text(errors='replace')[-2000:]}")


def _free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
