"""Chunks: long sets are handled a piece at a time, each piece in a transaction of its own."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

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
