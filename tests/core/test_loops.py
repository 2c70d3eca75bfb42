"""The loop of the relay role: works until nothing is left, wakes up at a NOTIFY, survives what its work raises."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Queue
from typing import Any

import pytest
from django.db import connection

from core import loops
from core.drains import notify
from core.loops import Loop

CHANNEL = "test_loops"
LONG = 600.0
"""Seconds that no test waits: who wakes up was woken."""
pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def running(work: Callable[[], int], **facts: Any) -> Iterator[None]:
    """A loop in its thread, ended by a NOTIFY."""
    ending = threading.Event()
    thread = Loop("test loop", CHANNEL, work, **facts).start(stop=ending)
    try:
        yield
    finally:
        ending.set()
        notify(CHANNEL)
        thread.join(timeout=30)
    assert not thread.is_alive()


def test_it_works_until_nothing_is_left_and_then_sleeps_until_it_is_told(monkeypatch):
    monkeypatch.setattr(loops, "EVERY", LONG)
    rows, taken = [1, 2, 3], Queue[int]()

    def work() -> int:
        taken.put(rows.pop() if rows else 0)
        return len(rows)

    with running(work):
        assert [taken.get(timeout=30) for _ in range(3)] == [3, 2, 1]
        rows.append(4)
        notify(CHANNEL)
        assert taken.get(timeout=30) == 4


def test_what_is_told_while_it_works_is_not_slept_over(monkeypatch):
    monkeypatch.setattr(loops, "EVERY", LONG)
    rounds, seen = iter(range(100)), Queue[int]()

    def work() -> int:
        number = next(rounds)
        seen.put(number)
        if number == 0:
            # Its own connection hears it within the statement: nothing is left for select to see.
            notify(CHANNEL)
        return 0

    with running(work):
        assert [seen.get(timeout=30) for _ in range(2)] == [0, 1]


def test_work_that_fails_is_tried_again_over_a_new_connection(monkeypatch, caplog):
    monkeypatch.setattr(loops, "EVERY", 0.01)
    tries: list[int] = []
    good = threading.Event()

    def work() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            tries.append(cursor.fetchone()[0])
        if len(tries) < 3:
            raise ConnectionError("password=1234")
        good.set()
        return 0

    with running(work, longest_pause=0.02, names_error_only=True):
        assert good.wait(timeout=30)
    assert len(set(tries[:3])) == 3
    said = [one.getMessage() for one in caplog.records if one.name == "core.loops"]
    assert said == [f"test loop failed: ConnectionError; again in {pause} s" for pause in (0.01, 0.02)]
    assert "password" not in caplog.text


def test_work_that_can_wait_takes_a_breath_while_other_work_goes_first_and_none_otherwise(monkeypatch):
    breaths = list[float]()
    monkeypatch.setattr(loops.time, "sleep", breaths.append)
    loops.give_way()
    with loops.going_first():
        with contextlib.suppress(ValueError), loops.going_first():
            loops.give_way()
            raise ValueError
        loops.give_way()
    loops.give_way()
    assert breaths == [loops.BREATH, loops.BREATH]
