"""Real web, worker, relay and beat processes against the database of this test worker."""

import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from django.conf import settings
from django.db import connection

from core import processes as system
from core.broker import Valkey
from oms import roles


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def worker_database_url() -> str:
    """DSN of the database that the current test uses, for a process of its own."""
    at = connection.settings_dict
    login = quote(at["USER"]) + (f":{quote(at['PASSWORD'])}" if at["PASSWORD"] else "")
    if at["HOST"].startswith("/"):
        return f"postgres://{login}@/{at['NAME']}?{urlencode({'host': at['HOST']})}"
    return f"postgres://{login}@{at['HOST']}:{at['PORT'] or 5432}/{at['NAME']}"


def status_of(url: str, *, timeout: float = 5.0) -> int | None:
    """HTTP status of a GET, None when nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code
    except OSError:
        return None


@dataclass
class Running:
    """One process group under test."""

    role: str
    process: subprocess.Popen[bytes]
    port: int
    log_file: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def kill(self, sent: int = signal.SIGKILL) -> None:
        """Send a signal to the whole group; after SIGKILL wait for the end."""
        os.killpg(self.process.pid, sent)
        if sent == signal.SIGKILL:
            self.process.wait()

    def stop(self) -> int:
        return system.stop(self.process, grace=60)

    def wait_ready(self, timeout: float = 120.0) -> "Running":
        ready = system.wait_until(lambda: status_of(f"{self.url}/readyz") == 200 or not self.is_alive, timeout=timeout)
        assert ready, f"{self.role} did not become ready:\n{self.log()}"
        assert self.is_alive, f"{self.role} died:\n{self.log()}"
        return self


class Processes:
    """Starts processes of a role or any command with the environment of the test, ends them all afterwards."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.folder = folder
        self.env = env
        self.started: list[Running] = []

    def start(self, role: str, *, env: dict[str, str] | None = None) -> Running:
        """Start `web`, `worker`, `relay` or `beat` by the very command that `manage.py up` uses."""
        port = free_port()
        return self.run(roles.command(role, port=port), name=role, port=port, env={"OMS_PROCESSES": role} | (env or {}))

    def run(self, args: list[str], *, name: str, port: int = 0, env: dict[str, str] | None = None) -> Running:
        log_file = self.folder / f"{len(self.started)}-{name}.log"
        with log_file.open("wb") as log:
            process = system.spawn(
                args, env=self.env | (env or {}), death_signal=signal.SIGKILL, cwd=settings.BASE_DIR, output=log
            )
        running = Running(name, process, port, log_file)
        self.started.append(running)
        return running

    def end(self) -> None:
        for running in reversed(self.started):
            running.kill(signal.SIGCONT) if running.is_alive else None
            system.stop(running.process, grace=10)


@pytest.fixture
def processes(transactional_db: None, valkey: Valkey, tmp_path: Path) -> Iterator[Processes]:
    """Start real processes: `processes.start("web").wait_ready()`, `processes.start("worker", env={...})`."""
    env = os.environ | {
        "DATABASE_URL": worker_database_url(),
        "REDIS_URL": valkey.url,
        "DJANGO_SETTINGS_MODULE": "oms.settings",
        "PYTHONUNBUFFERED": "1",
    }
    group = Processes(tmp_path, dict(env))
    yield group
    group.end()
