"""Work aside: in turn, each thing once, never more threads than allowed, and an orderly end."""

import threading
import time
from collections import Counter

from core.aside import Aside
from core.processes import wait_until


def is_idle(aside):
    return not aside._running


def test_it_returns_at_once_and_works_on_each_key_once_however_often_it_is_called_for():
    aside, gate, done = Aside("test", threads=2), threading.Event(), Counter()

    def piece(key):
        def work():
            gate.wait(10)
            done[key] += 1
            return False

        return work

    began = time.monotonic()
    for _ in range(50):
        for key in ("a", "b", "c"):
            aside.take(key, piece(key))
    assert time.monotonic() - began < 1
    gate.set()
    assert wait_until(lambda: is_idle(aside), timeout=10)
    assert done == {"a": 1, "b": 1, "c": 1}
    aside.take("a", piece("a"))
    assert wait_until(lambda: done["a"] == 2, timeout=10), "what is done may be called for again"


def test_what_has_more_to_do_waits_behind_the_others():
    aside, order, left = Aside("test", threads=1), [], {"long": 3, "short": 1}
    gate = threading.Event()

    def piece(key):
        def work():
            gate.wait(10)
            order.append(key)
            left[key] -= 1
            return left[key] > 0

        return work

    aside.take("long", piece("long"))
    aside.take("short", piece("short"))
    gate.set()
    assert wait_until(lambda: is_idle(aside), timeout=10)
    assert order == ["long", "short", "long", "long"]


def test_no_more_threads_work_than_allowed_and_a_failure_ends_nothing(caplog):
    aside, lock, now, most, done = Aside("test", threads=3), threading.Lock(), [0], [0], []

    def piece(n):
        def work():
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            time.sleep(0.02)
            with lock:
                now[0] -= 1
                done.append(n)
            if n % 2:
                raise ValueError("an adapter broke")
            return False

        return work

    for n in range(12):
        aside.take(str(n), piece(n))
    assert wait_until(lambda: is_idle(aside), timeout=10)
    assert sorted(done) == list(range(12))
    assert most[0] == 3
    assert len(caplog.records) == 6


def test_the_end_waits_for_what_is_under_way_and_begins_nothing_new():
    aside, begun, done = Aside("test", threads=1), threading.Event(), []

    def slow():
        begun.set()
        time.sleep(0.3)
        done.append("slow")
        return True

    aside.take("slow", slow)
    aside.take("next", lambda: bool(done.append("next")))
    assert begun.wait(10)
    aside.end()
    assert done == ["slow"]
    aside.take("late", lambda: bool(done.append("late")))
    time.sleep(0.1)
    assert done == ["slow"]
