"""Limited child processes, for what a hostile file or an endless document would do to a process that answers people.

No Django here: a child starts in a tenth of a second.
"""

import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import IO

_ROOT = Path(__file__).resolve().parents[1]
# No secrets: neither the key of the shop nor the addresses of its servers.
_PASSED_ON = ("PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "HOME", "LD_LIBRARY_PATH", "TMPDIR")


def run_child(module: str, message: bytes, answer: IO[bytes], *, wall: float) -> int:
    """Run `python -m module` with `message` on stdin until it ends; its stdout goes into the file `answer`.

    Returns the exit status, negative for a signal. Raises subprocess.TimeoutExpired after `wall` seconds.
    """
    done = subprocess.run(  # noqa: S603 - a fixed command, nothing of the message in it
        (sys.executable, "-X", "utf8", "-m", module),
        input=message,
        stdout=answer,
        stderr=subprocess.DEVNULL,
        cwd=_ROOT,
        env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        timeout=wall,
        check=False,
    )
    return done.returncode


def limit(*, memory: int, seconds: int) -> None:
    """Called by the child: give up what its work does not need; the hard limits cannot be raised again.

    `memory` in bytes is also the largest file; `seconds` are of processor time.
    """
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
