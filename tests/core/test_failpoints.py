"""Failpoints act in tests only."""

import os
import signal

import pytest

from core import failpoints
from core.failpoints import FailpointReached, failpoint

POINT = failpoints.declare("tests.somewhere", "nothing is done yet")


def test_a_failpoint_raises_when_asked(monkeypatch):
    monkeypatch.setenv("OMS_FAILPOINTS", f"other=kill;{POINT}=raise")
    with pytest.raises(FailpointReached, match=POINT):
        failpoint(POINT)


def test_a_failpoint_that_nobody_asked_for_does_nothing(monkeypatch):
    monkeypatch.setenv("OMS_FAILPOINTS", "other=kill")
    failpoint(POINT)


@pytest.mark.parametrize("env", ["demo", "production"])
def test_a_failpoint_does_nothing_outside_tests(env, monkeypatch):
    monkeypatch.setenv("OMS_ENV", env)
    monkeypatch.setenv("OMS_FAILPOINTS", f"{POINT}=raise")
    failpoint(POINT)


@pytest.mark.parametrize(("action", "sent"), [("kill", signal.SIGKILL), ("stop", signal.SIGSTOP)])
def test_a_failpoint_kills_or_stops_its_process(action, sent, monkeypatch):
    monkeypatch.setenv("OMS_FAILPOINTS", f"{POINT}={action}")
    child = os.fork()
    if child == 0:
        failpoint(POINT)
        os._exit(0)
    _, status = os.waitpid(child, os.WUNTRACED)
    if action == "stop":
        assert os.WSTOPSIG(status) == sent
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    else:
        assert os.WTERMSIG(status) == sent


def test_all_declared_points_are_listed_and_a_name_means_one_place():
    assert failpoints.declared()[POINT] == "nothing is done yet"
    with pytest.raises(ValueError, match="declared twice"):
        failpoints.declare(POINT, "somewhere else")
    with pytest.raises(LookupError, match="not declared"):
        failpoint("tests.nowhere")
