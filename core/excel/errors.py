"""The error file: people get their own sheet back, only the rows that failed, each with its reason."""

from collections.abc import Iterator, Mapping
from typing import Any

from core.excel.columns import Column, Kind
from core.excel.reader import Cell, Table
from core.excel.writer import stream_xlsx

ERROR_HEADER = "오류 내용"

UNREADABLE = "#N/A"
"""Stands for a value that could not be read: the reader refuses it in every column until somebody writes over it."""

_EXACT = 10**15  # Excel keeps 15 digits: of a longer number nobody knows what it was
_DEFAULT_WIDTH, _WIDEST = 10, 40


def stream_errors(table: Table, *, header_index: int, failed: Mapping[int, str]) -> Iterator[bytes]:
    """오류 파일: an xlsx with the user's header row and failed rows in the order of the file, plus "오류 내용".

    `failed` maps an index of `table.rows` to the Korean reason. Values keep their types: text stays text, numbers are
    shown in full; what could not be read is handed back so that it is refused again (`returned_cell`). A reason column
    from an earlier round is replaced, so the corrected file can be sent in again. Custom properties are kept. Raises
    IndexError for an index outside the table. Source: ux.md 3.3.
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
            yield [returned_cell(table, index, position) for position in kept] + [failed[index]]

    return stream_xlsx(columns, rows(), sheet=table.sheet, properties=table.properties)


def returned_cell(table: Table, index: int, column: int) -> Cell:
    """돌려주는 셀: the cell as it was sent, or what is refused again where it could not be read.

    A number that lost its last digits comes back as text with an exponent, anything else unreadable as UNREADABLE: sent
    in again without a correction the row stays out, instead of coming in under an invented or an empty value.
    """
    cell = table.rows[index][column]
    if isinstance(cell, (int, float)) and not isinstance(cell, bool) and abs(cell) >= _EXACT:
        return f"{cell:.14E}"
    code = table.problems.get((index, column))
    return cell if code in (None, "exponent") else UNREADABLE


def _width(table: Table, position: int, order: list[int]) -> int:
    sample = [table.rows[index][position] for index in order[:50]]
    longest = max((len(str(cell)) for cell in sample if cell is not None), default=0)
    # A Korean syllable is as wide as two digits; half again is close enough for a column that people can widen.
    return min(max(longest * 3 // 2, _DEFAULT_WIDTH), _WIDEST)
