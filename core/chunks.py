"""Chunks: long sets are handled a piece at a time, each piece in a transaction of its own."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from django.db import connection

T = TypeVar("T")

CHUNK = 160
"""Rows of one transaction that locks: others wait for about 50 ms at most, and the whole costs as much as with a
thousand a piece (the curve is in docs/performance.md)."""
PIECE = 1000
"""Rows of one query that only reads."""


def batched(items: Iterable[T], size: int = PIECE) -> Iterator[list[T]]:
    """Lists of at most `size` items, in order."""
    source = iter(items)
    while piece := list(islice(source, size)):
        yield piece


def by_two(pieces: Sequence[T], work: Callable[[T], None]) -> None:
    """둘이 나누기: this thread and one more, with a connection of its own, take pieces in turn until none is left.

    For pieces that are each a transaction of their own and know how to meet another process: while PostgreSQL writes
    one, Python prepares the other. A single piece, or a caller with a transaction of its own, stays in this thread.
    What fails is raised when the other thread has done what it can.
    """
    left = iter(pieces)  # Of a sequence: each piece is handed out once, however many threads ask.
    if len(pieces) < 2 or connection.in_atomic_block:
        _take(left, work)
        return
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(_take_and_close, left, work)
        _take(left, work)
    other.result()


def _take(left: Iterator[T], work: Callable[[T], None]) -> None:
    for piece in left:
        work(piece)


def _take_and_close(left: Iterator[T], work: Callable[[T], None]) -> None:
    try:
        _take(left, work)
    finally:
        connection.close()
