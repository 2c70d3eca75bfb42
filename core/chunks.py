"""Chunks: long sets are handled a piece at a time, each piece in a transaction of its own."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

CHUNK = 1000
"""Rows per transaction: costs nothing in total and keeps the longest lock short (performance.md 3.2)."""


def batched(items: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """Lists of at most `size` items, in order."""
    source = iter(items)
    while piece := list(islice(source, size)):
        yield piece
