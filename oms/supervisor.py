"""Keeps the processes of one machine running: starts them in order, restarts the dead, stops them in order."""

import contextlib
import fcntl
import json
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO

from core import processes

logger = logging.getLogger(__name__)

LONGEST_PAUSE = 30.0
STABLE_AFTER = 60.0
STOPPING_MAY_TAKE = 45.0
MARK = "OMS_SUPERVISED_BY"


class StopRequested(BaseException):
    """SIGTERM or SIGINT arrived; not an Exception, so that nothing on the way swallows it."""


class AlreadyRunning(RuntimeError):
    """Another `up` holds the data folder."""


@dataclass
class Child:
    """A supervised process. `start` gives a running process or raises; `end` stops it cleanly."""

    name: str
    start: Callable[[], subprocess.Popen[bytes]]
    end: Callable[[subprocess.Popen[bytes]], object]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    not_before: float = 0.0

    def launch(self) -> None:
        self.process = self.start()
        self.started = time.monotonic()

    def watch(self) -> None:
        """Restart the process when it has died, each time after a longer pause, at most 30 s."""
        now = time.monotonic()
        if self.process is not None and (status := self.process.poll()) is not None:
            self.process = None
            self.failures = 0 if now - self.started > STABLE_AFTER else self.failures + 1
            self.not_before = now + min(LONGEST_PAUSE, 0.25 * 2**self.failures)
            logger.error("%s died", self.name, extra={"data": {"exit_status": status, "failures": self.failures}})
        if self.process is None and now >= self.not_before:
            try:
                self.launch()
            except (RuntimeError, OSError) as error:
                self.failures += 1
                self.not_before = time.monotonic() + min(LONGEST_PAUSE, 0.25 * 2**self.failures)
                logger.error("%s could not be started: %s", self.name, error)


@dataclass
class Supervisor:
    """Children in starting order. `stop_order` names the order of stopping."""

    stop_order: tuple[str, ...]
    children: list[Child] = field(default_factory=list)

    def add(self, child: Child) -> None:
        # Listed before it runs: a stop request in between must find it.
        self.children.append(child)
        child.launch()

    def watch(self) -> None:
        for child in self.children:
            child.watch()

    def restart(self, name: str) -> None:
        """Stop one child; `watch` starts it again."""
        for child in self.children:
            if child.name == name and child.process is not None:
                child.end(child.process)
                child.process = None

    def age(self, name: str) -> float:
        """Seconds since the child was started; 0 when it is not running."""
        running = [child for child in self.children if child.name == name and child.process is not None]
        return time.monotonic() - running[0].started if running else 0.0

    def stop(self) -> None:
        """Stop every child; one that hangs is killed after its own grace."""
        for child in sorted(self.children, key=lambda child: self.stop_order.index(child.name)):
            if child.process is not None:
                child.end(child.process)
                child.process = None


def spawn_role(args: list[str], *, env: dict[str, str], data_dir: Path) -> subprocess.Popen[bytes]:
    """Start one of our processes; it carries a mark by which the next `up` finds it after a kill."""
    return processes.spawn(args, env=env | {MARK: str(data_dir)}, death_signal=signal.SIGTERM)


def end_leftovers(data_dir: Path) -> None:
    """End what a killed `up` of this data folder left. Safe only while holding its lock."""
    left = processes.with_environment(MARK, str(data_dir))
    if left:
        logger.warning("ending processes left over from a killed run", extra={"data": {"pids": left}})
        processes.end_all(left, grace=10)


@dataclass
class StopSignals:
    """Whether somebody asked this process to stop."""

    arrived: bool = False

    def check(self) -> None:
        """Raise StopRequested when a signal came whose exception was lost on its way."""
        if self.arrived:
            raise StopRequested


@contextlib.contextmanager
def stop_on_signals() -> Iterator[StopSignals]:
    """Turn the first SIGTERM or SIGINT into StopRequested; the orderly stop that follows is not interrupted again.

    Python drops an exception that a signal raises inside a hook of its own (after a fork, in a finaliser): whoever
    runs for long also asks `check` now and then.
    """
    stopping = StopSignals()

    def request(number: int, frame: FrameType | None) -> None:
        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)
        stopping.arrived = True
        raise StopRequested

    before = {each: signal.signal(each, request) for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        yield stopping
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


class RunLock:
    """The exclusive lock on a data folder; the file says who holds it and how far it is."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / "up.lock"
        self.file: IO[str] | None = None

    def take(self) -> None:
        """Take the lock; waits for a run that is stopping, refuses beside one that is not."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o711)
        self.file = self.path.open("a+")
        end = time.monotonic() + STOPPING_MAY_TAKE
        while not self._try():
            holder = self._holder()
            if holder.get("state") != "stopping" or time.monotonic() > end:
                where = holder.get("address") or "no web role"
                raise AlreadyRunning(
                    f"It is already running: process {holder.get('pid', '?')}, {where}. "
                    "Stop it first (Ctrl-C there), or set OMS_DATA_DIR and PORT for a second shop."
                )
            time.sleep(0.2)

    def tell(self, state: str, address: str) -> None:
        assert self.file is not None
        self.file.seek(0)
        self.file.truncate()
        json.dump({"pid": os.getpid(), "state": state, "address": address}, self.file)
        self.file.flush()

    def release(self) -> None:
        """Give the lock up; ending the process does it as well."""
        if self.file is not None:
            self.file.close()
            self.file = None

    def _try(self) -> bool:
        assert self.file is not None
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _holder(self) -> dict[str, str]:
        try:
            return dict(json.loads(self.path.read_text()))
        except ValueError:
            return {}
