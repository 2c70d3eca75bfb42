"""불변 조건: what must be true of the database at any moment; `oms_check` runs every check of every app.

An app declares its checks in its `invariants.py`. Source: reliability.md 5.3.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.utils.module_loading import autodiscover_modules

from core.registry import ByName


@dataclass(frozen=True, slots=True)
class Violation:
    """위반: which invariant (e.g. "INV-07") is broken by which row, and how, in English for operators."""

    invariant: str
    subject: str
    detail: str


@dataclass(frozen=True, slots=True)
class Invariant:
    """불변 조건 하나: its code, what it promises, and the check that lists what breaks it."""

    code: str
    promise: str
    name: str
    check: Callable[[], Iterable[Violation]]


_declared: ByName[Invariant] = ByName()


def invariant(
    code: str, promise: str
) -> Callable[[Callable[[], Iterable[Violation]]], Callable[[], Iterable[Violation]]]:
    """Declare a check; several checks may share a code (each app proves its side), a check is declared once."""

    def register(check: Callable[[], Iterable[Violation]]) -> Callable[[], Iterable[Violation]]:
        name = f"{check.__module__}.{check.__qualname__}"
        _declared.add(Invariant(code, promise, name, check))
        return check

    return register


def declared_invariants() -> list[Invariant]:
    """불변 조건 목록: the checks of all installed apps by code and name; loads their `invariants` modules."""
    autodiscover_modules("invariants")
    return sorted(_declared.values(), key=lambda one: (one.code, one.name))


def find_violations(*codes: str) -> list[Violation]:
    """위반 찾기: run the checks of the given codes, or all; an empty list means that everything holds."""
    return [violation for one in declared_invariants() if not codes or one.code in codes for violation in one.check()]
