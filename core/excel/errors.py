"""The error file: people get their own sheet back, only the rows that failed, each with its reason."""

from collections.abc import Iterator, Mapping
from typing import Any

from core.excel.columns import Column, Kind
from core.excel.reader import Table
from core.excel.writer import stream_xlsx

ERROR_HEADER = "오류 내용"

_DEFAULT_WIDTH, _WIDEST = 10, 40


def stream_errors(table: Table, *, header_index: int, failed: Mapping[int, str]) -> Iterator[bytes]:
    """오류 파일: an xlsx with the user's header row and failed rows in the order of the file, plus "오류 내용".

    `failed` maps an index of `table.rows` to the Korean reason. Values keep their types: text stays text, long numbers
    are shown in full. A reason column from an earlier round is replaced, so the corrected file can be sent in again.
    Custom properties are kept. Raises IndexError for an index outside the table. Source: ux.md 3.3.
    """
    names = ["" if cell is None else str(cell) for cell in table.rows[header_index]]
    kept = [position for position, name in enumerate(names) if name.strip() != ERROR_HEADER]
    order = sorted(failed)
    if order and not 0 <= order[-1] < len(table.rows):
        raise IndexError(order[-1])
    columns = [Column(str(position), names[position], Kind.ANY, _width(table, position, order)) for position in kept]
    columns.append(Column("error", ERROR_HEADER, Kind.MARK, 60))

    def rows() -> Iterator[list[Any]]:
        for index in order:
            row = table.rows[index]
            yield [row[position] for position in kept] + [failed[index]]

    return stream_xlsx(columns, rows(), sheet=table.sheet, properties=table.properties)


def _width(table: Table, position: int, order: list[int]) -> int:
    sample = [table.rows[index][position] for index in order[:50]]
    longest = max((len(str(cell)) for cell in sample if cell is not None), default=0)
    # A Korean syllable is as wide as two digits; half again is close enough for a column that people can widen.
    return min(max(longest * 3 // 2, _DEFAULT_WIDTH), _WIDEST)
