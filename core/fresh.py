"""잠깐 기억하기: tables of a few rows that every request needs, read once every few seconds by each process."""

from collections.abc import Callable
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")

SECONDS = 5.0
"""How long another process may go on with what somebody here has just changed."""


class Fresh(Generic[T]):
    """기억한 값: what `load` answered, for at most SECONDS; the process that changes the tables calls forget().

    Nothing is loaded before the first get(), so that a module may hold one without a database at hand.
    """

    def __init__(self, load: Callable[[], T]) -> None:
        self._load = load
        self._held: tuple[float, T] | None = None

    def get(self) -> T:
        """값: the remembered one, or a new one where it is too old. Raises what `load` raises."""
        held = self._held
        if held is None or monotonic() - held[0] > SECONDS:
            held = (monotonic(), self._load())
            self._held = held
        return held[1]

    def forget(self) -> None:
        """잊기: the next get() loads."""
        self._held = None

    def remember(self, value: T) -> None:
        """기억시키기: as if `load` had answered this just now."""
        self._held = (monotonic(), value)
