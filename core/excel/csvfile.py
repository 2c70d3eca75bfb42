"""CSV out: for systems that take nothing else, safe to open in a spreadsheet, and honest about lost characters."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from core.excel.cleaning import clean_text
from core.excel.columns import Column
from core.excel.plain import DANGEROUS
from core.excel.values import KST

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Replacement:
    """바뀐 글자: characters of a cell that became "?", because CP949 has none such; row 1 is below the header."""

    row: int
    header: str
    characters: str


def stream_csv(
    columns: Sequence[Column],
    rows: Iterable[Sequence[Any]],
    *,
    encoding: Literal["utf-8-sig", "cp949"] = "utf-8-sig",
    guard: bool = True,
    replaced: list[Replacement] | None = None,
) -> Iterator[bytes]:
    """CSV 내려받기: a header row and the rows, commas, CRLF, dates in KST, as pieces of bytes.

    With `guard` (the default) a text that a spreadsheet would compute (= + - @, tab, line end, and the full-width forms
    first) gets a ' before it; only a courier format that forbids it turns that off. In cp949 each character without a
    code becomes "?" and is reported in `replaced`. Raises ValueError for a row of another length.
    Source: dependencies.md 7.3, reliability.md T12.
    """
    report = replaced if replaced is not None else []
    lines = _Lines()
    writer = csv.writer(lines)
    writer.writerow([_guarded(clean_text(column.header), guard) for column in columns])
    headers = [column.header for column in columns]
    mark = b"\xef\xbb\xbf" if encoding == "utf-8-sig" else b""
    for number, row in enumerate(rows, start=1):
        if len(row) != len(headers):
            raise ValueError(f"row {number} has {len(row)} values for {len(headers)} columns")
        cells = [_guarded(_shown(value), guard and isinstance(value, str)) for value in row]
        if encoding == "cp949":
            cells = [_in_cp949(cell, number, header, report) for cell, header in zip(cells, headers, strict=True)]
        writer.writerow(cells)
        if len(lines.pending) >= _BATCH:
            yield mark + lines.take(encoding)
            mark = b""
    yield mark + lines.take(encoding)


class _Lines:
    """What csv.writer writes to."""

    def __init__(self) -> None:
        self.pending: list[str] = []

    def write(self, line: str) -> int:
        self.pending.append(line)
        return len(line)

    def take(self, encoding: str) -> bytes:
        data = "".join(self.pending).encode("cp949" if encoding == "cp949" else "utf-8", "replace")
        self.pending.clear()
        return data


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        local = value.astimezone(KST) if value.tzinfo is not None else value
        return local.strftime("%Y-%m-%d %H:%M:%S")
    return value.isoformat() if isinstance(value, date) else clean_text(str(value))


def _guarded(text: str, guard: bool) -> str:
    return f"'{text}" if guard and text.startswith(DANGEROUS) else text


def _in_cp949(text: str, row: int, header: str, report: list[Replacement]) -> str:
    try:
        text.encode("cp949")
    except UnicodeEncodeError:
        kept = "".join(character if _has_code(character) else "?" for character in text)
        lost = "".join(character for character in text if not _has_code(character))
        report.append(Replacement(row, header, lost))
        return kept
    return text


def _has_code(character: str) -> bool:
    try:
        character.encode("cp949")
    except UnicodeEncodeError:
        return False
    return True
