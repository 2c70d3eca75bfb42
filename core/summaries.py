"""Summaries that follow the moves of rows: the model's own and those of upper apps, once for each act."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any

_followers: dict[type, list[Callable[..., None]]] = defaultdict(list)


def follow(model: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Let an upper app keep a summary of a lower app's rows: `@follow(OrderLine)` functions get (rows, at=…).

    They run inside the transaction of the move, after the model's own `after_move`, and may only write their own
    app's summaries; whatever leaves the house or may fail belongs to an event handler.
    """

    def register(keep: Callable[..., None]) -> Callable[..., None]:
        _followers[model].append(keep)
        return keep

    return register


_unsummed: ContextVar[dict[type, dict[int, Any]] | None] = ContextVar("oms_unsummed", default=None)


@contextmanager
def summing_up_once(model: type, *, at: datetime) -> Iterator[None]:
    """요약은 한 번: rows of `model` that move several times inside are summed up when it ends, each once.

    For a service that does two moves of the same rows as one act; nothing inside may look at the summaries.
    """
    moved: dict[int, Any] = {}
    token = _unsummed.set({**(_unsummed.get() or {}), model: moved})
    try:
        yield
    finally:
        _unsummed.reset(token)
    sum_up(model, list(moved.values()), at=at)


def sum_up(model: Any, rows: Sequence[Any], *, at: datetime) -> None:
    """요약: the model's own `after_move` and whoever follows it, now or when the act is complete."""
    if (waiting := (_unsummed.get() or {}).get(model)) is not None:
        waiting.update((row.pk, row) for row in rows)
    elif rows:
        model.after_move(rows, at=at)
        for keep in _followers[model]:
            keep(rows, at=at)
