"""Finding the row of column names in a sheet that people decorated, and telling which column is which."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from core.excel.problems import FileProblem
from core.excel.reader import Table

SCAN_ROWS = 30
"""Rows from the top among which the header is sought."""

_LONGEST_NAME = 40
_PARENTHESES = re.compile(r"[(\[{<〈【].*?[)\]}>〉】]")
# Marks people put around names of required columns.
_DECORATION = re.compile(r"[\s*※●★◈:\-_·./]+")
_LOOKS_LIKE_DATA = re.compile(r"[\d,.\-:/ ]+")

Targets = Mapping[str, Sequence[str]]
"""Our key → the names under which the column is known, best first."""


@dataclass(frozen=True, slots=True)
class Header:
    """열 이름 행: `index` in Table.rows, the names by position, and what was recognised.

    `columns` maps our key to a position; a name that stands twice serves two keys in the order of the targets, first
    key first column. `unknown` are the positions of named columns that no key took, `labels` the names made distinct
    ("품목명", "품목명 (2)") for mapping screens.
    """

    index: int
    names: tuple[str, ...]
    columns: dict[str, int]
    unknown: tuple[int, ...]
    labels: tuple[str, ...]

    def missing(self, *keys: str) -> list[str]:
        """없는 열: those of the keys that no column was found for."""
        return [key for key in keys if key not in self.columns]


def normalize(name: str) -> str:
    """열 이름 맞추기: one spelling for names that differ in width, case, spaces, line breaks and decoration."""
    return _DECORATION.sub("", unicodedata.normalize("NFKC", name)).casefold()


def fingerprint(header: Header) -> str:
    """열 이름 지문: the same for files with the same set of column names, in any order."""
    names = sorted({normalize(name) for name in header.names if name.strip()})
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def find_header(table: Table, targets: Targets | None = None) -> Header:
    """열 이름 행 찾기: the best-scoring of the first 30 rows; guide texts, titles and data rows lose.

    Known names weigh most, then the number of short, distinct texts. With targets at least one must be recognised,
    without them at least one row must look like names. Raises FileProblem file_no_header. Source: domain.md 5 row 1.
    """
    targets = targets or {}
    known = {spelling for names in targets.values() for name in names for spelling in _spellings(name)}
    best, best_score = None, 0.0
    for index in range(min(len(table.rows), SCAN_ROWS)):
        score = _score(table, index, known)
        if score > best_score:
            best, best_score = index, score
    if best is None:
        raise FileProblem("file_no_header")
    header = header_at(table, best, targets)
    if targets and not header.columns:
        raise FileProblem("file_no_header")
    return header


def header_at(table: Table, index: int, targets: Targets | None = None) -> Header:
    """고른 열 이름 행: the header in a row that a person or a remembered mapping has chosen."""
    names = tuple("" if cell is None else str(cell).strip() for cell in table.rows[index])
    columns = match_columns(names, targets or {})
    taken = set(columns.values())
    unknown = tuple(position for position, name in enumerate(names) if name and position not in taken)
    return Header(index, names, columns, unknown, _labels(names))


def match_columns(names: Sequence[str], targets: Targets) -> dict[str, int]:
    """열 짝짓기: key → position. Exact names are given away first, then names without their parentheses."""
    found: dict[str, int] = {}
    taken: set[int] = set()
    exact = [normalize(name) for name in names]
    bare = [normalize(_PARENTHESES.sub("", unicodedata.normalize("NFKC", name))) for name in names]
    for spelled, wanted in ((exact, _exact), (bare, _bare)):
        for key, known in targets.items():
            if key in found:
                continue
            position = next((p for name in known if (p := _first(spelled, wanted(name), taken)) is not None), None)
            if position is not None:
                found[key] = position
                taken.add(position)
    return {key: found[key] for key in targets if key in found}


def _first(spelled: Sequence[str], wanted: str, taken: set[int]) -> int | None:
    return next((p for p, name in enumerate(spelled) if wanted and name == wanted and p not in taken), None)


def _exact(name: str) -> str:
    return normalize(name)


def _bare(name: str) -> str:
    return normalize(_PARENTHESES.sub("", unicodedata.normalize("NFKC", name)))


def _spellings(name: str) -> set[str]:
    return {_exact(name), _bare(name)} - {""}


def _score(table: Table, index: int, known: set[str]) -> float:
    texts, data = [], 0
    for cell in table.rows[index]:
        if cell is None:
            continue
        text = cell.strip() if isinstance(cell, str) else ""
        if isinstance(cell, (int, float, datetime)) or len(text) > _LONGEST_NAME or _LOOKS_LIKE_DATA.fullmatch(text):
            data += 1
        elif text:
            texts.append(text)
    recognised = {spelling for text in texts for spelling in _spellings(text)} & known
    distinct = len({normalize(text) for text in texts})
    filled = len(texts) + data
    if not texts or (not recognised and distinct * 2 <= filled):
        return 0.0
    # A hair for standing above: of two equal rows the upper one names the lower one.
    return 10.0 * len(recognised) + distinct - 0.5 * data - (len(texts) - distinct) * 0.25 - index * 0.01


def _labels(names: Sequence[str]) -> tuple[str, ...]:
    seen: dict[str, int] = {}
    labels = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        labels.append(f"{name} ({seen[name]})" if name and seen[name] > 1 else name)
    return tuple(labels)
