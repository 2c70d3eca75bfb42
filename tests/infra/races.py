"""Races: real processes with connections of their own, let loose at the same moment."""

import multiprocessing
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connections

PATIENCE = 60


class RaceError(AssertionError):
    """A racer died of something else than the refusal it may meet."""


def race(jobs: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run every job in a forked process at the same moment; their results in order (results must be picklable).

    Raises RaceError with the racer's traceback when one fails.
    """
    connections.close_all()
    fork = multiprocessing.get_context("fork")
    gate, answers = fork.Barrier(len(jobs)), fork.Queue()
    racers = [fork.Process(target=_run, args=(n, job, gate, answers)) for n, job in enumerate(jobs)]
    for racer in racers:
        racer.start()
    try:
        found = dict(answers.get(timeout=PATIENCE) for _ in jobs)
    finally:
        for racer in racers:
            racer.join(5)
            if racer.is_alive():
                racer.kill()
    failures = [answer for ok, answer in found.values() if not ok]
    if failures:
        raise RaceError("\n".join(failures))
    return [found[n][1] for n in range(len(jobs))]


def forget_inherited() -> None:
    """In a forked process: give up the connections of the parent without a word to the server.

    Beside a browser's event loop Django keeps a second set of them, which the child would share with all others.
    """
    for inherited in connections.all(initialized_only=True):
        inherited.connection = None


def _run(n: int, job: Callable[[], Any], gate: Any, answers: Any) -> None:
    forget_inherited()
    try:
        gate.wait(PATIENCE)
        answers.put((n, (True, job())))
    except Exception:
        answers.put((n, (False, traceback.format_exc())))
    finally:
        connections.close_all()
