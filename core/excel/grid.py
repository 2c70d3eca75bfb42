"""The rows a child hands back, and how calamine's cells become them."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from io import BytesIO
from typing import Any

import python_calamine as calamine

from core.excel import limits
from core.excel.cleaning import ERROR_VALUES, EXPONENT, MAX_CELL, clean_text
from core.excel.package import Package, cell_marks
from core.excel.problems import FileProblem

_EXACT = 10.0**15
_LAST_ROW, _LAST_COLUMN = 1_048_576, 16_384


@dataclass
class Grid:
    """One sheet: rows that are not blank, their numbers as Excel shows them, and what is wrong with single cells."""

    kind: str
    sheets: list[str]
    sheet: str
    numbers: list[int] = field(default_factory=list)
    rows: list[list[Any]] = field(default_factory=list)
    problems: dict[tuple[int, int], str] = field(default_factory=dict)  # (index in rows, column)
    dates: list[tuple[int, int, str]] = field(default_factory=list)  # kept apart: JSON has no dates
    properties: dict[str, str] = field(default_factory=dict)
    width: int = 0
    _seen: int = 0
    _text: int = 0

    def add(self, number: int, cells: Sequence[Any], *, offset: int = 0, keep: bool = False) -> None:
        """Take one row as it was read. A row of nothing but blanks is left out unless `keep` says otherwise."""
        if not keep and all(cell is None or cell.__class__ is str and (not cell or cell.isspace()) for cell in cells):
            return
        self._seen += 1
        if self._seen > limits.MAX_ROWS:
            return  # only counted, for the sentence
        row: list[Any] = [None] * offset
        index = len(self.rows)
        for cell in cells:
            row.append(None if cell is None or cell == "" else self._value(cell, index, len(row), number))
            if cell is not None and cell != "" and len(row) > self.width:
                self.width = len(row)
        self.numbers.append(number)
        self.rows.append(row)

    def finish(self) -> "Grid":
        """Check the limits that need the whole sheet and give every row the same width."""
        if self._seen > limits.MAX_ROWS:
            raise FileProblem("file_too_many", rows=self._seen)
        if self.width > limits.MAX_COLUMNS:
            raise FileProblem("file_too_wide", columns=self.width)
        width = self.width
        for row in self.rows:
            if len(row) != width:
                row[width:] = [None] * (width - len(row))
        return self

    def _value(self, cell: Any, index: int, column: int, number: int) -> Any:
        kind = cell.__class__
        if kind is str:
            return self._text_value(cell, index, column, number)
        if kind is float:
            if not math.isfinite(cell):
                self.problems[index, column] = "number"
                return None
            if abs(cell) >= _EXACT:
                self.problems[index, column] = "precision"
                return int(cell)
            return int(cell) if cell.is_integer() else cell
        if kind is bool or kind is int:
            return cell
        if isinstance(cell, (datetime, date)):
            moment = cell if isinstance(cell, datetime) else datetime(cell.year, cell.month, cell.day)
            self.dates.append((index, column, moment.isoformat()))
            return None
        if isinstance(cell, time):
            return cell.isoformat("seconds")
        return _duration(cell) if isinstance(cell, timedelta) else clean_text(str(cell))

    def _text_value(self, cell: str, index: int, column: int, number: int) -> str | None:
        text = clean_text(cell)
        if len(text) > MAX_CELL:
            raise FileProblem("file_cell_too_long", row=number)
        self._text += len(text)
        if self._text > limits.MAX_TEXT:
            raise FileProblem("file_too_much_text")
        if len(text) < 32:
            if EXPONENT.fullmatch(text.strip()):
                self.problems[index, column] = "exponent"
            elif text[:1] == "#" and text.strip() in ERROR_VALUES:
                self.problems[index, column] = "error"
        return text or None

    def mark(self, marks: dict[tuple[int, int], str]) -> None:
        """Enter problems that were found by place (row and column from 0) in the sheet itself."""
        index_of = {number: index for index, number in enumerate(self.numbers)}
        for (row, column), code in marks.items():
            index = index_of.get(row + 1)
            if index is not None and column < limits.MAX_COLUMNS:
                self.problems[index, column] = code
                self.width = max(self.width, column + 1)

    def mark_merged(self, ranges: Sequence[tuple[tuple[int, int], tuple[int, int]]]) -> None:
        """Mark the cells without value that lie inside a merged range: Excel keeps only the first cell's."""
        covered = 0
        for (top, left), (bottom, right) in ranges:
            first, last = bisect_left(self.numbers, top + 1), bisect_right(self.numbers, bottom + 1)
            right = min(right, self.width - 1)
            covered += max(last - first, 0) * max(right - left + 1, 0)
            if covered > limits.MAX_MERGED:
                raise FileProblem("file_merged")
            for index in range(first, last):
                for column in range(left, right + 1):
                    if self.rows[index][column] is None and (self.numbers[index], column) != (top + 1, left):
                        self.problems.setdefault((index, column), "merged")


def _duration(value: timedelta) -> str:
    seconds = int(value.total_seconds())
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def read_workbook(data: bytes, kind: str, *, sheet: str | None) -> Grid:
    """엑셀 시트: one visible sheet of an xlsx, xlsb, xls or ods; the first one that is not blank when none is named.

    Raises FileProblem; calamine's PasswordError is left to the caller, who may have a password.
    """
    package = Package(data) if kind != "xls" else None
    try:
        with calamine.CalamineWorkbook.from_filelike(BytesIO(data)) as book:
            names = [
                meta.name
                for meta in book.sheets_metadata
                if meta.visible == calamine.SheetVisibleEnum.Visible and meta.typ == calamine.SheetTypeEnum.WorkSheet
            ]
            if sheet is not None and sheet not in names:
                raise FileProblem("file_sheet")
            for name in names if sheet is None else [sheet]:
                grid = _read_sheet(book, package, Grid(kind, names, name))
                if grid.rows:
                    return grid
    except (FileProblem, calamine.PasswordError, MemoryError):
        raise
    except BaseException as error:  # Rust panics derive from BaseException
        raise FileProblem("file_broken") from error
    raise FileProblem("file_empty")


def _read_sheet(book: calamine.CalamineWorkbook, package: Package | None, grid: Grid) -> Grid:
    marks: dict[tuple[int, int], str] = {}
    if package is not None and grid.kind == "xlsx":
        package.check_unpacked("xl/sharedStrings.xml")
        part = package.sheet_part(grid.sheet)
        if part is not None:
            marks = cell_marks(b"".join(package.chunks(part)))
        grid.properties = package.properties()
    sheet = book.get_sheet_by_name(grid.sheet)
    if sheet.end is not None and (sheet.end[0] >= _LAST_ROW or sheet.end[1] >= _LAST_COLUMN):
        raise FileProblem("file_broken")
    offset, marked = sheet.start[1] if sheet.start else 0, {row + 1 for row, _ in marks}
    number = 0
    for number, row in enumerate(sheet.iter_rows(), start=1):
        if row.count("") != len(row) or number in marked:
            grid.add(number, row, offset=offset, keep=number in marked)
    for beyond in sorted(row for row in marked if row > number):
        grid.add(beyond, (), keep=True)
    grid.mark(marks)
    grid.finish()
    grid.mark_merged(sheet.merged_cell_ranges or [])
    return grid
