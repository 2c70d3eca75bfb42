"""Named places where a test makes a process die, stop, stall or raise. A no-op unless OMS_ENV=test.

`OMS_FAILPOINTS="name=kill;other=sleep:250"`. Actions: `kill` (SIGKILL), `stop` (SIGSTOP), `raise` (FailpointReached),
`sleep:<milliseconds>`. A module declares its points when it is imported, so that a test can list them and kill at each.
"""

import os
import signal
import time

_declared: dict[str, str] = {}


class FailpointReached(Exception):  # noqa: N818 - not an error: the test asked for it
    """The action `raise` of a failpoint."""


def declare(name: str, place: str) -> str:
    """Register a failpoint with one sentence on what is and what is not yet done there; returns the name."""
    if _declared.setdefault(name, place) != place:
        raise ValueError(f"failpoint {name!r} is declared twice")
    return name


def declared() -> dict[str, str]:
    """All declared failpoints: name to place. Complete once every app is loaded."""
    return dict(_declared)


def failpoint(name: str) -> None:
    """Do what OMS_FAILPOINTS says about `name`; nothing outside tests."""
    if os.environ.get("OMS_ENV") != "test":
        return
    if name not in _declared:
        raise LookupError(f"failpoint {name!r} is not declared")
    action = _actions(os.environ.get("OMS_FAILPOINTS", "")).get(name)
    if action is not None:
        _act(name, action)


def _actions(text: str) -> dict[str, str]:
    return dict(part.strip().split("=", 1) for part in text.split(";") if part.strip())


def _act(name: str, action: str) -> None:
    verb, _, argument = action.partition(":")
    match verb:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "raise":
            raise FailpointReached(name)
        case "sleep":
            time.sleep(int(argument) / 1000)
        case _:
            raise ValueError(f"unknown action {action!r} for failpoint {name!r}")
