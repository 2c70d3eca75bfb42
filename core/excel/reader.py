"""Reading uploaded tables: every format people send, opened in a limited child process."""

import json
import logging
import os
import signal
import subprocess
import tempfile
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, Any

from core.children import run_child
from core.excel import limits
from core.excel.cleaning import clean_name
from core.excel.problems import FileProblem, Problem, cell_problem

Cell = str | int | float | bool | datetime | None

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Table:
    """올린 표: one sheet as it stands in the file, blank rows left out.

    `rows[i]` has `width` cells and was row `numbers[i]` of the sheet (from 1). Text is str without control characters,
    whole numbers are int, dates naive datetimes as written in the sheet. `problems` holds the codes of single cells by
    (index in rows, column): precision, exponent, formula, error, merged, number. `sheets` are the visible ones,
    `properties` the custom document properties.
    """

    filename: str
    kind: str
    sheets: list[str]
    sheet: str
    width: int
    numbers: list[int]
    rows: list[list[Cell]]
    problems: dict[tuple[int, int], str] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)

    def cell(self, index: int, column: int) -> Cell | Problem:
        """The value, or the Problem that came with it; what core.excel.values takes."""
        code = self.problems.get((index, column))
        return cell_problem(code) if code else self.rows[index][column]


def read_table(data: bytes, *, filename: str, password: str = "", sheet: str | None = None) -> Table:
    """올린 파일 읽기: one sheet of an xlsx, xlsb, xls, ods, CSV or HTML table, told apart by content, text by name too.

    At most 20 MB, 50,000 rows, 200 columns; password-protected workbooks are opened in memory with `password`. Macros,
    DOCTYPEs and bombs are refused, external links are never followed, formulas give their cached value.
    Raises FileProblem for every file that cannot be read, and nothing else. Source: domain.md 5 rows 2–5,
    dependencies.md 7.3, reliability.md T13.
    """
    if not data:
        raise FileProblem("file_empty")
    if len(data) > limits.MAX_BYTES:
        raise FileProblem("file_too_large")
    name = clean_name(filename)
    asked = {"password": password, "sheet": sheet, "suffix": os.path.splitext(name)[1][:12]}
    options = json.dumps(asked).encode() + b"\n"
    with tempfile.TemporaryFile() as answer:
        _run_child(options + data, answer)
        return _table(answer, name)


def _run_child(message: bytes, answer: IO[bytes]) -> None:
    try:
        status = run_child("core.excel.child", message, answer, wall=limits.CHILD_SECONDS)
    except subprocess.TimeoutExpired:
        raise FileProblem("file_time") from None
    if status == 0:
        return
    _logger.warning("excel child ended with %d", status)
    if status in (-signal.SIGXCPU, -signal.SIGKILL):
        raise FileProblem("file_time")
    raise FileProblem("file_memory" if status == -signal.SIGABRT else "file_broken")


def _table(answer: IO[bytes], filename: str) -> Table:
    answer.seek(0)
    head = json.loads(answer.readline() or b"{}")
    if "problem" in head:
        raise FileProblem(head["problem"], **head["facts"])
    if "table" not in head:
        raise FileProblem("file_broken")
    facts: dict[str, Any] = head["table"]
    rows: list[list[Cell]] = []
    for line in answer:
        rows.extend(json.loads(line).get("rows", ()))
    if len(rows) != len(facts["numbers"]):
        raise FileProblem("file_broken")
    for index, column, moment in facts["dates"]:
        rows[index][column] = datetime.fromisoformat(moment)
    return Table(
        filename=filename,
        kind=facts["kind"],
        sheets=facts["sheets"],
        sheet=facts["sheet"],
        width=facts["width"],
        numbers=facts["numbers"],
        rows=rows,
        problems={(index, column): code for index, column, code in facts["problems"]},
        properties=facts["properties"],
    )
