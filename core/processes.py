"""Start, watch and stop child processes so that a killed parent leaves nothing behind."""

import contextlib
import ctypes
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

PR_SET_PDEATHSIG = 1
# Bound before any fork: looking a symbol up in a forked child can deadlock.
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


@dataclass(frozen=True)
class Account:
    """The system user that a child process runs as."""

    name: str
    uid: int
    gid: int

    @classmethod
    def of_uid(cls, uid: int) -> "Account":
        """계정 찾기 by its number; a container may run as a number that no user database knows."""
        try:
            entry = pwd.getpwuid(uid)
        except KeyError:
            # Somebody else's number goes with a group of its own, never with ours: that may be root's.
            return cls(str(uid), uid, os.getegid() if uid == os.geteuid() else uid)
        return cls(entry.pw_name, entry.pw_uid, entry.pw_gid)

    @property
    def is_nameless(self) -> bool:
        """Whether the user database does not know the number."""
        return self.name == str(self.uid)

    @property
    def is_current(self) -> bool:
        return os.geteuid() == self.uid


def die_with_parent(death_signal: int) -> None:
    """Ask the kernel to send `death_signal` to this process when its parent dies (Linux; elsewhere nothing happens)."""
    if _prctl is not None:
        _prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)


def spawn(
    args: Sequence[str],
    *,
    env: Mapping[str, str],
    death_signal: int,
    account: Account | None = None,
    cwd: Path | None = None,
    output: IO[bytes] | int | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child in its own process group that receives `death_signal` when this process dies, even by kill -9.

    The kernel ties the signal to the *thread* that forked: call it from a thread that lives as long as the child.
    `account` switches the user first (only root may).
    """
    parent = os.getpid()

    def prepare() -> None:
        # Until exec the child carries our handlers, which would swallow the signal of a parent that dies now.
        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if callable(signal.getsignal(each)):
                signal.signal(each, signal.SIG_DFL)
        die_with_parent(death_signal)
        # The parent may have died between fork and prctl.
        if os.getppid() != parent:
            os._exit(1)

    switch = account is not None and not account.is_current
    return subprocess.Popen(
        list(args),
        env=dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        process_group=0,
        user=account.uid if switch and account else None,
        group=account.gid if switch and account else None,
        extra_groups=[] if switch else None,
        preexec_fn=prepare,  # noqa: PLW1509 - runs a few system calls; the parent is single-threaded when it starts its children
    )


def stop(process: subprocess.Popen[bytes], *, first: int = signal.SIGTERM, grace: float = 10.0) -> int:
    """Ask a child to end by signal `first`, kill its whole group after `grace` seconds; returns its exit status."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(first)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace)
    # Whatever the child itself left in its group goes too.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def wait_until(condition: Callable[[], bool], *, timeout: float, interval: float = 0.05) -> bool:
    """Poll `condition` until it holds or `timeout` seconds passed; tells which."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(interval)
    return True


def _proc_ids() -> Iterator[int]:
    with contextlib.suppress(FileNotFoundError):
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                yield int(entry.name)


def is_running(pid: int) -> bool:
    """Whether `pid` is a process that has not ended (a zombie has ended)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def working_in(folder: Path) -> list[int]:
    """Processes whose working directory is `folder`: this recognises a server without trusting a pid file."""
    found = []
    for pid in _proc_ids():
        with contextlib.suppress(OSError):
            if Path(os.readlink(f"/proc/{pid}/cwd")) == folder and is_running(pid):
                found.append(pid)
    return found


def with_environment(name: str, value: str) -> list[int]:
    """Processes other than this one that were started with `name=value` in their environment."""
    wanted = f"{name}={value}".encode()
    found = []
    for pid in _proc_ids():
        with contextlib.suppress(OSError):
            if pid != os.getpid() and wanted in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                found.append(pid)
    return found


def end_all(pids: Iterable[int], *, first: int = signal.SIGTERM, grace: float = 10.0) -> None:
    """End processes that are not our children: `first`, then SIGKILL after `grace` seconds."""
    targets = list(pids)
    for attempt in (first, signal.SIGKILL):
        for pid in filter(is_running, targets):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, attempt)
        if wait_until(lambda: not any(is_running(pid) for pid in targets), timeout=grace):
            return
