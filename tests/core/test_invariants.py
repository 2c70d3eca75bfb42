"""The register of what must always be true."""

import pytest

from core import invariants
from core.invariants import Violation, declared_invariants, find_violations, invariant
from core.registry import ByName


@pytest.fixture
def empty_register(monkeypatch):
    monkeypatch.setattr(invariants, "_declared", ByName())


def test_checks_run_by_code_and_name_their_violations(empty_register):
    broken = Violation("INV-98", "thing 1", "is broken")

    @invariant("INV-99", "nothing")
    def check_last():
        return []

    @invariant("INV-98", "something")
    def check_first():
        yield broken

    assert [one.code for one in declared_invariants() if one.code > "INV-97"] == ["INV-98", "INV-99"]
    assert find_violations("INV-98", "INV-99") == [broken]
    assert find_violations("INV-99") == []


def test_a_check_is_declared_once(empty_register):
    def check():
        return []

    invariant("INV-99", "nothing")(check)
    with pytest.raises(ValueError, match="registered twice"):
        invariant("INV-98", "again")(check)
